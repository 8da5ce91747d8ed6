"""A model card's test protocol (``[test]``) and the tables reported for it (``[reported]``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from nmebench.metric_names import NME, MetricName, check_rates, gather_rates, spread_rates
from nmebench.models.card_table import CardTable, Finite, Line, Name, Percent, Spec
from nmebench.protocol import Flip

__all__ = ["Reported", "TestProtocol"]


class TestProtocol(CardTable):
    """The protocol with which the reported tables were measured."""

    __test__ = False  # pytest must not collect this class

    decoder: Spec | None = None
    """Spec of the decoder; None if the network gives landmarks."""
    flip: bool | Flip = False
    """True if the outputs are averaged with those of the mirrored image (with ``shift`` as mmpose does it), or the name
    of the flip test, such as ``flip-coords``."""
    shift: bool = False
    """mmpose's ``shift_heatmap``: the flipped heatmaps are moved right by one px before averaging."""
    shift_coords: bool = False
    """mmpose 1.x's ``shift_coords``, which applies to networks that give landmarks."""

    @model_validator(mode="after")
    def _one_flip_test(self) -> TestProtocol:
        if isinstance(self.flip, str) and (self.shift or self.shift_coords):
            raise ValueError(f"flip = {self.flip!r} names the flip test; leave out shift and shift_coords")
        return self


class Reported(CardTable):
    """One published table.

    A card has a field per metric: ``nme``, and ``frT`` and ``aucT`` at a threshold of T percent, such as ``fr10`` and
    ``auc8`` (in quotes where T has a point: ``"fr7.5"``). ``decoder``, ``flip``, ``shift``, ``shift_coords``, ``box``
    and ``normaliser`` replace the card's settings if this table was measured with others.
    """

    nme: Mapping[Name, Percent] = Field(default_factory=dict)
    """NME in percent by subset."""
    rates: Mapping[MetricName, Mapping[Name, Finite]] = Field(default_factory=dict)
    """FR (percent) and AUC (fraction) by metric and subset: the fields ``frT`` and ``aucT`` of the card."""
    source: Line
    """Publication of the table."""
    tolerance: Annotated[float, Field(gt=0, le=10, allow_inf_nan=False)]
    """Largest difference of NME that counts as agreement, in percent points."""
    decoder: Spec | None = None
    flip: bool | Flip | None = None
    shift: bool | None = None
    shift_coords: bool | None = None
    box: Name | None = None
    normaliser: Name | None = None
    """Name of the normaliser of the landmark scheme; None for ``inter-ocular``."""

    _gather = model_validator(mode="before")(gather_rates)

    @model_serializer(mode="wrap")
    def _spread(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return spread_rates(dump(self))

    def values(self, metric: str) -> Mapping[str, float]:
        """Return the values of a metric by subset; empty if the table doesn't report it."""
        return self.nme if metric == NME else self.rates.get(metric, {})

    @model_validator(mode="after")
    def _reports_a_value_and_one_flip_test(self) -> Reported:
        check_rates(self.rates)
        if not (self.nme or any(self.rates.values())):
            raise ValueError("reports nothing: nme, or fr or auc with a threshold such as fr10, is needed")
        if isinstance(self.flip, str) and (self.shift is not None or self.shift_coords is not None):
            raise ValueError(f"flip = {self.flip!r} names the flip test; leave out shift and shift_coords")
        return self
