"""Tests of the matching of faces: order, subsets of faces, names, rounding of the ground truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nmebench.comparisons import common_faces
from nmebench.comparisons.match_faces import TOLERANCE
from nmebench.errors import InputError

DARK = ("net", "dark", "none", "landmarks")


def rows_of(table, keep):
    return replace(
        table,
        image=[table.image[i] for i in keep],
        subsets={name: mask[keep] for name, mask in table.subsets.items()},
        **{name: getattr(table, name)[keep] for name in ("line", "landmarks", "normaliser", "centre", "size")},
    )


def test_order_and_part(make_run, small_faces):
    """Independent of the order: the same faces by brute force."""
    keep = np.random.default_rng(1).permutation(60)[:41]
    a = make_run({DARK: 4.0}, name="a")
    b = make_run({DARK: 4.0}, name="b", table=rows_of(small_faces, keep))
    found = common_faces([a, b], ["a", "b"])
    assert found.rows[0].tolist() == sorted(keep.tolist())
    assert keep[found.rows[1]].tolist() == found.rows[0].tolist()


@pytest.mark.parametrize("dtype", [np.float32, "two decimals"])
def test_rounded_ground_truth_matches_every_face(make_run, small_faces, dtype):
    """A grid of 0.01 px would lose the faces that have a coordinate near the border of a step."""
    truth = np.round(small_faces.landmarks * 200) / 200  # coordinates on the borders of such a grid
    rounded = np.round(truth, 2) if isinstance(dtype, str) else truth.astype(dtype).astype(np.float64)
    a = make_run({DARK: 4.0}, name="a", table=replace(small_faces, landmarks=truth))
    b = make_run({DARK: 4.0}, name="b", table=replace(small_faces, landmarks=rounded))
    assert len(common_faces([a, b], ["a", "b"])) == 60


def test_ground_truth_beyond_the_tolerance_is_another_face(make_run, small_faces):
    moved = small_faces.landmarks.copy()
    moved[:5, 7, 0] += 2 * TOLERANCE
    a = make_run({DARK: 4.0}, name="a")
    b = make_run({DARK: 4.0}, name="b", table=replace(small_faces, landmarks=moved))
    found = common_faces([a, b], ["a", "b"])
    assert found.rows[0].tolist() == list(range(5, 60))
    assert found.notes == ("a / b: 5 faces of photographs in both have other ground truth and are left out",)


def test_names_in_another_folder_or_with_backslashes(make_run, small_faces):
    other = [f"C:\\WFLW_images\\{image}" for image in small_faces.image]
    a = make_run({DARK: 4.0}, name="a", table=replace(small_faces, image=[f"images/{i}" for i in small_faces.image]))
    b = make_run({DARK: 4.0}, name="b", table=replace(small_faces, image=list(small_faces.image)))
    c = make_run({DARK: 4.0}, name="c", table=replace(small_faces, image=other))
    assert len(common_faces([b, a], ["b", "a"])) == 60
    assert len(common_faces([b, c], ["b", "c"])) == 60
    with pytest.raises(InputError, match="no face in common"):  # images/ is not WFLW_images/
        common_faces([a, c], ["a", "c"])


def test_numbered_faces_are_matched_by_ground_truth(make_run, small_faces):
    """Arrays without names of photographs; the photographs of the other run are the clusters."""
    numbered = replace(small_faces, image=[f"face {i}" for i in range(60)])
    a = make_run({DARK: 4.0}, name="a", table=numbered, dataset="landmarks")
    b = make_run({DARK: 4.0}, name="b")
    found = common_faces([a, b], ["a", "b"])
    assert len(found) == 60
    assert np.array_equal(found.clusters, b.faces.clusters)
    assert "by their ground truth alone" in found.notes[0]


def test_repeated_line_is_two_faces(make_run, small_faces):
    table = rows_of(small_faces, np.array([0, 0, 1, 2]))
    a = make_run({DARK: 4.0}, name="a", table=table)
    b = make_run({DARK: 4.0}, name="b", table=rows_of(small_faces, np.array([2, 1, 0])))
    assert len(common_faces([a, a], ["a", "a"])) == 4
    assert common_faces([a, b], ["a", "b"]).rows[0].tolist() == [0, 2, 3]


def test_no_face_in_all_three(make_run, small_faces):
    parts = [rows_of(small_faces, np.arange(60)), rows_of(small_faces, np.arange(30))]
    parts.append(rows_of(small_faces, np.arange(30, 60)))
    runs = [make_run({DARK: 4.0}, name=f"r{i}", table=part) for i, part in enumerate(parts)]
    with pytest.raises(InputError, match="compare them in pairs"):
        common_faces(runs, ["r0", "r1", "r2"])
