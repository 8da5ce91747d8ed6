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

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from nmebench.metric_names import Metric
from nmebench.metrics import per_face
from nmebench.statistics.clusters import cluster_sums

__all__ = ["Interval", "bootstrap", "bootstrap_metrics"]

Array = NDArray[np.float64]

_BLOCK_BYTES: Final = 8 << 20
"""Bytes of the counts of a block of resamples; 2000 resamples of 100,000 photographs at once would take 1.6 GB."""

_SUMS_BYTES: Final = 64 << 20
"""Bytes of the sums over photographs of the cells and metrics that are resampled together."""

_COUNTED: Final = 1 << 16
"""Counts that are made at a time; more would leave the processor's cache, which takes twice as long per draw."""

_MULTIPLIED: Final = 1 << 18
"""Multiplications of one product of matrices, up to which OpenBLAS uses one thread: the other one draws."""

_FEW: Final = 0.25
"""Share of photographs up to which their counts are copied, so that the product leaves out all other photographs."""


@dataclass(frozen=True)
class Interval:
    """Estimates with their intervals: arrays of shape ``[]`` or ``[M]``, in the metric's unit.

    ``low`` and ``high`` are NaN where there is only one photograph, because one says nothing about the spread.
    """

    estimate: Array
    low: Array
    high: Array
    level: float


def _resampling_blocks(clusters: int, resamples: int, seed: int) -> Iterator[Array]:
    """Yield how often each cluster is drawn in each resample, ``[B, C]`` for B resamples at a time; rows sum to C.

    The generator's stream goes from row to row, so that the draws don't depend on the size of a block.
    """
    most = max(1, _BLOCK_BYTES // (8 * clusters))
    for drawn in _drawn_ahead(clusters, resamples, most, seed):
        counts = np.empty(drawn.shape)
        together = max(1, _COUNTED // clusters)
        for start in range(0, len(drawn), together):
            some = drawn[start : start + together]
            places = (np.arange(len(some))[:, None] * clusters + some).ravel() if len(some) > 1 else some[0]
            found = np.bincount(places, minlength=len(some) * clusters)
            counts[start : start + together] = found.reshape(len(some), clusters)
        yield counts


def _drawn_ahead(clusters: int, resamples: int, most: int, seed: int) -> Iterator[NDArray[np.int32]]:
    """Yield the drawn clusters, int32 ``[B, C]`` for at most ``most`` resamples; a thread draws the following block.

    The generator makes numbers of 32 bits for any range below ``2**32``, so that the draws equal those of int64.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    sizes = [min(most, resamples - start) for start in range(0, resamples, most)]

    def draw(rows: int) -> NDArray[np.int32]:
        return rng.integers(0, clusters, size=(rows, clusters), dtype=np.int32)

    with ThreadPoolExecutor(1, "draw") as pool:
        following = draw(sizes[0]) if len(sizes) == 1 else pool.submit(draw, sizes[0]).result()
        for rows in sizes[1:]:
            drawn, future = following, pool.submit(draw, rows)
            yield drawn
            del drawn
            following = future.result()
        yield following


@dataclass(frozen=True)
class _Sums:
    """Sums ``[M, C]`` on a grid so fine that products with counts have no rounding errors."""

    on_grid: Array
    """``[M, C]``: the sums times ``grid``, whole numbers."""
    grid: Array
    """``[M, 1]``: powers of two."""

    @classmethod
    def rounded(cls, sums: Array) -> _Sums:
        """Round sums ``[M, C]``, whose memory is reused."""
        largest = np.abs(sums).max(axis=1, keepdims=True) * sums.shape[1]
        with np.errstate(divide="ignore"):
            exponent = np.where(largest > 0, 52 - np.ceil(np.log2(largest)), 0.0)
        grid = np.ldexp(1.0, exponent.astype(np.int64))
        sums *= grid
        return cls(np.rint(sums, out=sums), grid)

    def product(self, counts: Array) -> Array:
        """``counts @ sums.T``, ``[B, M]``, exactly, for counts ``[B, C]``."""
        exact: Array = (counts @ self.on_grid.T) / self.grid.T
        return exact


class _Factor:
    """Sums ``[M, C]`` on a grid, cut into short pieces of photographs for exact products with counts."""

    def __init__(self, on_grid: Array, resamples: int) -> None:
        cells, photographs = on_grid.shape
        rows = min(resamples, max(1, _BLOCK_BYTES // (8 * photographs)))
        length = max(64, _MULTIPLIED // max(1, cells * rows))
        pieces = photographs // length
        self._whole = pieces * length
        self._pieces = np.ascontiguousarray(on_grid[:, : self._whole].reshape(cells, pieces, length).transpose(1, 0, 2))
        self._rest = on_grid[:, self._whole :].copy()

    def product(self, counts: Array) -> Array:
        """``on_grid @ counts.T``, ``[M, B]``, for counts ``[B, C]``."""
        pieces, _, length = self._pieces.shape
        whole = counts[:, : self._whole].reshape(len(counts), pieces, length)
        exact: Array = np.matmul(self._pieces, whole.transpose(1, 2, 0)).sum(axis=0)
        exact += self._rest @ counts[:, self._whole :].T
        return exact


@dataclass(frozen=True)
class _Sample:
    """A metric of M cells, summed over each of C photographs."""

    sums: _Sums
    faces: Array
    """``[C]``: faces of each photograph."""
    estimate: Array
    """``[M]``"""
    acceleration: Array
    """``[M]``: Efron's acceleration."""

    @classmethod
    def of(cls, values: Array, clusters: ArrayLike) -> _Sample:
        """Sum values ``[M, N]``, whose mean over faces is the metric."""
        sums, faces = cluster_sums(values, clusters)
        estimate = sums.sum(axis=1) / faces.sum()
        acceleration = _acceleration(row - mean * faces for row, mean in zip(sums, estimate, strict=True))
        return cls(_Sums.rounded(sums), faces, estimate, acceleration)

    @property
    def centre(self) -> Array:
        """The estimates ``[M]``, rounded like the resamples.

        Where few faces contribute, many resamples equal the estimate, and the side on which they count must not depend
        on the last bit.
        """
        centre: Array = self.sums.on_grid.sum(axis=1) / self.sums.grid[:, 0] / self.faces.sum()
        return centre


def _acceleration(influences: Iterable[Array]) -> Array:
    """Efron's acceleration ``[M]`` of estimates, from the influence of each cluster ``[C]`` on each of them."""
    moments = [((influence**2).sum(), (influence**3).sum()) for influence in influences]
    spread, skew = np.array(moments).reshape(-1, 2).T
    with np.errstate(divide="ignore", invalid="ignore"):
        acceleration: Array = np.where(spread > 0, skew / (6 * spread**1.5), 0.0)
    return acceleration


def _bca(estimate: Array, resampled: Array, acceleration: Array, level: float) -> tuple[Array, Array]:
    """BCa limits ``[M]`` from resampled estimates ``[R, M]`` and the acceleration ``[M]``."""
    resamples = len(resampled)
    below = ((resampled < estimate).mean(axis=0) + (resampled <= estimate).mean(axis=0)) / 2
    bias = ndtri(np.clip(below, 0.5 / resamples, 1 - 0.5 / resamples))
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
    return bootstrap_metrics(values, clusters, [metric], resamples=resamples, seed=seed, level=level)[metric]


def bootstrap_metrics(
    values: ArrayLike,
    clusters: ArrayLike,
    metrics: Sequence[str],
    *,
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> dict[str, Interval]:
    """Bootstrap intervals of several metrics from the same resamples.

    Each interval equals that of :func:`bootstrap`; the resamples are drawn once for all of them. Memory grows with the
    values alone: resamples are drawn and counted in blocks, and of many cells a part at a time is summed.

    Args:
        values: NME per face, percent, ``[N]``, or ``[M, N]`` for M cells on the same faces.
        clusters: int ``[N]``, the number of each face's photograph.
        metrics: names, see :func:`bootstrap`.
        resamples: number of bootstrap samples.
        seed: seed of the resampling.
        level: confidence level.

    Returns:
        Estimate and limits by metric.

    Raises:
        ValueError: as for :func:`bootstrap`.

    Example:
        >>> found = bootstrap_metrics([3.0, 4.0, 5.0, 12.0], [0, 1, 2, 3], ["nme", "fr10"], resamples=200)
        >>> float(found["nme"].estimate), float(found["fr10"].estimate)
        (6.0, 25.0)
    """
    if not 0 < level < 1 or resamples < 2:
        raise ValueError(f"level {level} must be between 0 and 1, and resamples {resamples} at least 2")
    v = np.asarray(values, np.float64)
    cells = np.atleast_2d(v)
    part = max(1, _SUMS_BYTES // (8 * max(1, len(metrics) * cells.shape[-1])))
    found: dict[str, list[tuple[Array, Array, Array]]] = {metric: [] for metric in metrics}
    for start in range(0, max(1, len(cells)), part):
        limits = _limits(cells[start : start + part], clusters, metrics, resamples, seed, level)
        for metric, interval in limits.items():
            found[metric].append(interval)
    shape = v.shape[:-1]
    intervals = {}
    for metric, parts in found.items():
        estimate, low, high = (np.concatenate(numbers).reshape(shape) for numbers in zip(*parts, strict=True))
        intervals[metric] = Interval(estimate, low, high, level)
    return intervals


def _limits(
    values: Array, clusters: ArrayLike, metrics: Sequence[str], resamples: int, seed: int, level: float
) -> dict[str, tuple[Array, Array, Array]]:
    """Estimate, low and high ``[M]`` of values ``[M, N]`` by metric."""
    with ThreadPoolExecutor(2, "sums") as pool:
        sums = pool.map(lambda metric: _Sample.of(per_face(values, metric), clusters), metrics)
        samples = dict(zip(metrics, sums, strict=True))
    photographs = np.asarray(next(iter(samples.values())).faces if samples else [])
    resampled = _resampled(samples, photographs, resamples, seed) if len(photographs) > 1 else {}
    found = {}
    for metric, sample in samples.items():
        estimate = sample.estimate
        if len(photographs) == 1:
            low = high = np.full_like(estimate, np.nan)
        else:
            low, high = _bca(sample.centre, resampled[metric], sample.acceleration, level)
        if Metric.parse(metric).kind == "fr":
            reach = 100 * (1 - ((1 - level) / 2) ** (1 / len(photographs)))
            low = np.where(estimate == 0, 0.0, np.where(estimate == 100, 100 - reach, low))
            high = np.where(estimate == 0, reach, np.where(estimate == 100, 100.0, high))
        found[metric] = (estimate, low, high)
    return found


def _resampled(samples: Mapping[str, _Sample], photographs: Array, resamples: int, seed: int) -> dict[str, Array]:
    """The metrics ``[R, M]`` of all resamples; 0 for a failure rate of 0 or 100 %, whose interval needs none."""
    resampled = {metric: np.zeros((resamples, len(sample.estimate))) for metric, sample in samples.items()}
    dense: list[tuple[str, NDArray[np.intp]]] = []
    sparse: list[tuple[str, NDArray[np.intp], NDArray[np.intp]]] = []
    for metric, sample in samples.items():
        varies = np.asarray(sample.sums.on_grid.any(axis=1))
        if Metric.parse(metric).kind == "fr":
            varies &= sample.estimate != 100
        cells = np.flatnonzero(varies)
        used = np.flatnonzero(sample.sums.on_grid[cells].any(axis=0))
        if len(used) <= _FEW * len(photographs):
            sparse.append((metric, cells, used))
        else:
            dense.append((metric, cells))
    parts = [samples[metric].sums.on_grid[cells] for metric, cells in dense]
    together = _Factor(np.concatenate(parts) if parts else np.empty((0, len(photographs))), resamples)
    del parts
    few = [samples[metric].sums.on_grid[np.ix_(cells, used)] for metric, cells, used in sparse]
    single = bool((photographs == 1).all())
    done = 0
    for counts in _resampling_blocks(len(photographs), resamples, seed):
        rows = slice(done, done + len(counts))
        faces = np.full(len(counts), float(len(photographs))) if single else counts @ photographs
        exact = together.product(counts)
        start = 0
        for metric, cells in dense:
            stop = start + len(cells)
            resampled[metric][rows, cells] = (exact[start:stop] / samples[metric].sums.grid[cells] / faces).T
            start = stop
        for (metric, cells, used), on_grid in zip(sparse, few, strict=True):
            sums = on_grid @ counts[:, used].T
            resampled[metric][rows, cells] = (sums / samples[metric].sums.grid[cells] / faces).T
        done += len(counts)
    return resampled
