"""Names the runs of a comparison, refuses runs that can't be compared, and notes what differs between them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from nmebench.errors import InputError
from nmebench.metric_names import threshold_text
from nmebench.runs.provenance_differences import provenance_differences
from nmebench.runs.run_store import Run

__all__ = ["require_one_scheme", "run_notes", "short_names"]


def require_one_scheme(runs: Sequence[Run]) -> None:
    """Refuse runs of different landmark schemes, because their landmarks are not the same points.

    Raises:
        InputError: a run has another scheme than the first.
    """
    first = runs[0].record.dataset.scheme
    for run in runs[1:]:
        if run.record.dataset.scheme != first:
            raise InputError(
                f"{run.path}: its landmark scheme is {run.record.dataset.scheme}, that of {runs[0].path} is {first}; "
                "only landmarks of one scheme can be compared"
            )


def short_names(runs: Sequence[Run]) -> list[str]:
    """Return the names of the runs' folders, numbered where two are equal."""
    names = [run.path.resolve().name for run in runs]
    repeated = {name for name, count in Counter(names).items() if count > 1}
    return [f"{name} ({number})" if name in repeated else name for number, name in enumerate(names, start=1)]


def run_notes(runs: Sequence[Run], names: Sequence[str]) -> list[str]:
    """Return what differs between the first run and each other: data, packages, code, plug-ins, working directory."""
    notes = []
    first = runs[0].record
    for name, run in zip(names[1:], runs[1:], strict=True):
        between = f"{names[0]} / {name}"
        if run.record.dataset.name != first.dataset.name:
            notes.append(f"{between}: other dataset: {first.dataset.name} / {run.record.dataset.name}")
        if run.record.normaliser != first.normaliser:
            notes.append(
                f"{between}: normalised by {first.normaliser} / {run.record.normaliser}; here, both are normalised by "
                f"{first.normaliser}"
            )
        thresholds, others = first.thresholds, run.record.thresholds
        if thresholds != others:
            texts = [", ".join(map(threshold_text, values)) for values in (thresholds, others)]
            notes.append(f"{between}: thresholds {texts[0]} / {texts[1]} percent; here, both are scored at {texts[0]}")
        differences = provenance_differences(first.provenance, run.record.provenance)
        notes.extend(f"{between}: {difference}" for difference in differences)
    return notes
