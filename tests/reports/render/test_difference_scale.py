"""The scale of difference plots."""

from __future__ import annotations

import pytest

from nmebench.reports.render.difference_scale import DifferenceScale


@pytest.mark.parametrize(
    ("ends", "reach"),
    [
        pytest.param([-0.3, 0.1, 0.45], 0.5, id="all inside"),
        pytest.param([0.1, 0.2, 0.3, 5e5], 1.0, id="an outlier is outside"),
        pytest.param([float("nan")], 0.01, id="nothing known"),
        pytest.param([0.0, 0.0], 0.01, id="no difference"),
    ],
)
def test_scale_holds_the_intervals(ends: list[float], reach: float) -> None:
    scale = DifferenceScale.of(ends)
    assert scale.reach == reach
    assert scale.position(0) == 50
    assert scale.position(-2 * reach) == 0
    assert scale.position(reach / 2) == 75
    assert scale.outside(1.01 * reach)
    assert not scale.outside(reach)
