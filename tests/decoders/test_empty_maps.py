"""The rule for empty maps: it belongs to the network, and presets keep that of their code base."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nmebench import decoders
from nmebench.decoders.interface import Decoder, gaussians

RULES = [name for name in decoders.names() if decoders.describe(name).chain is None]
PRESETS = [name for name in decoders.names() if decoders.describe(name).chain is not None]


def outputs(decoder: Decoder, level: float) -> dict[str, torch.Tensor]:
    """Ideal outputs for three landmarks, lowered by ``level``."""
    centres = torch.tensor([[[20.0, 30.0], [41.25, 17.5], [33.0, 40.75]]])
    drawn = decoder.draw(centres, 64, 64)
    return {name: value if name == "offsets" else value - level for name, value in drawn.items()}


@pytest.mark.parametrize("name", RULES)
def test_the_rule_of_the_network_decides_which_maps_are_empty(name: str) -> None:
    """Peaks are 1 or less; lowered by 1.5, every map is empty by mmpose's rule and none by ``never``."""
    decoder = decoders.create(name)
    lowered = outputs(decoder, 1.5)
    default, never = decoder(lowered), decoder.for_network(largest_empty=-np.inf)(lowered)
    assert default.counts["empty"] == 3
    assert bool((default.landmarks == -1).all())
    assert never.counts["empty"] == never.counts["invalid"] == 0
    assert bool(torch.isfinite(never.landmarks).all())
    assert decoder.largest_empty == 0


@pytest.mark.parametrize("name", ["argmax", "quarter-offset", "soft-argmax", "heatmap-offset", "simcc"])
def test_decoders_that_add_a_constant_find_the_same_landmarks_on_lowered_maps(name: str) -> None:
    decoder = decoders.create(name)
    found = decoder.for_network(largest_empty=-np.inf)(outputs(decoder, 1.5)).landmarks
    torch.testing.assert_close(found, decoder(outputs(decoder, 0.0)).landmarks, rtol=0, atol=1e-3)


def test_a_threshold_above_zero_empties_weak_maps() -> None:
    maps = torch.stack([0.04 * gaussians(torch.tensor([[[9.0, 8.0]]]), 20, 20, 2.0)[0, 0], torch.full((20, 20), 0.06)])
    decoded = decoders.create("argmax").for_network(largest_empty=0.05)(maps[None])
    assert decoded.counts["empty"] == 1
    assert decoded.landmarks[0].tolist() == [[-1, -1], [0, 0]]


@pytest.mark.parametrize("name", PRESETS)
def test_presets_keep_the_rule_of_their_code_base(name: str) -> None:
    decoder = decoders.create(name)
    assert decoder.for_network(largest_empty=-np.inf) is decoder


@pytest.mark.parametrize("name", RULES)
def test_a_map_of_minus_infinity_has_no_landmark_by_any_rule(name: str) -> None:
    decoder = decoders.create(name).for_network(largest_empty=-np.inf)
    drawn = outputs(decoder, 0.0)
    decoded = decoder({name: torch.full_like(value, -torch.inf) for name, value in drawn.items()})
    assert bool((decoded.landmarks == -1).all())


def test_top_k_logits_equals_a_naive_reference() -> None:
    logits = 3 * torch.randn(2, 4, 24, 20, generator=torch.Generator().manual_seed(0)) - 12
    found = decoders.create("top-k-logits").for_network(largest_empty=-np.inf)({"logits": logits})
    for face, point in np.ndindex(2, 4):
        pixels = sorted(((float(v), i) for i, v in enumerate(logits[face, point].ravel())), reverse=True)[:9]
        weights = np.exp([value - pixels[0][0] for value, _ in pixels])
        x = np.average([index % 20 for _, index in pixels], weights=weights)
        y = np.average([index // 20 for _, index in pixels], weights=weights)
        np.testing.assert_allclose(found.landmarks[face, point], [x, y], rtol=0, atol=1e-5)
        assert found.scores[face, point] == pytest.approx(pixels[0][0])
