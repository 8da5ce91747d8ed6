"""Step detection: against a search of all segmentations, at planted steps, and on quiet series."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from nmebench.history.steps import NOISE_FLOOR, Segmentation, find_steps


def residuals(y, steps):
    return sum(((part - part.mean()) ** 2).sum() for part in np.split(y, list(steps)))


@pytest.mark.parametrize("seed", range(12))
def test_segmentation_is_the_best_of_all(seed):
    """The independent reference tries every position."""
    rng = np.random.default_rng(seed)
    y = rng.normal(0, 1, rng.integers(2, 11)) + rng.integers(0, 3)
    best = Segmentation(y)
    for count in range(len(y)):
        everything = [residuals(y, steps) for steps in combinations(range(1, len(y)), count)]
        assert residuals(y, best.steps(count)) == pytest.approx(min(everything), abs=1e-9)
        assert best.residuals(best.steps(count)) == pytest.approx(min(everything), abs=1e-9)


def test_numbers_of_steps_out_of_range():
    with pytest.raises(ValueError, match="must be from 0 to 2"):
        Segmentation([1.0, 2.0, 3.0]).steps(3)
    with pytest.raises(ValueError, match="finite"):
        find_steps([1.0, float("nan")])


@pytest.mark.parametrize("shift", [0.0, 1e4], ids=["small", "large-offset"])
@pytest.mark.parametrize("position", [1, 2, 15, 28, 29])
def test_a_step_of_code_is_found_wherever_it_is(position, shift):
    """With the same weights every value is exact, so one value behind the step is enough."""
    y = np.full(30, 4.0 + shift)
    y[position:] += 0.05
    (step,) = find_steps(y, series=42, noise=NOISE_FLOOR)
    assert (step.index, round(step.size, 9)) == (position, 0.05)


def test_two_commits_are_enough_for_exact_values():
    assert [s.index for s in find_steps([4.0, 4.02], noise=NOISE_FLOOR, series=378)] == [1]
    assert find_steps([4.0, 4.02]) == (), "but not where the noise is unknown"


@pytest.mark.parametrize("size", [0.01, -0.01, 0.002])
def test_steps_within_the_margin_are_left_out(size):
    y = np.repeat([4.0, 4.0 + size], 10)
    assert find_steps(y, noise=NOISE_FLOOR) == ()
    assert find_steps(np.repeat([4.0, 4.0 + 1.1 * 0.01], 10), noise=NOISE_FLOOR) != ()


def test_a_step_up_that_a_step_down_follows():
    """One split explains neither; the double maximum test sees both."""
    y = np.random.default_rng(0).normal(4, 0.01, 30)
    y[10:20] += 0.1
    assert [s.index for s in find_steps(y)] == [10, 20]


def test_many_steps():
    levels = np.repeat([4.0, 4.1, 4.0, 4.2, 4.05, 4.3, 4.1, 4.0], 6)
    y = levels + np.random.default_rng(1).normal(0, 0.005, len(levels))
    assert [s.index for s in find_steps(y, series=42)] == [6, 12, 18, 24, 30, 36, 42]


@pytest.mark.parametrize("y", [[], [4.0], [4.0] * 30, [4.0, 4.0]], ids=["none", "one", "constant", "two"])
def test_series_without_a_step(y):
    assert find_steps(y) == ()
    assert find_steps(y, noise=NOISE_FLOOR) == ()


def test_quiet_series_have_fewer_steps_than_the_level():
    """The bound is conservative: 1000 quiet series at the level 0.05 show far fewer than 50 steps, but not none."""
    rng = np.random.default_rng(5)
    found = sum(bool(find_steps(rng.normal(4, 0.02, 30), level=0.05)) for _ in range(1000))
    assert 0 < found < 30


def test_correction_for_the_number_of_series():
    rng = np.random.default_rng(5)
    wrong = [y for y in (rng.normal(4, 0.02, 30) for _ in range(1000)) if find_steps(y, level=0.05)]
    assert not any(find_steps(y, level=0.05, series=1000) for y in wrong)
