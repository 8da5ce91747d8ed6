"""The log of a training run: one JSON object per line, readable during the run."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nmebench.bounded_read import parse_json, read_bounded
from nmebench.errors import InputError
from nmebench.files import write_atomically
from nmebench.printable import shown

__all__ = ["Listener", "Log", "read"]

Listener = Callable[[Mapping[str, Any]], None]

_LARGEST = 1 << 28


@dataclass(frozen=True)
class Log:
    """Appends lines to a file. Every line has ``event`` and ``step`` (how many optimiser steps are done)."""

    path: Path
    listener: Listener | None = None
    """Called with each line after it was appended."""

    def write(self, event: str, step: int, **values: Any) -> None:
        """Append a line."""
        entry = {"event": event, "step": step, **values}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
        if self.listener is not None:
            self.listener(entry)

    def cut(self, step: int) -> None:
        """Drop the lines after a step, which a resumed run repeats, and a half-written last line.

        Raises:
            InputError: the log is damaged.
        """
        if not self.path.is_file():
            return
        lines = [json.dumps(entry) for entry in read(self.path) if entry["step"] <= step]
        write_atomically(self.path, "".join(line + "\n" for line in lines))


def read(path: Path) -> list[dict[str, Any]]:
    """Read all complete lines of a log; a half-written last line of a killed process is ignored.

    Raises:
        InputError: the file can't be read or a line is damaged; names the line.
    """
    if not path.is_file():
        return []
    text = read_bounded(path, _LARGEST, kind="training log").decode("utf-8", "replace")
    entries: list[dict[str, Any]] = []
    for number, line in enumerate(text.split("\n")[:-1], start=1):
        if not line.strip():
            continue
        name = f"training log {shown(path)}: line {number}"
        try:
            entry = parse_json(line, name, allow_nan=True)
        except InputError as error:
            raise InputError(f"{error}; remove the line") from error
        if not isinstance(entry, dict) or type(entry.get("step")) is not int or type(entry.get("event")) is not str:
            raise InputError(f"{name} is not an event of a training run; remove the line")
        entries.append(entry)
    return entries
