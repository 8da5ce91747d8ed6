"""Limits of the notes on implausible predictions, and slow references of the transforms that may explain them."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pytest

from nmebench.scoring import plausibility
from nmebench.scoring.plausibility import _fitted, _nearest, _transforms, misplaced_notes, rounding_note, suspect_note

TRUTH = np.random.default_rng(0).uniform(100, 200, (3, 7, 2))


def off_by(percent, truth=TRUTH):
    """Landmarks whose NME is exactly ``percent`` with a normaliser of 100 px, for numbers without rounding errors."""
    return np.broadcast_to(np.array([percent, 0.0]), truth.shape)


@pytest.fixture
def planned(monkeypatch):
    """A function that gives the note for NMEs before and after planned transforms: ``(after, limit)`` each."""

    def note(before, *transforms):
        found = [(off_by(after), f"advice {i} {{after}}", limit) for i, (after, limit) in enumerate(transforms)]
        monkeypatch.setattr(plausibility, "_transforms", lambda landmarks, truth, flip: found)
        monkeypatch.setattr(plausibility, "are_fractions", lambda landmarks: False)
        return suspect_note(off_by(before), np.zeros(TRUTH.shape), np.full(3, 100.0), name="mine")

    return note


@pytest.mark.parametrize(
    ("before", "transforms", "advice"),
    [
        pytest.param(10.0, [(0.0, 100.0)], None, id="good"),
        pytest.param(12.5, [(0.0, 100.0)], "advice 0 0.0 %", id="not-good"),
        pytest.param(50.0, [(25.0, 100.0)], None, id="half"),
        pytest.param(50.0, [(24.0, 100.0)], "advice 0 24.0 %", id="less-than-half"),
        pytest.param(75.0, [(25.0, 25.0)], None, id="at-the-limit-of-the-transform"),
        pytest.param(75.0, [(25.0, 26.0)], "advice 0 25.0 %", id="below-the-limit-of-the-transform"),
        pytest.param(100.0, [(100.0, 100.0)], None, id="large-but-not-impossible"),
        pytest.param(125.0, [(100.0, 100.0)], "check the unit and order", id="impossible"),
        pytest.param(50.0, [(3.0, 100.0), (1.0, 100.0)], "advice 0 3.0 %", id="the-simpler-one-explains-it"),
        pytest.param(50.0, [(3.125, 100.0), (1.0, 100.0)], "advice 1 1.0 %", id="the-simpler-one-is-worse"),
        pytest.param(50.0, [(5.0, 100.0), (2.0, 100.0)], "advice 0 5.0 %", id="twice-the-best-and-one"),
        pytest.param(50.0, [(5.125, 100.0), (2.0, 100.0)], "advice 1 2.0 %", id="more-than-that"),
        pytest.param(50.0, [(40.0, 100.0), (2.0, 100.0)], "advice 1 2.0 %", id="the-first-does-not-fit"),
    ],
)
def test_limits_of_the_note(planned, before, transforms, advice):
    note = planned(before, *transforms)
    if advice is None:
        assert note is None
    else:
        assert note.startswith(f"suspect: mine: the median NME is {before:.1f} %")
        assert advice in note


def test_limits_of_the_transforms_are_those_of_the_documentation():
    assert (plausibility._GOOD, plausibility._EXPLAINED, plausibility._LARGE) == (10.0, 30.0, 100.0)
    assert round((math.sqrt(2) + math.asinh(1)) / 6, 4) == plausibility._ROUNDED


def test_transforms_equal_slow_references():
    rng = np.random.default_rng(1)
    landmarks, flip = rng.uniform(1, 50, TRUTH.shape), np.array([1, 0, 2, 4, 3, 6, 5])
    found = _transforms(landmarks, TRUTH, flip)
    flat = landmarks.reshape(3, 14)
    ratios = sorted((TRUTH / landmarks).ravel().tolist())
    factor = (ratios[20] + ratios[21]) / 2

    def total_distance(order):
        return sum(math.dist(landmarks[n, order[k]], TRUTH[n, k]) for n in range(3) for k in range(7))

    expected = [
        np.array([[[flat[n, k], flat[n, 7 + k]] for k in range(7)] for n in range(3)]),
        np.array([[[y, x] for x, y in face] for face in landmarks]),
        np.array([[face[index] for index in flip] for face in landmarks]),
        landmarks * factor,
        landmarks[_nearest(landmarks, TRUTH)],
        _fitted(landmarks, TRUTH),
        _fitted(np.array([[[y, x] for x, y in face] for face in landmarks]), TRUTH),
        landmarks[:, min(permutations(range(7)), key=total_distance)],
    ]
    for (moved, _, _), wanted in zip(found, expected, strict=True):
        np.testing.assert_allclose(moved, wanted)
    assert [limit for _, _, limit in found] == [100.0, 100.0, 100.0, 30.0, 30.0, 30.0, 30.0, 30.0]
    assert f"times {factor:.3g} it is {{after}}" in found[3][1]
    assert all("{after}" in advice for _, advice, _ in found)


def test_transforms_that_do_not_apply_are_left_out():
    """No order of one face, no factor of zeros, no sides without a scheme; zeros don't count for the factor."""
    assert len(_transforms(TRUTH[:1], TRUTH[:1], None)) == 6
    assert len(_transforms(np.zeros((1, 7, 2)), TRUTH[:1], None)) == 5
    assert len(_transforms(TRUTH[:2], TRUTH[:2], None)) == 7
    halves = TRUTH / 2
    halves[:, :3] = 0
    assert "times 2 it is" in _transforms(halves, TRUTH, None)[2][1]
    ones = np.where(TRUTH > 150, 1.0, TRUTH / 2)
    ratios = np.where(TRUTH > 150, TRUTH, 2.0)
    assert f"times {np.median(ratios):.3g} it is" in _transforms(ones, TRUTH, None)[2][1]


def test_nearest_prediction_by_centre_and_extent():
    rng = np.random.default_rng(2)
    landmarks, truth = rng.uniform(0, 300, (9, 5, 2)), rng.uniform(0, 300, (9, 5, 2))

    def features(points):
        return [*points.mean(axis=0), *(points.max(axis=0) - points.min(axis=0))]

    expected = [
        min(range(9), key=lambda i: math.dist(features(landmarks[i]), features(truth[n]))) for n in range(9)
    ]  # fmt: skip
    assert _nearest(landmarks, truth).tolist() == expected
    assert _nearest(landmarks, truth).dtype == np.int64


def test_fit_is_the_least_squares_solution():
    """Scale and shift of each face against NumPy's solver; predictions in one point are only moved."""
    rng = np.random.default_rng(3)
    landmarks = rng.uniform(0, 1, TRUTH.shape)
    found = _fitted(landmarks, TRUTH)
    for face in range(3):
        ones, zeros = np.ones(7), np.zeros(7)
        system = np.concatenate(
            [
                np.stack([landmarks[face, :, 0], ones, zeros], axis=1),
                np.stack([landmarks[face, :, 1], zeros, ones], axis=1),
            ]
        )
        solution = np.linalg.lstsq(system, TRUTH[face].T.ravel(), rcond=None)[0]
        np.testing.assert_allclose(found[face].T.ravel(), system @ solution)
    point = _fitted(np.full(TRUTH.shape, 5.0), TRUTH)
    np.testing.assert_allclose(point, np.broadcast_to(TRUTH.mean(axis=1, keepdims=True), TRUTH.shape))


@pytest.mark.parametrize(
    ("landmarks", "truth", "normaliser"),
    [
        pytest.param(TRUTH[:0], TRUTH[:0], np.zeros(0), id="no-faces"),
        pytest.param(TRUTH * np.nan, TRUTH, np.full(3, 9.0), id="nan"),
        pytest.param(TRUTH * 9, TRUTH * np.inf, np.full(3, 9.0), id="infinite-truth"),
        pytest.param(TRUTH * 9, TRUTH, np.array([9.0, 0.0, 9.0]), id="no-length"),
    ],
)
def test_faces_that_cannot_be_measured(landmarks, truth, normaliser):
    assert suspect_note(landmarks, truth, normaliser) is None
    assert misplaced_notes(landmarks, truth, ["a"] * len(truth), normaliser) == []


def test_small_normalisers_are_measured():
    assert suspect_note(TRUTH * 9, TRUTH, np.full(3, 0.5)) is not None


def pair(own, other, normaliser=100.0):
    """Two faces 1000 px apart; the first prediction is ``own`` px from its own and ``other`` px from the other."""
    truth = np.stack([np.zeros((4, 2)), np.full((4, 2), [[own + other, 0.0]])])
    landmarks = np.stack([truth[0] + [[own, 0.0]], truth[1]])
    return misplaced_notes(landmarks, truth, ["a", "a"], np.full(2, normaliser))


@pytest.mark.parametrize(
    ("own", "other", "noted"),
    [
        pytest.param(75.0, 25.0, True, id="fits"),
        pytest.param(50.0, 25.0, False, id="half"),
        pytest.param(52.0, 25.0, True, id="less-than-half"),
        pytest.param(75.0, 30.0, False, id="not-below-30-percent"),
        pytest.param(75.0, 29.0, True, id="below-30-percent"),
        pytest.param(10.0, 1.0, False, id="good-enough"),
        pytest.param(12.5, 1.0, True, id="not-good-enough"),
    ],
)
def test_limits_of_a_prediction_on_another_face(own, other, noted):
    notes = pair(own, other)
    assert len(notes) == int(noted)
    if noted:
        assert notes[0] == (
            "1 predictions are on another face of their photograph, first face 0 ('a'): an NME of "
            f"{other:.1f} % with face 1, {own:.1f} % with its own"
        )


def test_nme_with_a_face_has_the_normaliser_of_that_face():
    """Unequal landmarks and normalisers: the NMEs of the note are those of a loop."""
    rng = np.random.default_rng(5)
    truth = rng.uniform(0, 30, (2, 6, 2)) + np.array([[[0.0, 0.0]], [[500.0, 0.0]]])
    landmarks = truth[[1, 1]] + rng.normal(0, 1, truth.shape)
    normaliser = (40.0, 90.0)
    (note,) = misplaced_notes(landmarks, truth, ["a", "a"], np.array(normaliser), rows=[11, 12])
    with_own, with_other = (
        100 / normaliser[m] * sum(math.dist(p, t) for p, t in zip(landmarks[0], truth[m], strict=True)) / 6
        for m in (0, 1)
    )
    numbers = f"an NME of {with_other:.1f} % with face 1, {with_own:.1f} % with its own"
    assert note.endswith(f"first face 0 (row 11, 'a'): {numbers}")


def test_exchanges_and_single_predictions_are_noted_apart():
    """Photograph a: two faces exchanged. Photograph b: two predictions on one face, which is no exchange."""
    truth = np.stack([np.full((4, 2), 200.0 * face) for face in range(7)])
    landmarks = truth[[1, 0, 2, 4, 4, 4, 6]]
    notes = misplaced_notes(landmarks, truth, [*"aabbbbc"], np.full(7, 100.0))
    assert [note.partition(", first")[0] for note in notes] == [
        "suspect: 2 predictions fit another face of their photograph better",
        "2 predictions are on another face of their photograph",
    ]
    assert "first face 3 ('b'): an NME of 0.0 % with face 4" in notes[1]
    three = misplaced_notes(truth[[1, 2, 0]], truth[:3], ["a"] * 3, np.full(3, 100.0))
    assert [note[:22] for note in three] == ["suspect: 3 predictions"]


def test_rounding_notes_have_the_errors_of_the_documentation():
    normaliser = np.array([20.0, 50.0, 0.5])
    note = rounding_note(np.rint(TRUTH), normaliser)
    error = 100 * 0.3826 * (1 / 20 + 1 / 50 + 2) / 3
    assert f"by 0.38 px on average (truncation by 0.77), an NME of {error:.2f} % ({2 * error:.2f})" in note
    half = TRUTH.astype(np.float16).astype(np.float64)
    half[0] /= 64
    note = rounding_note(half, normaliser, dtype=np.dtype(np.float16))
    steps = [np.mean([[np.spacing(np.float16(abs(v))) for v in point] for point in face]) for face in half]
    error = 100 * np.mean([0.3826 * step / length for step, length in zip(steps, normaliser, strict=True)])
    assert f"steps of up to {np.spacing(np.float16(half.max())):g} px: an NME of {error:.2f} %" in note


def test_one_fraction_is_enough_to_be_exact():
    almost = np.rint(TRUTH)
    almost[1, 2, 0] += 0.5
    assert rounding_note(almost, np.full(3, 50.0)) is None
    assert rounding_note(almost, np.full(3, 50.0), dtype=np.dtype(np.float32)) is None
    assert rounding_note(np.rint(TRUTH), np.zeros(3)) is None
