"""The log of a training run: one JSON object per line, readable during the run."""

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
        """Drop the lines after a step: steps after the last checkpoint of a killed run are repeated."""
        lines = [json.dumps(entry) for entry in read(self.path) if entry["step"] <= step]
        write_atomically(self.path, "".join(line + "\n" for line in lines))


def read(path: Path) -> list[dict[str, Any]]:
    """Read all complete lines of a log; a half-written last line of a killed process is ignored."""
    entries: list[dict[str, Any]] = []
    if not path.is_file():
        return entries
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        if line.endswith("\n") and line.strip():
            entries.append(json.loads(line))
    return entries
