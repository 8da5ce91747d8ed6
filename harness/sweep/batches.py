"""Batches of faces: how many faces a batch holds, and which."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np

from nmebench.datasets.dataset import Dataset
from nmebench.models.card import Card

__all__ = ["BATCH_BYTES", "MAX_BATCH_SIZE", "batch_size_for", "batches_of"]

#: Bytes that a batch's crops and maps may take, by the device of the network.
BATCH_BYTES = MappingProxyType({"cpu": 96 << 20, "cuda": 512 << 20})

#: Largest number of faces per batch that is chosen automatically.
MAX_BATCH_SIZE = 64


def batch_size_for(card: Card, points: int, outputs: frozenset[str], device: str = "cpu") -> int:
    """Return the number of faces per batch whose crops and maps fit in :data:`BATCH_BYTES`.

    The estimate counts, per face, the crop as bytes, the crop and its mirror image as float32, and four sets of float32
    maps at stride 4: those of both passes, and two averages of them. Larger batches don't speed up a CPU
    (docs/speed.md).

    Args:
        card: the model card.
        points: landmarks per face.
        outputs: names of the network's outputs.
        device: ``cpu`` or ``cuda``.

    Returns:
        1 to :data:`MAX_BATCH_SIZE`.

    Example:
        >>> from nmebench.models import card
        >>> batch_size_for(card.load("mmpose-hrnetv2-w18-dark"), 98, frozenset({"heatmaps"}))
        12
    """
    width, height = card.input.size
    pixels = (width // 4) * (height // 4)
    values = points * pixels * (("heatmaps" in outputs) + ("logits" in outputs) + 2 * ("offsets" in outputs))
    bytes_per_face = 3 * width * height * (1 + 2 * 4) + 4 * 4 * values
    return max(1, min(MAX_BATCH_SIZE, BATCH_BYTES[device] // bytes_per_face))


def batches_of(dataset: Dataset, batch_size: int) -> list[np.ndarray]:
    """Return the positions of each batch's faces in the dataset, int64 ``[B]`` per batch.

    Faces of one photograph are neighbours, so that it is read once; only where a batch boundary separates them is it
    read twice. The order depends on the dataset alone.
    """
    first: dict[str, int] = {}
    for position, image in enumerate(dataset.images):
        first.setdefault(image, position)
    order = np.asarray(sorted(range(len(dataset.images)), key=lambda i: (first[dataset.images[i]], i)), dtype=np.int64)
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
