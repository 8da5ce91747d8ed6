"""A model card's output (``[output]``)."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from nmebench.models.card_table import CardTable
from nmebench.protocol import Grid

__all__ = ["Output"]


class Output(CardTable):
    """The output that the network gives."""

    kind: Literal["heatmaps", "landmarks", "simcc"] = "heatmaps"
    unit: Literal["crop-fraction", "input-px"] | None = None
    """Unit of the raw landmarks; the built network always gives input px."""
    layout: Literal["xy", "xs-ys"] = "xy"
    """Order of raw landmarks ``[N, 2 K]``: x0, y0, x1, y1, ... or all x, then all y."""
    grid: Grid | None = None
    """Map from heatmap px to input px with which the network was trained; None means ``stride``."""

    @model_validator(mode="after")
    def _grid_belongs_to_heatmaps(self) -> Output:
        if self.grid is not None and self.kind != "heatmaps":
            raise ValueError(f"grid applies to kind = 'heatmaps', not to kind = {self.kind!r}; leave it out")
        return self
