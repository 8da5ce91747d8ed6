"""One page for several runs: a first screen that answers "does it hold" for each, then the report of each run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from markupsafe import Markup

from nmebench.errors import InputError
from nmebench.gates import Baseline
from nmebench.metric_names import Metric, threshold_text
from nmebench.printable import counted
from nmebench.reports.page import RunSections, Section, assemble_page, render, sections_of, write_page
from nmebench.reports.render.page_files import environment
from nmebench.reports.render.prefixed import with_prefix
from nmebench.reports.render.text import DASH, adaptive_decimals, display, number, sentence_list
from nmebench.reports.sections.answers import Answer
from nmebench.reports.view import HeadlineCell, RunView
from nmebench.runs.run_store import Run
from nmebench.runs.sweep_folder import folder_names

__all__ = ["several_html", "write_several"]

_MOST_ROWS: Final = 6
"""Headline cells of a run on the first screen."""

_MOST_RUNS: Final = 12
"""Runs of one page, so that its size stays bounded."""


@dataclass(frozen=True)
class _Row:
    """A headline cell on the first screen."""

    network: str
    nme: str
    interval: str
    fr: str
    auc: str
    protocol: str
    flag: str


@dataclass(frozen=True)
class _Part:
    """One run: its answers on the first screen, and its own part of the page."""

    name: str
    prefix: str
    """Beginning of all ids of the part."""
    holds: Answer
    change: Answer | None
    mapped: str
    """The point mappings of its cells, unless the answer names them."""
    partial: str
    faces: str
    normaliser: str
    threshold: str
    rows: tuple[_Row, ...]
    more: int
    nav: tuple[tuple[str, str], ...]
    body: Markup


def several_html(
    runs: Mapping[str, Run],
    *,
    pictures: bool = True,
    timings: bool = False,
    title: str = "",
    baselines: Mapping[str, Baseline] | None = None,
    baseline_name: str = "",
) -> str:
    """Render the report of several runs as one page.

    Args:
        runs: scored runs by name, in the order of the page.
        pictures: False leaves the pictures of the faces out.
        timings: True adds times and the machine, which differ between two equal runs.
        title: title of the page; empty for one made from the names.
        baselines: earlier runs by the names of the runs that are compared with them.
        baseline_name: name of the earlier runs, such as that of their folder.

    Returns:
        The page as HTML; the same runs give the same bytes.

    Raises:
        InputError: there is no run or there are more than 12, a run has no scores, or one of its files or a baseline is
            missing or damaged.
    """
    if not 1 <= len(runs) <= _MOST_RUNS:
        raise InputError(f"a report of {len(runs)} runs: give 1 to {_MOST_RUNS}")
    made = {
        name: sections_of(
            run,
            pictures=pictures,
            timings=timings,
            baseline=(baselines or {}).get(name),
            baseline_name=baseline_name,
            share=len(runs),
        )
        for name, run in runs.items()
    }
    prefixes = [f"{name}." for name in folder_names(list(made))]  # names come from outside; ids of sections have no dot
    parts = [_part(name, prefix, found) for prefix, (name, found) in zip(prefixes, made.items(), strict=True)]
    body = environment().get_template("several.html.j2").render(runs=parts)
    names = sentence_list([part.name for part in parts])
    versions = dict.fromkeys(display(run.record.provenance.nmebench, 40) for run in runs.values())
    return assemble_page(
        Markup(body),  # noqa: S704 - the template escapes
        [("overview", "Overview"), *((f"{part.prefix}run", part.name) for part in parts)],
        title=display(title, 120) or names,
        subtitle=f"{counted(len(parts), 'data set')}: {names}" if title else "",
        version=", ".join(versions),
        data={"parts": [{**one.data, "prefix": part.prefix} for part, one in zip(parts, made.values(), strict=True)]},
        stylesheets=("page.css", "several.css"),
    )


def _part(name: str, prefix: str, found: RunSections) -> _Part:
    view, first = found.view, found.answers
    record = view.run.record
    rows = [_row(view, headline) for headline in view.headline]
    mapped = sentence_list(list(dict.fromkeys(cell.mapping for cell in view.cells if cell.mapping)))
    sections = [_without_hidden_heading(section) for section in found.sections]
    return _Part(
        name=display(name, 80),
        prefix=prefix,
        holds=first.holds,
        change=first.change if any(section.id == "change" for section in sections) else None,
        mapped="" if "through the mapping" in first.holds.sentence else mapped,
        partial=first.partial,
        faces=display(record.dataset.describe(), 80),
        normaliser=display(record.normaliser, 40),
        threshold=threshold_text(record.thresholds[0]),
        rows=tuple(rows[:_MOST_ROWS]),
        more=max(0, len(rows) - _MOST_ROWS),
        nav=tuple((section.id, section.nav) for section in sections),
        body=with_prefix(render(sections, of_run=True), prefix, display(name, 80)),
    )


def _without_hidden_heading(section: Section) -> Section:
    """The section with a heading that names it among those of other runs."""
    return replace(section, heading="Answers in detail") if section.id == "answers" else section


def _row(view: RunView, headline: HeadlineCell) -> _Row:
    cell = headline.cell
    scores: Mapping[str, Any] = view.scores.get((cell.id, "test"), {})
    threshold = view.run.record.thresholds[0]
    fr, auc = _score(scores, Metric("fr", threshold).name, 2), _score(scores, Metric("auc", threshold).name, 4)
    nme = float(view.nme[cell.index].mean())
    digits = adaptive_decimals(nme, 3)
    low, high = (float(scores.get(f"nme_{end}", math.nan)) for end in ("low", "high"))
    known = math.isfinite(low) and math.isfinite(high) and not cell.diverged
    return _Row(
        network=display(cell.model, 80),
        nme=number(nme, digits),
        interval=f"{number(low, digits)} to {number(high, digits)}" if known else "",
        fr=fr,
        auc=auc,
        protocol=f"{display(cell.decoder_label, 80)} · {cell.flip_text} · {display(cell.box, 40)}",
        flag=", ".join(text for text in (cell.diverged, f"mapped {cell.mapping}" if cell.mapping else "") if text),
    )


def _score(scores: Mapping[str, Any], name: str, digits: int) -> str:
    value = scores.get(name)
    return DASH if value is None or not math.isfinite(float(value)) else number(float(value), digits)


def write_several(
    runs: Mapping[str, Run],
    out: Path,
    *,
    pictures: bool = True,
    timings: bool = False,
    title: str = "",
    baselines: Mapping[str, Baseline] | None = None,
    baseline_name: str = "",
) -> Path:
    """Write the report of several runs to ``out``, atomically; see :func:`several_html`.

    Args:
        runs: scored runs by their names.
        out: the HTML file.
        pictures: include pictures of faces.
        timings: add timings; the pages of two equal runs then differ.
        title: title of the page.
        baselines: show the change from the baseline of each run.
        baseline_name: their name on the page.

    Returns:
        The path of the page.

    Raises:
        InputError: as for :func:`several_html`, or ``out`` can't be written.
    """
    text = several_html(
        runs, pictures=pictures, timings=timings, title=title, baselines=baselines, baseline_name=baseline_name
    )
    return write_page(text, out)
