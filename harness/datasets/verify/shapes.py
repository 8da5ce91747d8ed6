"""Schematic faces of the shipped schemes, and the affine map from one to a face."""

from __future__ import annotations

import functools
from importlib import resources
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nmebench.bounded_read import parse_toml
from nmebench.geometry.scheme import Scheme

__all__ = ["Fit", "fit", "shape_of"]

Array = NDArray[np.float64]


class Fit(NamedTuple):
    """The affine maps from a shape to N faces, by least squares over the labelled landmarks."""

    maps: Array
    """``[N, 2, 2]``: a shape's vector times this is the face's vector, image px; NaN for a face that has none."""
    residuals: Array
    """``[N, K, 2]``: how far each landmark is from the mapped shape, in the shape's unit."""

    @property
    def mirrored(self) -> NDArray[np.bool_]:
        """``[N]``: whether the map contains a reflection."""
        with np.errstate(invalid="ignore"):
            return np.asarray(np.linalg.det(self.maps) < 0)


@functools.cache
def _shapes() -> dict[str, Array]:
    text = resources.files("nmebench.datasets.verify").joinpath("shapes.toml").read_text(encoding="utf-8")
    return {name: np.array(points, np.float64) for name, points in parse_toml(text, "shapes.toml").items()}


def shape_of(scheme: Scheme) -> Array | None:
    """Return the schematic frontal face of a scheme; None for a scheme of one's own.

    Returns:
        ``[K, 2]``: x to the right, y down, in percent of the distance between the outer eye corners.

    Example:
        >>> from nmebench.geometry import scheme as schemes
        >>> shape_of(schemes.load("ibug68"))[[36, 45]].tolist()
        [[-50.0, 0.0], [50.0, 0.0]]
    """
    shape = _shapes().get(scheme.name)
    return shape if shape is not None and len(shape) == scheme.points else None


def fit(shape: Array, faces: Array) -> Fit:
    """Map a shape to every face.

    An affine map follows the size, position, rotation and, roughly, the turn of a head, so that what is left says
    whether the landmarks are in the scheme's order.

    Args:
        shape: ``[K, 2]``.
        faces: ``[N, K, 2]`` image px; NaN for landmarks that are not labelled.

    Example:
        >>> shape = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        >>> fit(shape, shape[None] * [-2.0, 2.0]).mirrored.tolist()
        [True]
    """
    source = np.concatenate([shape, np.ones((len(shape), 1))], axis=1)
    known = np.asarray(~np.isnan(faces).any(axis=2), np.bool_)
    weights = known[..., None].astype(np.float64)
    left = np.einsum("nki,kj->nij", source * weights, source)
    right = np.einsum("nki,nkd->nid", source * weights, np.where(known[..., None], faces, 0.0))
    maps, residuals = np.full((len(faces), 2, 2), np.nan), np.full(faces.shape, np.nan)
    solvable = np.linalg.cond(left) < 1e12
    full = np.linalg.solve(left[solvable], right[solvable])
    linear = full[:, :2]
    sound = np.abs(np.linalg.det(linear)) > 1e-12
    where = np.flatnonzero(solvable)[sound]
    maps[where] = linear[sound]
    off = faces[where] - source @ full[sound]
    residuals[where] = off @ np.linalg.inv(linear[sound])
    return Fit(maps, residuals)
