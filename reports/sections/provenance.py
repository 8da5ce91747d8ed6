"""What a number in this report depends on, and how to make it again."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nmebench.reports.render.text import number, say
from nmebench.reports.view import CellView, RunView

__all__ = ["ModelFacts", "ProvenanceFacts", "Speed", "command", "counts_table", "section", "speed"]

_CARD_FIELDS = ("licence", "license", "source", "paper", "input", "output", "test")


@dataclass(frozen=True)
class ModelFacts:
    """A network as it ran: labels and values, cut where a card's field is overlong."""

    name: str
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class ProvenanceFacts:
    """Facts about the code, the data and the networks."""

    command: str
    code: tuple[tuple[str, str], ...]
    packages: tuple[tuple[str, str], ...]
    data: tuple[tuple[str, str], ...]
    files: tuple[tuple[str, str, str], ...]
    notes: tuple[str, ...]
    models: tuple[ModelFacts, ...]
    configuration: str


def command(words: list[str]) -> str:
    """The command that repeats the run, for a shell. The output folder reads ``RUN``: it changes no number."""
    shown: list[str] = []
    for word in words:
        if shown and shown[-1] in ("-o", "--output", "--out"):
            word = "RUN"
        elif word.startswith(("--output=", "--out=")):
            word = f"{word.partition('=')[0]}=RUN"
        shown.append(say(word, 300))
    return " ".join(shlex.quote(word) for word in shown)


def _plain(value: Any) -> str:
    if isinstance(value, str):
        return say(value)
    return say(json.dumps(value, ensure_ascii=False, sort_keys=True, default=str))


def _model(model: Any) -> ModelFacts:
    facts = [
        ("Architecture", say(model.architecture)),
        ("Weights", say(model.weights_name or "none")),
        ("SHA-256 of the weights", say(model.weights_sha256 or "–")),
        ("Parameters", f"{model.parameters:,}" if model.parameters is not None else "–"),
        ("Input", "{} × {} px".format(*model.input_size)),
        ("Heatmaps", "{} × {} px".format(*model.heatmap_size) if model.heatmap_size else "none: gives landmarks"),
        ("Engine", _engine(model)),
    ]
    if model.renamed:
        facts.append(("Renamed weights", str(model.renamed)))
    facts.extend((f"Card: {field}", _plain(model.card[field])) for field in _CARD_FIELDS if field in model.card)
    return ModelFacts(say(model.name, 80), tuple(facts))


def _engine(model: Any) -> str:
    if model.engine_difference is None:
        return say(model.engine)
    return f"{say(model.engine)} (largest difference to float32 torch: {model.engine_difference:.1e})"


def section(view: RunView) -> ProvenanceFacts:
    """Everything but the machine and its timings, which differ between two runs of the same thing."""
    record = view.run.record
    code = record.provenance
    commit = say(code.git_commit or "not known", 80)
    if code.git_dirty:
        commit += " with uncommitted changes"
    return ProvenanceFacts(
        command=command(code.command),
        code=(
            ("nmebench", say(code.nmebench, 40)),
            ("Commit", commit),
            ("SHA-256 of the sources", say(code.code_sha256 or "–", 80)),
            ("Python", say(code.python, 40)),
            ("Threads", str(code.threads)),
            ("Deterministic algorithms", "yes" if code.deterministic else "no"),
            ("Seed", str(code.seed)),
        ),
        packages=tuple((say(name, 60), say(version, 60)) for name, version in sorted(code.packages.items())),
        data=(
            ("Faces", say(record.dataset.describe())),
            ("Split", say(record.dataset.split, 60)),
            ("Read as", say(record.dataset.format, 60)),
            ("Landmark scheme", say(record.dataset.scheme, 60)),
            ("Errors are divided by", say(record.normaliser, 60)),
        ),
        files=tuple((say(f.name, 120), f"{f.bytes:,}", say(f.sha256, 80)) for f in record.dataset.files),
        notes=tuple(say(note, 400) for note in record.dataset.notes),
        models=tuple(_model(model) for model in record.models),
        configuration=_cut(json.dumps(record.configuration, ensure_ascii=False, indent=1, sort_keys=True)),
    )


def _cut(text: str, limit: int = 4000) -> str:
    lines = "\n".join(say(line, 300) for line in text[:limit].splitlines())
    return lines + (f"\n… (cut, {len(text)} characters)" if len(text) > limit else "")


def counts_table(view: RunView) -> tuple[tuple[str, ...], tuple[tuple[CellView, tuple[int | None, ...]], ...]]:
    """What decoders counted: the names, and a row for every cell that counted something."""
    records = [view.run.record.cells[c.index].counts for c in view.cells]
    names = tuple(sorted({name for counts in records for name in counts}))
    rows = tuple(
        (cell, tuple(counts.get(name) for name in names))
        for cell, counts in zip(view.cells, records, strict=True)
        if counts
    )
    return names, rows


@dataclass(frozen=True)
class Speed:
    """Seconds by stage and by cell, and the machine they were taken on."""

    stages: tuple[tuple[str, str], ...]
    """Of the thread that drives the network; they add up to the total."""
    workers: tuple[tuple[str, str], ...]
    """The processor's, of the threads beside it."""
    cells: tuple[tuple[str, str], ...]
    host: tuple[tuple[str, str], ...]


def _seconds(value: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, Mapping):
        return ()
    return tuple(
        (say(name, 120), number(seconds, 2))
        for name, seconds in sorted(value.items())
        if isinstance(seconds, int | float)
    )


def speed(view: RunView) -> Speed:
    """``timings.json`` and the machine: asked for on purpose only, because they differ between equal runs."""
    timings = dict(view.run.timings)
    flat = {name: value for name, value in timings.items() if isinstance(value, int | float)}
    nested, cells = timings.get("stages"), timings.get("cells")
    labels = {c.id: c.label for c in view.cells}
    by_cell = {labels.get(k, k): v for k, v in cells.items()} if isinstance(cells, Mapping) else {}
    host = tuple((say(k, 60), say(v, 120)) for k, v in sorted(view.run.record.provenance.host.items()))
    stages = _seconds({**flat, **(nested if isinstance(nested, Mapping) else {})})
    return Speed(stages, _seconds(timings.get("workers")), _seconds(by_cell), host)
