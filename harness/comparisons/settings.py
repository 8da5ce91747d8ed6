"""The settings in which two cells were measured differently, and notes on cells that have no plain mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from nmebench.models.card import MEMORY
from nmebench.runs.run_record import CellRecord, ModelRecord
from nmebench.runs.run_store import Run
from nmebench.scoring import DivergedCell, bad_maps, cell_settings, declared_protocol, setting_differences

__all__ = ["cell_notes", "changes", "weights_note"]


def changes(first_run: Run, first: CellRecord, run: Run, cell: CellRecord) -> tuple[str, ...]:
    """Return the settings in which ``cell`` differs from ``first``, such as ``box pfld instead of landmarks``.

    The protocol of predictions is known only where it was declared; without that, one entry says so.

    Args:
        first_run: the run of ``first``.
        first: the cell to compare with.
        run: the run of ``cell``.
        cell: the other cell.
    """
    found = []
    differences = setting_differences(_protocol(first_run, first), _protocol(run, cell))
    found += [f"{name} {after} instead of {before}" for name, (before, after) in differences.items()]
    for name, before, after in (
        ("normaliser", first_run.record.normaliser, run.record.normaliser),
        ("data", first_run.record.dataset.name, run.record.dataset.name),
    ):
        if before != after:
            end = f" (both normalised by {before} here)" if name == "normaliser" else ""
            found.append(f"{name} {after} instead of {before}{end}")
    unknown = [_undeclared(first_run), _undeclared(run)]
    if any(unknown):
        whose = "both are" if all(unknown) else "the first one's is" if unknown[0] else "its own is"
        found.append(f"a protocol that can't be compared: {whose} not declared (predictions of another program)")
    return tuple(found)


def _undeclared(run: Run) -> bool:
    return run.record.kind == "score" and declared_protocol(run) is None


def _protocol(run: Run, cell: CellRecord) -> Mapping[str, str]:
    """All settings of a cell; empty for predictions without a declared protocol."""
    if _undeclared(run):
        return {}
    size = run.model(cell.model).input_size
    return {
        "decoder": cell.decoder_label,
        "flip": cell.flip,
        "box": cell.box,
        **cell_settings(run, cell),
        "coordinate convention": cell.convention,
        **({"input size": " x ".join(map(str, size))} if all(size) else {}),
    }


def cell_notes(cell: CellRecord, label: str, name: str, diverged: Mapping[str, DivergedCell]) -> Iterator[str]:
    """Yield notes on heatmaps that gave no landmark, and on faces on which the decoder diverged.

    Args:
        cell: the cell.
        label: the cell's label.
        name: the name of its run.
        diverged: the run's cells that diverged, by id.
    """
    for kind in ("invalid", "empty"):
        if count := bad_maps(cell, kind):
            yield f"{label}: {count} heatmaps are {kind} in {name}"
    if cell.id in diverged:
        yield f"{label}: {diverged[cell.id].text} in {name}, so its mean says little about the other faces"


def weights_note(models: Sequence[ModelRecord]) -> str:
    """Return a note on networks of one name whose weights have different hashes; empty where they are equal.

    The weights of a network in memory have the hash of their safetensors file, whatever file they came from.
    """
    if len({model.weights_sha256 for model in models}) < 2:
        return ""
    if len({model.architecture.startswith(MEMORY) for model in models}) > 1:
        return "the hashes of the weights differ, one of a file and one of a network in memory"
    return "the weights differ"
