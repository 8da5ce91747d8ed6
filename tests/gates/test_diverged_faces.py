"""Tests of the gate on faces that a decoder loses."""

from __future__ import annotations

import numpy as np
import pytest
from constant_run import constant

from nmebench.gates import gate, junit, make_baseline


class TestDivergedFaces:
    """One lost face moves the mean by any amount and is never significant: the gate looks at the face itself."""

    def test_a_newly_diverged_face_fails(self, run):
        reference = make_baseline(constant(run, 4.0))
        values = np.full(len(run.faces), 4.0)
        values[7] = 1e6
        result = gate(constant(run, values), reference)
        row = result.rows[0]
        assert row.p > 0.05, "the paired test doesn't see it"
        assert (row.outcome, result.exit_code) == ("diverged", 1)
        assert row.reason.startswith("diverged on 1 face: an NME above 100 %")
        assert 'type="diverged"' in junit(result)

    def test_a_face_that_had_diverged_before_passes(self, run):
        values = np.full(len(run.faces), 4.0)
        values[7] = 1e6
        reference = make_baseline(constant(run, values))
        assert gate(constant(run, values), reference).passed
        assert gate(constant(run, np.where(values > 100, 2e6, values)), reference).passed
        values[8] = 101.0
        assert gate(constant(run, values), reference).rows[0].outcome == "diverged"

    def test_an_equal_face_just_above_the_limit_is_not_new(self, run):
        """The baseline rounds 100.00004 to 100, which isn't above the limit."""
        values = np.full(len(run.faces), 4.0)
        values[7] = 100.00004
        assert gate(constant(run, values), make_baseline(constant(run, values))).passed

    @pytest.mark.parametrize("now", [1.1e6, 4.0])
    def test_a_face_that_had_diverged_before_hides_no_regression(self, run, now):
        values = np.full(len(run.faces), 4.0)
        values[7] = 1e6
        run.faces.subsets.clear()
        reference = make_baseline(constant(run, values))
        result = gate(constant(run, np.where(values > 100, now, values + 1)), reference)
        row = result.rows[0]
        assert (row.outcome, row.subset, row.before, row.difference) == ("regressed", "test", 4.0, pytest.approx(1.0))
        assert any("1 face with an NME above 100 % in the baseline" in note for note in result.notes)

    def test_a_baseline_of_diverged_faces_alone_is_compared(self, run):
        reference = make_baseline(constant(run, 150.0))
        assert gate(constant(run, 150.0), reference).passed
        assert gate(constant(run, 160.0), reference).rows[0].outcome == "regressed"

    @pytest.mark.parametrize("nme", [1e15, 1e30])
    def test_an_enormous_error_fits_into_a_baseline(self, run, nme):
        values = np.full(len(run.faces), 4.0)
        values[7] = nme
        reference = make_baseline(constant(run, values))
        assert reference.face_nme(run.record.cells[0].id).max() == pytest.approx(1e9)
        assert gate(constant(run, values), reference).passed
