"""Networks from a user's own folder that fail: one line that names the network, the step and the place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from users_folder import FILES, HEAD, OUT, constructor, forward, write

from nmebench.__main__ import main
from nmebench.errors import InputError
from nmebench.runs.run_store import Run

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


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
@pytest.mark.parametrize(
    ("line", "value"),
    [
        pytest.param(f"return ({OUT}) + torch.zeros(len(x), 1)", "len(...) in net.py:8", id="len"),
        pytest.param(
            f"return ({OUT}).reshape(int(x.shape[0]), 98, 2)", "a tensor as a Python integer in net.py:8", id="int"
        ),
        pytest.param(f"return torch.stack([y for y in {OUT}])", "a loop over a tensor in net.py:8", id="loop"),
        pytest.param(
            f"return ({OUT}) + 1 if x[0].max() > 0 else {OUT}",
            "a condition on a tensor in net.py:8",
            id="condition",
        ),
        pytest.param(f"return torch.stack([({OUT})[i] for i in range(x.shape[0])])", "the batch size", id="range"),
    ],
)
def test_python_value_that_the_conversion_makes_a_constant(
    sweep: Callable[..., Run], tmp_path: Path, capfd: pytest.CaptureFixture[str], engine: str, line: str, value: str
) -> None:
    """The message names the engine, the line of the user's code and the way out, also for an engine from the cache."""
    pytest.importorskip(engine)
    card = write(tmp_path / "own", {"net.py": forward(line)})
    for _ in range(2):
        with pytest.raises(InputError) as error:
            sweep(card, out="run", engine=engine)
        message = str(error.value)
        assert message.startswith("model 'mine': ")
        assert f"engine {engine} " in message
        assert f"the conversion made {value}" in message
        assert message.endswith("or --engine torch")
        assert "use x.shape[0] and" in message
        assert "\n" not in message
    assert "ExecuteKernel" not in capfd.readouterr().err
    assert sweep(card, out="torch", engine="torch")


def test_later_batch_that_fails(sweep: Callable[..., Run], tmp_path: Path) -> None:
    """The first batch passes; a later one raises in the user's code."""
    net = forward(f"self.n = getattr(self, 'n', 0) + 1\n        assert self.n < 8, 'too many'\n        return {OUT}")
    card = write(tmp_path / "own", {"net.py": net})
    with pytest.raises(InputError, match=r"model 'mine': engine torch failed: AssertionError: too many \(net.py:9\)"):
        sweep(card, out="run", batch_size=1)
