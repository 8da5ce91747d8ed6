"""Smooth curves through landmarks."""

from __future__ import annotations

import numpy as np

from nmebench.synthface.template import Array


def through(points: Array, steps: int) -> Array:
    """[(n - 1) * steps + 1, d] a Catmull-Rom spline that passes exactly through the n points."""
    before = 2.0 * points[:1] - points[1:2]
    after = 2.0 * points[-1:] - points[-2:-1]
    p = np.concatenate([before, points, after])
    t = (np.arange(steps) / steps)[None, :, None]
    a, b, c, d = (p[i : len(p) - 3 + i, None, :] for i in range(4))
    pieces = 0.5 * (
        2.0 * b + (c - a) * t + (2.0 * a - 5.0 * b + 4.0 * c - d) * t**2 + (3.0 * b - a - 3.0 * c + d) * t**3
    )
    return np.concatenate([pieces.reshape(-1, points.shape[1]), points[-1:]])


def evenly(polyline: Array, count: int) -> Array:
    """[count, d] points at equal arc length along a polyline, both ends included."""
    steps = np.sqrt(np.square(np.diff(polyline[:, :2], axis=0)).sum(axis=1))
    walked = np.concatenate([[0.0], np.cumsum(steps)])
    at = np.linspace(0.0, walked[-1], count)
    return np.stack([np.interp(at, walked, polyline[:, i]) for i in range(polyline.shape[1])], axis=1)


def graph(points: Array, x: Array) -> Array:
    """The y of the spline through landmarks ordered by x, at each x (end values beyond the ends)."""
    dense = through(points[:, :2], 12)
    if dense[-1, 0] < dense[0, 0]:
        dense = dense[::-1]
    return np.interp(x, np.maximum.accumulate(dense[:, 0]), dense[:, 1])
