"""Raw outputs become the project's named outputs; each conversion against a reference written as loops."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pydantic
import pytest
import torch
from torch import Tensor, nn

from nmebench import engines, models
from nmebench.engines import model_cache
from nmebench.models.adapted_network import AdaptedNetwork, adapted
from nmebench.models.card_output import Output
from nmebench.models.landmark_layout import to_input_px
from nmebench.models.output_adapter import OutputAdapter

IMAGES = torch.zeros(2, 3, 32, 48)
"""Height 32 and width 48, so that exchanging them shows."""

N, K, H, W = 2, 5, 4, 6


def _convert(raw: Any, **settings: Any) -> dict[str, Tensor]:
    found: dict[str, Tensor] = OutputAdapter(Output(**settings), "net")(raw, IMAGES)
    return found


def _maps(channels: int = K, seed: int = 0) -> Tensor:
    return torch.randn(N, channels, H, W, generator=torch.Generator().manual_seed(seed))


def _each(value: Tensor, of: Callable[[int, int, int, int], float]) -> Tensor:
    """A tensor of the shape of ``value`` ``[N, K, h, w]`` made value by value."""
    made = torch.empty(value.shape)
    for n in range(value.shape[0]):
        for k in range(value.shape[1]):
            for y in range(value.shape[2]):
                for x in range(value.shape[3]):
                    made[n, k, y, x] = of(n, k, y, x)
    return made


def test_sigmoid() -> None:
    raw = _maps()
    expected = _each(raw, lambda n, k, y, x: 1 / (1 + math.exp(-float(raw[n, k, y, x]))))
    assert torch.allclose(_convert(raw, activation="sigmoid")["heatmaps"], expected, atol=1e-6)


def test_softmax_over_the_pixels_of_a_map() -> None:
    raw = _maps()
    total = [[sum(math.exp(float(v)) for v in raw[n, k].flatten()) for k in range(K)] for n in range(N)]
    expected = _each(raw, lambda n, k, y, x: math.exp(float(raw[n, k, y, x])) / total[n][k])
    assert torch.allclose(_convert(raw, activation="softmax")["heatmaps"], expected, atol=1e-6)


def test_softmax_over_all_channels() -> None:
    raw = _maps(K + 1)

    def of(n: int, k: int, y: int, x: int) -> float:
        return math.exp(float(raw[n, k, y, x])) / sum(math.exp(float(v)) for v in raw[n, :, y, x])

    expected = _each(_maps(K), of)
    assert torch.allclose(_convert(raw, activation="softmax-channels", channels=f"0:{K}")["heatmaps"], expected)


@pytest.mark.parametrize(
    ("activation", "background", "landmark"),
    [("softmax-pairs", lambda k: 2 * k, lambda k: 2 * k + 1), ("softmax-halves", lambda k: k, lambda k: K + k)],
)
@pytest.mark.parametrize("five", [False, True], ids=["[N, 2K, h, w]", "5 dimensions"])
def test_two_channels_for_each_landmark(
    activation: str, background: Callable[[int], int], landmark: Callable[[int], int], five: bool
) -> None:
    raw = _maps(2 * K)

    def of(n: int, k: int, y: int, x: int) -> float:
        other, own = (math.exp(float(raw[n, channel, y, x])) for channel in (background(k), landmark(k)))
        return own / (own + other)

    given = raw.unflatten(1, (K, 2) if activation == "softmax-pairs" else (2, K)) if five else raw
    assert torch.allclose(_convert(given, activation=activation)["heatmaps"], _each(_maps(K), of), atol=1e-6)


def test_channels_then_order() -> None:
    raw = _maps(K + 2)
    channels, order = (6, 0, 2, 3, 5), (4, 2, 0, 1, 3)
    found = _convert(raw, channels=channels, order=order)["heatmaps"]
    for network_point, scheme_point in enumerate(order):
        assert torch.equal(found[:, scheme_point], raw[:, channels[network_point]])


@pytest.mark.parametrize(
    ("text", "kept"),
    [("0:5", [0, 1, 2, 3, 4]), (":-1", [0, 1, 2, 3, 4, 5]), ("1::2", [1, 3, 5]), ("2:", [2, 3, 4, 5, 6])],
)
def test_slices_of_channels(text: str, kept: list[int]) -> None:
    raw = _maps(7)
    assert torch.equal(_convert(raw, channels=text)["heatmaps"], raw[:, kept])


@pytest.mark.parametrize("index", [0, 1, -1])
def test_stacks(index: int) -> None:
    stacks = [_maps(seed=seed) for seed in range(3)]
    for raw in (stacks, tuple(stacks), torch.stack(stacks, dim=1), {"a": stacks[0], "b": stacks[1], "c": stacks[2]}):
        assert torch.equal(_convert(raw, stack=index)["heatmaps"], stacks[index])
    stages = [torch.rand(N, 2 * K) for _ in range(3)]
    for raw in (stages, torch.stack(stages, dim=1), torch.stack(stages, dim=1).unflatten(2, (K, 2))):
        found = _convert(raw, kind="landmarks", unit="input-px", stack=index)["landmarks"]
        assert torch.equal(found, stages[index].reshape(N, K, 2))


@pytest.mark.parametrize(
    ("names", "which"), [(["b"], 1), (["c.-1"], 3), (["c.0"], 2), (["d.e"], 4)], ids=["key", "last", "first", "nested"]
)
def test_names_and_paths(names: list[str], which: int) -> None:
    maps = [_maps(seed=seed) for seed in range(5)]
    raw = {"a": maps[0], "b": maps[1], "c": [maps[2], maps[3]], "d": {"e": maps[4]}}
    assert torch.equal(_convert(raw, names=names)["heatmaps"], maps[which])
    assert torch.equal(_convert([maps[0], maps[1]], names=["-1"])["heatmaps"], maps[1])


def test_the_only_output_that_fits_is_read() -> None:
    landmarks, pose, maps = torch.rand(N, 2 * K), torch.rand(N, 3), _maps()
    assert torch.equal(_convert((pose, maps, landmarks))["heatmaps"], maps)
    found = _convert((pose, maps, landmarks), kind="landmarks", unit="input-px")["landmarks"]
    assert torch.equal(found.flatten(1), landmarks)


def test_simcc_in_the_order_of_names() -> None:
    x, y = torch.rand(N, K, 96), torch.rand(N, K, 64)
    for raw, names in (((x, y), []), ({"simcc_y": y, "simcc_x": x}, []), ({"p": y, "q": x}, ["q", "p"])):
        found = _convert(raw, kind="simcc", names=names, split=2)
        assert torch.equal(found["simcc_x"], x)
        assert torch.equal(found["simcc_y"], y)
    soft = _convert((x, y), kind="simcc", activation="softmax")["simcc_x"]
    assert torch.allclose(soft[1, 2, 7], x[1, 2, 7].exp() / x[1, 2].exp().sum())


def test_interleaved_offsets() -> None:
    raw = _maps(3 * K)
    found = _convert(raw, offsets="interleaved", radius=3.5, activation="sigmoid", order=tuple(reversed(range(K))))
    for k in range(K):
        assert torch.allclose(found["heatmaps"][:, K - 1 - k], torch.sigmoid(raw[:, 3 * k]))
        assert torch.equal(found["offsets"][:, K - 1 - k, 0], raw[:, 3 * k + 1] * 3.5)
        assert torch.equal(found["offsets"][:, K - 1 - k, 1], raw[:, 3 * k + 2] * 3.5)


@pytest.mark.parametrize("layout", ["xy", "xs-ys"])
def test_separate_offsets(layout: str) -> None:
    maps, offsets = _maps(), _maps(2 * K, seed=1)
    found = _convert((maps, offsets), offsets="separate", layout=layout)["offsets"]
    for k in range(K):
        x, y = (2 * k, 2 * k + 1) if layout == "xy" else (k, K + k)
        assert torch.equal(found[:, k, 0], offsets[:, x])
        assert torch.equal(found[:, k, 1], offsets[:, y])


def test_offsets_in_an_output_for_each_axis() -> None:
    """PIPNet's outputs: a score map, an x map and a y map for each landmark, and others."""
    score, x, y = (_maps(seed=seed) for seed in range(3))
    raw = {"cls": score, "x": x, "y": y, "nb_x": _maps(2 * K), "nb_y": _maps(2 * K)}
    found = _convert(raw, offsets="separate", names=["cls", "x", "y"], activation="sigmoid")
    assert torch.equal(found["heatmaps"], torch.sigmoid(score))
    assert torch.equal(found["offsets"], torch.stack([x, y], dim=2))


def test_offsets_with_the_projects_name_stay_beside_the_heatmaps() -> None:
    maps, offsets = _maps(), torch.randn(N, K, 2, H, W)
    found = _convert({"heatmaps": maps, "offsets": offsets, "features": _maps()}, channels="1:3")
    assert torch.equal(found["heatmaps"], maps[:, 1:3])
    assert torch.equal(found["offsets"], offsets[:, 1:3])


def test_channels_last() -> None:
    raw = _maps()
    assert torch.equal(_convert(raw.permute(0, 2, 3, 1), layout="nhwc")["heatmaps"], raw)


@pytest.mark.parametrize("unit", ["crop-fraction", "crop-centred"])
@pytest.mark.parametrize("grid", [None, "stride", "udp", "half-pixel"])
def test_units_of_landmarks(unit: str, grid: str | None) -> None:
    raw = torch.rand(N, K, 2, generator=torch.Generator().manual_seed(3))
    given = raw if unit == "crop-fraction" else 2 * raw - 1
    found = _convert(given, kind="landmarks", unit=unit, grid=grid)["landmarks"]
    for n in range(N):
        for k in range(K):
            for axis, side in enumerate((48, 32)):
                fraction = float(raw[n, k, axis])
                expected = {
                    "udp": fraction * (side - 1),
                    "half-pixel": fraction * side - 0.5,
                }.get(grid or "stride", fraction * side)
                assert float(found[n, k, axis]) == pytest.approx(expected, abs=1e-5)


def test_landmarks_in_px_are_not_copied_into_another_unit() -> None:
    raw = torch.rand(N, K, 2)
    assert to_input_px(raw, "input-px", "stride", size=(9, 9)) is raw


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.int32])
def test_outputs_of_other_types_become_float32(dtype: torch.dtype) -> None:
    raw = (_maps() * 8).to(dtype)
    found = _convert(raw)["heatmaps"]
    assert found.dtype == torch.float32
    assert torch.equal(found, raw.float())


REFUSED: list[tuple[str, Any, dict[str, Any], str]] = [
    ("two outputs", (_maps(), _maps()), {}, r"gives 0 \[2, 5, 4, 6\], 1 .*set names, or stack \(-1 is the last one\)"),
    ("no heatmaps", torch.rand(N, 10), {}, r"net gives \[2, 10\], not heatmaps \[N, K, h, w\]"),
    ("no landmarks", _maps(), {"kind": "landmarks", "unit": "input-px"}, r"gives \[N, 5, 4, 6\], not landmarks"),
    ("stacks", torch.rand(N, 2, K, H, W), {}, r"\[2, 2, 5, 4, 6\], not \[N, K, h, w\]: stack in \[output\]"),
    ("no such stack", [_maps(), _maps()], {"stack": 2}, r"gives 2 stacks: \[output\] stack = 2 is none of them"),
    ("no stacks", _maps(), {"stack": -1}, "which has no stacks: leave stack out"),
    ("no such name", {"a": _maps()}, {"names": ["b"]}, r"no output 'b' \(names in \[output\]\); it gives a \[2, 5, 4"),
    ("name of one tensor", _maps(), {"names": ["b"]}, "gives one output without a name: leave names out"),
    ("no unit", torch.rand(N, 10), {"kind": "landmarks"}, 'unit in .* "crop-fraction" .* "crop-centred" .*"input-px"'),
    ("third value", torch.rand(N, K, 3), {"kind": "landmarks", "unit": "input-px"}, 'layout = "xyz" in .* ignores it'),
    ("few channels", _maps(), {"channels": [0, 7]}, r"gives 5 points \(0 to 4\): \[output\] channels names 7"),
    ("short slice", _maps(), {"channels": "0:98"}, r"gives 5 points: \[output\] channels = '0:98' is more"),
    ("empty slice", _maps(), {"channels": "5:"}, r"gives 5 points: \[output\] channels = '5:' is none"),
    ("order", _maps(), {"order": [1, 0]}, r"gives 5 points: \[output\] order has 2 entries"),
    ("odd pairs", _maps(), {"activation": "softmax-pairs"}, "5 channels aren't two for each landmark"),
    ("not thirds", _maps(), {"offsets": "interleaved"}, "5 channels aren't a map, x and y of each"),
    ("offsets of another size", (_maps(), _maps(8)), {"offsets": "separate"}, r"they must be \[2, 5, 2, 4, 6\]"),
    ("unequal offsets", (_maps(), _maps(), _maps(4)), {"offsets": "separate"}, "they must agree"),
    ("no batch", _maps()[0], {}, r"gives \[5, 4, 6\] for 2 images"),
    ("another batch", torch.rand(3, K, H, W), {}, r"\[3, 5, 4, 6\] for 2 images: the batch must be the first"),
    (
        "bins",
        (torch.rand(N, K, 90), torch.rand(N, K, 60)),
        {"kind": "simcc", "split": 2},
        "90 bins, and split = 2 .* 96",
    ),
    ("x or y", {"p": torch.rand(N, K, 9), "q": torch.rand(N, K, 9)}, {"kind": "simcc"}, "which output is x and which"),
    ("one distribution", torch.rand(N, K, 9), {"kind": "simcc"}, r"not simcc \[N, K, bins\] of x and of y"),
    ("text", "maps", {}, "returns a str, not a tensor, a list or a mapping"),
    ("nothing", {}, {}, "gives nothing; heatmaps are read from 1"),
    ("sparse", _maps().to_sparse(), {}, "layout torch.sparse_coo"),
    ("maps last", torch.rand(N, 3, K, H, W), {"layout": "nhwc"}, r"reads \[N, h, w, K\]"),
]


@pytest.mark.parametrize(("raw", "settings", "message"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_what_does_not_fit_is_refused_in_one_line(raw: Any, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(models.ModelError, match=message) as error:
        _convert(raw, **settings)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"unit": "crop-fraction"}, "unit applies to kind = 'landmarks'"),
        ({"kind": "landmarks", "offsets": "separate"}, "offsets applies to kind = 'heatmaps'"),
        ({"split": 2}, "split applies to kind = 'simcc'"),
        ({"radius": 2.0}, "set offsets too"),
        ({"kind": "landmarks", "activation": "sigmoid"}, "activation applies to heatmaps and simcc"),
        ({"kind": "simcc", "activation": "softmax-pairs"}, "'softmax-pairs' applies to heatmaps"),
        ({"kind": "simcc", "stack": -1}, "choose the outputs with names"),
        ({"kind": "simcc", "names": ["x"]}, "names has 1 entries, and this kind of output is read from 2"),
        ({"layout": "xyz"}, "'xyz' doesn't apply to kind = 'heatmaps'"),
        ({"kind": "landmarks", "layout": "nhwc"}, "'nhwc' doesn't apply to kind = 'landmarks'"),
        ({"order": [0, 0]}, "point 0 twice"),
        ({"order": [0, 5]}, "has 2 entries: a network that gives a part of the scheme's points can't be scored"),
        ({"order": [1, 0], "channels": [1, 2, 3]}, "order has 2 entries for the 3 points of channels"),
        ({"channels": "::-1"}, "channels"),
        ({"channels": "1:2:0"}, "channels"),
        ({"channels": []}, "channels"),
        ({"stack": 1000}, "stack"),
        ({"kind": "landmarks", "unit": "input-px", "grid": "udp"}, "grid applies to heatmaps and to landmarks in fr"),
    ],
)
def test_fields_that_contradict_each_other(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(pydantic.ValidationError, match=message):
        Output(**settings)


def _hourglass() -> nn.Module:
    """A network of torch's own modules: two stacks of scores with a map too many, ``[N, 2, 7, H/4, W/4]``."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 14, 3, stride=4, padding=1), nn.Unflatten(1, (2, 7))).eval()


@pytest.fixture
def hourglass() -> AdaptedNetwork:
    table = Output(stack=-1, activation="sigmoid", channels="0:6", order=(5, 4, 3, 2, 1, 0))
    found = adapted(_hourglass(), table, "card net")
    assert isinstance(found, AdaptedNetwork)
    return found


@pytest.mark.parametrize("engine", ["torch", "openvino", "onnxruntime"])
def test_adapted_network_on_every_engine(engine: str, hourglass: AdaptedNetwork) -> None:
    pytest.importorskip({"torch": "torch"}.get(engine, engine))
    images = torch.rand(3, 3, 32, 48)
    with torch.inference_mode():
        plain = torch.sigmoid(_hourglass()(images)[:, 1, :6]).flip(1)
    made = engines.create(engine, hourglass, threads=1)
    assert engines.check_engine(made, hourglass, images) < 1e-5
    for count in (3, 1, 2):  # the batch stays open
        assert torch.allclose(made(images[:count])["heatmaps"], plain[:count], atol=1e-5)


@pytest.mark.slow
def test_adapted_network_can_be_exported_with_an_open_batch(hourglass: AdaptedNetwork) -> None:
    batch = torch.export.Dim("batch", min=2, max=64)
    program = torch.export.export(hourglass, (torch.rand(2, 3, 32, 48),), dynamic_shapes=({0: batch},))
    images = torch.rand(5, 3, 32, 48)
    assert torch.equal(program.module()(images)["heatmaps"], hourglass(images)["heatmaps"])


@pytest.mark.slow
def test_adapted_network_compiles_to_one_graph(hourglass: AdaptedNetwork) -> None:
    images = torch.rand(2, 3, 32, 48)
    explained = torch._dynamo.explain(hourglass)(images)
    assert (explained.graph_count, explained.graph_break_count) == (1, 0)


def test_settings_are_part_of_the_engines_cache_key() -> None:
    keys = {
        model_cache.cache_key(adapted(_hourglass(), Output(**settings), "card net"))
        for settings in ({"stack": 0}, {"stack": 1}, {"stack": 1, "channels": "0:6"}, {"stack": 1, "channels": [0, 1]})
    }
    assert len(keys - {None}) == 4


def test_networks_of_the_project_stay_as_they_are() -> None:
    oracle = models.create("oracle")
    assert adapted(oracle, Output(grid="udp"), "card x") is oracle
    assert isinstance(adapted(oracle, Output(activation="sigmoid"), "card x"), AdaptedNetwork)


class Follows(nn.Module):
    """A plug-in that follows the interface."""

    reads = "images"
    outputs = ("heatmaps", "offsets")
    input_size = (48, 32)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """``[N, 3, H, W]`` -> heatmaps and offsets."""
        return {"heatmaps": images[:, :1], "offsets": images[:, None, :2]}


def test_a_plug_in_that_follows_the_interface_keeps_its_outputs_and_attributes() -> None:
    network = adapted(Follows(), Output(), "card x")
    assert isinstance(network, AdaptedNetwork)
    found = network(IMAGES)
    assert {name: list(value.shape) for name, value in found.items()} == {
        "heatmaps": [2, 1, 32, 48],
        "offsets": [2, 1, 2, 32, 48],
    }
    assert (network.outputs, network.input_size, network.reads) == (("heatmaps", "offsets"), (48, 32), "images")


def test_a_network_that_reads_images_channels_last() -> None:
    class Last(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            assert images.shape[-1] == 3
            return images.permute(0, 3, 1, 2) * 2

    images = torch.rand(2, 3, 8, 9)
    network = adapted(Last(), Output(), "card x", image_layout="nhwc")
    assert torch.equal(network(images)["heatmaps"], images * 2)
