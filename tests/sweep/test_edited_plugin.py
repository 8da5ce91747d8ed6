"""A plug-in network that is edited between two sweeps: the number follows the edit on every engine, resumed or not."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from nmebench import engines
from nmebench.runs.run_record import SourceRecord
from nmebench.runs.run_store import Run
from nmebench.sweep import execute
from nmebench.sweep.configuration import validate

NETWORK = """
import torch
from torch import nn

from edited_plugin.helper import spread
from edited_plugin_constants import GAIN
from edited_plugin_dependency import MAJOR
from importlib.metadata import version

OWN = float(version("edited-plugin"))


class Net(nn.Module):
    reads = "images"

    def __init__(self, *, points: int = 98, gain: float = 1.0) -> None:
        super().__init__()
        self.points = points
        self.gain = gain

    def forward(self, images):
        level = images.mean(dim=(2, 3))[:, :2].tanh()
        steps = torch.arange(self.points * 2, dtype=torch.float32).reshape(1, self.points, 2)
        return {"landmarks": spread(steps) * GAIN * self.gain + level[:, None] + 2.0 + MAJOR + OWN}
"""

DECODER = """
from nmebench.decoders.interface import HeatmapDecoder

from edited_plugin.helper import spread


class Decoder(HeatmapDecoder):
    \"\"\"The maximum plus a constant.\"\"\"

    name, source, bound = "edited-decoder", "a test", 9.0

    def refine(self, maps, maxima):
        return maxima.xy + spread(1.0)
"""

FILES = {
    "edited_plugin/__init__.py": "from edited_plugin.network import Net\n",
    "edited_plugin/network.py": NETWORK,
    "edited_plugin/decoder.py": DECODER,
    "edited_plugin/helper.py": "def spread(steps):\n    return steps * 0.125\n",
    "edited_plugin_constants.py": "GAIN = 1.0\n",
    "edited_plugin-1.0.dist-info/METADATA": (
        "Metadata-Version: 2.1\nName: edited-plugin\nVersion: 1.0\nRequires-Dist: edited-plugin-dependency>=1\n"
    ),
    "edited_plugin-1.0.dist-info/entry_points.txt": (
        "[nmebench.models]\nedited = edited_plugin:Net\n"
        "[nmebench.decoders]\nedited-decoder = edited_plugin.decoder:Decoder\n"
    ),
    "edited_plugin-1.0.dist-info/RECORD": (
        "edited_plugin/__init__.py,,\nedited_plugin/network.py,,\nedited_plugin/helper.py,,\n"
        "edited_plugin/decoder.py,,\nedited_plugin_constants.py,,\nedited_plugin-1.0.dist-info/METADATA,,\n"
    ),
    "edited_plugin_dependency.py": (
        'from importlib.metadata import version\n\nMAJOR = float(version("edited-plugin-dependency"))\n'
    ),
    "edited_plugin_dependency-1.0.dist-info/METADATA": (
        "Metadata-Version: 2.1\nName: edited-plugin-dependency\nVersion: 1.0\n"
    ),
    "edited_plugin_dependency-1.0.dist-info/RECORD": (
        "edited_plugin_dependency.py,,\nedited_plugin_dependency-1.0.dist-info/METADATA,,\n"
    ),
}

EDITS = {
    "forward": ("edited_plugin/network.py", "+ 2.0", "+ 5.0"),
    "helper file": ("edited_plugin/helper.py", "0.125", "0.25"),
    "constant of another module": ("edited_plugin_constants.py", "1.0", "1.5"),
    "version of the distribution": ("edited_plugin-1.0.dist-info/METADATA", "Version: 1.0", "Version: 4.0"),
    "version of the dependency": ("edited_plugin_dependency-1.0.dist-info/METADATA", "Version: 1.0", "Version: 4.0"),
}

CARD = 'name = "edited"\narchitecture = "edited"\n[input]\nsize = [64, 64]\n[output]\nkind = "landmarks"\n'


class _Stopped(KeyboardInterrupt):
    """Ends a sweep after a batch."""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on ``sys.path`` with an installed plug-in, its dependency and a card, and an empty cache."""
    folder = tmp_path / "site"
    for name, content in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    (folder / "edited.toml").write_text(CARD)
    monkeypatch.setenv("NMEBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # an edit of the same size within a second
    yield folder
    _forget()


def _forget() -> None:
    """Remove the plug-in's modules, as a new process would start without them."""
    for name in [name for name in sys.modules if name.startswith("edited_plugin")]:
        del sys.modules[name]
    importlib.invalidate_caches()


def _edit(site: Path, edit: str) -> None:
    name, old, new = EDITS[edit]
    text = (site / name).read_text()
    assert old in text
    (site / name).write_text(text.replace(old, new))


@pytest.fixture
def sweep(site: Path, few_faces: Path) -> Callable[..., Run]:
    """``sweep(engine, out)`` runs the plug-in on few faces; ``stop`` interrupts it after the first batch."""

    def run(engine: str, out: Path, *, stop: bool = False, **changes: object) -> Run:
        _forget()
        raw = {
            "data": f"wflw:{few_faces}", "models": [str(site / "edited.toml")], "flip": ["none"], "engine": engine,
            "threads": 1, "batch_size": 3, "pictures": False,
        }  # fmt: skip

        def interrupt(label: str, done: int, total: int) -> None:
            if done:
                raise _Stopped

        return execute(validate(raw | changes, where="a test"), out, progress=interrupt if stop else None)

    return run


def _landmarks(run: Run) -> np.ndarray:
    (cell,) = run.record.cells
    return np.asarray(run.landmarks(cell.id))


@pytest.mark.parametrize("engine", ["torch", "openvino", "onnxruntime"])
@pytest.mark.parametrize("edit", EDITS)
def test_number_follows_an_edit(
    sweep: Callable[..., Run], site: Path, tmp_path: Path, engine: str, edit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not engines.available()[engine]:
        pytest.skip(f"engine {engine} can't run on this machine")
    before = _landmarks(sweep(engine, tmp_path / "before"))
    with pytest.raises(_Stopped):
        sweep(engine, tmp_path / "resumed", stop=True)
    _edit(site, edit)
    fresh = _landmarks(sweep(engine, tmp_path / "fresh"))
    resumed = _landmarks(sweep(engine, tmp_path / "resumed"))
    monkeypatch.setenv("NMEBENCH_CACHE", str(tmp_path / "empty cache"))
    expected = _landmarks(sweep("torch", tmp_path / "expected"))
    assert np.abs(expected - before).max() > 0.5
    assert np.abs(fresh - expected).max() < 1e-3
    assert np.abs(resumed - expected).max() < 1e-3


@pytest.mark.parametrize("edit", ["helper file", "version of the dependency"])
def test_cell_of_a_decoder_follows_an_edit_of_its_helper(
    sweep: Callable[..., Run], site: Path, tmp_path: Path, edit: str
) -> None:
    raw = {"models": ["oracle"], "decoders": ["edited-decoder"]}
    before = _landmarks(sweep("torch", tmp_path / "before", **raw))
    with pytest.raises(_Stopped):
        sweep("torch", tmp_path / "resumed", stop=True, **raw)
    _edit(site, edit)
    fresh = _landmarks(sweep("torch", tmp_path / "fresh", **raw))
    resumed = _landmarks(sweep("torch", tmp_path / "resumed", **raw))
    assert np.array_equal(fresh, resumed)
    assert np.array_equal(fresh, before) is (edit != "helper file")


@pytest.mark.parametrize("engine", ["torch", "openvino", "onnxruntime"])
def test_number_follows_an_option_that_only_the_forward_pass_reads(
    sweep: Callable[..., Run], tmp_path: Path, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not engines.available()[engine]:
        pytest.skip(f"engine {engine} can't run on this machine")
    sweep(engine, tmp_path / "before")
    found = _landmarks(sweep(engine, tmp_path / "after", options={"gain": 1.5}))
    monkeypatch.setenv("NMEBENCH_CACHE", str(tmp_path / "empty cache"))
    expected = _landmarks(sweep("torch", tmp_path / "expected", options={"gain": 1.5}))
    assert np.abs(found - expected).max() < 1e-3


def test_provenance_names_the_plugin_and_follows_the_edit(
    sweep: Callable[..., Run], site: Path, tmp_path: Path
) -> None:
    def recorded(name: str) -> dict[str, SourceRecord]:
        return {record.name: record for record in sweep("torch", tmp_path / name).record.provenance.plugins}

    before, again = recorded("before"), recorded("again")
    assert before == again
    plugin = before["edited-plugin"]
    assert (plugin.used_by, plugin.distribution, plugin.version) == (["model edited"], "edited-plugin", "1.0")
    assert plugin.requirements["edited-plugin-dependency"].startswith("1.0 ")
    assert str(tmp_path) not in str(before)
    _edit(site, "helper file")
    assert recorded("after")["edited-plugin"].sha256 != plugin.sha256
