"""Crops for the network: photographs read once for all their faces, in worker threads ahead of the network."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from time import perf_counter

import cv2
import numpy as np

from harness import crop as crops
from harness import images
from harness.boxes import Boxes
from harness.datasets.dataset import Dataset
from harness.errors import InputError
from harness.sweep.batch_cache import BatchCache

__all__ = ["FeedClock", "batches_of", "feed"]

#: Batches that are read ahead of the network; each holds one batch of uint8 crops.
_AHEAD = 2


@dataclass
class FeedClock:
    """Seconds that the worker threads spent reading and cropping (they overlap the network)."""

    read: float = 0.0
    crop: float = 0.0
    photographs: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, read: float, crop: float) -> None:
        """Add one photograph's seconds."""
        with self._lock:
            self.read += read
            self.crop += crop
            self.photographs += 1


def batches_of(dataset: Dataset, batch_size: int) -> list[np.ndarray]:
    """The faces' positions by batch: faces of one photograph stand together so that it is read once.

    The order depends on the dataset alone. A batch boundary may fall inside a photograph, which is then read twice.
    """
    first: dict[str, int] = {}
    for position, image in enumerate(dataset.images):
        first.setdefault(image, position)
    order = np.asarray(sorted(range(len(dataset.images)), key=lambda i: (first[dataset.images[i]], i)), dtype=np.int64)
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]


def _batch(
    number: int,
    dataset: Dataset,
    boxes: Boxes,
    rows: np.ndarray,
    input_size: tuple[int, int],
    convention: str,
    clock: FeedClock,
    cache: BatchCache | None,
) -> np.ndarray:
    """A batch of crops, from the cache where it is there."""
    shape = (len(rows), input_size[1], input_size[0], 3)
    stored = cache.read(number) if cache else None
    if stored is not None and "crops" in stored and stored["crops"].shape == shape:
        return stored["crops"]
    result = _crops_of(dataset, boxes, rows, input_size, convention, clock)
    if cache:
        cache.write(number, {"crops": result})
    return result


def _crops_of(
    dataset: Dataset,
    boxes: Boxes,
    rows: np.ndarray,
    input_size: tuple[int, int],
    convention: str,
    clock: FeedClock,
) -> np.ndarray:
    if dataset.image_root is None:
        raise InputError(
            f"{dataset.spec}: has no photographs, only landmarks; use --model oracle, or give the folder that holds "
            "WFLW_images"
        )
    width, height = input_size
    result = np.empty((len(rows), height, width, 3), np.uint8)
    opened: str | None = None
    photograph: np.ndarray | None = None
    for place, row in enumerate(rows):
        started = perf_counter()
        if dataset.images[row] != opened or photograph is None:
            opened = dataset.images[row]
            photograph = images.read(dataset.image_root / opened)
        read = perf_counter()
        result[place] = crops.crop(
            photograph, boxes.centre[row], boxes.size[row], input_size, boxes.sampling, convention=convention
        )
        clock.add(read - started, perf_counter() - read)
    return result


def feed(
    dataset: Dataset,
    boxes: Boxes,
    batches: Sequence[np.ndarray],
    wanted: Sequence[int],
    *,
    input_size: tuple[int, int],
    convention: str,
    workers: int,
    clock: FeedClock,
    cache: BatchCache | None = None,
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield ``(batch number, crops uint8 [B, H, W, 3] BGR)`` for the wanted batches, in their order.

    At most two batches wait: memory doesn't grow with the number of faces.

    Raises:
        InputError: a photograph is missing or damaged; names the file.
    """
    cv2.setNumThreads(1)  # the workers are the parallelism; OpenCV's own threads would fight the network for cores
    with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="crop") as pool:
        waiting: deque[tuple[int, Future[np.ndarray]]] = deque()
        todo = iter(wanted)

        def submit() -> None:
            for number in todo:
                rows = batches[number]
                future = pool.submit(_batch, number, dataset, boxes, rows, input_size, convention, clock, cache)
                waiting.append((number, future))
                return

        try:
            for _ in range(_AHEAD):
                submit()
            while waiting:
                number, future = waiting.popleft()
                result = future.result()
                submit()
                yield number, result
        finally:
            for _, future in waiting:
                future.cancel()
