"""Tests of the gate: planted regressions fail and name the cell; unchanged runs and noise pass."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from constant_run import constant

from nmebench import scoring
from nmebench.errors import InputError
from nmebench.gates import (
    Baseline,
    gate,
    junit,
    lines,
    make_baseline,
    markdown,
)
from nmebench.runs.run_record import SourceRecord
from nmebench.runs.run_store import Run
from nmebench.statistics import paired_difference

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

    def test_subset_that_vanished(self, make_run, predictions, many_faces, baseline):
        """The same faces without attributes: the regression in a subset can't be seen any more."""
        empty = {name: mask if name == "test" else np.zeros_like(mask) for name, mask in many_faces.subsets.items()}
        result = gate(make_run(predictions, table=replace(many_faces, subsets=empty)), baseline)
        assert result.exit_code == 3
        assert {row.outcome for row in result.rows} == {"changed"}
        assert "no face in the subset pose, which" in result.rows[0].reason
        assert "no face in the subset blur, which" in result.rows[0].reason

    def test_subset_with_other_faces(self, make_run, predictions, many_faces, baseline):
        moved = {**many_faces.subsets, "pose": np.roll(many_faces.subsets["pose"], 1)}
        row, _ = gate(make_run(predictions, table=replace(many_faces, subsets=moved)), baseline).rows
        assert (row.outcome, row.reason) == ("changed", "the subset pose holds other faces than in the baseline")

    @pytest.mark.parametrize(
        ("configuration", "change"),
        [
            pytest.param({"box_padding": 1.28}, "box padding was 1.25, is 1.28", id="padding"),
            pytest.param({"colour": "bgr"}, "colour was rgb, is bgr", id="colour"),
            pytest.param({"options": {"a": 1}}, "architecture options was none, is a=1", id="options"),
        ],
    )
    def test_another_setting(self, make_run, predictions, many_faces, baseline, configuration, change):
        result = gate(make_run(predictions, table=many_faces, configuration=configuration), baseline)
        assert result.exit_code == 3
        assert {(row.outcome, row.reason) for row in result.rows} == {("changed", change)}

    def test_baseline_without_settings_is_noted(self, run, baseline):
        raw = baseline.model_dump()
        for cell in raw["cells"].values():
            cell["settings"] = None
        result = gate(run, Baseline.model_validate(raw))
        assert result.passed
        assert "doesn't record box padding" in result.notes[0]


class TestMarginAndSignificance:
    """A cell regresses only when the difference is over the margin and significant."""

    @pytest.mark.parametrize(
        ("nme", "outcome", "reason"),
        [
            pytest.param(4.5, "passed", "unchanged within the margin", id="at-the-margin"),
            pytest.param(4.5 + 2**-20, "regressed", "NME of test is worse by 0.5000", id="over-the-margin"),
            pytest.param(3.5, "passed", "unchanged within the margin", id="better-by-the-margin"),
            pytest.param(3.5 - 2**-20, "passed", "better by 0.5000 points; make it", id="better"),
        ],
    )
    def test_margin_is_exclusive(self, run, nme, outcome, reason):
        reference = make_baseline(constant(run, 4.0))
        row, _ = gate(constant(run, nme), reference, margin=0.5).rows
        assert (row.outcome, row.reason.startswith(reason)) == (outcome, True), row.reason

    @pytest.mark.parametrize("sign", [1, -1], ids=["worse", "better"])
    def test_difference_that_is_not_significant_passes(self, run, sign):
        reference = make_baseline(constant(run, 40.0))
        noise = np.random.default_rng(0).normal(0, 5, len(run.faces))
        noise += sign * 0.1 - noise.mean()
        row, _ = gate(constant(run, 40 + noise), reference).rows
        assert row.difference == pytest.approx(sign * 0.1, abs=1e-3)
        assert row.p > 0.05
        assert (row.outcome, "which is not significant" in row.reason) == ("passed", True), row.reason

    @pytest.mark.parametrize(("level", "outcome"), [(0.9, "regressed"), (0.999999, "passed")])
    def test_level_decides(self, run, level, outcome):
        reference = make_baseline(constant(run, 40.0))
        noise = np.random.default_rng(0).normal(0, 5, len(run.faces))
        noise += 0.9 - noise.mean()
        row, _ = gate(constant(run, 40 + noise), reference, level=level).rows
        assert row.outcome == outcome
        assert 1e-6 < row.p < 0.1

    def test_p_is_corrected_for_all_comparisons(self, run):
        """A difference that one test alone would call significant passes among six comparisons."""
        reference = make_baseline(constant(run, 40.0))
        noise = np.random.default_rng(0).normal(0, 5, len(run.faces))
        noise += 0.5 - noise.mean()
        row, other = gate(constant(run, 40 + noise), reference).rows
        masks = [mask for mask in run.faces.subsets.values() if mask.any()]
        cell = run.record.cells[0].id
        old, new = reference.face_nme(cell), run.per_face[cell]
        alone = [paired_difference(old[mask], new[mask], run.faces.clusters[mask]).p for mask in masks]
        assert len(row.changes) + len(other.changes) == 6
        assert alone[0] < 0.05 < 6 * alone[0], "the case must separate corrected from uncorrected"
        assert row.p == pytest.approx(6 * alone[0])
        assert row.outcome == "passed"

    @pytest.mark.parametrize("level", [0, 1, -0.1, float("nan")])
    def test_level_out_of_range_is_refused(self, run, baseline, level):
        with pytest.raises(InputError, match="level"):
            gate(run, baseline, level=level)

    @pytest.mark.parametrize("margin", [float("inf"), float("nan")])
    def test_margin_that_is_no_number_is_refused(self, run, baseline, margin):
        with pytest.raises(InputError, match="margin"):
            gate(run, baseline, margin=margin)


def test_heatmaps_without_a_landmark_are_noted(run, baseline):
    cell = run.record.cells[0].model_copy(update={"counts": {"invalid": 3, "empty": 2}})
    object.__setattr__(run, "record", run.record.model_copy(update={"cells": [cell, run.record.cells[1]]}))
    result = gate(run, baseline)
    assert result.notes == (f"{cell.id}: 3 heatmaps are invalid", f"{cell.id}: 2 heatmaps are empty")
    assert f"note: {cell.id}: 3 heatmaps are invalid" in lines(result)
    assert "3 heatmaps are invalid" in markdown(result)


class TestShownSubsets:
    """A row shows all faces and the worst subset, whichever of them decided."""

    def test_every_subset_is_there(self, run, baseline):
        row, _ = gate(run, baseline).rows
        assert [change.subset for change in row.changes] == ["test", "pose", "blur"]
        assert row.test.subset == "test"
        masks = {name: mask for name, mask in run.faces.subsets.items() if mask.any()}
        for change in row.changes:
            assert change.after == pytest.approx(run.per_face[row.cell][masks[change.subset]].mean(), abs=1e-4)

    def test_worst_is_the_largest_increase(self, make_run, predictions, many_faces, baseline):
        moved = predictions[DARK].copy()
        pose = many_faces.subsets["pose"]
        moved[pose] = many_faces.landmarks[pose] + 1.2 * (moved[pose] - many_faces.landmarks[pose])
        result = gate(make_run({**predictions, DARK: moved}, table=many_faces), baseline)
        row, _ = result.rows
        assert row.worst.subset == "pose"
        assert row.worst.difference > row.test.difference > 0
        line = lines(result)[0]
        assert "test NME " in line
        assert "worst subset pose NME " in line
        table = markdown(result).splitlines()
        assert any("| pose: " in cell and f"**{row.worst.difference:+.4f}**" in cell for cell in table)

    def test_an_improved_subset_may_be_the_worst(self, make_run, predictions, many_faces, baseline):
        better = many_faces.landmarks + 0.8 * (predictions[DARK] - many_faces.landmarks)
        row, _ = gate(make_run({**predictions, DARK: better}, table=many_faces), baseline).rows
        assert row.worst.difference < 0


class TestCommits:
    """The commits of both sides, with their uncommitted changes."""

    @staticmethod
    def committed(run, sha, *, dirty):
        provenance = run.record.provenance.model_copy(update={"git_commit": sha, "git_dirty": dirty})
        object.__setattr__(run, "record", run.record.model_copy(update={"provenance": provenance}))
        return run

    def test_both_are_shown(self, run):
        reference = make_baseline(self.committed(run, "a" * 40, dirty=False))
        result = gate(self.committed(run, "b" * 40, dirty=True), reference)
        assert result.commits == "baseline aaaaaaaaaa, run bbbbbbbbbb with uncommitted changes"
        assert f"commits: {result.commits}" in lines(result)
        assert "Baseline aaaaaaaaaa, run bbbbbbbbbb with uncommitted changes." in markdown(result)
        assert result.commits in junit(result)
        assert "the run was measured with uncommitted changes" in result.notes[0]

    def test_a_baseline_keeps_its_dirty_flag(self, run, tmp_path):
        make_baseline(self.committed(run, "a" * 40, dirty=True)).write(tmp_path / "b.json")
        result = gate(self.committed(run, "b" * 40, dirty=None), Baseline.read(tmp_path / "b.json"))
        assert result.commits == "baseline aaaaaaaaaa with uncommitted changes, run bbbbbbbbbb"
        assert result.notes[0].startswith("the baseline was measured with uncommitted changes")

    def test_unknown_commits(self, run, baseline):
        assert gate(run, baseline).commits == "baseline of an unknown commit, run of an unknown commit"


class TestLimitsAlone:
    """Without a baseline the limits decide."""

    def test_cells_within_and_over(self, run):
        result = gate(run, None, limits=["nme<=4.0", "*quarter*/nme@pose<=100"])
        nme = {cell: float(values.mean()) for cell, values in run.per_face.items()}
        expected = ["passed" if value <= 4.0 else "over limit" for value in nme.values()]
        assert [row.outcome for row in result.rows] == expected
        assert set(expected) == {"passed", "over limit"}, "the limit must separate the two cells"
        assert (result.exit_code, result.nothing_comparable) == (1, False)
        assert result.rows[0].reason == f"nme<=4: NME is {nme[result.rows[0].cell]:.4f} %"
        assert "no baseline" in result.summary

    def test_cells_without_a_limit_are_left_out(self, run):
        result = gate(run, None, limits=["*quarter*/nme<=100"])
        assert [row.cell for row in result.rows] == ["net__quarter-offset__flip+shift__landmarks"]
        assert result.passed
        assert result.summary == "gate passed: 1 cell within the limits on 500 faces of wflw, no baseline"
        assert "| cell | result | limits |" in markdown(result)

    def test_neither_baseline_nor_limit_is_refused(self, run):
        with pytest.raises(InputError, match="neither a baseline nor a limit"):
            gate(run, None)


def test_control_characters_of_a_baseline_are_escaped(run, baseline):
    raw = baseline.model_dump()
    raw["cells"]["evil\x1b[2Jname"] = next(iter(raw["cells"].values()))
    found = lines(gate(run, Baseline.model_validate(raw)))
    assert not any("\x1b" in line for line in found)
    assert any("evil\\x1b[2Jname" in line for line in found)


def test_differences_of_the_code_are_noted(run, tmp_path):
    """They answer whether a plug-in's commit changed a number; an older baseline has no such record."""
    plugin = SourceRecord(name="net", used_by=["model net"], sha256="a" * 64, git_commit="1" * 40, git_dirty=False)

    def measured(source, torch):
        update = {"plugins": [source], "packages": {"torch": torch}, "host": {"processor": "x"}}
        provenance = run.record.provenance.model_copy(update=update)
        return replace(run, record=run.record.model_copy(update={"provenance": provenance}))

    file = tmp_path / "baseline.json"
    make_baseline(measured(plugin, "2.6")).write(file)
    assert '"host": {}' in file.read_text()
    later = measured(plugin.model_copy(update={"sha256": "b" * 64, "git_commit": "2" * 40}), "2.7")
    assert gate(later, Baseline.read(file)).notes == (
        "baseline / run: other packages: torch 2.6 / 2.7",
        "baseline / run: plug-in net (model net): other source (commit 111111111111, files aaaaaaaaaaaa / commit "
        "222222222222, files bbbbbbbbbbbb)",
    )
    older = Baseline.read(file).model_copy(update={"provenance": None})
    assert gate(later, older).notes == ()
