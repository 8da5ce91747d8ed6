"""Compares runs with each other: the same cells on the same faces, with paired statistics against the first run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nmebench import metrics
from nmebench.errors import InputError
from nmebench.printable import markdown_cell
from nmebench.runs.run_store import CellRecord, Run
from nmebench.scoring import bad_maps, cell_settings, setting_differences, subset_masks
from nmebench.statistics import PairedDifference, holm, paired_difference

__all__ = ["CellDifference", "CellScores", "Comparison", "compare", "lines", "markdown"]

Indices = NDArray[np.int64]
Cells = list[CellRecord | None]


@dataclass(frozen=True)
class CellScores:
    """The scores of one run's cell on the common faces: NME by subset and FR (percent), AUC (fraction)."""

    cell: str
    nme: Mapping[str, float]
    fr10: float
    auc10: float


@dataclass(frozen=True)
class CellDifference:
    """A later run's cell minus the first run's: percent points of NME, p adjusted over all comparisons."""

    difference: float
    low: float
    high: float
    p: float
    result: str
    """``better``, ``worse`` or ``no difference``."""


@dataclass(frozen=True)
class ComparedRow:
    """One cell in all runs; ``scores`` and ``differences`` have one item per run, None for a run without the cell."""

    label: str
    scores: tuple[CellScores | None, ...]
    differences: tuple[CellDifference | None, ...]


@dataclass(frozen=True)
class Comparison:
    """The result of a comparison."""

    names: tuple[str, ...]
    dataset: str
    faces: int
    """Number of faces that all runs measured."""
    of: tuple[int, ...]
    """Number of faces of each run."""
    subsets: tuple[str, ...]
    rows: tuple[ComparedRow, ...]
    notes: tuple[str, ...]
    level: float

    @property
    def compared(self) -> int:
        """Number of paired comparisons."""
        return sum(d is not None for row in self.rows for d in row.differences)

    @property
    def exit_code(self) -> int:
        """0, or 3 when nothing was comparable."""
        return 0 if self.compared else 3

    @property
    def summary(self) -> str:
        """The result in one line."""
        if not self.compared:
            return (
                "compare: nothing was comparable: the runs have no cell in common (model, decoder, flip test, box). To "
                "compare two networks, measure each in a run of its own with the same decoder, flip test and box; "
                "`nmebench report RUN` compares the networks of one run"
            )
        counts = Counter(d.result for row in self.rows for d in row.differences if d is not None)
        found = ", ".join(f"{counts[r]} {r}" for r in ("better", "worse", "no difference") if counts[r])
        return f"compare: {self.compared} comparisons on {self.faces} common faces of {self.dataset}: {found}"


def compare(runs: Sequence[Run], *, names: Sequence[str] | None = None, level: float = 0.95) -> Comparison:
    """Compare runs with the first of them.

    Two cells match when their model, decoder, flip test and box are equal. If two runs each have exactly one unmatched
    cell with the same decoder, flip test and box, these match too, even though their models have different names. Two
    faces match when their image name and ground truth (to 0.01 px) are equal; only faces that all runs measured count.

    Args:
        runs: two or more scored runs.
        names: names for the result; by default those of the runs' folders.
        level: level of the intervals; a difference is significant when its adjusted p is below ``1 - level``.

    Returns:
        The comparison; nothing is written.

    Raises:
        InputError: fewer than two runs are given, their datasets, schemes or normalisers differ, they have no face in
            common, or a run isn't scored.
    """
    if len(runs) < 2:
        raise InputError(f"{len(runs)} run given: give two or more to compare")
    first = runs[0]
    _require_equal(runs, "dataset", [run.record.dataset.name for run in runs])
    _require_equal(runs, "landmark scheme", [run.record.dataset.scheme for run in runs])
    _require_equal(runs, "normaliser", [run.record.normaliser for run in runs])
    indices = _common_faces(runs)
    if not len(indices[0]):
        raise InputError(
            f"{first.path} and {runs[1].path}: no face in common (file name and ground truth), "
            "so nothing can be compared"
        )
    masks = {name: mask[indices[0]] for name, mask in subset_masks(first).items() if mask[indices[0]].any()}
    clusters = first.faces.clusters[indices[0]]
    table = _matching_cells(runs)
    pairs: dict[tuple[int, int], PairedDifference] = {}
    for r, cells in enumerate(table):
        reference = cells[0]
        if reference is None:
            continue
        before = first.per_face[reference.id][indices[0]]
        for c, cell in enumerate(cells[1:], start=1):
            if cell is not None:
                pairs[r, c] = paired_difference(before, runs[c].per_face[cell.id][indices[c]], clusters, level=level)
    adjusted = dict(zip(pairs, holm([pair.p for pair in pairs.values()]), strict=True))
    rows = [
        ComparedRow(
            _label(cells),
            tuple(_scores(run, cell, index, masks) for run, cell, index in zip(runs, cells, indices, strict=True)),
            tuple(
                _difference(pairs[r, c], float(adjusted[r, c]), level) if (r, c) in pairs else None
                for c in range(len(runs))
            ),
        )
        for r, cells in enumerate(table)
    ]
    return Comparison(
        names=tuple(names or _short_names(runs)),
        dataset=first.record.dataset.name,
        faces=len(indices[0]),
        of=tuple(len(run.faces) for run in runs),
        subsets=tuple(masks),
        rows=tuple(rows),
        notes=tuple(_notes(runs, table)),
        level=level,
    )


def _require_equal(runs: Sequence[Run], name: str, values: Sequence[str]) -> None:
    for run, value in zip(runs, values, strict=True):
        if value != values[0]:
            raise InputError(
                f"{run.path}: its {name} is {value}, that of {runs[0].path} is {values[0]}; "
                "only runs with equal ones can be compared"
            )


def _common_faces(runs: Sequence[Run]) -> list[Indices]:
    """For each run, the row numbers of the faces that all runs have, in the first run's order."""
    rows_by_face = []
    for run in runs:
        steps = np.rint(run.faces.landmarks.reshape(len(run.faces), -1) * 100).astype(np.int64)
        keys: dict[tuple[str, bytes, int], int] = {}
        seen: Counter[tuple[str, bytes]] = Counter()
        for row, (image, points) in enumerate(zip(run.faces.image, steps, strict=True)):
            key = (image, points.tobytes())
            keys[(*key, seen[key])] = row  # a line that occurs twice is two faces
            seen[key] += 1
        rows_by_face.append(keys)
    common = [key for key in rows_by_face[0] if all(key in other for other in rows_by_face[1:])]
    return [np.array([keys[key] for key in common], np.int64) for keys in rows_by_face]


def _matching_cells(runs: Sequence[Run]) -> list[tuple[CellRecord | None, ...]]:
    """Rows of matching cells, with one item per run; None for a run without the cell."""
    table: dict[str, Cells] = {}
    for number, run in enumerate(runs):
        for cell in run.record.cells:
            table.setdefault(cell.id, [None] * len(runs))[number] = cell
    # The same network may have another name in the other run: join rows that are the only ones with their protocol.
    for number in range(1, len(runs)):
        only_first = _unmatched(table, present=0, missing=number)
        only_this = _unmatched(table, present=number, missing=0)
        for protocol, keys in only_this.items():
            targets = only_first.get(protocol, [])
            if len(keys) == 1 and len(targets) == 1:
                row = table[keys[0]]
                table[targets[0]][number], row[number] = row[number], None
                if not any(row):
                    del table[keys[0]]
    return [tuple(row) for row in table.values()]


def _unmatched(table: Mapping[str, Cells], *, present: int, missing: int) -> dict[tuple[str, str, str], list[str]]:
    """Keys of the rows with a cell of one run and none of another, by the cell's decoder, flip test and box."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for key, row in table.items():
        cell = row[present]
        if cell is not None and row[missing] is None:
            found.setdefault((cell.decoder, cell.flip, cell.box), []).append(key)
    return found


def _label(cells: Sequence[CellRecord | None]) -> str:
    existing = [cell for cell in cells if cell is not None]
    models = dict.fromkeys(cell.model for cell in existing)
    return f"{' / '.join(models)}, {existing[0].decoder}, {existing[0].flip}, {existing[0].box}"


def _scores(
    run: Run, cell: CellRecord | None, index: Indices, masks: Mapping[str, NDArray[np.bool_]]
) -> CellScores | None:
    if cell is None:
        return None
    nme = run.per_face[cell.id][index]
    return CellScores(
        cell.id,
        {name: float(nme[mask].mean()) for name, mask in masks.items()},
        metrics.failure_rate(nme),
        metrics.auc(nme),
    )


def _difference(paired: PairedDifference, p: float, level: float) -> CellDifference:
    significant = p < 1 - level
    result = "no difference" if not significant else "worse" if paired.difference > 0 else "better"
    return CellDifference(paired.difference, paired.low, paired.high, p, result)


def _short_names(runs: Sequence[Run]) -> list[str]:
    """Folder names, numbered if two are equal."""
    names = [run.path.resolve().name for run in runs]
    repeated = {name for name, count in Counter(names).items() if count > 1}
    return [f"{name} ({number})" if name in repeated else name for number, name in enumerate(names, start=1)]


def _notes(runs: Sequence[Run], table: Sequence[Sequence[CellRecord | None]]) -> list[str]:
    """Differences between the runs besides the cells: packages, code, weights and settings."""
    notes = []
    names = _short_names(runs)
    first = runs[0].record.provenance
    for name, run in zip(names[1:], runs[1:], strict=True):
        other = run.record.provenance
        differing = sorted(
            f"{package} {first.packages.get(package, 'none')} / {other.packages.get(package, 'none')}"
            for package in first.packages.keys() | other.packages.keys()
            if first.packages.get(package) != other.packages.get(package)
        )
        if differing:
            notes.append(f"{names[0]} / {name}: other packages: {', '.join(differing)}")
        if first.code_sha256 != other.code_sha256:
            notes.append(f"{names[0]} / {name}: other code ({first.git_commit or '?'} / {other.git_commit or '?'})")
    for cells in table:
        weights = [
            run.model(cell.model).weights_sha256 for run, cell in zip(runs, cells, strict=True) if cell is not None
        ]
        if len(set(weights)) > 1:
            notes.append(f"{_label(cells)}: the weights differ")
        notes.extend(_setting_notes(runs, names, cells))
    return notes


def _setting_notes(runs: Sequence[Run], names: Sequence[str], cells: Sequence[CellRecord | None]) -> Iterator[str]:
    """Settings in which a row's cells differ from the first of them, and heatmaps that gave no landmark."""
    measured = [(name, run, cell) for name, run, cell in zip(names, runs, cells, strict=True) if cell is not None]
    settings = [
        {
            **cell_settings(run, cell),
            "coordinate convention": cell.convention,
            "input size": " x ".join(map(str, run.model(cell.model).input_size)),
        }
        for _, run, cell in measured
    ]
    for (name, _, _), other in zip(measured[1:], settings[1:], strict=True):
        for setting, (before, after) in setting_differences(settings[0], other).items():
            yield f"{_label(cells)}: {setting} is {before} in {measured[0][0]}, {after} in {name}"
    for name, _, cell in measured:
        for kind in ("invalid", "empty"):
            if count := bad_maps(cell, kind):
                yield f"{_label(cells)}: {count} heatmaps are {kind} in {name}"


def lines(comparison: Comparison) -> list[str]:
    """Return the comparison as lines of text."""
    out = []
    for row in comparison.rows:
        out.append(row.label)
        for name, scores, difference in zip(comparison.names, row.scores, row.differences, strict=True):
            if scores is None:
                out.append(f"  {name}: no such cell")
                continue
            text = f"  {name}: NME {scores.nme['test']:.4f} %, FR@10 {scores.fr10:.2f} %, AUC@10 {scores.auc10:.4f}"
            out.append(text if difference is None else f"{text}; {_difference_text(difference)}")
    return [*out, *(f"note: {note}" for note in comparison.notes), comparison.summary]


def _difference_text(difference: CellDifference) -> str:
    interval = "" if np.isnan(difference.low) else f" [{difference.low:+.4f}, {difference.high:+.4f}]"
    return f"{difference.difference:+.4f}{interval} points, p {difference.p:.3g}: {difference.result}"


def markdown(comparison: Comparison) -> str:
    """Return a Markdown table with NME by subset, FR, AUC and the difference to the first run."""
    head = ["cell", "run", *(f"NME {s}" for s in comparison.subsets), "FR@10", "AUC@10", "difference to the first run"]
    out = [f"**{markdown_cell(comparison.summary)}**", "", f"| {' | '.join(head)} |"]
    out.append(f"|---|---|{'--:|' * (len(comparison.subsets) + 2)}---|")
    for row in comparison.rows:
        for name, scores, difference in zip(comparison.names, row.scores, row.differences, strict=True):
            if scores is None:
                cells = [""] * (len(comparison.subsets) + 2) + ["no such cell"]
            else:
                cells = [f"{scores.nme[s]:.4f}" for s in comparison.subsets]
                cells += [f"{scores.fr10:.2f}", f"{scores.auc10:.4f}"]
                cells.append("" if difference is None else _difference_text(difference))
            out.append(f"| {markdown_cell(row.label)} | {markdown_cell(name)} | {' | '.join(cells)} |")
    out += ["", *(f"- {markdown_cell(note)}" for note in comparison.notes)] if comparison.notes else []
    return "\n".join(out) + "\n"
