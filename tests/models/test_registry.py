"""The registry: names, options, near matches, lazy imports."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from nmebench import models
from nmebench.models import registry

ROOT = Path(__file__).resolve().parents[2]


def test_importing_models_imports_neither_torch_nor_timm() -> None:
    code = (
        "import sys; from nmebench import models; models.names(); models.card.shipped(); "
        "print(*({'torch', 'timm'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_every_registered_name_is_described() -> None:
    for name in models.names():
        info = models.describe(name)
        assert info.name == name
        assert info.summary
        assert info.source


def test_describe_lists_options_with_defaults() -> None:
    assert dict(models.describe("hrnetv2-w18").options) == {"points": 98, "fusion": "bilinear"}
    assert "weights" not in models.describe("onnx").options


def test_table_is_read_only() -> None:
    with pytest.raises(TypeError):
        registry.REGISTRY.table["x"] = "x:y"  # type: ignore[index]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        pytest.param("hrnetv2-w81", {}, "did you mean 'hrnetv2-w18'", id="near name"),
        pytest.param("zzzz", {}, "unknown model 'zzzz' (known: hrnetv2-w18, heatmap-hrnet-small", id="far name"),
        pytest.param("timm:resnet81", {}, "timm has no backbone 'resnet81'; did you mean 'resnet", id="near timm name"),
        pytest.param("oracle", {"sgima": 2}, "no option 'sgima'; did you mean 'sigma'?", id="near option"),
        pytest.param("oracle", {"sigma": 0}, "sigma=0", id="sigma 0"),
        pytest.param("oracle", {"sigma": float("nan")}, "sigma=nan", id="sigma NaN"),
        pytest.param("oracle", {"sigma": "2"}, "can't be made with sigma='2'", id="string instead of a number"),
        pytest.param("oracle", {"noise": -1}, "noise=-1 must be 0 or more", id="negative noise"),
        pytest.param("oracle", {"convention": "ubp"}, "unknown convention 'ubp'; did you mean 'udp'?", id="convention"),
        pytest.param("hrnetv2-w18", {"fusion": "cubic"}, "fusion 'cubic' is unknown", id="fusion"),
        pytest.param("regression", {"backbone": "resnet51"}, "no backbone 'resnet51'", id="regression backbone"),
        pytest.param("heatmap-mobilenetv3", {"points": 0}, "points=0", id="no points"),
        pytest.param("onnx", {}, "onnx needs weights", id="onnx without a file"),
    ],
)
def test_wrong_names_and_options_give_a_one_line_error(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(models.ModelError) as error:
        models.create(name, **options)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_oracle_takes_no_weights(tmp_path: Path) -> None:
    file = tmp_path / "w.pth"
    torch.save({"a": torch.zeros(1)}, file)
    with pytest.raises(models.CheckpointError, match="a is unexpected"):
        models.create("oracle", file)


class _Constant(nn.Module):
    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"landmarks": torch.zeros(len(images), 98, 2)}


def constant() -> nn.Module:
    """A third-party network."""
    return _Constant()


def test_entry_points_add_networks_but_replace_no_built_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "third_party_network", sys.modules[__name__])
    targets = {"constant": "third_party_network:constant", "broken": "no.such.module:f", "oracle": "nowhere:f"}
    points = {name: [EntryPoint(name, target, "nmebench.models")] for name, target in targets.items()}
    monkeypatch.setattr(type(registry.REGISTRY), "plugins", lambda self: points)
    assert models.names().count("oracle") == 1
    assert isinstance(models.create("constant"), _Constant)
    assert models.describe("constant").summary == "A third-party network."
    with pytest.raises(models.ModelError, match=r"'broken' of .* can't be loaded from no\.such\.module:f"):
        models.create("broken")
    with pytest.raises(models.ModelError, match=r"'oracle' is built in, and .* registers the same name"):
        models.create("oracle")
