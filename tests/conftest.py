"""What every test may use."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import hypothesis
import numpy as np
import pytest

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
    """Lets ``mmpose.models`` be imported, where mmpose is installed.

    It imports names of mmdet and of mmcv's compiled operators that the face models never call: those get an empty
    stand-in, for otherwise mmdet and a build of mmcv would be needed to flip a heatmap.
    """
    _stand_in("mmdet")
    _stand_in("mmdet.utils", ConfigType=dict, reduce_mean=None)
    _stand_in("mmcv.ops", MultiScaleDeformableAttention=object)


def _stand_in(name: str, **members: object) -> None:
    try:
        __import__(name)
    except ImportError:
        module = ModuleType(name)
        module.__dict__.update(members, __path__=[])
        sys.modules[name] = module
