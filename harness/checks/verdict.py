"""The result of a check: typed rows, stored as ``verdict.json``."""

from __future__ import annotations

from collections import Counter
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, computed_field

from nmebench.metric_names import MetricName
from nmebench.printable import counted

__all__ = ["STATUSES", "CauseFinding", "Status", "Verdict", "VerdictRow"]

Status = Literal["reproduced", "deviates", "not comparable", "not run"]
"""The result for one reported number."""

STATUSES: tuple[Status, ...] = get_args(Status)


class _Record(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class CauseFinding(_Record):
    """A likely cause of a deviation and the result of testing it."""

    cause: str
    """Name of the cause, such as ``flip shift``."""
    detail: str
    """A description of the cause and the result of the test."""
    explains: bool = False
    """True when every compared number would be reproduced with the alternative."""
    explained: float | None = None
    """Share of the deviation (root mean square over the subsets) that the alternative removes; None if untested."""
    overrides: dict[str, Any] = Field(default_factory=dict)
    """The alternative as fields of a sweep configuration; empty for an alternative that needs no new sweep."""
    nme: dict[str, float] = Field(default_factory=dict)
    """NME by subset with the alternative, percent."""


class VerdictRow(_Record):
    """The result for one reported number."""

    model: str
    dataset: str
    table: str
    metric: MetricName
    subset: str
    cell: str | None = None
    reported: float
    """Percent for NME and FR, a fraction for AUC."""
    reported_text: str
    """As printed, with its decimals."""
    measured: float | None = None
    difference: float | None = None
    """Measured minus reported."""
    low: float | None = None
    """Smallest value that counts as reproduced."""
    high: float | None = None
    """First value above the range that counts as reproduced."""
    allowed: str
    """Description of the range that counts as reproduced."""
    status: Status
    reason: str
    source: str
    causes: tuple[CauseFinding, ...] = ()
    """Likely causes of a deviation, most likely first."""


class Verdict(_Record):
    """The result of a check, with the fields of ``verdict.json``."""

    schema_version: int = 1
    rows: tuple[VerdictRow, ...]

    def count(self, status: Status) -> int:
        """Number of rows with a status."""
        return sum(row.status == status for row in self.rows)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def exit_code(self) -> int:
        """0 when something was reproduced and nothing deviates, 1 when something deviates, 3 otherwise."""
        if self.count("deviates"):
            return 1
        return 0 if self.count("reproduced") else 3

    @computed_field  # type: ignore[prop-decorator]
    @property
    def summary(self) -> str:
        """The result in one line."""
        if not self.rows:
            return "nothing to compare: no reported numbers are known for these models"
        parts = []
        for status in STATUSES:
            if count := self.count(status):
                reasons = Counter(row.reason for row in self.rows if row.status == status)
                common, times = reasons.most_common(1)[0]
                why = f" ({common})" if status.startswith("not") and times == count else ""
                verb = "deviate" if status == "deviates" and count > 1 else status
                parts.append(f"{count} {verb}{why}")
        return f"{counted(len(self.rows), 'reported number')}: {', '.join(parts)}"
