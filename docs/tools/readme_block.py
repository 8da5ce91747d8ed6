"""Keeps a table between the markers of a document: writes it, or reports that it is stale."""

from __future__ import annotations

from pathlib import Path

from nmebench.files import write_atomically
from nmebench.reports.tables import block_content, replace_block

__all__ = ["update_block"]


def update_block(file: Path, section: str, table: str, *, check: bool) -> int:
    """Put a table between the markers of a section.

    Args:
        file: the document.
        section: the name in the markers.
        table: the text between them.
        check: write nothing.

    Returns:
        The exit code: 1 with ``check`` when the section is stale, else 0.

    Raises:
        InputError: the document has no such section.
    """
    document = file.read_text("utf-8")
    if block_content(document, section, file.name) == table:
        return 0
    if check:
        print(f"{file}: the section {section} is stale")
        return 1
    write_atomically(file, replace_block(document, section, table, file.name).encode())
    return 0
