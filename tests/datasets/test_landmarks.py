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


def test_fractions_are_suspect(tmp_path: Path) -> None:
    np.savez(tmp_path / "fractions.npz", landmarks=POINTS / 200)
    assert datasets.load(f"landmarks:{tmp_path}/fractions.npz").notes == (
        "suspect: fractions.npz: no face is larger than 2 px: are the landmarks fractions of the image, not px?",
    )


def test_placeholders_are_refused_unless_they_are_marked(tmp_path: Path) -> None:
    """Planted fault: 60 of 98 landmarks at 0, 0 were scored as truth."""
    known = np.broadcast_to(np.arange(98) >= 60, (3, 98)) | (np.arange(3) == 1)[:, None]
    np.savez(tmp_path / "zeros.npz", landmarks=np.where(known[..., None], POINTS, 0.0))
    with pytest.raises(InputError) as refused:
        datasets.load(f"landmarks:{tmp_path}/zeros.npz")
    assert str(refused.value) == (
        f"{tmp_path}/zeros.npz: face 0 of landmarks: landmark 0 is exactly (0, 0), which means not labelled (60 of 98 "
        "landmarks): it would be scored as truth; mark it in the array labelled (bool [N, 98]); 2 faces have such "
        "landmarks"
    )
    np.savez(tmp_path / "marked.npz", landmarks=np.where(known[..., None], POINTS, 0.0), labelled=known)
    dataset = datasets.load(f"landmarks:{tmp_path}/marked.npz")
    assert np.array_equal(dataset.labelled, known)
    assert dataset.notes == (
        "marked.npz: 120 landmarks of 2 faces are not labelled and count in no score: the NME of a face is the mean "
        "over its labelled landmarks",
    )


def test_faces_without_their_normaliser_are_left_out(tmp_path: Path) -> None:
    known = np.ones((3, 98), np.bool_)
    known[1:, 72] = False  # an outer eye corner
    np.savez(tmp_path / "truth.npz", landmarks=POINTS, labelled=known)
    dataset = datasets.load(f"landmarks:{tmp_path}/truth.npz")
    assert dataset.lines.tolist() == [1]
    assert dataset.notes == (
        "truth.npz: 2 of 3 faces are left out: the landmarks that inter-ocular measures are not labelled",
    )
    np.savez(tmp_path / "none.npz", landmarks=POINTS, labelled=np.zeros((3, 98), np.bool_))
    with pytest.raises(InputError, match="inter-ocular measures are not labelled on any face of landmarks"):
        datasets.load(f"landmarks:{tmp_path}/none.npz")


def test_another_normaliser_must_be_labelled_on_every_face(tmp_path: Path) -> None:
    known = np.ones((3, 98), np.bool_)
    known[1, 96] = False  # a pupil
    np.savez(tmp_path / "truth.npz", landmarks=POINTS, labelled=known)
    dataset = datasets.load(f"landmarks:{tmp_path}/truth.npz")
    assert len(dataset) == 3
    with pytest.raises(InputError, match=r"'inter-pupil' measures are not labelled on 1 face, the first is on line 2"):
        dataset.normaliser("inter-pupil")
    assert (dataset.normaliser("box-size") > 0).all()


def test_landmarks_that_are_not_labelled_may_be_nan_and_occlusion_is_read(tmp_path: Path) -> None:
    known = np.ones((3, 98), np.bool_)
    known[1, :5] = False
    occluded = np.zeros((3, 98), np.bool_)
    occluded[1, 3:7] = True
    arrays = {"landmarks": np.where(known[..., None], POINTS, np.nan), "labelled": known, "occluded": occluded}
    np.savez(tmp_path / "truth.npz", **arrays)
    dataset = datasets.load(f"landmarks:{tmp_path}/truth.npz")
    assert np.array_equal(dataset.labelled, known)
    assert np.flatnonzero(dataset.occluded[1]).tolist() == [5, 6]  # an unlabelled landmark is not occluded
    assert dataset.limited(1).occluded.shape == (1, 98)
    np.savez(tmp_path / "other.npz", **arrays | {"labelled": known[:, :68]})
    with pytest.raises(InputError, match=r"labelled is bool \[3, 68\], expected bool \[3, 98\]"):
        datasets.load(f"landmarks:{tmp_path}/other.npz")


@pytest.mark.parametrize("name", ["labeled", "Labelled", "ocluded", "occlusion", "visible", "subsets_pose", "subset_"])
def test_arrays_that_would_be_left_out_by_a_slip_are_refused(tmp_path: Path, name: str) -> None:
    mask = np.ones(3 if name.startswith("subset") else (3, 98), np.bool_)
    np.savez(tmp_path / "truth.npz", landmarks=POINTS, **{name: mask})
    with pytest.raises(InputError, match=f"the array '{name}' (would not be read|names no subset)"):
        datasets.load(f"landmarks:{tmp_path / 'truth.npz'}")


def test_arrays_of_other_names_stay_unread(tmp_path: Path) -> None:
    np.savez(tmp_path / "truth.npz", landmarks=POINTS, pred=POINTS, bbox=np.zeros((3, 4)), scores=np.ones(3))
    assert len(datasets.load(f"landmarks:{tmp_path / 'truth.npz'}").landmarks) == 3


@pytest.mark.parametrize("image", ["../secret.png", "/etc/passwd", "a/../../b.png", "C:\\b.png", " "])
def test_a_photograph_outside_the_folder_is_refused(tmp_path: Path, image: str) -> None:
    np.savez(tmp_path / "truth.npz", landmarks=POINTS, images=np.array([image, "b", "c"]))
    with pytest.raises(InputError, match=r"face 0 of landmarks: the image's (path .* leads out|name is missing)"):
        datasets.load(f"landmarks:{tmp_path / 'truth.npz'}")


def test_coordinates_beyond_all_photographs_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "truth.npz", landmarks=POINTS * 1e9)
    with pytest.raises(InputError, match=r"beyond 1e\+06 px"):
        datasets.load(f"landmarks:{tmp_path / 'truth.npz'}")
