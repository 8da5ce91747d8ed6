"""What every test may use."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from mmpose_peer import allow_import

from nmebench.datasets.dataset import Dataset
from nmebench.geometry.scheme import load

# A gate must not fail by the luck of a draw; HYPOTHESIS_PROFILE=default draws anew on every run.
hypothesis.settings.register_profile("repeatable", derandomize=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The developers' folder of reference material beside the checkout; tests that want it skip without it."""
    folder = ROOT.parent / "shared"
    if not (folder / "oracle").is_dir():
        pytest.skip("the reference material beside the checkout (../shared) is not here")
    return folder


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


@pytest.fixture(scope="session")
def mmdet_stand_in() -> None:
    """Makes ``mmpose.models`` importable where mmpose is installed."""
    allow_import()
