"""Crops for the network: photographs read once for all their faces, in worker threads ahead of the network."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import cv2
import numpy as np
import torch

from nmebench.boxes import Boxes
from nmebench.datasets.dataset import Dataset
from nmebench.errors import InputError
from nmebench.geometry import crop as crops
from nmebench.geometry import images
from nmebench.sweep.batch_cache import BatchCache
from nmebench.sweep.clock import Clock

__all__ = ["batches_of", "feed"]

#: Batches that are read ahead of the network.
_AHEAD = 2

Ready = TypeVar("Ready")


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
    clock: Clock,
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
    clock: Clock,
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
        if dataset.images[row] != opened or photograph is None:
            opened = dataset.images[row]
            with clock.processor("read"):
                photograph = images.read(dataset.image_root / opened)
        with clock.processor("crop"):
            result[place] = crops.crop(
                photograph, boxes.centre[row], boxes.size[row], input_size, boxes.sampling, convention=convention
            )
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
    clock: Clock,
    finish: Callable[[int, np.ndarray], Ready],
    cache: BatchCache | None = None,
) -> Iterator[tuple[int, Ready]]:
    """Yield ``(batch number, finish(batch number, crops))`` for the wanted batches, in their order.

    Crops are uint8 ``[B, H, W, 3]`` BGR; ``finish`` is called in the worker thread that made them. At most two batches
    wait: memory doesn't grow with the number of faces.

    Raises:
        InputError: a photograph is missing or damaged; names the file.
    """
    cv2.setNumThreads(1)  # the workers are the parallelism; OpenCV's own threads would fight the network for cores
    with ThreadPoolExecutor(workers, "crop", initializer=torch.set_num_threads, initargs=(1,)) as pool:
        waiting: deque[tuple[int, Future[Ready]]] = deque()
        todo = iter(wanted)

        def ready(number: int) -> Ready:
            crops_of_batch = _batch(number, dataset, boxes, batches[number], input_size, convention, clock, cache)
            return finish(number, crops_of_batch)

        def submit() -> None:
            for number in todo:
                waiting.append((number, pool.submit(ready, number)))
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
