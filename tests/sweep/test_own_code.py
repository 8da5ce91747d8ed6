"""Networks from a user's own folder: the right code, numbers that follow every edit, and one line for every failure."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nmebench.__main__ import main
from nmebench.errors import InputError
from nmebench.runs.run_store import Run
from nmebench.sweep import execute
from nmebench.sweep.configuration import validate

NET = """
import torch
from torch import nn

from models.backbone import stem
from constants import GAIN


class MyNet(nn.Module):
    def __init__(self, points=98, gain=1.0):
        super().__init__()
        self.points, self.gain = points, gain

    def forward(self, x):
        level = stem(x).mean((2, 3))[:, :1].tanh()
        return 0.2 + 0.1 * GAIN * self.gain + 0.01 * level * torch.linspace(0.2, 0.8, self.points * 2)


def make(**options):
    return MyNet(**options)
"""

FILES = {
    "net.py": NET,
    "models/backbone.py": "SCALE = 0.5\n\n\ndef stem(x):\n    return x * SCALE\n",
    "constants.py": "GAIN = 1.0\n",
}

CARD = """
name = "mine"
architecture = "{architecture}"
{extra}
[input]
size = [64, 64]
[output]
kind = "landmarks"
unit = "crop-fraction"
"""


def write(folder: Path, files: dict[str, str], architecture: str = "python:net.py:MyNet", extra: str = "") -> Path:
    """Write a user's folder and its card; the card's path."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    (folder / "card.toml").write_text(CARD.format(architecture=architecture, extra=extra))
    return folder / "card.toml"


@pytest.fixture
def sweep(few_faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Run]:
    monkeypatch.setenv("NMEBENCH_CACHE", str(tmp_path / "cache"))

    def run(*cards: Path, out: str, progress: Any = None, **changes: object) -> Run:
        raw = {
            "data": f"wflw:{few_faces}", "models": [str(card) for card in cards], "engine": "torch", "threads": 1,
            "batch_size": 4, "pictures": False,
        }  # fmt: skip
        return execute(validate(raw | changes, where="a test"), tmp_path / out, progress=progress)

    return run


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


HEAD = "import torch\nfrom torch import nn\nfrom torch.nn import functional as F\n\n\nclass MyNet(nn.Module):\n"
OUT = "x.mean((2, 3))[:, :1].expand(-1, 196)"


def forward(line: str, head: str = HEAD) -> str:
    return f"{head}    def forward(self, x):\n        {line}\n"


def constructor(line: str) -> str:
    return f"{HEAD}    def __init__(self):\n        super().__init__()\n        {line}\n"


FAILURES = {
    "import error": ("import absent_package\n", "ModuleNotFoundError: No module named 'absent_package' (net.py:1)"),
    "syntax error": ("class MyNet(:\n", "SyntaxError: invalid syntax (net.py:1)"),
    "GeneratorExit on import": ("raise GeneratorExit\n", "GeneratorExit: no message (net.py:1)"),
    "exit on import": ("raise SystemExit(0)\n", "SystemExit: the code ends the process (0) (net.py:1)"),
    "command line read on import": (
        "import argparse\nargparse.ArgumentParser().parse_args(['--lr'])\n",
        "SystemExit: the code ends the process (2) (net.py:2)",
    ),
    "no such class": ("class MyNot:\n    pass\n", "MyNet doesn't exist; net.py has MyNot; did you mean 'MyNot'?"),
    "constructor": (constructor("raise ValueError('odd\\nwidth')"), "MyNet() failed: ValueError: odd width (net.py:9)"),
    "constructor's options": (
        HEAD + "    def __init__(self, width):\n        super().__init__()\n",
        "TypeError: MyNet.__init__() missing 1 required positional argument: 'width'",
    ),
    "exit in the constructor": (constructor("raise SystemExit"), "SystemExit: the code ends the process"),
    "no module": ("def MyNet():\n    return {}\n", "python:net.py:MyNet gives a dict, not a torch.nn.Module"),
    "random weights": (constructor("self.fc = nn.Linear(3, 196)"), "has parameters and its card names no weights"),
    "forward": (forward("raise KeyError('x')"), "forward for [1, 3, 64, 64] failed: KeyError: 'x' (net.py:8)"),
    "exit in forward": (forward("raise SystemExit(1)"), "SystemExit: the code ends the process (1) (net.py:8)"),
    "no forward": (constructor("pass"), 'NotImplementedError: Module [MyNet] is missing the required "forward"'),
    "input size": (
        forward(f"return F.linear(x.flatten(1), torch.ones(196, 3 * 32 * 32)) + 0 * {OUT}"),
        "RuntimeError: mat1 and mat2 shapes cannot be multiplied (1x12288 and 3072x196) (net.py:8)",
    ),
    "output": (forward("return None"), "returns a NoneType, not a tensor"),
    "several outputs": (forward(f"return {OUT}, {OUT}"), "set names, or stack"),
    "points": (forward(f"return {OUT}[:, :136]"), "outputs 68 landmarks, but"),
    "NaN": (forward(f"return {OUT} * float('nan')"), "has values that aren't finite on the first face"),
    "batch of one alone": (
        forward(f"return ({OUT}).reshape(1, 196)"),
        "forward for [2, 3, 64, 64] failed: RuntimeError: shape '[1, 196]' is invalid for input of size 392 (net.py:8)",
    ),
    "batch dimension squeezed away": (forward(f"return ({OUT}).squeeze()"), "the batch must be the first dimension"),
    "dropout that is always on": (forward(f"return F.dropout({OUT} + 1, 0.5, training=True)"), "from pass to pass"),
    "faces that affect each other": (forward(f"return {OUT} - {OUT}.mean(0)"), "when another face is in the batch"),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_failure_is_one_line(few_faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], failure: str) -> None:
    content, message = FAILURES[failure]
    card = write(tmp_path / "own", {"net.py": content})
    arguments = ["run", "--data", f"wflw:{few_faces}", "--model", str(card), "-o", str(tmp_path / "run")]
    assert main(arguments) == 2
    captured = capsys.readouterr().err
    (line,) = [line for line in captured.splitlines() if line.startswith("nmebench: ")]
    assert message in line
    assert "mine" in line or "python:net.py:MyNet" in line
    assert "Traceback" not in captured
    assert not (tmp_path / "run/run.json").exists()


def test_heatmaps_whose_size_depends_on_the_batch(sweep: Callable[..., Run], tmp_path: Path) -> None:
    net = forward("return x.mean() * torch.ones(len(x), 98, 8, 8 * len(x))")
    card = write(tmp_path / "own", {"net.py": net})
    card.write_text(card.read_text().partition("[output]")[0])
    with pytest.raises(InputError, match=r"heatmaps \[1, 98, 8, 8\] of a face alone and \[2, 98, 8, 16\] of two"):
        sweep(card, out="run")


def test_debug_shows_the_traceback_of_the_users_code(
    few_faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card = write(tmp_path / "own", {"net.py": forward("raise KeyError('x')")})
    command = ["run", "--data", f"wflw:{few_faces}", "--model", str(card), "-o", str(tmp_path / "run")]
    for arguments in (["--debug", *command], [*command, "--debug"]):
        assert main(arguments) == 2
        captured = capsys.readouterr().err
        assert 'own/net.py", line 8, in forward' in captured
        assert captured.splitlines()[-1].startswith("nmebench: error: model 'mine': forward")


@pytest.mark.parametrize(
    ("architecture", "message"),
    [
        pytest.param("python:absent.py:MyNet", "there is no file", id="file"),
        pytest.param("python:absent_package.net:MyNet", "there is no module 'absent_package'", id="module"),
        pytest.param("python:net.py", 'write "python:net.py:MyNet"', id="no class"),
        pytest.param("python:net.py:", 'write "python:net.py:MyNet"', id="empty class"),
        pytest.param("python:a-b:MyNet", "'a-b' is no module and no .py file", id="no module name"),
    ],
)
def test_wrong_names(tmp_path: Path, architecture: str, message: str) -> None:
    from nmebench import models

    card = models.card.load(write(tmp_path / "own", FILES, architecture))
    with pytest.raises(models.ModelError) as error:
        models.build(card)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_all_networks_are_checked_before_the_first_one_runs(
    sweep: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nmebench import engines

    good = write(tmp_path / "good", FILES)
    bad = write(tmp_path / "bad", {"net.py": forward(f"return {OUT}[:, :10]")})
    bad.write_text(bad.read_text().replace('"mine"', '"bad"'))
    made: list[object] = []
    monkeypatch.setattr(engines, "create", lambda *given, **_: made.append(given))
    with pytest.raises(InputError, match="model 'bad': outputs 5 landmarks"):
        sweep(good, bad, out="run")
    assert made == []


def test_engine_that_cannot_convert_the_network(
    sweep: Callable[..., Run], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("openvino")
    net = forward(f"return ({OUT}).to_sparse().to_dense() + torch.special.bessel_j0({OUT})")
    card = write(tmp_path / "own", {"net.py": net})
    for engine in ("openvino", "auto"):
        with pytest.raises(InputError) as error:
            sweep(card, out=engine, engine=engine)
        assert str(error.value) == (
            "model 'mine': openvino can't convert MyNet: No conversion rule found for operations: "
            "aten::special_bessel_j0, aten::to_dense, aten::to_sparse; use --engine torch"
        )
    with pytest.raises(InputError, match=r"model 'mine': onnxruntime can't run MyNet: .*aten::to_sparse.*engine torch"):
        sweep(card, out="onnxruntime", engine="onnxruntime")
    assert capfd.readouterr().out == ""
    assert sweep(card, out="torch", engine="torch")


def test_later_batch_that_fails(sweep: Callable[..., Run], tmp_path: Path) -> None:
    """The first batch passes; a later one raises in the user's code."""
    net = forward(f"self.n = getattr(self, 'n', 0) + 1\n        assert self.n < 8, 'too many'\n        return {OUT}")
    card = write(tmp_path / "own", {"net.py": net})
    with pytest.raises(InputError, match=r"model 'mine': engine torch failed: AssertionError: too many \(net.py:9\)"):
        sweep(card, out="run", batch_size=1)


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
