"""Defaults and ranges of all options, chunks, windows at every border, and what each check of the contract refuses."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch

from nmebench import decoders
from nmebench.decoders import contract, options
from nmebench.decoders.argmax import Argmax
from nmebench.decoders.blur import Blur
from nmebench.decoders.dark import kernel_for
from nmebench.decoders.errors import DecoderError
from nmebench.decoders.interface import Decoded, check_heatmaps, gaussians, mask_undecodable
from nmebench.decoders.maxima import find_maxima, windows
from nmebench.decoders.moments import moments
from nmebench.decoders.options import Option, as_float, as_int, canonical
from nmebench.decoders.top_k import largest

from . import reference

# Options -------------------------------------------------------------------------------------------------------------

INFINITY = float("inf")
#: Error bound in heatmap px, and default, smallest and largest value of every option: a new default moves landmarks.
DOCUMENTED: dict[str, tuple[float, dict[str, tuple[Any, float | None, float | None]]]] = {
    "argmax": (0.71, {}),
    "quarter-offset": (0.36, {"rule": ("mmpose1", None, None)}),
    "dark": (
        0.005,
        {
            "kernel": (11, 3, 99),
            "sigma": (None, 0.1, 30.0),
            "path": ("auto", None, None),
            "max_step": (None, 0.0, None),
        },
    ),
    "dark-udp": (0.005, {"kernel": (11, 3, 99), "path": ("auto", None, None)}),
    "parabola": (0.005, {"fit": ("log", None, None)}),
    "local-soft-argmax": (0.02, {"temperature": (10.0, 0.001, 10000.0), "window": (5, 3, 31)}),
    "soft-argmax": (0.05, {"temperature": (16.0, 0.001, 10000.0)}),
    "barycentre": (0.01, {"form": ("star", None, None)}),
    "top-k": (0.5, {"k": (9, 1, 1024)}),
    "top-k-logits": (0.5, {"k": (9, 1, 1024)}),
    "heatmap-offset": (0.001, {"radius": (1.0, 1e-06, 1000000.0)}),
    "simcc": (0.36, {"split": (2.0, 0.01, 100.0)}),
    "simcc-dark": (0.01, {"split": (2.0, 0.01, 100.0), "kernel": (37, 3, 199)}),
    "mmpose-udp": (0.005, {"kernel": (11, 3, 99), "path": ("auto", None, None)}),
    "mmpose-megvii": (1.07, {"kernel": (11, 3, 99)}),
    "face-alignment": (1.07, {}),
    "official-hrnet": (0.36, {}),
}
ODD = {"kernel", "window"}
CHOICES = {
    "rule": ("mmpose1", "mmpose0", "hrnet"),
    "path": ("auto", "whole", "local"),
    "fit": ("raw", "log"),
    "form": ("star", "ldeq"),
}


@pytest.mark.parametrize("name", DOCUMENTED)
def test_bound_and_options_are_the_documented_ones(name: str) -> None:
    info = decoders.describe(name)
    bound, schema = DOCUMENTED[name]
    assert info.bound == bound
    assert {k: (o.default, o.minimum, o.maximum) for k, o in info.options.items()} == schema
    assert {k for k, o in info.options.items() if o.odd} == ODD & set(schema)
    assert all(o.choices == CHOICES.get(k, ()) for k, o in info.options.items())


@pytest.mark.parametrize(("name", "key"), [(name, key) for name, (_, schema) in DOCUMENTED.items() for key in schema])
def test_ends_of_a_range_are_allowed(name: str, key: str) -> None:
    _, low, high = DOCUMENTED[name][1][key]
    step = 2 if key in ODD else 1
    for end, beyond in ((low, -1), (high, 1)):
        if end is None:
            continue
        assert decoders.create(name, **{key: end}).options[key] == end
        outside = end + beyond * step if isinstance(end, int) else np.nextafter(end, beyond * INFINITY)
        with pytest.raises(DecoderError, match=rf"{key}=.* isn't allowed"):
            decoders.create(name, **{key: outside})


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        pytest.param(Option(default=True, doc=""), False, False, id="bool"),
        pytest.param(Option(default=True, doc=""), "False", False, id="bool-text"),
        pytest.param(Option(default=True, doc=""), "true", True, id="bool-true"),
        pytest.param(Option(default=True, doc=""), 0, None, id="bool-of-a-number"),
        pytest.param(Option(default=True, doc=""), "yes", None, id="bool-other-text"),
        pytest.param(Option(default="a", doc=""), "none", "none", id="text-none"),
        pytest.param(Option(default="a", doc=""), 5, None, id="text-of-a-number"),
        pytest.param(Option(default=3, doc=""), "5", 5, id="int-text"),
        pytest.param(Option(default=3, doc=""), "5.5", None, id="int-of-a-fraction"),
        pytest.param(Option(default=3, doc=""), 5.0, None, id="int-of-a-float"),
        pytest.param(Option(default=3, doc=""), True, None, id="int-of-a-bool"),
        pytest.param(Option(default=3, doc=""), "none", None, id="int-cannot-be-none"),
        pytest.param(Option(default=3.0, doc=""), 5, 5.0, id="float-of-an-int"),
        pytest.param(Option(default=3.0, doc=""), "1e-3", 0.001, id="float-text"),
        pytest.param(Option(default=3.0, doc=""), True, None, id="float-of-a-bool"),
        pytest.param(Option(default=3.0, doc=""), 10**400, None, id="float-of-a-huge-int"),
        pytest.param(Option(default=3.0, doc=""), INFINITY, None, id="infinity"),
        pytest.param(Option(default=3.0, doc=""), None, None, id="float-cannot-be-none"),
        pytest.param(Option(default=3, odd=True, doc=""), 4, None, id="even"),
        pytest.param(Option(default=3, odd=True, doc=""), -5, -5, id="odd"),
    ],
)
def test_values_and_their_texts(option: Option, value: object, expected: object) -> None:
    if expected is None:
        with pytest.raises(DecoderError, match=r"^owner: key=.* isn't allowed; key is "):
            option.read("owner", "key", value)
    else:
        found = option.read("owner", "key", value)
        assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize("value", ["wide", "1,5", 10**400, True])
def test_a_wrong_value_of_an_option_that_may_be_absent_is_no_absence(value: object) -> None:
    option = Option(default=None, kind=float, minimum=1, doc="")
    with pytest.raises(DecoderError, match=r"^owner: key=.* isn't allowed; key is "):
        option.read("owner", "key", value)


@pytest.mark.parametrize(("x", "y"), [(31, 12), (9, 23), (31, 23), (0, 12), (9, 0), (1, 12), (9, 1)])
def test_megvii_adds_no_half_pixel_at_the_border(x: int, y: int) -> None:
    """mmpose refines maxima that have two px to the first and one px to the last row and column."""
    maps = torch.zeros(1, 1, 24, 32)
    maps[0, 0, y, x] = 1.0
    found = decoders.create("mmpose-megvii")({"heatmaps": maps}).landmarks[0, 0].tolist()
    assert found == [x, y]
    maps = torch.zeros(1, 1, 24, 32)
    maps[0, 0, 22, 30] = 1.0
    found = decoders.create("mmpose-megvii")({"heatmaps": maps}).landmarks[0, 0]
    assert (found - torch.tensor([30.5, 22.5])).abs().max() <= 0.25


def test_an_option_that_may_be_absent() -> None:
    option = Option(default=None, kind=float, minimum=1, doc="")
    assert option.read("owner", "key", None) is None
    assert option.read("owner", "key", "none") is None
    assert option.read("owner", "key", "2") == 2.0
    with pytest.raises(TypeError, match="must name its kind"):
        _ = Option(default=None, doc="").type


@pytest.mark.parametrize(
    ("option", "phrase"),
    [
        (Option(default=True, doc=""), "true or false"),
        (Option(default=3, doc=""), "an integer"),
        (Option(default=3, minimum=1, doc=""), "an integer of at least 1"),
        (Option(default=3, maximum=9, doc=""), "an integer of at most 9"),
        (Option(default=3, minimum=1, maximum=9, odd=True, doc=""), "an odd integer from 1 to 9"),
        (Option(default=3.0, minimum=0.5, maximum=1e4, doc=""), "a number from 0.5 to 10000"),
        (Option(default=None, kind=str, doc=""), "text, or none"),
        (Option(default="a", choices=("a", "b"), doc=""), "one of a, b"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_phrases_of_the_allowed_values(option: Option, phrase: str) -> None:
    assert option.allowed == phrase


def test_canonical_texts() -> None:
    schema = {name: Option(default=9, doc="") for name in "abcde"}
    given: dict[str, Any] = {"e": 9, "d": None, "c": True, "b": 0.1, "a": 0.1 + 0.2}
    assert canonical("name", schema, given) == "name:a=0.30000000000000004,b=0.1,c=true,d=none"
    assert canonical("name", schema, {"a": 9}) == "name"
    assert options.parse("name", schema, {"b": "5"}) == {"a": 9, "b": 5, "c": 9, "d": 9, "e": 9}


def test_narrowed_types() -> None:
    assert (as_int(5), as_float(5), type(as_float(5))) == (5, 5.0, float)
    for function, value in ((as_int, 5.0), (as_int, None), (as_float, "5"), (as_float, None)):
        with pytest.raises(TypeError, match="isn't a"):
            function(value)  # type: ignore[arg-type]


# Maxima and windows --------------------------------------------------------------------------------------------------


def slow_window(plane: np.ndarray, x: int, y: int, radius: int) -> np.ndarray:
    """One pixel at a time, with zeros outside the map."""
    side = range(-radius, radius + 1)
    height, width = plane.shape
    inside = [[0 <= y + dy < height and 0 <= x + dx < width for dx in side] for dy in side]
    return np.array(
        [
            [plane[y + dy, x + dx] if inside[dy + radius][dx + radius] else 0.0 for dx in side]
            for dy in side
        ]
    )  # fmt: skip


@pytest.mark.parametrize("radius", [0, 1, 2, 3])
@pytest.mark.parametrize(("height", "width"), [(7, 9), (9, 7), (5, 5), (3, 8), (8, 3), (1, 1), (2, 40)])
def test_windows_around_every_pixel(radius: int, height: int, width: int) -> None:
    """A maximum at each pixel in turn: the search, and windows around given pixels."""
    count = height * width
    maps = torch.rand(count, height, width, generator=torch.Generator().manual_seed(radius)) - 0.5
    maps.view(count, -1)[range(count), range(count)] = 2.0
    found = find_maxima(maps, radius)
    copied = windows(maps, found.x, found.y, radius)
    for number in range(count):
        y, x = divmod(number, width)
        assert (found.x[number], found.y[number], found.score[number]) == (x, y, 2.0)
        expected = slow_window(maps[number].numpy(), x, y, radius)
        np.testing.assert_array_equal(found.window[number], expected)
        np.testing.assert_array_equal(copied[number], expected)
    assert (found.xy.dtype, found.x.dtype) == (torch.float32, torch.int64)


def test_maxima_of_many_maps_are_found_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    maps = torch.rand(11, 6, 7, generator=torch.Generator().manual_seed(1))
    whole = find_maxima(maps, 2)
    for size in (1, 6 * 7 * 4 * 3):
        monkeypatch.setattr("nmebench.decoders.maxima.CHUNK_BYTES", size)
        part = find_maxima(maps, 2)
        for name in ("x", "y", "score", "window"):
            assert torch.equal(getattr(part, name), getattr(whole, name))


def test_valid_maxima_are_positive_and_finite() -> None:
    values = torch.tensor([0.0, 1e-30, -1.0, INFINITY, float("nan"), -INFINITY])
    assert (
        find_maxima(values[:, None, None].expand(-1, 2, 2).contiguous()).valid.tolist() == [False, True] + [False] * 4
    )


@pytest.mark.parametrize("k", [1, 3, 5, 12, 100])
@pytest.mark.parametrize("size", [1, 200, 1 << 21])
def test_largest_pixels_are_found_in_chunks(monkeypatch: pytest.MonkeyPatch, k: int, size: int) -> None:
    monkeypatch.setattr("nmebench.decoders.top_k.CHUNK_BYTES", size)
    maps = torch.rand(5, 6, 7, generator=torch.Generator().manual_seed(2))
    values, index = largest(maps, k)
    for number in range(5):
        flat = maps[number].flatten()
        expected = sorted(range(42), key=lambda place, flat=flat: -float(flat[place]))[:k]
        assert sorted(index[number].tolist()) == sorted(expected)
        assert values[number].tolist() == [flat[place] for place in index[number]]


@pytest.mark.parametrize("size", [3, 5, 11])
def test_blur_of_maps_in_chunks(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """Against one sum per pixel; the chunks hold one map, two maps, or all."""
    maps = torch.rand(5, 6, 4, generator=torch.Generator().manual_seed(3))
    blur, half = Blur(size), size // 2
    kernel = blur.kernel.double().numpy()
    padded = np.pad(maps.double().numpy(), ((0, 0), (half, half), (half, half)))
    expected = np.zeros((5, 6, 4))
    for y, x in np.ndindex(6, 4):
        expected[:, y, x] = np.einsum("nij,i,j->n", padded[:, y : y + size, x : x + size], kernel, kernel)
    for chunk in (1, 6 * 4 * 4 * 2, 1 << 20):
        monkeypatch.setattr("nmebench.decoders.blur.CHUNK_BYTES", chunk)
        parts = [(part, values.clone()) for part, values in blur.complete_maps(maps)]
        assert [index for part, _ in parts for index in range(part.start, part.stop)] == list(range(5))
        np.testing.assert_allclose(torch.cat([values for _, values in parts]), expected, atol=1e-6)
    rows = [np.convolve(row, kernel, "full")[half : half + 4] for row in maps[0].numpy()]
    np.testing.assert_allclose(blur.rows(maps[0]), rows, atol=1e-6)


# The common steps ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunk", [1, 3 * 8 * 9 * 4 * 2, 1 << 26])
@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
def test_maps_are_decoded_in_chunks_of_faces(monkeypatch: pytest.MonkeyPatch, chunk: int, kind: torch.dtype) -> None:
    maps = torch.rand(5, 3, 8, 9, generator=torch.Generator().manual_seed(4)).to(kind)
    maps[1, 1], maps[4, 2, 0, 0] = 0.0, float("nan")
    expected = decoders.create("dark")(maps)
    monkeypatch.setattr("nmebench.decoders.interface.HeatmapDecoder.chunk_bytes", chunk)
    monkeypatch.setattr("nmebench.decoders.interface.CONVERSION_BYTES", chunk)
    found = decoders.create("dark")(maps)
    torch.testing.assert_close(found.landmarks, expected.landmarks, rtol=0, atol=1e-5)
    assert torch.equal(found.scores, expected.scores)
    assert found.counts == expected.counts
    assert (found.counts["empty"], found.counts["invalid"]) == (1, 1)


def test_undecodable_landmarks() -> None:
    """By score: positive, 0, negative, NaN, the infinities; and a landmark that isn't finite."""
    score = torch.tensor([1e-30, 0.0, -1.0, float("nan"), INFINITY, -INFINITY, 1.0])
    landmarks = torch.ones(7, 2, dtype=torch.float64)
    landmarks[6, 1] = INFINITY
    counts: Counter[str] = Counter()
    found, scores = mask_undecodable(landmarks, score, counts)
    assert found.tolist() == [[1.0, 1.0]] + [[-1.0, -1.0]] * 6
    assert scores.tolist() == [pytest.approx(1e-30), 0.0, -1.0, 0.0, 0.0, 0.0, 1.0]
    assert (counts["empty"], counts["invalid"], found.dtype) == (3, 3, torch.float32)
    found, _ = mask_undecodable(landmarks[:3], score[:3], counts, -0.5)
    assert found.tolist() == [[1.0, 1.0], [1.0, 1.0], [-1.0, -1.0]]
    assert counts["empty"] == 4


@pytest.mark.parametrize("shape", [(8, 9), (1, 2, 3, 8, 9), (1, 2, 0, 9), (1, 2, 8, 0)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(DecoderError, match=r"^me: heatmaps has the shape"):
        check_heatmaps("me", torch.zeros(shape))
    check_heatmaps("me", torch.zeros(0, 0, 1, 1))


def test_gaussians_are_drawn_at_their_centres() -> None:
    centres = torch.tensor([[[2.25, 1.5], [-1.0, 4.0]]])
    found = gaussians(centres, 4, 6, 1.5)
    for point, (x, y) in enumerate(centres[0].tolist()):
        for row, column in np.ndindex(4, 6):
            expected = np.exp(-((column - x) ** 2 + (row - y) ** 2) / (2 * 1.5**2))
            assert float(found[0, point, row, column]) == pytest.approx(expected, rel=1e-5)
    assert (found.shape, found.dtype) == ((1, 2, 4, 6), torch.float32)


def test_mirrored_outputs_have_their_span() -> None:
    """A landmark at x is at ``span - x`` in the mirrored outputs."""
    maps = torch.rand(1, 2, 3, 8)
    mirrored, span = decoders.create("argmax").mirror({"heatmaps": maps})
    assert torch.equal(mirrored["heatmaps"], maps.flip(-1))
    assert span == 7.0
    outputs = {"simcc_x": torch.rand(1, 2, 20), "simcc_y": torch.rand(1, 2, 12)}
    mirrored, span = decoders.create("simcc", split=4).mirror(outputs)
    assert span == 19 / 4
    assert torch.equal(mirrored["simcc_x"], outputs["simcc_x"].flip(-1))
    assert torch.equal(mirrored["simcc_y"], outputs["simcc_y"])


def test_kernel_for_a_sigma() -> None:
    """OpenCV's sigma of each kernel size gives that size again; 3 px is the smallest."""
    for size in range(3, 100, 2):
        assert kernel_for(0.3 * ((size - 1) / 2 - 1) + 0.8) == size
    assert kernel_for(0.1) == 3


@pytest.mark.parametrize("spec", ["dark", "dark-udp", "mmpose-udp"])
def test_steps_of_more_than_a_pixel_are_counted(spec: str) -> None:
    """On noise, whose steps have all lengths."""
    maps = torch.rand(4, 30, 16, 16, generator=torch.Generator().manual_seed(5))
    found, start = decoders.from_spec(spec)(maps), decoders.create("argmax")(maps)
    lengths = (found.landmarks - start.landmarks).abs().amax(dim=-1)
    assert found.counts["steps_over_1px"] == int((lengths > 1).sum())
    assert int((lengths > 2).sum()) < found.counts["steps_over_1px"] < int((lengths > 0.5).sum())


@pytest.mark.parametrize("size", [1, 6 * 5 * 4 * 2, 1 << 20])
def test_moments_are_summed_in_chunks(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr("nmebench.decoders.moments.CHUNK_BYTES", size)
    maps = torch.rand(5, 6, 5, generator=torch.Generator().manual_seed(6))
    y, x = np.mgrid[:6, :5]
    expected = [[plane.sum(), (plane * x).sum(), (plane * y).sum()] for plane in maps.double().numpy()]
    np.testing.assert_allclose(moments(maps), expected, rtol=1e-6)
    squared = moments(maps, lambda values, part, scratch: torch.mul(values, values, out=scratch))
    expected = [[(p * p).sum(), (p * p * x).sum(), (p * p * y).sum()] for p in maps.double().numpy()]
    np.testing.assert_allclose(squared, expected, rtol=1e-6)


@pytest.mark.parametrize("name", ["argmax", "heatmap-offset", "simcc", "top-k"])
def test_ideal_outputs_have_sigma_2(name: str) -> None:
    decoder = decoders.create(name)
    centres = torch.tensor([[[20.25, 30.5]]])
    drawn, given = decoder.draw(centres, 64, 48), decoder.draw(centres, 64, 48, 2.0)
    assert set(drawn) == set(decoder.needs) == set(given)
    assert all(torch.equal(drawn[key], given[key]) for key in drawn)
    found = decoder(drawn).landmarks
    assert float((found - centres).norm()) <= decoder.bound


@pytest.mark.parametrize("radius", [1.0, 2.5])
def test_offsets_are_added_at_the_maximum(radius: float) -> None:
    """One landmark at a time: its own face, point and pixel; an offset that isn't finite is invalid."""
    generator = torch.Generator().manual_seed(7)
    maps = torch.rand(2, 3, 5, 6, generator=generator)
    offsets = torch.rand(2, 3, 2, 5, 6, generator=generator) - 0.5
    maps[1, 2] = 0.0
    bad = divmod(int(maps[0, 1].argmax()), 6)
    offsets[0, 1, 1, bad[0], bad[1]] = INFINITY
    found = decoders.create("heatmap-offset", radius=radius)({"heatmaps": maps, "offsets": offsets})
    for face, point in np.ndindex(2, 3):
        y, x = divmod(int(maps[face, point].argmax()), 6)
        step = offsets[face, point, :, y, x].tolist()
        expected = [x + radius * step[0], y + radius * step[1]]
        if (face, point) in ((0, 1), (1, 2)):
            expected = [-1.0, -1.0]
        assert found.landmarks[face, point].tolist() == pytest.approx(expected, rel=1e-6)
    assert (found.counts["empty"], found.counts["invalid"]) == (1, 1)
    mirrored, span = decoders.create("heatmap-offset").mirror({"heatmaps": maps, "offsets": offsets})
    assert span == 5.0
    assert torch.equal(mirrored["offsets"][:, :, 0], -offsets[:, :, 0].flip(-1))
    assert torch.equal(mirrored["offsets"][:, :, 1], offsets[:, :, 1].flip(-1))
    for shape in ((2, 3, 2, 6, 5), (2, 3, 5, 6), (3, 2, 2, 5, 6)):
        with pytest.raises(DecoderError, match=r"offsets has the shape"):
            decoders.create("heatmap-offset")({"heatmaps": maps, "offsets": torch.zeros(shape)})


@pytest.mark.parametrize("spec", ["dark-udp", "dark-udp:path=local", "dark-udp:path=whole"])
def test_dark_udp_repeats_the_edge_at_every_border(spec: str) -> None:
    """Maxima on the four borders and corners of maps that are not square, against the slow reference."""
    places = [(y, x) for y in (0, 3, 8) for x in (0, 5, 11)]
    generator = torch.Generator().manual_seed(8)
    maps = 0.2 + 0.3 * torch.rand(1, len(places), 9, 12, generator=generator)
    for number, (y, x) in enumerate(places):
        maps[0, number, y, x] = 1.0
    found = decoders.from_spec(spec)(maps).landmarks[0].numpy()
    expected = [reference.dark_udp(plane) for plane in maps[0].numpy().astype(np.float64)]
    np.testing.assert_allclose(found, expected, atol=2e-3)


def test_simcc_refuses_distributions_without_bins() -> None:
    for shapes in (((1, 2, 0), (1, 2, 4)), ((1, 2, 4), (1, 2, 0)), ((1, 2, 4), (1, 3, 4)), ((1, 2, 4), (2, 4))):
        outputs = dict(zip(("simcc_x", "simcc_y"), map(torch.zeros, shapes), strict=True))
        with pytest.raises(DecoderError, match="has the shape"):
            decoders.create("simcc")(outputs)
    none = decoders.create("simcc")({"simcc_x": torch.zeros(2, 0, 4), "simcc_y": torch.zeros(2, 0, 3)})
    assert none.landmarks.shape == (2, 0, 2)


# The contract --------------------------------------------------------------------------------------------------------


def decoded(landmarks: torch.Tensor, **fields: Any) -> Decoded:
    given = {"scores": torch.ones(landmarks.shape[:2]), "counts": {"empty": 0, "invalid": 0}, **fields}
    return Decoded(landmarks, given["scores"], given["counts"])


def test_random_outputs_of_the_contract() -> None:
    """Centres at least 10 px from every border, in the whole range, with noise of up to 0.02 both ways."""
    assert contract._random_centres().shape == (3, 5, 2)
    assert torch.equal(contract._random_centres(), contract._random_centres())
    x, y = contract._random_centres(80, 50, width=48, height=80).unbind(-1)
    assert (x.dtype, float(x.min()), float(x.max())) == (
        torch.float64,
        pytest.approx(10, abs=0.1),
        pytest.approx(37, abs=0.1),
    )
    assert (float(y.min()), float(y.max())) == (pytest.approx(10, abs=0.1), pytest.approx(69, abs=0.1))
    assert min(float(x.min()), float(y.min())) >= 10
    assert not torch.equal(*contract._random_centres().unbind(-1))
    x, y = contract._random_centres(80, 50).unbind(-1)
    assert float(x.max()) == pytest.approx(53, abs=0.1) == float(y.max())
    noisy = contract._noisy_outputs(Argmax())["heatmaps"]
    assert noisy.shape == (3, 5, 64, 64)
    noise = noisy - Argmax().draw(contract._random_centres(), 64, 64)["heatmaps"]
    assert (float(noise.min()), float(noise.max())) == (pytest.approx(-0.02, abs=1e-5), pytest.approx(0.02, abs=1e-5))
    assert contract._noisy_outputs(Argmax(), faces=2, points=7)["heatmaps"].shape == (2, 7, 64, 64)


GOOD = torch.ones(2, 3, 2)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        pytest.param(decoded(GOOD.double()), "must be float32", id="float64-landmarks"),
        pytest.param(decoded(GOOD, scores=torch.ones(2, 3).double()), "must be float32", id="float64-scores"),
        pytest.param(decoded(GOOD, scores=torch.ones(2, 4)), "landmarks .2, 3, 2., scores .2, 4.", id="shape"),
        pytest.param(decoded(GOOD * float("nan")), "isn't finite", id="nan-landmarks"),
        pytest.param(decoded(GOOD, scores=torch.full((2, 3), INFINITY)), "isn't finite", id="infinite-scores"),
        pytest.param(decoded(GOOD, counts={"empty": 0}), "counts must have", id="no-invalid"),
        pytest.param(decoded(GOOD, counts={"invalid": 0}), "counts must have", id="no-empty"),
    ],
)
def test_what_is_not_well_formed(bad: Decoded, message: str) -> None:
    contract._require_well_formed(decoded(GOOD))
    with pytest.raises(contract.ContractError, match=message):
        contract._require_well_formed(bad)


def test_landmarks_within_a_tolerance_are_close() -> None:
    moved = GOOD.clone()
    moved[1, 2, 0] += 0.25
    assert contract._require_close(decoded(GOOD), decoded(moved), "x", 0.25) == "0.25 px"
    with pytest.raises(contract.ContractError, match=r"x: landmarks differ by 0.25 px \(tolerance 0.2 px\)"):
        contract._require_close(decoded(moved), decoded(GOOD), "x", 0.2)
    with pytest.raises(contract.ContractError, match="tolerance 1e-05 px"):
        contract._require_close(decoded(GOOD), decoded(GOOD + 2e-5), "x")
    with pytest.raises(contract.ContractError, match="isn't finite"):
        contract._require_close(decoded(GOOD), decoded(GOOD * INFINITY), "x")


@pytest.mark.parametrize(("value", "allowed"), [(-2.0, True), (-2.1, False), (65.0, True), (65.1, False)])
def test_landmarks_may_be_two_px_outside_the_map(value: float, allowed: bool) -> None:
    landmarks = GOOD.clone()
    landmarks[0, 0, 1] = value
    if allowed:
        assert contract._require_near_map(decoded(landmarks)) == (min(value, 1.0), max(value, 1.0))
    else:
        with pytest.raises(contract.ContractError, match="on maps of 64 px"):
            contract._require_near_map(decoded(landmarks))


def bad(**methods: Any) -> Argmax:
    return type("Bad", (Argmax,), methods)()


def with_result(change: Any) -> Any:
    """A ``decode`` that changes the result of the good one."""

    def decode(self: Argmax, outputs: Any) -> Decoded:
        found = Argmax.decode(self, outputs)
        return change(outputs, found)

    return decode


def _replaced(found: Decoded, landmarks: torch.Tensor | None = None, **counts: int) -> Decoded:
    return Decoded(found.landmarks if landmarks is None else landmarks, found.scores, {**found.counts, **counts})


class Unsteady(Argmax):
    """Gives other landmarks, or other counts, on every call."""

    counted = False

    def decode(self, outputs: Any) -> Decoded:
        self.calls = getattr(self, "calls", 0) + 1
        found = super().decode(outputs)
        if self.counted:
            return _replaced(found, own=self.calls)
        return _replaced(found, found.landmarks + 1e-6 * self.calls)


class UnsteadyCounts(Unsteady):
    """Gives other counts on every call."""

    counted = True


def moved(condition: Any) -> Argmax:
    """Moves landmarks by 1 px where the condition on the heatmaps is true."""
    return bad(decode=with_result(lambda o, f: _replaced(f, f.landmarks + float(condition(o["heatmaps"])))))


def mapped(function: Any) -> Argmax:
    """Changes all landmarks."""
    return bad(decode=with_result(lambda o, f: _replaced(f, function(f.landmarks))))


def counted(**functions: Any) -> Argmax:
    """Changes counts by functions of the heatmaps and the right count."""

    def change(outputs: Any, found: Decoded) -> Decoded:
        maps = outputs["heatmaps"]
        return _replaced(
            found, **{name: function(maps, found.counts.get(name)) for name, function in functions.items()}
        )

    return bad(decode=with_result(change))


def moves_others(outputs: Any, found: Decoded) -> Decoded:
    """Moves the good landmarks of a batch with one invalid map."""
    return _replaced(found, found.landmarks + (found.landmarks >= 0) * float(found.counts["invalid"] == 1))


def drops_a_point(outputs: Any, found: Decoded) -> Decoded:
    """Has another number of points for a batch without faces."""
    return found if len(found.landmarks) else Decoded(torch.zeros(0, 4, 2), torch.zeros(0, 4), found.counts)


BAD = [
    (Unsteady(), "deterministic", "different landmarks"),
    (UnsteadyCounts(), "deterministic", "counts differ"),
    (counted(own=lambda maps, _: 1), "batch", "count own is 1 for the batch, 9"),
    (counted(empty=lambda maps, _: 0), "batch", "counted as 0"),
    (counted(empty=lambda maps, _: 5 - len(maps)), "zero-faces", "were counted"),
    (bad(decode=with_result(drops_a_point)), "zero-faces", "of 0 faces"),
    (moved(lambda maps: maps.dtype == torch.float16), "half-precision", "torch.float16: landmarks differ by 1"),
    (moved(lambda maps: maps.dtype == torch.bfloat16), "half-precision", "torch.bfloat16: landmarks differ by 1"),
    (moved(lambda maps: maps.dtype == torch.float64), "half-precision", "torch.float64: landmarks differ by 1"),
    (moved(lambda maps: maps.stride(1) == 1), "layout", "channels last: landmarks differ by 1"),
    (moved(lambda maps: maps.stride(-1) == 2), "layout", "strided columns: landmarks differ by 1"),
    (moved(lambda maps: maps.storage_offset() > 0), "layout", "a slice of a batch: landmarks differ by 1"),
    (moved(lambda maps: maps.shape[-1] > 64), "non-square", "80x48 maps: error"),
    (moved(lambda maps: maps.shape[-2] > 64), "non-square", "48x80 maps: error"),
    (mapped(lambda xy: xy * 1.1 - 3), "borders", "landmarks range from -3"),
    (mapped(lambda xy: xy * 1.1), "borders", "on maps of 64 px"),
    (mapped(lambda xy: xy + 1), "empty", r"must give \(-1, -1\)"),
    (counted(empty=lambda maps, _: 14), "empty", "counted as 14"),
    (counted(empty=lambda maps, n: 3 if maps.max() < 0 else n), "empty", "15 maps of -0.5 were counted as 3"),
    (counted(empty=lambda maps, _: 1), "constant", "isn't empty"),
    (mapped(lambda xy: xy + 70), "constant", "on maps of 64 px"),
    (counted(invalid=lambda maps, _: 0), "not-finite", "was counted as"),
    (mapped(lambda xy: xy.where(xy >= 0, torch.tensor(5.0))), "not-finite", "gave"),
    (bad(decode=with_result(moves_others)), "not-finite", "changed other maps"),
    (counted(invalid=lambda maps, n: min(n, 14)), "not-finite", "15 maps of nan were counted"),
    (bad(_select_outputs=lambda self, o: {"heatmaps": torch.zeros(1, 1, 4, 4)}), "missing-output", "must raise"),
]


@pytest.mark.parametrize(("decoder", "check", "message"), BAD)
def test_each_check_refuses_its_fault(decoder: Argmax, check: str, message: str) -> None:
    with pytest.raises(contract.ContractError, match=message):
        contract.CHECKS[check](decoder)


def test_message_of_several_lines_is_refused() -> None:
    class TwoLinesError(DecoderError):
        """An error whose text isn't made by the base class."""

        def __str__(self) -> str:
            return "two\nlines"

    def select(self: Argmax, outputs: Any) -> Any:
        raise TwoLinesError("x")

    with pytest.raises(contract.ContractError, match="must be one line"):
        contract.CHECKS["missing-output"](bad(_select_outputs=select))


def test_minus_infinity_may_be_decoded_or_counted() -> None:
    """Argmax passes a map with a single minus infinity as it is; both ways of a decoder are right."""
    contract.CHECKS["not-finite"](Argmax())

    def change(outputs: Any, found: Decoded) -> Decoded:
        bad_maps = outputs["heatmaps"].isneginf().any(-1).any(-1) & (found.landmarks[..., 0] >= 0)
        landmarks = found.landmarks.masked_fill(bad_maps[..., None], -1.0)
        return _replaced(found, landmarks, invalid=found.counts["invalid"] + int(bad_maps.sum()))

    contract.CHECKS["not-finite"](bad(decode=with_result(change)))


def test_one_check_of_one_decoder() -> None:
    assert contract.run_check("argmax", "deterministic") == ""
    assert contract.run_check("argmax", "round-trip").endswith("(bound 0.71)")
    with pytest.raises(contract.CheckSkipped, match="exempt: "):
        contract.run_check("face-alignment", "flip")
