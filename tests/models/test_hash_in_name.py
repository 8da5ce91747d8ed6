"""Hashes and dates in checkpoints' file names."""

from __future__ import annotations

import pytest

from nmebench.models import card
from nmebench.models.hash_in_name import hash_in_name


@pytest.mark.parametrize(
    ("name", "prefix"),
    [
        pytest.param("hrnetv2_w18_wflw_256x256_dark-3f8e0c2c_20210125.pth", "3f8e0c2c", id="mmpose"),
        pytest.param("faster_rcnn_r50_fpn_1x_coco_20200130-047c8118.pth", "047c8118", id="mmdet, date first"),
        pytest.param("resnet50-0676ba61.pth", "0676ba61", id="torch.hub"),
        pytest.param("net-" + "0a" * 32 + ".safetensors", "0a" * 32, id="all 64 digits"),
        pytest.param("net-3f8e0c2c5d.onnx", "3f8e0c2c5d", id="ten digits"),
        pytest.param("a-12345678_20210125.pth", "12345678", id="decimal hash before a date"),
        pytest.param("a-20200229_20210125.pth", "20200229", id="hash like a date before a date"),
        pytest.param("a-99345678.pth", "99345678", id="decimal hash that is no date"),
        pytest.param("hrnetv2_w18-20210125.pth", None, id="date alone"),
        pytest.param("hrnetv2_w18_wflw_256x256.pth", None, id="no hash"),
        pytest.param("best_NME_epoch_80.pth", None, id="epoch"),
        pytest.param("model-notahash.pth", None, id="not hexadecimal"),
        pytest.param("net-3f8e0c2c.txt", None, id="another suffix"),
        pytest.param("net-3f8e0c2.pth", None, id="seven digits"),
        pytest.param("net-" + "0" * 65 + ".pth", None, id="65 digits"),
        pytest.param("3f8e0c2c.pth", None, id="no dash"),
        pytest.param("net-3F8E0C2C.pth", None, id="upper case"),
    ],
)
def test_hash_in_name(name: str, prefix: str | None) -> None:
    assert hash_in_name(name) == prefix


@pytest.mark.parametrize("name", card.shipped())
def test_names_of_shipped_cards_agree_with_their_hash_prefix(name: str) -> None:
    weights = card.load(name).weights
    if isinstance(weights, card.Weights):
        assert hash_in_name(weights.filename) == weights.hash_prefix
