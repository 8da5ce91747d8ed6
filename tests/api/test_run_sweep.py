"""Tests of nmebench.run: the same bytes as a card, an unchanged module, and one line for every mistake."""

from __future__ import annotations

import copy
import inspect
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from small_net import DESCRIBED, NET
from torch import nn

import nmebench as nb
from nmebench.api.run_sweep import RunOptions
from nmebench.files import file_sha256
from nmebench.models.card import load as load_card
from nmebench.sweep import SweepConfiguration


def landmarks(run: nb.Run) -> np.ndarray:
    return run.landmarks(run.record.cells[0].id)


class Stopped(KeyboardInterrupt):
    """Ends a sweep after a batch."""


def stop(label: str, done: int, total: int) -> None:
    if done:
        raise Stopped


def files_of(run: nb.Run) -> dict[str, bytes]:
    names = ["faces.parquet", "per_face.parquet", "scores.csv", "thumbnails.parquet", "diverged.json"]
    names += [f"{folder}/{cell.id}.npy" for cell in run.record.cells for folder in ("landmarks", "confidence")]
    return {name: (run.path / name).read_bytes() for name in names if (run.path / name).exists()}


@pytest.mark.parametrize("engine", ["torch", "openvino"])
def test_equals_the_command_with_a_card_bit_for_bit(
    run: Callable[..., nb.Run], few_faces: str, card: Path, net: nn.Module, tmp_path: Path, engine: str
) -> None:
    from nmebench.__main__ import main

    arguments = ["run", "--data", few_faces, "--model", str(card), "--decoder", "argmax", "--decoder", "dark"]
    options = ["--engine", engine, "--threads", "1", "--batch-size", "4", "--test-time", "flip", "-o", "command"]
    options[-1] = str(tmp_path / "command")
    assert main([*arguments, *options]) == 0
    command = nb.load(tmp_path / "command")
    model = nb.Model(net, name="mine", **DESCRIBED)
    memory = run(model, decoders=["argmax", "dark"], flip="flip", engine=engine, pictures=True, out="memory")
    assert files_of(memory) == files_of(command)
    assert len(files_of(command)) == 9
    ours, theirs = memory.record.models[0], command.record.models[0]
    assert (ours.input_size, ours.heatmap_size, ours.engine) == (theirs.input_size, theirs.heatmap_size, theirs.engine)
    assert ours.weights_sha256 == theirs.weights_sha256 == file_sha256(card.parent / "net.safetensors")


def test_card_beside_a_module_gives_protocol_and_reported_numbers(
    run: Callable[..., nb.Run], card: Path, net: nn.Module
) -> None:
    of_card = run(card, out="card")
    for number, given in enumerate([card, str(card), load_card(card), load_card(card).model_dump(exclude_unset=True)]):
        memory = run(nb.Model(net, card=given), out=f"memory {number}")
        assert [cell.id for cell in memory.record.cells] == [cell.id for cell in of_card.record.cells]
        assert np.array_equal(landmarks(memory), landmarks(of_card))
        assert nb.check(memory).frame.equals(nb.check(of_card).frame.assign(run=f"memory {number}"))
    assert np.array_equal(landmarks(run([load_card(card)], out="object")), landmarks(of_card))
    assert not any("weights" in note for note in nb.compare(of_card, memory).notes)


def test_module_and_process_are_unchanged(run: Callable[..., nb.Run], net: Any) -> None:
    net.stem[1].eval()  # a frozen BatchNorm in a network that is trained
    modes = [module.training for module in net.modules()]
    before = copy.deepcopy(net.state_dict())
    net(torch.zeros(2, 3, 64, 64)).sum().backward()
    gradient = net.head.weight.grad.clone()
    torch.set_num_threads(2)
    torch.manual_seed(5)
    random = torch.get_rng_state()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = run(nb.Model(net, **DESCRIBED), out="autocast")
    assert torch.equal(torch.get_rng_state(), random)
    assert torch.get_num_threads() == 2
    assert [module.training for module in net.modules()] == modes
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert torch.equal(net.head.weight.grad, gradient)
    assert np.array_equal(landmarks(inside), landmarks(run(nb.Model(net.eval(), **DESCRIBED), out="plain")))


def test_record_of_a_module(run: Callable[..., nb.Run], net: Any) -> None:
    one = run(nb.Model(net, **DESCRIBED), out="one").record
    net.gain = 2.0
    two = run(nb.Model(net, **DESCRIBED), out="two").record
    model, other = one.models[0], two.models[0]
    assert (model.name, model.architecture, model.card_file, model.weights_name) == ("Net", "memory:Net", None, None)
    assert model.state_sha256 is not None
    assert model.weights_sha256 == other.weights_sha256
    assert model.state_sha256 != other.state_sha256
    (source,) = [record for record in one.provenance.plugins if record.name != "working directory"]
    assert (source.name, source.used_by) == ("users_net", ["model Net"])
    assert source.sha256 is not None


EDITS: dict[str, Callable[[Any], object]] = {
    "weight": lambda net: net.head.weight.data.mul_(2),
    "attribute": lambda net: setattr(net, "gain", -1.0),
    "compiled code": lambda net: setattr(
        type(net), "forward", lambda self, images: self.head(self.stem(images)).flip(-1)
    ),
}


@pytest.mark.parametrize("edit", EDITS)
def test_resumes_only_with_the_same_network(run: Callable[..., nb.Run], net: Any, edit: str) -> None:
    with pytest.raises(Stopped):
        run(nb.Model(net, **DESCRIBED), progress=stop)
    calls = []
    whole = run(nb.Model(net, **DESCRIBED), out="whole", progress=lambda *now: calls.append(now))
    resumed: list[tuple[str, int, int]] = []
    with pytest.raises(Stopped):
        run(nb.Model(net, **DESCRIBED), progress=lambda *now: (resumed.append(now), stop(*now)))
    assert (calls[0][1], resumed[0][1]) == (0, 4)
    EDITS[edit](net)
    after: list[tuple[str, int, int]] = []
    edited = run(nb.Model(net, **DESCRIBED), progress=lambda *now: after.append(now))
    assert after[0][1] == 0
    fresh = run(nb.Model(net, **DESCRIBED), out="fresh")
    assert np.array_equal(landmarks(edited), landmarks(fresh))
    assert np.abs(landmarks(fresh) - landmarks(whole)).max() > 0.01


def test_class_of_a_notebook_runs_and_never_resumes(
    run: Callable[..., nb.Run], net: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    import linecache

    cell = ModuleType("a_notebook")
    monkeypatch.setitem(sys.modules, "a_notebook", cell)

    def define(text: str) -> nn.Module:
        linecache.cache["<cell>"] = (len(text), None, text.splitlines(keepends=True), "<cell>")
        exec(compile(text, "<cell>", "exec"), vars(cell))
        made: nn.Module = vars(cell)["Net"]()
        made.load_state_dict(net.state_dict())
        return made

    with pytest.raises(Stopped):
        run(nb.Model(define(NET), **DESCRIBED), progress=stop)
    vars(cell)["GAIN"] = -1.0  # another cell changes a value that forward reads
    changed = run(nb.Model(define(NET.replace("GAIN = 3.0", "")), **DESCRIBED))
    vars(cell)["GAIN"] = 3.0
    one, two = (run(nb.Model(define(NET), **DESCRIBED), out=name) for name in ("one", "two"))
    assert np.abs(landmarks(changed) - landmarks(one)).max(axis=(1, 2)).min() > 1
    assert np.array_equal(landmarks(one), landmarks(run(nb.Model(net, **DESCRIBED), out="file")))
    hashes = [
        next(source.sha256 for source in made.record.provenance.plugins if source.name == "a_notebook")
        for made in (one, two, changed)
    ]
    assert hashes[0] == hashes[1] != hashes[2]


def test_several_networks_and_data_sets(run: Callable[..., nb.Run], net: Any, few_faces: str, tmp_path: Path) -> None:
    other = copy.deepcopy(net)
    other.gain = -1.0
    models = [nb.Model(net, **DESCRIBED), nb.Model(other, name="other", **DESCRIBED), "oracle"]
    both = run(models, decoders="argmax", out="both")
    assert [model.name for model in both.record.models] == ["Net", "other", "oracle"]
    alone = run(models[1], decoders="argmax", out="alone")
    assert np.array_equal(both.landmarks(both.record.cells[1].id), landmarks(alone))
    sweep = nb.run([few_faces], models[0], "argmax", engine="torch", out=tmp_path / "sweep", pictures=False)
    assert list(sweep.runs) == ["wflw"]
    assert nb.load_sweep(tmp_path / "sweep").runs["wflw"].record == sweep.runs["wflw"].record
    with pytest.raises(nb.InputError, match="'Net' is given twice; give each card a name of its own"):
        run([models[0], nb.Model(other, **DESCRIBED)])


def test_out_folder(run: Callable[..., nb.Run], net: nn.Module) -> None:
    model = nb.Model(net, **DESCRIBED)
    first = run(model)
    with pytest.raises(nb.InputError, match="already holds a run"):
        run(model)
    assert run(model, overwrite=True).path == first.path
    temporary = [run(model, out=None) for _ in range(2)]
    assert temporary[0].path != temporary[1].path
    assert np.array_equal(landmarks(temporary[0]), landmarks(first))


@pytest.mark.parametrize(
    "wrap",
    [nn.DataParallel, lambda net: net, lambda net: nn.utils.weight_norm(net.head) and net],
    ids=["DataParallel", "after a pass", "weights that are results"],
)
def test_modules_that_are_hard_to_copy(run: Callable[..., nb.Run], net: Any, wrap: Callable[[Any], nn.Module]) -> None:
    expected = landmarks(run(nb.Model(net.eval(), **DESCRIBED), out="expected"))
    wrapped = wrap(net)
    net.kept = net(torch.zeros(2, 3, 64, 64))  # a tensor with a history, which deepcopy refuses
    found = landmarks(run(nb.Model(wrapped, name="net", **DESCRIBED), out="wrapped"))
    assert np.median(np.abs(found - expected)) < 1e-3  # a rounding error moves some maxima of noise


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({}, "lacks input_size, mean, std, output; give input_size=", id="nothing"),
        pytest.param(DESCRIBED | {"mean": None}, "lacks mean; give input_size=", id="mean"),
        pytest.param(DESCRIBED | {"output": "landmarks"}, 'lacks unit; give unit="input-px"', id="unit"),
        pytest.param(DESCRIBED | {"grid": "udb"}, "model 'Net': output.grid: must be", id="grid"),
        pytest.param(DESCRIBED | {"box": "no box"}, "model 'Net': input.box", id="box"),
        pytest.param({"card": {"inputs": {}}}, "model 'Net': inputs: unknown field; did you mean 'input'", id="field"),
        pytest.param({"card": 3}, "card: is a int", id="card"),
    ],
)
def test_incomplete_descriptions(net: nn.Module, options: dict[str, Any], message: str) -> None:
    with pytest.raises(nb.InputError, match=message):
        nb.Model(net, **options)


@pytest.mark.parametrize(
    ("models", "options", "message"),
    [
        pytest.param([], {}, "models is empty", id="none"),
        pytest.param(3, {}, "models: is a int", id="number"),
        pytest.param([3], {}, r"models\[0\]: is a int; give the name or path of a card", id="number in a list"),
        pytest.param([nn.Identity()], {}, r"models\[0\]: a Identity doesn't tell how its input", id="bare module"),
        pytest.param("oracle", {"flip": "flop"}, "nmebench.run: unknown flip test 'flop'", id="flip test"),
        pytest.param("oracle", {"thresholds": 0.1}, "write 10 for 0.1", id="threshold"),
        pytest.param({"card": "oracle", "wieghts": "x"}, {}, "unknown field 'models.0.wieghts'", id="table"),
        pytest.param("oracle", {"decoders": "drak"}, "did you mean 'dark'", id="decoder"),
        pytest.param("oracle", {"decoders": 3}, "decoders: is a int; give a text", id="decoder of another type"),
        pytest.param("oracle", {"scheme": 3}, "scheme: is a int; give a path", id="path of another type"),
    ],
)
def test_mistakes_are_one_line(run: Callable[..., nb.Run], models: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(nb.InputError, match=message) as caught:
        run(models, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("data", [[], 3, Path("WFLW"), ["synthface", 3]])
def test_data_must_be_named(data: Any) -> None:
    with pytest.raises(nb.InputError, match="is no data set; give its name such as wflw:PATH"):
        nb.run(data, "oracle")


def test_options_of_a_network_in_memory_are_refused(run: Callable[..., nb.Run], net: nn.Module) -> None:
    with pytest.raises(nb.InputError, match=r"'Net': is in memory and takes no options \(points\)"):
        run(nb.Model(net, **DESCRIBED), options={"points": 98})


def test_failures_of_the_module_name_it(run: Callable[..., nb.Run], net: Any) -> None:
    model = nb.Model(net, **DESCRIBED | {"input_size": (64, 64)})
    net.head = nn.Conv2d(5, 98, 1)
    with pytest.raises(nb.InputError, match=r"model 'Net': forward for \[1, 3, 64, 64\] failed: RuntimeError"):
        run(model)
    net.lock = threading.Lock()
    with pytest.raises(nb.InputError, match=r"model 'Net': can't be copied .* give the card of its class"):
        run(model)
    del net.lock
    net.head = nn.Conv2d(8, 97, 1)
    with pytest.raises(nb.InputError, match="model 'Net': outputs 97 landmarks"):
        run(model)
    with pytest.raises(nb.InputError, match="a str is no torch module"):
        nb.Model("net.pth", **DESCRIBED)  # type: ignore[arg-type]


def test_options_are_those_of_a_sweep() -> None:
    import nmebench.api.run_sweep as module

    parameters = set(inspect.signature(module.run).parameters)
    assert parameters - {"out", "overwrite", "progress"} == set(SweepConfiguration.model_fields)
    assert set(RunOptions.__annotations__) == parameters - {"data", "models", "decoders"}
