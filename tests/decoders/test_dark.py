"""The kernel of DARK for a sigma, and the count of long steps of DARK and its relatives."""

from __future__ import annotations

import pytest
import torch

from nmebench import decoders
from nmebench.decoders.dark import kernel_for


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
