"""The ways in which published tables compute AUC, to compare a printed number with the same computation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nmebench import metrics

__all__ = ["AUC_METHODS", "AucMethod"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class AucMethod:
    """One way to compute AUC that is not the exact area."""

    compute: Callable[[Array, float], float]
    """AUC (a fraction) of the faces' NME (percent ``[N]``) up to a threshold (percent)."""
    description: str
    bounds: Callable[[Array, float], tuple[float, float]] | None = None
    """The smallest and the largest possible difference from the exact area, where they are known."""

    def explain(self, nme: Array, threshold: float) -> str:
        """Return a sentence with the exact area and the method's largest differences from it.

        Args:
            nme: percent ``[N]``.
            threshold: percent.
        """
        exact = metrics.auc(nme, threshold)
        text = f"AUC as the source computes it ({self.description}); the exact area is {exact:.5f}"
        if self.bounds is None:
            return text
        low, high = self.bounds(nme, threshold)
        return f"{text}, and the method can differ from it by {low:+.5f} to {high:+.5f} on these faces"


#: By the name of the function in ``nmebench.metrics``, which published rows give as ``protocol.auc_method``.
AUC_METHODS: Mapping[str, AucMethod] = {
    "auc_hrnet": AucMethod(metrics.auc_hrnet, "Simpson's rule on a grid of 0.01 points"),
    "auc_spiga": AucMethod(
        metrics.auc_spiga,
        "a histogram of 10000 bins between the smallest and the largest NME",
        metrics.auc_spiga_bounds,
    ),
}
