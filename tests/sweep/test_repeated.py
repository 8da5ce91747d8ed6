"""A dataset of any length out of a few faces."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nmebench import datasets
from nmebench.bench import repeated
from nmebench.errors import InputError
from nmebench.geometry import images


def test_repeats_every_face_in_turn(few_faces: Path, tmp_path: Path) -> None:
    source = datasets.load(f"wflw:{few_faces}")
    longer = datasets.load(repeated(source, 25, tmp_path / "longer"))
    assert len(longer) == 25
    rows = np.arange(25) % len(source)
    np.testing.assert_array_equal(longer.landmarks, source.landmarks[rows])
    for subset, mask in source.subsets.items():
        np.testing.assert_array_equal(longer.subsets[subset], mask[rows])
    assert source.rect is not None
    assert longer.rect is not None
    np.testing.assert_array_equal(longer.rect, source.rect[rows])
    assert longer.image_root is not None
    assert source.image_root is not None
    for face in (0, 13, 24):
        np.testing.assert_array_equal(
            images.read(longer.image_root / longer.images[face]),
            images.read(source.image_root / source.images[rows[face]]),
        )


def test_each_repetition_has_photographs_of_its_own(few_faces: Path, tmp_path: Path) -> None:
    source = datasets.load(f"wflw:{few_faces}")
    longer = datasets.load(repeated(source, 3 * len(source), tmp_path / "longer"))
    assert len(set(longer.images)) == 3 * len(set(source.images))


def test_refuses_in_one_line(few_faces: Path, tmp_path: Path) -> None:
    source = datasets.load(f"wflw:{few_faces}")
    with pytest.raises(InputError, match="only faces with photographs"):
        repeated(replace(source, image_root=None), 5, tmp_path / "new")
    with pytest.raises(InputError, match="only faces with photographs and 98 landmarks"):
        repeated(replace(source, landmarks=source.landmarks[:, :68]), 5, tmp_path / "new")
    assert not (tmp_path / "new").exists()
    with pytest.raises(InputError, match="exists; give a new folder"):
        repeated(source, 5, tmp_path)
