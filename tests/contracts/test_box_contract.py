"""The contract of box rules: it passes on ours, and each planted fault fails its own check."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, ClassVar

import numpy as np
import pytest

from nmebench import boxes
from nmebench.boxes.box_rule import Boxes
from nmebench.boxes.landmarks import LandmarksBox
from nmebench.contracts.box_contract import CHECKS, run_checks
from nmebench.datasets.dataset import Dataset
from nmebench.errors import InputError

CALLS = count(1)

FAULTS: dict[str, tuple[Callable[[Boxes], Boxes], str]] = {
    "one box per face": (lambda b: replace(b, centre=b.centre[1:]), "must be [6, 2]"),
    "boxes are not empty": (lambda b: replace(b, size=b.size * [1, 0]), "the box of face 0 is empty"),
    "two calls are equal": (lambda b: replace(b, centre=b.centre + next(CALLS)), "two calls give different boxes"),
    "the source is named": (lambda b: replace(b, source=""), "source and summary must say"),
    "padding grows the box": (lambda b: replace(b, size=b.size / b.padding), "1.000 to 1.000 times as long"),
}


@dataclass(frozen=True)
class Planted(LandmarksBox):
    """The rule ``landmarks`` with a fault."""

    fault: ClassVar[Callable[[Boxes], Boxes]] = staticmethod(lambda found: found)

    def __call__(self, dataset: Dataset) -> Boxes:
        return type(self).fault(super().__call__(dataset))


@pytest.fixture
def spec(tmp_path: Any) -> str:
    """Six faces of five points; only the landmarks matter."""
    points = np.random.default_rng(3).uniform(10, 90, (6, 98, 2))
    np.savez(tmp_path / "truth.npz", landmarks=points)
    return f"landmarks:{tmp_path / 'truth.npz'}"


@pytest.mark.parametrize("name", ["landmarks", "pfld", "h3r-landmarks"])
def test_our_rules_pass(spec: str, name: str) -> None:
    results = run_checks(name, spec)
    assert [result.check for result in results] == list(CHECKS)
    assert {result.outcome for result in results} == {"passed"}


@pytest.mark.parametrize("check", CHECKS)
def test_each_fault_fails_its_check(spec: str, monkeypatch: pytest.MonkeyPatch, check: str) -> None:
    fault, message = FAULTS[check]
    monkeypatch.setattr(Planted, "fault", staticmethod(fault))
    monkeypatch.setattr(boxes, "create", lambda name, padding=None: Planted(padding or 1.25))
    failed = {result.check: result.detail for result in run_checks("planted", spec) if result.outcome == "failed"}
    assert message in failed[check]


def test_a_rule_without_its_data_is_one_line(spec: str) -> None:
    with pytest.raises(InputError, match="the box 'rect' needs a rectangle"):
        run_checks("rect", spec)
