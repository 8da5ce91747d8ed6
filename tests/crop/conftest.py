"""Faces without files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from harness.datasets.dataset import Dataset
from harness.scheme import load


@pytest.fixture
def faces() -> Callable[..., Dataset]:
    """A function from landmarks ``[N, 98, 2]`` (and boxes) to a dataset."""

    def make(landmarks: np.ndarray, rect: np.ndarray | None = None, centre_scale: np.ndarray | None = None) -> Dataset:
        count = len(landmarks)
        return Dataset(
            name="wflw",
            spec="wflw:nowhere",
            root=Path("nowhere"),
            format="official-list",
            scheme=load("wflw98"),
            images=("a.jpg",) * count,
            image_root=None,
            lines=np.arange(count) + 1,
            landmarks=landmarks,
            subsets={"test": np.ones(count, dtype=bool)},
            expected={"test": 2500},
            rect=rect,
            centre_scale=centre_scale,
            files=(),
        )

    return make
