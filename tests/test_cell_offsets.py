"""The table of ``docs/tools/cell_offsets.py``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import six_faces
from cell_offsets import offsets

from nmebench.errors import InputError
from nmebench.runs.run_store import Run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    table, record = six_faces.face_table("abcdef"), six_faces.record_of()
    return six_faces.write_run(tmp_path, table, record, pictures=[b""] * six_faces.FACES, timings={}, resamples=50)


def test_offset_and_peak_of_each_cell(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Landmarks that are moved by 3 and -1 input px, in boxes of half and twice the input's size."""
    size = np.asarray(run.model(run.record.cells[0].model).input_size)
    scale = np.where(np.arange(len(run.faces)) % 2, 2.0, 0.5)[:, None]
    faces = replace(run.faces, size=size * scale)
    predicted = faces.landmarks + np.asarray([3.0, -1.0]) * scale[:, None]
    monkeypatch.setitem(vars(run), "faces", faces)
    monkeypatch.setattr(Run, "landmarks", lambda _self, _cell: predicted)
    (head, row, *_) = offsets(run).splitlines()
    found = dict(zip(head.split(","), row.split(","), strict=True))
    assert (found["dx"], found["dy"]) == ("3.000", "-1.000")
    assert float(found["median_confidence"]) == pytest.approx(float(np.median(run.confidence(run.record.cells[0].id))))


def test_run_with_several_boxes_is_refused(run: Run) -> None:
    cell = run.record.cells[0]
    record = run.record.model_copy(update={"cells": [cell, cell.model_copy(update={"box": "other"})]})
    with pytest.raises(InputError, match="give a run with one box"):
        offsets(Run(run.path, record))


@pytest.mark.parametrize(("result", "left"), [("h3r-wflw-sample", -0.7), ("h3r-wflw-sample-authors-crop", -0.3)])
def test_figures_of_the_decoders_page(result: str, left: float) -> None:
    """The stored tables have the numbers that docs/decoders.md names, and the NME of the committed scores."""
    folder = Path(__file__).parents[1] / "docs" / "results" / result
    table = pd.read_csv(folder / "offsets.csv").set_index(["decoder", "flip"])
    assert round(table.dx["dark", "none"], 1) == left
    assert round(table.dx["dark", "flip+shift"] - table.dx["dark", "flip+align"], 1) == 0.5
    assert round(table.median_confidence["argmax", "none"], 1) == 0.2
    assert round(table.nme["soft-argmax:temperature=256", "none"], 1) == 6.5
    scores = pd.read_csv(folder / "scores.csv").query("subset == 'test'").set_index(["decoder", "flip"])
    for cell in [("argmax", "none"), ("dark", "flip+shift"), ("soft-argmax", "flip+align")]:
        assert table.nme[cell] == pytest.approx(scores.nme[cell], abs=6e-4)
