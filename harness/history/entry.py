"""One file of a history: what the runs of one commit measured on one machine."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from nmebench.errors import InputError
from nmebench.field_problem import read_model
from nmebench.files import write_atomically
from nmebench.metric_names import MetricName, gather_rates, spread_rates
from nmebench.printable import shown
from nmebench.protocol import Flip

__all__ = [
    "Entry",
    "HistoryCell",
    "HistoryRun",
    "Mean",
    "check_commit",
    "check_machine",
    "entry_name",
    "read_entries",
    "read_entry",
    "write_entry",
]

_LARGEST_FILE = 32 * 2**20
_MOST_FILES = 20_000
_LAST_SECOND = 253_402_300_799  # of the year 9999
_LARGEST_NME = 1e100  # its square is finite
_RESTORE = "restore it from version control"
_COMMIT = r"[0-9a-f]{7,64}"
_MACHINE = r"[a-z0-9][a-z0-9._-]{0,79}"

Text = Annotated[str, Field(max_length=10_000)]


class _Record(BaseModel):
    # A number that JSON lacks must be an error, not null.
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, ser_json_inf_nan="constants")


class Mean(_Record):
    """The mean NME of a subset, percent, with its 95 % interval; None where one photograph leaves it unknown."""

    nme: float = Field(ge=0, le=_LARGEST_NME)
    low: float | None = None
    high: float | None = None


class HistoryCell(_Record):
    """A cell: its protocol and its scores by subset."""

    model: Text
    decoder: Text
    flip: Flip
    box: Text
    convention: Text
    input_size: tuple[int, int]
    settings: dict[str, Text] = Field(default_factory=dict)
    """The other settings that move a landmark, see :func:`nmebench.scoring.cell_settings`."""
    mixed: bool = False
    weights_sha256: Text | None = None
    engine: Text = ""
    diverged: Text = ""
    """``diverged on 2 faces`` for a cell that diverged: its means are no part of a series."""
    nme: dict[str, Mean]
    rates: dict[MetricName, dict[str, float]]
    """FR (percent) and AUC (fraction) by metric and subset, at the run's thresholds; in the file, a field each."""

    _gather = model_validator(mode="before")(gather_rates)

    @model_serializer(mode="wrap")
    def _spread(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return spread_rates(dump(self))

    def with_rates_of(self, other: HistoryCell | None) -> HistoryCell:
        """Return the cell with FR and AUC of an older record of it, where its NME is the same."""
        if other is None or other.nme != self.nme:
            return self
        return self.model_copy(update={"rates": {**other.rates, **self.rates}})


class HistoryRun(_Record):
    """One run: the faces, the code and the cells."""

    dataset: Text
    scheme: Text
    normaliser: Text
    faces: int = Field(ge=1)
    faces_sha256: Text
    counts: dict[str, int]
    """Faces by subset."""
    nmebench: Text
    code_sha256: Text
    """Hash of nmebench's source files."""
    packages: dict[str, Text]
    link: Text | None = None
    """Address of the run's report: a URL, or a path relative to the folder of the history."""
    cells: dict[str, HistoryCell]


class Entry(_Record):
    """The content of a file: one commit on one machine."""

    schema_version: Literal[1] = 1
    kind: Literal["nmebench history"] = "nmebench history"
    commit: str = Field(pattern=f"^{_COMMIT}$")
    dirty: bool = False
    """True if the files of the repository differed from the commit."""
    time: int = Field(ge=0, le=_LAST_SECOND)
    """Time of the commit, seconds since 1970."""
    machine: str = Field(pattern=f"^{_MACHINE}$")
    runs: tuple[HistoryRun, ...]

    def text(self) -> str:
        """Return the content of the file; equal entries give equal bytes.

        One value per line with sorted keys, so that git merges and shows changes line by line.
        """
        return json.dumps(self.model_dump(mode="json"), indent=1, sort_keys=True, allow_nan=False) + "\n"

    def with_run(self, run: HistoryRun) -> Entry:
        """Return the entry with a run added; cells measured again on the same faces replace their old numbers.

        FR and AUC at other thresholds stay where the NME is the same, as for a run that was scored again.

        The result doesn't depend on the order in which runs without common cells are added.
        """
        kept = []
        for old in self.runs:
            same = (old.dataset, old.faces_sha256, old.normaliser) == (run.dataset, run.faces_sha256, run.normaliser)
            if same:
                cells = {name: cell.with_rates_of(old.cells.get(name)) for name, cell in run.cells.items()}
                run = run.model_copy(update={"cells": cells})
            cells = {name: cell for name, cell in old.cells.items() if not (same and name in run.cells)}
            if cells:
                kept.append(old.model_copy(update={"cells": cells}))
        runs = sorted((*kept, run), key=lambda r: (r.dataset, r.faces_sha256, r.normaliser, sorted(r.cells)))
        return self.model_copy(update={"runs": tuple(runs)})


def entry_name(commit: str, machine: str) -> str:
    """Return the file's name: the first 12 digits of the commit, and the machine.

    Example:
        >>> entry_name("0123456789abcdef", "ci")
        '0123456789ab-ci.json'
    """
    return f"{commit[:12]}-{machine}.json"


def read_entry(path: Path) -> Entry:
    """Read one file of a history.

    Raises:
        InputError: it is missing, damaged, too large, not a regular file or of another version.
    """
    entry = read_model(path, Entry, limit=_LARGEST_FILE, kind="history file", way_out=_RESTORE)
    if path.name != entry_name(entry.commit, entry.machine):
        raise InputError(
            f"history file {shown(path)}: must be called {entry_name(entry.commit, entry.machine)}, "
            f"as its commit and machine; {_RESTORE}"
        )
    return entry


def read_entries(folder: Path) -> Sequence[Entry]:
    """Read all files of a history, in the order of their names.

    Raises:
        InputError: the folder is missing, has no or too many entries, or a file of it can't be read.
    """
    how = f"add a run with `nmebench history add RUN --to {shown(folder)}`"
    if not folder.is_dir():
        raise InputError(f"history {shown(folder)}: no such folder; {how}")
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix == ".json" and not path.name.startswith("."))
    except (OSError, ValueError) as error:
        raise InputError(f"history {shown(folder)}: can't be read ({error}); {how}") from error
    if not paths:
        raise InputError(f"history {shown(folder)}: has no entry; {how}")
    if len(paths) > _MOST_FILES:
        raise InputError(f"history {shown(folder)}: has {len(paths):,} files, up to {_MOST_FILES:,} are read")
    return [read_entry(path) for path in paths]


def write_entry(folder: Path, entry: Entry) -> Path:
    """Write an entry atomically; return its path.

    Args:
        folder: the folder of the history; it is made where it doesn't exist.
        entry: the entry.

    Raises:
        OSError: the folder can't be made or written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / entry_name(entry.commit, entry.machine)
    write_atomically(path, entry.text())
    return path


def check_commit(text: str) -> str:
    """Return a commit as given, or refuse it.

    Raises:
        InputError: it isn't 7 to 64 lower-case hexadecimal digits.
    """
    if not re.fullmatch(_COMMIT, text):
        raise InputError(f"--commit {shown(text)!r}: must be 7 to 64 lower-case hexadecimal digits of a commit")
    return text


def check_machine(text: str) -> str:
    """Return the name of a machine as given, or refuse it.

    Raises:
        InputError: it has other characters than lower-case letters, digits, dots, hyphens and underscores.
    """
    if not re.fullmatch(_MACHINE, text):
        raise InputError(
            f"--machine {shown(text)!r}: must be 1 to 80 lower-case letters, digits, dots, hyphens and underscores"
        )
    return text
