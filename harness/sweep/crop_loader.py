"""Loads crops in worker threads ahead of the network; each photograph is read once for all its faces of a batch."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
import torch

from nmebench.datasets.dataset import Dataset
from nmebench.errors import InputError
from nmebench.geometry import Geometry, images
from nmebench.geometry import crop as cropping
from nmebench.sweep.batch_store import BatchStore
from nmebench.sweep.clock import Clock

__all__ = ["CropLoader"]

#: Threads that load batches, and batches that are loaded ahead of the network. On a CPU the network needs the cores.
_WORKERS = 2

Prepared = TypeVar("Prepared")


@dataclass(frozen=True)
class CropLoader:
    """Loads batches of crops, uint8 ``[B, H, W, 3]`` BGR."""

    dataset: Dataset
    geometry: Geometry
    """The boxes on the input's aspect ratio, the input's size and the crop's convention."""
    sampling: cropping.Sampling
    """The sampling of the box rule."""
    batches: Sequence[np.ndarray]
    """The positions of each batch's faces."""
    clock: Clock
    """Receives the processor's seconds for ``read`` and ``crop``."""
    store: BatchStore | None = None
    """Kept crops; read where a batch is there, else written. None keeps nothing."""
    threads: int = _WORKERS
    """Threads that load batches, one batch each."""

    def load(
        self, numbers: Sequence[int], prepare: Callable[[int, np.ndarray], Prepared]
    ) -> Iterator[tuple[int, Prepared]]:
        """Yield ``(batch, prepare(batch, crops))`` for each of ``numbers``, in that order.

        Each thread loads one batch, and at most as many batches are loaded ahead, so that memory doesn't grow with the
        faces.

        Args:
            numbers: the batches to load.
            prepare: called with the batch's number and its crops, in the thread that loaded them.

        Raises:
            InputError: a photograph is missing or damaged, or the dataset has none.
        """
        cv2.setNumThreads(1)  # OpenCV's own threads would compete with the network for cores

        def work(number: int) -> Prepared:
            return prepare(number, self.crops(number))

        with ThreadPoolExecutor(self.threads, "crop", initializer=torch.set_num_threads, initargs=(1,)) as pool:
            waiting: deque[tuple[int, Future[Prepared]]] = deque()
            remaining = iter(numbers)

            def submit_next() -> None:
                for number in remaining:
                    waiting.append((number, pool.submit(work, number)))
                    return

            try:
                for _ in range(self.threads):
                    submit_next()
                while waiting:
                    number, future = waiting.popleft()
                    result = future.result()
                    submit_next()
                    yield number, result
            finally:
                for _, future in waiting:
                    future.cancel()

    def crops(self, number: int) -> np.ndarray:
        """Return the crops of one batch, from the store where it holds them.

        Raises:
            InputError: a photograph is missing or damaged, or the dataset has none.
        """
        stored = self.store.read(number) if self.store else None
        if stored is not None:
            return stored["crops"]
        crops = self._cut(self.batches[number])
        if self.store:
            self.store.write(number, {"crops": crops})
        return crops

    def _cut(self, rows: np.ndarray) -> np.ndarray:
        if self.dataset.image_root is None:
            raise InputError(
                f"{self.dataset.spec}: has no photographs, only landmarks; use --model oracle, give WFLW's folder with "
                "WFLW_images, or put the photographs of your own benchmark into the folder `images` beside its file"
            )
        width, height = self.geometry.input_size
        crops = np.empty((len(rows), height, width, 3), np.uint8)
        name: str | None = None
        photograph: np.ndarray | None = None
        for index, row in enumerate(rows):
            if self.dataset.images[row] != name or photograph is None:
                name = self.dataset.images[row]
                with self.clock.processor("read"):
                    photograph = images.read(self.dataset.image_root / name)
            with self.clock.processor("crop"):
                crops[index] = cropping.crop(
                    photograph,
                    *self.geometry.box(int(row)),
                    self.geometry.input_size,
                    self.sampling,
                    convention=self.geometry.crop,
                )
        return crops
