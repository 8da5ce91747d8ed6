"""Paired differences of decoders."""

from __future__ import annotations

import numpy as np
import pytest

from nmebench.reports.sections import differences
from nmebench.reports.view import RunView
from nmebench.runs.run_store import Run


def test_each_decoder_is_compared_with_the_plain_one(small_run: Run) -> None:
    view = RunView(small_run)
    found = differences.section(view)
    assert found is not None
    assert len(found.rows) == 2 / 3 * len(view.cells)
    for row in found.rows:
        assert row.baseline.decoder == "argmax"
        assert (row.baseline.model, row.baseline.flip, row.baseline.box) == (
            row.cell.model,
            row.cell.flip,
            row.cell.box,
        )
        mean = float(np.mean(view.nme[row.cell.index] - view.nme[row.baseline.index]))
        assert row.paired.difference == pytest.approx(mean)
        assert row.paired.low <= mean <= row.paired.high
        assert row.paired.p_holm >= row.paired.p
        assert 0 <= row.low <= row.position <= row.high <= 100
        assert (row.paired.outcome == "no significant difference") == (row.paired.p_holm >= 0.05)
