"""Slow, independent reference decoders: one map at a time, plain numpy in float64, written from the definitions.

Each takes one map ``[H, W]`` and returns (x, y) in heatmap px.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.float64]

SMALL = {3: [1 / 4, 1 / 2, 1 / 4], 5: [1 / 16, 1 / 4, 3 / 8, 1 / 4, 1 / 16]}
SMALL[7] = [1 / 32, 7 / 64, 7 / 32, 9 / 32, 7 / 32, 7 / 64, 1 / 32]
SMALL[9] = [count / 256 for count in (4, 13, 30, 51, 60, 51, 30, 13, 4)]


def kernel(size: int, sigma: float | None = None) -> list[float]:
    """The coefficients that OpenCV documents."""
    if sigma is None and size in SMALL:
        return SMALL[size]
    width = sigma if sigma is not None else 0.3 * ((size - 1) / 2 - 1) + 0.8
    raw = [math.exp(-((i - (size - 1) / 2) ** 2) / (2 * width**2)) for i in range(size)]
    return [value / sum(raw) for value in raw]


def blurred(heatmap: Map, size: int, sigma: float | None = None) -> Map:
    """The map blurred with zeros outside and rescaled to its old maximum."""
    weights = np.array(kernel(size, sigma))
    half = size // 2
    height, width = heatmap.shape
    padded = np.zeros((height + 2 * half, width + 2 * half))
    padded[half : half + height, half : half + width] = heatmap
    out = np.empty_like(heatmap)
    for row in range(height):
        for column in range(width):
            out[row, column] = weights @ padded[row : row + size, column : column + size] @ weights
    return out * (heatmap.max() / out.max())


def top(heatmap: Map) -> tuple[int, int]:
    """(x, y) of the first maximum in row order."""
    best, at = -math.inf, (-1, -1)
    for row in range(heatmap.shape[0]):
        for column in range(heatmap.shape[1]):
            if heatmap[row, column] > best:
                best, at = heatmap[row, column], (column, row)
    return at


def argmax(heatmap: Map) -> tuple[float, float]:
    return top(heatmap)


def _sign(value: float) -> float:
    return float(value > 0) - float(value < 0)


def quarter(heatmap: Map, rule: str) -> tuple[float, float]:
    x, y = top(heatmap)
    height, width = heatmap.shape
    if rule == "mmpose1":
        do_x = 1 < x < width - 1 and 0 < y < height
        do_y = 1 < y < height - 1 and 0 < x < width
    elif rule == "mmpose0":
        do_x = do_y = 1 < x < width - 1 and 1 < y < height - 1
    else:  # the official code counts from 1
        do_x = do_y = 1 < x + 1 < width and 1 < y + 1 < height
    dx = 0.25 * _sign(heatmap[y, x + 1] - heatmap[y, x - 1]) if do_x else 0.0
    dy = 0.25 * _sign(heatmap[y + 1, x] - heatmap[y - 1, x]) if do_y else 0.0
    return x + dx, y + dy


def fan(heatmap: Map) -> tuple[float, float]:
    x, y = quarter(heatmap, "hrnet")
    return x + 1 - 0.5, y + 1 - 0.5


def megvii(heatmap: Map, size: int = 11) -> tuple[float, float]:
    smooth = blurred(heatmap, size)
    x, y = top(smooth)
    height, width = heatmap.shape
    if not (1 < x < width - 1 and 1 < y < height - 1):
        return x, y
    return (
        x + 0.25 * _sign(smooth[y, x + 1] - smooth[y, x - 1]) + 0.5,
        y + 0.25 * _sign(smooth[y + 1, x] - smooth[y - 1, x]) + 0.5,
    )


def dark(heatmap: Map, size: int = 11, sigma: float | None = None, max_step: float = math.inf) -> tuple[float, float]:
    x, y = top(heatmap)
    height, width = heatmap.shape
    if not (1 < x < width - 2 and 1 < y < height - 2):
        return x, y
    h = np.log(np.maximum(blurred(heatmap, size, sigma), 1e-10))
    gradient = np.array([h[y, x + 1] - h[y, x - 1], h[y + 1, x] - h[y - 1, x]]) / 2
    mixed = (h[y + 1, x + 1] - h[y - 1, x + 1] - h[y + 1, x - 1] + h[y - 1, x - 1]) / 4
    hessian = np.array(
        [
            [(h[y, x + 2] - 2 * h[y, x] + h[y, x - 2]) / 4, mixed],
            [mixed, (h[y + 2, x] - 2 * h[y, x] + h[y - 2, x]) / 4],
        ]
    )
    if np.linalg.det(hessian) == 0:
        return x, y
    step = np.clip(-np.linalg.solve(hessian, gradient), -max_step, max_step)
    return x + step[0], y + step[1]


def _udp_parts(heatmap: Map, size: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    x, y = top(heatmap)
    h = np.pad(np.log(np.clip(blurred(heatmap, size), 1e-3, 50.0)), 1, mode="edge")
    x, y = x + 1, y + 1
    gradient = np.array([h[y, x + 1] - h[y, x - 1], h[y + 1, x] - h[y - 1, x]]) / 2
    mixed = (
        h[y + 1, x + 1] - h[y, x + 1] - h[y + 1, x] + 2 * h[y, x] - h[y, x - 1] - h[y - 1, x] + h[y - 1, x - 1]
    ) / 2
    hessian = np.array(
        [
            [h[y, x + 1] - 2 * h[y, x] + h[y, x - 1], mixed],
            [mixed, h[y + 1, x] - 2 * h[y, x] + h[y - 1, x]],
        ]
    )
    return gradient, hessian


def dark_udp_hessian(heatmap: Map, size: int) -> NDArray[np.float64]:
    """Second derivatives ``[2, 2]`` at the maximum."""
    return _udp_parts(heatmap, size)[1]


def dark_udp(heatmap: Map, size: int = 11) -> tuple[float, float]:
    x, y = top(heatmap)
    gradient, hessian = _udp_parts(heatmap, size)
    step = -np.linalg.solve(hessian + np.finfo(np.float32).eps * np.eye(2), gradient)
    return x + step[0], y + step[1]


def parabola(heatmap: Map, fit: str = "log") -> tuple[float, float]:
    x, y = top(heatmap)
    values = np.log(np.maximum(heatmap, 1e-10)) if fit == "log" else heatmap

    def vertex(before: float, here: float, after: float) -> float:
        curvature = before - 2 * here + after
        return 0.0 if curvature == 0 else 0.5 * (before - after) / curvature

    height, width = heatmap.shape
    dx = vertex(values[y, x - 1], values[y, x], values[y, x + 1]) if 0 < x < width - 1 else 0.0
    dy = vertex(values[y - 1, x], values[y, x], values[y + 1, x]) if 0 < y < height - 1 else 0.0
    return x + dx, y + dy


def _mean(weights: dict[tuple[int, int], float]) -> tuple[float, float]:
    mass = math.fsum(weights.values())
    return (
        math.fsum(weight * x for (x, _), weight in weights.items()) / mass,
        math.fsum(weight * y for (_, y), weight in weights.items()) / mass,
    )


def soft_argmax(heatmap: Map, temperature: float = 16.0) -> tuple[float, float]:
    height, width = heatmap.shape
    highest = heatmap.max()
    return _mean(
        {(x, y): math.exp(temperature * (heatmap[y, x] - highest)) for y in range(height) for x in range(width)}
    )


def local_soft_argmax(heatmap: Map, window: int = 5, temperature: float = 10.0) -> tuple[float, float]:
    """The window may extend beyond the map, where values are 0."""
    height, width = heatmap.shape
    at_x, at_y = top(heatmap)
    highest = heatmap.max()
    weights = {}
    for y in range(at_y - window // 2, at_y + window // 2 + 1):
        for x in range(at_x - window // 2, at_x + window // 2 + 1):
            value = heatmap[y, x] if 0 <= x < width and 0 <= y < height else 0.0
            weights[x, y] = math.exp(temperature * (value - highest))
    return _mean(weights)


def barycentre(heatmap: Map, form: str = "star") -> tuple[float, float]:
    height, width = heatmap.shape
    values = heatmap - heatmap.min() if form == "ldeq" else heatmap
    mass = max(values.sum(), 1e-6) if form == "star" else values.sum()
    x = sum(values[:, column].sum() * (2 * column / (width - 1) - 1) for column in range(width)) / mass
    y = sum(values[row].sum() * (2 * row / (height - 1) - 1) for row in range(height)) / mass
    return (x + 1) / 2 * (width - 1), (y + 1) / 2 * (height - 1)


def top_k(heatmap: Map, k: int = 9) -> tuple[float, float]:
    height, width = heatmap.shape
    pixels = sorted(((heatmap[y, x], x, y) for y in range(height) for x in range(width)), reverse=True)[:k]
    return _mean({(x, y): math.exp(value - pixels[0][0]) for value, x, y in pixels})


def simcc(bins: NDArray[np.float64]) -> float:
    """Position in bins on one axis."""
    return float(max(range(len(bins)), key=lambda i: (bins[i], -i)))


def simcc_dark(bins: NDArray[np.float64], size: int = 37) -> float:
    """Position in bins on one axis."""
    at = int(simcc(bins))
    weights = np.array(kernel(size))
    padded = np.pad(bins, size // 2)
    smooth = np.array([padded[i : i + size] @ weights for i in range(len(bins))])
    smooth *= bins.max() / smooth.max()
    h = np.pad(np.log(np.clip(smooth, 1e-3, 50.0)), 2, mode="edge")
    p = at + 2
    return at - 0.5 * (h[p + 1] - h[p - 1]) / (1e-9 + 0.25 * (h[p + 2] - 2 * h[p] + h[p - 2]))
