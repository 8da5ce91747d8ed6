"""The verdict in words: what was reported, what was measured, and what to look at where they differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nmebench.reports.render.text import count, number, say, sentence_list, signed
from nmebench.reports.view import RunView

__all__ = ["CauseLine", "VerdictLine", "VerdictSummary", "section"]

STATUSES = ("deviates", "reproduced", "not comparable", "not run")


@dataclass(frozen=True)
class CauseLine:
    """A likely cause of a deviation and what a rerun with the alternative said about it."""

    text: str
    detail: str
    explains: bool


@dataclass(frozen=True)
class VerdictLine:
    """A reported number beside the measured one."""

    model: str
    table: str
    metric: str
    subset: str
    reported: str
    measured: str
    difference: str
    allowed: str
    status: str
    words: str
    source: str
    link: str
    causes: tuple[CauseLine, ...]
    causes_of: int
    """Rows that have these causes; 0 where they stand under an earlier row."""


@dataclass(frozen=True)
class VerdictSummary:
    """The whole: one sentence, a tone (``good``, ``bad``, ``open``) and the rows, deviations first."""

    sentence: str
    tone: str
    counts: tuple[tuple[str, int], ...]
    rows: tuple[VerdictLine, ...]


def _causes(found: Any) -> tuple[CauseLine, ...]:
    causes = []
    for cause in found if isinstance(found, list) else []:
        if isinstance(cause, Mapping):
            share = cause.get("explained")
            tested = f" Takes away {100 * share:.0f} % of the deviation." if isinstance(share, int | float) else ""
            text = say(cause.get("detail", ""), 400) + tested
            causes.append(CauseLine(say(cause.get("cause", "")), text, bool(cause.get("explains"))))
    return tuple(causes)


def _digits(row: Mapping[str, Any]) -> int:
    """As many digits as were printed."""
    printed = str(row.get("reported_text") or "").partition(".")[2]
    return len(printed) if printed.isdigit() and len(printed) < 9 else 4 if row.get("metric") == "auc10" else 2


def _row(row: Mapping[str, Any], causes: tuple[CauseLine, ...], causes_of: int) -> VerdictLine:
    metric, status, digits = str(row.get("metric", "")), str(row.get("status", "")), _digits(row)
    source = str(row.get("source") or "")
    return VerdictLine(
        model=say(row.get("model", ""), 80),
        table=say(row.get("table", ""), 80),
        metric={"nme": "NME", "fr10": "FR@10", "auc10": "AUC@10"}.get(metric, say(metric, 40)),
        subset=say(row.get("subset", ""), 40),
        reported=number(row.get("reported"), digits),
        measured=number(row.get("measured"), digits + 1),
        difference=signed(row.get("difference"), digits + 1),
        allowed=say(row.get("allowed") or "", 200),
        status=status if status in STATUSES else "not comparable",
        words=say(row.get("reason") or "", 400),
        source=say(source),
        link=source if source.startswith("https://") and len(source) < 500 else "",
        causes=causes,
        causes_of=causes_of,
    )


def _rows(raw: list[Any]) -> list[VerdictLine]:
    """The rows, deviations first; the causes that several rows of one table share stand once, under the first."""
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


def section(view: RunView) -> VerdictSummary:
    """The stored verdict, or the sentence that says how to get one."""
    stored = view.run.read_json("verdict.json")
    raw = stored.get("rows") if isinstance(stored, Mapping) else None
    if not isinstance(raw, list):
        return VerdictSummary(
            "Nothing was compared with reported numbers yet: `nmebench check RUN` does that.", "open", (), ()
        )
    rows = _rows(raw)
    counts = tuple((s, sum(r.status == s for r in rows)) for s in STATUSES)
    by = dict(counts)
    compared = by["reproduced"] + by["deviates"]
    if not rows:
        sentence, tone = "No reported number applies to this run.", "open"
    elif not compared:
        reasons = list(dict.fromkeys(r.words for r in rows if r.status == "not comparable"))[:2]
        because = f": {sentence_list(reasons)}" if reasons else ""
        whole = "The one reported number was not" if len(rows) == 1 else f"None of {len(rows)} reported numbers was"
        sentence, tone = f"{whole} comparable{because}.", "open"
    elif by["deviates"]:
        sentence = f"{by['deviates']} of {count(compared, 'compared number')} " + (
            "deviates from its report." if by["deviates"] == 1 else "deviate from their reports."
        )
        tone = "bad"
    else:
        sentence = f"{'The one compared number' if compared == 1 else f'All {compared} compared numbers'} "
        sentence += f"{'was' if compared == 1 else 'were'} reproduced."
        tone = "good"
    return VerdictSummary(sentence, tone, counts if rows else (), tuple(rows))
