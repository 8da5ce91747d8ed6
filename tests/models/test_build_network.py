"""Networks built from cards: their weights, hashes and input size."""

from __future__ import annotations

import hashlib
import socket
from pathlib import Path

import pytest
import torch
from torch import nn

from nmebench import models
from nmebench.models import card

MINIMAL = 'name = "x"\narchitecture = "oracle"\n'


def _write_card(folder: Path, text: str) -> Path:
    path = folder / "x.toml"
    path.write_text(text)
    return path


def test_error_for_missing_weights_says_how_to_get_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*_: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", no_network)
    monkeypatch.setenv("NMEBENCH_CACHE", str(tmp_path))
    with pytest.raises(models.ModelError) as error:
        models.build(card.load("mmpose-hrnetv2-w18-dark"))
    assert "`nmebench data fetch mmpose-hrnetv2-w18-dark` or give --weights FILE" in str(error.value)
    assert str(tmp_path / "weights" / "hrnetv2_w18_wflw_256x256_dark-3f8e0c2c_20210125.pth") in str(error.value)


def test_downloaded_weights_must_match_their_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NMEBENCH_CACHE", str(tmp_path))
    (tmp_path / "weights").mkdir()
    dark = card.load("mmpose-hrnetv2-w18-dark")
    (tmp_path / "weights" / "hrnetv2_w18_wflw_256x256_dark-3f8e0c2c_20210125.pth").write_bytes(b"another file")
    with pytest.raises(models.CheckpointError, match="says 3f8e0c2c; download it again"):
        models.build(dark)


def _card_with_weights(folder: Path, **changes: str) -> Path:
    """Write weights and a card that states their hash."""
    module = models.create("heatmap-mobilenetv3", points=5, width=8)
    torch.save(module.state_dict(), folder / "w.pth")
    digest = hashlib.sha256((folder / "w.pth").read_bytes()).hexdigest()
    text = (
        'name = "x"\narchitecture = "heatmap-mobilenetv3"\nweights = "w.pth"\noptions = { points = 5, width = 8 }\n'
        f'[training]\ncommand = "c"\nsha256 = "{changes.get("sha256", digest)}"\n'
    )
    return _write_card(folder, text)


def test_build_from_a_card(tmp_path: Path) -> None:
    built = models.build(card.load(_card_with_weights(tmp_path)))
    assert built.weights == tmp_path / "w.pth"
    assert built.weights_sha256 == hashlib.sha256((tmp_path / "w.pth").read_bytes()).hexdigest()
    assert built.naming == "own"
    assert not built.module.training
    with torch.inference_mode():
        assert built.module(torch.zeros(1, 3, 256, 256))["heatmaps"].shape == (1, 5, 64, 64)


def test_trained_weights_must_match_the_cards_hash(tmp_path: Path) -> None:
    with pytest.raises(models.CheckpointError, match="the card says 0000"):
        models.build(card.load(_card_with_weights(tmp_path, sha256="0" * 64)))


def test_network_with_parameters_needs_weights() -> None:
    with pytest.raises(models.ModelError, match="has parameters and its card names no weights"):
        models.build(card.load("heatmap-mobilenetv3"))


def test_oracle_needs_no_weights() -> None:
    built = models.build(card.load("oracle"))
    assert isinstance(built.module, nn.Module)
    assert built.weights_sha256 is None


def test_missing_weights_beside_the_card(tmp_path: Path) -> None:
    path = _write_card(tmp_path, 'name = "x"\narchitecture = "onnx"\nweights = "x.onnx"\n')
    with pytest.raises(models.ModelError, match=r"x\.onnx are missing; give --weights FILE"):
        models.build(card.load(path))


def test_card_must_agree_with_its_network(tmp_path: Path) -> None:
    path = _write_card(tmp_path, MINIMAL + "[input]\nsize = [112, 112]")
    with pytest.raises(models.ModelError, match=r"input\.size is \[112, 112\], and the network reads \[256, 256\]"):
        models.build(card.load(path))
    path = _write_card(tmp_path, MINIMAL + '[output]\nunit = "input-px"')
    with pytest.raises(models.CardError, match="unit applies to kind = 'landmarks'"):
        models.build(card.load(path))
