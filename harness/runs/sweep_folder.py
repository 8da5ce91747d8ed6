"""The folder of a sweep over several data sets: one run folder per data set, and an index.

Layout (schema version 1)::

    SWEEP/
      sweep.json     SweepRecord: the runs in the order of the command
      NAME/          a run folder, see :mod:`nmebench.runs.run_store`; NAME is the name of its data set
      .sweep/        an unfinished sweep's own files

``sweep.json`` is written last, so a folder holds a complete sweep or none.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from nmebench.errors import InputError
from nmebench.field_problem import read_model
from nmebench.files import write_atomically
from nmebench.locks import locked
from nmebench.printable import shown
from nmebench.runs import run_files
from nmebench.runs.cell_id import with_id_characters
from nmebench.runs.output_folder import is_folder
from nmebench.runs.run_display import run_html
from nmebench.runs.run_store import Run

__all__ = ["INDEX", "SweepFolder", "SweepRecord", "SweepRun", "folder_names", "is_sweep", "writing_sweep"]

INDEX: Final = "sweep.json"
"""Name of the index."""

_WORK: Final = ".sweep"
_LARGEST: Final = 1 << 20
_LONGEST_NAME: Final = 60
_RESTORE: Final = "restore it from a backup, or repeat the sweep with --overwrite"

FolderName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.=+_-]{0,99}$")]


class _Record(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class SweepRun(_Record):
    """One run of a sweep."""

    folder: FolderName
    """Name of the run folder."""
    data: str
    """The data set as the user named it, such as ``wflw:PATH``."""
    dataset: str
    """The data set's name."""


class SweepRecord(_Record):
    """The content of ``sweep.json``."""

    schema_version: Literal[1] = 1
    kind: Literal["nmebench sweep"] = "nmebench sweep"
    title: str = ""
    runs: tuple[SweepRun, ...] = Field(min_length=1)


@dataclass(frozen=True)
class SweepFolder:
    """A complete sweep over several data sets."""

    path: Path
    record: SweepRecord

    @classmethod
    def open(cls, path: Path | str) -> SweepFolder:
        """Open a stored sweep.

        Args:
            path: the sweep's folder.

        Returns:
            The sweep; its runs are opened when they are needed.

        Raises:
            InputError: ``sweep.json`` is missing, damaged or of another schema version, or names a folder twice.
        """
        path = Path(path)
        file = path / INDEX
        record = read_model(
            file, SweepRecord, limit=_LARGEST, kind="index of a sweep", way_out=_RESTORE, name=shown(file)
        )
        folders = [run.folder for run in record.runs]
        twice = next((name for name in folders if folders.count(name) > 1), None)
        if twice is not None:
            raise InputError(f"{shown(file)}: damaged (names the folder {twice} twice); {_RESTORE}")
        return cls(path, record)

    @cached_property
    def runs(self) -> dict[str, Run]:
        """The runs by the names of their folders, in the order of the command.

        Raises:
            InputError: a run is missing or damaged.
        """
        return {run.folder: Run.open(self.path / run.folder) for run in self.record.runs}

    def __repr__(self) -> str:
        return f"<SweepFolder {shown(self.path.name)}: {', '.join(run.folder for run in self.record.runs)}>"

    def _repr_html_(self) -> str:
        """Return the scores of each run as a table, for notebooks."""
        return "".join(run_html(run) for run in self.runs.values())


def is_sweep(path: Path) -> bool:
    """Return True if a folder holds the index of a sweep over several data sets."""
    return run_files.exists(path / INDEX)


def folder_names(datasets: Sequence[str]) -> list[str]:
    """Return a folder name for each data set: its own name, with a number where it is taken.

    Example:
        >>> folder_names(["wflw", "300w", "wflw", "My set!"])
        ['wflw', '300w', 'wflw-2', 'my-set']
    """
    names: list[str] = []
    for dataset in datasets:
        base = re.sub("[^a-z0-9]+", "-", with_id_characters(dataset)).strip("-")[:_LONGEST_NAME] or "data"
        name, number = base, 1
        while name in names:
            number += 1
            name = f"{base}-{number}"
        names.append(name)
    return names


@contextmanager
def writing_sweep(out: Path, *, overwrite: bool) -> Iterator[SweepWriter]:
    """Lock the folder of a sweep and yield its writer.

    An unfinished sweep stays when the block raises, so that the next attempt can resume; nothing stays where no run had
    begun.

    Args:
        out: the folder of the sweep; it is created where it doesn't exist.
        overwrite: allow ``out`` to hold a complete sweep.

    Raises:
        InputError: ``out`` holds a run, another sweep or other files, can't be written, or another process writes to
            it.
    """
    _check_free(out, overwrite)
    work = out / _WORK
    try:
        work.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{shown(out)}: can't be written ({error.strerror}); give another folder with -o") from error
    with locked(
        work / "lock",
        busy=f"{shown(out)}: another nmebench is writing there; wait for it or give another folder with -o",
        way_out="give a folder on another file system with -o",
    ):
        _check_free(out, overwrite)
        try:
            yield SweepWriter(out, work)
        except BaseException:
            _remove_unused(out, work)
            raise
    shutil.rmtree(work, ignore_errors=True)


def _remove_unused(out: Path, work: Path) -> None:
    """Remove the files of a sweep that failed before its first run, and its folder if it is empty."""
    if is_sweep(out) or not any(path != work for path in out.iterdir()):
        shutil.rmtree(work, ignore_errors=True)
        with suppress(OSError):  # not empty
            out.rmdir()


@dataclass(frozen=True)
class SweepWriter:
    """Writes the index of a sweep, and remembers which of its runs are finished while it is incomplete."""

    path: Path
    _work: Path

    def begin(self, folders: Sequence[str]) -> None:
        """Remove the index of the sweep that is replaced.

        Raises:
            InputError: that sweep has runs of other data sets, which would stay beside the new ones.
        """
        if not is_sweep(self.path):
            return
        old = [run.folder for run in SweepFolder.open(self.path).record.runs]
        others = sorted(set(old) - set(folders))
        if others:
            raise InputError(
                f"{shown(self.path)}: holds a sweep with the runs {', '.join(old)}, and this one has no {others[0]}; "
                "give another folder with -o, or remove the old one"
            )
        (self.path / INDEX).unlink()
        if (self.path / "report.html").is_file():
            (self.path / "report.html").unlink()

    def finished(self, folder: str, key: str) -> bool:
        """Return True if a run was finished by an earlier attempt with the same key."""
        file = self._work / f"{folder}.key"
        return (
            run_files.exists(self.path / folder / "run.json")
            and file.is_file()
            and file.read_text(encoding="utf-8", errors="replace") == key
        )

    def finish(self, folder: str, key: str) -> None:
        """Remember that a run is finished."""
        write_atomically(self._work / f"{folder}.key", key)

    def write(self, record: SweepRecord) -> SweepFolder:
        """Write the index, which completes the sweep."""
        text = json.dumps(record.model_dump(mode="json"), indent=1, ensure_ascii=False, sort_keys=True)
        write_atomically(self.path / INDEX, text + "\n")
        return SweepFolder(self.path, record)


def _check_free(out: Path, overwrite: bool) -> None:
    """Refuse a file, a run, a complete sweep, or a folder with files that no sweep wrote."""
    if not is_folder(out, "sweep"):
        return
    for name in (_WORK, INDEX):
        if (out / name).is_symlink():
            raise InputError(f"{shown(out / name)}: is a link; remove it or give another folder with -o")
    if is_sweep(out):
        if not overwrite:
            raise InputError(
                f"{shown(out)}: already holds a sweep; give another folder with -o, or --overwrite to replace it"
            )
        return
    if run_files.exists(out / "run.json"):
        raise InputError(
            f"{shown(out)}: holds a run of one data set, and several --data make a folder of runs; give another folder "
            "with -o"
        )
    others = sorted(path.name for path in out.iterdir() if path.name != _WORK)
    if others and not (out / _WORK).is_dir():
        raise InputError(
            f"{shown(out)}: holds other files ({others[0]!r}) and no sweep; give an empty or new folder with -o"
        )
