"""Bootstrap intervals of NME, FR and AUC that resample photographs.

The intervals are bias-corrected and accelerated (BCa): B. Efron, "Better Bootstrap Confidence Intervals", JASA 82
(1987) 171-185. Each photograph is drawn with all of its faces: A. C. Davison and D. V. Hinkley, "Bootstrap Methods and
their Application" (1997), section 3.8. All three metrics are ratios of sums over photographs, so one resample is one
row of a matrix of counts, and one matrix product gives all resamples of all cells.

The product is exact: the sums are rounded to a grid so fine that no partial sum needs more than the 53 bits of a
float64. The order of additions, and with it the number of BLAS threads and the processor, therefore can't change a
result.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from nmebench.metric_names import Metric
from nmebench.metrics import per_face
from nmebench.statistics.clusters import cluster_sums

__all__ = ["Interval", "bootstrap"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """Estimates with their intervals: arrays of shape ``[]`` or ``[M]``, in the metric's unit.

    ``low`` and ``high`` are NaN where there is only one photograph, because one says nothing about the spread.
    """

    estimate: Array
    low: Array
    high: Array
    level: float


def _resampling_counts(clusters: int, resamples: int, seed: int) -> Array:
    """Number of times each cluster is drawn in each resample, ``[R, C]``; every row sums to C."""
    rng = np.random.Generator(np.random.PCG64(seed))
    drawn = rng.integers(0, clusters, size=(resamples, clusters))
    drawn += np.arange(resamples)[:, None] * clusters
    counts = np.bincount(drawn.ravel(), minlength=resamples * clusters)
    return counts.reshape(resamples, clusters).astype(np.float64)


def _exact_product(counts: Array, sums: Array) -> Array:
    """``counts @ sums.T``, ``[R, M]``, without rounding errors: sums ``[M, C]`` are first rounded to a power of two."""
    largest = np.abs(sums).max(axis=1, keepdims=True) * counts.shape[1]
    with np.errstate(divide="ignore"):
        exponent = np.where(largest > 0, 52 - np.ceil(np.log2(largest)), 0.0)
    grid = np.ldexp(1.0, exponent.astype(np.int64))
    product: Array = (counts @ np.rint(sums * grid).T) / grid.T
    return product


def _bca(estimate: Array, resampled: Array, influence: Array, level: float) -> tuple[Array, Array]:
    """BCa limits ``[M]`` from resampled estimates ``[R, M]`` and the influence of each cluster ``[M, C]``."""
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
    metric: str,
    *,
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Bootstrap interval of NME, FR or AUC over faces that come in photographs.

    If no face fails, or every face does, resampling can't bound the true failure rate. The interval is then
    the exact binomial one over photographs: for 0 failures in C photographs its upper limit is
    ``1 - ((1 - level) / 2) ** (1 / C)``.

    Source: Efron (1987), Davison and Hinkley (1997); see the module's docstring.

    Args:
        values: NME per face, percent, ``[N]``, or ``[M, N]`` for M cells on the same faces.
        clusters: int ``[N]``, the number of each face's photograph.
        metric: ``nme``, or ``fr`` or ``auc`` with a threshold in percent, such as ``fr10``.
        resamples: number of bootstrap samples.
        seed: seed of the resampling. All cells share it, which keeps them comparable.
        level: confidence level.

    Returns:
        Estimate and limits, ``[]`` or ``[M]``: percent for NME and FR, fractions for AUC.

    Raises:
        ValueError: the shapes do not fit, there are no faces, a value is not finite, the metric is unknown, or a
            setting is out of range.

    Example:
        >>> found = bootstrap([3.0, 4.0, 5.0, 12.0], [0, 1, 2, 3], "nme", resamples=200)
        >>> print(f"{found.estimate:.2f} [{found.low:.2f}, {found.high:.2f}]")
        6.00 [3.50, 9.75]
    """
    if not 0 < level < 1 or resamples < 2:
        raise ValueError(f"level {level} must be between 0 and 1, and resamples {resamples} at least 2")
    v = np.asarray(values, np.float64)
    sums, faces = cluster_sums(per_face(np.atleast_2d(v), metric), clusters)
    estimate = sums.sum(axis=1) / faces.sum()
    if len(faces) == 1:
        low = high = np.full_like(estimate, np.nan)
    else:
        counts = _resampling_counts(len(faces), resamples, seed)
        resampled = _exact_product(counts, sums) / (counts @ faces)[:, None]
        # The centre is rounded like the resamples. Where few faces contribute, many resamples equal the estimate, and
        # the side on which they count must not depend on the last bit.
        centre = _exact_product(np.ones((1, len(faces))), sums)[0] / faces.sum()
        low, high = _bca(centre, resampled, sums - estimate[:, None] * faces, level)
    if Metric.parse(metric).kind == "fr":
        reach = 100 * (1 - ((1 - level) / 2) ** (1 / len(faces)))
        low = np.where(estimate == 0, 0.0, np.where(estimate == 100, 100 - reach, low))
        high = np.where(estimate == 0, reach, np.where(estimate == 100, 100.0, high))
    shape = v.shape[:-1]
    return Interval(estimate.reshape(shape), low.reshape(shape), high.reshape(shape), level)
