"""Crops that are cut out and resized: pixels, landmarks and cache keys of a sweep agree."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import PIL.Image
import pytest
from onnx import TensorProto, helper, numpy_helper

from nmebench.errors import InputError
from nmebench.geometry import images
from nmebench.protocol import SAMPLINGS
from nmebench.runs.run_store import Run
from nmebench.scoring import cell_settings
from nmebench.sweep import execute
from nmebench.sweep.clock import Clocks
from nmebench.sweep.configuration import validate
from nmebench.sweep.forward import Forward
from nmebench.sweep.plan import Plan, make

LIST = Path("WFLW_annotations/list_98pt_rect_attr_train_test/list_98pt_rect_attr_test.txt")

SIDE = 32
"""Side of the input, px."""


@pytest.fixture(scope="module")
def blobs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six faces in black photographs with a bright blob at the first landmark."""
    root = tmp_path_factory.mktemp("blobs")
    (root / LIST).parent.mkdir(parents=True)
    (root / "WFLW_images").mkdir()
    generator = np.random.default_rng(4)
    x, y = np.meshgrid(np.arange(260), np.arange(240))
    lines = []
    for face in range(6):
        points = generator.uniform(70, 170, (98, 2))
        points[0] = generator.uniform(105, 135, 2)
        blob = 250 * np.exp(-0.5 * ((x - points[0, 0]) ** 2 + (y - points[0, 1]) ** 2) / 8.0**2)
        cv2.imwrite(
            str(root / f"WFLW_images/{face}.png"), np.repeat(np.rint(blob).astype(np.uint8)[..., None], 3, axis=2)
        )
        numbers = " ".join(f"{value:.6f}" for value in points.ravel())
        lines.append(f"{numbers} 60 60 180 180 0 0 0 0 0 0 {face}.png")
    (root / LIST).write_text("\n".join(lines) + "\n")
    return root


def _centroid_network(path: Path) -> None:
    """A network that gives the centroid of the image's values, in input px, as every landmark."""
    columns = np.tile(np.arange(SIDE, dtype=np.float32), (1, 3, SIDE, 1))
    nodes = [
        helper.make_node("ReduceSum", ["image", "all"], ["total"], keepdims=1),
        helper.make_node("Mul", ["image", "columns"], ["by_column"]),
        helper.make_node("Mul", ["image", "rows"], ["by_row"]),
        helper.make_node("ReduceSum", ["by_column", "all"], ["sum_x"], keepdims=1),
        helper.make_node("ReduceSum", ["by_row", "all"], ["sum_y"], keepdims=1),
        helper.make_node("Concat", ["sum_x", "sum_y"], ["sums"], axis=3),
        helper.make_node("Div", ["sums", "total"], ["centroid"]),
        helper.make_node("Tile", ["centroid", "times"], ["tiled"]),
        helper.make_node("Squeeze", ["tiled", "second"], ["landmarks"]),
    ]
    constants = {
        "all": np.array([1, 2, 3]),
        "second": np.array([1]),
        "times": np.array([1, 1, 98, 1]),
        "columns": columns,
        "rows": columns.swapaxes(2, 3),
    }
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("landmarks", TensorProto.FLOAT, ["n", 98, 2])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def _card(folder: Path, **settings: Any) -> Path:
    given = "".join(f"{name} = {value!r}\n".replace("'", '"') for name, value in settings.items())
    _centroid_network(folder / "centroid.onnx")
    (folder / "centroid.toml").write_text(
        'name = "centroid"\narchitecture = "onnx"\nweights = "centroid.onnx"\n'
        f"[input]\nsize = [{SIDE}, {SIDE}]\nmean = [0, 0, 0]\nstd = [1, 1, 1]\n{given}"
        '[output]\nkind = "landmarks"\nunit = "input-px"\n'
    )
    return folder / "centroid.toml"


def _sweep(data: Path, card: Path, out: Path) -> Run:
    raw = {"data": f"wflw:{data}", "models": [str(card)], "pictures": False, "threads": 1}
    return execute(validate(raw, where="a test"), out)


def _offsets(run: Run) -> np.ndarray:
    """Found minus true position of the first landmark, image px ``[N, 2]``."""
    return np.asarray(run.landmarks(run.record.cells[0].id)[:, 0] - run.faces.landmarks[:, 0])


@pytest.mark.parametrize("resample", SAMPLINGS)
@pytest.mark.parametrize("padding", [1.25, 1.371])
def test_what_a_network_sees_is_mapped_back_to_where_it_is(
    blobs: Path, tmp_path: Path, resample: str, padding: float
) -> None:
    """In the half-pixel convention no resampling moves a landmark, although the box isn't in whole pixels."""
    card = _card(tmp_path, resample=resample, convention="half-pixel", padding=padding)
    assert np.abs(_offsets(_sweep(blobs, card, tmp_path / "run"))).max() < 0.06


@pytest.mark.parametrize(("resample", "moved"), [("affine", False), ("resize", True), ("pil-bicubic", True)])
def test_stride_convention_of_a_resize_is_half_a_pixel_away(
    blobs: Path, tmp_path: Path, resample: str, moved: bool
) -> None:
    """The planted fault: pixels of a resize, landmarks by the map of a warp."""
    run = _sweep(blobs, _card(tmp_path, resample=resample, convention="stride"), tmp_path / "run")
    expected = -((run.faces.size[:, 0].mean() / SIDE - 1) / 2) if moved else 0.0
    assert _offsets(run).mean(axis=0) == pytest.approx(expected, abs=0.1)


def _plan(data: Path, card: Path, **options: Any) -> Plan:
    raw = {"data": f"wflw:{data}", "models": [str(card)], "pictures": False, **options}
    return make(validate(raw, where="a test"))


@pytest.mark.parametrize("resample", [sampling for sampling in SAMPLINGS if sampling != "affine"])
def test_crops_of_a_sweep_equal_pillow_and_opencv(blobs: Path, tmp_path: Path, resample: str) -> None:
    plan = _plan(blobs, _card(tmp_path, resample=resample, padding=1.377))
    network = plan.networks[0]
    with ThreadPoolExecutor(1) as pool:
        crops = Forward(plan, network, tmp_path, Clocks(), pool, None).crop_loader.crops(0)
    method = {"pil-bilinear": PIL.Image.BILINEAR, "pil-bicubic": PIL.Image.BICUBIC}.get(resample)
    for row, found in zip(network.batches[0], crops, strict=True):
        assert plan.dataset.image_root is not None
        photograph = images.read(plan.dataset.image_root / plan.dataset.images[row])
        low = network.boxes.centre[row] - network.boxes.size[row] / 2
        edges = (*low.tolist(), *(low + network.boxes.size[row]).tolist())
        assert edges == tuple(map(round, edges))
        left, top, right, bottom = map(int, edges)
        if method is not None:
            picture = PIL.Image.fromarray(photograph).crop(edges).resize((SIDE, SIDE), method)
            assert np.array_equal(found, np.asarray(picture))
        else:
            kind = cv2.INTER_AREA if resample == "resize-area" else cv2.INTER_LINEAR
            assert np.array_equal(
                found, cv2.resize(photograph[top:bottom, left:right], (SIDE, SIDE), interpolation=kind)
            )


def test_every_resampling_has_crops_of_its_own(blobs: Path, tmp_path: Path) -> None:
    plans = [_plan(blobs, _card(tmp_path, resample=resample)) for resample in SAMPLINGS]
    plans.append(_plan(blobs, _card(tmp_path, resample="resize", convention="half-pixel")))
    plans.append(_plan(blobs, _card(tmp_path, resample="resize", padding=1.3)))
    assert len({plan.networks[0].key for plan in plans}) == len(plans)
    assert len({plan.networks[0].crops_key for plan in plans}) == len(plans)


def test_resampling_and_padding_are_settings_of_the_cell(blobs: Path, tmp_path: Path) -> None:
    run = _sweep(blobs, _card(tmp_path, resample="pil-bilinear", padding=1.3), tmp_path / "run")
    settings = cell_settings(run, run.record.cells[0])
    assert settings["input.resample"] == "pil-bilinear"
    assert settings["box padding"] == "1.3"


def test_padding_of_the_card_belongs_to_its_box(blobs: Path, tmp_path: Path) -> None:
    card = _card(tmp_path, padding=2.0)
    usual = _plan(blobs, _card(tmp_path)).networks[0].boxes.size
    assert _plan(blobs, _card(tmp_path, padding=2.0)).networks[0].boxes.size == pytest.approx(usual * 2 / 1.25)
    assert _plan(blobs, card, box_padding=1.5).networks[0].boxes.size == pytest.approx(usual * 1.5 / 1.25)
    other = _plan(blobs, card, boxes=["rect"]).networks[0].boxes.size
    assert other == pytest.approx(np.full((6, 2), 120 * 1.25))


def test_udp_and_a_box_that_is_resized(blobs: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'udp' is a warp, and the box 'pfld' is cut out and resized: set resample"):
        _plan(blobs, _card(tmp_path, convention="udp", box="pfld"))
    assert (
        _plan(blobs, _card(tmp_path, convention="udp", box="pfld", resample="affine")).networks[0].boxes.sampling
        == "affine"
    )
    with pytest.raises(InputError, match="convention = 'udp' is a warp: resample must be 'affine', not 'resize'"):
        _plan(blobs, _card(tmp_path, convention="udp", resample="resize"))
