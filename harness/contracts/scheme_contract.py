"""The contract of landmark schemes: checks for every scheme, run by tests and by ``nmebench contract scheme``."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import numpy as np

from nmebench.contracts.result import CheckFailedError, ContractResult, run
from nmebench.geometry import own_scheme
from nmebench.geometry.scheme import Scheme, build, normaliser

__all__ = ["CHECKS", "run_checks"]


def run_checks(text: str) -> list[ContractResult]:
    """Run every check on a landmark scheme.

    Args:
        text: name of the scheme, or its TOML file.

    Returns:
        One result per check, in the order of :data:`CHECKS`.

    Raises:
        InputError: the scheme is unknown, or its file is wrong.
    """
    return run(CHECKS, own_scheme.find(text))


def _flip_involution(scheme: Scheme) -> str:
    flip = scheme.flip
    if flip.shape != (scheme.points,) or not np.array_equal(flip[flip], np.arange(scheme.points)):
        raise CheckFailedError("flipping twice doesn't restore the landmarks")
    return f"{int((flip != np.arange(len(flip))).sum()) // 2} pairs, {int((flip == np.arange(len(flip))).sum())} fixed"


def _flip_exchanges(scheme: Scheme) -> str:
    """A table without pairs passes every other check, but its flip test mixes left and right."""
    if scheme.points > 1 and np.array_equal(scheme.flip, np.arange(scheme.points)):
        raise CheckFailedError("no landmarks are exchanged: those of the left and of the right side are pairs")
    return "left and right"


def _groups_partition(scheme: Scheme) -> str:
    members = sorted(point for group in scheme.groups.values() for point in group)
    if members != list(range(scheme.points)):
        raise CheckFailedError(f"the groups are not a partition of the {scheme.points} landmarks")
    return f"{len(scheme.groups)} groups of {scheme.points} landmarks"


def _normalisers_mirror(scheme: Scheme) -> str:
    """A mirrored face must have the same normalisers: its error would change otherwise."""
    face = np.random.default_rng(0).uniform(10, 90, (1, scheme.points, 2))
    mirrored = (face * [-1, 1] + [100, 0])[:, scheme.flip]
    names = [name for name, rule in scheme.normalisers.items() if not rule.annotated]
    for name in names:
        lengths = [float(normaliser(scheme, one, name)[0]) for one in (face, mirrored)]
        if not math.isclose(lengths[0], lengths[1], rel_tol=1e-9):
            raise CheckFailedError(
                f"{name} is {lengths[0]:.2f} px on a face and {lengths[1]:.2f} px on its mirror image: a flip pair or "
                "the normaliser's landmarks are wrong"
            )
        if not lengths[0] > 0:
            raise CheckFailedError(f"{name} is 0 on any face: its ends are the same landmarks")
    return ", ".join(names) or "all need the annotated box"


def _written_and_read(scheme: Scheme) -> str:
    again = build(own_scheme.table(scheme), scheme.name)
    same = (
        np.array_equal(again.flip, scheme.flip)
        and again.groups == dict(scheme.groups)
        and again.normalisers == dict(scheme.normalisers)
        and again.default_normaliser == scheme.default_normaliser
    )
    if not same:
        raise CheckFailedError("it changes when it is written as a TOML table and read back")
    return f"default {scheme.default_normaliser}"


CHECKS: Final[Mapping[str, Callable[[Scheme], str]]] = MappingProxyType(
    {
        "the flip is an involution": _flip_involution,
        "the flip exchanges landmarks": _flip_exchanges,
        "the groups are a partition": _groups_partition,
        "mirrored faces have the same normalisers": _normalisers_mirror,
        "a written copy is equal": _written_and_read,
    }
)
