"""Checks of what an annotation file says about itself: its name, ids, declared sizes and boxes."""

from __future__ import annotations

import csv
from typing import Any

from nmebench.bounded_read import parse_json
from nmebench.datasets.benchmark import Benchmark
from nmebench.datasets.verify.annotations import Annotations
from nmebench.datasets.verify.report import Collector
from nmebench.printable import shown

__all__ = ["check_content", "check_name", "declared_sizes"]

BOX_TOLERANCE = 0.51
"""Largest plausible difference of AFLW's ``box_size`` and 200 times the scale, px."""


def check_name(benchmark: Benchmark, annotations: Annotations, into: Collector) -> None:
    """Find a file with the usual name of one format and the content of another."""
    named = {file: kind for files in benchmark.files.values() for kind, file in files.items()}
    expected = named.get(annotations.path.name)
    if expected is not None and expected != annotations.format:
        message = f"the file has the name of the format {expected} and the content of {annotations.format}"
        into.add("error", "format-name", annotations.name, None, message)


def check_content(annotations: Annotations, into: Collector) -> None:
    """Find properties of a json that mmpose fails on, and box sizes that contradict the scale."""
    if annotations.format == "mmpose-json":
        _check_json(annotations, into)
        _check_box_sizes(
            annotations,
            [
                (place, entry.get("box_size"), entry.get("scale"))
                for place, entry in enumerate(_annotations(annotations), start=1)
                if isinstance(entry, dict)
            ],
            into,
        )
    elif annotations.format == "hrnet-csv":
        records = list(csv.reader(line + "\n" for line in annotations.text.split("\n")))
        header = [cell.strip() for cell in records[0]] if records else []
        if "box_size" in header and "scale" in header:
            size, scale = header.index("box_size"), header.index("scale")
            rows = [(line, cells) for line, cells in enumerate(records[1:], start=2) if len(cells) == len(header)]
            _check_box_sizes(annotations, [(line, cells[size], cells[scale]) for line, cells in rows], into)


def declared_sizes(annotations: Annotations) -> dict[str, tuple[int, int]]:
    """Return width and height of the photographs, by name, that an mmpose json declares; empty for other formats."""
    if annotations.format != "mmpose-json":
        return {}
    return {
        str(entry["file_name"]): (entry["width"], entry["height"])
        for entry in parse_json(annotations.text, annotations.name, allow_nan=True)["images"]
        if isinstance(entry.get("width"), int) and isinstance(entry.get("height"), int)
    }


def _annotations(annotations: Annotations) -> list[Any]:
    entries: list[Any] = parse_json(annotations.text, annotations.name, allow_nan=True)["annotations"]
    return entries


def _check_box_sizes(annotations: Annotations, rows: list[tuple[int, Any, Any]], into: Collector) -> None:
    """Compare the side of the box with 200 times the scale; AFLW's NME is divided by it."""
    wrong = []
    for line, size, scale in rows:
        try:
            side, expected = float(size), 200 * float(scale)
        except (TypeError, ValueError):
            continue
        if not abs(side - expected) <= BOX_TOLERANCE + 0.005 * 200:
            wrong.append((line, f"box_size is {side:g} px, but the scale stands for {expected:g} px"))
    into.add_lines("error", "box-size", annotations.name, wrong)


def _check_json(annotations: Annotations, into: Collector) -> None:
    """Find properties of a json that mmpose fails on."""
    name = annotations.name
    entries = [entry for entry in _annotations(annotations) if isinstance(entry, dict)]
    missing = [place for place, entry in enumerate(entries, start=1) if "iscrowd" not in entry]
    if missing:
        message = "annotations lack 'iscrowd', which mmpose's data sets read (its own converter writes 'is_crowd')"
        into.add("warning", "iscrowd", name, missing[0], message)
    seen: dict[str, int] = {}
    repeated = []
    for place, entry in enumerate(entries, start=1):
        number = str(entry.get("id"))
        if seen.setdefault(number, place) != place:
            repeated.append((place, f"annotation {seen[number]} has the id {shown(number)[:40]} as well"))
    into.add_lines("error", "annotation-id", name, repeated)
