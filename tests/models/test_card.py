"""Model cards: the shipped ones against the published tables, and the errors of invalid cards."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from nmebench import models
from nmebench.models import card

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
    ("text", "message"),
    [
        pytest.param(MINIMAL + "licens = 'MIT'", "licens: unknown field; did you mean 'licence'?", id="unknown field"),
        pytest.param(
            MINIMAL + "[input]\nsise = [1, 2]",
            "sise: unknown field; did you mean 'size'?",
            id="unknown field in a table",
        ),
        pytest.param('name = "x"', "architecture: is missing", id="missing field"),
        pytest.param(MINIMAL + "[input]\nsize = [256]", "input.size", id="one side"),
        pytest.param(MINIMAL + "[input]\nsize = [0, 256]", "input.size.0", id="size 0"),
        pytest.param(MINIMAL + "[input]\nsize = [100000, 256]", "input.size.0", id="size 100000"),
        pytest.param(MINIMAL + "[input]\nstd = [0.0, 1.0, 1.0]", "input.std.0", id="std 0"),
        pytest.param(MINIMAL + "[input]\nmean = [nan, 1.0, 1.0]", "input.mean.0", id="mean NaN"),
        pytest.param(MINIMAL + '[input]\ncolour = "grb"', "input.colour: must be 'rgb' or 'bgr'", id="colour"),
        pytest.param(MINIMAL + '[output]\nkind = "points"', "output.kind", id="kind"),
        pytest.param(MINIMAL + '[output]\ngrid = "hrnet"', "output.grid", id="grid"),
        pytest.param(
            MINIMAL + '[output]\nkind = "simcc"\ngrid = "udp"', "not to kind = 'simcc'; leave it out", id="simcc grid"
        ),
        pytest.param(MINIMAL + 'weights = { url = "file:///etc/passwd" }', "weights", id="address without http"),
        pytest.param(MINIMAL + 'weights = { url = "https://h/x", sha256 = "abc" }', "sha256", id="short sha256"),
        pytest.param(MINIMAL + 'weights = { url = "https://h/x", file = "../x" }', "file", id="file outside the cache"),
        pytest.param(
            MINIMAL + '[reported.wflw.t]\nnme = { makup = 3.0 }\nsource = "s"\ntolerance = 0.1',
            "no subset 'makup'; did you mean 'makeup'?",
            id="unknown subset",
        ),
        pytest.param(
            MINIMAL + '[reported.wflw.t]\nsource = "s"\ntolerance = 0.1', "reports nothing", id="table without values"
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
        pytest.param(MINIMAL + f'source = "{"a" * 5000}"', "source", id="string too long"),
        pytest.param(MINIMAL + 'licence = "a\\nb"', "licence", id="two lines in one field"),
        pytest.param("name = ", "not a toml: Invalid value", id="not TOML"),
        pytest.param(
            MINIMAL + "a = " + "[" * 5000, "not a toml that can be read: it is nested deeper", id="deep nesting"
        ),
        pytest.param(b"name = '\xff'", "x.toml:1: a byte is not UTF-8", id="not UTF-8"),
        pytest.param(b"#" * 1_000_001, "has 1,000,001 bytes: up to 1,000,000 are read", id="too large"),
        pytest.param("", "name: is missing; architecture: is missing", id="empty"),
        pytest.param(MINIMAL + "a = 1" + "0" * 5000, "not a toml that can be read", id="integer of 5001 digits"),
        pytest.param(MINIMAL + '[output]\nlayout = "zx"', "output.layout", id="layout"),
    ],
)
def test_invalid_cards_give_a_one_line_error(tmp_path: Path, text: str | bytes, message: str) -> None:
    path = _write(tmp_path, text)
    with pytest.raises(models.CardError) as error:
        card.load(path)
    line = str(error.value)
    assert message in line
    assert str(path) in line
    assert "\n" not in line
    assert len(line) < 600


def test_unknown_names_and_files(tmp_path: Path) -> None:
    with pytest.raises(models.CardError, match="did you mean 'mmpose-hrnetv2-w18-dark'"):
        card.load("mmpose-hrnetv2-w18-drak")
    with pytest.raises(models.CardError, match=r"absent\.toml is missing"):
        card.load(tmp_path / "absent.toml")
    with pytest.raises(models.CardError, match="is a folder"):
        card.load(tmp_path)
    with pytest.raises(models.ModelError, match="unknown model 'orcale'"):
        card.default_card("orcale")


def test_registered_models_have_a_default_card() -> None:
    assert card.load("oracle") == card.default_card("oracle")
    assert card.load("timm:resnet18").architecture == "timm:resnet18"
    assert card.load("resnet18").architecture == "resnet18"
    with pytest.raises(models.ModelError, match="timm has no backbone 'resnet81'"):
        card.load("timm:resnet81")


def test_shipped_cards_are_valid() -> None:
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
def test_reported_values_equal_the_published_ones(shared: Path, name: str, rows: dict[str, str]) -> None:
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


@pytest.mark.parametrize(
    ("url", "filename"),
    [
        pytest.param("https://h/a/net-3f8e0c2c.pth", "net-3f8e0c2c.pth", id="plain"),
        pytest.param("https://h/a/net.pth?download=1#top", "net.pth", id="query and fragment"),
        pytest.param("https://h/a/my%20net.pth", "my net.pth", id="escaped space"),
        pytest.param("https://h/a/..%2F..%2Fnet.pth", "net.pth", id="escaped folders"),
        pytest.param("https://h/a/net/", "net", id="trailing slash"),
    ],
)
def test_file_name_of_downloaded_weights(url: str, filename: str) -> None:
    assert card.Weights(url=url).filename == filename
