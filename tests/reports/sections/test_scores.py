"""The score tables and their marks."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nmebench import metrics
from nmebench.protocol import SUBSETS
from nmebench.reports.sections import scores as score_section
from nmebench.reports.view import RunView
from nmebench.runs.run_store import Run
from nmebench.scoring.rescore import rescore


def test_every_score_is_the_stored_one(small_run: Run) -> None:
    scores = small_run.scores.set_index(["cell", "subset"])
    found = score_section.section(RunView(small_run))
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


def test_heads_show_partial_subsets(small_run: Run) -> None:
    heads = dict(score_section.section(RunView(small_run))[0].subsets)
    assert heads["test"] == "60 of 2500"
    assert heads["pose"].endswith(" of 326")


def test_best_is_the_extreme_of_its_column(small_run: Run) -> None:
    for table in score_section.section(RunView(small_run)):
        for column in range(len(table.subsets)):
            values = [row.values[column] for row in table.rows]
            numbers = [v.value for v in values if v.value is not None]
            best = [v.value for v in values if v.mark == "best"]
            # One of several equal numbers is best, the others are ties.
            assert best == [min(numbers) if table.metric.lower_is_better else max(numbers)]
            assert all(v.mark for v in values if v.value == best[0])


def test_nme_below_one_percent_has_a_third_decimal(make_report_run: object, tmp_path: object) -> None:
    run = make_report_run(tmp_path / "run", models=("oracle",), decoders=("argmax", "dark"), faces=20)  # type: ignore[operator]
    tiny = {cell: nme / 20 for cell, nme in run.per_face.items()}
    scores = run.scores.assign(nme=run.scores["nme"] / 20)
    run.write_scores(scores, tiny)
    text = score_section.section(RunView(Run.open(run.path)))[0].rows[0].values[0].text
    assert len(text.partition(".")[2]) == 3


def test_values_per_face_average_to_the_scores(small_run: Run) -> None:
    view = RunView(small_run)
    for column in map(score_section.metric_column, ("nme", "fr10", "auc10")):
        means = metrics.per_face(view.nme, column.key).mean(1)
        stored = [view.scores[(c.id, "test")][column.key] for c in view.cells]
        np.testing.assert_allclose(means, stored, rtol=1e-8)


def test_faces_at_the_threshold_count_as_successes_in_the_marks(small_run: Run) -> None:
    """The first two cells have no failure, the others fail on half of the faces."""
    view = RunView(small_run)
    nme = np.full(view.nme.shape, 10.0)
    nme[2:, ::2] = np.nextafter(10.0, 11)
    view.__dict__["nme"] = nme
    mask = np.ones(nme.shape[1], bool)
    marks = score_section._marks(view, score_section.metric_column("fr10"), mask)
    assert [marks[cell.index] for cell in view.cells] == ["best", "tie", *[""] * (len(view.cells) - 2)]


def test_best_is_the_lowest_nme_over_all_faces(small_run: Run) -> None:
    found = score_section.best(score_section.section(RunView(small_run)))
    assert found is not None
    means = {cell: nme.mean() for cell, nme in small_run.per_face.items()}
    assert found.cell.id == min(means, key=lambda cell: means[cell])
    assert score_section.best(()) is None


def test_tables_and_marks_are_those_of_the_thresholds(small_run: Run, tmp_path: Path) -> None:
    run = rescore(small_run, tmp_path / "other", thresholds=[8, 2.5])
    view = RunView(run)
    found = score_section.section(view)
    assert [(t.metric.key, t.metric.name) for t in found] == [
        ("nme", "NME"), ("fr8", "FR@8"), ("auc8", "AUC@8"), ("fr2.5", "FR@2.5"), ("auc2.5", "AUC@2.5"),
    ]  # fmt: skip
    assert found[3].metric.long_name == "failure rate: faces with an NME above 2.5 %"
    for table, threshold in ((found[1], 8.0), (found[3], 2.5)):
        for row in table.rows:
            assert row.values[0].count == str(int((view.nme[row.cell.index] > threshold).sum()))
