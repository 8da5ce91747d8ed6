"""Published WFLW rows with their sources, whose table each is, its protocol and the known faults of the source.

``wflw.toml`` holds the rows; ``python docs/tools/import_published.py`` makes it from a survey's csv and the notes in
``docs/tools/published_annotations.toml``.
"""

from __future__ import annotations

from nmebench.published.rows import PublishedProtocol, PublishedRow, load, select

__all__ = ["PublishedProtocol", "PublishedRow", "load", "select"]
