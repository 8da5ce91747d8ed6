"""Declared protocols of predictions, and the runs that are stored with one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nmebench.errors import InputError
from nmebench.scoring.declare_protocol import DeclaredProtocol, declare, input_size
from nmebench.scoring.read_predictions import _first_line
from nmebench.scoring.store_predictions import store_predictions

CARD = """
name = "net"
architecture = "hrnetv2-w18"
[input]
size = [128, 96]
box = "pfld"
[output]
grid = "udp"
[test]
decoder = "dark"
flip = true
"""


@pytest.fixture
def card(tmp_path: Path) -> str:
    (tmp_path / "card.toml").write_text(CARD)
    return str(tmp_path / "card.toml")


def test_declared_by_options_alone() -> None:
    found = declare(decoder="dark:kernel=11", flip="flip", box="rect", box_padding=1.5, input_size=(64, 32))
    assert found == DeclaredProtocol("dark", "flip", "rect", 1.5, (64, 32), None, {}, "stride")
    assert found.configuration() == {
        "like": None,
        "decoder": "dark",
        "flip": "flip",
        "box": "rect",
        "box_padding": 1.5,
        "input_size": [64, 32],
    }
    plain = declare(decoder="direct", flip="none", box="landmarks")
    assert plain is not None
    assert (plain.decoder, plain.convention, plain.configuration()["input_size"]) == ("direct", "stride", None)


def test_declared_like_a_card(card: str) -> None:
    found = declare(card)
    assert found is not None
    assert (found.decoder, found.flip, found.box, found.input_size) == ("dark", "flip", "pfld", (128, 96))
    assert found.card["input"]["size"] == [128, 96], "as JSON"
    assert (found.like, found.card["name"], found.convention, found.box_padding) == (card, "net", "udp", None)


def test_options_replace_the_cards(card: str) -> None:
    found = declare(card, decoder="argmax", flip="none", box="rect", input_size=(8, 8))
    assert found is not None
    assert (found.decoder, found.flip, found.box, found.input_size) == ("argmax", "none", "rect", (8, 8))
    preset = declare(card, decoder="mmpose-megvii")
    assert preset is not None
    assert preset.convention != "udp", "a preset has its own map"
    direct = declare(card, decoder="direct")
    assert direct is not None
    assert direct.convention == "udp"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        pytest.param({"decoder": "dark"}, r"no --flip, --no-flip or --test-time; give", id="no-flip"),
        pytest.param({"flip": "none"}, "no --decoder; give", id="no-decoder"),
        pytest.param({"decoder": "dark", "flip": "none"}, "no --box; give", id="no-box"),
        pytest.param({"flip": "flap"}, "unknown flip test 'flap'", id="flip"),
        pytest.param({"decoder": "drak", "flip": "none", "box": "rect"}, "unknown decoder 'drak'", id="decoder"),
        pytest.param({"decoder": "dark", "flip": "none", "box": "rct"}, "'rct'", id="box"),
        pytest.param({"decoder": "dark", "flip": "none", "box": "rect", "box_padding": 0}, "padding", id="padding"),
    ],
)
def test_incomplete_or_unknown_protocols_are_refused(given: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        declare(**given)  # type: ignore[arg-type]
    assert "names none" not in str(error.value)


def test_nothing_is_declared() -> None:
    assert declare() is None
    with pytest.raises(InputError, match="no --decoder"):
        declare(box_padding=1.2)


@pytest.mark.parametrize(
    ("text", "size"),
    [("256x192", (256, 192)), ("112", (112, 112)), (" 1 X 4096 ", (1, 4096)), ("64×32", (64, 32))],
)
def test_input_sizes(text: str, size: tuple[int, int]) -> None:
    assert input_size(text) == size


@pytest.mark.parametrize("text", ["", "x", "0", "0x5", "5x", "x5", "4097", "1x4097", "12345", "-5", "1.5", "١", "a"])
def test_wrong_input_sizes_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="give width and height in px up to 4096"):
        input_size(text)


@pytest.fixture
def stored(tmp_path: Path):
    truth = np.random.default_rng(0).uniform(0, 100, (3, 98, 2))
    np.savez(tmp_path / "truth.npz", landmarks=truth)

    def store(declared: DeclaredProtocol | None, name: str = "mine"):
        data = f"landmarks:{tmp_path}/truth.npz"
        return store_predictions(tmp_path / "truth.npz", data, tmp_path / name, name=name, declared=declared)

    return store


def test_run_with_a_declared_protocol(stored, card: str) -> None:
    protocol = declare(card, box="landmarks", box_padding=1.5)
    record = stored(protocol).record
    assert record.configuration["declared"] == protocol.configuration()
    (cell,) = record.cells
    assert (cell.model, cell.decoder, cell.flip, cell.box, cell.convention) == (
        "mine",
        "dark",
        "flip",
        "landmarks",
        "udp",
    )
    (model,) = record.models
    assert (model.input_size, model.architecture, model.engine) == ((128, 96), "predictions", "none (predictions)")
    assert (model.card["name"], model.card["predictions"], model.card["output"]["grid"]) == ("mine", "truth.npz", "udp")
    assert model.notes == [
        "mine: decoder, flip test, box and settings are declared (like the card net), not measured"
    ]  # fmt: skip


def test_boxes_of_a_declared_protocol(stored, card: str) -> None:
    """The crop of the box rule with its padding, on the input's aspect ratio; else the landmarks' extents."""
    boxed = stored(declare(decoder="direct", flip="none", box="landmarks", box_padding=2.0, input_size=(8, 4)), "boxed")
    wide = boxed.faces.size
    np.testing.assert_allclose(wide[:, 0], 2 * wide[:, 1])
    truth = boxed.faces.landmarks
    low, high = truth.min(axis=1), truth.max(axis=1)
    assert (wide[:, 1] >= 1.99 * (high - low)[:, 1] - 1e-9).all()
    unknown = stored(declare(decoder="direct", flip="none", box="landmarks"), "unknown")
    rectangles = stored(declare(decoder="direct", flip="none", box="rect", input_size=(8, 4)), "rectangles")
    for run in (unknown, rectangles):
        np.testing.assert_allclose(run.faces.size, high - low)
        np.testing.assert_allclose(run.faces.centre, (low + high) / 2)
    assert unknown.record.models[0].input_size == (0, 0)
    assert unknown.record.models[0].notes[0].endswith("are declared (on the command line), not measured")


def test_provenance_of_predictions(stored) -> None:
    record = stored(None).record
    provenance = record.provenance
    assert (provenance.threads, provenance.deterministic, provenance.seed) == (1, True, 0)
    assert record.models[0].notes == []
    assert "declared" not in record.configuration


def test_first_lines_of_errors() -> None:
    assert _first_line(ValueError("one\ntwo")) == "one"
    assert _first_line(ValueError()) == "ValueError"
    assert _first_line(ValueError("x" * 300)) == "x" * 200
