"""The choice among the tables of parameters in a checkpoint: entry, prefix, wrappers of torch, programs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from torch import Tensor, nn

from nmebench import models
from nmebench.models import checkpoint
from nmebench.models.checkpoint_entries import epoch_of
from nmebench.models.errors import CheckpointError


class Small(nn.Module):
    """A network with a layer inside a layer."""

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, width, 1), nn.BatchNorm2d(width))
        self.fc = nn.Linear(width, 2)


@pytest.fixture
def state() -> dict[str, Tensor]:
    torch.manual_seed(0)
    return {name: value.clone() for name, value in Small().state_dict().items()}


def _save(path: Path, content: object) -> Path:
    torch.save(content, path)
    return path


def _other(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value + 1 for name, value in state.items()}


def _prefixed(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {prefix + name: value for name, value in state.items()}


@pytest.mark.parametrize(
    ("wrap", "choice"),
    [
        pytest.param(lambda own, other: {"params": other, "params_ema": own}, {"key": "params_ema"}, id="params_ema"),
        pytest.param(lambda own, other: {"net": own, "opt": {"state": {0: {"m": torch.ones(1)}}}}, {}, id="net"),
        pytest.param(
            lambda own, other: {"state_dict": other, "ema": {"shadow": own}}, {"key": "ema.shadow"}, id="path"
        ),
        pytest.param(lambda own, other: {"a": other, "ema": {"module": own}}, {"key": "ema"}, id="above"),
        pytest.param(lambda own, other: {"a.b": {"c": own}, "a": {"d": other}}, {"key": "a.b.c"}, id="key with a dot"),
        pytest.param(lambda own, other: {"epoch": torch.tensor(3), "weights": own}, {}, id="tensor beside the table"),
        pytest.param(
            lambda own, other: {"state_dict": {**_prefixed(own, "model."), "loss.weight": torch.ones(2)}},
            {"prefix": "model."},
            id="prefix",
        ),
        pytest.param(
            lambda own, other: {**_prefixed(own, "student."), **_prefixed(other, "teacher.")},
            {"prefix": "student."},
            id="two networks in one table",
        ),
        pytest.param(lambda own, other: _prefixed(own, "module.model."), {"prefix": "model."}, id="prefix in module."),
        pytest.param(lambda own, other: _prefixed(own, "_orig_mod."), {}, id="torch.compile"),
        pytest.param(lambda own, other: _prefixed(own, "module._orig_mod."), {}, id="DataParallel of torch.compile"),
        pytest.param(lambda own, other: _prefixed(own, "_orig_mod.module."), {}, id="torch.compile of DataParallel"),
        pytest.param(
            lambda own, other: {name.replace("stem.", "stem._orig_mod."): value for name, value in own.items()},
            {},
            id="torch.compile of a part",
        ),
        pytest.param(
            lambda own, other: {"n_averaged": torch.tensor(5), **_prefixed(own, "module.")}, {}, id="AveragedModel"
        ),
        pytest.param(lambda own, other: {"generator": own, "critic": {"w": torch.ones(3)}}, {}, id="only one fits"),
        pytest.param(lambda own, other: {"state_dict": own, "copy": dict(own)}, {}, id="two equal tables"),
    ],
)
def test_the_wanted_parameters_are_loaded(
    tmp_path: Path,
    state: dict[str, Tensor],
    wrap: Callable[[dict[str, Tensor], dict[str, Tensor]], object],
    choice: dict[str, str],
) -> None:
    module = Small()
    checkpoint.load(module, _save(tmp_path / "w.pth", wrap(state, _other(state))), **choice)
    assert all(torch.equal(value, state[name]) for name, value in module.state_dict().items())


@pytest.mark.parametrize(
    ("wrap", "choice", "message"),
    [
        pytest.param(
            lambda own, other: {"params": own, "params_ema": other},
            {},
            "several tables of parameters that fit: params (9 tensors), params_ema (9 tensors); choose one in the card:"
            ' [weights] key = "params_ema"',
            id="weights and their average",
        ),
        pytest.param(
            lambda own, other: {"params": own, "params_ema": other},
            {"key": "parms_ema"},
            "has no entry 'parms_ema' (key in [weights]); did you mean 'params_ema'?; it holds params, params_ema",
            id="misspelt key",
        ),
        pytest.param(lambda own, other: own, {"key": "ema"}, "leave key out", id="key of a plain table"),
        pytest.param(
            lambda own, other: {"ema": {"decay": 0.9}}, {"key": "ema"}, "holds no parameters", id="key without tensors"
        ),
        pytest.param(
            lambda own, other: {"state_dict": {**_prefixed(own, "model."), "loss.w": torch.ones(2)}},
            {},
            'set prefix = "model." in [weights]',
            id="prefix that is needed",
        ),
        pytest.param(
            lambda own, other: {name.removeprefix("stem."): v for name, v in own.items() if name.startswith("stem.")},
            {},
            "the network's own names begin with 'stem.'",
            id="prefix that the file lacks",
        ),
        pytest.param(
            lambda own, other: own, {"prefix": "model."}, "no parameter begins with 'model.'", id="prefix of no name"
        ),
        pytest.param(
            lambda own, other: {"a": {"x": torch.ones(1)}, "b": {"y": torch.ones(1)}},
            {},
            "fits best of a (1 tensors), b (1 tensors): choose one with key in [weights]",
            id="none fits",
        ),
    ],
)
def test_what_does_not_fit_is_one_line_with_the_way_out(
    tmp_path: Path,
    state: dict[str, Tensor],
    wrap: Callable[[dict[str, Tensor], dict[str, Tensor]], object],
    choice: dict[str, str],
    message: str,
) -> None:
    module = Small()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    with pytest.raises(CheckpointError) as error:
        checkpoint.load(module, _save(tmp_path / "w.pth", wrap(state, _other(state))), **choice)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_notes_name_what_was_changed(tmp_path: Path, state: dict[str, Tensor]) -> None:
    content = {"G": {**_prefixed(state, "module."), "module.loss.w": torch.ones(1)}, "D": {"w": torch.ones(1)}}
    module = Small()
    with pytest.raises(CheckpointError):
        checkpoint.load(module, _save(tmp_path / "w.pth", content))
    del content["G"]["module.loss.w"]
    loaded = checkpoint.load(module, _save(tmp_path / "w.pth", content))
    assert loaded.notes == (
        "weights: G was loaded, of G (9 tensors), D (1 tensors)",
        "weights: the names of G had 'module.' before them, which torch's wrappers add",
    )
    content["G"] = {**_prefixed(state, "model."), "ema.w": torch.ones(1)}
    loaded = checkpoint.load(module, _save(tmp_path / "w.pth", content), prefix="model.")
    assert "weights: 1 parameters without the prefix 'model.' were left out: ema.w" in loaded.notes


@pytest.mark.parametrize(
    ("content", "epoch"),
    [
        ({"epoch": 7, "state_dict": {}}, 7),
        ({"meta": {"epoch": 3, "iter": 400}}, 3),
        ({"epoch": torch.tensor(12)}, 12),
        ({"epoch": True}, None),
        ({"epoch": "last"}, None),
        ({"epoch": -1}, None),
        ([1], None),
    ],
)
def test_epoch_of_a_file(content: Any, epoch: int | None) -> None:
    assert epoch_of(content) == epoch


@pytest.mark.parametrize("kind", ["script", "trace", "export"])
def test_programs_are_refused_with_the_way_to_onnx(tmp_path: Path, kind: str) -> None:
    module, image = nn.Conv2d(3, 2, 1).eval(), torch.zeros(2, 3, 8, 8)
    file = tmp_path / f"net.{'pt2' if kind == 'export' else 'pt'}"
    if kind == "export":
        torch.export.save(torch.export.export(module, (image,)), file)
    elif kind == "script":
        torch.jit.script(module).save(file)
    else:
        torch.jit.trace(module, image).save(file)
    name = r"torch\.export" if kind == "export" else "TorchScript"
    with pytest.raises(CheckpointError, match=f"is a {name} program, not a table of parameters.*export it to ONNX"):
        checkpoint.load(module, file)


def test_onnx_file_of_another_architecture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_bytes(b"\x08\x07")
    with pytest.raises(CheckpointError, match='set architecture = "onnx"'):
        checkpoint.load(Small(), tmp_path / "x.onnx")


def _card(folder: Path, weights: str) -> models.card.Card:
    (folder / "card.toml").write_text(
        f'name = "plain"\narchitecture = "timm:resnet10t"\n{weights}\n[input]\nsize = [64, 64]\n'
        '[output]\nkind = "landmarks"\nunit = "crop-fraction"\n'
    )
    return models.card.load(folder / "card.toml")


@pytest.mark.parametrize("table", ['weights = "w.pth"', '[weights]\npath = "w.pth"'])
def test_plain_timm_checkpoint_regresses_coordinates(tmp_path: Path, table: str) -> None:
    torch.manual_seed(0)
    network = timm.create_model("resnet10t", num_classes=196).eval()
    _save(tmp_path / "w.pth", {"state_dict": network.state_dict(), "arch": "resnet10t"})
    built = models.build(_card(tmp_path, table))
    images = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        expected = network(images).reshape(2, 98, 2) * 64
        assert torch.allclose(built.module(images)["landmarks"], expected, atol=1e-4)


def test_key_and_prefix_of_the_card_apply_to_other_weights(tmp_path: Path) -> None:
    network = timm.create_model("resnet10t", num_classes=196)
    averaged = {f"model.{name}": value * 0 for name, value in network.state_dict().items()}
    _save(tmp_path / "w.pth", {"state_dict": _prefixed(network.state_dict(), "model."), "ema": averaged})
    card = _card(tmp_path, '[weights]\nkey = "ema"\nprefix = "model."')
    built = models.build(card, weights=tmp_path / "w.pth")
    assert not any(bool(parameter.any()) for parameter in built.module.parameters())
    with pytest.raises(models.ModelError, match=r"\[weights\] names no file"):
        models.build(card)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ('[weights]\npath = "a"\nurl = "https://x.org/b"', "give one of path"),
        ('[weights]\npath = "a"\nfile = "b"', "needs url"),
        ('[weights]\nsha256 = "' + "0" * 64 + '"', "give path"),
        ('[weights]\nkey = ""\npath = "a"', "weights"),
    ],
)
def test_tables_that_contradict_themselves(tmp_path: Path, table: str, message: str) -> None:
    with pytest.raises(models.CardError, match="weights") as error:
        _card(tmp_path, table)
    assert message in str(error.value)


def test_released_network_is_loaded_again_and_must_be_the_same(tmp_path: Path) -> None:
    network = timm.create_model("resnet10t", num_classes=196)
    file = _save(tmp_path / "w.pth", network.state_dict())
    built = models.build(_card(tmp_path, 'weights = "w.pth"'))
    before = built.module
    built.release()
    assert built.module is not before
    assert all(torch.equal(a, b) for a, b in zip(before.parameters(), built.module.parameters(), strict=True))
    built.release()
    _save(file, {name: value * 2 for name, value in network.state_dict().items()})
    with pytest.raises(models.ModelError, match="was changed while the sweep ran"):
        _ = built.module
