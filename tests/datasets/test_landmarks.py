"""Ground truth of any scheme from an npz."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nmebench import datasets
from nmebench.errors import InputError

POINTS = np.random.default_rng(0).uniform(0, 200, (3, 98, 2))


def test_landmarks_images_and_subsets_are_read(tmp_path: Path) -> None:
    file = tmp_path / "truth.npz"
    np.savez(file, landmarks=POINTS, images=np.array(["a", "b", "c"]), subset_pose=np.array([True, False, True]))
    dataset = datasets.load(f"landmarks:{file}")
    np.testing.assert_array_equal(dataset.landmarks, POINTS)
    assert (dataset.scheme.name, dataset.images, dataset.image_root) == ("wflw98", ("a", "b", "c"), None)
    assert {name: mask.tolist() for name, mask in dataset.subsets.items()} == {
        "test": [True] * 3,
        "pose": [True, False, True],
    }
    assert (dataset.files[0].name, dataset.files[0].bytes) == ("truth.npz", file.stat().st_size)


def test_array_and_scheme_are_chosen_by_name_and_size(tmp_path: Path) -> None:
    np.savez(tmp_path / "truth.npz", gt=POINTS[:, :68])
    dataset = datasets.load(f"landmarks:{tmp_path}/truth.npz::gt")
    assert (dataset.scheme.name, len(dataset), dataset.images[2]) == ("ibug68", 3, "face 2")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        pytest.param({"other": POINTS}, r"no array 'landmarks' \(found: other\); name one with ::NAME", id="no array"),
        pytest.param({"landmarks": POINTS.reshape(3, -1)}, r"expected floats of \[N, K, 2\]", id="flat"),
        pytest.param({"landmarks": POINTS.astype(int)}, r"expected floats of \[N, K, 2\]", id="integers"),
        pytest.param(
            {"landmarks": POINTS[:, :97]},
            r"97 points per face; known schemes have 19 \(aflw19\), 29 \(cofw29\)",
            id="97",
        ),
        pytest.param({"landmarks": np.where(POINTS > 190, np.nan, POINTS)}, "is not finite", id="nan"),
        pytest.param({"landmarks": POINTS, "subset_blur": np.ones(2, bool)}, "blur is bool", id="short subset"),
        pytest.param({"landmarks": POINTS, "subset_blur": np.ones(3)}, "blur is float64", id="subset of numbers"),
        pytest.param(
            {"landmarks": POINTS, "subset_test": np.array([True, False, False])},
            "subset_test would replace the test set, which is every face",
            id="subset named test",
        ),
        pytest.param({"landmarks": POINTS[:0]}, r"expected floats of \[N, K, 2\]", id="no faces"),
        pytest.param(
            {"landmarks": POINTS, "images": np.arange(3)}, "images is int64, expected text", id="image numbers"
        ),
        pytest.param(
            {"landmarks": POINTS, "images": np.array([b"a"] * 3)}, r"images is \|S1, expected text", id="bytes"
        ),
        pytest.param({"landmarks": POINTS, "images": np.array(["a"])}, "images is <U1", id="short images"),
    ],
)
def test_wrong_arrays_are_refused(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    np.savez(tmp_path / "truth.npz", **arrays)
    with pytest.raises(InputError, match=message):
        datasets.load(f"landmarks:{tmp_path}/truth.npz")


def test_missing_file_and_training_split_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.npz is missing"):
        datasets.load(f"landmarks:{tmp_path}/none.npz")
    with pytest.raises(InputError, match="one format and the split test only"):
        datasets.load(f"landmarks:{tmp_path}/none.npz", split="train")
    with pytest.raises(InputError, match="write landmarks:PATH"):
        datasets.load("landmarks")


def test_fractions_and_unannotated_landmarks_are_suspect(tmp_path: Path) -> None:
    np.savez(tmp_path / "fractions.npz", landmarks=POINTS / 200)
    np.savez(tmp_path / "zeros.npz", landmarks=np.where(np.arange(98)[:, None] < 60, 0.0, POINTS))
    fractions, zeros = (datasets.load(f"landmarks:{tmp_path}/{name}.npz").notes for name in ("fractions", "zeros"))
    assert fractions == (
        "suspect: fractions.npz: no face is larger than 2 px: are the landmarks fractions of the image, not px?",
    )
    assert zeros[0].startswith("suspect: zeros.npz: 3 faces have several landmarks at exactly (0, 0)")
