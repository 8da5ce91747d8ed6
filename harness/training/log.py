"""The log of a run: one JSON object a line, readable while the run goes on."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nmebench.files import write_atomically

__all__ = ["Log", "read"]


@dataclass(frozen=True)
class Log:
    """Appends lines to a file. Every line has ``event`` and ``step`` (how many optimiser steps are done)."""

    path: Path

    def write(self, event: str, step: int, **values: Any) -> None:
        """Append a line."""
        line = json.dumps({"event": event, "step": step, **values})
        with self.path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    def cut(self, step: int) -> None:
        """Drop the lines after a step: what a killed run logged after its last checkpoint is done again."""
        lines = [json.dumps(entry) for entry in read(self.path) if entry["step"] <= step]
        write_atomically(self.path, "".join(line + "\n" for line in lines))


def read(path: Path) -> list[dict[str, Any]]:
    """All whole lines of a log; a last line that a killed process left half-written is no line."""
    entries: list[dict[str, Any]] = []
    if not path.is_file():
        return entries
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        if line.endswith("\n") and line.strip():
            entries.append(json.loads(line))
    return entries
