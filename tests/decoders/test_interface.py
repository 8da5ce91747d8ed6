"""Steps of all decoders: shapes, chunks of faces, undecodable landmarks, drawn and mirrored outputs."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
import torch

from nmebench import decoders
from nmebench.decoders.errors import DecoderError
from nmebench.decoders.interface import check_heatmaps, gaussians, mask_undecodable


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
    score = torch.tensor([1e-30, 0.0, -1.0, float("nan"), math.inf, -math.inf, 1.0])
    landmarks = torch.ones(7, 2, dtype=torch.float64)
    landmarks[6, 1] = math.inf
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


@pytest.mark.parametrize("name", ["argmax", "heatmap-offset", "simcc", "top-k"])
def test_ideal_outputs_have_sigma_2(name: str) -> None:
    decoder = decoders.create(name)
    centres = torch.tensor([[[20.25, 30.5]]])
    drawn, given = decoder.draw(centres, 64, 48), decoder.draw(centres, 64, 48, 2.0)
    assert set(drawn) == set(decoder.needs) == set(given)
    assert all(torch.equal(drawn[key], given[key]) for key in drawn)
    found = decoder(drawn).landmarks
    assert float((found - centres).norm()) <= decoder.bound
