"""Point mappings: against a slow reference, under a flip, and the tables that are refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nmebench.errors import InputError
from nmebench.geometry import point_mapping, scheme
from nmebench.geometry.point_mapping import PointMapping
from nmebench.registry import Loaded, Registry

NAMES = point_mapping.names()


def mapping(name: str) -> PointMapping:
    return point_mapping.load(name)


def pipnet(face: list[list[float]]) -> list[list[float]]:
    """WFLW's 98 landmarks as 68, written down point by point after lib/preprocess.py of jhb86253817/PIPNet.

    Its 0.666 and 0.333 are two thirds and one third here.
    """
    out = [list(face[2 * i]) for i in range(17)]
    out.append(list(face[33]))
    for upper, lower in ((34, 41), (35, 40), (36, 39), (37, 38), (42, 50), (43, 49), (44, 48), (45, 47)):
        out.append([face[upper][0], (face[upper][1] + face[lower][1]) / 2])
    out.append(list(face[46]))
    out += [list(face[i]) for i in range(51, 60)]
    for corner in (60, 68):
        for step in range(8):
            near = face[corner + step]
            if step % 4 == 0:
                out.append(list(near))
            elif step % 2 == 1:
                middle = face[corner + (2 if step < 4 else 6)]
                out.append([(2 * near[axis] + middle[axis]) / 3 for axis in (0, 1)])
    out += [list(face[i]) for i in range(76, 96)]
    return out


def test_wflw_to_300w_is_that_of_pipnet() -> None:
    faces = np.random.default_rng(0).uniform(-50, 4000, (7, 98, 2))
    expected = np.array([pipnet(face.tolist()) for face in faces])
    assert expected.shape == (7, 68, 2)
    np.testing.assert_allclose(mapping("wflw98-to-ibug68").landmarks(faces), expected, rtol=0, atol=1e-9)


def test_pipnets_rounded_weights_differ_by_a_thousandth_of_the_crop_alone() -> None:
    """PIPNet applies 0.666 and 0.333 in fractions of its crop, where the difference is below a thousandth."""
    face = np.random.default_rng(1).uniform(0, 1, (1, 98, 2))
    found = mapping("wflw98-to-ibug68").landmarks(face)[0, 37]
    printed = 0.666 * face[0, 61] + 0.333 * face[0, 62]
    assert 0 < np.abs(found - printed).max() < 1e-3


def test_lapa_to_wflw_inverts_mmposes_table() -> None:
    table = {i: i for i in range(55)} | {i: i + 3 for i in range(55, 60)} | {i: i + 6 for i in range(60, 68)}
    table |= {i: i + 7 for i in range(68, 76)} | {i: i + 8 for i in range(76, 98)}  # mapping_wflw of mmpose's Face6
    faces = np.random.default_rng(2).uniform(0, 300, (3, 106, 2))
    expected = np.stack([faces[:, table[i]] for i in range(98)], axis=1)
    assert np.array_equal(mapping("lapa106-to-wflw98").landmarks(faces), expected)


@pytest.mark.parametrize("name", NAMES)
@given(seed=st.integers(0, 2**32 - 1), width=st.floats(10, 5000))
def test_a_symmetric_mapping_commutes_with_the_flip(name: str, seed: int, width: float) -> None:
    found = mapping(name)
    assert found.commutes_with_flip
    face = np.random.default_rng(seed).uniform(0, width, (2, found.origin.points, 2))

    def mirrored(points: np.ndarray, flip: np.ndarray) -> np.ndarray:
        return (points * [-1, 1] + [width - 1, 0])[:, flip]

    after = mirrored(found.landmarks(face), found.target.flip)
    before = found.landmarks(mirrored(face, found.origin.flip))
    np.testing.assert_allclose(before, after, rtol=0, atol=1e-9 * width)


@pytest.mark.parametrize("name", NAMES)
@given(shift=st.tuples(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4)), scale=st.floats(0.01, 100))
def test_a_mapped_face_moves_with_the_face(name: str, shift: tuple[float, float], scale: float) -> None:
    found = mapping(name)
    face = np.random.default_rng(3).uniform(0, 256, (1, found.origin.points, 2))
    expected = found.landmarks(face) * scale + shift
    np.testing.assert_allclose(found.landmarks(face * scale + shift), expected, rtol=1e-9, atol=1e-7)


def test_other_landmarks_do_not_reach_a_sum() -> None:
    """A landmark that is not finite spoils those that are made from it, and no other."""
    face = np.ones((1, 98, 2))
    face[0, 61] = np.nan
    spoilt = np.flatnonzero(np.isnan(mapping("wflw98-to-ibug68").landmarks(face)).any(axis=-1)[0])
    assert spoilt.tolist() == [37]


def test_confidence_is_the_weighted_mean() -> None:
    confidence = np.arange(98.0)[None]
    found = mapping("wflw98-to-ibug68").confidence(confidence)[0]
    assert found[8] == 16
    assert found[18] == pytest.approx((34 + (34 + 41) / 2) / 2)
    assert found[37] == pytest.approx((2 * 61 + 62) / 3)


def test_every_landmark_of_the_target_has_weights_that_add_up_to_one() -> None:
    for name in NAMES:
        found = mapping(name)
        for weights in (found.x, found.y):
            assert weights.shape == (found.target.points, found.origin.points)
            np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=0, atol=1e-12)


def table(**changes: Any) -> dict[str, Any]:
    points = [{"to": i, "from": [[i, 1]]} for i in range(29)]
    return {"from": "cofw29", "to": "cofw29", "source": "a test", "points": points, **changes}


def with_entry(number: int, entry: dict[str, Any]) -> dict[str, Any]:
    made = table()
    made["points"][number] = entry
    return made


@pytest.mark.parametrize(
    ("faulty", "message"),
    [
        (table(points=table()["points"][:-1]), "entries for 28 of the 29 landmarks"),
        (table(points=table()["points"][::-1]), "entry 0 is that of landmark 28"),
        (with_entry(4, {"to": 3, "from": [[4, 1]]}), "entry 4 is that of landmark 3"),
        (with_entry(4, {"to": 4, "from": [[29, 1]]}), "names landmark 29, but cofw29 has 29"),
        (with_entry(4, {"to": 4}), "landmark 4 needs either from, or x and y"),
        (with_entry(4, {"to": 4, "x": [[1, 1]]}), "landmark 4 needs either from, or x and y"),
        (with_entry(4, {"to": 4, "from": [[1, 1], [1, 2]]}), "names a landmark twice"),
        (with_entry(4, {"to": 4, "from": [[1, 0]]}), "greater than 0"),
        (table(to="cofw30"), "did you mean 'cofw29'"),
        ({**table(), "weights": 1}, "weights"),
    ],
)
def test_a_table_that_is_wrong_is_refused(faulty: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        point_mapping.build(faulty, "mine.toml")


def test_the_hash_follows_every_weight() -> None:
    base = point_mapping.build(table(), "a.toml")
    moved = point_mapping.build(with_entry(4, {"to": 4, "from": [[4, 0.9], [5, 0.1]]}), "b.toml")
    exchanged = point_mapping.build(with_entry(4, {"to": 4, "x": [[4, 1]], "y": [[5, 1]]}), "c.toml")
    assert len({base.sha256, moved.sha256, exchanged.sha256}) == 3
    assert not moved.commutes_with_flip


def test_a_plug_in_registers_a_mapping_under_its_own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    made = point_mapping.build(table(), "mine.toml")
    for value, message in ((made, ""), (object(), "names no PointMapping of this name")):
        registry = Registry("point mapping", {"cofw29-to-cofw29": "mine:MAPPING"}, group=None)
        monkeypatch.setattr(registry, "load", lambda name, value=value: Loaded(value, "mine:MAPPING", "mine 1.0"))
        monkeypatch.setattr(point_mapping, "REGISTRY", registry)
        if not message:
            assert point_mapping.find("cofw29", "cofw29") is made
            continue
        with pytest.raises(InputError, match=message):
            point_mapping.load("cofw29-to-cofw29")


def test_a_scheme_that_only_shares_the_name_has_no_mapping() -> None:
    origin, target = scheme.load("wflw98"), scheme.load("ibug68")
    assert point_mapping.between(origin, target) is not None
    other = replace(target, flip=np.arange(68))
    assert point_mapping.between(origin, other) is None


def test_a_partial_published_map_is_no_mapping() -> None:
    """mmpose's WFLW table reaches 98 of LaPa's 106 landmarks."""
    assert point_mapping.find("wflw98", "lapa106") is None
