"""Make ``harness/published/wflw.toml`` from a survey of published rows (csv) and ``published_annotations.toml``.

    python docs/tools/import_published.py SURVEY.csv

The survey has one line per published row, with the columns method, year, backbone, input_size (``256x256``),
decoder_or_loss, ``nme_``, ``fr10_`` and ``auc10_`` for test, pose, expr, illum, makeup, occl and blur, checkpoint_url,
sha_prefix, source, source_kind (own or third-party, and text, image or log; or aggregator-page) and verified. Numbers
are copied as text, which keeps the printed decimals. The protocol, the faults and the notes of a row are not in the
survey; they are written by hand in ``published_annotations.toml``.
"""

from __future__ import annotations

import csv
import json
import re
import sys
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from nmebench.datasets import benchmark
from nmebench.errors import InputError
from nmebench.field_problem import problems
from nmebench.files import write_atomically
from nmebench.metric_names import metric_names
from nmebench.published.relations import contradictions
from nmebench.published.rows import FILE, PublishedRow

__all__ = ["import_rows", "main", "rows_to_toml", "to_toml", "write_files"]

WFLW_THRESHOLD = 10
"""The threshold of the survey's columns of FR and AUC, percent."""
ANNOTATIONS = Path(__file__).with_name("published_annotations.toml")
SUBSET_COLUMNS = {
    "test": "test",
    "pose": "pose",
    "expression": "expr",
    "illumination": "illum",
    "makeup": "makeup",
    "occlusion": "occl",
    "blur": "blur",
}


def _source_kind(text: str) -> tuple[str, str]:
    """Split a source_kind such as ``own-text`` or ``third-party-image`` into kind and medium."""
    first = text.split(" and ")[0]
    prefix, _, medium = first.rpartition("-")
    kinds = {"own": "authors", "third-party": "third party", "aggregator": "aggregator"}
    if prefix not in kinds:
        raise ValueError(f"source_kind {text!r} must begin with one of: {', '.join(kinds)}")
    return kinds[prefix], medium


def _annotations_for(method: str, annotations: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Merge the annotations of a method: later protocols and notes replace earlier ones, faults are collected."""
    known: dict[str, Any] = {"protocol": {}, "faults": []}
    for annotation in annotations:
        if any(fnmatchcase(method, pattern) for pattern in annotation["methods"]):
            known["protocol"].update(annotation.get("protocol", {}))
            known["faults"].extend(annotation.get("faults", []))
            if "note" in annotation:
                known["note"] = annotation["note"]
    return known


def import_rows(survey: Path, annotations: Path = ANNOTATIONS) -> list[PublishedRow]:
    """Read the rows of a survey and add the annotations.

    Raises:
        InputError: a file can't be read, or a row breaks the schema; the message names line and field.
    """
    try:
        with survey.open(newline="", encoding="utf-8") as file:
            lines = list(csv.DictReader(file))
        notes = tomllib.loads(annotations.read_text(encoding="utf-8"))["annotation"]
    except (OSError, csv.Error, tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError) as error:
        raise InputError(f"{survey}: can't be imported ({error}); give the survey's csv") from error
    rows = []
    counts = benchmark.load("wflw").expected("test")
    for number, line in enumerate(lines, start=2):
        try:
            kind, medium = _source_kind(line["source_kind"])
            values = {
                metric: {s: line[f"{metric}_{c}"] for s, c in SUBSET_COLUMNS.items() if line[f"{metric}_{c}"]}
                for metric in metric_names([WFLW_THRESHOLD])
            }
            row = PublishedRow.model_validate(
                {
                    "method": line["method"],
                    "year": line["year"] or None,
                    "backbone": line["backbone"] or None,
                    "input_size": line["input_size"].split("x") if line["input_size"] else None,
                    "technique": line["decoder_or_loss"] or None,
                    **values,
                    "checkpoint": line["checkpoint_url"] or None,
                    "sha256_prefix": line["sha_prefix"] or None,
                    "source": line["source"],
                    "kind": kind,
                    "medium": medium,
                    "reading": line["verified"],
                    **_annotations_for(line["method"], notes),
                }
            )
            rows.append(row.model_copy(update={"suspect": contradictions(row, counts)}))
        except ValidationError as error:
            raise InputError(f"{survey}: line {number}, {problems(error)}") from error
        except (ValueError, KeyError) as error:
            raise InputError(f"{survey}: line {number}: {error}") from error
    return rows


def _toml(value: Any) -> str:
    """Format a value as TOML; decimals become text, which keeps trailing zeros."""
    if isinstance(value, Decimal):
        return json.dumps(str(value))
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(key)} = {_toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return json.dumps(value)


HEAD = (
    "# Published WFLW rows, made by `python docs/tools/import_published.py SURVEY.csv`; don't edit by hand.\n"
    "# NME and FR@10 in percent, AUC@10 as a fraction, with the decimals that the source prints.\n"
)


def to_toml(rows: Iterable[PublishedRow]) -> str:
    """Return the content of ``wflw.toml``."""
    return rows_to_toml(rows, HEAD)


def rows_to_toml(rows: Iterable[PublishedRow], head: str) -> str:
    """Return the content of a file of published rows.

    Args:
        rows: the rows.
        head: the comment at the beginning, with a line end.
    """
    parts = [f'{head}version = 1\norigin = "read from the sources that each row names"\n']
    for row in rows:
        fields = row.model_dump(exclude_none=True, exclude_defaults=True)
        body = "\n".join(f"{_key(name)} = {_toml(value)}" for name, value in fields.items() if value)
        parts.append(f"[[row]]\n{body}\n")
    return "\n".join(parts)


def _key(name: str) -> str:
    """Format a key; one with a point needs quotes."""
    return name if re.fullmatch(r"[\w-]+", name, re.ASCII) else json.dumps(name)


def write_files(script: str, files: Callable[[Path], Mapping[Path, tuple[int, str]]], given: Sequence[str]) -> int:
    """Run a script that reads a survey and writes files of rows; exit code 2 when the survey can't be used.

    Args:
        script: name of the script, for its usage.
        files: from the survey's path, the number of rows and the content by file.
        given: the arguments of the command line.
    """
    if len(given) != 1:
        sys.stderr.write(f"usage: python docs/tools/{script} SURVEY.csv\n")
        return 2
    try:
        made = files(Path(given[0]))
    except InputError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    for file, (rows, text) in made.items():
        write_atomically(file, text)
        sys.stdout.write(f"{rows} rows written to {file.name}\n")
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Write ``harness/published/wflw.toml``; exit code 2 when the survey can't be used."""

    def files(survey: Path) -> Mapping[Path, tuple[int, str]]:
        rows = import_rows(survey)
        return {FILE: (len(rows), to_toml(rows))}

    return write_files("import_published.py", files, sys.argv[1:] if arguments is None else arguments)


if __name__ == "__main__":
    sys.exit(main())
