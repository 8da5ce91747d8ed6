"""The search finds the settings with which a network was made."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nmebench import boxes, datasets, models
from nmebench.cards.candidates import box_rules, changed, pixel_values, readings
from nmebench.cards.probe import probe
from nmebench.cli.card import GUESS
from nmebench.models import card

Command = Callable[..., Any]


@pytest.fixture
def blank(nmebench: Command, network: Path, tmp_path: Path) -> Path:
    """The card that ``card new`` writes for the network, whose guesses are wrong."""
    assert nmebench("card", "new", network, "-o", tmp_path / "blank.toml").code == 0
    return tmp_path / "blank.toml"


def test_search_from_a_blank_card(nmebench: Command, blank: Path, plain_faces: Path, tmp_path: Path) -> None:
    given = card.load(blank)
    assert (given.input.colour, given.input.box, given.output.unit) == ("rgb", "landmarks", "crop-fraction")
    found = nmebench("card", "probe", blank, "--data", f"wflw:{plain_faces}", "-o", tmp_path / "best.toml")
    assert found.code == 0, found.err
    assert GUESS in found.out
    assert "guess" in (tmp_path / "best.toml").read_text().partition("name =")[0]
    best = card.load(tmp_path / "best.toml")
    assert (best.input.colour, best.input.box, best.input.padding) == ("bgr", "pfld", None)
    assert (best.input.mean, best.input.std) == ((127.5,) * 3, (127.5,) * 3)
    assert (best.output.unit, best.output.grid, best.output.layout) == ("crop-fraction", None, "xy")
    for stage in ("pixel values", "box", "padding", "crop", "outputs"):
        rows = [line for line in found.out.splitlines() if line.startswith(stage)]
        assert len(rows) > 3
        assert sum("chosen" in row for row in rows) == 1
    run = nmebench("run", "--data", f"wflw:{plain_faces}", "--model", tmp_path / "best.toml", "-o", tmp_path / "run")
    assert run.code == 0, run.err


def test_search_is_deterministic_and_needs_few_passes(blank: Path, plain_faces: Path) -> None:
    dataset = datasets.load(f"wflw:{plain_faces}")
    one, two = (probe(models.build(card.load(blank)), dataset) for _ in range(2))
    assert one.best == two.best
    assert [(row.value, row.nme) for row in one.tried] == [(row.value, row.nme) for row in two.tried]
    assert one.after < 5 < one.before  # PFLD's box drops fractions of a pixel
    assert one.passes <= 60 * len(dataset)  # the product of the stages would be thousands per face
    assert one.rounds == 2


@pytest.mark.parametrize("unit", ["crop-centred", "input-px", "crop-fraction"])
@pytest.mark.parametrize("layout", ["xs-ys", "yx"])
def test_unit_and_layout(
    write: Command, plain_faces: Path, tmp_path: Path, unit: str, layout: str, template: np.ndarray
) -> None:
    """A network that gives the shape of all faces, in the unit and layout to find."""
    inside = 0.1 + 0.8 * template  # the box x 1.25 around the face
    values = {"crop-centred": 2 * inside - 1, "input-px": inside * 16, "crop-fraction": inside}[unit]
    flat = values.T.reshape(1, -1) if layout == "xs-ys" else values[:, ::-1].reshape(1, -1)
    write({"points": flat})
    (tmp_path / "x.toml").write_text(
        'name = "x"\narchitecture = "onnx"\nweights = "net.onnx"\n[input]\nsize = [16, 16]\n'
        '[output]\nkind = "landmarks"\nunit = "crop-fraction"\n'
    )
    found = probe(models.build(card.load(tmp_path / "x.toml")), datasets.load(f"wflw:{plain_faces}"))
    assert (found.best.output.unit, found.best.output.layout) == (unit, layout)
    assert found.after < 2


def test_grid_and_decoder_of_heatmaps(write: Command, plain_faces: Path, tmp_path: Path, template: np.ndarray) -> None:
    """Maps of 16 px in the UDP grid: read as ``stride`` the points are up to 4 input px away."""
    at = (0.1 + 0.8 * template) * 64 * 15 / 63
    x, y = np.meshgrid(np.arange(16), np.arange(16))
    maps = np.exp(-0.5 * ((x - at[:, 0, None, None]) ** 2 + (y - at[:, 1, None, None]) ** 2) / 1.5**2)
    write({"heatmaps": maps[None]}, shape=(1, 3, 64, 64))
    text = 'name = "x"\narchitecture = "onnx"\nweights = "net.onnx"\n[input]\nsize = [64, 64]\n'
    (tmp_path / "x.toml").write_text(text)
    found = probe(models.build(card.load(tmp_path / "x.toml")), datasets.load(f"wflw:{plain_faces}"))
    assert found.best.output.grid == "udp"
    assert found.best.test.decoder in ("dark", "local-soft-argmax")
    assert found.after < 2


def test_a_setting_that_changes_nothing_is_kept(write: Command, plain_faces: Path, tmp_path: Path) -> None:
    """The network doesn't look at its images, so no pixel value can be better."""
    write({"points": np.full((1, 196), 0.5)})
    (tmp_path / "x.toml").write_text(
        'name = "x"\narchitecture = "onnx"\nweights = "net.onnx"\n[input]\nsize = [16, 16]\ncolour = "bgr"\n'
        'mean = [1, 2, 3]\n[output]\nkind = "landmarks"\nunit = "crop-fraction"\n'
    )
    found = probe(models.build(card.load(tmp_path / "x.toml")), datasets.load(f"wflw:{plain_faces}"))
    assert (found.best.input.colour, found.best.input.mean) == ("bgr", (1.0, 2.0, 3.0))
    assert found.best.input.resample is None


@pytest.mark.slow
def test_networks_of_registered_architectures(nmebench: Command, plain_faces: Path) -> None:
    found = nmebench("card", "probe", "synthface-mobilenetv3-simcc", "--data", f"wflw:{plain_faces}", "--limit", 2)
    assert found.code == 0, found.err
    assert "simcc-dark" in found.out


def test_uint8_networks_keep_their_range() -> None:
    given = changed(card.default_card("onnx"), input={"mean": (0.0,) * 3, "std": (1.0,) * 3})
    assert [one.card.input.colour for one in pixel_values(given, whole=True)] == ["rgb", "bgr"]
    assert len(pixel_values(given, whole=False)) == 8


def test_readings_are_different_cards() -> None:
    for kind in ("heatmaps", "landmarks", "simcc"):
        given = changed(
            card.default_card("onnx"), output={"kind": kind, "unit": "input-px" if kind == "landmarks" else None}
        )
        found = readings(given, adapter=True, flat=True)
        assert len({one.card.model_dump_json() for one in found}) == len({one.value for one in found}) == len(found) > 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["oracle"], "oracle reads the ground truth, so there is nothing to probe"),
        (["absent.toml"], "absent.toml"),
        (["BLANK", "--engine", "tpu"], "unknown engine 'tpu'"),
        (["BLANK", "-o", "BLANK"], "exists, and a card is never replaced"),
        (["BLANK", "-o", "no/such/folder.toml"], "is missing; create it first"),
    ],
)
def test_refused_in_one_line(
    nmebench: Command, blank: Path, plain_faces: Path, arguments: list[str], message: str
) -> None:
    given = [str(blank) if argument == "BLANK" else argument for argument in arguments]
    found = nmebench("card", "probe", *given, "--data", f"wflw:{plain_faces}")
    assert found.code == 2
    assert message in found.err
    assert len(found.err.splitlines()) == 1


def test_network_of_another_number_of_points(
    nmebench: Command, write: Command, plain_faces: Path, tmp_path: Path
) -> None:
    write({"points": np.zeros((1, 136))})
    assert nmebench("card", "new", tmp_path / "net.onnx", "-o", tmp_path / "x.toml").code == 0
    found = nmebench("card", "probe", tmp_path / "x.toml", "--data", f"wflw:{plain_faces}")
    assert found.code == 2
    assert "gives 68 points, but" in found.err


@pytest.mark.slow
def test_real_network(nmebench: Command, shared: Path, tmp_path: Path) -> None:
    """GhostNet-Slim: BGR, 127.5, PFLD's box, fractions of the crop."""
    network = shared / "weights/PFLD_GhostNet_Slim_112_1_opt_sim.onnx"
    assert nmebench("card", "new", network, "-o", tmp_path / "ghost.toml").code == 0
    data = f"wflw:{shared / 'wflw-sample'}"
    found = nmebench(
        "card", "probe", tmp_path / "ghost.toml", "--data", data, "--limit", 50, "-o", tmp_path / "best.toml"
    )
    assert found.code == 0, found.err
    table = tomllib.loads((tmp_path / "best.toml").read_text())
    assert (table["input"]["colour"], table["input"]["box"]) == ("bgr", "pfld")
    assert table["input"]["mean"] == table["input"]["std"] == [127.5] * 3
    assert table["output"]["unit"] == "crop-fraction"


def test_a_rule_with_equal_boxes_is_tried_once(blank: Path, plain_faces: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = datasets.load(f"wflw:{plain_faces}")
    given = card.load(blank)
    before = [candidate.value for candidate in box_rules(given, dataset)]
    create = boxes.create
    monkeypatch.setattr(boxes, "create", lambda name, padding=None: create("pfld" if name == "rect" else name, padding))
    after = [candidate.value for candidate in box_rules(given, dataset)]
    assert "pfld x 1.2" in before
    assert "pfld x 1.2" not in after  # rect, which comes first, has these boxes
    assert len(after) == len(before) - 1
