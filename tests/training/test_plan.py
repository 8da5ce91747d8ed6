"""Steps and learning rates, compared with explicitly written schedules."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from nmebench.training import plan
from nmebench.training.loader import order
from nmebench.training.recipe import Recipe


def recipe(**more: Any) -> Recipe:
    return Recipe.model_validate(
        {
            "name": "x",
            "model": "heatmap-mobilenetv3",
            "train": {"source": "synthface", "seed": 1, "faces": 105},
            "stages": [{"epochs": 2, "size": 128, "batch": 10, "faces": 50, "lr": 1e-3}, {"epochs": 3, "batch": 20}],
            **more,
        }
    )


def test_steps_cover_every_epoch_in_whole_batches() -> None:
    steps = plan.steps(recipe())
    assert [s.number for s in steps] == list(range(2 * 5 + 3 * 5))
    assert [s.epoch for s in steps] == [0] * 5 + [1] * 5 + [2] * 5 + [3] * 5 + [4] * 5
    assert {(s.size, s.batch, s.faces) for s in steps[:10]} == {(128, 10, 50)}
    assert {(s.size, s.batch, s.faces) for s in steps[10:]} == {(256, 20, 105)}
    assert [s.first for s in steps[10:15]] == [0, 20, 40, 60, 80]
    assert [s.number for s in steps if s.last_of_epoch] == [4, 9, 14, 19, 24]


def test_an_epoch_sees_every_face_once_and_each_epoch_in_another_order() -> None:
    first, second = order(3, 0, 105), order(3, 1, 105)
    assert sorted(first.tolist()) == sorted(second.tolist()) == list(range(105))
    assert first.tolist() != second.tolist()
    assert first.tolist() == order(3, 0, 105).tolist()
    assert first.tolist() != order(4, 0, 105).tolist()


def test_the_step_schedule_warms_up_and_falls() -> None:
    made = recipe(optimiser={"schedule": "step", "milestones": [3, 4], "warmup_steps": 4, "warmup_ratio": 0.2})
    rates = [s.lr for s in plan.steps(made)]
    assert rates[:5] == pytest.approx([0.2e-3, 0.4e-3, 0.6e-3, 0.8e-3, 1e-3])
    assert rates[5:10] == pytest.approx([1e-3] * 5)
    assert rates[10:15] == pytest.approx([2e-3] * 5)
    assert rates[15:20] == pytest.approx([2e-4] * 5)
    assert rates[20:] == pytest.approx([2e-5] * 5)


def test_the_cosine_schedule_falls_to_its_end() -> None:
    made = recipe(optimiser={"schedule": "cosine", "final": 0.1, "warmup_steps": 0}, stages=[{"epochs": 3, "batch": 5}])
    rates = [s.lr for s in plan.steps(made)]
    assert rates[0] == pytest.approx(2e-3)
    assert rates[31] == pytest.approx(2e-3 * 0.55, rel=0.02)
    assert rates[-1] == pytest.approx(2e-4)
    assert all(a > b for a, b in pairwise(rates))


def test_a_restart_begins_the_schedule_anew_and_leaves_what_was_before_as_it_was() -> None:
    stages = [{"epochs": 3, "batch": 5}]
    optimiser = {"schedule": "cosine", "final": 0.1, "warmup_steps": 5, "hold": 0.5}
    once = plan.steps(recipe(optimiser=optimiser, stages=stages))
    twice = plan.steps(recipe(optimiser=optimiser, stages=[*stages, {"epochs": 2, "batch": 5, "restart": True}]))
    on = plan.steps(recipe(optimiser=optimiser, stages=[*stages, {"epochs": 2, "batch": 5}]))
    assert twice[: len(once)] == once
    assert [s.lr for s in on[: len(once)]] != [s.lr for s in once]
    rest = [s.lr for s in twice[len(once) :]]
    assert rest[:20] == pytest.approx([2e-3] * 20)
    assert rest[-1] == pytest.approx(2e-4)
    assert all(a >= b for a, b in pairwise(rest))
