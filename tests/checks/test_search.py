"""Tests of the search for causes with planned results: shares of the deviation, the order, and when reruns stop."""

from __future__ import annotations

import numpy as np
import pytest

from nmebench.checks import check, diagnose, explain
from nmebench.checks.causes import Cause, Rescore
from nmebench.checks.diagnose import _label
from nmebench.errors import InputError

CELL = ("net", "dark", "none", "landmarks")


def made_run(make_run, measured, reported, *, tolerance=0.0, cells=(CELL,), subset="test", **values):
    """A run whose faces have exactly the ``measured`` NME, and a card that reports other numbers."""
    table = {"nme": {subset: reported}, "source": "s", "tolerance": tolerance, **values}
    card = {
        "name": "net",
        "input": {"box": "landmarks"},
        "test": {"decoder": "dark"},
        "reported": {"wflw": {"t": table}},
    }
    run = make_run(dict.fromkeys(cells, 4.0), cards={"net": card})
    faces = np.broadcast_to(np.asarray(measured, float), 60)
    run.__dict__["per_face"] = {cell.id: faces for cell in run.record.cells}
    return run


def cause(name, *values, suspicion=None):
    """A cause whose alternatives have the settings ``value=...``."""
    reruns = tuple({"value": value} for value in values)
    return Cause(name, f"{name}.", "s", reruns=lambda _: reruns, suspect=lambda _: suspicion)


def search(run, causes, results, calls=None):
    """Diagnose with reruns that give the planned NME for each value on every subset."""

    def rerun(cell, overrides):
        if calls is not None:
            calls.append(overrides["value"])
        return dict.fromkeys(("test", "pose", "blur"), results[overrides["value"]])

    return diagnose(run, rerun, verdict=check(run), causes=causes)


@pytest.mark.parametrize(
    ("alternative", "explained", "detail"),
    [
        pytest.param(4.5, 0.5, "With value x 50 % of the deviation disappears: test 4.500", id="half"),
        pytest.param(4.51, 0.49, "Ruled out: the deviation stays with value x: test 4.510", id="less"),
        pytest.param(3.75, 0.75, "With value x 75 % of the deviation disappears: test 3.750", id="other-side"),
        pytest.param(6.0, -1.0, "Ruled out: the deviation stays with value x: test 6.000", id="worse"),
        pytest.param(4.0, 1.0, "With value x every compared number is reproduced: test 4.000", id="all"),
    ],
)
def test_share_of_the_deviation(make_run, alternative, explained, detail):
    (finding,) = search(made_run(make_run, 5.0, 4.0), [cause("A", "x")], {"x": alternative})
    assert finding.explained == pytest.approx(explained)
    assert finding.explains is (alternative == 4.0)
    assert finding.detail == f"A. {detail} (reported 4.00)."
    assert (finding.cause, finding.overrides, finding.nme) == ("A", {"value": "x"}, {"test": alternative})


def test_share_is_of_the_root_mean_square_over_the_subsets(make_run):
    """Off by 1 and 3 before, by 0.6 and 1 with the alternative: sqrt(1.36 / 10) of the deviation stays."""
    pose = np.arange(60) % 4 == 0
    # The mean over all faces is 5 and over the 15 faces of pose 7.
    run = made_run(make_run, np.where(pose, 7.0, 13 / 3), 4.0, nme={"test": 4.0, "pose": 4.0})
    verdict = check(run)
    assert [row.measured for row in verdict.rows] == pytest.approx([5.0, 7.0])
    (finding,) = diagnose(run, lambda *_: {"test": 4.6, "pose": 5.0}, verdict=verdict, causes=[cause("A", "x")])
    assert finding.explained == pytest.approx(1 - np.sqrt(1.36 / 10))
    assert finding.nme == {"test": 4.6, "pose": 5.0}
    (finding,) = diagnose(run, lambda *_: {"pose": 5.5}, verdict=verdict, causes=[cause("A", "x")])
    assert finding.explained == pytest.approx(0.5), "a subset that the alternative lacks is left out"
    assert finding.detail.endswith("disappears: pose 5.500 (reported 4.00).")
    (finding,) = diagnose(run, lambda *_: {}, verdict=verdict, causes=[cause("A", "x")])
    assert (finding.explained, finding.explains) == (0.0, False)
    assert finding.detail == "A. Ruled out: the deviation stays with value x:."


@pytest.mark.parametrize(
    ("alternative", "explains"),
    [(4.0, True), (np.nextafter(4.0, 0), False), (4.5, False), (np.nextafter(4.5, 0), True)],
)
def test_explaining_range_includes_its_lower_end_only(make_run, alternative, explains):
    (finding,) = search(made_run(make_run, 5.5, 4.25, tolerance=0.245), [cause("A", "x")], {"x": alternative})
    assert finding.explains is explains


@pytest.mark.parametrize("limits", [{"low": None}, {"high": None}])
def test_a_row_without_a_range_is_not_explained(make_run, limits):
    run = made_run(make_run, 5.0, 4.0)
    verdict = check(run)
    verdict = verdict.model_copy(update={"rows": tuple(row.model_copy(update=limits) for row in verdict.rows)})
    (finding,) = diagnose(run, lambda *_: {"test": 4.0}, verdict=verdict, causes=[cause("A", "x")])
    assert (finding.explains, finding.explained) == (False, 1.0)


def test_a_full_explanation_ends_the_reruns(make_run):
    run, calls = made_run(make_run, 5.0, 4.0, tolerance=0.2), []
    found = search(run, [cause("A", "x", "y"), cause("B", "u", "v", "w")], {"x": 4.0625, "y": 4.0}, calls)
    assert calls == ["x"], "x removes 94 % of the deviation"
    assert [f.cause for f in found] == ["A", "B"]
    assert found[1].detail == "B. Not tested, because A explains the deviation."
    assert (found[1].explained, found[1].explains, found[1].overrides, found[1].nme) == (None, False, {}, {})


def test_an_explanation_of_less_does_not_end_the_reruns(make_run):
    run, calls = made_run(make_run, 5.0, 4.0, tolerance=0.2), []
    causes = [cause("A", "x"), cause("B", "u", "v")]
    found = search(run, causes, {"x": 4.125, "u": 4.25, "v": 4.75}, calls)
    assert calls == ["x", "u", "v"], "x reproduces every number, but removes 88 % of the deviation"
    assert [(f.cause, f.explains, f.explained) for f in found] == [
        ("A", True, pytest.approx(0.875)),
        ("B", False, pytest.approx(0.75)),
    ]
    assert found[1].overrides == {"value": "u"}, "the best alternative of a cause is named"


def test_a_large_share_without_an_explanation_does_not_end_the_reruns(make_run):
    run, calls = made_run(make_run, 5.0, 4.0), []
    search(
        run, [cause("A", "x", "y"), cause("B", "u", "v", "w")], {"x": 4.03125, "y": 4.5, "u": 5, "v": 5, "w": 5}, calls
    )
    assert calls == ["x", "y", "u", "v", "w"], "x removes 97 %, but reproduces nothing"


def test_rescored_landmarks_that_explain_everything_do_not_end_the_reruns(make_run):
    """They take no time, and their cause may be a coincidence."""
    run = made_run(make_run, 5.0, 0.0)
    exact = Rescore("the truth", run.faces.landmarks, run.faces.normaliser)
    stored = Cause("stored", "Stored.", "s", rescores=lambda _: (exact,))
    calls = []
    found = search(run, [stored, cause("A", "x")], {"x": 3.0}, calls)
    assert calls == ["x"]
    assert (found[0].cause, found[0].explains, found[0].explained, found[0].overrides) == ("stored", True, 1.0, {})
    assert found[0].detail == "Stored. With the truth every compared number is reproduced: test 0.000 (reported 0.00)."


def test_order_of_the_findings(make_run):
    run = made_run(make_run, 5.0, 4.0)
    causes = [
        cause("ruled out", "4.9"),
        cause("untested"),
        cause("half", "4.5"),
        cause("suspected", suspicion="the record says so"),
        cause("ruled out too", "6"),
        cause("most", "4.25"),
        cause("ruled out and suspected", "5", suspicion="maybe"),
    ]
    found = search(run, causes, {text: float(text) for text in ("4.9", "4.5", "6", "4.25", "5")})
    assert [f.cause for f in found] == [
        "most",
        "half",
        "suspected",
        "untested",
        "ruled out and suspected",
        "ruled out",
        "ruled out too",
    ]
    assert found[2].detail == "suspected. The record says so."
    assert found[3].detail == "untested. Not tested."
    assert found[4].detail.startswith("ruled out and suspected. Maybe. Ruled out: the deviation stays with value 5:")


def test_suspected_causes_and_those_with_few_reruns_are_tested_first(make_run):
    calls = []
    causes = [cause("A", "a1", "a2"), cause("B", "b"), cause("C", "c1", "c2", "c3", suspicion="maybe")]
    search(made_run(make_run, 5.0, 4.0), causes, dict.fromkeys(("a1", "a2", "b", "c1", "c2", "c3"), 5.0), calls)
    assert calls == ["c1", "c2", "c3", "b", "a1", "a2"]


def test_alternative_that_cannot_be_measured(make_run):
    run = made_run(make_run, 5.0, 4.0)

    def rerun(cell, overrides):
        if overrides["value"] == "x":
            raise InputError("no rectangles")
        return {"test": 4.5}

    verdict = check(run)
    both, one = diagnose(run, rerun, verdict=verdict, causes=[cause("A", "x", "y"), cause("B", "x")])
    assert both.detail.endswith("disappears: test 4.500 (reported 4.00). value x can't be measured: no rectangles.")
    assert one.detail == "B. value x can't be measured: no rectangles."


def test_without_a_function_for_reruns(make_run):
    run = made_run(make_run, 5.0, 4.0)
    (finding,) = diagnose(run, verdict=check(run), causes=[cause("A", "x")])
    assert finding.detail == "A. Not tested: the test needs a rerun."


def test_errors_of_our_own_are_not_hidden(make_run):
    run = made_run(make_run, 5.0, 4.0)

    def rerun(cell, overrides):
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        diagnose(run, rerun, verdict=check(run), causes=[cause("A", "x")])


def test_a_deviation_of_another_metric_is_not_tested(make_run):
    """The alternatives are compared by NME."""
    run = made_run(make_run, 4.0, 4.0, fr10={"test": 50.0})
    raw = check(run)
    only = raw.model_copy(update={"rows": tuple(row for row in raw.rows if row.metric == "fr10")})
    calls = []
    (finding,) = diagnose(run, lambda *_: calls.append(1), verdict=only, causes=[cause("A", "x")])
    assert (finding.detail, calls) == ("A. Not tested.", [])


def test_every_deviating_cell_is_explained_by_itself(make_run):
    run = made_run(make_run, 5.0, 4.0, fr10={"test": 0.0})
    verdict = check(run)
    other = verdict.rows[0].model_copy(update={"cell": None})
    mixed = verdict.model_copy(update={"rows": (*verdict.rows, other)})
    assert [(row.metric, row.status) for row in mixed.rows] == [
        ("nme", "deviates"),
        ("fr10", "reproduced"),
        ("nme", "deviates"),
    ]
    explained = explain(run, mixed)
    assert [len(row.causes) > 0 for row in explained.rows] == [True, False, False]
    assert [row.model_copy(update={"causes": ()}) for row in explained.rows] == list(mixed.rows)


def test_cells_are_told_apart(make_run):
    """A verdict with two deviating cells: each is measured again by itself, and a cell without an id is passed over."""
    cells = (("net", "dark", "none", "landmarks"), ("net", "argmax", "none", "landmarks"))
    run = made_run(make_run, 5.0, 4.0, cells=cells)
    (row,) = check(run).rows
    second = row.model_copy(update={"cell": run.record.cells[1].id, "reported": 3.0, "low": 2.9, "high": 3.1})
    verdict = check(run).model_copy(update={"rows": (row.model_copy(update={"cell": None}), second, row)})
    asked = []

    def rerun(cell, overrides):
        asked.append(cell.id)
        return {"test": 3.0}

    (finding,) = diagnose(run, rerun, verdict=verdict, causes=[cause("A", "x")])
    assert (asked, finding.explains) == ([run.record.cells[1].id], True), "by default the first that deviates"
    (finding,) = diagnose(run, rerun, verdict=verdict, cell=run.record.cells[0].id, causes=[cause("A", "x")])
    assert (asked[1:], finding.explains) == ([run.record.cells[0].id], False)
    assert diagnose(run, rerun, verdict=verdict.model_copy(update={"rows": verdict.rows[:1]})) == []


@pytest.mark.parametrize(
    ("overrides", "stored"),
    [
        pytest.param({"flip": ("flip",)}, True, id="flip"),
        pytest.param({"decoders": ("argmax",)}, True, id="decoder"),
        pytest.param({"boxes": ("rect",)}, True, id="box"),
        pytest.param({"boxes": ("pfld",)}, False, id="not-measured"),
        pytest.param({"flip": ("flip",), "boxes": ("rect",)}, False, id="two-changes"),
        pytest.param({"flip": ("flip",), "colour": "bgr"}, False, id="setting-of-the-sweep"),
    ],
)
def test_stored_cell_must_differ_in_these_settings_only(make_run, overrides, stored):
    cells = (
        CELL,
        ("net", "dark", "flip", "landmarks"),
        ("net", "argmax", "none", "landmarks"),
        ("net", "dark", "none", "rect"),
        ("other", "dark", "none", "pfld"),
    )
    run = made_run(make_run, 5.0, 4.0, cells=cells)
    run.__dict__["per_face"] = {c.id: np.full(60, 5.0 if i == 0 else 4.5) for i, c in enumerate(run.record.cells)}
    alternative = Cause("A", "A.", "s", reruns=lambda _: (overrides,))
    (finding,) = diagnose(run, verdict=check(run), causes=[alternative])
    assert finding.explained == (pytest.approx(0.5) if stored else None)


def test_texts_of_alternatives():
    assert _label({"box_padding": 1.25}) == "box_padding 1.25"
    assert _label({"flip": ("flip+shift",)}) == "flip flip+shift"
    assert _label({"options": {"fusion": "nearest", "a": 1}, "colour": "bgr"}) == "fusion nearest, a 1, colour bgr"
