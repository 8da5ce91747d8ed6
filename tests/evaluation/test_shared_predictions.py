"""Real predictions of other programs: evaluate and the training metrics equal ``nmebench score`` in every digit."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

import nmebench as nb
from nmebench import metrics
from nmebench.__main__ import main


@dataclass(frozen=True)
class Predictions:
    """Predictions and their ground truth in the developers' folder."""

    file: str
    pred: str
    scheme: str = "wflw98"
    gt: str | None = "gt"
    """The array beside the predictions; None for the 143 faces of WFLW."""
    normaliser: str = "inter-ocular"
    thresholds: tuple[float, ...] = (10, 8)


CASES = {
    "SPIGA 300-W private, box": Predictions(
        "benchmarks/spiga_300wprivate.npz", "pred", "ibug68", normaliser="box-size", thresholds=(7, 10)
    ),
    "SPIGA 300-W private, eyes": Predictions("benchmarks/spiga_300wprivate.npz", "pred", "ibug68"),
    "SPIGA 300-W private, pupils": Predictions(
        "benchmarks/spiga_300wprivate.npz", "pred", "ibug68", normaliser="inter-pupil"
    ),
    "SPIGA 300-W public": Predictions("oracle/metrics/spiga_real_300wpublic.npz", "pred", "ibug68"),
    "H3R WFLW": Predictions("oracle/h3r/sample143.npz", "landmarks_image_px", gt=None),
    "H3R WFLW, flip test": Predictions("oracle/h3r/sample143.npz", "landmarks_flip_image_px", gt=None),
    "noise of 1 px": Predictions("oracle/metrics/nme_preds.npz", "pred_noise1"),
    "noise of 20 px": Predictions("oracle/metrics/nme_preds.npz", "pred_noise20"),
    "rounded": Predictions("oracle/metrics/nme_preds.npz", "pred_int_quantised"),
}


@pytest.mark.parametrize("case", CASES)
def test_equals_the_command_in_every_digit(case: str, shared: Path, tmp_path: Path) -> None:
    chosen = CASES[case]
    file = shared / chosen.file
    data = f"landmarks:{file}::{chosen.gt}" if chosen.gt else f"wflw:{shared / 'wflw-sample'}"
    arguments = ["score", f"{file}::{chosen.pred}", "--data", data, "--normaliser", chosen.normaliser]
    arguments += [] if chosen.gt is None else ["--scheme", chosen.scheme]
    arguments += [word for value in chosen.thresholds for word in ("--threshold", str(value))]
    assert main([*arguments, "-o", str(tmp_path / "run")]) == 0
    run = nb.load(tmp_path / "run")
    (cell,) = run.record.cells
    with np.load(file) as stored:
        pred = stored[chosen.pred]
    result = nb.evaluate(
        pred,
        run.faces_frame(landmarks=True),
        scheme=chosen.scheme,
        normaliser=chosen.normaliser,
        subsets=run.faces.subsets,
        images=run.faces.image,
        thresholds=chosen.thresholds,
    )
    assert np.array_equal(result.per_face, run.per_face[cell.id])
    with (run.path / "scores.csv").open() as table:
        rows = {row["subset"]: row for row in csv.DictReader(table)}
    shown = result.scores.set_index("subset")
    assert set(shown.index) == set(rows)
    for subset in shown.index:
        for metric in shown.columns[1:]:
            assert f"{shown.loc[subset, metric]:.10g}" == rows[subset][metric], (subset, metric)
    ends = np.linspace(0, 20, 401)
    slow = [np.mean([value <= end for value in run.per_face[cell.id]]) for end in ends]
    assert np.array_equal(result.ced(ends), metrics.ced(run.per_face[cell.id], ends))
    assert np.array_equal(result.ced(ends), slow)
    in_batches = [
        metrics.NME(chosen.scheme, chosen.normaliser),
        metrics.FailureRate(chosen.scheme, chosen.normaliser, threshold=chosen.thresholds[0]),
        metrics.AUC(chosen.scheme, chosen.normaliser, threshold=chosen.thresholds[0]),
    ]
    for start in range(0, len(pred), 64):
        rows_of = slice(start, start + 64)
        for metric in in_batches:
            metric.update(torch.from_numpy(pred[rows_of]), torch.from_numpy(run.faces.landmarks[rows_of]))
    assert [metric.compute().item() for metric in in_batches] == [result.nme, result.fr(), result.auc()]
