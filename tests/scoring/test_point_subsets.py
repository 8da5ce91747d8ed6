"""Visible and occluded landmarks: scores, the report's table and its download; landmarks that are not labelled."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from nmebench import datasets, metrics, scoring
from nmebench.cli.entry import app
from nmebench.errors import InputError
from nmebench.reports.sections import downloads, landmarks
from nmebench.reports.view import RunView
from nmebench.runs.face_table import FaceTable, read_faces, write_faces
from nmebench.runs.run_store import Run
from nmebench.scoring.point_subsets import point_masks

CELL = ("net", "dark", "none", "landmarks")


def table(faces: FaceTable) -> FaceTable:
    """Every third landmark occluded on odd faces, none on even ones; two landmarks of face 5 not labelled."""
    occluded = np.zeros(faces.landmarks.shape[:2], bool)
    occluded[1::2, ::3] = True
    occluded[5, :2] = False
    truth = faces.landmarks.copy()
    truth[5, :2] = np.nan
    return replace(faces, landmarks=truth, occluded=occluded)


def predictions(faces: FaceTable) -> np.ndarray:
    """Errors that differ by face and landmark, float32 as stored."""
    shift = np.random.default_rng(3).normal(0, 2, faces.landmarks.shape)
    return (np.nan_to_num(faces.landmarks, nan=40.0) + shift).astype(np.float32)


def slow(run: Run, predicted: np.ndarray, wanted: Callable[[int, int], bool]) -> list[float]:
    """NME of each face that has such landmarks, percent, one landmark at a time."""
    found = []
    for face in range(len(run.faces)):
        errors = []
        for point in range(predicted.shape[1]):
            x, y = run.faces.landmarks[face, point]
            if x == x and wanted(face, point):
                error = ((predicted[face, point, 0] - x) ** 2 + (predicted[face, point, 1] - y) ** 2) ** 0.5
                errors.append(100 * error / run.faces.normaliser[face])
        if errors:
            found.append(sum(errors) / len(errors))
    return found


@pytest.fixture
def run(make_run: Any, small_faces: FaceTable) -> Run:
    faces = table(small_faces)
    made: Run = make_run({CELL: predictions(faces)}, table=faces)
    return made


def test_scores_are_those_of_a_loop_over_landmarks(run: Run) -> None:
    predicted = run.landmarks(run.record.cells[0].id)
    occluded = run.faces.occluded
    assert occluded is not None
    row = run.scores.set_index("subset").loc["test"]
    assert row["nme"] == pytest.approx(np.mean(slow(run, predicted, lambda face, point: True)), rel=1e-9)
    for name, wanted in (("visible", False), ("occluded", True)):
        values = slow(run, predicted, lambda face, point, wanted=wanted: bool(occluded[face, point]) == wanted)
        assert row[f"nme_{name}"] == pytest.approx(np.mean(values), rel=1e-9)
    assert row["points_occluded"] == occluded.sum()
    assert row["points_visible"] + row["points_occluded"] == 60 * 98 - 2


def test_columns_are_there_only_where_the_annotations_tell(run: Run, make_run: Any, small_faces: FaceTable) -> None:
    further = ["nme_visible", "points_visible", "nme_occluded", "points_occluded"]
    assert [name for name in run.scores.columns if name.endswith(("_visible", "_occluded"))] == further
    plain = make_run({CELL: 4.0}, table=small_faces, name="plain")
    assert list(plain.scores.columns) == list(scoring.columns([10]))
    assert point_masks(plain) == {}


def test_a_subset_without_occluded_landmarks_has_an_empty_cell(make_run: Any, small_faces: FaceTable) -> None:
    faces = replace(table(small_faces), subsets={"even": np.arange(60) % 2 == 0})
    run = make_run({CELL: predictions(faces)}, table=faces)
    row = run.scores.set_index("subset").loc["even"]
    assert np.isnan(row["nme_occluded"])
    assert row["points_occluded"] == 0
    assert row["nme_visible"] == row["nme"]


def test_stored_faces_keep_flags_and_unlabelled_landmarks(tmp_path: Path, small_faces: FaceTable) -> None:
    faces = table(small_faces)
    write_faces(tmp_path, faces)
    again = read_faces(tmp_path, len(faces))
    np.testing.assert_array_equal(again.landmarks, faces.landmarks)
    np.testing.assert_array_equal(again.occluded, faces.occluded)


def test_a_landmark_that_is_nan_without_a_flag_is_damage(tmp_path: Path, small_faces: FaceTable) -> None:
    import pyarrow.parquet as pq

    faces = table(small_faces)
    write_faces(tmp_path, faces)
    file = tmp_path / "faces.parquet"
    pq.write_table(pq.read_table(file).drop_columns(["labelled"]), file)
    with pytest.raises(InputError, match="a landmark is not a finite number"):
        read_faces(tmp_path, len(faces))
    write_faces(tmp_path, faces)
    once = pq.read_table(file)
    pq.write_table(once.append_column("face", once.column("face")), file)
    with pytest.raises(InputError, match="has the column 'face' twice"):
        read_faces(tmp_path, len(faces))
    write_faces(tmp_path, replace(faces, occluded=faces.occluded[:, :7]))
    with pytest.raises(InputError, match="the flags of its landmarks don't have one form"):
        read_faces(tmp_path, len(faces))


def test_the_report_lists_both_subsets(run: Run) -> None:
    view = RunView(run)
    data = landmarks.section(view)
    assert data is not None
    row = run.scores.set_index("subset").loc["test"]
    assert [part.name for part in data.points] == ["visible", "occluded"]
    for part in data.points:
        assert part.values[0] == pytest.approx(row[f"nme_{part.name}"])
        assert part.points == row[f"points_{part.name}"]
    lines = list(csv.reader(io.StringIO(downloads.landmark_csv(view, data))))
    assert lines[0][:6] == ["model", "decoder", "flip", "box", "points", "landmark_0"]
    assert [line[4] for line in lines[1:]] == ["all", "visible", "occluded"]
    # Landmark 1 is never occluded.
    assert lines[3][6] == ""
    errors = metrics.point_errors(run.landmarks(run.record.cells[0].id), run.faces.landmarks)
    wanted = np.nanmean((100 * errors / run.faces.normaliser[:, None])[:, 0])
    assert float(lines[1][5]) == pytest.approx(wanted, rel=1e-3)


def coco(points: np.ndarray, visibility: np.ndarray) -> dict[str, Any]:
    """An mmpose json of faces ``[N, 68, 2]``."""
    numbers = np.concatenate([points, visibility[..., None]], axis=2)
    return {
        "images": [{"id": face, "file_name": f"{face}.jpg"} for face in range(len(points))],
        "annotations": [
            {"id": face, "image_id": face, "keypoints": numbers[face].reshape(-1).tolist(), "iscrowd": 0}
            for face in range(len(points))
        ],
    }


def own_benchmark(folder: Path, points: np.ndarray, visibility: np.ndarray, *fields: str) -> str:
    """Write a data set of one's own and return its spec."""
    folder.mkdir(exist_ok=True)
    (folder / "mine.json").write_text(json.dumps(coco(points, visibility)))
    lines = [
        'name = "mine"',
        'title = "Mine"',
        'scheme = "ibug68"',
        *fields,
        "[files.test]",
        'mmpose-json = "mine.json"',
    ]
    (folder / "mine.toml").write_text("\n".join(lines) + "\n")
    return f"benchmark:{folder / 'mine.toml'}"


@pytest.fixture
def points() -> np.ndarray:
    return np.random.default_rng(0).uniform(20, 200, (6, 68, 2))


def test_landmarks_that_are_not_labelled_never_count(tmp_path: Path, points: np.ndarray) -> None:
    """60 of 68 landmarks with v = 0: refused, or left out of the face's mean where the definition says so."""
    v = np.full((6, 68), 2)
    v[1, 8:] = 0
    v[1, [36, 45]] = 2
    v[2, 36] = 0  # an outer eye corner: the face has no inter-ocular distance
    stored = np.where(v[..., None] == 0, 0.0, points)
    with pytest.raises(InputError, match=r"annotation 2: landmark 8 has v = 0, which means not annotated \(58 of 68"):
        datasets.load(own_benchmark(tmp_path / "a", stored, v))
    spec = own_benchmark(tmp_path / "b", stored, v, 'unlabelled = "exclude"')
    dataset = datasets.load(spec)
    assert dataset.lines.tolist() == [1, 2, 4, 5, 6]
    assert any("58 landmarks of 1 face are not labelled and count in no score" in note for note in dataset.notes)
    assert any("1 of 6 faces are left out" in note for note in dataset.notes)
    predicted = np.add(np.delete(points, 2, axis=0), [3.0, 4.0])
    np.savez(tmp_path / "p.npz", landmarks=predicted)
    result = CliRunner().invoke(
        app, ["score", str(tmp_path / "p.npz"), "--data", spec, "-o", str(tmp_path / "run"), "--name", "mine"]
    )
    assert result.exit_code == 0, result.output
    run = Run.open(tmp_path / "run")
    np.testing.assert_allclose(run.per_face["mine__direct__none__none"], 500 / dataset.normaliser(), rtol=1e-5)


def test_faces_are_averaged_and_mmpose_pools_landmarks(tmp_path: Path, points: np.ndarray) -> None:
    """mmpose's NME of the same predictions differs where faces have different numbers of labelled landmarks."""
    v = np.full((6, 68), 1)
    v[0, :30] = 0
    dataset = datasets.load(
        own_benchmark(tmp_path / "data", np.where(v[..., None] == 0, 0.0, points), v, 'unlabelled = "exclude"')
    )
    predicted = (
        points + np.random.default_rng(1).normal(0, 3, points.shape) * np.array([6, 1, 1, 1, 1, 1])[:, None, None]
    )
    errors = metrics.point_errors(predicted, dataset.landmarks)
    lengths = dataset.normaliser()
    # keypoint_nme of mmpose/evaluation/functional/keypoint_eval.py, one landmark at a time
    pool = [
        float(np.hypot(*(predicted[face, point] - points[face, point]))) / lengths[face]
        for face in range(6)
        for point in range(68)
        if v[face, point] > 0
    ]
    mask = metrics.labelled(dataset.landmarks)
    assert mask is not None
    pooled = metrics.pooled_nme(errors, lengths, mask)
    assert pooled == pytest.approx(100 * sum(pool) / len(pool), rel=1e-12)
    per_face = metrics.nme(errors, lengths, mask).mean()
    assert per_face > 1.05 * pooled  # the bad face has few landmarks, so it has little weight in mmpose's mean
    assert metrics.nme(errors, lengths).sum() != metrics.nme(errors, lengths, mask).sum()


def test_oracle_measures_decoders_on_partly_labelled_faces(tmp_path: Path, points: np.ndarray) -> None:
    v = np.full((6, 68), 2)
    v[0, :17] = 0
    v[1:, 60:] = 1
    spec = own_benchmark(
        tmp_path / "data", np.where(v[..., None] == 0, 0.0, points), v, 'unlabelled = "exclude"', "occlusion = true"
    )
    result = CliRunner().invoke(
        app, ["run", "--data", spec, "--model", "oracle", "--decoder", "dark", "-o", str(tmp_path / "run")]
    )
    assert result.exit_code == 0, result.output
    run = Run.open(tmp_path / "run")
    row = run.scores.iloc[0]
    assert row["nme"] < 0.1
    assert (row["points_visible"], row["points_occluded"]) == (6 * 68 - 17 - 40, 40)
    assert run.record.cells[0].counts["empty"] == 17
    result = CliRunner().invoke(app, ["report", str(tmp_path / "run"), "-o", str(tmp_path / "page.html")])
    assert result.exit_code == 0, result.output
    assert ">visible<" in (tmp_path / "page.html").read_text()


def test_an_own_data_set_keeps_labels_and_occlusion(tmp_path: Path, points: np.ndarray) -> None:
    v = np.full((6, 68), 2)
    v[0, :17] = 0
    v[1, 60:] = 1
    spec = own_benchmark(
        tmp_path / "data", np.where(v[..., None] == 0, 0.0, points), v, 'unlabelled = "exclude"', "occlusion = true"
    )
    result = CliRunner().invoke(app, ["data", "convert", spec, "-o", str(tmp_path / "again"), "--name", "again"])
    assert result.exit_code == 0, result.output
    first, second = datasets.load(spec), datasets.load(f"benchmark:{tmp_path / 'again/again.toml'}")
    np.testing.assert_array_equal(second.landmarks, first.landmarks)
    np.testing.assert_array_equal(second.occluded, first.occluded)


def test_training_needs_every_landmark(tmp_path: Path, points: np.ndarray) -> None:
    from nmebench.training import sources

    v = np.full((6, 68), 2)
    v[3, :17] = 0
    dataset = datasets.load(
        own_benchmark(tmp_path / "data", np.where(v[..., None] == 0, 0.0, points), v, 'unlabelled = "exclude"')
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "_load", lambda wanted: dataset)
        wanted = type("Wanted", (), {"source": "mine", "box": "landmarks"})()
        with pytest.raises(InputError, match="landmarks of 1 face are not labelled, the first on line 4"):
            next(sources.faces(wanted, 0, 1))  # type: ignore[arg-type]
