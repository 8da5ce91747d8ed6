"""Error by face size."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

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


def test_interval_treats_the_faces_of_a_photograph_as_dependent() -> None:
    """Against sums over photographs with one degree of freedom less than photographs."""
    rng = np.random.default_rng(2)
    clusters = rng.integers(0, 12, 40)
    nme = 4 + rng.normal(0, 1, 12)[clusters] + rng.normal(0, 0.3, 40)
    photographs = sorted(set(clusters.tolist()))
    residuals = [sum(nme[i] - nme.mean() for i in range(40) if clusters[i] == c) for c in photographs]
    count = len(photographs)
    error = (count / (count - 1) * sum(r * r for r in residuals)) ** 0.5 / 40
    reach = stats.t.ppf(0.975, count - 1) * error
    assert sizes.interval(nme, clusters) == pytest.approx((nme.mean() - reach, nme.mean() + reach))


def test_repeated_faces_of_a_photograph_do_not_narrow_the_interval() -> None:
    nme = np.array([3.0, 4.0, 5.0, 6.0, 9.0])
    once = sizes.interval(nme, np.arange(5))
    assert sizes.interval(np.tile(nme, 4), np.tile(np.arange(5), 4)) == pytest.approx(once)


def test_every_bin_is_plotted_with_the_interval_of_its_photographs(
    small_run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = RunView(small_run)
    seen: list[list[int]] = []

    def recorded(nme: np.ndarray, clusters: np.ndarray) -> tuple[float, float]:
        seen.append(clusters.tolist())
        return float("nan"), float("nan")  # one photograph: the bin is drawn without an interval

    monkeypatch.setattr(sizes, "interval", recorded)
    found = sizes.section(view)
    assert found is not None
    extent = view.run.faces.size
    parts = sizes.bins(np.sqrt(extent[:, 0] * extent[:, 1]))
    assert seen == [view.run.faces.clusters[part].tolist() for part in parts] * len(found.rows)
