"""Thumbnails of the crops for the report's gallery."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from nmebench.errors import InputError
from nmebench.geometry import Geometry
from nmebench.runs.thumbnail import Thumbnail
from nmebench.sweep.batch_store import BatchStore

__all__ = ["encode", "read_all"]

_LONGEST_SIDE = 128
_JPEG_QUALITY = 80


def encode(crops: np.ndarray) -> dict[str, np.ndarray]:
    """Return a batch of crops as JPEG thumbnails of at most 128 px.

    Args:
        crops: uint8 ``[B, H, W, 3]`` BGR.

    Returns:
        ``bytes``, the JPEG files one after the other; ``lengths`` ``[B]`` of each in bytes; and ``size``, the
        thumbnails' (width, height) in px.
    """
    height, width = crops.shape[1:3]
    scale = min(1.0, _LONGEST_SIDE / max(width, height))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    encoded = []
    for crop in crops:
        small = cv2.resize(crop, size, interpolation=cv2.INTER_AREA)
        encoded.append(cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1].ravel())
    return {
        "bytes": np.concatenate(encoded),
        "lengths": np.asarray([len(jpeg) for jpeg in encoded]),
        "size": np.asarray(size),
    }


def read_all(store: BatchStore, batches: Sequence[np.ndarray], geometry: Geometry) -> list[Thumbnail]:
    """Return the thumbnail of every face in the dataset's order, each with its map from image px.

    Args:
        store: what :func:`encode` returned for each batch.
        batches: the positions of each batch's faces.
        geometry: the geometry of the crops.

    Raises:
        InputError: a batch was removed or damaged during the sweep.
    """
    thumbnails: dict[int, Thumbnail] = {}
    for number, rows in enumerate(batches):
        stored = store.read(number)
        if stored is None:
            raise InputError(
                f"{store.folder}: batch {number} was removed or damaged during the sweep; run the same command again, "
                "which computes it again"
            )
        width, height = (int(side) for side in stored["size"])
        jpegs = np.split(stored["bytes"], np.cumsum(stored["lengths"])[:-1])
        for row, jpeg in zip(rows.tolist(), jpegs, strict=True):
            # cv2.resize aligns the edges of pixels, as a grid with half-pixel centres.
            frame = replace(geometry, grid="half-pixel", heatmap_size=(width, height))
            thumbnails[row] = Thumbnail(jpeg.tobytes(), (width, height), frame.heatmap_matrix(row))
    return [thumbnails[row] for row in sorted(thumbnails)]
