"""Notes on predictions in another unit, layout or order, and on rounded ones."""

from __future__ import annotations

import re
from types import SimpleNamespace

import numpy as np
import pytest

from nmebench import datasets
from nmebench.geometry import scheme
from nmebench.scoring.plausibility import misplaced_notes, rounding_note, suspect_cells, suspect_note

WFLW = scheme.load("wflw98")
RNG = np.random.default_rng(1)


@pytest.fixture(scope="module")
def truth():
    """Twelve faces of one shape, each with its own size, position and expression."""
    shape = RNG.uniform(-1, 1, (1, 98, 2))
    shape[:, WFLW.flip] = (shape * [-1, 1] + shape[:, WFLW.flip]) / 2
    size = RNG.uniform(60, 120, (12, 1, 1))
    return (shape + RNG.normal(0, 0.05, (12, 98, 2))) * size + RNG.uniform(200, 800, (12, 1, 2))


@pytest.fixture(scope="module")
def distance(truth):
    return np.ptp(truth, axis=1).max(axis=1) / 2


def noisy(truth, share=0.02):
    return truth + np.random.default_rng(2).normal(0, share * 100, truth.shape)


def crop_px(points):
    low = points.min(axis=1, keepdims=True)
    return (points - low) / np.ptp(points, axis=1).max(axis=1)[:, None, None] * 112


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        pytest.param(
            lambda p: p / 1000, "none of them is larger than 2 px: are they fractions", id="fractions of the image"
        ),
        pytest.param(
            lambda p: crop_px(p) / 112, "larger than 2 px: are they fractions of the image or crop", id="of the crop"
        ),
        pytest.param(lambda p: p * 2, "times 0.5 it is .*: are they in another unit or image size", id="times 2"),
        pytest.param(lambda p: p / 4, "times 4 it is", id="of a smaller image"),
        pytest.param(crop_px, "another position and size per face .*: are they px of a crop", id="crop px"),
        pytest.param(
            lambda p: np.concatenate([p[..., 0], p[..., 1]], axis=1).reshape(p.shape),
            "write x0, y0, x1, y1",
            id="xs then ys",
        ),
        pytest.param(lambda p: p[..., ::-1], "x and y exchanged", id="y before x"),
        pytest.param(lambda p: p[::-1], "another order of the faces .*: use the list's order", id="reversed"),
        pytest.param(lambda p: np.full_like(p, 5000.0), "check the unit and order of the predictions", id="constant"),
        pytest.param(lambda p: p + np.array([0, 1000]), "px of a crop", id="shifted"),
    ],
)
def test_likely_cause_is_named(truth, distance, change, cause):
    note = suspect_note(change(noisy(truth)), truth, distance, flip=WFLW.flip)
    assert note is not None
    assert note.startswith(datasets.SUSPECT)
    assert re.search(cause, note)
    assert note.isprintable()


def test_exchanged_sides_are_named(truth, distance):
    """Only large faces: the landmarks of a pair are far apart in all of them."""
    note = suspect_note(truth[:, WFLW.flip], truth, distance, flip=WFLW.flip)
    assert note is not None
    assert "with left and right landmarks exchanged it is 0.0 %" in note


@pytest.mark.parametrize("share", [0.0, 0.001, 0.02, 0.1, 0.3])
def test_plausible_predictions_have_no_note(truth, distance, share):
    """Noise of up to 30 px, on faces of 120 to 240 px."""
    assert suspect_note(noisy(truth, share), truth, distance, flip=WFLW.flip) is None


def test_faces_without_an_nme_have_no_note(truth, distance):
    """Scoring names the face whose NME is not finite."""
    for landmarks, lengths in (
        (np.full_like(truth, np.nan), distance),
        (truth * 9, np.zeros(12)),
        (truth[:0], distance[:0]),
    ):
        assert suspect_note(landmarks, truth[: len(landmarks)], lengths) is None
        assert rounding_note(landmarks, lengths) is None
        assert misplaced_notes(landmarks, truth[: len(landmarks)], ["a"] * len(landmarks), lengths) == []


def test_real_predictions_have_no_note(shared):
    """SPIGA's predictions for 300-W public."""
    with np.load(shared / "oracle" / "metrics" / "spiga_real_300wpublic.npz") as file:
        landmarks, truth = file["pred"].astype(float), file["gt"].astype(float)
    distance = np.linalg.norm(truth[:, 36] - truth[:, 45], axis=1)
    assert suspect_note(landmarks, truth, distance) is None
    assert suspect_note(landmarks * 1.5, truth, distance) is not None
    assert misplaced_notes(landmarks, truth, [str(face) for face in range(len(truth))], distance) == []


def test_cells_of_a_run_are_named(tmp_path, truth, distance):
    (tmp_path / "landmarks").mkdir()
    for name, factor in (("good", 1), ("bad", 3)):
        np.save(tmp_path / "landmarks" / f"{name}.npy", (truth * factor).astype(np.float32))
    cells = [SimpleNamespace(id=name) for name in ("good", "bad")]
    dataset = SimpleNamespace(landmarks=truth, scheme=WFLW)
    notes = suspect_cells(tmp_path, cells, dataset, distance)
    assert len(notes) == 1
    assert notes[0].startswith("suspect: bad: the median NME is ")
    assert "times 0.333 it is 0.0 %" in notes[0]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        pytest.param(lambda p: p * 2, "See unit in [output] of the card", id="unit"),
        pytest.param(crop_px, "See unit in [output] and box in [input] of the card", id="crop px"),
        pytest.param(lambda p: p[..., ::-1], "See layout in [output] of the card", id="y first"),
        pytest.param(
            lambda p: crop_px(p)[..., ::-1] + p.mean(axis=1, keepdims=True),
            "with x and y exchanged in the crop of each face it is 0.0 %: write x first. See layout in [output]",
            id="y first in the crop",
        ),
        pytest.param(
            lambda p: np.concatenate([p[..., 0], p[..., 1]], axis=1).reshape(p.shape),
            "See layout in [output] of the card",
            id="xs then ys",
        ),
        pytest.param(lambda p: p[:, WFLW.flip], "See order in [output] of the card", id="left and right"),
        pytest.param(
            lambda p: p[:, np.random.default_rng(3).permutation(98)],
            "the points in another order it is 0.0 %: are they numbered as in another scheme? See order in [output]",
            id="another numbering",
        ),
        pytest.param(
            lambda p: np.full_like(p, 5000.0),
            "check mean, std and colour in [input], and unit, layout, activation and channels in [output]",
            id="impossible",
        ),
    ],
)
def test_notes_on_networks_name_the_field_of_the_card(truth, distance, change, field):
    note = suspect_note(change(truth), truth, distance, flip=WFLW.flip, of_network=True)
    assert field in note
    assert "of the card" not in suspect_note(change(truth), truth, distance, flip=WFLW.flip)


def test_exchanged_faces_of_a_photograph_are_suspect(truth, distance):
    images = ["a", "a", "b", *"cccdefghi"]
    landmarks = noisy(truth)
    assert misplaced_notes(landmarks, truth, images, distance) == []
    landmarks[[3, 4, 5]] = landmarks[[5, 3, 4]]
    notes = misplaced_notes(landmarks, truth, images, distance, rows=range(2, 14))
    assert len(notes) == 1
    assert notes[0].startswith(
        "suspect: 3 predictions fit another face of their photograph better, first face 3 (row 5, 'c'):"
    )
    assert notes[0].endswith("are the faces of a photograph in another order?")


def test_prediction_on_a_neighbours_face_is_a_note(truth, distance):
    landmarks = noisy(truth)
    landmarks[0] = landmarks[1]
    notes = misplaced_notes(landmarks, truth, ["a"] * 12, distance)
    assert len(notes) == 1
    assert notes[0].startswith("1 predictions are on another face of their photograph, first face 0 ('a'): an NME of ")
    assert "with face 1" in notes[0]


@pytest.mark.parametrize("dtype", [np.int64, np.uint16, np.float32, np.float64, None])
def test_whole_numbers_are_noted(truth, distance, dtype):
    note = rounding_note(np.rint(truth), distance, dtype=None if dtype is None else np.dtype(dtype))
    assert note is not None
    assert note.startswith("the predictions are whole numbers: rounding moves a landmark by 0.38 px on average")


def test_rounding_error_is_the_measured_one(truth, distance):
    """The mean distance to the nearest whole px, and its NME."""
    points = np.random.default_rng(3).uniform(0, 500, (2000, 98, 2))
    moved = np.linalg.norm(points - np.rint(points), axis=2).mean()
    assert abs(moved - 0.3826) < 0.001
    assert abs(np.linalg.norm(points - np.floor(points), axis=2).mean() - 2 * 0.3826) < 0.002
    note = rounding_note(np.rint(points), np.full(2000, 50.0))
    assert note is not None
    assert f"an NME of {100 * moved / 50:.2f} %" in note


def test_float16_is_noted_with_its_step(truth, distance):
    rounded = truth.astype(np.float16)
    note = rounding_note(rounded.astype(float), distance, dtype=rounded.dtype)
    assert note is not None
    assert "float16, which rounds coordinates to steps of up to 0.5 px" in note
    assert rounding_note(truth, distance, dtype=np.dtype(np.float32)) is None
