"""Published WFLW rows with their sources, whose table each is, its protocol and the known faults of the source.

``wflw.toml`` holds the rows; ``python -m harness.published.importer`` makes it from a survey's csv and the notes in
``annotations.toml``.
"""

from __future__ import annotations

from harness.published.rows import Protocol, Row, filter, load  # noqa: A004 - the word users look for

__all__ = ["Protocol", "Row", "filter", "load"]
