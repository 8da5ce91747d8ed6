"""The verdict: reported numbers beside measured ones, likely causes of deviations, and a summary of the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nmebench.reports.render.text import count, display, number, sentence_list, signed
from nmebench.reports.sections.scores import METRIC_COLUMNS, BestScore
from nmebench.reports.view import RunView

__all__ = ["CauseLine", "RunSummary", "VerdictLine", "VerdictSection", "VerdictSummary", "section", "summary"]

STATUSES = ("deviates", "reproduced", "not comparable", "not run")
"""Statuses of a row, in the order of the table."""

_METRIC_NAMES: Mapping[str, str] = {column.key: column.name for column in METRIC_COLUMNS}
_DIGITS: Mapping[str, int] = {column.key: column.digits for column in METRIC_COLUMNS}


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
    metric: str
    subset: str
    reported: str
    measured: str
    difference: str
    allowed: str
    status: str
    reason: str
    source: str
    link: str
    causes: tuple[CauseLine, ...]
    causes_of: int
    """Number of rows with these causes; 0 if they are shown under an earlier row."""


@dataclass(frozen=True)
class VerdictSummary:
    """One sentence, its tone (``good``, ``bad`` or ``open``), the number of rows by status, and the rows."""

    sentence: str
    tone: str
    counts: tuple[tuple[str, int], ...]
    rows: tuple[VerdictLine, ...]


@dataclass(frozen=True)
class RunSummary:
    """The data, networks and protocol of the run, and its best cell."""

    dataset: str
    faces: str
    partial: bool
    """True if faces of the full set are missing."""
    models: tuple[str, ...]
    decoders: tuple[str, ...]
    flips: str
    boxes: str
    normaliser: str
    best: BestScore | None
    not_run: tuple[str, ...]


@dataclass(frozen=True)
class VerdictSection:
    """The verdict and the summary of the run."""

    verdict: VerdictSummary
    run: RunSummary


def section(view: RunView, best: BestScore | None) -> VerdictSection:
    """The first section of the page."""
    return VerdictSection(summary(view), _run_summary(view, best))


def _run_summary(view: RunView, best: BestScore | None) -> RunSummary:
    dataset = view.run.record.dataset
    return RunSummary(
        dataset=display(dataset.name, 60),
        faces=display(dataset.describe(), 80),
        partial="test" in dataset.expected and not dataset.complete,
        models=tuple(display(m.name, 80) for m in view.run.record.models),
        decoders=tuple(display(d, 80) for d in view.distinct("decoder")),
        flips=sentence_list([display(f, 40) for f in view.distinct("flip")]),
        boxes=sentence_list([display(b, 40) for b in view.distinct("box")]),
        normaliser=display(view.run.record.normaliser, 40),
        best=best,
        not_run=tuple(display(line, 500) for line in view.run.record.not_run),
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
    return len(printed) if printed.isdigit() and len(printed) < 9 else _DIGITS.get(str(row.get("metric")), 2)


def _row(row: Mapping[str, Any], causes: tuple[CauseLine, ...], causes_of: int) -> VerdictLine:
    metric, status, digits = str(row.get("metric", "")), str(row.get("status", "")), _digits(row)
    source = str(row.get("source") or "")
    return VerdictLine(
        model=display(row.get("model", ""), 80),
        table=display(row.get("table", ""), 80),
        metric=_METRIC_NAMES.get(metric, display(metric, 40)),
        subset=display(row.get("subset", ""), 40),
        reported=number(row.get("reported"), digits),
        measured=number(row.get("measured"), digits + 1),
        difference=signed(row.get("difference"), digits + 1),
        allowed=display(row.get("allowed") or "", 200),
        status=status if status in STATUSES else "not comparable",
        reason=display(row.get("reason") or "", 400),
        source=display(source),
        link=source if source.startswith("https://") and len(source) < 500 else "",
        causes=causes,
        causes_of=causes_of,
    )


def _rows(raw: list[Any]) -> list[VerdictLine]:
    """The rows, deviations first. Causes that several rows of one table share are shown once, under the first row."""
    known = [r for r in raw if isinstance(r, Mapping)]
    known.sort(key=lambda r: STATUSES.index(r["status"]) if r.get("status") in STATUSES else len(STATUSES))
    keys = [(str(r.get("model")), str(r.get("table")), _causes(r.get("causes"))) for r in known]
    seen: set[Any] = set()
    rows = []
    for row, key in zip(known, keys, strict=True):
        first = key not in seen and bool(key[2])
        seen.add(key)
        rows.append(_row(row, key[2] if first else (), keys.count(key) if first else 0))
    return rows


def summary(view: RunView) -> VerdictSummary:
    """The stored verdict in one sentence with its rows; without a stored verdict, how to get one."""
    stored = view.run.read_json("verdict.json")
    raw = stored.get("rows") if isinstance(stored, Mapping) else None
    if not isinstance(raw, list):
        text = "This run has not been compared with reported numbers yet: run `nmebench check RUN`."
        return VerdictSummary(text, "open", (), ())
    rows = _rows(raw)
    if not rows:
        return VerdictSummary("No reported number applies to this run.", "open", (), ())
    counts = {status: sum(row.status == status for row in rows) for status in STATUSES}
    sentence, tone = _sentence(rows, deviating=counts["deviates"], reproduced=counts["reproduced"])
    return VerdictSummary(sentence, tone, tuple(counts.items()), tuple(rows))


def _sentence(rows: Sequence[VerdictLine], *, deviating: int, reproduced: int) -> tuple[str, str]:
    compared = deviating + reproduced
    if not compared:
        reasons = list(dict.fromkeys(r.reason for r in rows if r.status == "not comparable"))[:2]
        because = f": {sentence_list(reasons)}" if reasons else ""
        subject = "The one reported number is not" if len(rows) == 1 else f"None of {len(rows)} reported numbers is"
        return f"{subject} comparable{because}.", "open"
    if deviating:
        verb = "deviates from the reported value" if deviating == 1 else "deviate from the reported values"
        return f"{deviating} of {count(compared, 'compared number')} {verb}.", "bad"
    if compared == 1:
        return "The one compared number is reproduced.", "good"
    return f"All {compared} compared numbers are reproduced.", "good"
