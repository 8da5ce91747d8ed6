"""A model card's test protocol (``[test]``) and the tables reported for it (``[reported]``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, model_validator

from nmebench.models.card_table import CardTable, Fraction, Line, Name, Percent, Spec
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

    ``decoder``, ``flip``, ``shift``, ``shift_coords`` and ``box`` replace the card's settings if this table was
    measured with others.
    """

    nme: Mapping[Name, Percent] = Field(default_factory=dict)
    """NME in percent by subset."""
    fr10: Mapping[Name, Annotated[float, Field(ge=0, le=100)]] = Field(default_factory=dict)
    """Failure rate at 10 % in percent by subset."""
    auc10: Mapping[Name, Fraction] = Field(default_factory=dict)
    """Area under the CED up to 10 % as a fraction by subset."""
    source: Line
    """Publication of the table."""
    tolerance: Annotated[float, Field(gt=0, le=10, allow_inf_nan=False)]
    """Largest difference of NME that counts as agreement, in percent points."""
    decoder: Spec | None = None
    flip: bool | Flip | None = None
    shift: bool | None = None
    shift_coords: bool | None = None
    box: Name | None = None

    @model_validator(mode="after")
    def _reports_a_value_and_one_flip_test(self) -> Reported:
        if not (self.nme or self.fr10 or self.auc10):
            raise ValueError("reports nothing: one of nme, fr10, auc10 is needed")
        if isinstance(self.flip, str) and (self.shift is not None or self.shift_coords is not None):
            raise ValueError(f"flip = {self.flip!r} names the flip test; leave out shift and shift_coords")
        return self
