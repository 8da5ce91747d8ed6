"""Tests of the table of pitfalls: the settings that each cause measures again, and the landmarks that it scores."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nmebench import boxes
from nmebench.checks.causes import CAUSES, DeviatingCell
from nmebench.geometry import scheme
from nmebench.protocol import DIRECT

BY_NAME = {cause.name: cause for cause in CAUSES}


@pytest.fixture
def deviating(make_run):
    """A function that makes a cell with a card, a sweep configuration and other properties of its network."""

    def make(cell=("net", "dark", "flip+shift", "landmarks"), card=None, architecture="hrnetv2-w18", **options):
        run = make_run({cell: 4.0}, cards={cell[0]: card or {}}, **options)
        model = run.record.models[0].model_copy(update={"architecture": architecture})
        return DeviatingCell(run, run.record.cells[0], model)

    return make


def reruns(name, cell):
    return [dict(overrides) for overrides in BY_NAME[name].reruns(cell)]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param({}, [1.2, 1.1, 1.0, 1.3, 1.6], id="default"),
        pytest.param({"box_padding": 1.28}, [1.25, 1.2, 1.1, 1.0, 1.3, 1.6], id="unusual"),
        pytest.param({"box_padding": 1.2}, [1.25, 1.1, 1.0, 1.3, 1.6], id="usual"),
        pytest.param({"box_padding": 1.2 + 1e-12}, [1.25, 1.1, 1.0, 1.3, 1.6], id="rounded"),
    ],
)
def test_every_usual_padding_but_the_runs_own_is_measured(deviating, given, expected):
    cell = deviating(configuration=given)
    assert cell.padding == given.get("box_padding", 1.25)
    assert reruns("box padding", cell) == [{"box_padding": padding} for padding in expected]


def test_default_padding_of_the_rule_comes_first(deviating):
    cell = deviating(("net", "dark", "none", "pfld"), configuration={"box_padding": 1.5})
    assert cell.default_padding == boxes.create("pfld").padding == 1.2
    assert reruns("box padding", cell)[:2] == [{"box_padding": 1.2}, {"box_padding": 1.25}]


def test_a_rule_that_is_not_installed_has_no_padding(deviating):
    cell = deviating(("net", "dark", "none", "gone"))
    assert (cell.default_padding, cell.padding) == (None, None)
    assert reruns("box padding", cell) == []


def test_a_rule_without_padding(deviating, monkeypatch):
    monkeypatch.setattr("nmebench.checks.causes.boxes.create", lambda name: object())
    cell = deviating()
    assert (cell.default_padding, cell.padding) == (None, None)


def test_every_other_box_rule_is_measured(deviating):
    expected = [{"boxes": (name,)} for name in boxes.names() if name != "landmarks"]
    assert reruns("box rule", deviating()) == expected
    assert len(expected) == len(boxes.names()) - 1


@pytest.mark.parametrize(
    ("card", "configuration", "colour", "other"),
    [
        pytest.param({}, {}, "rgb", "bgr", id="default"),
        pytest.param({"input": {"colour": "bgr"}}, {}, "bgr", "rgb", id="card"),
        pytest.param({"input": {"colour": "bgr"}}, {"colour": "rgb"}, "rgb", "bgr", id="sweep-over-card"),
        pytest.param({}, {"colour": "bgr"}, "bgr", "rgb", id="sweep"),
    ],
)
def test_the_other_colour_order_is_measured(deviating, card, configuration, colour, other):
    cell = deviating(card=card, configuration=configuration)
    assert cell.colour == colour
    assert reruns("colour order", cell) == [{"colour": other}]


@pytest.mark.parametrize(
    ("cell", "architecture", "without"),
    [
        pytest.param(("net", "dark", "flip", "landmarks"), "hrnetv2-w18", set(), id="HRNet"),
        pytest.param(("net", "dark", "flip", "landmarks"), "resnet18", {"bilinear fusion"}, id="another network"),
        pytest.param(
            ("net", DIRECT, "none", "landmarks"), "pfld", {"bilinear fusion", "decoder", "flip shift"}, id="landmarks"
        ),
        pytest.param(
            ("oracle", "dark", "none", "landmarks"),
            "oracle",
            {"bilinear fusion", "flip shift", "colour order", "OpenCV 5", "first pixel", "weights"},
            id="ground truth",
        ),
    ],
)
def test_causes_that_can_apply(deviating, cell, architecture, without):
    made = deviating(cell, architecture=architecture)
    assert {cause.name for cause in CAUSES if not cause.applies(made)} == without


@pytest.mark.parametrize(
    ("architecture", "card", "configuration", "fusion", "expected"),
    [
        pytest.param("mobilenetv3", {}, {}, None, [], id="no-hrnet"),
        pytest.param("hrnetv2-w18", {}, {}, "bilinear", [{"options": {"fusion": "nearest"}}], id="default"),
        pytest.param(
            "hrnetv2-w48",
            {"options": {"fusion": "nearest"}},
            {},
            "nearest",
            [{"options": {"fusion": "bilinear"}}],
            id="card",
        ),
        pytest.param(
            "hrnetv2-w18",
            {"options": {"fusion": "nearest"}},
            {"options": {"fusion": "bilinear", "other": 1}},
            "bilinear",
            [{"options": {"fusion": "nearest", "other": 1}}],
            id="sweep-over-card",
        ),
    ],
)
def test_the_other_fusion_is_measured(deviating, architecture, card, configuration, fusion, expected):
    cell = deviating(card=card, configuration=configuration, architecture=architecture)
    assert cell.fusion == fusion
    assert reruns("bilinear fusion", cell) == expected
    suspicion = BY_NAME["bilinear fusion"].suspect(cell)
    assert suspicion == ("this run upsampled by nearest neighbour" if fusion == "nearest" else None)


def test_every_usual_decoder_but_the_cells_own_is_measured(deviating):
    names = [overrides["decoders"] for overrides in reruns("decoder", deviating())]
    assert names == [
        ("quarter-offset",),
        ("quarter-offset:rule=mmpose0",),
        ("argmax",),
        ("dark-udp",),
        ("official-hrnet",),
    ]
    direct = deviating(("net", DIRECT, "none", "landmarks"), name="direct")
    assert reruns("decoder", direct) == []
    assert (deviating(name="third").heatmaps, direct.heatmaps) == (True, False)


@pytest.mark.parametrize(
    ("packages", "version", "suspicion"),
    [
        pytest.param({}, "", None, id="not-recorded"),
        pytest.param({"numpy": "9", "opencv-python": "4.11.0.86"}, "4.11.0.86", None, id="4"),
        pytest.param({"opencv-python-headless": "5.0"}, "5.0", "this run used OpenCV 5.0", id="5"),
        pytest.param({"opencv-python": "6.1.2"}, "6.1.2", "this run used OpenCV 6.1.2", id="6"),
        pytest.param({"opencv-python": "unknown"}, "unknown", None, id="no-number"),
    ],
)
def test_opencv_from_version_5_on_is_suspected(deviating, packages, version, suspicion):
    cell = deviating(packages=packages)
    assert cell.opencv == version
    assert BY_NAME["OpenCV 5"].suspect(cell) == suspicion


def test_causes_without_a_test_or_a_suspicion(deviating):
    cell = deviating()
    assert (BY_NAME["weights"].reruns(cell), BY_NAME["weights"].rescores(cell)) == ((), ())
    assert BY_NAME["weights"].suspect(cell) is None


def test_half_pixels_need_the_stored_boxes(make_run, small_faces):
    """A run stores the boxes of its first rule only, and an empty box has no scale."""
    both = {("net", "dark", "none", "landmarks"): 4.0, ("net", "dark", "none", "rect"): 4.0}
    run = make_run(both)
    found = [BY_NAME["half pixel"].rescores(DeviatingCell(run, c, run.record.models[0])) for c in run.record.cells]
    assert [len(rescores) for rescores in found] == [6, 0]
    size = small_faces.size.copy()
    size[7, 1] = 0
    flat = make_run(both, name="flat", table=replace(small_faces, size=size))
    assert BY_NAME["half pixel"].rescores(DeviatingCell(flat, flat.record.cells[0], flat.record.models[0])) == ()


def test_half_pixels_of_landmark_networks_and_of_maps_of_the_inputs_size(make_run):
    """Without heatmaps only the input's px can be off; with a stride of 1 the rule of resizing moves nothing."""
    run = make_run({("net", DIRECT, "none", "landmarks"): 4.0})
    cell, model = run.record.cells[0], run.record.models[0]
    assert [r.label for r in BY_NAME["half pixel"].rescores(DeviatingCell(run, cell, model))] == [
        "landmarks moved by half an input px",
        "landmarks moved by -half an input px",
    ]
    run = make_run({("net", "dark", "none", "landmarks"): 4.0}, name="maps")
    model = run.record.models[0].model_copy(update={"input_size": (2, 2), "heatmap_size": (2, 2)})
    found = BY_NAME["half pixel"].rescores(DeviatingCell(run, run.record.cells[0], model))
    assert [r.label.removeprefix("landmarks moved by ") for r in found] == [
        "half an input px",
        "-half an input px",
        "half a heatmap px",
        "-half a heatmap px",
    ]
    assert all(r.normaliser is run.faces.normaliser for r in found)


def test_truncated_landmarks(deviating):
    cell = deviating()
    (rescore,) = BY_NAME["whole pixels"].rescores(cell)
    stored = cell.run.landmarks(cell.cell.id)
    expected = [[[float(int(x)) for x in point] for point in face] for face in stored]
    np.testing.assert_array_equal(rescore.landmarks, expected)
    np.testing.assert_array_equal(rescore.normaliser, cell.run.faces.normaliser)


def test_every_other_normaliser_of_the_scheme_is_scored(deviating):
    cell = deviating()
    found = BY_NAME["normaliser"].rescores(cell)
    assert [r.label for r in found] == [
        "normalised by inter-pupil",
        "normalised by box-size",
        "normalised by box-diagonal",
    ]
    points = scheme.load("wflw98")
    for rescore in found:
        name = rescore.label.removeprefix("normalised by ")
        expected = scheme.normaliser(points, cell.run.faces.landmarks, name)
        np.testing.assert_array_equal(rescore.normaliser, expected)
        np.testing.assert_array_equal(rescore.landmarks, cell.run.landmarks(cell.cell.id))


def test_an_unknown_scheme_has_no_other_normalisers(deviating):
    cell = deviating()
    record = cell.run.record
    dataset = record.dataset.model_copy(update={"scheme": "own"})
    object.__setattr__(cell.run, "record", record.model_copy(update={"dataset": dataset}))
    assert BY_NAME["normaliser"].rescores(cell) == ()


def test_stored_normalisers_are_tried_but_no_length_of_zero(deviating):
    """A run of schema 2 has every length that its annotations gave, the annotated boxes among them."""
    cell = deviating()
    lengths = {"inter-ocular": np.ones(60), "annotated-box-size": np.full(60, 3.0), "inter-pupil": np.zeros(60)}
    vars(cell.run)["faces"] = replace(cell.run.faces, normalisers=lengths)
    (rescore,) = BY_NAME["normaliser"].rescores(cell)
    assert rescore.label == "normalised by annotated-box-size"
    np.testing.assert_array_equal(rescore.normaliser, np.full(60, 3.0))
