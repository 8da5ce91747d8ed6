"""Landmark schemes: flip tables, groups and normalisers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from nmebench.errors import InputError
from nmebench.geometry import scheme


@pytest.mark.parametrize("name", scheme.names())
def test_flip_is_an_involution_that_mirrors_groups(name: str) -> None:
    loaded = scheme.load(name)
    assert loaded.flip[loaded.flip].tolist() == list(range(loaded.points))
    for group, members in loaded.groups.items():
        mirror = group.replace("right-", "LEFT-").replace("left-", "right-").replace("LEFT-", "left-")
        assert sorted(loaded.flip[list(members)].tolist()) == sorted(loaded.groups[mirror])


@pytest.mark.parametrize(
    ("name", "points", "fixed"),
    [
        pytest.param("wflw98", 98, [16, 51, 52, 53, 54, 57, 79, 85, 90, 94], id="wflw98"),
        pytest.param("ibug68", 68, [8, 27, 28, 29, 30, 33, 51, 57, 62, 66], id="ibug68"),
        pytest.param("cofw29", 29, [20, 21, 24, 25, 26, 27, 28], id="cofw29"),
        pytest.param("aflw19", 19, [13, 16, 18], id="aflw19"),
        pytest.param("lapa106", 106, [16, 51, 52, 53, 54, 60, 87, 93, 98, 102], id="lapa106"),
    ],
)
def test_flip_keeps_landmarks_on_the_midline(name: str, points: int, fixed: list[int]) -> None:
    loaded = scheme.load(name)
    assert loaded.points == points
    assert np.flatnonzero(loaded.flip == np.arange(points)).tolist() == fixed


def test_wflw_flip_table_by_parts() -> None:
    """Landmarks are numbered along each part, so a part and its mirror image are counted in opposite directions."""
    flip = scheme.load("wflw98").flip
    assert flip[:33].tolist() == list(range(32, -1, -1)), "contour"
    assert flip[33:38].tolist() == [46, 45, 44, 43, 42], "upper edge of the brow, outside in"
    assert flip[38:42].tolist() == [50, 49, 48, 47], "lower edge of the brow"
    assert flip[55:60].tolist() == [59, 58, 57, 56, 55], "base of the nose"
    assert flip[60:65].tolist() == [72, 71, 70, 69, 68], "upper lid, outer to inner corner"
    assert flip[65:68].tolist() == [75, 74, 73], "lower lid, inner to outer corner"
    assert flip[76:83].tolist() == [82, 81, 80, 79, 78, 77, 76], "upper edge of the lips"
    assert flip[83:88].tolist() == [87, 86, 85, 84, 83], "lower edge of the lips"
    assert flip[88:93].tolist() == [92, 91, 90, 89, 88], "upper inner edge of the lips"
    assert flip[93:].tolist() == [95, 94, 93, 97, 96], "lower inner edge of the lips, pupils"


def test_wflw_flip_table_equals_the_reference(shared: Path) -> None:
    table = json.loads((shared / "reference" / "wflw98_flip.json").read_text())
    assert scheme.load("wflw98").flip.tolist() == table


def test_normalisers_of_a_face_with_known_lengths() -> None:
    points = np.zeros((1, 98, 2))
    points[0, 60], points[0, 72] = (1, 1), (4, 5)
    points[0, 96], points[0, 97] = (2, 2), (2, 3)
    points[0, 0] = (4, 9)
    loaded = scheme.load("wflw98")
    lengths = {name: scheme.normaliser(loaded, points, name).item() for name in loaded.normalisers}
    assert lengths == {
        "inter-ocular": 5.0,
        "inter-pupil": 1.0,
        "box-size": 6.0,
        "box-diagonal": pytest.approx(97**0.5),
    }
    assert scheme.normaliser(loaded, points).item() == 5.0


@pytest.mark.parametrize(
    ("name", "key"),
    [
        pytest.param("inter-ocular", "nme_percent_corners", id="inter-ocular"),
        pytest.param("inter-pupil", "nme_percent_pupils", id="inter-pupil"),
        pytest.param("box-height", "nme_percent_height", id="box-height"),
    ],
)
def test_normalisers_on_300w_equal_spiga(shared: Path, name: str, key: str) -> None:
    with np.load(shared / "oracle" / "metrics" / "spiga_real_300wpublic.npz") as table:
        error = np.linalg.norm(table["pred"] - table["gt"], axis=2).mean(1) * 100
        ours = error / scheme.normaliser(scheme.load("ibug68"), table["gt"], name)
        np.testing.assert_allclose(ours, table[key], rtol=1e-12)


def test_unknown_names_are_refused_with_the_nearest_match() -> None:
    with pytest.raises(InputError, match=r"unknown scheme 'wflw68'.*did you mean 'wflw98'"):
        scheme.load("wflw68")
    with pytest.raises(InputError, match=r"unknown normaliser of wflw98 'inter-oculr'.*'inter-ocular'"):
        scheme.normaliser(scheme.load("wflw98"), np.zeros((1, 98, 2)), "inter-oculr")
    with pytest.raises(InputError, match=r"\(1, 68, 2\) are not \[N, 98, 2\]"):
        scheme.normaliser(scheme.load("wflw98"), np.zeros((1, 68, 2)))


GOOD = {
    "name": "t",
    "points": 3,
    "default_normaliser": "d",
    "flip": {"pairs": [[0, 1]]},
    "groups": {"all": [0, 2]},
    "normalisers": {"d": {"kind": "distance", "first": [0], "second": [1], "source": "s"}},
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"flip": {"pairs": [[0, 1], [1, 2]]}}, "two flip pairs", id="a landmark in two pairs"),
        pytest.param({"groups": {"all": [0, 1]}}, "not a partition", id="a landmark in no group"),
        pytest.param({"default_normaliser": "x"}, "no normaliser 'x'", id="no default"),
        pytest.param({"normalisers": {"d": {"kind": "bbox", "source": "s"}}}, "kind", id="unknown kind"),
        pytest.param({"flip": {"pairs": [[0, 3]]}}, "landmark 3 is beyond its 3", id="a pair beyond the landmarks"),
        pytest.param({"points": 0}, "t.toml: points", id="no landmarks"),
        pytest.param({"colour": 1}, "t.toml: colour: unknown field", id="unknown field"),
        pytest.param(
            {"normalisers": {"d": {"kind": "box-size", "first": [0], "source": "s"}}},
            "and only for it",
            id="ends of a box",
        ),
    ],
)
def test_wrong_table_is_refused(change: dict[str, object], message: str) -> None:
    assert scheme.build(GOOD, "t.toml").points == 3
    with pytest.raises(InputError, match=message):
        scheme.build({**GOOD, **change}, "t.toml")


def test_the_diagonal_of_an_annotated_square_box() -> None:
    """FaRL prints AFLW's NME by the diagonal of the square box: its NME by the side is sqrt(2) times larger."""
    aflw, faces = scheme.load("aflw19"), np.random.default_rng(0).uniform(0, 99, (3, 19, 2))
    side = np.array([10.0, 20.0, 30.0])
    lengths = scheme.normaliser(aflw, faces, "annotated-box-diagonal", box_side=side)
    np.testing.assert_allclose(lengths, np.hypot(side, side))
    with pytest.raises(InputError, match="needs the box of each face"):
        scheme.normaliser(aflw, faces, "annotated-box-diagonal")
