"""Model cards: the shipped ones against what was published, and cards that are wrong."""

from __future__ import annotations

import csv
import hashlib
import socket
from pathlib import Path

import pytest
import torch
from torch import nn

import models
from models import card

MINIMAL = 'name = "x"\narchitecture = "oracle"\n'

FULL = """
name = "pfld-ghostnet-slim"
architecture = "onnx"
weights = "x.onnx"
licence = "Apache-2.0"
source = "AnthonyF333/PFLD_GhostOne"
[input]
size = [112, 112]
box = "pfld"
colour = "bgr"
mean = [127.5, 127.5, 127.5]
std = [127.5, 127.5, 127.5]
[output]
kind = "landmarks"
unit = "crop-fraction"
[test]
flip = false
shift = false
[reported.wflw."its authors"]
nme = { test = 5.410 }
fr10 = { test = 6.0 }
auc10 = { test = 0.48 }
source = "README"
tolerance = 0.03
[training]
command = "nmebench train x.toml"
seed = 0
log = { faces = 1000, loss = 0.5, device = "cpu" }
"""


def _write(folder: Path, text: str | bytes, name: str = "x.toml") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_full_card(tmp_path: Path) -> None:
    found = card.load(_write(tmp_path, FULL))
    assert found.input.size == (112, 112)
    assert found.input.colour == "bgr"
    assert found.output.unit == "crop-fraction"
    assert found.reported["wflw"]["its authors"].nme == {"test": 5.41}
    assert found.training is not None
    assert found.training.log["faces"] == 1000
    assert found.path == tmp_path / "x.toml"


def test_defaults(tmp_path: Path) -> None:
    found = card.load(_write(tmp_path, "\ufeff" + MINIMAL))
    assert found.input == card.Input(size=(256, 256), box="landmarks", colour="rgb")
    assert found.input.mean == (123.675, 116.28, 103.53)
    assert (found.test.flip, found.test.shift, found.test.decoder) == (False, False, None)


def test_cards_are_frozen(tmp_path: Path) -> None:
    found = card.load(_write(tmp_path, MINIMAL))
    with pytest.raises(ValueError, match="frozen"):
        found.name = "y"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param(MINIMAL + "licens = 'MIT'", "licens: unknown field (did you mean 'licence'?)", id="unknown field"),
        pytest.param(MINIMAL + "[input]\nsise = [1, 2]", "sise: unknown field (did you mean 'size'?)", id="in a table"),
        pytest.param('name = "x"', "architecture: Field required", id="missing field"),
        pytest.param(MINIMAL + "[input]\nsize = [256]", "input.size", id="one side"),
        pytest.param(MINIMAL + "[input]\nsize = [0, 256]", "input.size.0", id="size 0"),
        pytest.param(MINIMAL + "[input]\nsize = [100000, 256]", "input.size.0", id="size 100000"),
        pytest.param(MINIMAL + "[input]\nstd = [0.0, 1.0, 1.0]", "input.std.0", id="std 0"),
        pytest.param(MINIMAL + "[input]\nmean = [nan, 1.0, 1.0]", "input.mean.0", id="mean NaN"),
        pytest.param(MINIMAL + '[input]\ncolour = "grb"', "input.colour: Input should be 'rgb' or 'bgr'", id="colour"),
        pytest.param(MINIMAL + '[output]\nkind = "points"', "output.kind", id="kind"),
        pytest.param(MINIMAL + '[output]\ngrid = "hrnet"', "output.grid", id="grid"),
        pytest.param(
            MINIMAL + '[output]\nkind = "simcc"\ngrid = "udp"', "not for kind = 'simcc'; leave it out", id="simcc grid"
        ),
        pytest.param(MINIMAL + 'weights = { url = "file:///etc/passwd" }', "weights", id="address that is no http"),
        pytest.param(MINIMAL + 'weights = { url = "https://h/x", sha256 = "abc" }', "sha256", id="short sha256"),
        pytest.param(MINIMAL + 'weights = { url = "https://h/x", file = "../x" }', "file", id="file outside the cache"),
        pytest.param(
            MINIMAL + '[reported.wflw.t]\nnme = { makup = 3.0 }\nsource = "s"\ntolerance = 0.1',
            "no subset 'makup' (did you mean 'makeup'?)",
            id="unknown subset",
        ),
        pytest.param(
            MINIMAL + '[reported.wflw.t]\nsource = "s"\ntolerance = 0.1', "reports nothing", id="a table of nothing"
        ),
        pytest.param(
            MINIMAL + '[reported.wflw.t]\nnme = { test = 3.0 }\nsource = "s"\ntolerance = 0',
            "tolerance",
            id="tolerance 0",
        ),
        pytest.param(
            MINIMAL + '[reported.wflw.t]\nauc10 = { test = 60.5 }\nsource = "s"\ntolerance = 0.1',
            "auc10.test",
            id="AUC in percent",
        ),
        pytest.param(
            MINIMAL + '[reported.wflw.t]\nnme = { test = -1.0 }\nsource = "s"\ntolerance = 0.1',
            "nme.test",
            id="nme < 0",
        ),
        pytest.param(MINIMAL + f'source = "{"a" * 5000}"', "source", id="a long string"),
        pytest.param(MINIMAL + 'licence = "a\\nb"', "licence", id="two lines"),
        pytest.param("name = ", "is not TOML", id="not TOML"),
        pytest.param(MINIMAL + "a = " + "[" * 5000, "is not TOML", id="deep nesting"),
        pytest.param(b"name = '\xff'", "is not UTF-8 text (byte 8)", id="not UTF-8"),
        pytest.param(b"#" * 1_000_001, "larger than 1000000 bytes", id="too large"),
        pytest.param("", "name: Field required; 1 more", id="empty"),
    ],
)
def test_bad_cards_are_one_line(tmp_path: Path, text: str | bytes, says: str) -> None:
    path = _write(tmp_path, text)
    with pytest.raises(models.CardError) as error:
        card.load(path)
    line = str(error.value)
    assert says in line
    assert str(path) in line
    assert "\n" not in line
    assert len(line) < 600


def test_unknown_names_and_files(tmp_path: Path) -> None:
    with pytest.raises(models.CardError, match="did you mean 'mmpose-hrnetv2-w18-dark'"):
        card.load("mmpose-hrnetv2-w18-drak")
    with pytest.raises(models.CardError, match="can't be read: No such file"):
        card.load(tmp_path / "absent.toml")
    with pytest.raises(models.CardError, match="can't be read"):
        card.load(tmp_path)
    with pytest.raises(models.ModelError, match="no model is called 'orcale'"):
        card.default_for("orcale")


def test_a_registered_model_has_a_default_card() -> None:
    assert card.load("oracle") == card.default_for("oracle")
    assert card.load("timm:resnet18").architecture == "timm:resnet18"
    assert card.load("resnet18").architecture == "resnet18"
    with pytest.raises(models.ModelError, match="timm has no backbone 'resnet81'"):
        card.load("timm:resnet81")


def test_shipped_cards_are_sound() -> None:
    assert {"mmpose-hrnetv2-w18", "mmpose-hrnetv2-w18-dark", "mmpose-hrnetv2-w18-awing"} <= set(card.shipped())
    for name in card.shipped():
        found = card.load(name)
        assert found.name == name
        models.describe(found.architecture)
        for tables in found.reported.values():
            for table in tables.values():
                assert table.source


COLUMNS = {
    "test": "nme_test",
    "pose": "nme_pose",
    "expression": "nme_expr",
    "illumination": "nme_illum",
    "makeup": "nme_makeup",
    "occlusion": "nme_occl",
    "blur": "nme_blur",
}


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        pytest.param(
            "mmpose-hrnetv2-w18",
            {"mmpose 0.x": "mmpose HRNetV2-W18 (0.x table)", "mmpose 1.x": "mmpose HRNetV2-W18 (1.x table)"},
            id="plain",
        ),
        pytest.param(
            "mmpose-hrnetv2-w18-dark",
            {"mmpose 0.x": "mmpose HRNetV2-W18 DARK (0.x table)", "mmpose 1.x": "mmpose HRNetV2-W18 DARK (1.x table)"},
            id="DARK",
        ),
        pytest.param(
            "mmpose-hrnetv2-w18-awing",
            {
                "mmpose 0.x": "mmpose HRNetV2-W18 AWing (0.x table)",
                "mmpose 1.x": "mmpose HRNetV2-W18 AWing (1.x table)",
            },
            id="AWing",
        ),
        pytest.param(
            "mmpose-resnet50",
            {
                "mmpose 0.x": "mmpose DeepPose ResNet-50 (0.x table)",
                "mmpose 1.x": "mmpose ResNet-50 regression (1.x table)",
            },
            id="ResNet-50",
        ),
        pytest.param(
            "mmpose-resnet50-wing",
            {
                "mmpose 0.x": "mmpose DeepPose ResNet-50 Wing (0.x table)",
                "mmpose 1.x": "mmpose ResNet-50 regression Wing (1.x table)",
            },
            id="ResNet-50 Wing",
        ),
        pytest.param(
            "mmpose-resnet50-softwing",
            {
                "mmpose 0.x": "mmpose DeepPose ResNet-50 SoftWing (0.x table)",
                "mmpose 1.x": "mmpose ResNet-50 regression SoftWing (1.x table)",
            },
            id="ResNet-50 SoftWing",
        ),
        pytest.param("hrnetv2-w18-official", {"official README": "HRNetV2-W18 official"}, id="official"),
    ],
)
def test_reported_values_are_the_published_ones(shared: Path, name: str, rows: dict[str, str]) -> None:
    with (shared / "reference/published.csv").open(newline="") as file:
        published = {row["method"]: row for row in csv.DictReader(file)}
    found = card.load(name)
    assert set(found.reported["wflw"]) == set(rows)
    for title, method in rows.items():
        row = published[method]
        assert dict(found.reported["wflw"][title].nme) == {s: float(row[c]) for s, c in COLUMNS.items() if row[c]}
        assert found.reported["wflw"][title].source == row["source"]
        assert isinstance(found.weights, card.Weights)
        assert found.weights.url == row["checkpoint_url"]
        assert (found.weights.hash_prefix or "") == row["sha_prefix"]


def test_a_table_may_have_been_measured_otherwise() -> None:
    plain = card.load("mmpose-hrnetv2-w18")
    old, new = (plain.reported["wflw"][f"mmpose {v}.x"] for v in (0, 1))
    assert plain.test_for(old).decoder == "quarter-offset:rule=mmpose0"
    assert plain.test_for(new).decoder == "quarter-offset"
    assert plain.test_for(new).shift is True
    assert plain.box_for(new) == "landmarks"
    resnet = card.load("mmpose-resnet50")
    assert [resnet.test_for(resnet.reported["wflw"][f"mmpose {v}.x"]).shift_coords for v in (0, 1)] == [False, True]


def test_absent_weights_say_how_to_get_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*_: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", no_network)
    monkeypatch.setenv("NMEBENCH_CACHE", str(tmp_path))
    with pytest.raises(models.ModelError) as error:
        models.build(card.load("mmpose-hrnetv2-w18-dark"))
    assert "`nmebench data fetch mmpose-hrnetv2-w18-dark` or give --weights FILE" in str(error.value)
    assert str(tmp_path / "weights" / "hrnetv2_w18_wflw_256x256_dark-3f8e0c2c_20210125.pth") in str(error.value)


def test_downloaded_weights_are_held_to_their_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NMEBENCH_CACHE", str(tmp_path))
    (tmp_path / "weights").mkdir()
    dark = card.load("mmpose-hrnetv2-w18-dark")
    (tmp_path / "weights" / "hrnetv2_w18_wflw_256x256_dark-3f8e0c2c_20210125.pth").write_bytes(b"another file")
    with pytest.raises(models.CheckpointError, match="says 3f8e0c2c; download it again"):
        models.build(dark)


def _trained(folder: Path, **changes: str) -> Path:
    module = models.create("heatmap-mobilenetv3", points=5, width=8)
    torch.save(module.state_dict(), folder / "w.pth")
    digest = hashlib.sha256((folder / "w.pth").read_bytes()).hexdigest()
    text = (
        'name = "x"\narchitecture = "heatmap-mobilenetv3"\nweights = "w.pth"\noptions = { points = 5, width = 8 }\n'
        f'[training]\ncommand = "c"\nsha256 = "{changes.get("sha256", digest)}"\n'
    )
    return _write(folder, text)


def test_build_from_a_card(tmp_path: Path) -> None:
    built = models.build(card.load(_trained(tmp_path)))
    assert built.weights == tmp_path / "w.pth"
    assert built.weights_sha256 == hashlib.sha256((tmp_path / "w.pth").read_bytes()).hexdigest()
    assert built.naming == "own"
    assert not built.module.training
    with torch.inference_mode():
        assert built.module(torch.zeros(1, 3, 256, 256))["heatmaps"].shape == (1, 5, 64, 64)


def test_trained_weights_are_held_to_the_cards_hash(tmp_path: Path) -> None:
    with pytest.raises(models.CheckpointError, match="the card says 0000"):
        models.build(card.load(_trained(tmp_path, sha256="0" * 64)))


def test_a_network_without_weights_is_not_measured() -> None:
    with pytest.raises(models.ModelError, match="has parameters and its card names no weights"):
        models.build(card.load("heatmap-mobilenetv3"))


def test_oracle_needs_none() -> None:
    built = models.build(card.load("oracle"))
    assert isinstance(built.module, nn.Module)
    assert built.weights_sha256 is None


def test_relative_weights_that_are_absent(tmp_path: Path) -> None:
    path = _write(tmp_path, 'name = "x"\narchitecture = "onnx"\nweights = "x.onnx"\n')
    with pytest.raises(models.ModelError, match=r"x\.onnx aren't there; give --weights FILE"):
        models.build(card.load(path))


def test_card_that_contradicts_its_network(tmp_path: Path) -> None:
    path = _write(tmp_path, MINIMAL + "[input]\nsize = [112, 112]")
    with pytest.raises(models.ModelError, match=r"input\.size is \[112, 112\], and the network reads \[256, 256\]"):
        models.build(card.load(path))
    path = _write(tmp_path, MINIMAL + '[output]\nunit = "input-px"')
    with pytest.raises(models.CardError, match=r"output\.unit means nothing to oracle"):
        models.build(card.load(path))
