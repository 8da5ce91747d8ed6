"""Reported and measured numbers: the stored verdict as one sentence, by table, and number by number with causes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from nmebench import published
from nmebench.metric_names import is_metric
from nmebench.printable import counted
from nmebench.reports.render.text import DASH, display, number, sentence_list, signed
from nmebench.reports.sections.scores import metric_column
from nmebench.reports.view import COMMITTED, CellView, RunView
from nmebench.runs.sweep_folder import is_sweep

__all__ = [
    "CauseLine",
    "VerdictGrid",
    "VerdictGroup",
    "VerdictLine",
    "VerdictSummary",
    "summary",
]

STATUSES: Final = ("deviates", "reproduced", "not comparable", "not run")
"""Statuses of a row, in the order of the table."""


@dataclass(frozen=True)
class CauseLine:
    """A likely cause of a deviation, and the result of a rerun with the alternative setting."""

    text: str
    detail: str
    explains: bool


@dataclass(frozen=True)
class VerdictLine:
    """A reported number and the measured one."""

    model: str
    table: str
    kind: str
    """Origin of the table: ``published``, ``committed`` or ``card``."""
    metric: str
    subset: str
    protocol: str
    """Decoder, flip test and box of the measured cell; the reason if there is none."""
    reported: str
    measured: str
    greyed: bool
    """True if the measured number is shown for information, because it is not comparable."""
    difference: str
    rounding_only: bool
    """True if the difference, as shown, is at most half of the last printed decimal of the reported number."""
    cell: CellView | None
    """The measured cell; None if there is none."""
    size: float
    """The difference in units of the allowed one: above 1 it deviates. -1 if it was not compared."""
    allowed: str
    status: str
    reason: str
    source: str
    link: str
    causes: tuple[CauseLine, ...]
    causes_of: int
    """Number of rows with these causes; 0 if they are shown under an earlier row."""


@dataclass(frozen=True)
class VerdictGroup:
    """The numbers of one table for one network."""

    model: str
    table: str
    kind: str
    link: str
    source: str
    counts: Mapping[str, int]
    worst: VerdictLine | None
    """The number with the largest difference; None if nothing was compared."""
    reasons: tuple[str, ...]
    """The reasons for numbers that were not compared, the most frequent first."""


@dataclass(frozen=True)
class VerdictGrid:
    """All numbers: a row per network, table, metric and cell, a column per subset."""

    subsets: tuple[str, ...]
    rows: tuple[tuple[VerdictLine, tuple[VerdictLine | None, ...]], ...]
    """The first line of each row, for its names, and the line of each subset."""


@dataclass(frozen=True)
class VerdictSummary:
    """The verdict: one sentence, its tone (``good``, ``bad`` or ``open``), and the rows."""

    sentence: str
    tone: str
    counts: tuple[tuple[str, int], ...]
    """Number of rows by status."""
    rows: tuple[VerdictLine, ...]
    """All rows, deviations first."""
    tables: tuple[str, ...] = ()
    """The tables with which the numbers are compared."""

    @property
    def worst(self) -> VerdictLine | None:
        """The compared number with the largest difference in units of the allowed one; None without one."""
        compared = [row for row in self.rows if row.size >= 0]
        return max(compared, key=lambda row: row.size) if compared else None

    @property
    def deviations(self) -> tuple[VerdictLine, ...]:
        """The rows that deviate."""
        return tuple(row for row in self.rows if row.status == "deviates")

    @property
    def groups(self) -> tuple[VerdictGroup, ...]:
        """The rows by network and table."""
        keys = dict.fromkeys((row.model, row.table) for row in self.rows)
        return tuple(_group([row for row in self.rows if (row.model, row.table) == key]) for key in keys)

    @property
    def grid(self) -> VerdictGrid:
        """All rows with a column per subset."""
        subsets = tuple(dict.fromkeys(row.subset for row in sorted(self.rows, key=lambda row: row.subset != "test")))
        keyed: dict[tuple[str, ...], dict[str, VerdictLine]] = {}
        for row in self.rows:
            keyed.setdefault((row.model, row.table, row.metric, row.protocol), {})[row.subset] = row
        rows = [(next(iter(found.values())), tuple(found.get(s) for s in subsets)) for found in keyed.values()]
        return VerdictGrid(subsets, tuple(rows))


def _group(rows: Sequence[VerdictLine]) -> VerdictGroup:
    first = rows[0]
    compared = [row for row in rows if row.size >= 0]
    reasons = [row.reason for row in rows if row.status.startswith("not ")]
    return VerdictGroup(
        first.model,
        first.table,
        first.kind,
        first.link,
        first.source,
        {status: sum(row.status == status for row in rows) for status in STATUSES},
        max(compared, key=lambda row: row.size) if compared else None,
        tuple(sorted(dict.fromkeys(reasons), key=lambda reason: -reasons.count(reason))),
    )


def _causes(found: Any) -> tuple[CauseLine, ...]:
    causes = []
    for cause in found if isinstance(found, list) else []:
        if isinstance(cause, Mapping):
            share = cause.get("explained")
            tested = f" It explains {100 * share:.0f} % of the deviation." if isinstance(share, int | float) else ""
            text = display(cause.get("detail", ""), 400) + tested
            causes.append(CauseLine(display(cause.get("cause", "")), text, bool(cause.get("explains"))))
    return tuple(causes)


def _digits(row: Mapping[str, Any]) -> int:
    """Number of decimals of the reported number as printed, else the metric's usual number."""
    printed = str(row.get("reported_text") or "").partition(".")[2]
    if printed.isdigit() and len(printed) < 9:
        return len(printed)
    metric = str(row.get("metric"))
    return metric_column(metric).digits if is_metric(metric) else 2


def _size(row: Mapping[str, Any]) -> float:
    """The difference in units of half the allowed range; -1 if nothing was compared."""
    difference, low, high = (row.get(name) for name in ("difference", "low", "high"))
    if row.get("status") not in ("deviates", "reproduced") or not isinstance(difference, int | float):
        return -1.0
    if isinstance(low, int | float) and isinstance(high, int | float) and high > low:
        return abs(difference) / (0.5 * (high - low))
    return abs(difference)


def _kind(table: str, source: str) -> str:
    if table == COMMITTED:
        return "committed"
    return "published" if any(row.source == source for row in published.load()) else "card"


def _measured(view: RunView, row: Mapping[str, Any]) -> tuple[Any, bool, str]:
    """The measured number, true if it is shown for information, and its cell's id.

    A number that is shown for information is that of the cell nearest to the protocol. A table of another data set has
    none, because its numbers are of other faces.
    """
    if row.get("dataset") not in (None, view.run.record.dataset.name):
        return None, False, str(row.get("cell"))
    if row.get("measured") is not None or row.get("status") == "not run":
        return row.get("measured"), row.get("status") == "not comparable", str(row.get("cell"))
    model = str(row.get("model"))
    cell = row.get("cell") or getattr(view.reported_of_model.get(model) or view.best_of_model.get(model), "id", None)
    score = view.scores.get((str(cell), str(row.get("subset"))), {})
    return score.get(str(row.get("metric"))), True, str(cell)


def _row(view: RunView, row: Mapping[str, Any], causes: tuple[CauseLine, ...], causes_of: int) -> VerdictLine:
    metric, status, digits = str(row.get("metric", "")), str(row.get("status", "")), _digits(row)
    source, table = str(row.get("source") or ""), str(row.get("table", ""))
    measured, greyed, measured_cell = _measured(view, row)
    difference = row.get("difference")
    cells = {cell.id: cell for cell in view.cells}
    cell = cells.get(str(row.get("cell")))
    return VerdictLine(
        model=display(row.get("model", ""), 80),
        table=display(table, 80),
        kind=_kind(table, source),
        metric=metric_column(metric).name if is_metric(metric) else display(metric, 40),
        subset=display(row.get("subset", ""), 40),
        protocol=cell.label_without(("model",)) if cell else display(row.get("reason") or "", 200),
        reported=number(row.get("reported"), digits),
        measured=number(measured, digits + 1) if status != "not run" else DASH,
        greyed=greyed,
        difference=signed(difference, digits + 1),
        rounding_only=isinstance(difference, int | float) and round(abs(difference) * 10 ** (digits + 1)) <= 5,
        cell=cells.get(measured_cell),
        size=_size(row),
        allowed=display(row.get("allowed") or "", 200),
        status=status if status in STATUSES else "not comparable",
        reason=display(row.get("reason") or "", 400),
        source=display(source),
        link=source if source.startswith("https://") and len(source) < 500 else "",
        causes=causes,
        causes_of=causes_of,
    )


def _rows(view: RunView, raw: Sequence[Mapping[str, Any]]) -> list[VerdictLine]:
    """The rows, deviations first. Causes that several rows of one table share are shown once, under the first row."""
    known = sorted(raw, key=lambda r: STATUSES.index(r["status"]) if r.get("status") in STATUSES else len(STATUSES))
    keys = [(str(r.get("model")), str(r.get("table")), _causes(r.get("causes"))) for r in known]
    seen: set[Any] = set()
    rows = []
    for row, key in zip(known, keys, strict=True):
        first = key not in seen and bool(key[2])
        seen.add(key)
        rows.append(_row(view, row, key[2] if first else (), keys.count(key) if first else 0))
    return rows


def summary(view: RunView) -> VerdictSummary:
    """The stored verdict in one sentence with its rows; without a stored verdict, how to get one."""
    raw = view.verdict_rows
    if raw is None:
        folder = "SWEEP" if is_sweep(view.run.path.parent) else "RUN"
        text = f"This run has not been compared with reported numbers yet: run `nmebench check {folder}`."
        return VerdictSummary(text, "open", (), ())
    rows = _rows(view, raw)
    if not rows:
        return VerdictSummary("No reported number applies to this run.", "open", (), ())
    counts = {status: sum(row.status == status for row in rows) for status in STATUSES}
    compared = [row for row in rows if row.size >= 0]
    tables = tables_in_words(compared or rows)
    sentence, tone = _sentence(rows, tables, deviating=counts["deviates"], reproduced=counts["reproduced"])
    return VerdictSummary(sentence, tone, tuple(counts.items()), tuple(rows), tables)


def tables_in_words(rows: Sequence[VerdictLine]) -> tuple[str, ...]:
    """Name the tables of the rows, so that a published table is never mixed up with nmebench's own."""
    words = []
    if any(row.kind == "committed" for row in rows):
        words.append("the committed table of the embedded benchmark")
    for kind, noun in (("published", "the published table"), ("card", "the model card's table")):
        names = list(dict.fromkeys(row.table for row in rows if row.kind == kind))
        if names:
            shown = names[:3] + ([f"{len(names) - 3} more"] if len(names) > 3 else [])
            words.append(f"{noun}{'s' if len(names) > 1 else ''} {sentence_list(shown)}")
    return tuple(words)


def _sentence(
    rows: Sequence[VerdictLine], tables: Sequence[str], *, deviating: int, reproduced: int
) -> tuple[str, str]:
    compared, of = deviating + reproduced, sentence_list(list(tables))
    if not compared:
        reasons = list(dict.fromkeys(r.reason for r in rows if r.status == "not comparable"))[:2]
        because = f": {sentence_list(reasons)}" if reasons else ""
        subject = "The one reported number is not" if len(rows) == 1 else f"None of {len(rows)} reported numbers is"
        return f"{subject} comparable{because}.", "open"
    if deviating:
        verb = "deviates" if deviating == 1 else "deviate"
        return f"{deviating} of {counted(compared, 'compared number')} of {of} {verb}.", "bad"
    if compared == 1:
        return f"The one compared number of {of} is reproduced.", "good"
    return f"All {compared} compared numbers of {of} are reproduced.", "good"
