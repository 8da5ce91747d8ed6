"""Runs scored again by other normalisers and thresholds, against references in plain Python."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from nmebench import datasets
from nmebench.checks import check
from nmebench.errors import InputError
from nmebench.gates import gate, make_baseline
from nmebench.runs.run_store import Run
from nmebench.scoring.rescore import describe_rescore, rescore, rescored
from nmebench.scoring.store_predictions import store_predictions

Array = NDArray[np.float64]
Points = Sequence[tuple[float, float]]

IBUG_EYES = (range(36, 42), range(42, 48))


def slow_length(name: str, face: Points, box: Sequence[float]) -> float:
    """The length of a normaliser of ibug68 for one face, by its definition in words."""
    xs, ys = [x for x, _ in face], [y for _, y in face]
    width, height = max(xs) - min(xs), max(ys) - min(ys)
    if name == "inter-ocular":
        return math.dist(face[36], face[45])
    if name == "inter-pupil":
        centres = [tuple(sum(face[i][axis] for i in eye) / 6 for axis in (0, 1)) for eye in IBUG_EYES]
        return math.dist(*centres)
    if name == "annotated-box-size":
        return math.sqrt((box[2] - box[0]) * (box[3] - box[1]))
    return {
        "box-size": math.sqrt(width * height),
        "box-diagonal": math.sqrt(width**2 + height**2),
        "box-height": height,
    }[name]


def slow_nme(truth: Array, found: Array, name: str, boxes: Array) -> list[float]:
    """NME of each face in percent."""
    result = []
    for face, other, box in zip(truth.tolist(), found.tolist(), boxes.tolist(), strict=True):
        distances = [math.dist(a, b) for a, b in zip(face, other, strict=True)]
        result.append(100 * math.fsum(distances) / len(distances) / slow_length(name, face, box))
    return result


def slow_rates(nme: list[float], threshold: float) -> tuple[float, float]:
    """FR in percent, and AUC as the sum of the rectangles under the step function."""
    steps = sorted(value for value in nme if value < threshold)
    area, edges = 0.0, [*steps, threshold]
    for count, (left, right) in enumerate(pairwise(edges), start=1):
        area += (right - left) * count / len(nme)
    return 100 * sum(value > threshold for value in nme) / len(nme), area / threshold


@pytest.fixture
def stored(tmp_path: Path) -> tuple[Run, Array, Array, Array]:
    """Predictions for 40 faces with 68 points and a box that is no box of the landmarks: run, truth, found, boxes."""
    rng = np.random.default_rng(5)
    truth = rng.uniform(20, 180, (40, 68, 2))
    found = (truth + rng.normal(0, 1, truth.shape) * rng.uniform(1, 8, (40, 1, 1))).astype(np.float32)
    boxes = np.stack([rng.uniform(0, 20, 40), rng.uniform(0, 20, 40), rng.uniform(150, 400, 40), np.full(40, 190)], 1)
    np.savez(tmp_path / "truth.npz", landmarks=truth, box=boxes, subset_left=np.arange(40) < 17)
    np.savez(tmp_path / "found.npz", landmarks=found)
    run = store_predictions(tmp_path / "found.npz", f"landmarks:{tmp_path}/truth.npz", tmp_path / "RUN", name="mine")
    return run, truth, found.astype(np.float64), boxes


@pytest.mark.parametrize(
    "name", ["inter-ocular", "inter-pupil", "box-size", "box-diagonal", "box-height", "annotated-box-size"]
)
def test_every_normaliser_matches_its_slow_reference(
    stored: tuple[Run, Array, Array, Array], tmp_path: Path, name: str
) -> None:
    run, truth, found, boxes = stored
    made = rescore(run, tmp_path / "OTHER", normaliser=name, thresholds=[7, 2.5])
    wanted = slow_nme(truth, found, name, boxes)
    (cell,) = made.record.cells
    np.testing.assert_allclose(made.per_face[cell.id], wanted, rtol=1e-12)
    for row, faces in zip(made.score_rows(), (range(40), range(17)), strict=True):
        values = [wanted[face] for face in faces]
        assert row["nme"] == pytest.approx(math.fsum(values) / len(values), abs=1e-8)
        for threshold, text in ((7.0, "7"), (2.5, "2.5")):
            fr, auc = slow_rates(values, threshold)
            assert row[f"fr{text}"] == pytest.approx(fr, abs=1e-7)
            assert row[f"fr{text}_count"] == sum(value > threshold for value in values)
            assert row[f"auc{text}"] == pytest.approx(auc, abs=1e-9)
        assert row["normaliser"] == name
        assert "fr10" not in row


def test_the_two_boxes_are_not_mixed_up(stored: tuple[Run, Array, Array, Array]) -> None:
    run, truth, _, boxes = stored
    lengths = run.faces.normalisers
    extents = truth.max(1) - truth.min(1)
    np.testing.assert_allclose(lengths["box-size"], np.sqrt(extents.prod(1)))
    np.testing.assert_allclose(lengths["annotated-box-size"], np.sqrt((boxes[:, 2:] - boxes[:, :2]).prod(1)))
    assert not np.isclose(lengths["box-size"], lengths["annotated-box-size"], rtol=1e-3).any()


def test_the_run_stays_and_the_other_one_says_how_it_was_made(
    stored: tuple[Run, Array, Array, Array], tmp_path: Path
) -> None:
    run = stored[0]
    before = {path.name: path.read_bytes() for path in run.path.iterdir() if path.is_file()}
    made = rescore(run, tmp_path / "OTHER", normaliser="box-size", thresholds=[7], command=["nmebench", "score"])
    assert {path.name: path.read_bytes() for path in run.path.iterdir() if path.is_file()} == before
    raw = json.loads((made.path / "run.json").read_text(encoding="utf-8"))
    assert (raw["schema_version"], raw["normaliser"], raw["thresholds"]) == (2, "box-size", [7.0])
    assert raw["configuration"]["normaliser"] == "box-size"
    assert raw["rescored"]["normaliser"] == "inter-ocular"
    assert raw["rescored"]["thresholds"] == [10.0]
    assert raw["rescored"]["command"] == ["nmebench", "score"]
    assert describe_rescore(made.record) == [
        "normaliser box-size instead of inter-ocular",
        "thresholds 7 instead of 10",
    ]
    back = rescore(made, tmp_path / "BACK", normaliser="inter-ocular", thresholds=[10])
    for name in ("scores.csv", "per_face.parquet", "diverged.json", "faces.parquet"):
        assert (back.path / name).read_bytes() == before[name]


def test_a_run_in_a_block_only_has_the_same_scores(stored: tuple[Run, Array, Array, Array], tmp_path: Path) -> None:
    run = stored[0]
    kept = rescore(run, tmp_path / "OTHER", normaliser="box-size", thresholds=[7])
    with rescored(run, normaliser="box-size", thresholds=[7]) as made:
        assert made.scores.equals(kept.scores)
        folder = made.path
    assert not folder.exists()


def test_runs_of_other_normalisers_are_not_confused(make_run: Callable[..., Run], tmp_path: Path) -> None:
    cell = ("net", "dark", "flip+shift", "landmarks")
    card = {
        "name": "net",
        "test": {"decoder": "dark", "flip": True, "shift": True},
        "input": {"box": "landmarks"},
        "reported": {"wflw": {"t": {"nme": {"test": 4.0}, "tolerance": 0.05, "source": "s"}}},
    }
    run = make_run({cell: 4.0}, cards={"net": card})
    other = rescore(run, tmp_path / "OTHER", normaliser="box-size")
    assert check(run).rows[0].status == "reproduced"
    (row,) = check(other).rows
    assert (row.status, row.reason) == ("not comparable", "normalised by box-size, reported by inter-ocular")
    result = gate(other, make_baseline(run))
    assert [r.outcome for r in result.rows] == ["changed"]
    assert result.rows[0].reason == "the normaliser was inter-ocular, is box-size"


def test_reported_rates_are_measured_at_their_own_thresholds(make_run: Callable[..., Run]) -> None:
    """A table's FR@8 is compared with FR@8, although the run was scored at 10 %."""
    cell = ("net", "dark", "flip+shift", "landmarks")
    nme = np.linspace(4.01, 11.9, 60)
    table = {"fr8": {"test": 50.0}, "auc8": {"test": 0.123}, "fr10": {"test": 25.0}, "tolerance": 0.001, "source": "s"}
    card = {
        "name": "net",
        "test": {"decoder": "dark", "flip": True, "shift": True},
        "input": {"box": "landmarks"},
        "reported": {"wflw": {"t": table}},
    }
    rows = {row.metric: row for row in check(make_run({cell: nme}, cards={"net": card})).rows}
    for name, threshold in (("fr8", 8.0), ("fr10", 10.0)):
        assert rows[name].measured == pytest.approx(slow_rates(nme.tolist(), threshold)[0])
    assert rows["auc8"].measured == pytest.approx(slow_rates(nme.tolist(), 8.0)[1], abs=1e-6)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param({"normaliser": "box-sise"}, "unknown normaliser of ibug68 'box-sise'; did you mean", id="name"),
        pytest.param({"thresholds": [0.08]}, "write 8 for 0.08", id="fraction"),
        pytest.param({"thresholds": [8, 8]}, "is there twice", id="twice"),
        pytest.param({"thresholds": [1.23456]}, "more than 4 decimals", id="decimals"),
    ],
)
def test_options_that_are_refused(
    stored: tuple[Run, Array, Array, Array], tmp_path: Path, options: dict[str, object], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        rescore(stored[0], tmp_path / "OTHER", **options)  # type: ignore[arg-type]
    assert not (tmp_path / "OTHER" / "run.json").exists()


def test_the_run_itself_is_not_overwritten(stored: tuple[Run, Array, Array, Array]) -> None:
    with pytest.raises(InputError, match="is the run itself"):
        rescore(stored[0], stored[0].path, normaliser="box-size", overwrite=True)


def test_a_length_of_zero_is_refused(tmp_path: Path) -> None:
    truth = np.random.default_rng(0).uniform(1, 100, (3, 68, 2))
    truth[1, 42:48] = truth[1, 36:42] + 5
    truth[1, 42:48] -= truth[1, 42:48].mean(0) - truth[1, 36:42].mean(0)
    np.savez(tmp_path / "truth.npz", landmarks=truth)
    run = store_predictions(tmp_path / "truth.npz", f"landmarks:{tmp_path}/truth.npz", tmp_path / "RUN", name="mine")
    with pytest.raises(InputError, match=r"inter-pupil length is .* px on face 1 \(line 2, .*without a length: 1\)"):
        rescore(run, tmp_path / "OTHER", normaliser="inter-pupil")


def test_annotations_without_boxes_have_no_such_normaliser(tmp_path: Path) -> None:
    np.savez(tmp_path / "truth.npz", landmarks=np.random.default_rng(0).uniform(1, 100, (3, 68, 2)))
    data = datasets.load(f"landmarks:{tmp_path}/truth.npz")
    assert "annotated-box-size" not in data.normalisers()
    with pytest.raises(InputError, match="'annotated-box-size' of ibug68 needs the box of each face"):
        data.normaliser("annotated-box-size")


def test_benchmarks_have_their_thresholds() -> None:
    from nmebench.datasets.benchmark import load, names

    found = {name: load(name).thresholds for name in names()}
    assert found["wflw"] == found["cofw"] == (10.0,)
    assert found["aflw"] == found["cofw68"] == (7.0,)
    assert (found["300w"], found["300w-private"]) == ((8.0, 10.0), (8.0, 7.0))
    for name in names():
        benchmark = load(name)
        assert (benchmark.normaliser or benchmark.landmark_scheme.default_normaliser) in (
            benchmark.landmark_scheme.normalisers
        )


SPIGA = {
    "inter-ocular": (3.4295, 8, 4, None),
    "inter-pupil": (4.9861, 10, None, None),
    "box-diagonal": (1.4318, 7, None, None),
    "box-height": (2.0275, 7, None, None),
    "box-size": (2.0306, 7, 1, 0.710033),
}
"""NME, threshold, failures and exact AUC of SPIGA's predictions for the 600 faces of 300-W private, by normaliser."""


def test_spiga_on_300w_private(shared: Path, tmp_path: Path) -> None:
    with np.load(shared / "benchmarks" / "spiga_300wprivate.npz") as file:
        truth, found = file["gt"], file["pred"]
        subsets = {name: file[name] for name in ("subset_indoor", "subset_outdoor")}
    np.savez(tmp_path / "truth.npz", landmarks=truth, **subsets)
    np.savez(tmp_path / "found.npz", landmarks=found)
    data = f"landmarks:{tmp_path}/truth.npz"
    run = store_predictions(tmp_path / "found.npz", data, tmp_path / "RUN", name="spiga", thresholds=[8, 10])
    assert run.score_rows()[0]["fr10_count"] == 2
    for name, (nme, threshold, failures, auc) in SPIGA.items():
        with rescored(run, normaliser=name, thresholds=[threshold]) as made:
            rows = {row["subset"]: row for row in made.score_rows()}
            (values,) = made.per_face.values()
        row = rows["test"]
        assert round(row["nme"], 4) == nme, name
        if failures is not None:
            assert row[f"fr{threshold}_count"] == failures
            assert row[f"fr{threshold}"] == pytest.approx(100 * failures / 600)
        if auc is not None:
            assert round(row[f"auc{threshold}"], 6) == auc
            assert (round(rows["indoor"]["nme"], 4), round(rows["outdoor"]["nme"], 4)) == (2.0346, 2.0266)
        slow = slow_nme(truth, found.astype(np.float32).astype(np.float64), name, np.zeros((600, 4)))
        np.testing.assert_allclose(values, slow, rtol=1e-12)
