"""The contract of data sets: it passes on ours, and each planted fault fails its own check."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any

import numpy as np
import pytest

from nmebench import datasets
from nmebench.contracts.dataset_contract import CHECKS, run_checks
from nmebench.datasets.dataset import Dataset
from nmebench.geometry.scheme import Scheme


def _failed(spec: str) -> dict[str, str]:
    return {result.check: result.detail for result in run_checks(spec) if result.outcome == "failed"}


def test_a_good_data_set_passes_every_check(tiny: Any) -> None:
    results = run_checks(f"wflw:{tiny.root}")
    assert [result.check for result in results] == list(CHECKS)
    assert {result.outcome for result in results} == {"passed"}


def _scheme(dataset: Dataset, flip: np.ndarray) -> Scheme:
    return replace(dataset.scheme, flip=flip)


SHIFTED = count()

FAULTS: dict[str, tuple[Callable[[Dataset], Dataset], str]] = {
    "two loads are equal": (
        lambda d: replace(d, landmarks=d.landmarks + next(SHIFTED)),
        "a second load gives other landmarks",
    ),
    "landmarks are finite": (
        lambda d: replace(d, landmarks=np.where(np.arange(98)[:, None] == 5, np.inf, d.landmarks)),
        "face 0 has a coordinate that is not finite (6 such faces)",
    ),
    "occlusion fits the landmarks": (
        lambda d: replace(d, occluded=np.zeros((6, 68), np.bool_)),
        "occluded is bool [6, 68], expected bool [6, 98]",
    ),
    "subsets are inside the set": (
        lambda d: replace(d, subsets={**d.subsets, "blur": d.subsets["blur"][1:]}),
        "subset blur is bool [5], expected bool [6]",
    ),
    "images are inside the folder": (
        lambda d: replace(d, images=(*d.images[:-1], "../outside.jpg")),
        "face 5: the image '../outside.jpg' is outside",
    ),
    "boxes are not empty": (
        lambda d: replace(d, landmarks=np.zeros_like(d.landmarks)),
        "the box 'landmarks' of this face is empty",
    ),
    "the normaliser is positive": (
        lambda d: replace(d, landmarks=np.where(np.isin(np.arange(98), [60, 72])[:, None], 7.0, d.landmarks)),
        "face 0: the inter-ocular length is 0",
    ),
    "the flip is an involution": (
        lambda d: replace(d, scheme=_scheme(d, np.roll(np.arange(98), 1))),
        "flipping twice doesn't restore the landmarks",
    ),
}


@pytest.mark.parametrize("check", CHECKS)
def test_each_fault_fails_its_check(tiny: Any, monkeypatch: pytest.MonkeyPatch, check: str) -> None:
    plant, message = FAULTS[check]
    good = datasets.load(f"wflw:{tiny.root}")
    monkeypatch.setattr(datasets, "load", lambda spec, **_: plant(good))
    assert message in _failed("wflw:planted")[check]


@pytest.mark.parametrize(
    ("plant", "message"),
    [
        (lambda d: replace(d, landmarks=d.landmarks[:, :97]), "expected [6, 98, 2]"),
        (lambda d: replace(d, landmarks=d.landmarks.astype(np.float32)), "landmarks are float32"),
        (lambda d: replace(d, landmarks=np.full_like(d.landmarks, np.nan)), "face 0 has no landmark with a position"),
        (
            lambda d: replace(d, landmarks=np.where([True, False], d.landmarks, np.nan)),
            "x and y of a landmark that is not labelled are both NaN",
        ),
        (
            lambda d: replace(
                d,
                landmarks=np.where(np.arange(98)[:, None] == 5, np.nan, d.landmarks),
                occluded=np.ones((6, 98), np.bool_),
            ),
            "a landmark without a position is marked as occluded",
        ),
        (lambda d: replace(d, subsets={"blur": d.subsets["blur"], **d.subsets}), "the first subset is ['blur']"),
        (lambda d: replace(d, subsets={"test": np.arange(6) > 0}), "subset test leaves faces out"),
        (lambda d: replace(d, images=(*d.images[:-1], "none.jpg")), "face 5: there is no file"),
    ],
    ids=["shape", "type", "no position", "half a position", "occluded", "order", "incomplete", "missing"],
)
def test_further_faults_are_found(tiny: Any, monkeypatch: pytest.MonkeyPatch, plant: Any, message: str) -> None:
    good = datasets.load(f"wflw:{tiny.root}")
    monkeypatch.setattr(datasets, "load", lambda spec, **_: plant(good))
    assert any(message in detail for detail in _failed("wflw:planted").values())


def test_an_order_that_changes_is_found(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    good = datasets.load(f"wflw:{tiny.root}")
    turned = replace(good, images=good.images[::-1])
    loads = iter([good, turned])
    monkeypatch.setattr(datasets, "load", lambda spec, **_: next(loads))
    assert "another order" in _failed("wflw:planted")["two loads are equal"]
