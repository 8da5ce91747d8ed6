"""Metrics that accumulate over the batches of a training or validation loop, with torchmetrics' interface.

They subclass ``torchmetrics.Metric`` if torchmetrics is installed, so that they work in Lightning, in a
``MetricCollection`` and in distributed validation. Without it they have ``update``, ``compute``, ``reset`` and
``forward`` of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nmebench.errors import InputError
from nmebench.geometry import scheme as schemes
from nmebench.metric_names import check_threshold
from nmebench.metrics.auc import auc
from nmebench.metrics.failure_rate import failure_rate
from nmebench.metrics.nme import nme
from nmebench.metrics.point_error import labelled, point_errors
from nmebench.protocol import THRESHOLD

__all__ = ["AUC", "NME", "FailureRate"]


class _Accumulator:
    """The part of torchmetrics' interface that the metrics here need."""

    def __init__(self) -> None:
        self._states: list[str] = []

    def add_state(self, name: str, default: list[Tensor], **_: object) -> None:
        """Register a state that :meth:`reset` empties."""
        self._states.append(name)
        setattr(self, name, list(default))

    def reset(self) -> None:
        """Forget all faces."""
        for name in self._states:
            setattr(self, name, [])

    def __call__(self, *arguments: Any) -> Tensor:
        """Add a batch and return the value of this batch alone."""
        kept = {name: getattr(self, name) for name in self._states}
        self.reset()
        self.update(*arguments)  # type: ignore[attr-defined]
        value: Tensor = self.compute()  # type: ignore[attr-defined]
        for name, earlier in kept.items():
            setattr(self, name, [*earlier, *getattr(self, name)])
        return value

    forward = __call__


if TYPE_CHECKING:
    _Base = _Accumulator
else:
    try:
        from torchmetrics import Metric as _Base
    except ModuleNotFoundError:
        _Base = _Accumulator


class NME(_Base):
    """Mean NME of all faces so far, percent; the value of :func:`nmebench.evaluate` for the same landmarks.

    The NMEs of all faces are kept, 8 bytes each, so that the mean does not depend on the size of the batches.

    Source: HRNet/HRNet-Facial-Landmark-Detection, ``lib/core/evaluation.py`` (``compute_nme``).

    Args:
        scheme: name of a landmark scheme, such as ``wflw98``.
        normaliser: one of the scheme's normalisers; None for its default.

    Example:
        >>> gt = torch.rand(8, 98, 2, generator=torch.Generator().manual_seed(0)) * 256
        >>> metric = NME("wflw98")
        >>> metric.update(gt[:4], gt[:4])
        >>> metric.update(gt[4:], gt[4:])
        >>> metric.compute().item()
        0.0
    """

    is_differentiable: ClassVar[bool] = False
    higher_is_better: ClassVar[bool] = False
    full_state_update: ClassVar[bool] = False

    def __init__(self, scheme: str = "wflw98", normaliser: str | None = None, **options: Any) -> None:
        """Choose the scheme; ``options`` are those of ``torchmetrics.Metric``.

        Raises:
            InputError: the scheme or the normaliser is unknown.
        """
        super().__init__(**options)
        self.scheme = schemes.load(scheme)
        self.normaliser = self.scheme.default_normaliser if normaliser is None else normaliser
        schemes.normaliser(self.scheme, np.zeros((0, self.scheme.points, 2)), self.normaliser)
        self.per_face: list[Tensor] | Tensor  # torchmetrics makes it one tensor when it gathers several processes
        self.add_state("per_face", default=[], dist_reduce_fx="cat")

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Add a batch.

        Args:
            preds: ``[B, K, 2]``, in image px, or in any unit in which x and y have one scale, such as input px.
            target: ``[B, K, 2]``, the ground truth in the same unit; NaN for landmarks that are not labelled.

        Raises:
            InputError: an argument is no tensor, the shapes don't fit, a prediction is not finite, or a face gives no
                normaliser.
        """
        if not all(isinstance(given, Tensor) for given in (preds, target)):
            kinds = f"{type(preds).__name__} and {type(target).__name__}"
            raise InputError(f"preds and target are {kinds}; give tensors, such as torch.as_tensor(array)")
        shape = (self.scheme.points, 2)
        if preds.shape != target.shape or tuple(preds.shape[1:]) != shape:
            raise InputError(
                f"preds {list(preds.shape)} and target {list(target.shape)} must both be "
                f"[B, {shape[0]}, 2] for {self.scheme.name}"
            )
        predicted = preds.detach().to("cpu", torch.float32).numpy()
        truth = target.detach().to("cpu", torch.float64).numpy()
        if not np.isfinite(predicted).all():
            raise InputError("preds: a landmark is not finite; the training has diverged, or a decoder returned none")
        halves = np.isnan(truth).any(axis=2) != np.isnan(truth).all(axis=2)
        if halves.any() or np.isinf(truth).any():
            raise InputError("target: a landmark has one coordinate, or an infinite one; NaN for both is not labelled")
        lengths = schemes.normaliser(self.scheme, truth, self.normaliser)
        if not (lengths > 0).all():
            face = int(np.flatnonzero(~(lengths > 0))[0])
            raise InputError(f"target: face {face} of the batch has no normaliser {self.normaliser!r} above 0")
        values = nme(point_errors(predicted, truth), lengths, labelled(truth))
        cast("list[Tensor]", self.per_face).append(torch.from_numpy(np.atleast_1d(values)).to(preds.device))

    def compute(self) -> Tensor:
        """Return the value over all faces so far, a float64 scalar.

        Raises:
            InputError: there are no faces yet.
        """
        return torch.tensor(self._value(self._faces()), dtype=torch.float64)

    def _faces(self) -> NDArray[np.float64]:
        parts = [self.per_face] if isinstance(self.per_face, Tensor) else self.per_face
        if not parts:
            raise InputError("no faces yet: call update() before compute()")
        return np.asarray(torch.cat(parts).to("cpu", torch.float64).numpy())

    def _value(self, faces: NDArray[np.float64]) -> float:
        return float(faces.mean())


class FailureRate(NME):
    """Share of faces with an NME above ``threshold`` (percent) so far, percent.

    Source: as :func:`nmebench.metrics.failure_rate`.

    Example:
        >>> gt = torch.rand(4, 98, 2, generator=torch.Generator().manual_seed(0)) * 256
        >>> FailureRate("wflw98", threshold=8)(gt, gt).item()
        0.0
    """

    def __init__(
        self,
        scheme: str = "wflw98",
        normaliser: str | None = None,
        *,
        threshold: float = THRESHOLD,
        **options: Any,
    ) -> None:
        """Choose the scheme and the threshold, percent.

        Raises:
            InputError: the scheme or normaliser is unknown, or the threshold is not from 0.2 to 100.
        """
        super().__init__(scheme, normaliser, **options)
        self.threshold = check_threshold(threshold)

    def _value(self, faces: NDArray[np.float64]) -> float:
        return failure_rate(faces, self.threshold)


class AUC(FailureRate):
    """Exact area under the CED up to ``threshold`` (percent) so far, a fraction.

    Source: as :func:`nmebench.metrics.auc`.

    Example:
        >>> gt = torch.rand(4, 98, 2, generator=torch.Generator().manual_seed(0)) * 256
        >>> AUC("wflw98")(gt, gt).item()
        1.0
    """

    higher_is_better: ClassVar[bool] = True

    def _value(self, faces: NDArray[np.float64]) -> float:
        return auc(faces, self.threshold)
