"""The tables of scores and what is marked in them."""

from __future__ import annotations

import numpy as np
import pytest

from nmebench.protocol import SUBSETS
from nmebench.reports.sections import tables
from nmebench.reports.significance import best_and_ties, paired_with_holm
from nmebench.reports.view import RunView
from nmebench.runs.run_store import Run


def test_every_number_is_the_stored_one(small_run: Run) -> None:
    scores = small_run.scores.set_index(["cell", "subset"])
    found = tables.section(RunView(small_run))
    assert [t.metric.key for t in found] == ["nme", "fr10", "auc10"]
    for table in found:
        assert tuple(s for s, _ in table.subsets) == SUBSETS
        assert len(table.rows) == len(small_run.record.cells)
        digits = {"nme": 2, "fr10": 2, "auc10": 4}[table.metric.key]
        for row in table.rows:
            for subset, value in zip(SUBSETS, row.values, strict=True):
                stored = scores.loc[(row.cell.id, subset)]
                assert value.text == f"{stored[table.metric.key]:.{digits}f}"
                low, high = stored[f"{table.metric.key}_low"], stored[f"{table.metric.key}_high"]
                assert value.interval == f"{low:.{digits}f}–{high:.{digits}f}"


def test_partial_sets_are_named_in_every_head(small_run: Run) -> None:
    heads = dict(tables.section(RunView(small_run))[0].subsets)
    assert heads["test"] == "60 of 2500"
    assert heads["pose"].endswith(" of 326")


def test_best_is_the_extreme_of_its_column(small_run: Run) -> None:
    for table in tables.section(RunView(small_run)):
        for column in range(len(table.subsets)):
            values = [row.values[column] for row in table.rows]
            numbers = [v.value for v in values if v.value is not None]
            best = [v.value for v in values if v.mark == "best"]
            # Of equal numbers one is called best, the others tie with it.
            assert best == [min(numbers) if table.metric.lower_is_better else max(numbers)]
            assert all(v.mark for v in values if v.value == best[0])


def test_floors_below_one_percent_get_a_third_digit(make_run: object, tmp_path: object) -> None:
    run = make_run(tmp_path / "run", models=("oracle",), decoders=("argmax", "dark"), faces=20)  # type: ignore[operator]
    tiny = {cell: nme / 20 for cell, nme in run.per_face.items()}
    scores = run.scores.assign(nme=run.scores["nme"] / 20)
    run.write_scores(scores, tiny)
    text = tables.section(RunView(Run.open(run.path)))[0].rows[0].values[0].text
    assert len(text.partition(".")[2]) == 3


def test_ties_follow_the_paired_test() -> None:
    rng = np.random.default_rng(3)
    faces = rng.gamma(4, 1.2, 800)
    clusters = np.arange(800) // 2
    values = np.stack([faces, faces + rng.normal(0, 0.05, 800), faces + 0.3 + rng.normal(0, 0.05, 800)])
    assert set(best_and_ties(values, clusters, lower_is_better=True)[:2]) == {"best", "tie"}
    assert best_and_ties(values, clusters, lower_is_better=True)[2] == ""
    assert best_and_ties(values, clusters, lower_is_better=False) == ("", "", "best")
    assert best_and_ties(values[:1], clusters, lower_is_better=True) == ("",)


def test_paired_leaves_out_faces_without_a_number() -> None:
    a, b = np.array([1.0, 2.0, np.nan, 4.0]), np.array([0.5, 1.0, 9.0, 2.0])
    found = paired_with_holm([(a, b), (np.full(4, np.nan), b)], np.arange(4))
    assert found[0].difference == pytest.approx((0.5 + 1 + 2) / 3)
    assert found[0].low < found[0].difference < found[0].high
    assert np.isnan(found[1].difference)
    assert found[1].p_holm == 1


def test_face_values_average_to_the_metrics(small_run: Run) -> None:
    view = RunView(small_run)
    for metric in tables.METRICS:
        means = tables.face_values(view.nme, metric).mean(1)
        stored = [view.scores[(c.id, "test")][metric.key] for c in view.cells]
        np.testing.assert_allclose(means, stored, rtol=1e-8)
