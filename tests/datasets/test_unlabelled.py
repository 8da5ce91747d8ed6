"""Landmarks without a position: what is refused, decoded and left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from plausible_files import plausible, write_points

from nmebench import datasets
from nmebench.datasets.plausibility import placeholders, signed
from nmebench.datasets.verify import verify
from nmebench.errors import InputError


def merl_rav(folder: Path, *fields: str) -> tuple[str, np.ndarray]:
    """Write .pts files in MERL-RAV's sign code and their definition: face 2 has occluded and unlabelled landmarks."""
    content = plausible("ibug68")
    landmarks = content.landmarks.copy()
    landmarks[2, :4] *= -1
    landmarks[2, 4:9] = -1
    landmarks[3, 36] = -1  # an outer eye corner
    write_points(folder / "frontal", content.moved(landmarks))
    lines = ['name = "rav"', 'title = "RAV"', 'scheme = "ibug68"', *fields, "[files.test]", "[points_files]"]
    (folder / "rav.toml").write_text("\n".join([*lines, 'test = ["frontal"]']) + "\n")
    return f"benchmark:{folder / 'rav.toml'}", content.landmarks


def test_the_sign_code_is_decoded(tmp_path: Path) -> None:
    spec, truth = merl_rav(tmp_path, "signs = true", 'unlabelled = "exclude"')
    dataset = datasets.load(spec)
    assert dataset.lines.tolist() == [1, 2, 3, *range(5, 13)]  # face 3 has no inter-ocular distance
    assert dataset.occluded is not None
    assert np.flatnonzero(dataset.occluded[2]).tolist() == [0, 1, 2, 3]
    assert np.flatnonzero(~dataset.labelled[2]).tolist() == [4, 5, 6, 7, 8]
    np.testing.assert_array_equal(dataset.landmarks[2, :4], truth[2, :4])
    assert verify(spec).errors == 0


def test_a_benchmark_normaliser_decides_which_faces_stay(tmp_path: Path) -> None:
    spec, _ = merl_rav(tmp_path, "signs = true", 'unlabelled = "exclude"', 'normaliser = "box-size"')
    assert len(datasets.load(spec)) == 12


def test_the_sign_code_is_refused_where_it_is_not_declared(tmp_path: Path) -> None:
    spec, _ = merl_rav(tmp_path)
    with pytest.raises(InputError, match="MERL-RAV marks occluded landmarks by their sign; define the data set with"):
        datasets.load(spec)
    assert {"signs", "origin"} <= {finding.code for finding in verify(spec).findings}


def test_unlabelled_landmarks_are_refused_where_they_are_not_declared(tmp_path: Path) -> None:
    spec, _ = merl_rav(tmp_path, "signs = true")
    with pytest.raises(InputError, match=r"landmark 4 is not labelled \(5 of 68 landmarks\): the NME counts all"):
        datasets.load(spec)


def test_real_landmarks_beyond_the_corner_are_neither() -> None:
    """A face that reaches over the upper left corner has negative coordinates, and may touch 0, 0."""
    face = plausible("ibug68").landmarks[:1]
    moved = face - face[:, 36:37] - [4.0, 4.0]
    moved[0, 40] = 0.0
    assert (moved < 0).all(axis=2).any()
    assert not signed(moved).any()
    assert not placeholders(moved).any()


@pytest.mark.parametrize("value", [0.0, -1.0, 1.0])
def test_placeholders_are_found(value: float) -> None:
    faces = plausible("ibug68").landmarks.copy()
    faces[2, 10:20] = value
    faces[4, 50] = value
    found = placeholders(faces)
    assert np.argwhere(found).tolist() == [[2, point] for point in range(10, 20)] + [[4, 50]]


def test_an_npz_of_a_benchmark_must_label_every_landmark(tmp_path: Path) -> None:
    landmarks = plausible("ibug68").landmarks
    labelled = np.ones(landmarks.shape[:2], np.bool_)
    np.savez(tmp_path / "truth.npz", landmarks=landmarks, labelled=labelled)
    assert len(datasets.load(f"300w:{tmp_path / 'truth.npz'}")) == 12
    labelled[3, :7] = False
    np.savez(tmp_path / "truth.npz", landmarks=landmarks, labelled=labelled)
    assert len(datasets.load(f"landmarks:{tmp_path / 'truth.npz'}")) == 12
    with pytest.raises(InputError, match=r"face 3 of landmarks: landmark 0 is not labelled \(7 of 68 landmarks\)"):
        datasets.load(f"300w:{tmp_path / 'truth.npz'}")
