"""Thumbnails of the crops for the report's gallery."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryFile

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


def read_all(
    store: BatchStore, batches: Sequence[np.ndarray], geometry: Geometry, *, scratch: Path | None = None
) -> Iterator[Thumbnail]:
    """Yield the thumbnail of every face in the dataset's order, each with its map from image px.

    The pictures pass through a temporary file, because batches are in the order of the photographs:
    one batch is in memory at a time.

    Args:
        store: what :func:`encode` returned for each batch.
        batches: the positions of each batch's faces.
        geometry: the geometry of the crops.
        scratch: the folder of the temporary file; None for the system's.

    Raises:
        InputError: a batch was removed or damaged during the sweep.
    """
    faces = sum(len(rows) for rows in batches)
    places, lengths = np.zeros(faces, np.int64), np.zeros(faces, np.int64)
    size = (1, 1)
    with TemporaryFile(dir=scratch) as pictures:
        for number, rows in enumerate(batches):
            stored = store.read(number)
            if stored is None:
                raise InputError(
                    f"{store.folder}: batch {number} was removed or damaged during the sweep; run the same command "
                    "again, which computes it again"
                )
            size = (int(stored["size"][0]), int(stored["size"][1]))
            lengths[rows] = stored["lengths"]
            places[rows] = pictures.tell() + np.cumsum(stored["lengths"]) - stored["lengths"]
            pictures.write(stored["bytes"].tobytes())
        # cv2.resize aligns the edges of pixels, as a grid with half-pixel centres.
        frame = replace(geometry, grid="half-pixel", heatmap_size=size)
        for face in range(faces):
            pictures.seek(places[face])
            yield Thumbnail(pictures.read(lengths[face]), size, frame.heatmap_matrix(face))
