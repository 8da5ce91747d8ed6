"""Keeps a table of a committed run between the markers of a document: writes it, or reports that it is stale."""

from __future__ import annotations

import argparse
from pathlib import Path

from nmebench.files import write_atomically
from nmebench.reports.tables import block_content, markdown_source, replace_block, scores_link, source_line
from nmebench.runs.run_store import Run

__all__ = ["add_options", "update_block"]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that :func:`update_block` reads."""
    parser.add_argument("run", type=Path)
    parser.add_argument("--update", type=Path, required=True, help="The document.")
    parser.add_argument("--section", required=True, help="The name in the markers.")
    parser.add_argument("--check", action="store_true", help="Write nothing; exit with 1 if the section is stale.")


def update_block(options: argparse.Namespace, table: str) -> int:
    """Put a table, and the line on its run, between the markers of a section.

    Args:
        options: the values of :func:`add_options`.
        table: a Markdown table.

    Returns:
        The exit code: 1 with ``--check`` when the section is stale, else 0.

    Raises:
        InputError: the document has no such section.
    """
    file: Path = options.update
    source = markdown_source(source_line(Run.open(options.run), "nme"), scores_link(options.run, file))
    text, document = f"{table}\n\n{source}\n", file.read_text("utf-8")
    if block_content(document, options.section, file.name) == text:
        return 0
    if options.check:
        print(f"{file}: the section {options.section} is stale")
        return 1
    write_atomically(file, replace_block(document, options.section, text, file.name).encode())
    return 0
