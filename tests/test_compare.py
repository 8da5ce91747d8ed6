"""Tests of ``compare``: matching of faces and cells, paired differences, refused inputs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nmebench.compare import compare, lines, markdown
from nmebench.errors import InputError
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
    assert "measure each in a run of its own" in found.summary
    assert "`nmebench report RUN`" in found.summary


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
        pytest.param({"box_padding": 1.28}, "box padding is 1.25 in a, 1.28 in b", id="padding"),
        pytest.param({"colour": "bgr"}, "colour is rgb in a, bgr in b", id="colour"),
        pytest.param({"options": {"fusion": "nearest"}}, "options is none in a, fusion=nearest in b", id="options"),
    ],
)
def test_other_settings_are_noted(make_run, noise, configuration, note):
    a = make_run({DARK: noise}, name="a")
    b = make_run({DARK: noise}, name="b", configuration=configuration)
    (found,) = compare([a, b]).notes
    assert found.startswith("net, dark, none, landmarks: ")
    assert found.endswith(note)


def test_heatmaps_without_a_landmark_are_noted(make_run, noise):
    a, b = (make_run({DARK: noise}, name=name) for name in "ab")
    cell = b.record.cells[0].model_copy(update={"counts": {"invalid": 7, "empty": 0}})
    object.__setattr__(b, "record", b.record.model_copy(update={"cells": [cell]}))
    assert compare([a, b]).notes == ("net, dark, none, landmarks: 7 heatmaps are invalid in b",)


def test_p_at_the_level_is_not_significant():
    from nmebench.compare import _difference

    paired = PairedDifference(0.5, 0.1, 0.9, 0.25)
    assert _difference(paired, 0.25, 0.75).result == "no difference"
    assert _difference(paired, np.nextafter(0.25, 0), 0.75).result == "worse"


def test_runs_that_cannot_be_compared_are_refused(make_run, noise, small_faces):
    a = make_run({DARK: noise}, name="a")
    other = make_run({DARK: noise}, name="b", dataset="synthface")
    with pytest.raises(InputError, match="two or more"):
        compare([a])
    with pytest.raises(InputError, match=r"its dataset is synthface, that of .* is wflw"):
        compare([a, other])
    moved = make_run({DARK: noise}, name="c", table=replace(small_faces, landmarks=small_faces.landmarks + 1))
    with pytest.raises(InputError, match="no face in common"):
        compare([a, moved])


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
    assert {line.replace("\\|", "").count("|") for line in table} == {9}
