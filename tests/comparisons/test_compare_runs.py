"""Tests of ``compare``: matching of faces and cells, paired differences, refused inputs."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from nmebench.comparisons import CellDifference, as_json, compare, lines, markdown
from nmebench.errors import InputError
from nmebench.runs.run_store import Run
from nmebench.statistics import PairedDifference, paired_difference

DARK = ("net", "dark", "none", "landmarks")
ARGMAX = ("net", "argmax", "none", "landmarks")


@pytest.fixture
def noise(small_faces):
    return 4 + np.random.default_rng(2).normal(0, 0.2, len(small_faces))


def rows_of(table, keep):
    """A table of the given rows, in the given order."""
    return replace(
        table,
        image=[table.image[i] for i in keep],
        subsets={name: mask[keep] for name, mask in table.subsets.items()},
        **{name: getattr(table, name)[keep] for name in ("line", "landmarks", "normaliser", "centre", "size")},
    )


def test_equal_cells_on_equal_faces(make_run, noise, small_faces):
    a = make_run({DARK: noise, ARGMAX: noise + 1}, name="a")
    b = make_run({DARK: noise - 0.2, ARGMAX: noise + 1}, name="b")
    found = compare([a, b])
    dark, argmax = found.rows
    expected = paired_difference(a.per_face[a.record.cells[0].id], b.per_face[b.record.cells[0].id], a.faces.clusters)
    assert dark.differences[0] is None
    assert dark.differences[1].difference == pytest.approx(expected.difference)
    assert (dark.differences[1].result, argmax.differences[1].result) == ("better", "no difference")
    assert dark.scores[1].nme["test"] == pytest.approx(b.scores.iloc[0]["nme"])
    assert found.names == ("a", "b")
    assert found.exit_code == 0
    assert "2 comparisons on 60 common faces of wflw: 1 better, 1 no difference" in found.summary


def test_only_common_faces_count(make_run, noise, small_faces):
    keep = np.random.default_rng(1).permutation(60)[:40]
    a = make_run({DARK: noise}, name="a")
    b = make_run({DARK: noise[keep] + 0.5}, name="b", table=rows_of(small_faces, keep))
    found = compare([a, b])
    assert (found.faces, found.of) == (40, (60, 40))
    (row,) = found.rows
    assert row.differences[1].difference == pytest.approx(0.5, abs=1e-4)
    assert row.scores[0].nme["test"] == pytest.approx(noise[keep].mean(), abs=1e-4)


def test_repeated_line_is_two_faces(make_run, small_faces, noise):
    table = rows_of(small_faces, np.array([0, 0, 1, 2]))
    a = make_run({DARK: noise[:4]}, name="a", table=table)
    assert compare([a, a]).faces == 4


def test_network_under_another_name_is_matched(make_run, noise):
    a = make_run({DARK: noise, ARGMAX: noise}, name="a")
    b = make_run({("better", *DARK[1:]): noise - 1}, name="b", weights={"better": "1" * 64})
    found = compare([a, b])
    assert [row.label for row in found.rows] == ["net / better, dark, none, landmarks", "net, argmax, none, landmarks"]
    assert found.rows[0].differences[1].result == "better"
    assert found.rows[1].scores[1] is None
    assert any("the weights differ" in note for note in found.notes)


def test_two_candidates_are_not_matched(make_run, noise):
    a = make_run({DARK: noise}, name="a")
    b = make_run({("x", *DARK[1:]): noise, ("y", *DARK[1:]): noise}, name="b")
    found = compare([a, b])
    assert found.compared == 0
    assert found.exit_code == 3
    assert "nothing was comparable" in found.summary
    assert "`nmebench compare RUN:CELL RUN:CELL`" in found.summary
    assert "`nmebench compare RUN --all-pairs`" in found.summary


def test_three_runs_share_one_holm_correction(make_run, noise):
    runs = [make_run({DARK: noise + 0.3 * i}, name=f"r{i}") for i in range(3)]
    (row,) = compare(runs).rows
    assert [d.result for d in row.differences[1:]] == ["worse", "worse"]
    assert [s.nme["test"] for s in row.scores] == sorted(s.nme["test"] for s in row.scores)


def test_other_packages_are_noted(make_run, noise):
    a = make_run({DARK: noise}, name="a", packages={"torch": "2.6"})
    b = make_run({DARK: noise}, name="b", packages={"torch": "2.7"})
    assert compare([a, b]).notes == ("a / b: other packages: torch 2.6 / 2.7",)


@pytest.mark.parametrize(
    ("configuration", "note"),
    [
        pytest.param({"box_padding": 1.28}, "box padding 1.28 instead of 1.25", id="padding"),
        pytest.param({"colour": "bgr"}, "colour bgr instead of rgb", id="colour"),
        pytest.param(
            {"options": {"fusion": "nearest"}}, "architecture options fusion=nearest instead of none", id="options"
        ),
    ],
)
def test_other_settings_are_beside_the_result(make_run, noise, configuration, note):
    a = make_run({DARK: noise}, name="a")
    b = make_run({DARK: noise}, name="b", configuration=configuration)
    found = compare([a, b])
    assert found.rows[0].changes == ((), (note,))
    assert f"    measured with {note}" in lines(found)
    assert note in markdown(found)


def test_heatmaps_without_a_landmark_are_noted(make_run, noise):
    a, b = (make_run({DARK: noise}, name=name) for name in "ab")
    cell = b.record.cells[0].model_copy(update={"counts": {"invalid": 7, "empty": 0}})
    object.__setattr__(b, "record", b.record.model_copy(update={"cells": [cell]}))
    assert compare([a, b]).notes == ("net, dark, none, landmarks: 7 heatmaps are invalid in b",)


def test_p_at_the_level_is_not_significant():
    paired = PairedDifference(0.5, 0.1, 0.9, 0.25)
    assert CellDifference.of(paired, 0.25, 0.75).result == "no difference"
    assert CellDifference.of(paired, np.nextafter(0.25, 0), 0.75).result == "worse"


def test_runs_that_cannot_be_compared_are_refused(make_run, noise, small_faces):
    a = make_run({DARK: noise}, name="a")
    with pytest.raises(InputError, match="two or more"):
        compare([a])
    moved = make_run({DARK: noise}, name="c", table=replace(small_faces, landmarks=small_faces.landmarks + 1))
    with pytest.raises(InputError, match="no face in common: 60 faces are in photographs of both, but none has the"):
        compare([a, moved])
    renamed = make_run({DARK: noise}, name="d", table=replace(small_faces, image=["x.jpg"] * 60))
    with pytest.raises(InputError, match=r"no face in common .photograph and ground truth"):
        compare([a, renamed])
    other = make_run({DARK: noise}, name="e")
    record = other.record.model_copy(update={"dataset": other.record.dataset.model_copy(update={"scheme": "ibug68"})})
    object.__setattr__(other, "record", record)
    with pytest.raises(InputError, match=r"its landmark scheme is ibug68, that of .* is wflw98"):
        compare([a, other])


def test_another_dataset_with_the_same_faces_is_noted(make_run, noise):
    a = make_run({DARK: noise}, name="a")
    b = make_run({DARK: noise}, name="b", dataset="copy")
    found = compare([a, b])
    assert found.rows[0].changes[1] == ("data copy instead of wflw",)
    assert "a / b: other dataset: wflw / copy" in found.notes


def test_other_normaliser_is_replaced_by_the_first(make_run, noise, small_faces):
    """NME by another distance is another unit: both runs are scored by the first one's."""
    a = make_run({DARK: noise}, name="a")
    b = make_run({DARK: noise}, name="b", table=replace(small_faces, normaliser=small_faces.normaliser * 2))
    landmarks = a.landmarks(a.record.cells[0].id)
    Run.write_cell(b.path, b.record.cells[0].id, landmarks, np.ones(landmarks.shape[:2]))
    object.__setattr__(b, "record", b.record.model_copy(update={"normaliser": "inter-pupil"}))
    found = compare([a, b])
    assert found.rows[0].differences[1].difference == pytest.approx(0, abs=1e-4)
    assert found.rows[0].scores[1].nme["test"] == pytest.approx(noise.mean(), abs=1e-4)
    assert any("both are normalised by inter-ocular" in note for note in found.notes)


def test_one_cell_each_is_compared_whatever_it_is(make_run, noise):
    a = make_run({DARK: noise}, name="a")
    b = make_run({("regression", "direct", "none", "pfld"): noise + 1}, name="b")
    found = compare([a, b])
    assert found.rows[0].label == "net / regression, dark / direct, none, landmarks / pfld"
    assert found.rows[0].differences[1].result == "worse"
    assert {"decoder direct instead of dark", "box pfld instead of landmarks"} <= set(found.rows[0].changes[1])


def test_json(make_run, noise):
    a = make_run({DARK: noise, ARGMAX: noise}, name="a")
    b = make_run({DARK: noise + 1}, name="b")
    data = json.loads(json.dumps(as_json(compare([a, b])), allow_nan=False))
    assert (data["schema_version"], data["exit_code"], data["faces"]) == (1, 0, 60)
    dark, argmax = data["rows"]
    assert dark["cells"][1]["difference"]["result"] == "worse"
    assert dark["cells"][1]["scores"]["nme"]["test"] == pytest.approx(noise.mean() + 1, abs=1e-4)
    assert argmax["cells"][1]["scores"] is None


def test_text_and_markdown(make_run, noise):
    a = make_run({DARK: noise}, name="a|<b>")
    b = make_run({DARK: noise + 1, ARGMAX: noise}, name="b")
    found = compare([a, b])
    text = lines(found)
    assert text[-1] == found.summary
    assert any("no such cell" in line for line in text)
    page = markdown(found)
    assert "a\\|\\<b\\>" in page
    table = [line for line in page.splitlines() if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in table} == {10}


def test_the_note_on_a_subset_names_the_run_that_defines_it(make_run, small_faces):
    pose = np.arange(len(small_faces)) < 20
    subsets = {"a": {}, "b": {"pose": pose}, "c": {"pose": ~pose}}
    runs = []
    for name, defined in subsets.items():
        table = replace(small_faces, subsets={"test": np.ones(len(pose), bool), **defined})
        runs.append(make_run({DARK: 4.0}, name=name, table=table))
    assert "the subset pose holds other faces in c; b's are compared" in compare(runs).notes


def test_the_landmarks_of_a_cell_are_read_once(make_run, monkeypatch):
    """The notes on diverged cells need the landmarks of all cells of a run: once, not once per cell."""
    cells = {("net", f"soft-argmax:temperature={i}", "none", "landmarks"): 4.0 for i in range(1, 5)}
    runs = [make_run(cells, name="a"), make_run(cells, name="b")]
    read = []
    blocks = Run.landmark_blocks
    monkeypatch.setattr(Run, "landmark_blocks", lambda run, cell: read.append((run.path, cell)) or blocks(run, cell))
    compare(runs)
    assert len(read) == len(set(read)) == 8
