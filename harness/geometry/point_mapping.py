"""Point mappings: the landmarks of one scheme from those of another.

With a mapping, a network of one scheme is measured on a data set of another. Each mapping is a TOML file in
``harness/geometry/mappings/``, named ``FROM-to-TO``. A mapping is complete: every landmark of the data set has a value,
because a part of the landmarks gives another number than all of them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from nmebench.errors import InputError
from nmebench.field_problem import problems
from nmebench.geometry import scheme as schemes
from nmebench.geometry.mapping_table import MappingTable, Part
from nmebench.geometry.scheme import Scheme
from nmebench.registry import Registry

__all__ = ["REGISTRY", "PointMapping", "between", "build", "find", "load", "names"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class PointMapping:
    """Every landmark of the scheme ``target`` as a weighted mean of landmarks of the scheme ``origin``."""

    origin: Scheme
    """The scheme of the network, S landmarks."""
    target: Scheme
    """The scheme of the data set, T landmarks."""
    x: Array
    """``[T, S]``: weights of the x coordinates; each row adds up to 1, so that a mapped face moves with the face."""
    y: Array
    """``[T, S]``: weights of the y coordinates."""
    source: str
    """The publication or code that defines the mapping."""

    @property
    def name(self) -> str:
        """``wflw98-to-ibug68``: the name in the registry."""
        return f"{self.origin.name}-to-{self.target.name}"

    @property
    def label(self) -> str:
        """``wflw98 -> ibug68``: the words that name it beside a number."""
        return f"{self.origin.name} -> {self.target.name}"

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the two schemes' names and of all weights, for cache keys and records."""
        content = {"from": self.origin.name, "to": self.target.name, "x": self.x.tolist(), "y": self.y.tolist()}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    @property
    def commutes_with_flip(self) -> bool:
        """True if mapping a mirrored face gives the mirror image of the mapped face, for every face."""
        rows, columns = self.target.flip, self.origin.flip
        return all(np.allclose(w, w[rows][:, columns], rtol=0, atol=1e-12) for w in (self.x, self.y))

    def landmarks(self, landmarks: NDArray[np.floating]) -> Array:
        """Map landmarks.

        Args:
            landmarks: ``[N, S, 2]`` of the network's scheme, in any px.

        Returns:
            ``[N, T, 2]`` float64 in the same px.

        Example:
            >>> face = np.zeros((1, 98, 2))
            >>> face[0, 61], face[0, 62] = (10.0, 20.0), (13.0, 17.0)  # lid of the right eye
            >>> find("wflw98", "ibug68").landmarks(face)[0, 37].round(6).tolist()
            [11.0, 19.0]
        """
        points = np.asarray(landmarks, np.float64)
        return np.stack([_weighted(self.x, points[..., 0]), _weighted(self.y, points[..., 1])], axis=-1)

    def confidence(self, confidence: NDArray[np.floating]) -> Array:
        """Map the confidence of landmarks, ``[N, S]`` to ``[N, T]``: the weighted mean, averaged over both axes."""
        values = np.asarray(confidence, np.float64)
        return (_weighted(self.x, values) + _weighted(self.y, values)) / 2


def _weighted(weights: Array, values: Array) -> Array:
    """The weighted sums ``[N, T]`` of ``values`` ``[N, S]``.

    Only landmarks with a weight are read, in their order: no other landmark can reach a sum, and the bytes don't depend
    on the batch, as those of a matrix product do.
    """
    order = np.argsort(weights == 0, axis=1, kind="stable")[:, : int((weights != 0).sum(axis=1).max())]
    chosen = np.take_along_axis(weights, order, axis=1)
    order = np.where(chosen == 0, order[:, :1], order)  # a weight of 0 on a landmark that is read anyway
    total = np.zeros((*values.shape[:-1], len(weights)))
    for part in range(order.shape[1]):
        total += chosen[:, part] * values[..., order[:, part]]
    return total


REGISTRY = Registry(
    "point mapping",
    {
        "wflw98-to-ibug68": "nmebench.geometry.shipped_mappings:WFLW98_TO_IBUG68",
        "lapa106-to-wflw98": "nmebench.geometry.shipped_mappings:LAPA106_TO_WFLW98",
    },
    group="nmebench.mappings",
)
"""Shipped mappings and those of other distributions, whose entry points name a :class:`PointMapping`."""


def names() -> tuple[str, ...]:
    """Return the names of all mappings.

    Example:
        >>> names()
        ('wflw98-to-ibug68', 'lapa106-to-wflw98')
    """
    return tuple(REGISTRY.names())


def between(origin: Scheme, target: Scheme) -> PointMapping | None:
    """Return the mapping from one scheme to another; None if there is none, or if a scheme only shares its name.

    Raises:
        InputError: see :func:`find`.
    """
    found = find(origin.name, target.name)
    if found is None or not (_is_same(found.origin, origin) and _is_same(found.target, target)):
        return None
    return found


def _is_same(known: Scheme, given: Scheme) -> bool:
    return known.points == given.points and known.groups == given.groups and np.array_equal(known.flip, given.flip)


def find(origin: str, target: str) -> PointMapping | None:
    """Return the mapping between two schemes by their names; None if there is none.

    Raises:
        InputError: two distributions register it, or it can't be loaded.

    Example:
        >>> find("wflw98", "ibug68").source.split(" of ")[-1]
        'jhb86253817/PIPNet (Jin et al., IJCV 2021)'
        >>> find("wflw98", "lapa106") is None  # published, but without 8 of its landmarks
        True
    """
    name = f"{origin}-to-{target}"
    return load(name) if name in REGISTRY else None


def load(name: str) -> PointMapping:
    """Return a mapping by its name, ``FROM-to-TO``.

    Raises:
        InputError: the name is unknown, two distributions register it, or its entry point names something else.
    """
    mapping = REGISTRY.load(name).value
    if not isinstance(mapping, PointMapping) or mapping.name != name:
        raise InputError(f"point mapping {name!r}: its entry point names no PointMapping of this name")
    return mapping


def build(table: Mapping[str, Any], where: str) -> PointMapping:
    """Build a mapping from its TOML table and check it against both schemes.

    Args:
        table: the fields ``from``, ``to``, ``source`` and ``points``.
        where: the file, for messages.

    Raises:
        InputError: a field is missing or wrong, a landmark has no entry or is not in the order of its scheme, or an
            entry names a landmark that the network's scheme doesn't have.
    """
    try:
        given = MappingTable.model_validate(table)
    except ValidationError as error:
        raise InputError(f"{where}: {problems(error, nameless='mapping')}") from error
    origin, target = schemes.load(given.from_), schemes.load(given.to)
    if len(given.points) != target.points:
        raise InputError(
            f"{where}: has entries for {len(given.points)} of the {target.points} landmarks of {target.name}; a "
            "partial mapping can't be scored, because its number would compare with nothing"
        )
    for entry in given.points:
        beyond = [number for number, _ in (*entry.of_x, *entry.of_y) if number >= origin.points]
        if beyond:
            raise InputError(
                f"{where}: the entry of landmark {entry.to} names landmark {beyond[0]}, but {origin.name} has "
                f"{origin.points}"
            )
    return PointMapping(
        origin,
        target,
        _weights([entry.of_x for entry in given.points], origin.points),
        _weights([entry.of_y for entry in given.points], origin.points),
        given.source,
    )


def _weights(entries: Sequence[Sequence[Part]], points: int) -> Array:
    """The matrix ``[T, S]`` of one coordinate; each row is divided by its sum."""
    weights = np.zeros((len(entries), points))
    for row, parts in enumerate(entries):
        for number, weight in parts:
            weights[row, number] = weight
    weights /= weights.sum(axis=1, keepdims=True)
    weights.setflags(write=False)
    return weights
