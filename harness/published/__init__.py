"""Published WFLW results with their sources, protocols and the known errors of the sources.

``wflw.toml`` contains the rows. ``python docs/tools/import_published.py SURVEY.csv`` makes it from the csv file of a
survey and the notes in ``docs/tools/published_annotations.toml``.
"""

from __future__ import annotations

from nmebench.published.rows import PublishedProtocol, PublishedRow, load, select

__all__ = ["PublishedProtocol", "PublishedRow", "load", "select"]
