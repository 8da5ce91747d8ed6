"""Limits of scoring: the smallest and largest arrays, default settings, and every field of an imported run."""

from __future__ import annotations

import hashlib
from types import SimpleNamespace

import numpy as np
import pytest

from nmebench import scoring
from nmebench.errors import InputError
from nmebench.geometry.scheme import load
from nmebench.runs.run_store import Run
from nmebench.scoring.diverged import _mean_of_failures, diverged_cells, diverged_faces
from nmebench.scoring.plausibility import suspect_cells
from nmebench.scoring.read_predictions import MAX_COORDINATE, _order_by_face
from nmebench.scoring.score_run import score, subset_masks
from nmebench.scoring.store_predictions import store_predictions

CELL = ("net", "dark", "none", "landmarks")

# Arrays and csv files ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "faces"),
    [
        pytest.param((1, 1, 2), 1, id="one-landmark-of-one-face"),
        pytest.param((3, 2), 3, id="one-landmark-flat"),
        pytest.param((2, 6), 2, id="three-landmarks-flat"),
    ],
)
def test_small_arrays_are_read(tmp_path, shape, faces):
    array = np.arange(np.prod(shape), dtype=np.int16).reshape(shape)
    np.save(tmp_path / "p.npy", array)
    found = scoring.import_predictions(tmp_path / "p.npy")
    np.testing.assert_array_equal(found.landmarks, array.reshape(faces, -1, 2))
    assert (found.images, found.rows, found.dtype) == (None, None, np.dtype(np.int16))
    assert found.landmarks.dtype == np.float64


@pytest.mark.parametrize("shape", [(3,), (3, 0), (3, 5), (0, 2, 1), (3, 2, 2, 1), (2, 3, 1), (2, 0, 2)])
def test_other_shapes_are_refused(tmp_path, shape):
    np.save(tmp_path / "p.npy", np.zeros(shape))
    with pytest.raises(InputError, match=r"must be \[N, K, 2\] or \[N, 2 K\]"):
        scoring.import_predictions(tmp_path / "p.npy")


def test_bad_coordinates_name_their_face(tmp_path):
    for value, message in ((np.nan, "face 1 has a coordinate that is not"), (-2e9, "face 1 has a coordinate of -2e")):
        array = np.zeros((3, 4, 2))
        array[1:, 3, 1] = value
        np.save(tmp_path / "p.npy", array)
        with pytest.raises(InputError, match=message):
            scoring.import_predictions(tmp_path / "p.npy")
    np.save(tmp_path / "p.npy", np.full((1, 1, 2), -1e9))
    assert scoring.import_predictions(tmp_path / "p.npy").landmarks.min() == -MAX_COORDINATE == -1e9


def test_csv_of_one_landmark(tmp_path):
    (tmp_path / "p.CSV").write_text("face,x0,y0\n1, 5 ,6\n 0 ,1e9,4\n")
    found = scoring.import_predictions(tmp_path / "p.CSV")
    assert found.landmarks.tolist() == [[[1e9, 4.0]], [[5.0, 6.0]]]
    assert (found.images, found.rows, found.dtype) == (None, (3, 2), None)


@pytest.mark.parametrize("header", ["face,x0", "image,face", "face", "x0,y0", "face,x0,y0,face", "face,x0,y0,x1"])
def test_csv_with_another_header_is_refused(tmp_path, header):
    (tmp_path / "p.csv").write_text(f"{header}\n0,1,2,3\n")
    with pytest.raises(InputError, match="the header begins with"):
        scoring.import_predictions(tmp_path / "p.csv")


def test_face_numbers_have_up_to_18_digits():
    assert _order_by_face("p.csv", ["2", "0", "1"]) == [1, 2, 0]
    with pytest.raises(InputError, match="face 0 is missing or repeated"):
        _order_by_face("p.csv", ["1" * 18])
    for value in ("1" * 19, "\u0661", "-1", "", "1.0"):
        with pytest.raises(InputError, match="column face has"):
            _order_by_face("p.csv", [value])


def test_images_of_another_number_of_faces_are_not_compared(tmp_path):
    """The number is reported later, with the names of both files."""
    (tmp_path / "p.csv").write_text("face,image,x0,y0\n0,a.jpg,1,2\n1,b.jpg,3,4\n")
    assert len(scoring.import_predictions(tmp_path / "p.csv", images=["a.jpg"]).landmarks) == 2
    with pytest.raises(InputError, match=r"row 3 names 'b\.jpg', which is not among"):
        scoring.import_predictions(tmp_path / "p.csv", images=["a.jpg", "a.jpg"])


# Scores --------------------------------------------------------------------------------------------------------------


def test_subsets_are_in_the_order_of_tables_then_in_the_runs_own(make_run, small_faces):
    none, some = np.zeros(60, bool), np.arange(60) % 5 == 0
    subsets = {"zebra": some, "blur": some, "test": some, "apple": none, "pose": some}
    run = make_run({CELL: 4.0})
    object.__setattr__(run.faces, "subsets", subsets)
    masks = subset_masks(run)
    assert list(masks) == ["test", "pose", "blur", "zebra", "apple"]
    assert masks["test"].sum() == 12, "a dataset may define its own test set"
    object.__setattr__(run.faces, "subsets", {"zebra": some})
    assert (list(subset_masks(run)), subset_masks(run)["test"].sum()) == (["test", "zebra"], 60)


def test_default_settings_of_the_intervals(make_run):
    run = make_run({CELL: np.linspace(3, 12, 60)})
    given, default = score(run, resamples=2000, seed=0), score(run)
    assert given.equals(default)
    other = score(run, resamples=2000, seed=1)
    assert not other["nme_low"].equals(default["nme_low"])
    assert other["nme"].equals(default["nme"])


def test_every_column_of_a_score(make_run):
    run = make_run({CELL: 4.0, ("net", "argmax", "none", "landmarks"): 12.0}, expected={"test": 2500})
    rows = score(run).to_dict("records")
    first, other = rows[0], next(row for row in rows if row["decoder"] == "argmax")
    assert [row["cell"] for row in rows] == [run.record.cells[0].id] * 3 + [run.record.cells[1].id] * 3
    assert first["faces"] == 60
    assert [(row["model"], row["decoder"], row["flip"], row["box"], row["subset"]) for row in (first, other)] == [
        ("net", "dark", "none", "landmarks", "test"),
        ("net", "argmax", "none", "landmarks", "test"),
    ]
    assert [(row["fr10"], row["fr10_count"], row["expected_faces"]) for row in (first, other)] == [
        (0.0, 0, 2500),
        (100.0, 60, 2500),
    ]
    assert (first["normaliser"], first["dataset"]) == ("inter-ocular", "wflw")
    assert first["auc10"] == pytest.approx(0.6, abs=1e-6)
    assert first["nme_low"] == pytest.approx(4.0, abs=1e-5)
    assert first["nme_high"] == pytest.approx(4.0, abs=1e-5)


def test_empty_subsets_have_no_scores(make_run, small_faces):
    subsets = {"test": np.ones(60, bool), "pose": np.zeros(60, bool)}
    object.__setattr__(small_faces, "subsets", subsets)
    assert list(make_run({CELL: 4.0}, table=small_faces).scores["subset"]) == ["test"]


def test_landmarks_of_another_shape_are_refused(make_run):
    run = make_run({CELL: 4.0})
    np.save(run.path / "landmarks" / f"{run.record.cells[0].id}.npy", np.zeros((60, 97, 2), np.float32))
    with pytest.raises(InputError, match=r"landmarks of shape \[60, 97, 2\], the ground truth has \[60, 98, 2\]"):
        score(Run.open(run.path))


# Diverged cells ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("nme", [[4.0, 9.0, 30.0, 200.0], [4.0, 10.0, 20.0], [1.0, 2.0]])
def test_mean_of_the_failed_faces_from_their_scores(nme):
    failed = [value for value in nme if value > 10]
    row = {
        "faces": len(nme),
        "nme": np.mean(nme),
        "fr10_count": len(failed),
        "auc10": np.mean([max(0.0, 10 - value) / 10 for value in nme]),
    }
    assert _mean_of_failures(row, 10.0) == pytest.approx(np.mean(failed) if failed else 0.0, abs=1e-12)


def test_faces_without_a_box_and_small_boxes():
    """A box of half a px is a box; one without an extent is none."""
    landmarks = np.array([[[0.0, 0.0]], [[0.6, 0.0]], [[9.0, 9.0]]])
    size = np.array([[0.5, 0.5], [0.5, 0.5], [0.0, 0.0]])
    assert diverged_faces(np.zeros(3), landmarks, np.zeros((3, 2)), size).tolist() == [False, True, False]


def test_a_cell_that_diverged_once_is_found_by_its_scores(make_run, tmp_path):
    """The mean of the failed faces is above 100 % on one subset only."""
    run = make_run({CELL: 4.0})
    rows = [
        {"cell": CELL, "faces": 4, "nme": nme, "fr10_count": 2, "auc10": 0.5} for nme in (5.0, 52.5, 4.0)
    ]  # fmt: skip
    assert [_mean_of_failures(row, 10.0) > 100 for row in rows] == [False, True, False]
    object.__setattr__(run, "score_rows", lambda: [{**row, "cell": run.record.cells[0].id} for row in rows])
    for path in (run.path / "landmarks").iterdir():
        path.unlink()
    (run.path / "diverged.json").unlink(missing_ok=True)
    assert diverged_cells(run)[run.record.cells[0].id].text == "diverged"


def test_exchanged_sides_of_a_network_are_suspect(tmp_path):
    """The cells of a run are tested with the scheme's own permutation of left and right."""
    (tmp_path / "landmarks").mkdir()
    wflw = load("wflw98")
    truth = np.random.default_rng(1).uniform(0, 200, (5, 98, 2))
    np.save(tmp_path / "landmarks" / "c.npy", truth[:, wflw.flip].astype(np.float32))
    dataset = SimpleNamespace(landmarks=truth, scheme=wflw)
    (note,) = suspect_cells(tmp_path, [SimpleNamespace(id="c")], dataset, np.full(5, 60.0))
    assert note.startswith("suspect: c: the median NME is ")
    assert "left and right" in note


# Imported runs -------------------------------------------------------------------------------------------------------


def test_every_field_of_an_imported_run(tmp_path):
    truth = np.random.default_rng(0).uniform(0, 100, (4, 98, 2))
    np.savez(tmp_path / "truth.npz", landmarks=truth)
    np.savez(tmp_path / "mine.npz", points=truth + 1.5)
    data = f"landmarks:{tmp_path}/truth.npz"
    command = ("nmebench", "score")
    run = store_predictions(
        tmp_path / "mine.npz::points", data, tmp_path / "RUN", name="mine", normaliser="inter-pupil", command=command
    )  # fmt: skip
    record = run.record
    digest = hashlib.sha256((tmp_path / "mine.npz").read_bytes()).hexdigest()
    assert (record.kind, record.normaliser) == ("score", "inter-pupil")
    assert record.configuration == {
        "data": data,
        "predictions": "mine.npz::points",
        "name": "mine",
        "normaliser": "inter-pupil",
        "thresholds": [10.0],
    }
    (model,) = record.models
    assert (model.name, model.architecture, model.engine) == ("mine", "predictions", "none (predictions)")
    assert model.card == {"name": "mine", "predictions": "mine.npz::points", "sha256": digest}
    assert model.input_size == (0, 0)
    (cell,) = record.cells
    assert (cell.id, cell.model, cell.decoder, cell.flip, cell.box, cell.convention) == (
        "mine__direct__none__none",
        "mine",
        "direct",
        "none",
        "none",
        "stride",
    )
    assert list(record.provenance.command) == list(command)
    faces = run.faces
    np.testing.assert_allclose(faces.landmarks, truth)
    np.testing.assert_allclose(faces.normaliser, np.hypot(*(truth[:, 96] - truth[:, 97]).T))
    low, high = truth.min(axis=1), truth.max(axis=1)
    np.testing.assert_allclose(faces.centre, low + (high - low) / 2)
    np.testing.assert_allclose(faces.size, high - low)
    np.testing.assert_allclose(run.landmarks(cell.id), truth + 1.5, rtol=1e-6)
    assert len(run.scores) == 1


def test_a_finished_run_is_replaced_only_on_request(tmp_path):
    truth = np.random.default_rng(0).uniform(0, 100, (2, 98, 2))
    np.savez(tmp_path / "truth.npz", landmarks=truth)
    arguments = (tmp_path / "truth.npz", f"landmarks:{tmp_path}/truth.npz", tmp_path / "RUN")
    store_predictions(*arguments, name="first")
    with pytest.raises(InputError, match="overwrite"):
        store_predictions(*arguments, name="second")
    assert Run.open(tmp_path / "RUN").record.models[0].name == "first"
    assert store_predictions(*arguments, name="second", overwrite=True).record.models[0].name == "second"


@pytest.mark.parametrize("name", ["", "x" * 300])
def test_bad_names_are_refused(tmp_path, name):
    np.savez(tmp_path / "truth.npz", landmarks=np.random.default_rng(0).uniform(0, 100, (2, 98, 2)))
    with pytest.raises(InputError, match="name"):
        store_predictions(tmp_path / "truth.npz", f"landmarks:{tmp_path}/truth.npz", tmp_path / "RUN", name=name)
