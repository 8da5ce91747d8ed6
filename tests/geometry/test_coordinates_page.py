"""The statements of docs/coordinates.md: its examples, and the sampling positions that it gives."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from nmebench.geometry import Geometry
from nmebench.geometry.crop import crop
from nmebench.protocol import Flip
from nmebench.sweep import flip_test

PAGE = Path(__file__).parents[2] / "docs" / "coordinates.md"


def test_examples_of_the_page() -> None:
    blocks = re.findall(r"```pycon\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    test = doctest.DocTestParser().get_doctest("\n".join(blocks), {}, PAGE.name, str(PAGE), 0)
    assert len(test.examples) >= 15
    output: list[str] = []
    result = doctest.DocTestRunner().run(test, out=output.append)
    assert result.failed == 0, "".join(output)


@pytest.mark.parametrize(("sampling", "offset"), [("affine", 0.0), ("resize", 0.5)])
def test_pixels_are_sampled_where_the_page_says(sampling: str, offset: float) -> None:
    """On a ramp whose value is x, a crop's values are the sampled positions; here (s / W - 1) / 2 is 0.5."""
    ramp = np.repeat(np.tile(np.arange(200, dtype=np.uint8), (200, 1))[..., None], 3, axis=2)
    found = crop(ramp, (100, 100), (64, 64), (32, 32), sampling)[16, :, 0]
    formula = np.arange(32) * 64 / 32 + 100 - 64 / 2
    # uint8 rounds the half pixels of `resize`.
    np.testing.assert_allclose(found, formula + offset, atol=0.51 if offset else 0)


@pytest.mark.parametrize(("flip", "displacement"), [("flip", -0.75), ("flip+shift", 0.25), ("flip+align", 0.0)])
def test_flipped_stride_heatmaps_are_displaced_as_the_page_says(flip: Flip, displacement: float) -> None:
    at_input = np.array([[[145.0, 112.0]]])
    geometry = Geometry.of_input((256, 256), heatmap_size=(64, 64))
    x, y = geometry.input_to_heatmap(geometry.mirror(at_input, [0]))[0, 0]
    rows, columns = np.mgrid[:64, :64]
    heatmap = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 8)
    outputs = {"heatmaps": torch.tensor(heatmap[None, None])}
    back = flip_test.unflip(outputs, torch.tensor([0]), flip=flip, width=256)["heatmaps"][0, 0].numpy()
    centre = (back * columns).sum() / back.sum()
    assert centre == pytest.approx(36.25 + displacement, abs=1e-6)


def test_flipped_udp_heatmaps_are_exact() -> None:
    geometry = Geometry.of_input((256, 256), grid="udp", heatmap_size=(64, 64))
    plain = geometry.input_to_heatmap([[145.0, 112.0]])
    mirrored = geometry.input_to_heatmap([[255 - 145.0, 112.0]])
    assert 63 - mirrored[0, 0] == pytest.approx(plain[0, 0])


@pytest.mark.parametrize(("flip", "displacement"), [("flip", 1.0), ("flip+shift", 0.0), ("flip+align", 0.0)])
def test_flipped_landmarks_are_displaced_as_the_page_says(flip: Flip, displacement: float) -> None:
    mirrored = torch.tensor([[[255 - 145.0, 112.0]]])
    back = flip_test.unflip({"landmarks": mirrored}, torch.tensor([0]), flip=flip, width=256)["landmarks"]
    assert back[0, 0, 0].item() == 145.0 + displacement
