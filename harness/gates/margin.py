"""The margin of a gate: the increase of NME that passes."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from nmebench.errors import InputError
from nmebench.printable import shown

__all__ = ["DEFAULT_MARGIN", "Margin"]

#: A mean NME that is worse by at most this much (percent points) passes, even if the difference is significant. It is
#: the last decimal that papers print; float noise between processors and batch sizes is less than a tenth of it.
DEFAULT_MARGIN = 0.01
"""The largest increase of NME that passes when none is named, percent points."""

_NUMBER = re.compile(r"([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")


@dataclass(frozen=True)
class Margin:
    """An absolute margin in percent points of NME, or one relative to the baseline's NME.

    Example:
        >>> Margin.parse("0.05").points(4.0), Margin.parse("1%").points(4.0)
        (0.05, 0.04)
    """

    value: float = DEFAULT_MARGIN
    """Percent points; for a relative margin percent of the baseline's NME."""
    relative: bool = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.value) and self.value >= 0):
            raise InputError(f"margin {self.value:g}: {_FORM}")

    @classmethod
    def parse(cls, text: str) -> Margin:
        """Parse ``0.05`` (percent points) or ``1%`` (of the baseline's NME).

        Raises:
            InputError: the text is no number of 0 or more.
        """
        number = text.strip().removesuffix("%").rstrip()
        if not _NUMBER.fullmatch(number):
            raise InputError(f"margin {shown(text)!r}: {_FORM}")
        return cls(float(number), text.strip().endswith("%"))

    def points(self, before: float) -> float:
        """Return the allowed increase in percent points for an NME (percent) of the baseline."""
        return self.value * before / 100 if self.relative else self.value

    def __str__(self) -> str:
        return f"{self.value:g} %" if self.relative else f"{self.value:g} points"


_FORM = (
    "must be a number of percent points, 0 or more (0.01 is usual), or a percentage of the baseline's NME, such as 1%"
)
