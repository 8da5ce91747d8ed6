"""Tests of the gate: planted regressions fail and name the cell; unchanged runs and noise pass."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nmebench import scoring
from nmebench.errors import InputError
from nmebench.gate import (
    Baseline,
    gate,
    junit,
)
from nmebench.runs.run_store import Run

DARK = ("net", "dark", "flip+shift", "landmarks")
QUARTER = ("net", "quarter-offset", "flip+shift", "landmarks")


def heatmap_px(faces):
    """One heatmap px (of 64) in image px, ``[N, 1, 1]``."""
    return (1.25 * 3 * faces.normaliser / 64)[:, None, None]


def test_unchanged_run_passes(run, baseline):
    result = gate(run, baseline)
    assert result.passed
    assert result.exit_code == 0
    assert [row.outcome for row in result.rows] == ["passed", "passed"]
    assert all(abs(row.difference) < 1e-5 for row in result.rows)


@pytest.mark.parametrize(
    ("offset", "axis"),
    [
        pytest.param(0.5, (1, 1), id="half-a-heatmap-px"),
        pytest.param(0.1, (1, 0), id="0.1-px-in-x"),
        pytest.param(-0.1, (0, 1), id="-0.1-px-in-y"),
    ],
)
def test_shifted_decoder_fails_and_is_named(make_run, predictions, many_faces, baseline, offset, axis):
    moved = predictions[QUARTER] + offset * heatmap_px(many_faces) * np.array(axis)
    result = gate(make_run({DARK: predictions[DARK], QUARTER: moved}, table=many_faces), baseline)
    assert result.exit_code == 1
    assert [(row.cell, row.outcome) for row in result.rows if row.failed] == [
        ("net__quarter-offset__flip+shift__landmarks", "regressed")
    ]
    assert "net__quarter-offset" in result.summary


def test_missing_flip_test_fails(make_run, predictions, many_faces, baseline):
    cells = {(m, d, "none", b): landmarks for (m, d, _, b), landmarks in predictions.items()}
    result = gate(make_run(cells, table=many_faces), baseline)
    assert [row.outcome for row in result.rows] == ["missing", "missing", "new", "new"]
    assert result.exit_code == 3
    one = {DARK: predictions[DARK], ("net", "quarter-offset", "none", "landmarks"): predictions[QUARTER]}
    result = gate(make_run(one, table=many_faces, name="one"), baseline)
    assert result.exit_code == 1
    assert "net__quarter-offset__flip+shift__landmarks" in result.summary


def test_fifty_runs_with_noise_pass(run, predictions, many_faces, baseline):
    """Another bootstrap seed, another batch size and other ties don't fail.

    Another batch size changes landmarks in the 5th digit; a tie that is decided differently moves one by a heatmap px.
    """
    for number in range(50):
        rng = np.random.default_rng([17, number])
        for cell, landmarks in zip(run.record.cells, predictions.values(), strict=True):
            moved = landmarks + rng.normal(0, 1e-4, landmarks.shape)
            ties = rng.random(landmarks.shape[:2]) < 2e-4
            moved[ties] += heatmap_px(many_faces)[np.nonzero(ties)[0], 0] * rng.choice([-1, 1], (ties.sum(), 2))
            Run.write_cell(run.path, cell.id, moved, np.ones(landmarks.shape[:2]))
        scoring.score(run, resamples=20, seed=number)
        assert gate(run, baseline).passed, number


def test_regression_in_one_subset_fails(make_run, predictions, many_faces, baseline):
    moved = predictions[DARK].copy()
    pose = many_faces.subsets["pose"]
    moved[pose] = many_faces.landmarks[pose] + 1.2 * (moved[pose] - many_faces.landmarks[pose])
    (row, _) = gate(make_run({**predictions, DARK: moved}, table=many_faces), baseline).rows
    assert (row.outcome, row.subset) == ("regressed", "pose")


def test_improvement_passes_and_suggests_an_update(make_run, predictions, many_faces, baseline):
    better = many_faces.landmarks + 0.8 * (predictions[DARK] - many_faces.landmarks)
    (row, _) = gate(make_run({**predictions, DARK: better}, table=many_faces), baseline).rows
    assert row.outcome == "passed"
    assert "--update" in row.reason


def test_margin(make_run, predictions, many_faces, baseline):
    worse = many_faces.landmarks + 1.01 * (predictions[DARK] - many_faces.landmarks)
    run = make_run({**predictions, DARK: worse}, table=many_faces)
    assert gate(run, baseline).exit_code == 1
    assert gate(run, baseline, margin=0.1).passed
    with pytest.raises(InputError, match="margin"):
        gate(run, baseline, margin=-1)


class TestNotComparable:
    """Runs that can't be compared with the baseline."""

    def test_other_faces(self, make_run, predictions, many_faces, baseline):
        truth = many_faces.landmarks.copy()
        truth[7, 3, 0] += 0.01
        result = gate(make_run(predictions, table=replace(many_faces, landmarks=truth)), baseline)
        assert (result.exit_code, {r.outcome for r in result.rows}) == (3, {"changed"})
        assert "ground truth differ" in result.summary

    def test_float_noise_in_the_ground_truth_is_ignored(self, make_run, predictions, many_faces, baseline):
        noisy = replace(many_faces, landmarks=many_faces.landmarks * (1 + 1e-15))
        assert gate(make_run(predictions, table=noisy), baseline).passed

    def test_another_dataset(self, make_run, predictions, many_faces, baseline):
        result = gate(make_run(predictions, table=many_faces, dataset="synthface"), baseline)
        assert "the dataset was wflw, is synthface" in result.summary

    def test_another_protocol(self, run, baseline):
        stored = baseline.model_dump()
        cell = "net__dark__flip+shift__landmarks"
        stored["cells"][cell] |= {"input_size": (128, 128), "convention": "udp"}
        result = gate(run, Baseline.model_validate(stored))
        assert result.exit_code == 1
        row = result.rows[0]
        assert (row.cell, row.outcome) == (cell, "changed")
        assert "convention was udp, is stride" in row.reason

    def test_no_cell_in_common(self, make_run, predictions, many_faces, baseline):
        other = {("other", *protocol[1:]): landmarks for protocol, landmarks in predictions.items()}
        result = gate(make_run(other, table=many_faces), baseline)
        assert result.exit_code == 3
        assert "nothing was comparable" in result.summary
        assert "nothing comparable" in junit(result)
