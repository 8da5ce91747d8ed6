"""Batches of augmented faces from a second process.

Every random number is a function of (seed, epoch, face) and not of a worker: batches are the same for any number of
workers and after resuming at any step.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from nmebench.training import augment
from nmebench.training.face_cache import Pictures
from nmebench.training.plan import Step
from nmebench.training.recipe import Augmentation

__all__ = ["Batch", "batches", "order", "plain"]

_ORDER, _VIEW = 0, 1  # the two streams of random numbers


class Batch(NamedTuple):
    """``images`` [B, 3, S, S] uint8 RGB and ``landmarks`` [B, K, 2] float32 in input px."""

    images: Tensor
    landmarks: Tensor


class _Key(NamedTuple):
    epoch: int
    face: int
    size: int


@dataclass
class _Views(Dataset[Batch]):
    pictures: Pictures
    augmentation: Augmentation
    seed: int
    flip: NDArray[np.int64]

    def __getitem__(self, key: _Key) -> Batch:
        """Return the augmented crop of one face, as a Batch without the first axis."""
        rng = np.random.default_rng([self.seed, _VIEW, key.epoch, key.face])
        view = augment.sample(self.augmentation, rng)
        return _crop(self.pictures, key.face, size=key.size, flip=self.flip, view=view)


def order(seed: int, epoch: int, faces: int) -> NDArray[np.int64]:
    """Permutation of the faces in an epoch, ``[faces]``."""
    return np.random.default_rng([seed, _ORDER, epoch]).permutation(faces)


def batches(
    pictures: Pictures,
    steps: list[Step],
    *,
    augmentation: Augmentation,
    seed: int,
    flip: NDArray[np.int64],
    workers: int,
) -> Iterator[Batch]:
    """Yield one batch per step, in order, prepared by ``workers`` processes (0: in this process)."""
    loader = DataLoader(
        # Open the folder again: files mapped in this process are not sent to the workers.
        _Views(Pictures(pictures.faces, pictures.folder), augmentation, seed, flip),
        batch_sampler=_Sampler(steps, seed),
        num_workers=workers,
        collate_fn=_stack,
        prefetch_factor=4 if workers else None,
        worker_init_fn=_one_thread,
        # Spawn, because a forked child waits forever for OpenCV and OpenMP threads of its parent.
        multiprocessing_context="spawn" if workers else None,
        # The loader draws the base seed of its workers from this generator instead of the global one.
        generator=torch.Generator().manual_seed(0),
    )
    return iter(loader)


def plain(pictures: Pictures, *, size: int, flip: NDArray[np.int64]) -> Batch:
    """Crop all faces as the benchmark does, without augmentation."""
    return _stack([_crop(pictures, i, size=size, flip=flip, view=augment.PLAIN) for i in range(len(pictures))])


@dataclass
class _Sampler:
    steps: list[Step]
    seed: int

    def __iter__(self) -> Iterator[list[_Key]]:
        epoch, faces = -1, np.zeros(0, dtype=np.int64)
        for step in self.steps:
            if step.epoch != epoch:
                epoch, faces = step.epoch, order(self.seed, step.epoch, step.faces)
            chosen = faces[step.first : step.first + step.batch]
            yield [_Key(step.epoch, int(face), step.size) for face in chosen]

    def __len__(self) -> int:
        return len(self.steps)


def _crop(
    pictures: Pictures, position: int, *, size: int, flip: NDArray[np.int64], view: augment.AugmentedView
) -> Batch:
    face = pictures.get(position)
    crop, landmarks = augment.apply(
        face.image,
        face.landmarks,
        centre=face.centre,
        side=face.side,
        input_size=size,
        flip=flip,
        view=view,
    )
    rgb = np.ascontiguousarray(crop[:, :, ::-1].transpose(2, 0, 1))
    return Batch(torch.from_numpy(rgb), torch.from_numpy(landmarks))


def _stack(views: list[Batch]) -> Batch:
    return Batch(torch.stack([v.images for v in views]), torch.stack([v.landmarks for v in views]))


def _one_thread(_worker: int) -> None:
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
