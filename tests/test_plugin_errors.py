"""Exceptions in the code of other distributions become one line; faults of nmebench keep their traceback."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nmebench import boxes, datasets, decoders
from nmebench.cli.entry import main
from nmebench.contracts import box_contract
from nmebench.decoders import registry
from nmebench.decoders.argmax import Argmax
from nmebench.errors import InputError
from nmebench.own_code import plugin_errors
from nmebench.sweep import execute
from nmebench.sweep.configuration import validate
from nmebench.training import loop


class OwnInit(Argmax):
    """A decoder whose constructor doesn't call its base class's."""

    name = "own"

    def __init__(self, power: float = 2.0) -> None:
        self.power = power


class Raising(Argmax):
    """A decoder that fails."""

    name = "own"

    def refine(self, *_: Any) -> Any:
        return {}["missing"]


class RaisingBox:
    """A box rule that fails."""

    name, summary, source, padding = "own", "a rule", "landmarks", 1.25

    def __call__(self, dataset: Any) -> Any:
        return np.zeros(25) + np.zeros(3)


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[[type], None]:
    """Make a class the decoder of every name."""
    return lambda kind: monkeypatch.setattr(registry, "_load", lambda name: (kind, "another"))


def test_own_constructor_is_refused_in_one_line(use: Callable[[type], None]) -> None:
    use(OwnInit)
    with pytest.raises(InputError, match=r"OwnInit.__init__ doesn't call super\(\).__init__"):
        decoders.create("own")
    with pytest.raises(InputError, match=r"decoder 'own': OwnInit\(...\) failed: TypeError.*'powr'"):
        decoders.create("own", powr=4)


def test_a_decoder_that_raises_ends_the_sweep_with_its_name(use: Callable[[type], None], tmp_path: Path) -> None:
    raw = {"data": "synthface", "models": [{"card": "oracle"}], "decoders": ["own"], "limit": 4}
    use(Raising)
    with pytest.raises(InputError, match=r"decoder 'own': decoding failed: KeyError: 'missing' \(test_plugin_errors"):
        execute(validate(raw, where="the test"), tmp_path / "run")


def test_a_box_rule_that_raises_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = datasets.load("synthface", limit=3)
    with pytest.raises(InputError, match=r"box 'own': its call failed: ValueError: operands could not be broadcast"):
        boxes.boxes_of(RaisingBox(), dataset)
    monkeypatch.setattr(boxes, "create", lambda *_, **__: RaisingBox())
    with pytest.raises(InputError, match="box 'own': its call failed"):
        box_contract.run_checks("own", "synthface")


def test_a_fault_of_nmebench_passes_unchanged() -> None:
    with pytest.raises(KeyError), plugin_errors("decoder 'argmax'", "decoding", Argmax):
        raise KeyError("missing")


def test_a_shard_is_called_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "shard.json").write_text("{}")
    assert main(["report", str(tmp_path)]) == 2
    assert "holds a shard of a sweep; `nmebench merge" in capsys.readouterr().err


def test_a_refused_training_leaves_its_folder_usable(tmp_path: Path) -> None:
    (tmp_path / "recipe.json").write_text("{}")
    (tmp_path / "log.jsonl").write_text('{"event": "start", "step": 0}\n')
    loop._forget_refused(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_training_with_steps_keeps_its_record(tmp_path: Path) -> None:
    (tmp_path / "recipe.json").write_text("{}")
    (tmp_path / "log.jsonl").write_text('{"event": "step", "step": 20}\n')
    loop._forget_refused(tmp_path)
    assert len(list(tmp_path.iterdir())) == 2
