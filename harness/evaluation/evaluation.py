"""The scores of predictions in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from html import escape
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from nmebench import metrics
from nmebench.errors import InputError
from nmebench.geometry.scheme import Scheme
from nmebench.metric_names import Metric, check_threshold, threshold_text
from nmebench.printable import counted, shown
from nmebench.protocol import THRESHOLD
from nmebench.statistics.bootstrap import Interval, bootstrap
from nmebench.suggest import unknown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Evaluation"]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Metrics of predictions on N faces, from :func:`nmebench.evaluate`.

    NME and FR are percent, AUC and CED are fractions. Thresholds are NMEs in percent, 10 for "NME above 0.10".

    Example:
        >>> import nmebench
        >>> gt = np.random.Generator(np.random.PCG64(0)).integers(0, 256, (4, 98, 2))
        >>> result = nmebench.evaluate(gt, gt, scheme="wflw98")
        >>> result.nme, result.fr(10), result.auc(10), len(result.frame)
        (0.0, 0.0, 1.0, 4)
    """

    name: str
    """Name of the predictions in plots and tables."""
    scheme: Scheme
    normaliser: str
    """Name of the length that errors are divided by."""
    point_errors: NDArray[np.float64] = field(repr=False)
    """``[N, K]``: error of each landmark in percent of the face's normaliser; NaN for unlabelled landmarks."""
    per_face: NDArray[np.float64] = field(repr=False)
    """``[N]``: NME of each face, percent."""
    images: tuple[str, ...] = field(repr=False)
    """``[N]``: name of each face's image, or its number."""
    subsets: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict, repr=False)
    """bool ``[N]`` by name."""
    thresholds: tuple[float, ...] = (THRESHOLD,)
    """Thresholds of FR and AUC in :attr:`scores`, percent; the first is the default elsewhere."""
    numbered: bool = field(default=True, repr=False)
    """True if ``images`` are the numbers of the faces, which have a photograph each."""
    notes: tuple[str, ...] = field(default=(), repr=False)
    """Remarks on predictions that are probably wrong: another unit, order or layout."""

    def __len__(self) -> int:
        """Return the number of faces."""
        return len(self.per_face)

    def __repr__(self) -> str:
        """Return one line: the name, the faces, the scheme and the NME."""
        return (
            f"<Evaluation {shown(self.name)}: {counted(len(self), 'face')}, {self.scheme.name}, NME {self.nme:.4f} % "
            f"of {self.normaliser}>"
        )

    @property
    def nme(self) -> float:
        """Mean NME of the faces, percent."""
        return float(self.per_face.mean())

    def fr(self, threshold: float | None = None) -> float:
        """Failure rate: the share of faces with an NME above the threshold, percent.

        Args:
            threshold: percent; None for the first of :attr:`thresholds`.

        Returns:
            Percent.

        Raises:
            InputError: the threshold is not from 0.2 to 100 percent.
        """
        return metrics.failure_rate(self.per_face, self._threshold(threshold))

    def auc(self, threshold: float | None = None) -> float:
        """Exact area under the CED up to the threshold, a fraction of the largest possible area.

        Args:
            threshold: percent; None for the first of :attr:`thresholds`.

        Returns:
            A fraction.

        Raises:
            InputError: the threshold is not from 0.2 to 100 percent.
        """
        return metrics.auc(self.per_face, self._threshold(threshold))

    def _threshold(self, threshold: float | None) -> float:
        return self.thresholds[0] if threshold is None else check_threshold(threshold)

    def ced(self, thresholds: ArrayLike) -> NDArray[np.float64]:
        """Cumulative error distribution: the share of faces with an NME of at most each threshold.

        Args:
            thresholds: percent, of any shape.

        Returns:
            Fractions, in the shape of ``thresholds``.
        """
        return metrics.ced(self.per_face, thresholds)

    def interval(self, metric: str = "nme", *, level: float = 0.95, resamples: int = 2000, seed: int = 0) -> Interval:
        """Bootstrap interval that resamples photographs (docs/statistics.md), as a run's ``scores.csv`` has it.

        Args:
            metric: ``nme``, or ``fr`` or ``auc`` with a threshold: ``fr10``, ``auc8``.
            level: confidence level.
            resamples: number of bootstrap samples.
            seed: seed of the resampling.

        Returns:
            The interval; its ``low`` and ``high`` are in the metric's unit.

        Raises:
            InputError: the metric is unknown.
            ValueError: a setting is out of range.
        """
        faces = np.arange(len(self)) if self.numbered else np.unique(np.array(self.images), return_inverse=True)[1]
        return bootstrap(self.per_face, faces, Metric.parse(metric).name, resamples=resamples, seed=seed, level=level)

    def subset(self, name: str) -> Evaluation:
        """Return the scores of the faces of a subset.

        Args:
            name: one of :attr:`subsets`.

        Returns:
            The evaluation of these faces alone.

        Raises:
            InputError: the name is unknown, or the subset has no faces.
        """
        if name not in self.subsets:
            raise InputError(unknown("subset", name, tuple(self.subsets)))
        chosen = self.subsets[name]
        if not chosen.any():
            raise InputError(f"subset {name!r} has no faces, so it has no scores")
        return replace(
            self,
            point_errors=self.point_errors[chosen],
            per_face=self.per_face[chosen],
            images=tuple(np.array(self.images, dtype=object)[chosen]),
            subsets={key: mask[chosen] for key, mask in self.subsets.items()},
        )

    @property
    def frame(self) -> pd.DataFrame:
        """One row per face: ``image``, ``nme`` (percent), and a bool column ``subset_NAME`` per subset."""
        subsets = {f"subset_{name}": mask for name, mask in self.subsets.items()}
        return pd.DataFrame({"image": list(self.images), "nme": self.per_face, **subsets})

    @property
    def per_landmark(self) -> pd.DataFrame:
        """One row per landmark: ``landmark``, ``group``, ``faces`` (number labelled), ``nme`` (percent)."""
        group = {point: name for name, points in self.scheme.groups.items() for point in points}
        labelled = ~np.isnan(self.point_errors)
        counts = labelled.sum(axis=0)
        sums = np.where(labelled, self.point_errors, 0.0).sum(axis=0)
        with np.errstate(invalid="ignore"):
            means = sums / counts
        points = np.arange(self.scheme.points)
        return pd.DataFrame(
            {"landmark": points, "group": [group[int(point)] for point in points], "faces": counts, "nme": means}
        )

    @property
    def scores(self) -> pd.DataFrame:
        """One row for all faces and one per subset: ``subset``, ``faces``, ``nme``, ``frT`` and ``aucT``.

        T are the :attr:`thresholds`; NME and FR are percent, AUC is a fraction, as in :attr:`nmebench.Run.scores`.
        """
        named = {name: mask for name, mask in self.subsets.items() if name != "test" and mask.any()}
        groups = [("test", self), *((name, self.subset(name)) for name in named)]
        rows = []
        for name, part in groups:
            row: dict[str, object] = {"subset": name, "faces": len(part), "nme": part.nme}
            for threshold in self.thresholds:
                text = threshold_text(threshold)
                row |= {f"fr{text}": part.fr(threshold), f"auc{text}": part.auc(threshold)}
            rows.append(row)
        return pd.DataFrame(rows)

    def plot_ced(self, ax: Axes | None = None, *, end: float | None = None, **line: object) -> Axes:
        """Draw the CED up to ``end`` percent NME.

        Args:
            ax: matplotlib axes to draw on, so that several predictions share a plot; None for a new figure.
            end: right end of the curve, percent; None for the first of :attr:`thresholds`.
            line: options of ``Axes.step``; ``label`` is the name and the AUC by default.

        Returns:
            The axes.

        Raises:
            InputError: ``end`` is not from 0.2 to 100 percent.
        """
        from matplotlib import pyplot

        end = self._threshold(end)
        if ax is None:
            _, ax = pyplot.subplots()
        inside = np.unique(self.per_face[self.per_face <= end])
        x = np.concatenate(([0.0], inside[inside > 0], [end]))
        label = f"{self.name} (AUC@{threshold_text(end)} {self.auc(end):.4f})"
        ax.step(x, self.ced(x), **{"where": "post", "label": label, **line})  # type: ignore[arg-type]
        ax.set(xlim=(0, end), ylim=(0, 1), xlabel=f"NME, % ({self.normaliser})", ylabel="share of faces")
        return ax

    def __str__(self) -> str:
        """Return the headline scores in a line."""
        text = threshold_text(self.thresholds[0])
        return (
            f"{self.name}: NME {self.nme:.3f} %, FR@{text} {self.fr():.2f} %, AUC@{text} {self.auc():.4f} "
            f"({len(self)} faces, {self.scheme.name}, {self.normaliser})"
        )

    def _repr_html_(self) -> str:
        """Return the scores as a table, for notebooks."""
        table = self.scores.to_html(index=False, float_format=lambda value: f"{value:.4f}", escape=True, border=0)
        return f"<p>{escape(str(self))}</p>{table}"
