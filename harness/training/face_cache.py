"""The faces of a training run, drawn or read once and stored as pixels that any process can map.

Decoding a photograph or drawing a face takes several times as long as the warp, and every epoch reads every face. The
surroundings of each face are therefore cut out once, in integer pixels at the resolution of the picture, and stored in
shards. There is no resampling: the network's crop stays a single bilinear warp, as in the benchmark. A second process
writes the shards in order while training runs on the first ones.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import signal
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

import cv2
import filelock
import numpy as np
from numpy.typing import NDArray

from nmebench.datasets.readers.arrays import NpzArchive
from nmebench.errors import InputError
from nmebench.files import atomic_writer, file_sha256
from nmebench.paths import cache_folder
from nmebench.printable import shown
from nmebench.training import sources
from nmebench.training.recipe import TrainingFaces
from nmebench.training.sources import SourceFace

__all__ = ["Pictures", "drawing", "open_pictures"]

SHARD = 100
"""Faces per shard."""
REACH = 1.75
"""Side of the stored surroundings in units of the padded box: a box rotated by 45 degrees and enlarged 1.24 times."""
LARGEST = 640
"""Longest side of stored surroundings, px; larger ones are shrunk by area, because no input size needs more."""
FORMAT = 2
PATIENCE = 900.0
"""Seconds to wait for another process that writes a shard, which takes a minute on a slow machine."""


_INDEX = ("starts", "shapes", "landmarks", "centres", "sides")


@dataclass
class _Shard:
    pixels: NDArray[np.uint8]
    starts: NDArray[np.int64]
    shapes: NDArray[np.int64]
    landmarks: NDArray[np.float64]
    centres: NDArray[np.float64]
    sides: NDArray[np.float64]


@dataclass
class Pictures:
    """Faces ``0 .. len - 1`` of a :class:`~nmebench.training.recipe.TrainingFaces`, from the shards in ``folder``."""

    faces: TrainingFaces
    folder: Path
    _open: dict[int, _Shard] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        """The number of faces."""
        return self.faces.faces

    def has(self, position: int) -> bool:
        """Return True when the face is already stored."""
        return _index_file(self.folder, (position + self.faces.skip) // SHARD).is_file()

    def get(self, position: int) -> SourceFace:
        """Return the face at a position; waits while another process writes its shard."""
        index = position + self.faces.skip
        number, place = divmod(index, SHARD)
        if number not in self._open:
            while not self.has(position):
                time.sleep(0.1)
            self._open[number] = _read(self.folder, number)
        shard = self._open[number]
        height, width = (int(length) for length in shard.shapes[place])
        start = int(shard.starts[place])
        return SourceFace(
            image=shard.pixels[start : start + height * width * 3].reshape(height, width, 3),
            landmarks=shard.landmarks[place],
            centre=shard.centres[place],
            side=float(shard.sides[place]),
        )


def open_pictures(faces: TrainingFaces, *, cache: Path | None = None) -> Pictures:
    """Open the shards of these faces without drawing any. The folder name is a hash of everything they depend on.

    Raises:
        InputError: the cache folder can't be made.
    """
    root = cache_folder(cache)
    what = {
        "format": FORMAT,
        "source": sources.identity(faces),
        "split": faces.split,
        "seed": faces.seed,
        "box": faces.box,
        "cut": [SHARD, REACH, LARGEST],
    }
    key = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:16]
    folder = root / "training" / f"{faces.source.partition(':')[0]}-{key}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"can't make the training cache {folder} ({error.strerror}): set NMEBENCH_CACHE") from error
    return Pictures(faces, folder)


@contextmanager
def drawing(*wanted: Pictures) -> Iterator[Callable[[Pictures, NDArray[np.integer]], None]]:
    """Write the missing shards in a second process while the body runs.

    Yields:
        ``wait(pictures, positions)``, which returns once these faces are stored.

    Raises:
        InputError: ``wait`` raises it with the message of the second process when that failed.
    """
    missing = [(p.faces, p.folder, number) for p in wanted for number in _missing(p)]
    if not missing:
        yield lambda _pictures, _positions: None
        return
    context = multiprocessing.get_context("spawn")
    receive, send = context.Pipe(duplex=False)
    drawer = context.Process(target=_draw_all, args=(missing, os.getpid(), send), daemon=True)
    drawer.start()
    send.close()

    def wait(pictures: Pictures, positions: NDArray[np.integer]) -> None:
        """Wait until the faces at these positions are stored.

        Raises:
            InputError: the second process failed.
        """
        numbers = np.unique((np.asarray(positions) + pictures.faces.skip) // SHARD)
        for number in numbers.tolist():
            while not _index_file(pictures.folder, number).is_file():
                if not drawer.is_alive() and not _index_file(pictures.folder, number).is_file():
                    raise InputError(_last_words(receive, drawer.exitcode))
                time.sleep(0.1)

    try:
        yield wait
    finally:
        drawer.terminate()
        drawer.join()
        receive.close()


def _draw_all(missing: list[tuple[TrainingFaces, Path, int]], parent: int, send: Connection) -> None:
    """Main function of the second process: write the shards in order; end when the parent process ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent process ends this one
    cv2.setNumThreads(1)
    try:
        # Runs with the same faces share the work: a shard that another run is writing is checked again at the end.
        left = [job for job in missing if not _make(*job, parent=parent, patience=0.0)]
        for job in left:
            if not _make(*job, parent=parent, patience=PATIENCE):
                raise InputError(
                    f"{shown(job[1])}: another process has been writing shard {job[2]} for {PATIENCE / 60:g} minutes; "
                    "end it, or set NMEBENCH_CACHE"
                )
    except OSError as error:
        reason = f"{error.strerror or error}; free some space, or set NMEBENCH_CACHE to a folder that you may write to"
        send.send(f"{shown(error.filename or missing[0][1])}: {reason}")
        raise SystemExit(2) from error
    except (InputError, ValueError, MemoryError) as error:
        send.send(str(error) or "not enough memory to draw the faces; use a smaller image source")
        raise SystemExit(2) from error


def _make(faces: TrainingFaces, folder: Path, number: int, *, parent: int, patience: float) -> bool:
    """Write a shard unless it exists; False when another process locks it for ``patience`` seconds."""
    try:
        with filelock.FileLock(folder / f"{number:05d}.lock", timeout=patience):
            if not _index_file(folder, number).is_file():
                cuts = []
                for face in sources.faces(faces, number * SHARD, (number + 1) * SHARD):
                    if os.getppid() != parent:
                        raise SystemExit(0)
                    cuts.append(_cut(face))
                _write(folder, number, cuts)
    except filelock.Timeout:
        return False
    except NotImplementedError as error:
        raise InputError(f"{shown(folder)}: the file system has no locks; set NMEBENCH_CACHE to another one") from error
    return True


def _last_words(receive: Connection, exitcode: int | None) -> str:
    try:
        said = receive.recv() if receive.poll() else ""
    except EOFError:
        said = ""
    return str(said) or f"the process that draws the faces ended with code {exitcode} before it had drawn them"


def _missing(pictures: Pictures) -> list[int]:
    first = pictures.faces.skip // SHARD
    last = (pictures.faces.skip + len(pictures) - 1) // SHARD
    return [n for n in range(first, last + 1) if not _is_complete(pictures.folder, n)]


def _is_complete(folder: Path, number: int) -> bool:
    """Return whether a shard is stored and unchanged; remove the index of a damaged one, which is then drawn again."""
    index = _index_file(folder, number)
    if not index.exists():
        return False
    try:
        if _pixel_hash(folder, number) == str(NpzArchive(index).read("sha256")):
            return True
        fault = "its pixels were changed"
    except (InputError, OSError) as error:
        fault = str(error)
    warnings.warn(f"{shown(index)} is damaged ({fault}); drawing its faces again", stacklevel=3)
    try:
        index.unlink()
    except OSError as error:
        raise InputError(f"{shown(index)} is damaged and can't be removed ({error.strerror}); remove it") from error
    return False


def _pixel_hash(folder: Path, number: int) -> str:
    return file_sha256(_pixel_file(folder, number))


def _cut(face: SourceFace) -> SourceFace:
    """Cut out the surroundings of a face in integer pixels; shrink them only when they exceed ``LARGEST``."""
    height, width = face.image.shape[:2]
    half = face.side * REACH / 2
    low = np.maximum(np.floor(face.centre - half), 0).astype(int)
    high = np.minimum(np.ceil(face.centre + half) + 1, [width, height]).astype(int)
    # A box outside its picture gives one black pixel, not an empty array.
    high = np.maximum(high, low + 1)
    image = face.image[low[1] : high[1], low[0] : high[0]]
    if image.size == 0:
        image, low = np.zeros((1, 1, 3), np.uint8), np.zeros(2, int)
    landmarks, centre, side = face.landmarks - low, face.centre - low, face.side
    longest = max(image.shape[:2])
    if longest > LARGEST:
        target = np.maximum(np.rint(np.array(image.shape[1::-1]) * LARGEST / longest), 1).astype(int)
        factor = target / image.shape[1::-1]
        image = np.asarray(cv2.resize(image, target.tolist(), interpolation=cv2.INTER_AREA), dtype=np.uint8)
        landmarks, centre = (landmarks + 0.5) * factor - 0.5, (centre + 0.5) * factor - 0.5
        side = float(side * factor.mean())
    return SourceFace(np.ascontiguousarray(image), landmarks, centre, side)


def _write(folder: Path, number: int, cuts: list[SourceFace]) -> None:
    shapes = np.array([face.image.shape[:2] for face in cuts], dtype=np.int64).reshape(-1, 2)
    lengths = shapes.prod(axis=1) * 3
    pixels = np.concatenate([face.image.reshape(-1) for face in cuts]) if cuts else np.zeros(0, np.uint8)
    with atomic_writer(_pixel_file(folder, number)) as file:
        np.save(file, pixels)
    # The index is written last: a shard that has one is complete.
    with atomic_writer(_index_file(folder, number)) as file:
        np.savez(
            file,
            starts=np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64),
            shapes=shapes,
            landmarks=np.array([face.landmarks for face in cuts]),
            centres=np.array([face.centre for face in cuts]),
            sides=np.array([face.side for face in cuts]),
            sha256=np.array(_pixel_hash(folder, number)),
        )


def _read(folder: Path, number: int) -> _Shard:
    """Open a shard whose hash was checked when the run started.

    Raises:
        InputError: the shard was damaged since.
    """
    index = NpzArchive(_index_file(folder, number))
    parts = {name: index.read(name) for name in _INDEX}
    try:
        pixels = np.load(_pixel_file(folder, number), mmap_mode="r")
    except (OSError, ValueError) as error:
        raise InputError(f"{shown(_pixel_file(folder, number))} was damaged during the run: run again") from error
    if pixels.size != int(parts["shapes"].prod(axis=1).sum()) * 3:
        raise InputError(f"{shown(_pixel_file(folder, number))} was damaged during the run: run again")
    return _Shard(pixels=pixels, **parts)


def _pixel_file(folder: Path, number: int) -> Path:
    return folder / f"{number:05d}.npy"


def _index_file(folder: Path, number: int) -> Path:
    return folder / f"{number:05d}.npz"
