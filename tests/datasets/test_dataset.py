"""The faces of a dataset: limits and pickling."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from nmebench import datasets
from nmebench.errors import InputError


def test_limit_keeps_the_first_faces(tiny: Any) -> None:
    dataset = datasets.load(f"wflw:{tiny.root}", limit=2)
    assert len(dataset) == 2
    assert dataset.landmarks.shape == (2, 98, 2)
    assert dataset.rect is not None
    assert dataset.rect.shape == (2, 4)
    assert {name: mask.tolist() for name, mask in dataset.subsets.items()}["pose"] == [True, False]
    assert dataset.limited(99) is dataset
    with pytest.raises(InputError, match="limit of 0"):
        dataset.limited(0)


def test_dataset_is_picklable(tiny: Any) -> None:
    """Datasets are sent to worker processes."""
    dataset = datasets.load(f"wflw:{tiny.root}")
    copy = pickle.loads(pickle.dumps(dataset))
    np.testing.assert_array_equal(copy.landmarks, dataset.landmarks)
    assert copy.scheme.groups == dataset.scheme.groups
