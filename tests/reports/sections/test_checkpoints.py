"""NME of the checkpoints of one training against the epoch."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nmebench.reports import page
from nmebench.reports.sections import checkpoints
from nmebench.reports.view import RunView
from nmebench.runs.run_record import CheckpointRecord
from nmebench.runs.run_store import Run

Build = Callable[..., Run]
EPOCHS = (1, 2, 10, 20)


@pytest.fixture
def trained(make_report_run: Build, tmp_path: Path) -> Callable[..., RunView]:
    """Builds a run of four checkpoints; the error grows with the position of the network."""

    def build(*, steps: tuple[int | None, ...] = EPOCHS, decoders: tuple[str, ...] = ("dark",)) -> RunView:
        names = [f"net@epoch_{number}" for number in range(len(steps))]
        run = make_report_run(
            tmp_path / "run", models=names, decoders=decoders, flips=("none",), faces=60, pictures=False
        )
        models = [
            model.model_copy(
                update={
                    "checkpoint": CheckpointRecord(series="net", unit="epoch" if step is not None else None, step=step),
                    "weights_name": f"{model.name}.pth",
                }
            )
            for model, step in zip(run.record.models, steps, strict=True)
        ]
        record = run.record.model_copy(update={"models": models})
        (run.path / "run.json").write_text(record.model_dump_json())
        return RunView(Run.open(run.path))

    return build


def test_rows_have_the_scores_in_the_order_of_the_epochs(trained: Callable[..., RunView]) -> None:
    view = trained(steps=(20, 1, 10, 2))
    (series,) = checkpoints.section(view)
    assert [row.step for row in series.rows] == ["1", "2", "10", "20"]
    by_step = dict(zip((20, 1, 10, 2), view.cells, strict=True))
    for row in series.rows:
        score = view.scores[by_step[int(row.step)].id, "test"]
        assert row.nme == f"{float(score['nme']):.2f}"
        assert row.interval == f"{float(score['nme_low']):.2f} to {float(score['nme_high']):.2f}"
    best = int(np.argmin(view.nme.mean(1)))
    assert [row.step for row in series.rows if row.mark == "best"] == [str((20, 1, 10, 2)[best])]


def test_page_says_that_the_choice_is_a_look_at_the_test_set(trained: Callable[..., RunView]) -> None:
    view = trained()
    (series,) = checkpoints.section(view)
    assert re.match(
        r"The lowest NME is [\d.]+ % \(epoch 1\); the last checkpoint \(epoch 20\) has [\d.]+ %\.", series.text
    )
    text = page.html(view.run)
    assert "which is a look at the test set" in text
    assert "best: epoch 1" in text
    assert text == page.html(view.run)


def test_one_line_per_protocol(trained: Callable[..., RunView]) -> None:
    (series,) = checkpoints.section(trained(decoders=("argmax", "dark")))
    assert [line.label for line in series.lines] == ["argmax", "dark"]
    assert sum(row.mark == "best" for row in series.rows) == 2


def test_files_without_a_number_are_in_the_table_alone(trained: Callable[..., RunView]) -> None:
    (series,) = checkpoints.section(trained(steps=(1, 2, None, 3)))
    assert [row.step for row in series.rows] == ["1", "2", "3", "–"]
    (series,) = checkpoints.section(trained(steps=(None, None, None, 3)))
    assert series.figure is None
    assert "Neither the file names" in page.html(trained(steps=(None, None, None, 3)).run)


def test_run_without_checkpoints_has_no_section(make_report_run: Build, tmp_path: Path) -> None:
    run = make_report_run(tmp_path / "run", models=("a", "b"), decoders=("dark",), faces=20, pictures=False)
    assert checkpoints.section(RunView(run)) == ()
    assert 'id="checkpoints"' not in page.html(run)


def test_names_are_escaped(trained: Callable[..., RunView]) -> None:
    view = trained()
    models = [m.model_copy(update={"weights_name": "<script>x</script>.pth"}) for m in view.run.record.models]
    (view.run.path / "run.json").write_text(view.run.record.model_copy(update={"models": models}).model_dump_json())
    assert "<script>x" not in page.html(Run.open(view.run.path))


def test_diverged_checkpoint_is_in_the_table_and_not_in_the_plot(trained: Callable[..., RunView]) -> None:
    view = trained()
    cells = [replace(cell, diverged="diverged on 3 faces" if cell.index == 0 else "") for cell in view.cells]
    vars(view)["cells"] = tuple(cells)
    (series,) = checkpoints.section(view)
    assert (series.diverged, series.rows[0].mark, series.rows[1].mark) == (1, "diverged on 3 faces", "best")
    vars(view)["cells"] = tuple(replace(cell, diverged="diverged on 3 faces") for cell in cells)
    (series,) = checkpoints.section(view)
    assert series.diverged == 0
    assert series.rows[0].mark == "best, diverged on 3 faces"
    assert series.figure is not None
