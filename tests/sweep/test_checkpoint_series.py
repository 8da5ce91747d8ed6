"""Many checkpoints of one training: patterns, names, epochs, and memory that stays flat."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path

import pytest
import timm
import torch

from nmebench import models
from nmebench.__main__ import main
from nmebench.errors import InputError
from nmebench.runs.cell_id import cell_id
from nmebench.runs.run_store import Run
from nmebench.sweep import checkpoint_series, execute, plan
from nmebench.sweep.configuration import SweepConfiguration, validate


def _files(folder: Path, *names: str) -> list[Path]:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return [folder / name for name in names]


def test_files_are_in_natural_order_and_named_by_the_file(tmp_path: Path) -> None:
    _files(tmp_path, "epoch_10.pth", "epoch_9.pth", "epoch_100.pth", "other.txt")
    found = checkpoint_series.expand(f"{tmp_path}/epoch_*.pth")
    assert [name for _, name in found] == ["epoch_9", "epoch_10", "epoch_100"]
    assert [Path(str(file)).name for file, _ in found] == ["epoch_9.pth", "epoch_10.pth", "epoch_100.pth"]


@pytest.mark.parametrize(
    ("names", "pattern", "expected"),
    [
        pytest.param(["a/best.pth", "b/best.pth"], "*/best.pth", ["a/best", "b/best"], id="same file name"),
        pytest.param(["x/a/1.pt", "x/b/1.pt"], "**/*.pt", ["a/1", "b/1"], id="any number of folders"),
        pytest.param(["e1.pth", "e1.ckpt"], "e1.*", ["e1.ckpt", "e1.pth"], id="same stem"),
        pytest.param(["m.pth.tar"], "m*", ["m"], id="two endings"),
        pytest.param(["m_1 a.pth", "m_2.pth"], "m_*", ["m_1 a", "m_2"], id="space"),
    ],
)
def test_names(tmp_path: Path, names: list[str], pattern: str, expected: list[str]) -> None:
    _files(tmp_path, *names)
    assert [name for _, name in checkpoint_series.expand(f"{tmp_path}/{pattern}")] == expected


def test_names_stay_different_as_files_of_cells(tmp_path: Path) -> None:
    _files(tmp_path, "Epoch 1.pth", "epoch-1.pth", "epoch(1).pth", "epoch_1.pth")
    names = [name for _, name in checkpoint_series.expand(f"{tmp_path}/*.pth")]
    assert len({cell_id(str(name), "dark", "none", "rect") for name in names}) == 4


@pytest.mark.parametrize(
    ("name", "own", "expected"),
    [
        ("epoch_10.pth", None, ("epoch", 10)),
        ("epoch_10.pth", 9, ("epoch", 10)),
        ("best_NME_ep-007_3.98.pth", None, ("epoch", 7)),
        ("epoch=9-step=1000.ckpt", None, ("epoch", 9)),
        ("iter_40000.pth", 2, ("iteration", 40000)),
        ("ckpt_step1200.safetensors", None, ("iteration", 1200)),
        ("best.pth", 57, ("epoch", 57)),
        ("model_12.pth", None, ("epoch", 12)),
        ("12.pth", None, ("epoch", 12)),
        ("12.pth", 40, ("epoch", 40)),
        ("best.pth", None, None),
        ("resnet18.pth", None, None),
        ("depth2.pth", None, None),
        ("hrnetv2_w18_wflw_256x256_dark-3f8e0c2c_20210125.pth", None, None),
    ],
)
def test_number_of_the_epoch(name: str, own: int | None, expected: tuple[str, int] | None) -> None:
    assert checkpoint_series.step(name, own) == expected


def test_file_whose_name_looks_like_a_pattern(tmp_path: Path) -> None:
    (file,) = _files(tmp_path, "best[1].pth")
    assert checkpoint_series.expand(str(file)) == [(str(file), None)]
    assert checkpoint_series.expand("absent.pth") == [("absent.pth", None)]


@pytest.mark.parametrize("pattern", ["epoch_*.pth", "absent/*.pth", "[z]*"])
def test_pattern_without_a_file(tmp_path: Path, pattern: str) -> None:
    _files(tmp_path, "best.pth")
    with pytest.raises(InputError, match=r"no file matches; .* (holds best\.pth|is empty or doesn't exist)"):
        checkpoint_series.expand(f"{tmp_path}/{pattern}")


@pytest.fixture
def series(tmp_path: Path) -> Path:
    """A card of a plain timm network, and the pattern of its three checkpoints."""
    torch.manual_seed(0)
    network = timm.create_model("resnet10t", num_classes=196)
    network.fc.weight.data.zero_()
    for epoch in (1, 2, 10):
        network.fc.bias.data.fill_(0.2 + 0.02 * epoch)
        torch.save({"epoch": epoch, "state_dict": network.state_dict()}, tmp_path / f"ck_{epoch}.pth")
    (tmp_path / "card.toml").write_text(
        'name = "plain"\narchitecture = "timm:resnet10t"\n[input]\nsize = [64, 64]\n'
        '[output]\nkind = "landmarks"\nunit = "crop-fraction"\n'
    )
    return tmp_path


@pytest.fixture
def configuration(series: Path, few_faces: Path) -> Callable[..., SweepConfiguration]:
    def make(pattern: str = "ck_*.pth") -> SweepConfiguration:
        request = {"card": str(series / "card.toml"), "weights": str(series / pattern)}
        raw = {"data": f"wflw:{few_faces}", "models": [request], "engine": "torch", "threads": 1, "pictures": False}
        return validate(raw, where="a test")

    return make


def test_one_network_per_file(configuration: Callable[..., SweepConfiguration], tmp_path: Path) -> None:
    run = execute(configuration(), tmp_path / "run")
    assert [model.name for model in run.record.models] == ["plain@ck_1", "plain@ck_2", "plain@ck_10"]
    places = [model.checkpoint for model in run.record.models]
    assert [(p.series, p.unit, p.step) for p in places if p] == [("plain", "epoch", e) for e in (1, 2, 10)]
    levels = [run.landmarks(cell.id)[0, :, 0].mean() for cell in run.record.cells]
    assert levels == sorted(set(levels))
    single = execute(configuration("ck_10.pth"), tmp_path / "single")
    assert single.record.models[0].checkpoint is None
    assert (single.landmarks(single.record.cells[0].id) == run.landmarks(run.record.cells[2].id)).all()
    assert Run.open(tmp_path / "run").record == run.record


def test_memory_holds_one_network_at_a_time(
    configuration: Callable[..., SweepConfiguration], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "MAX_KEPT_BYTES", 1)
    planned = plan.make(configuration())
    gc.collect()
    assert [network.built._module for network in planned.networks] == [None, None, None]
    assert planned.networks[1].built.module is planned.networks[1].built.module
    monkeypatch.undo()
    kept = plan.make(configuration())
    assert all(network.built._module is not None for network in kept.networks)
    assert [one.key for one in planned.networks] == [one.key for one in kept.networks]


def test_released_networks_give_the_same_landmarks(
    configuration: Callable[..., SweepConfiguration], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = execute(configuration(), tmp_path / "kept")
    built: list[str] = []
    build = models.build
    monkeypatch.setattr(models, "build", lambda card, weights=None: built.append(card.name) or build(card, weights))
    monkeypatch.setattr(plan, "MAX_KEPT_BYTES", 1)
    released = execute(configuration(), tmp_path / "released")
    assert built == ["plain@ck_1", "plain@ck_2", "plain@ck_10"]
    for cell in kept.record.cells:
        assert (kept.landmarks(cell.id) == released.landmarks(cell.id)).all()


def test_damaged_checkpoint_is_reported_before_the_first_network_runs(
    configuration: Callable[..., SweepConfiguration], series: Path, tmp_path: Path
) -> None:
    torch.save({"fc.weight": torch.ones(2)}, series / "ck_7.pth")
    with pytest.raises(InputError, match=r"ck_7\.pth doesn't fit"):
        execute(configuration(), tmp_path / "run")


def test_pattern_without_quotes(
    series: Path, few_faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [str(series / "ck_1.pth"), str(series / "ck_2.pth")]
    command = ["run", "--data", f"wflw:{few_faces}", "--model", str(series / "card.toml"), "--weights", *given]
    assert main([*command, "-o", str(tmp_path / "run")]) == 2
    assert "put a pattern of --weights in quotes" in capsys.readouterr().err
