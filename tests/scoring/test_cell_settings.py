"""The settings of a cell as text: from the sweep, the card, the box rule and what was declared for predictions."""

from __future__ import annotations

import pytest

from nmebench.runs.run_record import CellRecord
from nmebench.scoring import bad_maps, card_settings, cell_settings, setting_differences
from nmebench.scoring.cell_settings import declared_protocol

CELL = ("net", "dark", "none", "landmarks")
DEFAULT = {
    "box padding": "1.25",
    "colour": "rgb",
    "crop convention": "stride",
    "grid": "stride",
    "architecture options": "none",
    "precision": "float32",
    "network outputs": "float32",
}
CARD = {
    "input": {
        "colour": "bgr",
        "convention": "udp",
        "mean": [1, 2.5, 3],
        "std": (4, 5, 6),
        "size": [256, 192],
        "filter": "area",
    },
    "output": {"grid": "half-pixel", "kind": "heatmaps", "names": ["a", "b"], "empty": None},
    "options": {"b": 2, "a": 1},
}
OF_CARD = {
    **DEFAULT,
    "colour": "bgr",
    "crop convention": "udp",
    "grid": "half-pixel",
    "architecture options": "a=1, b=2",
    "mean": "1, 2.5, 3",
    "std": "4, 5, 6",
    "input.filter": "area",
    "output.kind": "heatmaps",
    "output.names": "a, b",
}


@pytest.fixture
def settings(make_run):
    """A function that gives the settings of a cell; ``details`` are the engine's."""

    def made(card=None, cell=CELL, details=None, input_size=(256, 256), **options):
        run = make_run({cell: 4.0}, cards={"net": card or {}}, **options)
        model = run.record.models[0].model_copy(update={"engine_details": details or {}, "input_size": input_size})
        object.__setattr__(run, "record", run.record.model_copy(update={"models": [model]}))
        return cell_settings(run, run.record.cells[0])

    return made


@pytest.mark.parametrize(
    ("card", "options", "expected"),
    [
        pytest.param({}, {}, DEFAULT, id="default"),
        pytest.param(CARD, {}, OF_CARD, id="card"),
        pytest.param(
            CARD,
            {"configuration": {"box_padding": 1.28, "colour": "rgb", "options": {"b": 3, "c": 4}}},
            {**OF_CARD, "box padding": "1.28", "colour": "rgb", "architecture options": "a=1, b=3, c=4"},
            id="sweep-over-card",
        ),
        pytest.param({}, {"configuration": {"box_padding": 2}}, {**DEFAULT, "box padding": "2"}, id="whole-padding"),
        pytest.param(
            {}, {"configuration": {"keep_heatmaps": True}}, {**DEFAULT, "network outputs": "float16"}, id="kept-maps"
        ),
        pytest.param({}, {"details": {"precision": "bf16"}}, {**DEFAULT, "precision": "bf16"}, id="precision"),
        pytest.param({}, {"details": {"precision": "f32"}}, DEFAULT, id="openvinos-name-of-float32"),
        pytest.param({"input": 5, "output": [1], "options": "x"}, {}, DEFAULT, id="damaged-card"),
        pytest.param({"input": {"mean": 5, "std": None}}, {}, DEFAULT, id="damaged-mean"),
        pytest.param(
            {}, {"cell": ("net", "dark", "none", "pfld")}, {**DEFAULT, "box padding": "1.2"}, id="padding-of-the-rule"
        ),
        pytest.param(
            {}, {"cell": ("net", "dark", "none", "gone")}, {**DEFAULT, "box padding": "none"}, id="unknown-rule"
        ),
        pytest.param(
            {"input": {"padding": 1.1, "box": "landmarks"}}, {}, {**DEFAULT, "box padding": "1.1"}, id="own-padding"
        ),
        pytest.param({"input": {"padding": 1.1, "box": "rect"}}, {}, DEFAULT, id="padding-of-another-rule"),
    ],
)
def test_settings_of_a_cell(settings, card, options, expected):
    assert settings(card, **options) == expected


def test_a_rule_without_padding(settings, monkeypatch):
    monkeypatch.setattr("nmebench.boxes.create", lambda name: object())
    assert settings() == {**DEFAULT, "box padding": "none"}


def test_card_stands_for_its_own_settings(make_run):
    """The sweep's settings are not the card's."""
    options = {"configuration": {"box_padding": 1.5, "colour": "rgb", "keep_heatmaps": True}}
    run = make_run({CELL: 4.0}, cards={"net": CARD}, **options)
    assert card_settings(run.record.models[0], "landmarks") == {**OF_CARD, "input size": "256 x 192"}
    assert card_settings(run.record.models[0], "pfld")["box padding"] == "1.2"
    bare = make_run({CELL: 4.0}, name="bare")
    assert card_settings(bare.record.models[0], "landmarks") == DEFAULT


@pytest.mark.parametrize(
    ("declared", "input_size", "expected"),
    [
        pytest.param(None, (0, 0), {}, id="nothing"),
        pytest.param("text", (0, 0), {}, id="damaged"),
        pytest.param({}, (256, 192), {"input size": "256 x 192"}, id="size-alone"),
        pytest.param({}, (256, 0), {}, id="half-a-size"),
        pytest.param({"box_padding": 1.3}, (0, 0), {"box padding": "1.3"}, id="padding-alone"),
        pytest.param(
            {"like": "card", "box_padding": 1.3},
            (64, 64),
            {
                **{name: text for name, text in OF_CARD.items() if name not in ("precision", "network outputs")},
                "box padding": "1.3",
                "input size": "64 x 64",
            },
            id="like-a-card",
        ),
    ],
)
def test_declared_settings_of_predictions(settings, declared, input_size, expected):
    found = settings(CARD, kind="score", configuration={"declared": declared}, input_size=input_size)
    assert found == expected


def test_declared_protocol_is_that_of_scored_predictions(make_run):
    declared = {"configuration": {"declared": {"box_padding": 1.3}}}
    assert declared_protocol(make_run({CELL: 4.0}, kind="score", **declared)) == {"box_padding": 1.3}
    assert declared_protocol(make_run({CELL: 4.0}, name="sweep", **declared)) is None


def test_differences_of_settings():
    before = {"colour": "rgb", "mean": "0", "grid": "udp"}
    assert setting_differences(before, {"grid": "udp", "colour": "bgr", "std": "1"}) == {"colour": ("rgb", "bgr")}
    assert setting_differences(before, before) == {}


def test_counts_of_bad_maps():
    cell = CellRecord(id="c", model="net", decoder="dark", flip="none", box="rect", counts={"empty": 2, "invalid": 3})
    assert (bad_maps(cell), bad_maps(cell, "empty")) == (3, 2)
    assert bad_maps(cell.model_copy(update={"counts": {}})) == 0
