"""Published results with their sources, protocols and the known errors of the sources.

A TOML file per data set contains the rows. ``python docs/tools/import_published.py SURVEY.csv`` makes that of WFLW from
the csv file of a survey and the notes in ``docs/tools/published_annotations.toml``, and
``docs/tools/import_benchmark_rows.py`` makes the others with ``benchmark_rows_annotations.toml``.
"""

from __future__ import annotations

from nmebench.published.rows import PublishedProtocol, PublishedRow, load, methods, select

__all__ = ["PublishedProtocol", "PublishedRow", "load", "methods", "select"]
