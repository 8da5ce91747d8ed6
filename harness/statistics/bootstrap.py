"""Bootstrap intervals for NME, FR and AUC, resampling source images.

Bias-corrected and accelerated (BCa) intervals: B. Efron, "Better Bootstrap Confidence Intervals", JASA 82
(1987) 171-185; clusters are drawn whole, as in A. C. Davison and D. V. Hinkley, "Bootstrap Methods and their
Application" (1997), section 3.8. All three statistics are ratios of sums over images, so that a resample is
one row of a matrix of counts and all resamples of all cells are one matrix product.

The product is exact: sums are rounded to a grid so fine that no partial sum needs more than the 53 bits of a
float64. Hence the order of additions, and with it the number of BLAS threads and the processor, can't change
a result.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from nmebench.statistics.clusters import cluster_sums

__all__ = ["Interval", "Statistic", "bootstrap"]

Array = NDArray[np.float64]
Statistic = Literal["nme", "fr", "auc"]


@dataclass(frozen=True)
class Interval:
    """Estimates with their intervals; arrays of shape ``[]`` or ``[M]``, in the statistic's unit.

    ``low`` and ``high`` are NaN where one image is all there is: nothing can be said about the spread.
    """

    estimate: Array
    low: Array
    high: Array
    level: float


def _per_face(values: Array, statistic: str, threshold: float) -> Array:
    """What is averaged over faces: percent for NME and FR, a fraction for AUC."""
    if statistic == "nme":
        return values
    if statistic == "fr":
        return np.where(values <= threshold, 0.0, 100.0)
    if statistic == "auc":
        return np.fmax(threshold - values, 0.0) / threshold
    raise ValueError(f"{statistic!r}: no such statistic, allowed: {', '.join(get_args(Statistic))}")


def _resampling_counts(clusters: int, resamples: int, seed: int) -> Array:
    """How often each cluster is drawn in each resample, ``[R, C]``; rows add up to C."""
    rng = np.random.Generator(np.random.PCG64(seed))
    drawn = rng.integers(0, clusters, size=(resamples, clusters))
    drawn += np.arange(resamples)[:, None] * clusters
    counts = np.bincount(drawn.ravel(), minlength=resamples * clusters)
    return counts.reshape(resamples, clusters).astype(np.float64)


def _exact_product(counts: Array, sums: Array) -> Array:
    """``counts @ sums.T`` ``[R, M]`` without rounding, sums ``[M, C]`` rounded to a power of two."""
    largest = np.abs(sums).max(axis=1, keepdims=True) * counts.shape[1]
    with np.errstate(divide="ignore"):
        exponent = np.where(largest > 0, 52 - np.ceil(np.log2(largest)), 0.0)
    grid = np.ldexp(1.0, exponent.astype(np.int64))
    product: Array = (counts @ np.rint(sums * grid).T) / grid.T
    return product


def _bca(estimate: Array, resampled: Array, influence: Array, level: float) -> tuple[Array, Array]:
    """BCa limits ``[M]`` from resampled statistics ``[R, M]`` and each cluster's influence ``[M, C]``."""
    resamples = len(resampled)
    below = ((resampled < estimate).mean(axis=0) + (resampled <= estimate).mean(axis=0)) / 2
    bias = ndtri(np.clip(below, 0.5 / resamples, 1 - 0.5 / resamples))
    spread = (influence**2).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        acceleration = np.where(spread > 0, (influence**3).sum(axis=1) / (6 * spread**1.5), 0.0)
    ordered = np.sort(resampled, axis=0)
    columns = np.arange(len(estimate))

    def quantile(tail: float) -> Array:
        z = bias + ndtri(tail)
        position = ndtr(bias + z / (1 - acceleration * z)) * (resamples - 1)
        lower = np.clip(np.floor(position).astype(np.int64), 0, resamples - 2)
        weight = position - lower
        value: Array = ordered[lower, columns] * (1 - weight) + ordered[lower + 1, columns] * weight
        return value

    return quantile((1 - level) / 2), quantile((1 + level) / 2)


def bootstrap(
    values: ArrayLike,
    clusters: ArrayLike,
    statistic: Statistic,
    *,
    threshold: float = 10.0,
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Bootstrap interval of NME, FR or AUC over faces that come in clusters.

    Where no face fails, or every one does, resampling can't tell how far the true failure rate may be: there
    the interval is the exact binomial one over images (for none of C: up to ``1 - ((1 - level) / 2) ** (1 /
    C)``).

    Args:
        values: NME of each face, percent, ``[N]`` or ``[M, N]`` for M cells on the same faces.
        clusters: int ``[N]``: the number of each face's source image.
        statistic: ``nme``, ``fr`` or ``auc``.
        threshold: of FR and AUC, percent.
        resamples: number of bootstrap samples.
        seed: of the resampling; the same for all cells, which keeps them comparable.
        level: of confidence.

    Returns:
        Estimate and limits, ``[]`` or ``[M]``: percent for NME and FR, fractions for AUC.

    Raises:
        ValueError: shapes that don't fit, no faces, values that aren't finite, an unknown statistic.
    """
    if not 0 < level < 1 or resamples < 2 or threshold <= 0:
        raise ValueError(
            f"level {level} must lie between 0 and 1, resamples {resamples} be over 1 and threshold {threshold} over 0"
        )
    v = np.asarray(values, np.float64)
    sums, faces = cluster_sums(_per_face(np.atleast_2d(v), statistic, threshold), clusters)
    estimate = sums.sum(axis=1) / faces.sum()
    if len(faces) == 1:
        low = high = np.full_like(estimate, np.nan)
    else:
        counts = _resampling_counts(len(faces), resamples, seed)
        resampled = _exact_product(counts, sums) / (counts @ faces)[:, None]
        # Rounded as the resamples are: where few faces contribute, many resamples equal the estimate, and which side of
        # it they count on mustn't hang on the last bit.
        centre = _exact_product(np.ones((1, len(faces))), sums)[0] / faces.sum()
        low, high = _bca(centre, resampled, sums - estimate[:, None] * faces, level)
    if statistic == "fr":
        reach = 100 * (1 - ((1 - level) / 2) ** (1 / len(faces)))
        low = np.where(estimate == 0, 0.0, np.where(estimate == 100, 100 - reach, low))
        high = np.where(estimate == 0, reach, np.where(estimate == 100, 100.0, high))
    shape = v.shape[:-1]
    return Interval(estimate.reshape(shape), low.reshape(shape), high.reshape(shape), level)
