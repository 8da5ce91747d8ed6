"""The verdict in words: what was reported, what was measured, and what to look at where they differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reports.text import DASH, count, number, say, sentence_list, signed
from reports.view import View

__all__ = ["Cause", "VerdictRow", "Verdict", "section"]

STATUSES = ("deviates", "reproduced", "not comparable", "not run")


@dataclass(frozen=True)
class Cause:
    """A likely cause of a deviation and what a rerun with the alternative said about it."""

    text: str
    detail: str
    explains: bool


@dataclass(frozen=True)
class VerdictRow:
    """A reported number beside the measured one."""

    model: str
    dataset: str
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
    causes: tuple[Cause, ...]


@dataclass(frozen=True)
class Verdict:
    """The whole: one sentence, a tone (``good``, ``bad``, ``open``) and the rows, deviations first."""

    sentence: str
    tone: str
    counts: tuple[tuple[str, int], ...]
    rows: tuple[VerdictRow, ...]


def _causes(row: Mapping[str, Any]) -> tuple[Cause, ...]:
    found = row.get("causes") or ()
    causes = []
    for cause in found if isinstance(found, list | tuple) else (found,):
        if isinstance(cause, Mapping):
            text = cause.get("cause") or cause.get("name") or cause.get("title") or ""
            detail = cause.get("detail") or cause.get("why") or cause.get("text") or ""
            causes.append(Cause(say(text), say(detail, 400), bool(cause.get("explains"))))
        else:
            causes.append(Cause(say(cause, 400), "", False))
    return tuple(causes)


def _row(row: Mapping[str, Any], default_dataset: str) -> VerdictRow:
    metric = str(row.get("metric", ""))
    digits = 4 if metric.startswith("auc") else 2
    status = str(row.get("status", ""))
    measured, difference = row.get("measured"), row.get("difference")
    words = say(row.get("reason") or "", 400)
    if not words:
        words = "within the allowed difference" if status == "reproduced" else status
    source = str(row.get("source") or "")
    return VerdictRow(
        model=say(row.get("model", ""), 80),
        dataset=say(row.get("dataset") or default_dataset, 40),
        table=say(row.get("table", ""), 80),
        metric={"nme": "NME", "fr10": "FR@10", "auc10": "AUC@10"}.get(metric, say(metric, 40)),
        subset=say(row.get("subset", ""), 40),
        reported=number(row.get("reported"), digits),
        measured=number(measured, digits + 1),
        difference=signed(difference, digits + 1),
        allowed=number(row.get("allowed"), digits + 1),
        status=status if status in STATUSES else "not comparable",
        words=words,
        source=say(source),
        link=source if source.startswith("https://") and len(source) < 500 else "",
        causes=_causes(row),
    )


def section(view: View) -> Verdict:
    """The stored verdict, or the sentence that says how to get one."""
    stored = view.run.read_json("verdict.json")
    raw = stored.get("rows") if isinstance(stored, Mapping) else None
    if not isinstance(raw, list):
        return Verdict(
            "Nothing was compared with reported numbers yet: `nmebench check RUN` does that.", "open", (), ()
        )
    rows = [_row(r, view.run.record.dataset.name) for r in raw if isinstance(r, Mapping)]
    rows.sort(key=lambda r: STATUSES.index(r.status))
    counts = tuple((s, sum(r.status == s for r in rows)) for s in STATUSES)
    by = dict(counts)
    compared = by["reproduced"] + by["deviates"]
    if not rows:
        sentence, tone = "No reported number applies to this run.", "open"
    elif not compared:
        reasons = list(dict.fromkeys(r.words for r in rows if r.status == "not comparable"))[:2]
        because = f": {sentence_list(reasons)}" if reasons else ""
        sentence, tone = f"None of {count(len(rows), 'reported number')} was comparable{because}.", "open"
    elif by["deviates"]:
        sentence = f"{by['deviates']} of {count(compared, 'compared number')} " + (
            "deviates from its report." if by["deviates"] == 1 else "deviate from their reports."
        )
        tone = "bad"
    else:
        sentence = f"{'The one compared number' if compared == 1 else f'All {compared} compared numbers'} "
        sentence += f"{'was' if compared == 1 else 'were'} reproduced."
        tone = "good"
    return Verdict(sentence, tone, counts if rows else (), tuple(rows))


def no_number(text: str) -> bool:
    """Whether a cell of the table holds no number."""
    return text == DASH
