"""docs/faults.md: one row per fault; the tests compare the rows with the real messages.

``UPDATE_FAULTS=1 pytest tests/fetch tests/system`` writes the rows from the messages that the tests see.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"
HEAD = "| fault | what the user sees | exit code | test |\n|---|---|---|---|\n"


def normal(line: str, *folders: Path) -> str:
    """Replace the parts of a message that differ between runs: folders, ports, long numbers, hashes."""
    for folder in folders:
        line = line.replace(str(folder), "DIR")
    line = re.sub(r"127\.0\.0\.1:\d+", "HOST", line)
    line = re.sub(r"(?<![\w.-])\d{4,}(?![\w-])", "N", line)
    line = re.sub(r"(?<![\w.-])[0-9a-f]{8,64}(?=[./ ,;]|$)", "HASH", line)
    # The library's description of the damage changes with its version.
    line = re.sub(r"cut short \((?!no end).*?\);", "cut short (REASON);", line)
    return line.replace("|", "\\|")


def rows() -> dict[str, str]:
    """Return the page's rows by fault."""
    text = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    found = {}
    for line in text.splitlines():
        cells = re.split(r"(?<!\\)\|", line)
        if len(cells) == 6 and cells[1].strip() not in ("fault", "") and not cells[1].startswith("---"):
            found[cells[1].strip()] = line
    return found


def row(request: pytest.FixtureRequest, fault: str, line: str, code: int, *folders: Path) -> None:
    """Compare one row of the page with a message, or write it if ``UPDATE_FAULTS`` is set."""
    test = f"{request.path.relative_to(PAGE.parents[1])}::{request.node.name}"
    made = f"| {fault} | `` {normal(line, *folders)} `` | {code} | `{test}` |"
    if os.environ.get("UPDATE_FAULTS"):
        table = {**rows(), fault: made}
        head = PAGE.read_text(encoding="utf-8").partition(HEAD)[0] if PAGE.exists() else "# Faults\n\n"
        PAGE.write_text(head + HEAD + "\n".join(table.values()) + "\n", encoding="utf-8")
    assert rows().get(fault) == made, "docs/faults.md differs: UPDATE_FAULTS=1 pytest tests/fetch tests/system"
