"""Writes a run folder: one writer at a time, complete or not at all, and never over another run unless requested."""

from __future__ import annotations

import os
import shutil
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from nmebench.datasets.dataset import Dataset
from nmebench.errors import InputError
from nmebench.files import FileHash
from nmebench.locks import locked
from nmebench.map_ahead import map_ahead
from nmebench.printable import shown
from nmebench.runs.output_folder import is_folder
from nmebench.runs.run_record import DatasetRecord
from nmebench.runs.run_store import Run

__all__ = ["WORK", "CellWriter", "dataset_record", "flush", "publish", "writing"]

#: The folder of unfinished work inside a run folder.
WORK = ".work"

#: The file in it that one process locks.
LOCK = "lock"

#: What a run folder may hold. A new run replaces all of it: ``run.json`` is removed first and moved last.
_FOLDERS = ("landmarks", "confidence")
_FILES = (
    "run.json", "faces.parquet", "per_face.parquet", "scores.csv", "thumbnails.parquet", "timings.json", "verdict.json",
    "diverged.json", "report.html",
)  # fmt: skip


@contextmanager
def writing(out: Path, *, overwrite: bool) -> Iterator[Path]:
    """Lock the run folder ``out`` and yield its work folder.

    The work folder is removed when the block succeeds and kept when it raises, so that the next attempt can resume;
    nothing stays of an attempt that stored nothing.

    Args:
        out: the run folder; it is created where it doesn't exist.
        overwrite: allow ``out`` to hold a complete run.

    Raises:
        InputError: ``out`` holds another run or other files, can't be written, or another process writes there.
        OSError: the block raised it; the error names ``out`` where it named no file.
    """
    _check_free(out, overwrite)
    work, existed = out / WORK, out.exists()
    try:
        work.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{out}: can't be written ({error.strerror}); give another folder with -o") from error
    try:
        with locked(
            work / LOCK,
            busy=f"{shown(out)}: another nmebench is writing there; wait for it or give another folder with -o",
            way_out="give a folder on another file system with -o",
        ):
            _check_free(out, overwrite)
            try:
                yield work
            except BaseException:
                _remove_unused(out, work, existed=existed)
                raise
    except OSError as error:
        if error.filename is None:  # writing to an open file on a full disk names no file
            error.filename = str(out)
        raise
    _remove(work)


def _remove(work: Path) -> None:
    """Remove a work folder, several files at a time: returning the memory of a large file takes milliseconds."""

    def unlink(file: Path) -> None:
        with suppress(OSError):
            file.unlink()

    deque(map_ahead(unlink, [path for path in work.rglob("*.batch") if path.is_file()]), maxlen=0)
    shutil.rmtree(work, ignore_errors=True)


def _remove_unused(out: Path, work: Path, *, existed: bool) -> None:
    """Remove the work folder of a run that failed before it stored anything, and the run folder if it is new."""
    if any(path.name != LOCK for path in work.iterdir()):
        return
    shutil.rmtree(work, ignore_errors=True)
    if not existed:
        with suppress(OSError):  # not empty
            out.rmdir()


def _check_free(out: Path, overwrite: bool) -> None:
    """Refuse a file, another run, links inside the folder, or a folder with files that no run wrote."""
    if not is_folder(out, "run"):
        return
    _check_replaceable(out)
    if (out / "run.json").exists():
        if not overwrite:
            raise InputError(f"{out}: already holds a run; give another folder with -o, or --overwrite to replace it")
        return
    others = sorted(path.name for path in out.iterdir() if path.name != WORK)
    if others and not (out / WORK).is_dir():
        raise InputError(f"{out}: holds other files ({others[0]!r}) and no run; give an empty or new folder with -o")


def _check_replaceable(out: Path) -> None:
    """Refuse a folder in which a part of a run can't be replaced, before anything is removed.

    A link, or a folder with the name of a file, would stop :func:`publish` half-way, when the old run is gone.
    """
    for name in (*_FOLDERS, *_FILES, WORK):
        path = out / name
        is_folder = name in _FOLDERS or name == WORK
        if path.is_symlink() or (path.exists() and path.is_dir() != is_folder):
            kind = "link" if path.is_symlink() else "file" if is_folder else "folder"
            raise InputError(
                f"{path}: is a {kind}, so the run there can't be replaced; remove it or give another folder with -o"
            )


class CellWriter:
    """Writes the landmarks and confidence of one cell in parts, so that memory doesn't grow with the faces.

    Once every row is written, the files have the same bytes as those of :meth:`Run.write_cell`. Call :func:`publish`
    afterwards, which flushes them to the disk.
    """

    def __init__(self, run: Path, cell: str, faces: int, points: int) -> None:
        """Create ``landmarks/CELL.npy`` and ``confidence/CELL.npy`` in the folder ``run``.

        Args:
            run: the run folder; it must exist.
            cell: the cell's id.
            faces: N.
            points: K.
        """
        self._files: list[tuple[Path, int]] = []
        for folder, shape in (("landmarks", (faces, points, 2)), ("confidence", (faces, points))):
            (run / folder).mkdir(exist_ok=True)
            file = run / folder / f"{cell}.npy"
            array = np.lib.format.open_memmap(file, "w+", np.float32, shape)
            self._files.append((file, array.offset))

    def write(self, rows: np.ndarray, landmarks: np.ndarray, confidence: np.ndarray) -> None:
        """Write some rows.

        Args:
            rows: positions in the dataset, int ``[B]``.
            landmarks: float32 ``[B, K, 2]`` image px.
            confidence: float32 ``[B, K]``.

        Raises:
            OSError: the disk is full. Memory maps would end the process with SIGBUS instead.
        """
        ends = [*(np.flatnonzero(np.diff(rows) != 1) + 1).tolist(), len(rows)]  # of consecutive rows
        for (file, offset), values in zip(self._files, (landmarks, confidence), strict=True):
            content = np.ascontiguousarray(values).reshape(-1).view(np.uint8).data
            row_bytes = len(content) // len(rows)
            stored = os.open(file, os.O_WRONLY | getattr(os, "O_BINARY", 0))  # Path.open takes ten times as long
            try:
                start = 0
                for end in ends:
                    os.lseek(stored, offset + int(rows[start]) * row_bytes, os.SEEK_SET)
                    part = content[start * row_bytes : end * row_bytes]
                    while part:
                        part = part[os.write(stored, part) :]
                    start = end
            finally:
                os.close(stored)


def flush(folder: Path) -> None:
    """Wait until the content of every file in a folder is on the disk.

    Args:
        folder: the folder; its subfolders are included.
    """
    for file in folder.rglob("*"):
        if file.is_file():
            with file.open("r+b") as opened:
                os.fsync(opened.fileno())


def publish(staging: Path, out: Path) -> Run:
    """Move a complete run from its staging folder to ``out`` and open it.

    An older run in ``out`` is removed first. Every file is flushed to the disk before it is moved, and ``run.json`` is
    moved last: a folder without it holds no run.

    Args:
        staging: a folder on the same file system, with everything that the run contains.
        out: the run folder.

    Raises:
        InputError: something in ``out`` can't be replaced; nothing is removed then.
        ValueError: the run contains a file that the list of this module lacks, so that a later run would leave it.
    """
    unknown = sorted({path.name for path in staging.iterdir()} - {*_FILES, *_FOLDERS})
    if unknown:
        raise ValueError(f"{unknown[0]} is missing in _FILES or _FOLDERS of {__name__}")
    _check_replaceable(out)
    flush(staging)
    for name in _FILES:
        (out / name).unlink(missing_ok=True)
    for folder in _FOLDERS:
        shutil.rmtree(out / folder, ignore_errors=True)
    for path in sorted(staging.iterdir(), key=lambda path: path.name == "run.json"):
        path.replace(out / path.name)
    return Run.open(out)


def dataset_record(dataset: Dataset) -> DatasetRecord:
    """Return the record of a dataset for ``run.json``: everything but its faces."""
    return DatasetRecord(
        name=dataset.name,
        spec=dataset.spec,
        format=dataset.format,
        scheme=dataset.scheme.name,
        split=dataset.split,
        faces=len(dataset.images),
        expected=dict(dataset.expected),
        counts={name: int(mask.sum()) for name, mask in dataset.subsets.items()},
        groups={name: [int(i) for i in points] for name, points in dataset.scheme.groups.items()},
        files=[FileHash(name=file.name, sha256=file.sha256, bytes=file.bytes) for file in dataset.files],
        coverage=dataset.describe(),
        notes=list(dataset.notes),
    )
