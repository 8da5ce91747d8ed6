"""Make ``harness/published/300w.toml`` and its siblings from a survey (csv) and ``benchmark_rows_annotations.toml``.

    python docs/tools/import_benchmark_rows.py SURVEY.csv

The survey has one line per published number, with the columns method, year, backbone, input (``256x256``), decoder,
flip, benchmark, subset, metric (NME, FR or AUC), normaliser, threshold (percent), value, source, source_kind and notes.
Lines of one method, data set, normaliser and folder of the source become one row. NME and FR become percent and AUC a
fraction, with all digits of the source. The survey's notes decide only whether a number was read from a picture;
protocols, weights and notes are written by hand in ``benchmark_rows_annotations.toml``. Numbers that contradict each
other are marked (``nmebench.published.relations``).
"""

from __future__ import annotations

import csv
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

from import_published import rows_to_toml, write_files
from pydantic import ValidationError

from nmebench.datasets import benchmark as benchmarks
from nmebench.errors import InputError
from nmebench.field_problem import problems
from nmebench.metric_names import Metric
from nmebench.models.hash_in_name import hash_in_name
from nmebench.published.relations import contradictions
from nmebench.published.rows import FOLDER, PublishedRow

__all__ = ["import_rows", "main", "to_toml"]

ANNOTATIONS = Path(__file__).with_name("benchmark_rows_annotations.toml")

UNSTATED = "unstated"
"""The subset of a row whose source doesn't say which faces it measured."""

#: The data set and the subset of each benchmark and subset of the survey; others have no benchmark here.
SUBSETS: Mapping[tuple[str, str], tuple[str, str]] = {
    ("300-W", "full"): ("300w", "test"),
    ("300-W", "common"): ("300w", "common"),
    ("300-W", "challenge"): ("300w", "challenge"),
    ("300-W", "private"): ("300w-private", "test"),
    ("300-W", "private indoor"): ("300w-private", "indoor"),
    ("300-W", "private outdoor"): ("300w-private", "outdoor"),
    ("300-W", "test"): ("300w", UNSTATED),
    ("300-W", "not printed (its test.txt list)"): ("300w", UNSTATED),
    ("COFW", "test"): ("cofw", "test"),
    ("COFW-68", "test"): ("cofw68", "test"),
    ("AFLW", "full"): ("aflw", "test"),
    ("AFLW", "frontal"): ("aflw", "frontal"),
    ("LaPa", "test"): ("lapa", "test"),
}
DATASETS = tuple(dict.fromkeys(dataset for dataset, _ in SUBSETS.values()))

NORMALISERS: Mapping[str, str] = {
    "inter-ocular": "inter-ocular",
    "inter-pupil": "inter-pupil",
    "eye centres (inter-pupil)": "inter-pupil",
    "sqrt(w*h) of landmark box": "box-size",
    "sqrt(w*h) of AFLW box": "annotated-box",
    "AFLW box_size (square box side)": "annotated-box",
    "box diagonal": "annotated-box-diagonal",
    "crop width 1 (normalised coordinates)": "",
    "": "",
}
"""The word of the survey and the name of the normaliser here; empty for one that nmebench doesn't have."""

KINDS = {"authors": "authors", "third party": "third party"}


def _value(kind: str, text: str, source: str) -> str:
    """Return a printed number in percent (NME, FR) or as a fraction (AUC)."""
    value = Decimal(text)
    fraction = source.endswith(".tsv") or (kind == "auc" and value <= 1)
    if kind == "auc":
        value = value if fraction else value.scaleb(-2)
    elif fraction:
        value = value.scaleb(2)
    return f"{value:f}"


def _metric(line: Mapping[str, str]) -> Metric | None:
    kind = line["metric"].lower()
    if kind == "nme":
        return Metric("nme")
    if kind in ("fr", "auc"):
        return Metric(kind, float(line["threshold"]))  # type: ignore[arg-type]
    return None  # percentiles, which nmebench doesn't compute


def _folder(source: str) -> str:
    return str(PurePosixPath(source).parent)


def _sources(lines: Sequence[Mapping[str, str]]) -> str:
    """Return the source of a row; the further files of a folder are named after the first."""
    first, *others = dict.fromkeys(line["source"] for line in lines)
    return ", ".join((first, *(PurePosixPath(other).name for other in others)))


def _medium(line: Mapping[str, str]) -> str:
    if "image" in line["notes"].split(";")[0]:
        return "image"
    return "log" if re.search(r"(\.tsv|/metrics_\w+\.txt)$", line["source"]) else "text"


def _name(line: Mapping[str, str]) -> str:
    """Return the row's name; SPIGA prints two tables, one of them in its README."""
    return "SPIGA (README)" if line["method"] == "SPIGA" and line["source"].endswith("README.md") else line["method"]


def _annotated(row: dict[str, Any], annotations: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return a row with the annotations of its method and data set."""
    for annotation in annotations:
        if row["dataset"] not in annotation.get("datasets", [row["dataset"]]):
            continue
        if not any(fnmatchcase(row["method"], pattern) for pattern in annotation["methods"]):
            continue
        row["protocol"] |= annotation.get("protocol", {})
        row["faults"] += annotation.get("faults", [])
        row |= {key: annotation[key] for key in ("note", "checkpoint") if key in annotation}
    row["protocol"] = {key: value for key, value in row["protocol"].items() if value}
    if row.get("checkpoint"):
        row["sha256_prefix"] = hash_in_name(PurePosixPath(row["checkpoint"]).name)
    return row


def _row(dataset: str, lines: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    first = lines[0]
    values: dict[str, dict[str, str]] = {}
    for line in lines:
        metric = _metric(line)
        if metric is not None:
            subset = SUBSETS[line["benchmark"], line["subset"]][1]
            of_metric = values.setdefault(metric.name, {})
            if subset in of_metric:
                raise InputError(f"{line['source']}: {line['method']} has two values of {metric.name} for {subset}")
            of_metric[subset] = _value(metric.kind, line["value"], line["source"])
    return {
        "dataset": dataset,
        "year": first["year"] or None,
        "backbone": first["backbone"] or None,
        "input_size": first["input"].split("x") if first["input"] else None,
        "technique": first["decoder"] or None,
        **values,
        "source": _sources(lines),
        "kind": KINDS[first["source_kind"]],
        "medium": _medium(first),
        "reading": "read from a picture" if _medium(first) == "image" else "looked up",
        "protocol": {
            "flip": "none" if first["flip"] == "no" else None,
            "normaliser": NORMALISERS[first["normaliser"]],
        },
        "faults": [],
    }


def import_rows(survey: Path, annotations: Path = ANNOTATIONS) -> dict[str, list[PublishedRow]]:
    """Return the rows of each data set, in the survey's order.

    Raises:
        InputError: a file can't be read, or a row breaks the schema; the message names the method and the field.
    """
    try:
        with survey.open(newline="", encoding="utf-8") as file:
            lines = list(csv.DictReader(file))
        notes = tomllib.loads(annotations.read_text(encoding="utf-8"))["annotation"]
    except (OSError, csv.Error, tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError) as error:
        raise InputError(f"{survey}: can't be imported ({error}); give the survey's csv") from error
    groups: dict[tuple[str, ...], list[Mapping[str, str]]] = {}
    for line in lines:
        if (line["benchmark"], line["subset"]) not in SUBSETS or _metric(line) is None:
            continue
        dataset = SUBSETS[line["benchmark"], line["subset"]][0]
        normaliser = NORMALISERS[line["normaliser"]]
        groups.setdefault((dataset, _name(line), normaliser, _folder(line["source"])), []).append(line)
    found: dict[str, list[PublishedRow]] = {dataset: [] for dataset in DATASETS}
    for dataset, name, members in _by_input_size(groups):
        row = _annotated({"method": name, **_row(dataset, members)}, notes)
        try:
            plain = PublishedRow.model_validate(row)
            row["suspect"] = contradictions(plain, benchmarks.load(dataset).expected("test"))
            found[dataset].append(PublishedRow.model_validate(row))
        except ValidationError as error:
            raise InputError(f"{survey}: {row['method']}: {problems(error)}") from error
    return found


def _by_input_size(
    groups: Mapping[tuple[str, ...], Sequence[Mapping[str, str]]],
) -> Iterator[tuple[str, str, list[Mapping[str, str]]]]:
    """Yield the data set, the name and the lines of each row: two networks of one name differ in their input."""
    for (dataset, name, *_), lines in groups.items():
        numbers = {(line["subset"], line["metric"], line["threshold"]) for line in lines}
        if len(numbers) == len(lines):
            yield dataset, name, list(lines)
            continue
        for size in dict.fromkeys(line["input"] for line in lines):
            yield dataset, f"{name} {size}", [line for line in lines if line["input"] == size]


def to_toml(title: str, rows: Iterable[PublishedRow]) -> str:
    """Return the content of one data set's file."""
    return rows_to_toml(
        rows,
        f"# Published rows of {title}, made by `python docs/tools/import_benchmark_rows.py SURVEY.csv`; don't edit by\n"
        "# hand. NME and FR in percent, AUC as a fraction, whatever unit the source prints.\n",
    )


def main(arguments: list[str] | None = None) -> int:
    """Write the files; exit code 2 when the survey can't be used."""

    def files(survey: Path) -> Mapping[Path, tuple[int, str]]:
        return {
            FOLDER / f"{dataset}.toml": (len(rows), to_toml(benchmarks.load(dataset).title, rows))
            for dataset, rows in import_rows(survey).items()
        }

    return write_files("import_benchmark_rows.py", files, sys.argv[1:] if arguments is None else arguments)


if __name__ == "__main__":
    sys.exit(main())
