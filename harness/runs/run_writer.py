"""A run folder while it is written: one writer, nothing half-written, another run never overwritten unasked."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from nmebench.datasets.dataset import Dataset
from nmebench.errors import InputError
from nmebench.files import FileHash
from nmebench.runs.run_store import DatasetRecord, Run

__all__ = ["WORK", "dataset_record", "publish", "writing"]

#: Where unfinished work lies inside the folder.
WORK = ".work"


@contextmanager
def writing(out: Path, *, overwrite: bool) -> Iterator[Path]:
    """Lock ``out`` for writing a run and yield its work folder, which is removed after success and kept otherwise.

    Raises:
        InputError: ``out`` holds another run or other files, can't be written, or another process writes there.
    """
    _refuse(out, overwrite)
    work = out / WORK
    try:
        work.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{out}: can't be written ({error.strerror}); give another folder with -o") from error
    try:
        with FileLock(work / "lock", timeout=0):
            _refuse(out, overwrite)
            yield work
    except Timeout as error:
        raise InputError(
            f"{out}: another nmebench is writing there; wait for it or give another folder with -o"
        ) from error
    except OSError as error:
        if error.filename is None:  # a full disk is told of a file handle: say at least the folder
            error.filename = str(out)
        raise
    shutil.rmtree(work, ignore_errors=True)


def _refuse(out: Path, overwrite: bool) -> None:
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: is a file, a run is a folder; give another name with -o")
    if not out.is_dir():
        return
    if (out / "run.json").exists():
        if not overwrite:
            raise InputError(f"{out}: already holds a run; give another folder with -o, or --overwrite to replace it")
        return
    strangers = sorted(path.name for path in out.iterdir() if path.name != WORK)
    if strangers and not (out / WORK).is_dir():
        raise InputError(f"{out}: holds other files ({strangers[0]!r}) and no run; give an empty or new folder with -o")


def publish(staging: Path, out: Path) -> Run:
    """Move a whole run from its staging folder to ``out``; ``run.json`` goes last and makes it a run."""
    (out / "run.json").unlink(missing_ok=True)
    for stale in ("landmarks", "confidence"):
        shutil.rmtree(out / stale, ignore_errors=True)
    for stale in ("thumbnails.parquet", "verdict.json", "report.html"):
        (out / stale).unlink(missing_ok=True)
    for path in sorted(staging.iterdir(), key=lambda path: path.name == "run.json"):
        path.replace(out / path.name)
    return Run.open(out)


def dataset_record(dataset: Dataset) -> DatasetRecord:
    """What a run keeps of a dataset besides its faces."""
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
