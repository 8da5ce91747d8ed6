"""Provenance: the code, data and weights that the numbers depend on, and the command that repeats the run."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nmebench.metric_names import threshold_text
from nmebench.reports.render.text import DASH, display, number
from nmebench.reports.view import RunView
from nmebench.runs.run_record import ModelRecord, SourceRecord
from nmebench.scoring.rescore import describe_rescore

__all__ = [
    "ModelFacts",
    "ProvenanceFacts",
    "ProvenanceSection",
    "RunTimes",
    "command",
    "provenance",
    "section",
    "times",
]

_CARD_FIELDS = ("licence", "license", "source", "paper", "input", "output", "test")


@dataclass(frozen=True)
class ModelFacts:
    """A network of the run: labels and values; long fields of its card are cut."""

    name: str
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class ProvenanceFacts:
    """The command and configuration, and facts about the code, the data and the networks."""

    command: str
    code: tuple[tuple[str, str], ...]
    packages: tuple[tuple[str, str], ...]
    data: tuple[tuple[str, str], ...]
    files: tuple[tuple[str, str, str], ...]
    notes: tuple[str, ...]
    models: tuple[ModelFacts, ...]
    configuration: str
    plugins: tuple[ModelFacts, ...] = ()
    """The sources of plug-ins and of the working directory."""


def command(words: list[str]) -> str:
    """The command that repeats the run, quoted for a shell.

    The output folder is replaced by ``RUN``, because it does not affect any number.

    Example:
        >>> command(["nmebench", "run", "--data", "wflw:My Data", "-o", "/tmp/run"])
        "nmebench run --data 'wflw:My Data' -o RUN"
    """
    shown: list[str] = []
    for word in words:
        if shown and shown[-1] in ("-o", "--output", "--out"):
            word = "RUN"
        elif word.startswith(("--output=", "--out=")):
            word = f"{word.partition('=')[0]}=RUN"
        shown.append(display(word, 300))
    return " ".join(shlex.quote(word) for word in shown)


def _card_text(value: Any) -> str:
    if isinstance(value, str):
        return display(value)
    return display(json.dumps(value, ensure_ascii=False, sort_keys=True, default=str))


def _model(model: ModelRecord) -> ModelFacts:
    facts = [
        ("Architecture", display(model.architecture)),
        ("Weights", display(model.weights_name or "none")),
        ("SHA-256 of the weights", display(model.weights_sha256 or DASH)),
        ("Parameters", f"{model.parameters:,}" if model.parameters is not None else DASH),
        ("Input", "{} × {} px".format(*model.input_size)),
        (
            "Heatmaps",
            "{} × {} px".format(*model.heatmap_size) if model.heatmap_size else "none, the network outputs landmarks",
        ),
        ("Engine", _engine(model)),
    ]
    if model.renamed:
        facts.append(("Renamed weights", str(model.renamed)))
    facts.extend(("Note", display(note, 400)) for note in model.notes)
    facts.extend((f"Card: {field}", _card_text(model.card[field])) for field in _CARD_FIELDS if field in model.card)
    return ModelFacts(display(model.name, 80), tuple(facts))


def _engine(model: ModelRecord) -> str:
    if model.engine_difference is None:
        return display(model.engine)
    return f"{display(model.engine)} (largest difference from float32 torch: {model.engine_difference:.1e})"


def provenance(view: RunView) -> ProvenanceFacts:
    """All facts except the machine and its timings, which differ between two equal runs."""
    record = view.run.record
    code = record.provenance
    commit = display(code.git_commit or "unknown", 80)
    if code.git_dirty:
        commit += " with uncommitted changes"
    return ProvenanceFacts(
        command=command(code.command),
        code=(
            ("nmebench", display(code.nmebench, 40)),
            ("Commit", commit),
            ("SHA-256 of the sources", display(code.code_sha256 or DASH, 80)),
            ("Python", display(code.python, 40)),
            ("Threads", str(code.threads)),
            ("Deterministic algorithms", "yes" if code.deterministic else "no"),
            ("Seed", str(code.seed)),
        ),
        packages=tuple((display(name, 60), display(version, 60)) for name, version in sorted(code.packages.items())),
        data=(
            ("Faces", display(record.dataset.describe())),
            ("Split", display(record.dataset.split, 60)),
            ("Format", display(record.dataset.format, 60)),
            ("Landmark scheme", display(record.dataset.scheme, 60)),
            ("Normaliser", display(record.normaliser, 60)),
            ("Thresholds of FR and AUC, %", ", ".join(map(threshold_text, record.thresholds))),
            *((("Rescored", display("; ".join(describe_rescore(record)), 200)),) if record.rescored else ()),
        ),
        files=tuple((display(f.name, 120), f"{f.bytes:,}", display(f.sha256, 80)) for f in record.dataset.files),
        notes=tuple(display(note, 400) for note in record.dataset.notes),
        models=tuple(_model(model) for model in record.models),
        configuration=_cut(json.dumps(record.configuration, ensure_ascii=False, indent=1, sort_keys=True)),
        plugins=tuple(_source(source) for source in code.plugins),
    )


def _source(source: SourceRecord) -> ModelFacts:
    """The facts about a plug-in's source, or the working directory's."""
    commit = display(source.git_commit or "no repository", 80)
    facts = [("Used by", display(", ".join(source.used_by), 400))] if source.used_by else []
    if source.distribution is not None:
        facts.append(("Distribution", display(f"{source.distribution} {source.version or ''}", 160)))
    facts.append(("Commit", commit + (" with uncommitted changes" if source.git_dirty else "")))
    facts.append(("SHA-256 of the sources", display(source.sha256 or DASH, 80)))
    if source.requirements:
        needed = ", ".join(f"{name} {version.split()[0]}" for name, version in source.requirements.items() if version)
        facts.append(("Requires", display(needed, 400)))
    return ModelFacts(display(source.name, 80), tuple(facts))


def _cut(text: str, limit: int = 4000) -> str:
    lines = "\n".join(display(line, 300) for line in text[:limit].splitlines())
    return lines + (f"\n… (cut, {len(text)} characters)" if len(text) > limit else "")


@dataclass(frozen=True)
class RunTimes:
    """Seconds by stage and by cell, and the machine."""

    stages: tuple[tuple[str, str], ...]
    """Wall-clock seconds of the thread that drives the network; they sum to the total."""
    workers: tuple[tuple[str, str], ...]
    """CPU seconds of the other threads."""
    cells: tuple[tuple[str, str], ...]
    """CPU seconds of each cell."""
    host: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class ProvenanceSection:
    """Provenance, and the times if the page shows them."""

    facts: ProvenanceFacts
    times: RunTimes | None


def section(view: RunView, *, timings: bool = False) -> ProvenanceSection:
    """Provenance of the run; with ``timings`` also the times and the machine."""
    return ProvenanceSection(provenance(view), times(view) if timings else None)


def times(view: RunView) -> RunTimes:
    """``timings.json`` and the machine. They differ between two equal runs, so pages leave them out by default."""
    timings = dict(view.run.timings)
    total = {name: value for name, value in timings.items() if isinstance(value, int | float)}
    stages, cells = timings.get("stages"), timings.get("cells")
    labels = {c.id: c.label for c in view.cells}
    by_label = {labels.get(k, k): v for k, v in cells.items()} if isinstance(cells, Mapping) else {}
    host = tuple((display(k, 60), display(v, 120)) for k, v in sorted(view.run.record.provenance.host.items()))
    return RunTimes(
        _seconds({**total, **(stages if isinstance(stages, Mapping) else {})}),
        _seconds(timings.get("workers")),
        _seconds(by_label),
        host,
    )


def _seconds(value: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, Mapping):
        return ()
    return tuple(
        (display(name, 120), number(seconds, 2))
        for name, seconds in sorted(value.items())
        if isinstance(seconds, int | float)
    )
