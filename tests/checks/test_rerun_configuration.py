"""The configuration of a rerun: the run's own, reduced to one cell, with some settings changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from nmebench.checks import make_rerun
from nmebench.errors import InputError

DARK, DIRECT = ("b", "dark", "flip+shift", "landmarks"), ("a", "direct", "none", "rect")
SWEEP = {
    "data": "wflw:somewhere",
    "models": [{"card": "a.toml"}, {"card": "b.toml"}],
    "decoders": ["dark", "argmax"],
    "flip": ["flip+shift", "none"],
    "boxes": ["landmarks", "rect"],
    "limit": 7,
}


@pytest.fixture
def asked(make_run, monkeypatch):
    """A run of two networks, and the sweeps that reruns of its cells ask for."""
    import nmebench.sweep
    import nmebench.sweep.configuration

    calls = []

    def validate(raw, where):
        calls.append((raw, where))
        return raw

    class Finished:
        """A run with the scores of two subsets."""

        @staticmethod
        def score_rows():
            return [{"subset": "test", "nme": "4.5"}, {"subset": "pose", "nme": 7}]

    def execute(configuration, out):
        assert out.parent.is_dir()
        assert out.parent.name.startswith("nmebench-")
        calls.append((configuration, out))
        return Finished()

    monkeypatch.setattr(nmebench.sweep.configuration, "validate", validate)
    monkeypatch.setattr(nmebench.sweep, "execute", execute)
    run = make_run({DIRECT: 4.0, DARK: 4.0}, configuration=SWEEP)
    assert [model.name for model in run.record.models] == ["a", "b"]
    return run, calls


def test_one_cell_is_measured_with_its_own_settings(asked):
    run, calls = asked
    found = make_rerun(run)(run.record.cells[1], {})
    assert found == {"test": 4.5, "pose": 7.0}
    assert all(type(nme) is float for nme in found.values())
    (raw, where), (executed, out) = calls
    assert raw == {
        **SWEEP,
        "models": [{"card": "b.toml"}],
        "decoders": ["dark"],
        "flip": ["flip+shift"],
        "boxes": ["landmarks"],
        "pictures": False,
    }
    assert executed is raw
    assert where == "the alternative"
    assert not Path(out).parent.exists(), "the folder is temporary"


def test_settings_are_replaced(asked):
    run, calls = asked
    make_rerun(run)(run.record.cells[0], {"flip": ("flip",), "box_padding": 1.2, "options": {"fusion": "nearest"}})
    raw = calls[0][0]
    assert raw["models"] == [{"card": "a.toml"}]
    assert raw["decoders"] == [], "the network outputs landmarks"
    assert (raw["flip"], raw["boxes"], raw["box_padding"]) == (["flip"], ["rect"], 1.2)
    assert raw["options"] == {"fusion": "nearest"}
    assert run.record.configuration["flip"] == ["flip+shift", "none"], "the run is not changed"


def test_invalid_settings_are_refused_before_a_sweep(make_run):
    run = make_run({DARK: 4.0}, configuration={**SWEEP, "models": [{"card": "b.toml"}]})
    with pytest.raises(InputError, match="the alternative"):
        make_rerun(run)(run.record.cells[0], {"box_padding": -1})


def test_predictions_have_no_network_to_run(make_run):
    assert make_rerun(make_run({DARK: 4.0}, kind="score")) is None
