"""Tests of ``diagnose`` and ``explain``: a planted protocol error is named as the most likely cause."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nmebench import metrics
from nmebench.checks import check, diagnose, explain
from nmebench.checks.causes import CAUSES, DeviatingCell
from nmebench.errors import InputError

SUBSETS = ("test", "pose", "blur")
TRUE = {"test": 4.0, "pose": 4.2, "blur": 3.9}
#: Change of the NME of the three subsets by each setting, percent points.
EFFECTS = {
    ("box_padding", 1.2): (0.21, 0.32, 0.18),
    ("box_padding", 1.1): (0.55, 0.8, 0.5),
    ("box_padding", 1.0): (1.2, 1.5, 1.1),
    ("box_padding", 1.3): (0.12, 0.2, 0.1),
    ("box_padding", 1.6): (0.9, 1.1, 0.8),
    ("boxes", "rect"): (0.4, 0.9, 0.3),
    ("boxes", "pfld"): (0.15, 0.2, 0.16),
    ("flip", "flip"): (0.11, 0.1, 0.14),
    ("flip", "none"): (0.07, 0.09, 0.05),
    ("fusion", "nearest"): (0.9, 1.4, 1.0),
    ("colour", "bgr"): (0.08, 0.13, 0.2),
    ("decoders", "argmax"): (0.3, 0.2, 0.31),
    ("decoders", "quarter-offset"): (0.06, 0.05, 0.07),
}
BASE = {"box_padding": 1.25, "boxes": "landmarks", "flip": "flip+shift", "fusion": "bilinear", "colour": "rgb"}
BASE["decoders"] = "dark"


def measured(settings):
    """Simulated NME by subset: the effects of all settings are added."""
    effect = np.sum([EFFECTS.get(item, (0.0, 0.0, 0.0)) for item in settings.items()], axis=0)
    return {subset: TRUE[subset] + e for subset, e in zip(SUBSETS, effect, strict=True)}


def planted_run(make_run, planted, **options):
    """A run with a planted setting, and a rerun function with the same simulated effects.

    The planted setting is the card's, or the box rule's default: a run with other settings than the card's is not
    comparable. The table was made with the setting of BASE.
    """
    settings = {**BASE, **planted}
    # A card can't state the padding: the run uses the default, the table was made with the planted one.
    swapped = {1.25: planted["box_padding"], planted["box_padding"]: 1.25} if "box_padding" in planted else {}
    calls = []

    def rerun(cell, overrides):
        calls.append(dict(overrides))
        changed = dict(settings)
        for name, value in overrides.items():
            if name == "options":
                changed.update(value)
            else:
                changed[name] = value[0] if isinstance(value, tuple) else value
                changed[name] = swapped.get(changed[name], changed[name])
        return measured(changed)

    card = {
        "name": "net",
        "input": {"box": "landmarks", "colour": settings["colour"]},
        "output": {"kind": "heatmaps"},
        "options": {"fusion": settings["fusion"]},
        "test": {"decoder": "dark", "flip": True, "shift": settings["flip"] == "flip+shift"},
        "reported": {"wflw": {"t": {"nme": TRUE, "source": "s", "tolerance": 0.01}}},
    }
    nme = measured(settings)
    # Every face is in pose, blur, both or neither: solve for the NME of each group that gives the three means.
    pose, blur = np.arange(60) % 4 == 0, np.arange(60) % 3 == 0
    groups = [pose & ~blur, ~pose & blur, pose & blur, ~pose & ~blur]
    matrix = np.array([[np.mean(g[m]) for g in groups] for m in (np.ones(60, bool), pose, blur)])
    levels = np.linalg.lstsq(matrix, [nme[s] for s in SUBSETS], rcond=None)[0]
    faces = sum(level * g for level, g in zip(levels, groups, strict=True))
    run = make_run(
        {("net", "dark", settings["flip"], "landmarks"): faces},
        cards={"net": card},
        **options,
    )
    return run, rerun, calls


@pytest.mark.parametrize(
    ("planted", "cause"),
    [
        pytest.param({"box_padding": 1.2}, "box padding", id="padding-1.2"),
        pytest.param({"colour": "bgr"}, "colour order", id="bgr-for-rgb"),
        pytest.param({"flip": "flip"}, "flip shift", id="no-flip-shift"),
        pytest.param({"fusion": "nearest"}, "bilinear fusion", id="nearest-fusion"),
    ],
)
def test_planted_error_is_the_first_cause(make_run, planted, cause):
    run, rerun, calls = planted_run(make_run, planted)
    verdict = check(run)
    assert verdict.exit_code == 1
    explained = explain(run, verdict, rerun)
    for row in explained.rows:
        assert row.status == "deviates"
        assert row.causes[0].cause == cause
        assert row.causes[0].explains
        assert "every compared number is reproduced" in row.causes[0].detail
        assert len(row.causes) == len(CAUSES)
    assert run.read_json("verdict.json") is None, "explain() writes no files"
    assert explained.exit_code == 1
    if cause == "bilinear fusion":
        assert len(calls) == 1, "causes that the run's record points to are tested first"


@pytest.mark.parametrize("setting", [s for s in EFFECTS if s[0] in ("boxes", "decoders")], ids=str)
def test_error_outside_the_record_is_found(make_run, setting):
    """The true setting differs from the recorded one."""
    run, _, _ = planted_run(make_run, {})
    nme = {s: TRUE[s] + e for s, e in zip(SUBSETS, EFFECTS[setting], strict=True)}

    def inverse(cell, overrides):
        name, value = next(iter(overrides.items()))
        value = value[0] if isinstance(value, tuple) else value
        return TRUE if (name, value) == setting else nme

    faces = np.full(60, nme["test"])
    run = make_run(
        {("net", "dark", "flip+shift", "landmarks"): faces},
        name="other",
        cards={"net": run.model("net").card},
    )
    findings = diagnose(run, inverse, verdict=check(run))
    assert findings[0].cause == {"boxes": "box rule", "decoders": "decoder"}[setting[0]]
    assert findings[0].explains


def test_ground_truth_has_no_causes_of_networks(make_run):
    """A card that reports a number for the oracle, measured without a rerun."""
    card = {
        "name": "oracle",
        "architecture": "oracle",
        "input": {"box": "landmarks"},
        "output": {"kind": "heatmaps"},
        "test": {"decoder": "dark", "flip": False},
        "reported": {"wflw": {"t": {"nme": {"test": 1.0}, "source": "s", "tolerance": 0.01}}},
    }
    run = make_run({("oracle", "dark", "none", "landmarks"): np.full(60, 4.0)}, cards={"oracle": card})
    run.record.models[0] = run.record.models[0].model_copy(update={"architecture": "oracle"})
    verdict = explain(run, check(run))
    assert [row.status for row in verdict.rows] == ["deviates"]
    named = {finding.cause for finding in verdict.rows[0].causes}
    assert named.isdisjoint({"weights", "colour order", "OpenCV 5", "bilinear fusion", "first pixel", "flip shift"})
    assert {"box padding", "decoder", "normaliser"} <= named


def test_record_points_to_a_cause_without_a_rerun(make_run):
    run, _, _ = planted_run(make_run, {"fusion": "nearest"})
    findings = diagnose(run, verdict=check(run))
    assert findings[0].cause == "bilinear fusion"
    assert not findings[0].explains
    assert "nearest neighbour" in findings[0].detail
    assert "needs a rerun" in findings[0].detail


def test_opencv_5_is_first_when_no_test_explains(make_run):
    run, _, _ = planted_run(make_run, {"flip": "flip"}, packages={"opencv-python-headless": "5.0.0.1"})
    findings = diagnose(run, lambda cell, overrides: measured({**BASE, "flip": "flip"}), verdict=check(run))
    assert findings[0].cause == "OpenCV 5"
    assert "OpenCV 5.0.0.1" in findings[0].detail
    assert findings[-1].detail.count("Ruled out") == 1


def test_stored_cell_replaces_a_rerun(make_run):
    run, _, _ = planted_run(make_run, {"flip": "flip"})
    nme = run.per_face["net__dark__flip__landmarks"]
    both = make_run(
        {("net", "dark", "flip", "landmarks"): nme, ("net", "dark", "flip+shift", "landmarks"): nme - 0.115},
        name="both",
        cards={"net": run.model("net").card},
    )
    finding = next(f for f in diagnose(both, verdict=check(both)) if f.cause == "flip shift")
    assert finding.explained == pytest.approx(0.85, abs=0.1)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    ("change", "cause"),
    [
        pytest.param(
            lambda faces, landmarks, sign: landmarks + sign * (2 * faces.size / 256)[:, None], "half pixel", id="px"
        ),
        pytest.param(lambda faces, landmarks, sign: np.trunc(landmarks + sign * 0.01), "whole pixels", id="trunc"),
    ],
)
def test_geometry_is_tested_with_the_stored_landmarks(make_run, small_faces, change, cause, sign):
    """Landmarks off by half a heatmap px (2 of 256 input px), or a table with truncated landmarks."""
    noise = np.random.default_rng(5).normal(0, 1, small_faces.landmarks.shape)
    good = small_faces.landmarks + noise
    planted = change(small_faces, good, sign)
    reported, run_landmarks = (good, planted) if cause == "half pixel" else (planted, good)
    nme = metrics.nme(metrics.point_errors(reported, small_faces.landmarks), small_faces.normaliser)
    masks = small_faces.subsets
    values = {s: round(float(nme[masks[s]].mean()), 3) for s in SUBSETS}
    card = {
        "name": "net",
        "input": {"box": "landmarks"},
        "test": {"decoder": "dark"},
        "reported": {"wflw": {"t": {"nme": values, "source": "s", "tolerance": 0.03}}},
    }
    run = make_run({("net", "dark", "none", "landmarks"): run_landmarks}, table=small_faces, cards={"net": card})
    verdict = check(run)
    assert verdict.exit_code == 1
    findings = diagnose(run, verdict=verdict)
    assert findings[0].cause == cause
    assert findings[0].explains


@pytest.mark.parametrize(
    ("convention", "grid", "heatmap_size", "half_input", "half_heatmap", "resizing"),
    [
        # Image px of a box of 320 x 640 image px for an input of 256 x 512: 1.25 image px per input px.
        pytest.param(None, None, (64, 64), (0.625, 0.625), (2.5, 5.0), (1.875, 4.375), id="stride"),
        pytest.param("stride", "half-pixel", (64, 128), (0.625, 0.625), (2.5, 2.5), (1.875, 1.875), id="half-pixel"),
        # 255 and 511 intervals between the pixels' centres of the input, 51 and 73 of the heatmap: 5 and 7 input px.
        pytest.param(
            "udp",
            "udp",
            (52, 74),
            (0.5 * 320 / 255, 0.5 * 640 / 511),
            (2.5 * 320 / 255, 3.5 * 640 / 511),
            (2.0 * 320 / 255, 3.0 * 640 / 511),
            id="udp",
        ),
    ],
)
def test_half_pixels_follow_the_crop_and_the_grid(
    make_run, small_faces, convention, grid, heatmap_size, half_input, half_heatmap, resizing
):
    faces = replace(small_faces, size=np.tile([320.0, 640.0], (60, 1)))
    card = {"name": "net", "input": {"convention": convention}, "output": {"grid": grid}}
    run = make_run({("net", "dark", "none", "landmarks"): 4.0}, table=faces, cards={"net": card})
    model = run.record.models[0].model_copy(update={"input_size": (256, 512), "heatmap_size": heatmap_size})
    cell = run.record.cells[0]
    stored = run.landmarks(cell.id)
    (cause,) = [cause for cause in CAUSES if cause.name == "half pixel"]
    found = {r.label: r.landmarks - stored for r in cause.rescores(DeviatingCell(run, cell, model))}
    names = ("half an input px", "half a heatmap px", "the half-pixel rule of resizing, (stride - 1) / 2 input px")
    assert list(found) == [f"landmarks moved by {sign}{name}" for name in names for sign in ("", "-")]
    for name, offset in zip(names, (half_input, half_heatmap, resizing), strict=True):
        for sign, text in ((1, ""), (-1, "-")):
            moved = found[f"landmarks moved by {text}{name}"]
            np.testing.assert_allclose(moved, np.broadcast_to(sign * np.array(offset), moved.shape), atol=1e-9)


@pytest.mark.parametrize(
    ("change", "card"),
    [
        pytest.param({"input_size": (1, 256)}, {}, id="input-of-one-px"),
        pytest.param({}, {"output": {"grid": "spiral"}}, id="unknown-grid"),
    ],
)
def test_half_pixels_are_not_tested_without_a_geometry(make_run, change, card):
    run = make_run({("net", "dark", "none", "landmarks"): 4.0}, cards={"net": {"name": "net", **card}})
    model = run.record.models[0].model_copy(update=change)
    (cause,) = [cause for cause in CAUSES if cause.name == "half pixel"]
    assert cause.rescores(DeviatingCell(run, run.record.cells[0], model)) == ()


def test_failed_alternative_is_reported(make_run):
    run, _, _ = planted_run(make_run, {"colour": "bgr"})

    def rerun(cell, overrides):
        raise InputError("no rectangles here")

    findings = diagnose(run, rerun, verdict=check(run))
    rule = next(f for f in findings if f.cause == "box rule")
    assert "no rectangles here" in rule.detail


def test_no_causes_without_a_deviation(make_run):
    run, rerun, calls = planted_run(make_run, {})
    verdict = check(run)
    assert verdict.exit_code == 0
    assert diagnose(run, rerun, verdict=verdict) == []
    assert not calls
