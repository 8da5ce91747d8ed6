"""Thumbnails are in the order of the faces, whatever the order of the batches."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from nmebench.errors import InputError
from nmebench.geometry import Geometry
from nmebench.sweep import thumbnails
from nmebench.sweep.batch_store import BatchStore


def test_every_face_has_its_own_picture(tmp_path: Path) -> None:
    batches = [np.array([3, 0, 4]), np.array([2]), np.array([1, 5])]
    shades = np.arange(6) * 40
    store = BatchStore.open(tmp_path, "thumbnails", "key")
    for number, rows in enumerate(batches):
        store.write(number, thumbnails.encode(np.stack([np.full((32, 64, 3), shades[row], np.uint8) for row in rows])))
    centre = np.stack([np.arange(6.0) * 10, np.zeros(6)], axis=1)
    geometry = Geometry(centre, np.full((6, 2), 40.0), (64, 32))
    found = list(thumbnails.read_all(store, batches, geometry, scratch=tmp_path))
    assert [one.size for one in found] == [(64, 32)] * 6
    for face, one in enumerate(found):
        picture = cv2.imdecode(np.frombuffer(one.jpeg, np.uint8), cv2.IMREAD_COLOR)
        assert abs(float(picture.mean()) - shades[face]) < 2
        middle = one.warp @ [*centre[face], 1.0]
        np.testing.assert_allclose(middle, [31.5, 15.5], atol=0.51)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["thumbnails"]


def test_a_lost_batch_is_named(tmp_path: Path) -> None:
    store = BatchStore.open(tmp_path, "thumbnails", "key")
    geometry = Geometry(np.zeros((1, 2)), np.ones((1, 2)), (8, 8))
    with pytest.raises(InputError, match="batch 0 was removed or damaged"):
        list(thumbnails.read_all(store, [np.array([0])], geometry))
