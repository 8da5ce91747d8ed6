"""Networks from a user's own folder: the right code, numbers that follow every edit, and one line for every failure."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from users_folder import FILES, NET, OUT, constructor, forward, write

from nmebench.runs.run_store import Run


def landmarks(run: Run, number: int = 0) -> np.ndarray:
    return np.asarray(run.landmarks(run.record.cells[number].id))


@pytest.mark.parametrize(
    ("architecture", "extra"),
    [
        pytest.param("python:net.py:MyNet", "", id="class"),
        pytest.param("python:net.py:make", "", id="factory"),
        pytest.param("python:net:MyNet", "", id="module beside the card"),
        pytest.param("python:./net.py:MyNet", "[options]\npoints = 98", id="path and options"),
    ],
)
def test_folder_with_a_package_named_models(
    sweep: Callable[..., Run], tmp_path: Path, architecture: str, extra: str
) -> None:
    from nmebench import models

    before = sys.path.copy(), sys.meta_path.copy(), sys.modules.get("models")
    run = sweep(write(tmp_path / "own", FILES, architecture, extra), out="run")
    assert landmarks(run).shape == (11, 98, 2)
    assert (sys.path, sys.meta_path, sys.modules.get("models")) == before
    assert sys.modules["nmebench.models"] is models


def test_file_of_a_package_keeps_its_relative_imports(sweep: Callable[..., Run], tmp_path: Path) -> None:
    files = {
        "pack/__init__.py": "",
        "pack/nets/__init__.py": "",
        "pack/nets/net.py": NET.replace("models.backbone", "..backbone").replace("from constants", "from ..constants"),
        "pack/backbone.py": FILES["models/backbone.py"],
        "pack/constants.py": FILES["constants.py"],
    }
    one = sweep(write(tmp_path / "own", files, "python:pack/nets/net.py:MyNet"), out="file")
    two = sweep(write(tmp_path / "own", files, "python:pack.nets.net:MyNet"), out="dotted")
    assert np.array_equal(landmarks(one), landmarks(two))


EDITS = {
    "forward": ("net.py", "0.2 + 0.1", "0.3 + 0.1"),
    "helper in a package": ("models/backbone.py", "0.5", "0.9"),
    "constant": ("constants.py", "1.0", "2.0"),
}


class _Stopped(KeyboardInterrupt):
    """Ends a sweep after a batch."""


def _stop(label: str, done: int, total: int) -> None:
    if done:
        raise _Stopped


@pytest.mark.parametrize("edit", EDITS)
def test_number_follows_an_edit_resumed_or_not(sweep: Callable[..., Run], tmp_path: Path, edit: str) -> None:
    card = write(tmp_path / "own", FILES)
    before = landmarks(sweep(card, out="before"))
    with pytest.raises(_Stopped):
        sweep(card, out="resumed", progress=_stop)
    name, old, new = EDITS[edit]
    text = (card.parent / name).read_text()
    assert old in text
    (card.parent / name).write_text(text.replace(old, new))  # as long as before, within the same second
    fresh, resumed = landmarks(sweep(card, out="fresh")), landmarks(sweep(card, out="resumed"))
    assert np.array_equal(fresh, resumed)
    assert np.abs(fresh - before).max() > 0.01


HOLDS = {
    "number": ("value", "self.held"),
    "sparse tensor": ("torch.full((1, 1), value).to_sparse()", "self.held.to_dense().item()"),
    "function": ("lambda: value", "self.held()"),
    "network in a list": ("[nn.Upsample(scale_factor=value)]", "self.held[0].scale_factor"),
    "object without a hash": ("Opaque(value)", "self.held.take()"),
}


@pytest.mark.parametrize("how", HOLDS)
def test_number_follows_a_data_file_that_the_constructor_reads(
    sweep: Callable[..., Run], tmp_path: Path, how: str
) -> None:
    held, read = HOLDS[how]
    net = f"""
import json
from pathlib import Path

import torch
from torch import nn


class Opaque:
    __slots__ = ("take",)

    def __init__(self, value):
        self.take = lambda: value

    def __deepcopy__(self, memo):
        return self

    def __reduce__(self):
        raise TypeError("can't be stored")


class MyNet(nn.Module):
    def __init__(self):
        super().__init__()
        value = json.loads(Path(__file__).with_name("mean.json").read_text())
        self.held = {held}

    def forward(self, x):
        return x.mean((2, 3))[:, :1] * 0 + torch.full((1, 196), {read})
"""
    card = write(tmp_path / "own", {"net.py": net, "mean.json": "0.25"})
    before = landmarks(sweep(card, out="before"))
    with pytest.raises(_Stopped):
        sweep(card, out="resumed", progress=_stop)
    (card.parent / "mean.json").write_text("0.75")
    moved = np.abs(landmarks(sweep(card, out="resumed")) - before).max((1, 2))
    assert moved.min() > 1  # also the faces of the batch that was finished before the edit


def test_two_folders_with_the_same_names_keep_their_own_code(sweep: Callable[..., Run], tmp_path: Path) -> None:
    lazy = NET.replace("from constants import GAIN\n", "").replace(
        "    def forward(self, x):\n", "    def forward(self, x):\n        from constants import GAIN\n"
    )
    one = write(tmp_path / "one", FILES | {"net.py": lazy})
    two = write(tmp_path / "two", FILES | {"net.py": lazy, "constants.py": "GAIN = 3.0\n"})
    two.write_text(two.read_text().replace('"mine"', '"other"'))
    both = sweep(one, two, out="both")
    assert np.array_equal(landmarks(both, 0), landmarks(sweep(one, out="alone one")))
    assert np.array_equal(landmarks(both, 1), landmarks(sweep(two, out="alone two")))
    assert np.abs(landmarks(both, 0) - landmarks(both, 1)).max() > 1
    sources = [record for record in both.record.provenance.plugins if record.name == "net.py"]
    assert [record.used_by for record in sorted(sources, key=lambda r: r.used_by)] == [["model mine"], ["model other"]]
    assert str(tmp_path) not in str(sources)


def test_version_of_an_imported_distribution_is_in_the_provenance(sweep: Callable[..., Run], tmp_path: Path) -> None:
    card = write(tmp_path / "own", FILES | {"net.py": "import safetensors\n" + NET})
    (source,) = [s for s in sweep(card, out="run").record.provenance.plugins if s.name == "net.py"]
    assert "safetensors" in source.requirements


def test_lists_and_tables_are_options(sweep: Callable[..., Run], tmp_path: Path) -> None:
    net = NET.replace("points=98, gain=1.0", "points=98, gain=1.0, stages=(), cfg=None").replace(
        "super().__init__()", 'super().__init__()\n        assert stages == [1, 2] and cfg == {"depth": {"a": [3]}}'
    )
    extra = "[options]\nstages = [1, 2]\ncfg = { depth = { a = [3] } }"
    assert sweep(write(tmp_path / "own", FILES | {"net.py": net}, extra=extra), out="run")


@pytest.mark.parametrize(
    "line",
    [
        "self.register_buffer('grid', torch.zeros(4, 4), persistent=False)",
        "self.grid = 'udp'",
        "self.input_size = 32",
        "self.input_dtype = 'uint8'",
        "self.outputs = nn.ModuleList([nn.ReLU()])",
        "self.reads = 3",
        "self.notes = 'mine'",
        "self.runtime = 'cpu'",
        "self.namings = {'a': 1}",
        "self.code = 3",
        "self.use_threads = True",
    ],
)
def test_attribute_with_a_name_of_the_interface_means_nothing(
    sweep: Callable[..., Run], tmp_path: Path, line: str
) -> None:
    plain = write(tmp_path / "plain", {"net.py": constructor("pass") + forward(f"return {OUT} / 9 + 0.3", "")})
    other = write(tmp_path / "own", {"net.py": constructor(line) + forward(f"return {OUT} / 9 + 0.3", "")})
    runs = [sweep(card, out=card.parent.name + "-run", decoders=[], limit=2) for card in (plain, other)]
    assert np.array_equal(landmarks(runs[0]), landmarks(runs[1]))
    assert runs[0].record.models[0].notes == runs[1].record.models[0].notes


def test_namings_of_own_code_mean_nothing(tmp_path: Path) -> None:
    from nmebench import models

    net = constructor("self.fc = nn.Linear(3, 196)\n        self.namings = {'a': 1}") + forward("return x", "")
    write(tmp_path, {"net.py": net})
    torch.save({"fc.weight": torch.ones(196, 3), "fc.bias": torch.ones(196)}, tmp_path / "w.pth")
    card = models.card.load(write(tmp_path, {}, extra='weights = "w.pth"'))
    assert models.build(card).weights_sha256 is not None
    made = models.create(f"python:{tmp_path / 'net.py'}:MyNet", tmp_path / "w.pth")
    assert float(made.fc.bias[0]) == 1  # type: ignore[index, union-attr]


def test_architecture_without_a_card(
    few_faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sweep: Callable[..., Run]
) -> None:
    maps = forward("return F.avg_pool2d(x, 4).mean(1, keepdim=True).expand(-1, 98, -1, -1)")
    write(tmp_path / "own", {"net.py": maps})
    monkeypatch.chdir(tmp_path / "own")
    run = sweep(Path("python:net.py:MyNet"), out="run", decoders=["argmax"])
    assert run.record.models[0].name == "MyNet"


def test_constructor_gets_the_same_random_numbers_each_time(tmp_path: Path) -> None:
    from nmebench import models

    net = constructor("self.noise = torch.randn(4)") + "    def forward(self, x):\n        return x\n"
    card = models.card.load(write(tmp_path / "own", {"net.py": net}))
    state = torch.random.get_rng_state()
    one, two = (models.build(card).module.module.noise for _ in range(2))
    assert torch.equal(one, two)
    assert torch.equal(torch.random.get_rng_state(), state)
