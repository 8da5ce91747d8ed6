"""The shapes of SimCC distributions."""

from __future__ import annotations

import pytest
import torch

from nmebench import decoders
from nmebench.decoders.errors import DecoderError


def test_simcc_refuses_distributions_without_bins() -> None:
    for shapes in (((1, 2, 0), (1, 2, 4)), ((1, 2, 4), (1, 2, 0)), ((1, 2, 4), (1, 3, 4)), ((1, 2, 4), (2, 4))):
        outputs = dict(zip(("simcc_x", "simcc_y"), map(torch.zeros, shapes), strict=True))
        with pytest.raises(DecoderError, match="has the shape"):
            decoders.create("simcc")(outputs)
    none = decoders.create("simcc")({"simcc_x": torch.zeros(2, 0, 4), "simcc_y": torch.zeros(2, 0, 3)})
    assert none.landmarks.shape == (2, 0, 2)
