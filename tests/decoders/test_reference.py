"""Every decoder compared with a slow reference from its definition: one landmark at a time, in float64."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nmebench import decoders
from nmebench.decoders.blur import Blur
from nmebench.decoders.interface import gaussians
from nmebench.decoders.maxima import find_maxima, windows
from nmebench.decoders.top_k import largest

from . import reference

CASES = [
    pytest.param("argmax", reference.argmax, id="argmax"),
    pytest.param("quarter-offset", lambda h: reference.quarter(h, "mmpose1"), id="quarter-mmpose1"),
    pytest.param("quarter-offset:rule=mmpose0", lambda h: reference.quarter(h, "mmpose0"), id="quarter-mmpose0"),
    pytest.param("quarter-offset:rule=hrnet", lambda h: reference.quarter(h, "hrnet"), id="quarter-hrnet"),
    pytest.param("official-hrnet", lambda h: reference.quarter(h, "hrnet"), id="hrnet"),
    pytest.param("face-alignment", reference.fan, id="fan"),
    pytest.param("mmpose-megvii", reference.megvii, id="megvii"),
    pytest.param("mmpose-megvii:kernel=5", lambda h: reference.megvii(h, 5), id="megvii-5"),
    pytest.param("dark", reference.dark, id="dark"),
    pytest.param("dark:path=whole", reference.dark, id="dark-whole"),
    pytest.param("dark:kernel=3", lambda h: reference.dark(h, 3), id="dark-3"),
    pytest.param("dark:kernel=7", lambda h: reference.dark(h, 7), id="dark-7"),
    pytest.param("dark:kernel=17", lambda h: reference.dark(h, 17), id="dark-17"),
    pytest.param("dark:kernel=45", lambda h: reference.dark(h, 45), id="dark-wider-than-the-map"),
    pytest.param("dark:sigma=1.5", lambda h: reference.dark(h, 7, 1.5), id="dark-sigma"),
    pytest.param("dark:max_step=0.3", lambda h: reference.dark(h, max_step=0.3), id="dark-bounded"),
    pytest.param("dark-udp", reference.dark_udp, id="dark-udp"),
    pytest.param("mmpose-udp", reference.dark_udp, id="mmpose-udp"),
    pytest.param("dark-udp:path=whole", reference.dark_udp, id="dark-udp-whole"),
    pytest.param("dark-udp:kernel=17", lambda h: reference.dark_udp(h, 17), id="dark-udp-17"),
    pytest.param("parabola", reference.parabola, id="parabola-log"),
    pytest.param("parabola:fit=raw", lambda h: reference.parabola(h, "raw"), id="parabola-raw"),
    pytest.param("soft-argmax", reference.soft_argmax, id="soft-argmax"),
    pytest.param("soft-argmax:temperature=3", lambda h: reference.soft_argmax(h, 3.0), id="soft-argmax-3"),
    pytest.param("local-soft-argmax", reference.local_soft_argmax, id="local-soft-argmax"),
    pytest.param(
        "local-soft-argmax:temperature=2,window=9",
        lambda h: reference.local_soft_argmax(h, 9, 2.0),
        id="local-soft-argmax-9",
    ),
    pytest.param("barycentre:form=ldeq", lambda h: reference.barycentre(h, "ldeq"), id="barycentre-ldeq"),
    pytest.param("top-k", reference.top_k, id="top-k"),
    pytest.param("top-k:k=1", reference.argmax, id="top-1-is-argmax"),
    pytest.param("top-k:k=60", lambda h: reference.top_k(h, 60), id="top-60"),
]

MADE = {
    spec: decoders.from_spec(spec)
    for spec in (
        *("argmax", "quarter-offset", "dark", "dark:path=whole", "dark-udp", "dark-udp:path=whole", "face-alignment"),
        *("parabola", "parabola:fit=raw", "parabola:fit=log"),
    )
}


def decode_slowly(reference_of: Callable, maps: torch.Tensor) -> np.ndarray:
    """Landmarks ``[N, K, 2]`` of maps ``[N, K, H, W]`` by a reference of one map."""
    return np.array([[reference_of(plane) for plane in face] for face in maps.numpy().astype(np.float64)])


@pytest.mark.parametrize(("spec", "reference_of"), CASES)
def test_decoder_equals_its_definition(spec, reference_of, noisy) -> None:
    found = decoders.from_spec(spec)(noisy).landmarks.numpy()
    expected = decode_slowly(reference_of, noisy)
    # A Newton step divides by the Hessian, which amplifies float32's rounding on these noisy maps to the third decimal.
    np.testing.assert_allclose(found, expected, rtol=2e-4, atol=2e-4)


def test_barycentre_star_equals_its_definition_on_non_negative_maps(noisy) -> None:
    maps = noisy.clamp_min(0)
    found = decoders.create("barycentre")(maps).landmarks.numpy()
    np.testing.assert_allclose(found, decode_slowly(reference.barycentre, maps), rtol=1e-5, atol=1e-4)


def test_barycentre_star_tends_to_the_middle_where_the_mass_is_below_1e_minus_6() -> None:
    maps = gaussians(torch.tensor([[[4.0, 5.0]]]), 21, 31, 1.0) * 1e-8
    found = decoders.create("barycentre")(maps).landmarks.numpy()
    np.testing.assert_allclose(found, decode_slowly(reference.barycentre, maps), rtol=1e-5)
    assert 10 < found[0, 0, 0] < 15


@pytest.mark.parametrize(
    ("name", "reference_of"),
    [pytest.param("simcc", reference.simcc, id="simcc"), pytest.param("simcc-dark", reference.simcc_dark, id="dark")],
)
def test_simcc_equals_its_definition(name, reference_of) -> None:
    decoder = decoders.create(name)
    centres = torch.rand(2, 9, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 66 - 1
    outputs = {
        key: value + 0.005 * torch.rand(value.shape, generator=torch.Generator().manual_seed(2))
        for key, value in decoder.draw(centres, 48, 64).items()
    }
    found = decoder(outputs).landmarks.numpy()
    axes = [
        [[reference_of(bins) for bins in face] for face in outputs[key].numpy().astype(np.float64)]
        for key in ("simcc_x", "simcc_y")
    ]
    np.testing.assert_allclose(found, np.stack(axes, axis=-1) / 2, rtol=1e-4, atol=1e-4)


def test_heatmap_offset_adds_the_offset_at_the_maximum() -> None:
    generator = torch.Generator().manual_seed(4)
    heatmaps = torch.rand(2, 3, 9, 11, generator=generator)
    offsets = torch.randn(2, 3, 2, 9, 11, generator=generator)
    found = decoders.create("heatmap-offset", radius=2.5)({"heatmaps": heatmaps, "offsets": offsets}).landmarks
    for face in range(2):
        for point in range(3):
            x, y = reference.top(heatmaps[face, point].numpy())
            expected = torch.tensor([x, y]) + 2.5 * offsets[face, point, :, y, x]
            torch.testing.assert_close(found[face, point], expected)


@pytest.mark.parametrize("size", [3, 5, 7, 9, 11, 17, 31])
def test_blur_equals_opencv(size, noisy) -> None:
    """Complete maps and single pixels equal cv2.GaussianBlur of the zero-padded map, as mmpose calls it."""
    maps = noisy.view(-1, 40, 56)
    blur = Blur(size)
    maxima = find_maxima(maps, size // 2 + 2)
    offsets = ((0, 0), (1, 0), (-1, 2), (2, -2))
    whole = torch.cat([part.clone() for _, part in blur.complete_maps(maps)])
    at = blur.at_offsets(maxima.window, offsets)
    for index, plane in enumerate(maps.numpy()):
        padded = np.pad(plane, size // 2)
        expected = cv2.GaussianBlur(padded, (size, size), 0)[size // 2 : -(size // 2), size // 2 : -(size // 2)]
        np.testing.assert_allclose(whole[index].numpy(), expected, rtol=0, atol=3e-7)
        for number, (dx, dy) in enumerate(offsets):
            row, column = int(maxima.y[index]) + dy, int(maxima.x[index]) + dx
            if 0 <= row < 40 and 0 <= column < 56:
                assert float(at[index, number]) == pytest.approx(expected[row, column], abs=3e-7)


@pytest.mark.parametrize("size", [9, 11, 13, 17, 45])
def test_kernel_equals_opencvs_documented_formula(size) -> None:
    np.testing.assert_allclose(Blur(size).kernel.numpy(), reference.kernel(size), rtol=1e-6)


@pytest.mark.parametrize(("height", "width"), [(40, 56), (9, 56), (40, 9), (5, 4), (1, 1)])
@pytest.mark.parametrize("radius", [1, 4, 7])
def test_windows_are_zero_outside_the_map(height, width, radius) -> None:
    generator = torch.Generator().manual_seed(0)
    maps = torch.rand(200, height, width, generator=generator) + 1
    x = torch.randint(0, width, (200,), generator=generator)
    y = torch.randint(0, height, (200,), generator=generator)
    found = windows(maps, x, y, radius).numpy()
    for index in range(200):
        padded = np.pad(maps[index].numpy(), radius)
        at = (slice(y[index], y[index] + 2 * radius + 1), slice(x[index], x[index] + 2 * radius + 1))
        np.testing.assert_array_equal(found[index], padded[at])
    maps[torch.arange(200), y, x] += 9
    torch.testing.assert_close(find_maxima(maps, radius).window, windows(maps, x, y, radius), rtol=0, atol=0)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    height=st.integers(1, 24),
    width=st.integers(1, 24),
    levels=st.integers(1, 6),
    k=st.integers(1, 40),
)
def test_maximum_and_largest_pixels_are_right_for_ties_and_any_size(seed, height, width, levels, k) -> None:
    """Few distinct values give many ties: argmax takes the first, top-k has the right values at its indices."""
    generator = torch.Generator().manual_seed(seed)
    maps = torch.randint(0, levels, (3, height, width), generator=generator).to(torch.float32)
    maxima = find_maxima(maps)
    values, index = largest(maps, k)
    for i, plane in enumerate(maps.numpy()):
        assert (int(maxima.x[i]), int(maxima.y[i])) == reference.top(plane)
        expected = np.sort(plane.ravel())[::-1][:k]
        np.testing.assert_array_equal(np.sort(values[i].numpy())[::-1], expected)
        np.testing.assert_array_equal(plane.ravel()[index[i].numpy()], values[i].numpy())
        assert len(set(index[i].tolist())) == min(k, plane.size)


@settings(max_examples=40, deadline=None)
@given(
    x=st.floats(0, 63),
    y=st.floats(0, 47),
    sigma=st.floats(0.5, 5),
    peak=st.floats(1e-3, 200),
    noise=st.floats(0, 0.05),
    seed=st.integers(0, 1000),
)
def test_dark_paths_auto_and_whole_agree(x, y, sigma, peak, noise, seed) -> None:
    """The paths agree wherever the result of the path ``whole`` is well conditioned."""
    generator = torch.Generator().manual_seed(seed)
    maps = gaussians(torch.tensor([[[x, y]]]), 48, 64, sigma) * peak
    maps = maps + noise * peak * torch.randn(maps.shape, generator=generator)
    for name in ("dark", "dark-udp"):
        auto = MADE[name](maps).landmarks
        whole = MADE[f"{name}:path=whole"](maps).landmarks
        step = (whole - MADE["argmax"](maps).landmarks).abs().max()
        if step < 2:
            assert float((auto - whole).abs().max()) < 2e-3


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), scale=st.floats(0.01, 100))
def test_factor_on_the_map_moves_no_landmark(seed, scale) -> None:
    """These decoders read only ratios of values."""
    generator = torch.Generator().manual_seed(seed)
    centres = torch.rand(1, 4, 2, generator=generator, dtype=torch.float64) * 40 + 10
    maps = gaussians(centres, 60, 60, 2.0) + 0.05
    for name in ("argmax", "quarter-offset", "dark", "parabola", "face-alignment"):
        decoder = MADE[name]
        torch.testing.assert_close(decoder(maps * scale).landmarks, decoder(maps).landmarks, rtol=0, atol=2e-3)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), fit=st.sampled_from(["raw", "log"]))
def test_parabola_stays_within_half_a_pixel(seed, fit) -> None:
    generator = torch.Generator().manual_seed(seed)
    maps = torch.randn(2, 5, 12, 13, generator=generator)
    step = MADE[f"parabola:fit={fit}"](maps).landmarks - MADE["argmax"](maps).landmarks
    assert float(step.abs().max()) <= 0.5
