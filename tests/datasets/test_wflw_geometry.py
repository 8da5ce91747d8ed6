"""The archive of WFLW landmarks without photographs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nmebench import datasets
from nmebench.datasets import benchmark
from nmebench.errors import InputError

NAMES = np.array(["largepose", "expression", "illumination", "makeup", "occlusion", "blur"])


def geometry_arrays(**changes: Any) -> dict[str, Any]:
    """Five faces, of which one lacks landmarks."""
    rng = np.random.default_rng(1)
    points = rng.uniform(10, 90, (5, 98, 2))
    points[2, :30] = np.nan
    table: dict[str, Any] = {
        "image": np.array([f"0--A/{face}.jpg" for face in range(5)]),
        "keypoints98": points,
        "full98": np.array([True, True, False, True, True]),
        "attributes": np.eye(5, 6, dtype=np.uint8),
        "attribute_names": NAMES,
        "hrnet_scale_cw_ch": np.tile([0.5, 40, 41], (5, 1)),
    }
    return {key: value for key, value in {**table, **changes}.items() if value is not None}


def test_only_faces_with_all_landmarks_are_used(tmp_path: Path) -> None:
    table = geometry_arrays()
    np.savez(tmp_path / "wflw_test_landmarks.npz", **table)
    for place in (tmp_path, tmp_path / "wflw_test_landmarks.npz"):
        dataset = datasets.load(f"wflw-geometry:{place}")
        assert dataset.lines.tolist() == [1, 2, 4, 5]
        assert dataset.images == ("0--A/0.jpg", "0--A/1.jpg", "0--A/3.jpg", "0--A/4.jpg")
        np.testing.assert_array_equal(dataset.landmarks, table["keypoints98"][[0, 1, 3, 4]])
        assert dataset.subsets["pose"].tolist() == [True, False, False, False]
        assert dataset.subsets["makeup"].tolist() == [False, False, True, False]
        assert dataset.centre_scale is not None
        assert dataset.centre_scale[0].tolist() == [40, 41, 0.5]
        assert (dataset.image_root, dataset.describe()) == (None, "4 of 2500 faces")
        assert dataset.notes == ("1 of 5 faces are left out: not all of their landmarks are known",)


def test_centres_are_optional(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **geometry_arrays(hrnet_scale_cw_ch=None))
    assert datasets.load(f"wflw-geometry:{tmp_path / 'a.npz'}").centre_scale is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"attributes": None}, "lacks attributes", id="an array is missing"),
        pytest.param({"image": np.array(["a"])}, r"image has the shape \(1,\), expected \(5,\)", id="shape"),
        pytest.param({"attribute_names": NAMES[::-1].astype("<U3")}, "attribute_names are", id="other names"),
        pytest.param({"full98": np.array(True)}, r"image has the shape \(5,\), expected \(1,\)", id="no axis"),
        pytest.param({"full98": np.ones(5)}, "full98 holds float64", id="numbers for yes and no"),
        pytest.param({"keypoints98": np.full((5, 98, 2), "x")}, "keypoints98 holds <U1", id="text for numbers"),
        pytest.param({"hrnet_scale_cw_ch": np.zeros((5, 2))}, "expected \\(5, 3\\)", id="two columns"),
        pytest.param({"full98": np.ones(5, dtype=bool)}, "not finite", id="nan in a complete face"),
        pytest.param({"full98": np.zeros(5, dtype=bool)}, "no face with all 98", id="no complete face"),
        pytest.param({"image": np.array([{}] * 5)}, "is not an npz archive that can be read", id="pickled objects"),
    ],
)
def test_wrong_arrays_are_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    np.savez(tmp_path / "a.npz", **geometry_arrays(**changes))
    with pytest.raises(InputError, match=message):
        datasets.load(f"wflw-geometry:{tmp_path / 'a.npz'}")


def test_other_files_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.npz"
    for data in (b"", b"PK\x03\x04 and nothing", b"text", b"\x93NUMPY\x01\x00"):
        file.write_bytes(data)
        with pytest.raises(InputError, match="is not an npz archive"):
            datasets.load(f"wflw-geometry:{file}")
    np.save(tmp_path / "one.npy", np.zeros(3))
    with pytest.raises(InputError, match="is not an npz archive"):
        datasets.load(f"wflw-geometry:{tmp_path / 'one.npy'}")
    with pytest.raises(InputError, match=r"wflw_test_landmarks\.npz is missing"):
        datasets.load(f"wflw-geometry:{tmp_path}")


def test_real_geometry(shared: Path) -> None:
    dataset = datasets.load(f"wflw-geometry:{shared / 'wflw-geometry'}")
    assert dataset.describe() == "2168 of 2500 faces"
    assert dataset.image_root is None
    # Every face of the six subsets is known; the faces without landmarks are in none.
    assert {name: int(mask.sum()) for name, mask in dataset.subsets.items()} == {
        **benchmark.load("wflw").expected("test"),
        "test": 2168,
    }
    assert np.isfinite(dataset.landmarks).all()
    assert dataset.centre_scale is not None
