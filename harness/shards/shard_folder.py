"""The folder of a shard.

Layout (schema version 1)::

    SHARD/
      shard.json     ShardRecord: the whole sweep, and the batches in this shard
      batches/       finished batches, see :mod:`nmebench.sweep.batch_store`
        results/KEY/N.batch
        thumbnails/KEY/N.batch
        boxes/KEY/0.batch
        number.json      the number of the shard

``shard.json`` is written last, so a folder holds a complete shard or none.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from nmebench.bounded_read import read_bounded, read_json
from nmebench.errors import InputError
from nmebench.field_problem import read_model
from nmebench.files import file_sha256, write_atomically
from nmebench.locks import locked
from nmebench.printable import shown
from nmebench.runs import run_files
from nmebench.runs.output_folder import is_folder
from nmebench.runs.sweep_folder import is_sweep
from nmebench.shards.shard import Shard
from nmebench.shards.shard_record import ShardRecord

__all__ = ["BATCHES", "INDEX", "STORES", "ShardFolder", "ShardWriter", "writing_shard"]

INDEX: Final = "shard.json"
"""Name of the record."""

BATCHES: Final = "batches"
"""Name of the folder of batches."""

STORES: Final = ("results", "thumbnails", "boxes")
"""Folders below :data:`BATCHES`, each with a folder per key."""

_NUMBER: Final = "number.json"
_LARGEST: Final = 1 << 28
_DAMAGED: Final = "repeat the command that made the shard with --overwrite, which keeps the finished batches"


@dataclass(frozen=True)
class ShardFolder:
    """A complete shard."""

    path: Path
    record: ShardRecord
    sha256: str
    """Hash of ``shard.json``, which holds the hash of every batch."""

    @classmethod
    def open(cls, path: Path | str) -> ShardFolder:
        """Open a stored shard.

        Raises:
            InputError: the folder holds no complete shard, or ``shard.json`` is damaged or of another schema version.
        """
        path = Path(path)
        file = path / INDEX
        if not run_files.exists(file):
            raise InputError(_no_shard(path))
        record = read_model(
            file, ShardRecord, limit=_LARGEST, kind="shard", way_out=_DAMAGED, name=shown(file),
            read=partial(read_json, errors="surrogateescape"),
        )  # fmt: skip
        if record.index > record.count:
            raise InputError(f"{shown(file)}: damaged (shard {record.index} of {record.count}); {_DAMAGED}")
        return cls(path, record, file_sha256(file))

    @property
    def shard(self) -> Shard:
        """The number of this shard."""
        return self.record.shard

    @property
    def batches(self) -> Path:
        """The folder of the batches."""
        return self.path / BATCHES


def _no_shard(path: Path) -> str:
    """The message for a folder without a complete shard."""
    name = shown(path)
    if not path.exists():
        return f"{name}: no such folder; give the folders that `nmebench run --shard` wrote"
    if run_files.exists(path / "run.json") or is_sweep(path):
        return (
            f"{name}: holds a complete run, not a shard; `nmebench merge` takes the folders of `nmebench run --shard`, "
            "and `nmebench compare` compares runs"
        )
    unfinished = _number(path / BATCHES)
    if unfinished is not None:
        return f"{name}: holds the unfinished shard {unfinished}; run its command again, which resumes it"
    return f"{name}: holds no shard ({INDEX} is missing); give the folders that `nmebench run --shard` wrote"


def _number(batches: Path) -> Shard | None:
    """The number of the shard whose batches a folder holds, or None."""
    try:
        raw = json.loads(read_bounded(batches / _NUMBER, 1 << 10))
        return Shard.parse(raw["shard"])
    except (InputError, ValueError, KeyError, TypeError):
        return None


@dataclass(frozen=True)
class ShardWriter:
    """Writes a shard."""

    path: Path

    @property
    def batches(self) -> Path:
        """The folder of the batches; a sweep's work folder."""
        return self.path / BATCHES

    def write(self, record: ShardRecord) -> ShardFolder:
        """Remove batches of other keys and write ``shard.json``, which completes the shard."""
        keys = {key[:32] for part in record.parts for one in part.networks for key in (one.key, one.crops_key)}
        for kind in STORES:
            for folder in sorted((self.batches / kind).glob("*")):
                if folder.name not in keys:
                    shutil.rmtree(folder)
        text = json.dumps(record.model_dump(mode="json"), indent=1, ensure_ascii=False, sort_keys=True)
        write_atomically(self.path / INDEX, text + "\n")
        return ShardFolder.open(self.path)


@contextmanager
def writing_shard(out: Path, shard: Shard, *, overwrite: bool) -> Iterator[ShardWriter]:
    """Lock the folder of a shard and yield its writer.

    The finished batches stay when the block raises, so that the next attempt can resume; nothing stays where no batch
    was finished.

    Args:
        out: the folder; it is created where it doesn't exist.
        shard: the number of the shard.
        overwrite: allow ``out`` to hold a complete shard, or an unfinished one of another number.

    Raises:
        InputError: ``out`` holds a run, another shard or other files, can't be written, or another process writes
            there.
        OSError: the block raised it; the error names ``out`` where it named no file.
    """
    _check_free(out, shard, overwrite=overwrite)
    batches = out / BATCHES
    try:
        batches.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{shown(out)}: can't be written ({error.strerror}); give another folder with -o") from error
    try:
        with locked(
            batches / "lock",
            busy=f"{shown(out)}: another nmebench is writing there; wait for it or give another folder with -o",
            way_out="give a folder on another file system with -o",
        ):
            _check_free(out, shard, overwrite=overwrite)
            _begin(out, shard)
            try:
                yield ShardWriter(out)
            except BaseException:
                _remove_unused(out)
                raise
    except OSError as error:
        if error.filename is None:  # writing to an open file on a full disk names no file
            error.filename = str(out)
        raise
    (batches / "lock").unlink(missing_ok=True)


def _begin(out: Path, shard: Shard) -> None:
    """Remove the shard that is replaced; its batches stay where it has the same number."""
    batches = out / BATCHES
    (out / INDEX).unlink(missing_ok=True)
    if _number(batches) != shard:  # another first batch was checked
        for path in batches.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif path.name != "lock":
                path.unlink()
    write_atomically(batches / _NUMBER, json.dumps({"shard": str(shard)}))


def _remove_unused(out: Path) -> None:
    """Remove what a shard wrote that failed before its first batch, and the folder if it is empty."""
    batches = out / BATCHES
    if any(batches.glob("*/*/*.batch")):
        return
    shutil.rmtree(batches, ignore_errors=True)
    with suppress(OSError):  # not empty
        out.rmdir()


def _check_free(out: Path, shard: Shard, *, overwrite: bool) -> None:
    """Refuse a file, a run, another shard, links, or a folder with files that no shard wrote."""
    if not is_folder(out, "shard"):
        return
    for name in (INDEX, BATCHES):
        if (out / name).is_symlink():
            raise InputError(f"{shown(out / name)}: is a link; remove it or give another folder with -o")
    if run_files.exists(out / INDEX):
        if not overwrite:
            raise InputError(
                f"{shown(out)}: already holds a shard; give another folder with -o, or --overwrite to replace it"
            )
        return
    if run_files.exists(out / "run.json") or is_sweep(out):
        raise InputError(f"{shown(out)}: holds a run, and --shard writes a shard; give another folder with -o")
    unfinished = _number(out / BATCHES)
    if unfinished is not None and unfinished != shard and not overwrite:
        raise InputError(
            f"{shown(out)}: holds the unfinished shard {unfinished}, not {shard}; give another folder with -o, or "
            "--overwrite to replace it"
        )
    others = sorted(path.name for path in out.iterdir() if path.name != BATCHES)
    if others and not (out / BATCHES).is_dir():
        raise InputError(
            f"{shown(out)}: holds other files ({others[0]!r}) and no shard; give an empty or new folder with -o"
        )
