"""Lays out the scores of a run as a table: cells by subsets, or decoders by networks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

from nmebench.errors import InputError
from nmebench.metric_names import NME, Metric, MetricKind, metric_names, threshold_text
from nmebench.printable import shown
from nmebench.reports.render.text import adaptive_decimals
from nmebench.reports.tables.selection import Selection, selected_cells, selected_subsets
from nmebench.reports.tables.table import Column, Table, Value
from nmebench.runs.run_record import CellRecord
from nmebench.runs.run_store import Run
from nmebench.scoring import DivergedCell, diverged_cells
from nmebench.suggest import unknown

__all__ = ["INTERVALS", "LABELS", "LAYOUTS", "Intervals", "Layout", "TableOptions", "make_table", "source_line"]

Layout = Literal["subsets", "decoders"]
"""``subsets``: one row per cell, one column per subset; ``decoders``: one row per decoder, one column per network."""

LAYOUTS: Final[tuple[Layout, ...]] = get_args(Layout)

Intervals = Literal["none", "first", "all"]
"""The columns of numbers that show 95 % intervals."""

INTERVALS: Final[tuple[Intervals, ...]] = get_args(Intervals)

LABELS: Final = ("network", "decoder", "flip", "box")
"""The columns of text that the layout ``subsets`` can have."""

_DECIMALS: Final[Mapping[MetricKind, int]] = {"nme": 3, "fr": 2, "auc": 4}
_MOST_DECIMALS: Final = 9
_ORACLE: Final = "oracle"

Scores = Mapping[tuple[str, str], Mapping[str, Any]]
"""Rows of ``scores.csv`` by cell id and subset."""


@dataclass(frozen=True)
class TableOptions:
    """The selection, the layout and the numbers of a table."""

    layout: Layout = "subsets"
    metric: str = NME
    """``nme``, or ``fr`` or ``auc`` at a threshold of the run, such as ``fr10``."""
    selection: Selection = field(default_factory=Selection)
    labels: tuple[str, ...] = ()
    """Columns of text, of :data:`LABELS`; empty for network, decoder, and each other part that differs."""
    intervals: Intervals = "first"
    decimals: int | None = None
    """None prints 3 decimals of NME, 2 of FR and 4 of AUC, and two significant digits of a smaller number."""


def make_table(run: Run, options: TableOptions | None = None, *, floor: Run | None = None) -> Table:
    """Select the scores of a run and lay them out.

    NME and FR are in percent, AUC is a fraction. A cell that diverged shows that word and the number of its diverged
    faces in place of its numbers, because its mean describes no other face. The model ``oracle`` is left out unless it
    is selected. Decoders that read heatmaps of another grid are labelled and come last.

    Args:
        run: a scored run; ``run.json`` and ``scores.csv`` are sufficient.
        options: the selection and the layout.
        floor: with the layout ``decoders``, a run of the oracle whose numbers become the last column.

    Raises:
        InputError: an option is out of range, a pattern matches nothing, the layout ``decoders`` meets several flip
            tests, boxes or subsets, or a file of a run is missing or damaged.
    """
    options = options or TableOptions()
    for label in options.labels:
        if label not in LABELS:
            raise InputError(f"--column: {unknown('column', shown(label), LABELS)}")
    if options.decimals is not None and not 0 <= options.decimals <= _MOST_DECIMALS:
        raise InputError(f"--decimals {options.decimals}: must be from 0 to {_MOST_DECIMALS}")
    if floor is not None and options.layout != "decoders":
        raise InputError("--floor: needs --layout decoders")
    if options.layout == "decoders":
        return _decoders(run, options, floor)
    return _subsets(run, options)


@dataclass(frozen=True)
class _Numbers:
    """The scores of a run as values of a table."""

    scores: Scores
    diverged: Mapping[str, DivergedCell]
    metric: Metric
    decimals: int | None

    @classmethod
    def of(cls, run: Run, options: TableOptions) -> _Numbers:
        """Read the scores of a run.

        Raises:
            InputError: the run has no scores, or not those of the metric.
        """
        scores = {(str(row["cell"]), str(row["subset"])): row for row in run.score_rows()}
        metric = Metric.parse(options.metric)
        known = metric_names(run.record.thresholds)
        if metric.name not in known:
            at = threshold_text(metric.threshold or 0.0)
            raise InputError(
                f"--metric {metric.name}: not among the scores of {shown(run.path)} ({', '.join(known)}); rescore the "
                f"run with `nmebench score {shown(run.path)} --threshold {at} -o OTHER`"
            )
        return cls(scores, diverged_cells(run), metric, options.decimals)

    def value(self, cell: str, subset: str, *, interval: bool) -> Value:
        row = self.scores.get((cell, subset))
        if row is None:
            return Value(None, 0)
        number, usual = float(row[self.metric.name]), _DECIMALS[self.metric.kind]
        decimals = self.decimals
        if decimals is None:
            decimals = max(usual, adaptive_decimals(number, usual))
        low, high = (_finite(row.get(f"{self.metric.name}_{end}")) if interval else None for end in ("low", "high"))
        state = self.diverged.get(cell)
        return Value(number, decimals, low, high, word=state.text if state else "")


def _finite(value: Any) -> float | None:
    return None if value is None or not math.isfinite(float(value)) else float(value)


def _subsets(run: Run, options: TableOptions) -> Table:
    cells = selected_cells(run, options.selection)
    subsets = selected_subsets(run, options.selection)
    parts = {name: [_label(name, cell) for cell in cells] for name in LABELS}
    labels = options.labels or tuple(
        name for name in LABELS if name in ("network", "decoder") or len(set(parts[name])) > 1
    )
    numbers = _Numbers.of(run, options)
    shows = {s: options.intervals == "all" or (options.intervals == "first" and s == subsets[0]) for s in subsets}
    counts = run.record.dataset.counts
    columns = [
        *(Column(name) for name in labels),
        *(Column(f"{name} ({counts[name]})", numeric=True, interval=shows[name]) for name in subsets),
    ]
    rows: list[tuple[str | Value, ...]] = [
        (
            *(parts[name][i] for name in labels),
            *(numbers.value(cell.id, subset, interval=shows[subset]) for subset in subsets),
        )
        for i, cell in enumerate(cells)
    ]
    return Table(tuple(columns), tuple(rows), source_line(run, options.metric))


def _label(name: str, cell: CellRecord) -> str:
    return {"network": cell.model, "decoder": cell.decoder_label, "flip": cell.flip, "box": cell.box}[name]


def _decoders(run: Run, options: TableOptions, floor: Run | None) -> Table:
    cells = selected_cells(run, options.selection)
    protocols: tuple[tuple[str, set[str]], ...] = (
        ("flip", {str(cell.flip) for cell in cells}),
        ("box", {cell.box for cell in cells}),
    )
    for option, found in protocols:
        if len(found) > 1:
            raise InputError(
                f"--layout decoders: the selected cells have several values of {option} "
                f"({', '.join(sorted(map(shown, found)))}); choose one with --{option}"
            )
    subsets = options.selection.subsets or ("test",)
    if len(subsets) > 1:
        raise InputError("--layout decoders: shows one subset; give --subset once")
    selected_subsets(run, options.selection)
    networks = list(dict.fromkeys(cell.model for cell in cells))
    numbers = _Numbers.of(run, options)
    shows = options.intervals == "all"
    rows: dict[str, list[Value]] = {}
    labels: dict[str, str] = {}
    for cell in cells:
        row = rows.setdefault(cell.decoder, [Value(None, 0)] * len(networks))
        row[networks.index(cell.model)] = numbers.value(cell.id, subsets[0], interval=shows)
        if cell.mixed or cell.decoder not in labels:
            labels[cell.decoder] = cell.decoder_label
    mixed = {cell.decoder for cell in cells if cell.mixed}
    order = sorted(rows, key=lambda decoder: (decoder in mixed, _rank(rows[decoder], options.metric)))
    columns = [Column("decoder"), *(Column(name, numeric=True, interval=shows) for name in networks)]
    lines: list[list[str | Value]] = [[labels[decoder], *rows[decoder]] for decoder in order]
    if floor is not None:
        title, values = _floor(floor, options, subsets[0])
        columns.append(Column(title, numeric=True))
        for line, decoder in zip(lines, order, strict=True):
            line.append(values.get(decoder, Value(None, 0)))
    return Table(tuple(columns), tuple(map(tuple, lines)), source_line(run, options.metric))


def _rank(values: Sequence[Value], metric: str) -> tuple[bool, float]:
    """Sorts the best first by the first network's number; a diverged or missing number comes last."""
    first = values[0]
    if first.value is None or first.word:
        return True, 0.0
    return False, first.value if Metric.parse(metric).lower_is_better else -first.value


def _floor(floor: Run, options: TableOptions, subset: str) -> tuple[str, dict[str, Value]]:
    numbers = _Numbers.of(floor, options)
    cells = [cell for cell in floor.record.cells if cell.model == _ORACLE]
    if not cells:
        raise InputError(f"--floor {shown(floor.path)}: has no cell of the model {_ORACLE}, which draws ideal heatmaps")
    faces = floor.record.dataset.counts.get(subset, floor.record.dataset.faces)
    title = f"floor: perfect maps on {floor.record.dataset.name} ({faces} faces)"
    return title, {cell.decoder: numbers.value(cell.id, subset, interval=False) for cell in cells}


def source_line(run: Run, metric: str) -> str:
    """Return one line on the data, the metric and the versions of a run."""
    shown_metric = Metric.parse(metric)
    text = shown_metric.title + (" in percent" if shown_metric.percent else "")
    packages, dataset = run.record.provenance.packages, run.record.dataset
    engines = ", ".join(dict.fromkeys(m.engine for m in run.record.models if m.name != _ORACLE))
    versions = [f"{name} {packages[name]}" for name in ("torch", "timm") if name in packages]
    parts = [
        f"{dataset.describe()} of {dataset.name}, {run.record.normaliser} {text}",
        ", ".join([*versions, *([f"engine {engines}"] if engines else [])]),
    ]
    return "; ".join(part for part in parts if part)
