"""The report: one self-contained HTML file, the same bytes for the same run."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from nmebench.errors import InputError
from nmebench.files import write_atomically
from nmebench.protocol import DIRECT
from nmebench.reports.render.text import count, number, prose, say, sentence_list
from nmebench.reports.sections import (
    ced,
    differences,
    downloads,
    gallery,
    landmarks,
    provenance,
    sizes,
    tables,
    verdict,
)
from nmebench.reports.view import RunView
from nmebench.runs.run_store import Run

__all__ = ["Section", "assemble", "html", "write"]

_SCRIPTS = ("core", "theme", "sort", "ced", "gallery", "keys", "filters", "print")


@dataclass(frozen=True)
class Section:
    """A part of the page: anchor, word in the navigation, heading, template and what the template reads."""

    id: str
    nav: str
    heading: str
    template: str
    data: Any


@cache
def _asset(name: str) -> str:
    return resources.files("nmebench.reports").joinpath("assets", name).read_text(encoding="utf-8").strip()


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("nmebench.reports"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["say"] = say
    environment.filters["prose"] = prose
    return environment


def _json(value: Any) -> Markup:
    """JSON that can stand in a script element: no ``<``, ``>`` or ``&`` survives, and nothing beyond ASCII."""
    text = json.dumps(value, ensure_ascii=True, sort_keys=True, separators=(",", ":"), allow_nan=False)
    for char in "<>&":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return Markup(text)  # noqa: S704 - made harmless above


def assemble(sections: Sequence[Section], *, title: str, subtitle: str, version: str, data: Mapping[str, Any]) -> str:
    """The page of sections, with styles and script inline and a policy that lets nothing else run or load."""
    script = "(() => {\n'use strict';\n" + "\n".join(_asset(f"{name}.js") for name in _SCRIPTS) + "\n})();"
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            sections=sections,
            title=title,
            subtitle=subtitle,
            version=version,
            script_hash=f"'sha256-{digest}'",
            script=Markup(script),  # noqa: S704 - the package's own file
            light=Markup(_asset("theme-light.css")),  # noqa: S704
            dark=Markup(_asset("theme-dark.css")),  # noqa: S704
            css=Markup(_asset("page.css")),  # noqa: S704
            data_json=_json(data),
        )
        + "\n"
    )


def _title(view: RunView) -> str:
    record = view.run.record
    if record.title:
        return say(record.title, 120)
    decoders = view.distinct("decoder")
    parts = [say(view.models[0], 60) if len(view.models) == 1 else count(len(view.models), "network")]
    if decoders != (DIRECT,):
        parts.append(say(decoders[0], 40) if len(decoders) == 1 else count(len(decoders), "decoder"))
    return f"{say(record.dataset.name, 40)}: {' × '.join(parts)}"


def _verdict(view: RunView, best: Any) -> Mapping[str, Any]:
    record = view.run.record
    whole = record.dataset.expected.get("test")
    return {
        "verdict": verdict.section(view),
        "dataset": say(record.dataset.name, 60),
        "faces": say(record.dataset.describe(), 80),
        "partial": whole is not None and not record.dataset.complete,
        "models": [say(m.name, 80) for m in record.models],
        "decoders": [say(d, 80) for d in view.distinct("decoder")],
        "flips": sentence_list([say(f, 40) for f in view.distinct("flip")]),
        "boxes": sentence_list([say(b, 40) for b in view.distinct("box")]),
        "normaliser": say(record.normaliser, 40),
        "best": best,
        "not_run": [say(line, 500) for line in record.not_run],
    }


def _filters(view: RunView) -> tuple[tuple[str, str, list[tuple[str, str]]], ...]:
    labels = {"model": "Networks", "decoder": "Decoders", "flip": "Flip test", "box": "Box"}
    found = []
    for key, label in labels.items():
        values = view.distinct(key)
        if len(values) > 1:
            found.append((key, label, [(value, say(value, 60)) for value in values]))
    return tuple(found)


def _cells(view: RunView) -> list[dict[str, Any]]:
    places = {key: list(view.distinct(key)) for key in ("model", "decoder", "flip", "box")}
    return [
        {key: values.index(getattr(cell, key)) for key, values in places.items()}
        | {"decoder_name": say(cell.decoder, 60)}
        for cell in view.cells
    ]


def html(run: Run, *, pictures: bool = True, timings: bool = False) -> str:
    """The page as text.

    Args:
        run: a scored run.
        pictures: False leaves the faces' pictures out, for data that may not be redistributed.
        timings: True adds seconds and the machine; two runs of the same thing then differ.

    Raises:
        InputError: a file of the run is missing or damaged.
    """
    view = RunView(run)
    metric_tables = tables.section(view)
    best = tables.best_text(metric_tables)
    curves, forest, box_rows = ced.section(view), differences.section(view), differences.boxes(view)
    by_landmark, by_size = landmarks.section(view), sizes.section(view)
    counted, faces = provenance.counts_table(view), gallery.section(view, pictures=pictures)
    sections = [Section("verdict", "Verdict", "Verdict", "verdict.html.j2", _verdict(view, best))]

    def add(present: Any, *words: Any) -> None:
        if present:
            sections.append(Section(*words))

    add(
        metric_tables,
        "scores",
        "Scores",
        "Scores by network, decoder and subset",
        "scores.html.j2",
        {"tables": metric_tables, "filters": _filters(view)},
    )
    if curves is not None:
        high = float(curves.axes[0].thresholds[-1])
        shares = sorted(((float((view.nme[c.index] <= high).mean()), -c.index, c) for c in view.cells), reverse=True)
        values = [(c, f"{100 * share:.1f} %") for share, _, c in shares]
        words = {
            "ced": curves,
            "subsets": list(view.masks),
            "at": number(high, 3).rstrip("0").rstrip("."),
            "shares": values,
        }
        add(True, "ced", "Error curves", "Cumulative error", "ced.html.j2", words)
    add(forest, "decoders", "Decoders", "What the decoder changes", "differences.html.j2", forest)
    add(box_rows, "boxes", "Boxes", "What the box changes", "boxes.html.j2", box_rows)
    add(by_landmark, "landmarks", "Landmarks", "Where on the face", "landmarks.html.j2", by_landmark)
    add(by_size, "sizes", "Face size", "Error against face size", "sizes.html.j2", by_size)
    add(counted[1], "counts", "Counts", "What decoders counted", "counts.html.j2", counted)
    add(faces, "faces", "Faces", "The faces behind the numbers", "faces.html.j2", faces)
    sections.append(
        Section(
            "provenance",
            "Provenance",
            "Provenance",
            "provenance.html.j2",
            {"provenance": provenance.section(view), "speed": provenance.speed(view) if timings else None},
        )
    )
    links = downloads.section(view, metric_tables, by_landmark.table if by_landmark else None)
    sections.append(Section("downloads", "Downloads", "Downloads", "downloads.html.j2", links))
    data = {
        "cells": _cells(view),
        "ced": curves.data if curves else None,
        "gallery": faces.data if faces else None,
        "best": best[0].index if best else None,
    }
    dataset = run.record.dataset
    return assemble(
        sections,
        title=_title(view),
        subtitle=f"{say(dataset.describe(), 80)} of {say(dataset.name, 40)}, {count(len(view.cells), 'cell')}",
        version=say(run.record.provenance.nmebench, 40),
        data=data,
    )


def write(run: Run, out: Path, *, pictures: bool = True, timings: bool = False) -> Path:
    """Write the report of a run to ``out``, atomically; see :func:`html`.

    Raises:
        InputError: the run is damaged, or ``out`` can't be written.
    """
    text = html(run, pictures=pictures, timings=timings)
    try:
        write_atomically(Path(out), text)
    except OSError as error:
        raise InputError(f"{out}: can't be written ({error.strerror}); give another file with -o") from error
    return Path(out)
