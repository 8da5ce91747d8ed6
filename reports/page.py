"""The report page: one self-contained HTML file, with the same bytes for the same run."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from nmebench.errors import InputError
from nmebench.files import write_atomically
from nmebench.gates import Baseline
from nmebench.printable import counted
from nmebench.protocol import DIRECT
from nmebench.reports.render.page_files import asset, environment, styles
from nmebench.reports.render.text import display
from nmebench.reports.sections import (
    answers,
    attributes,
    boxes,
    ced,
    change,
    checkpoints,
    cost,
    counts,
    differences,
    downloads,
    gallery,
    landmarks,
    neighbours,
    provenance,
    scores,
    sizes,
    verdict,
)
from nmebench.reports.view import RunView
from nmebench.runs.run_store import Run

__all__ = [
    "RunSections",
    "Section",
    "assemble",
    "assemble_page",
    "html",
    "render",
    "sections_of",
    "write",
    "write_page",
]

_SCRIPTS = ("core", "theme", "print")
"""Scripts of the page."""
_PART_SCRIPTS = ("part", "sort", "ced", "gallery", "keys", "filters")
"""Scripts that run once for each run of the page."""


@dataclass(frozen=True)
class Section:
    """A part of the page."""

    id: str
    """Anchor in the page."""
    nav: str
    """Name in the navigation."""
    heading: str
    template: str
    """Name of the template in ``templates/``, without its suffix."""
    data: Any
    """The template's data."""
    half: bool = False
    """True for a section that takes half of a wide page."""


def _json(value: Any) -> Markup:
    """JSON for a script element: ASCII, with ``<``, ``>`` and ``&`` escaped so that it can't end the element."""
    text = json.dumps(value, ensure_ascii=True, sort_keys=True, separators=(",", ":"), allow_nan=False)
    for char in "<>&":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return Markup(text)  # noqa: S704 - escaped above


def assemble(sections: Sequence[Section], *, title: str, subtitle: str, version: str, data: Mapping[str, Any]) -> str:
    """Put sections together as a page; see :func:`assemble_page`."""
    nav = [(section.id, section.nav) for section in sections]
    return assemble_page(render(sections), nav, title=title, subtitle=subtitle, version=version, data=data)


def render(sections: Sequence[Section], *, of_run: bool = False) -> Markup:
    """Render sections as HTML.

    Args:
        sections: parts of the page in order.
        of_run: their names begin with that of the run, whose heading has the id ``h-run``.
    """
    template = environment().get_template("sections.html.j2")
    return Markup(template.render(sections=sections, of_run=of_run))  # noqa: S704 - it escapes


def assemble_page(
    body: Markup,
    nav: Sequence[tuple[str, str]],
    *,
    title: str,
    subtitle: str,
    version: str,
    data: Mapping[str, Any],
    stylesheets: Sequence[str] = ("page.css",),
) -> str:
    """Put the parts of a page together, with inline styles and script.

    A content security policy keeps every other script from running and every other resource from loading.

    Args:
        body: the sections.
        nav: anchors of sections and their names in the navigation.
        title: heading and document title.
        subtitle: line below the heading.
        version: version of nmebench; empty leaves it out.
        data: data for the page's script, as JSON.
        stylesheets: names of the page's stylesheets in ``assets``.
    """
    scripts = {name: asset(f"{name}.js") for name in (*_SCRIPTS, *_PART_SCRIPTS)}
    of_parts = "\n".join(scripts[name] for name in _PART_SCRIPTS)
    of_page = "\n".join(scripts[name] for name in _SCRIPTS)
    script = f"(() => {{\n'use strict';\n{of_page}\nfor (const data of parts) {{\n{of_parts}\n}}\n}})();"
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    return (
        environment()
        .get_template("page.html.j2")
        .render(
            body=body,
            nav=nav,
            title=title,
            subtitle=subtitle,
            version=version,
            script_hash=f"'sha256-{digest}'",
            script=Markup(script),  # noqa: S704 - a file of this package
            **styles(*stylesheets),
            data_json=_json(data),
        )
        + "\n"
    )


def html(
    run: Run,
    *,
    pictures: bool = True,
    timings: bool = False,
    baseline: Baseline | None = None,
    baseline_name: str = "",
) -> str:
    """Render the report of a run.

    Args:
        run: a scored run.
        pictures: False leaves the pictures of the faces out, for data that may not be redistributed.
        timings: True adds times and the machine, which differ between two equal runs.
        baseline: an earlier run with which the page compares this one, from :func:`nmebench.gates.make_baseline` or
            :meth:`nmebench.gates.Baseline.read`.
        baseline_name: name of the earlier run, such as its folder's.

    Returns:
        The page as HTML.

    Raises:
        InputError: the run has no scores, or one of its files or the baseline is missing or damaged.
    """
    parts = sections_of(run, pictures=pictures, timings=timings, baseline=baseline, baseline_name=baseline_name)
    return assemble(
        parts.sections,
        title=_title(parts.view),
        subtitle="",
        version=display(run.record.provenance.nmebench, 40),
        data=parts.data,
    )


@dataclass(frozen=True)
class RunSections:
    """The sections of one run."""

    view: RunView
    sections: tuple[Section, ...]
    """Those that have content."""
    answers: answers.Answers
    data: Mapping[str, Any]
    """Data for the scripts of the sections."""


def sections_of(
    run: Run,
    *,
    pictures: bool = True,
    timings: bool = False,
    baseline: Baseline | None = None,
    baseline_name: str = "",
    share: int = 1,
) -> RunSections:
    """Make the sections of a run; see :func:`html`.

    Args:
        run: a scored run.
        pictures: False leaves the pictures of the faces out.
        timings: True adds times and the machine.
        baseline: an earlier run to compare with.
        baseline_name: its name.
        share: number of runs that share the page's budget for pictures and predictions.

    Raises:
        InputError: the run has no scores, or one of its files or the baseline is missing or damaged.
    """
    view = RunView(run)
    score_tables = scores.section(view)
    best = scores.best(score_tables)
    curves = ced.section(view)
    by_landmark = landmarks.section(view)
    faces = gallery.section(view, pictures=pictures, share=share)
    files = downloads.section(view, score_tables, by_landmark)
    score_data = {"tables": score_tables, "filters": _filters(view), "constant": view.constant}
    reported = verdict.summary(view)
    near = neighbours.section(view)
    gains = differences.section(view)
    changed = change.section(view, baseline, baseline_name) if baseline else None
    first = answers.section(view, reported, gains, changed, near)
    compared = {"verdict": reported, "neighbours": near}
    sections = [
        Section("answers", "Answers", "Answers", "answers", first),
        Section("reported", "Reported", "Reported and measured numbers", "verdict", compared),
        Section("change", "Change", "Change since the baseline", "change", changed),
        Section("scores", "Scores", "Scores by network and subset", "scores", score_data if score_tables else None),
        Section("decoders", "Decoders", "Gain of each decoder", "differences", gains),
        Section("checkpoints", "Checkpoints", "Error by checkpoint", "checkpoints", checkpoints.section(view)),
        Section("ced", "Error curves", "Cumulative error", "ced", curves),
        Section("attributes", "Attributes", "Error by attribute", "attributes", attributes.section(view), half=True),
        Section("sizes", "Face size", "Error by face size", "sizes", sizes.section(view), half=True),
        Section("landmarks", "Landmarks", "Error by landmark", "landmarks", by_landmark, half=True),
        Section("cost", "Cost", "Cost and error", "cost", cost.section(view, timings=timings), half=True),
        Section("faces", "Faces", "The faces behind the numbers", "gallery", faces),
        Section("boxes", "Boxes", "Effect of the box", "boxes", boxes.section(view)),
        Section("counts", "Counts", "Decoder counts", "counts", counts.section(view), half=True),
        Section("downloads", "Downloads", "Downloads", "downloads", files, half=True),
        Section("provenance", "Provenance", "Provenance", "provenance", provenance.section(view, timings=timings)),
    ]
    return RunSections(
        view,
        tuple(section for section in sections if section.data),
        first,
        {
            "cells": _script_cells(view),
            "ced": curves.data if curves else None,
            "gallery": faces.data if faces else None,
            "best": best.cell.index if best else None,
        },
    )


def _title(view: RunView) -> str:
    record = view.run.record
    if record.title:
        return display(record.title, 120)
    decoders = view.distinct("decoder")
    parts = [display(view.models[0], 60) if len(view.models) == 1 else counted(len(view.models), "network")]
    if decoders != (DIRECT,):
        parts.append(display(decoders[0], 40) if len(decoders) == 1 else counted(len(decoders), "decoder"))
    return f"{display(record.dataset.name, 40)}: {' × '.join(parts)}"


def _filters(view: RunView) -> tuple[tuple[str, str, list[tuple[str, str]]], ...]:
    """The parts that differ between cells, each with its label and its values (raw and printable)."""
    labels = {"model": "Networks", "decoder": "Decoders", "flip": "Flip test", "box": "Box"}
    return tuple(
        (part, label, [(value, display(value, 60)) for value in view.distinct(part)])
        for part, label in labels.items()
        if len(view.distinct(part)) > 1
    )


def _script_cells(view: RunView) -> list[dict[str, Any]]:
    """For each cell the numbers of its filter values, and its decoder's name."""
    values = {part: view.distinct(part) for part in ("model", "decoder", "flip", "box")}
    return [
        {part: distinct.index(getattr(cell, part)) for part, distinct in values.items()}
        | {"decoder_name": display(cell.decoder_label, 60)}
        for cell in view.cells
    ]


def write(
    run: Run,
    out: Path,
    *,
    pictures: bool = True,
    timings: bool = False,
    baseline: Baseline | None = None,
    baseline_name: str = "",
) -> Path:
    """Write the report of a run to ``out``, atomically; see :func:`html`.

    Args:
        run: a scored run.
        out: the HTML file.
        pictures: include pictures of faces.
        timings: add timings; the pages of two equal runs then differ.
        baseline: show the change from this baseline.
        baseline_name: its name on the page.

    Returns:
        The path of the page.

    Raises:
        InputError: the run has no scores, one of its files or the baseline is missing or damaged, or ``out`` can't be
            written.
    """
    text = html(run, pictures=pictures, timings=timings, baseline=baseline, baseline_name=baseline_name)
    return write_page(text, out)


def write_page(text: str, out: Path) -> Path:
    """Write a page to ``out``, atomically.

    Raises:
        InputError: ``out`` can't be written.
    """
    try:
        write_atomically(Path(out), text)
    except OSError as error:
        raise InputError(f"{out}: can't be written ({error.strerror}); give another file with -o") from error
    return Path(out)
