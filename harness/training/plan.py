"""The optimiser steps of a recipe: sizes, batches and learning rates."""

from __future__ import annotations

import math
from typing import NamedTuple

from nmebench.training.recipe import Recipe

__all__ = ["Step", "rate", "steps"]


class Step(NamedTuple):
    """One optimiser step: faces ``first .. first + batch - 1`` of the epoch's order."""

    number: int
    stage: int
    epoch: int
    """Index over all stages, from 0."""
    first: int
    batch: int
    faces: int
    """Number of faces in the epoch's permutation."""
    size: int
    lr: float
    last_of_epoch: bool


def steps(recipe: Recipe) -> list[Step]:
    """Return all steps of a run in order. An incomplete last batch of an epoch is dropped."""
    shape: list[tuple[int, int, int, bool]] = []
    epoch = 0
    for number, stage in enumerate(recipe.stages):
        count = (stage.faces or recipe.train.faces) // stage.batch
        for _ in range(stage.epochs):
            shape += [(number, epoch, i, i == count - 1) for i in range(count)]
            epoch += 1
    # The schedule of a step spans the complete run, or the stages between two restarts.
    starts = [n for n, (index, *_) in enumerate(shape) if n == 0 or _restarts(recipe, index, shape[n - 1][0])]
    ends = [*starts[1:], len(shape)]
    plan = []
    for start, end in zip(starts, ends, strict=True):
        for number in range(start, end):
            index, epoch, i, last = shape[number]
            stage = recipe.stages[index]
            done = (number - start) / max(1, end - start - 1)
            lr = stage.lr * rate(recipe, number, epoch=epoch, done=done)
            faces = stage.faces or recipe.train.faces
            plan.append(Step(number, index, epoch, i * stage.batch, stage.batch, faces, stage.size, lr, last))
    return plan


def _restarts(recipe: Recipe, index: int, previous: int) -> bool:
    return index != previous and recipe.stages[index].restart


def rate(recipe: Recipe, step: int, *, epoch: int, done: float) -> float:
    """Factor of the stage's learning rate at a step; ``done`` is the completed fraction of the schedule, 0 to 1."""
    o = recipe.optimiser
    warm = 1.0
    if step < o.warmup_steps:
        # mmcv's linear warm-up: from the ratio at step 0 to 1 at `warmup_steps`.
        warm = 1 - (1 - step / o.warmup_steps) * (1 - o.warmup_ratio)
    if o.schedule == "step":
        return float(warm * o.gamma ** sum(epoch >= milestone for milestone in o.milestones))
    fallen = max(0.0, done - o.hold) / (1 - o.hold)
    return warm * (o.final + (1 - o.final) * 0.5 * (1 + math.cos(math.pi * fallen)))
