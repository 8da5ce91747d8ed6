"""A split of drawn faces on disk, in the folders and list formats of WFLW."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nmebench.errors import InputError
from nmebench.protocol import LIST_NAMES
from nmebench.synthface.attributes import SPLITS, Attributes, Split, attributes_of

if TYPE_CHECKING:
    from nmebench.synthface.face import SynthFace

RENDERER_VERSION: Final = 1
"""Incremented whenever the same seed draws different bytes."""
MANIFEST: Final = "synthface.json"
JPEG_QUALITY: Final = 95
MOST_FACES: Final = 100_000

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class _Job:
    root: Path
    seed: int
    split: Split
    index: int
    attributes: Attributes


def make(
    out: Path,
    *,
    faces: int,
    seed: int,
    split: str = "test",
    train_faces: int = 0,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Path:
    """Draw a split of faces into a new folder.

    The faces are drawn into a temporary folder beside ``out``, which is renamed when it is complete.

    Args:
        out: the new folder; it may exist if it is empty.
        faces: number of faces of ``split``.
        seed: seed of the faces.
        split: ``test`` or ``train``.
        train_faces: number of faces of the training split to draw as well.
        workers: processes that draw; None for one per core.
        progress: called with the number of faces drawn and the total.

    Returns:
        ``out``.

    Raises:
        InputError: a number is out of range, the split is unknown, or the folder can't be written or is not empty.
    """
    wanted = _wanted(faces, train_faces, split)
    _check_seed(seed)
    out = Path(out)
    with _temporary_sibling(out) as root:
        jobs = [
            _Job(root, seed, name, index, Attributes(*(bool(flag) for flag in row)))
            for name, count in wanted
            for index, row in enumerate(attributes_of(seed, name, count))
        ]
        lines: dict[Split, list[tuple[Attributes, str]]] = {name: [] for name, _ in wanted}
        for done, (job, line) in enumerate(zip(jobs, _drawn(jobs, workers), strict=True), start=1):
            lines[job.split].append((job.attributes, line))
            if progress:
                progress(done, len(jobs))
        for name, drawn in lines.items():
            _write_lists(root, name, drawn)
        _write_manifest(root, seed, wanted)
        _rename_into_place(root, out)
    return out


def hash_of(path: Path) -> str:
    """The SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def files_of(root: Path) -> list[str]:
    """Sorted relative names of every file of a dataset except the manifest."""
    names = (path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
    return sorted(name for name in names if name != MANIFEST)


def _wanted(faces: int, train_faces: int, split: str) -> list[tuple[Split, int]]:
    chosen: Split | None = next((name for name in SPLITS if name == split), None)
    if chosen is None:
        raise InputError(f"split {split!r} is unknown; choose one of {', '.join(SPLITS)}")
    for name, count, least in (("faces", faces, 1), ("train_faces", train_faces, 0)):
        if not least <= count <= MOST_FACES:
            raise InputError(f"{name} is {count}; give a whole number from {least} to {MOST_FACES}")
    if train_faces and chosen == "train":
        raise InputError("train_faces is given along with split='train'; give the training faces once, as `faces`")
    wanted: list[tuple[Split, int]] = [(chosen, faces)]
    if train_faces:
        wanted.append(("train", train_faces))
    return wanted


def _check_seed(seed: int) -> None:
    if seed < 0:
        raise InputError(f"seed is {seed}; give a whole number from 0 up")


@contextmanager
def _temporary_sibling(out: Path) -> Iterator[Path]:
    """Yield a temporary folder beside ``out``; remove it when the block fails."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out} holds something already; give a new or an empty folder, or remove it first")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        root = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    except OSError as error:
        raise InputError(f"{out} can't be written ({error.strerror}); give a folder that you may write to") from error
    try:
        yield root
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _rename_into_place(root: Path, out: Path) -> None:
    root.chmod(0o755)
    try:
        root.replace(out)
    except OSError as error:
        raise InputError(f"{out} was written by another process meanwhile; give another folder") from error


def _drawn(jobs: list[_Job], workers: int | None) -> Iterator[str]:
    """Yield the list lines in the order of the jobs; the faces do not depend on the number of processes."""
    count = workers if workers is not None else _cores()
    if count < 1:
        raise InputError(f"workers is {workers}; give a whole number from 1 up, or leave it out for one per core")
    if count == 1 or len(jobs) < 8:
        yield from map(_draw_one, jobs)
        return
    with ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(_draw_one, jobs, chunksize=4)


def _cores() -> int:
    """Number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _draw_one(job: _Job) -> str:
    """Draw a face into its file and return its line of the list."""
    from nmebench.synthface.degrade import jpeg  # a split that is in the cache needs no renderer
    from nmebench.synthface.face import draw

    face = draw(job.seed, job.split, job.index, job.attributes)
    name = f"{_folder(job.attributes)}/{job.split}_{job.index:05d}.jpg"
    path = job.root / "WFLW_images" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(jpeg(face.image, JPEG_QUALITY).tobytes())
    return _line(face, name)


def _folder(attributes: Attributes) -> str:
    """Image folder of a face: WFLW numbers its image classes; here the class is the face's first attribute."""
    for number, (flag, name) in enumerate(zip(attributes, Attributes._fields, strict=True), start=1):
        if flag:
            return f"{number}--{name.capitalize()}"
    return "0--Plain"


def _line(face: SynthFace, name: str) -> str:
    numbers = [f"{value:.6f}" for value in face.landmarks.ravel()]
    return " ".join([*numbers, *map(str, face.rect), *(str(int(flag)) for flag in face.attributes), name])


def _write_lists(root: Path, split: Split, drawn: list[tuple[Attributes, str]]) -> None:
    annotations = root / "WFLW_annotations"
    full = annotations / "list_98pt_rect_attr_train_test" / f"list_98pt_rect_attr_{split}.txt"
    _write_lines(full, [line for _, line in drawn])
    if split == "test":
        # The lists without rectangle and attributes hold 196 coordinates and the name.
        bare = [(flags, " ".join([*(tokens := line.split())[:196], tokens[-1]])) for flags, line in drawn]
        folder = annotations / "list_98pt_test"
        _write_lines(folder / "list_98pt_test.txt", [line for _, line in bare])
        for place, subset in enumerate(LIST_NAMES.values()):
            _write_lines(folder / f"list_98pt_test_{subset}.txt", [line for flags, line in bare if flags[place]])


def _write_lines(path: Path, lines: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("".join(f"{line}\n" for line in lines).encode())


def _write_manifest(root: Path, seed: int, wanted: list[tuple[Split, int]]) -> None:
    """Write the manifest, which is the last file: a folder without one is not a dataset."""
    manifest = {
        "renderer_version": RENDERER_VERSION,
        "seed": seed,
        "splits": dict(wanted),
        "files": {name: hash_of(root / name) for name in files_of(root)},
    }
    (root / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
