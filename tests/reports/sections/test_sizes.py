"""Error by face size."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from nmebench.reports.sections import sizes
from nmebench.reports.view import RunView
from nmebench.runs.run_store import Run


def test_bins_partition_the_faces_by_size() -> None:
    size = np.random.default_rng(1).lognormal(5, 1, 103)
    parts = sizes.bins(size)
    assert sorted(np.concatenate(parts).tolist()) == list(range(103))
    assert {len(p) for p in parts} <= {12, 13}
    assert all(size[a].max() <= size[b].min() for a, b in pairwise(parts))


def test_table_has_the_mean_nme_of_each_bin(small_run: Run) -> None:
    view = RunView(small_run)
    found = sizes.section(view)
    assert found is not None
    extent = view.run.faces.size
    parts = sizes.bins(np.sqrt(extent[:, 0] * extent[:, 1]))
    row = found.rows[0]
    assert list(row.texts) == [f"{view.nme[row.cell.index][part].mean():.2f}" for part in parts]
