"""Disagreements between code bases about decoders of the same name; each has a test named after it."""

from __future__ import annotations

import pytest
import torch

from nmebench import decoders
from nmebench.decoders.blur import Blur
from nmebench.decoders.interface import gaussians
from nmebench.protocol import Chain


def decode_one(spec: str, maps: torch.Tensor) -> list[float]:
    """(x, y) of the first landmark, heatmap px."""
    return decoders.from_spec(spec)(maps).landmarks[0, 0].tolist()


def spike(x: int, y: int, height: int = 64, width: int = 64) -> torch.Tensor:
    """A map with a peak at (x, y); its right and lower neighbours are larger than the left and upper ones."""
    maps = torch.zeros(1, 1, height + 2, width + 2)
    maps[0, 0, y + 1, x + 1] = 1.0
    maps[0, 0, y + 1, x + 2] = maps[0, 0, y + 2, x + 1] = 0.5
    return maps[:, :, 1:-1, 1:-1].contiguous()


@pytest.mark.parametrize(
    ("at", "mmpose1", "mmpose0", "hrnet"),
    [
        pytest.param((20, 20), (0.25, 0.25), (0.25, 0.25), (0.25, 0.25), id="inside"),
        pytest.param((0, 20), (0, 0), (0, 0), (0, 0), id="x=0"),
        pytest.param((1, 20), (0, 0.25), (0, 0), (0.25, 0.25), id="x=1"),
        pytest.param((2, 20), (0.25, 0.25), (0.25, 0.25), (0.25, 0.25), id="x=2"),
        pytest.param((62, 20), (0.25, 0.25), (0.25, 0.25), (0.25, 0.25), id="x=W-2"),
        pytest.param((63, 20), (0, 0.25), (0, 0), (0, 0), id="x=W-1"),
        pytest.param((20, 0), (0, 0), (0, 0), (0, 0), id="y=0"),
        pytest.param((20, 1), (0.25, 0), (0, 0), (0.25, 0.25), id="y=1"),
        pytest.param((20, 63), (0.25, 0), (0, 0), (0, 0), id="y=H-1"),
        pytest.param((1, 1), (0, 0), (0, 0), (0.25, 0.25), id="corner"),
    ],
)
def test_quarter_offset_border_rules_of_mmpose1_mmpose0_and_hrnet_differ(at, mmpose1, mmpose0, hrnet) -> None:
    maps = spike(*at)
    for rule, step in (("mmpose1", mmpose1), ("mmpose0", mmpose0), ("hrnet", hrnet)):
        assert decode_one(f"quarter-offset:rule={rule}", maps) == [at[0] + step[0], at[1] + step[1]], rule


def test_quarter_offset_of_mmpose_treats_left_and_right_border_differently() -> None:
    """1 < x < W - 1 skips two columns on the left and one on the right; the official rule is symmetric."""
    left, right = spike(1, 20), spike(1, 20).flip(-1)
    assert decode_one("quarter-offset", left)[0] == 1.0
    assert decode_one("quarter-offset", right)[0] == 61.75
    assert decode_one("official-hrnet", left)[0] == 1.25
    assert decode_one("official-hrnet", right)[0] == 61.75


def test_dark_skips_two_pixels_at_every_border_where_dark_udp_refines_all() -> None:
    for x in (0, 1, 2, 61, 62, 63):
        maps = gaussians(torch.tensor([[[x + (0.2 if x < 32 else -0.2), 30.0]]]), 64, 64, 2.0)
        refined = decode_one("dark", maps)[0] != x
        assert refined == (2 <= x <= 61)
        assert decode_one("dark-udp", maps)[0] != x


def test_dark_udp_moves_half_a_pixel_beyond_the_right_border() -> None:
    """The edge padding makes the Hessian a saddle there, so the step points away from the peak."""
    maps = gaussians(torch.tensor([[[62.8, 30.0]]]), 64, 64, 2.0)
    assert decode_one("dark-udp", maps)[0] == pytest.approx(63.5, abs=0.01)
    assert decode_one("dark", maps)[0] == 63.0


@pytest.mark.parametrize("value", [0.0, -0.3])
def test_empty_map_is_minus_one_as_in_mmpose_not_zero_as_in_darkpose_nor_nan_as_in_dark_udp(value) -> None:
    maps = torch.full((1, 1, 16, 16), value)
    for name in (
        "argmax",
        "quarter-offset",
        "dark",
        "dark-udp",
        "face-alignment",
        "soft-argmax",
        "barycentre",
        "top-k",
    ):
        decoded = decoders.create(name)(maps)
        assert decoded.landmarks[0, 0].tolist() == [-1, -1], name
        assert decoded.counts["empty"] == 1, name


def test_negative_logits_are_empty_for_every_decoder_even_soft_argmax() -> None:
    """An integral network's logits may all be negative; a map without a positive value is empty here."""
    maps = gaussians(torch.tensor([[[5.0, 6.0]]]), 16, 16, 2.0) - 2
    assert decode_one("soft-argmax", maps) == [-1, -1]
    assert decode_one("soft-argmax", maps + 2) != [-1, -1]


def test_simcc_empty_is_minus_one_where_mmpose_divides_it_by_the_split() -> None:
    outputs = {"simcc_x": torch.zeros(1, 1, 32), "simcc_y": torch.zeros(1, 1, 32)}
    assert decoders.create("simcc")(outputs).landmarks[0, 0].tolist() == [-1, -1]


def test_constant_map_gives_the_first_pixel_the_middle_or_half_a_pixel_outside() -> None:
    maps = torch.full((1, 1, 16, 20), 0.5)
    assert decode_one("argmax", maps) == [0, 0]
    assert decode_one("dark", maps) == [0, 0]
    assert decode_one("soft-argmax", maps) == [9.5, 7.5]
    assert decode_one("barycentre", maps) == pytest.approx([9.5, 7.5])
    assert decode_one("barycentre:form=ldeq", maps) == [9.5, 7.5]
    assert decode_one("dark-udp", maps) == pytest.approx([-0.5, -0.5], abs=1e-5)


def test_half_pixel_is_added_by_fan_everywhere_and_by_megvii_only_inside() -> None:
    inside, border = spike(20, 20), spike(1, 20)
    assert decode_one("face-alignment", inside) == [20.75, 20.75]
    assert decode_one("face-alignment", border) == [1.75, 20.75]
    blob = gaussians(torch.tensor([[[20.2, 20.2]]]), 64, 64, 2.0)
    assert decode_one("mmpose-megvii", blob) == [20.75, 20.75]
    assert decode_one("mmpose-megvii", gaussians(torch.tensor([[[1.2, 20.2]]]), 64, 64, 0.6))[0] in {
        1.0,
        2.0,
        2.25,
        2.75,
    }
    assert decode_one("mmpose-megvii", gaussians(torch.tensor([[[0.0, 20.2]]]), 64, 64, 0.6))[1] == 20.0
    assert decode_one("quarter-offset", inside) == [20.25, 20.25]


def test_official_hrnet_and_the_hrnet_rule_differ_only_in_the_chain() -> None:
    maps = spike(20, 30)
    assert decode_one("official-hrnet", maps) == decode_one("quarter-offset:rule=hrnet", maps)
    assert decoders.create("official-hrnet").chain == Chain("official-hrnet", None)
    assert decoders.create("quarter-offset", rule="hrnet").chain is None


def test_mmpose_udp_and_dark_udp_differ_only_in_the_chain() -> None:
    maps = gaussians(torch.tensor([[[20.3, 30.2]]]), 64, 64, 2.0)
    assert decode_one("mmpose-udp", maps) == decode_one("dark-udp", maps)
    assert decoders.create("mmpose-udp").chain == Chain("mmpose-udp", "udp")
    assert decoders.create("dark-udp").chain is None


def test_only_presets_have_a_chain() -> None:
    presets = {name for name in decoders.names() if decoders.describe(name).chain is not None}
    assert presets == {"mmpose-udp", "mmpose-megvii", "face-alignment", "official-hrnet"}


def test_fan_uses_the_size_of_the_map_where_the_package_always_uses_63() -> None:
    assert decode_one("face-alignment", spike(100, 20, 128, 128)) == [100.75, 20.75]
    assert decode_one("face-alignment", spike(31, 20, 32, 32)) == [31.5, 20.5]


def test_kernel_up_to_size_9_is_opencvs_table_not_the_sigma_of_the_formula() -> None:
    """Size 3 is 1/4, 1/2, 1/4; the formula's sigma of 0.8 would give 0.239, 0.522, 0.239."""
    assert Blur(3).kernel.tolist() == [0.25, 0.5, 0.25]
    assert Blur(3, 0.8).kernel.tolist() == pytest.approx([0.2390, 0.5220, 0.2390], abs=1e-4)
    assert Blur(9).kernel[4] == 60 / 256
    torch.testing.assert_close(Blur(11).kernel, Blur(11, 2.0).kernel)
    torch.testing.assert_close(Blur(17).kernel, Blur(17, 2.9).kernel)


def test_larger_dark_kernels_have_larger_errors_near_a_border() -> None:
    errors = []
    for kernel in (3, 7, 11, 17):
        maps = gaussians(torch.tensor([[[3.4, 30.0]]]), 64, 64, 2.0)
        errors.append(abs(decode_one(f"dark:kernel={kernel}", maps)[0] - 3.4))
    assert errors == sorted(errors)
    assert errors[-1] > 3 * errors[0]


def test_dark_sigma_option_equals_the_kernel_option_for_opencvs_pairs() -> None:
    maps = gaussians(torch.tensor([[[20.3, 30.2]]]), 64, 64, 2.0) + 0.01
    assert decode_one("dark:sigma=2", maps) == decode_one("dark", maps)
    assert decode_one("dark:sigma=2.9", maps) == pytest.approx(decode_one("dark:kernel=17", maps), abs=1e-5)
    assert decode_one("dark:sigma=2.9", maps) != decode_one("dark", maps)


def test_dark_step_is_counted_and_only_bounded_by_max_step() -> None:
    """A single high pixel beside a wide peak: the step moves more than a pixel towards the wide peak."""
    maps = gaussians(torch.tensor([[[30.0, 30.0]]]), 64, 64, 4.0)
    maps[0, 0, 30, 26] = 1.2
    unbounded, bounded = decoders.create("dark")(maps), decoders.create("dark", max_step=0.5)(maps)
    assert float((unbounded.landmarks - torch.tensor([26.0, 30.0])).abs().max()) > 1
    assert unbounded.counts["steps_over_1px"] == bounded.counts["steps_over_1px"] == 1
    assert bounded.landmarks[0, 0].tolist() == pytest.approx([26.5, 30.0], abs=1e-3)


def test_dark_path_local_differs_from_mmpose_where_values_are_clamped_and_auto_does_not() -> None:
    """Under a small kernel the second neighbours of a single pixel are 0, clamped to 1e-10, so rescaling matters."""
    maps = torch.zeros(1, 1, 32, 32)
    maps[0, 0, 15, 15], maps[0, 0, 15, 16] = 1.0, 0.3
    whole, auto, local = (decoders.create("dark", kernel=3, path=path)(maps) for path in ("whole", "auto", "local"))
    torch.testing.assert_close(auto.landmarks, whole.landmarks, rtol=0, atol=1e-6)
    assert auto.counts["whole_map"] == 1
    assert local.counts["whole_map"] == 0
    assert float((local.landmarks - whole.landmarks).abs().max()) > 1e-3


def test_dark_udp_clamps_at_50_so_maps_of_scale_255_lose_their_peak() -> None:
    maps = gaussians(torch.tensor([[[20.3, 30.2]]]), 64, 64, 2.0)
    assert decode_one("dark-udp", maps) == pytest.approx([20.3, 30.2], abs=0.005)
    assert decode_one("dark-udp", maps * 255) == [20.0, 30.0]
    assert decode_one("dark", maps * 255) == pytest.approx([20.3, 30.2], abs=0.005)


def test_dark_udp_is_not_flip_symmetric_because_its_mixed_derivative_reads_one_diagonal() -> None:
    generator = torch.Generator().manual_seed(3)
    maps = gaussians(torch.tensor([[[30.3, 30.2]]]), 64, 64, 2.0) + 0.05 * torch.randn(
        1, 1, 64, 64, generator=generator
    )
    for name, symmetric in (("dark", True), ("dark-udp", False)):
        plain, mirrored = decode_one(name, maps), decode_one(name, maps.flip(-1))
        assert (abs(plain[0] - (63 - mirrored[0])) < 1e-4) is symmetric


def test_soft_argmax_is_ldeqs_exponential_barycentre() -> None:
    generator = torch.Generator().manual_seed(3)
    maps = torch.rand(1, 1, 12, 17, generator=generator)
    weights = torch.exp(7.0 * (maps - maps.amax(dim=(2, 3), keepdim=True)))[0, 0]
    x = float((weights.sum(0) * torch.arange(17)).sum() / weights.sum())
    y = float((weights.sum(1) * torch.arange(12)).sum() / weights.sum())
    assert decode_one("soft-argmax:temperature=7", maps) == pytest.approx([x, y], abs=1e-4)


def test_equal_maxima_give_the_first_in_row_order() -> None:
    maps = torch.zeros(1, 1, 8, 8)
    maps[0, 0, 2, 6] = maps[0, 0, 5, 1] = maps[0, 0, 2, 3] = 0.7
    assert decode_one("argmax", maps) == [3, 2]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_nan_and_infinity_give_minus_one_and_are_counted(value) -> None:
    maps = gaussians(torch.tensor([[[20.3, 30.2]]]), 64, 64, 2.0)
    maps[0, 0, 50, 60] = value
    for name in ("argmax", "quarter-offset", "dark", "soft-argmax", "barycentre", "top-k", "mmpose-megvii"):
        decoded = decoders.create(name)(maps)
        assert decoded.landmarks[0, 0].tolist() == [-1, -1], name
        assert decoded.scores[0, 0] == 0, name
        assert decoded.counts == {**decoded.counts, "invalid": 1, "empty": 0}, name
