"""The series of a history: NME per cell and subset over commits, with their steps."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from nmebench.history.entry import Entry, HistoryCell, HistoryRun
from nmebench.history.git import Repository
from nmebench.history.steps import NOISE_FLOOR, Step, find_steps
from nmebench.protocol import in_table_order

__all__ = ["Point", "Series", "SeriesStep", "Trend", "causes_of", "trend"]


@dataclass(frozen=True)
class Point:
    """One commit of a series."""

    commit: str
    time: int
    dirty: bool
    nme: float
    """Percent; the mean over the machines that measured the commit."""
    low: float | None
    high: float | None
    """The 95 % interval on one of the machines."""
    machines: tuple[str, ...]
    link: str | None
    weights: str | None
    code: str
    packages: Mapping[str, str]


@dataclass(frozen=True)
class SeriesStep:
    """A step of a series with the commits on both sides."""

    step: Step
    before: Point
    """The last commit before the step."""
    after: Point
    """The first commit after it."""

    @property
    def causes(self) -> tuple[str, ...]:
        """Other changes between the two runs: weights, nmebench's code, versions of packages."""
        found = []
        if self.before.weights != self.after.weights:
            found.append("other weights")
        if self.before.code != self.after.code:
            found.append("other code of nmebench")
        names = self.before.packages.keys() | self.after.packages.keys()
        found += [
            f"{name} {self.before.packages.get(name, 'none')} to {self.after.packages.get(name, 'none')}"
            for name in sorted(names)
            if self.before.packages.get(name) != self.after.packages.get(name)
        ]
        if self.before.machines != self.after.machines:
            found.append("another machine")
        return tuple(found)


@dataclass(frozen=True)
class Series:
    """One cell with one protocol on one subset of the same faces."""

    dataset: str
    faces: int
    count: int
    """Faces of the subset."""
    cell: str
    record: HistoryCell
    subset: str
    points: tuple[Point, ...]
    noise_known: bool
    """True if all points have the same weights: their noise is that of the arithmetic."""
    steps: tuple[SeriesStep, ...] = ()


@dataclass(frozen=True)
class Trend:
    """All series of a history."""

    commits: tuple[str, ...]
    """In the order of the repository, or of time."""
    times: Mapping[str, int]
    machines: tuple[str, ...]
    series: tuple[Series, ...]
    diverged: tuple[tuple[str, str, str], ...]
    """Cells that diverged: commit, cell, and the number of faces; they are no points of a series."""

    @property
    def steps(self) -> list[tuple[Series, SeriesStep]]:
        """All steps, the latest commit first, then the largest."""
        found = [(series, step) for series in self.series for step in series.steps]
        position = {commit: i for i, commit in enumerate(self.commits)}
        return sorted(found, key=lambda item: (-position[item[1].after.commit], -abs(item[1].step.size)))


def causes_of(steps: Iterable[tuple[Series, SeriesStep]]) -> list[str]:
    """Return the other changes of all steps between the same two commits.

    A change that only some of the series have, such as other weights, names their networks.
    """
    members = list(steps)
    networks: dict[str, list[str]] = {}
    for series, step in members:
        for cause in step.causes:
            networks.setdefault(cause, []).append(series.record.model)
    return [
        cause if len(models) == len(members) else f"{cause} ({', '.join(dict.fromkeys(models))})"
        for cause, models in networks.items()
    ]


def trend(entries: Sequence[Entry], repository: Repository, *, machine: str | None = None) -> Trend:
    """Build the series of a history and find their steps.

    A series has the points with the same faces, number of faces in the subset, normaliser, and protocol of the cell; a
    change of any of them begins another series. Several machines of one commit are averaged. The noise is known where
    all points have the same weights: such networks give equal numbers, up to the arithmetic of the processor. Otherwise
    it is estimated.

    Args:
        entries: the files of the history.
        repository: gives the order of the commits; those that it doesn't have are placed by their time.
        machine: use only the entries of this machine.
    """
    used = [entry for entry in entries if machine is None or entry.machine == machine]
    times = {entry.commit: entry.time for entry in used}
    commits = _in_order(times, repository)
    groups: dict[str, list[tuple[Entry, HistoryRun, str, HistoryCell]]] = {}
    lost = []
    for entry in used:
        for run in entry.runs:
            for name, cell in run.cells.items():
                if cell.diverged:
                    lost.append((entry.commit, name, cell.diverged))
                else:
                    groups.setdefault(_key(run, name, cell), []).append((entry, run, name, cell))
    found = []
    for members in groups.values():
        for subset in in_table_order(name for *_, cell in members for name in cell.nme):
            by_count: dict[int, list[tuple[Entry, HistoryRun, str, HistoryCell]]] = {}
            for member in members:
                if subset in member[3].nme:
                    by_count.setdefault(member[1].counts.get(subset, 0), []).append(member)
            found += [_series(mine, subset, commits) for mine in by_count.values()]
    searched = sum(len(series.points) > 1 for series in found)
    return Trend(
        tuple(commits),
        times,
        tuple(sorted({entry.machine for entry in used})),
        tuple(_with_steps(series, max(1, searched)) for series in found),
        tuple(sorted(set(lost))),
    )


def _key(run: HistoryRun, name: str, cell: HistoryCell) -> str:
    """Everything that must be equal for two numbers to be comparable."""
    protocol = cell.model_dump(include={"decoder", "flip", "box", "convention", "input_size", "settings", "mixed"})
    parts = [run.dataset, run.scheme, run.normaliser, run.faces_sha256, name, protocol]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _in_order(times: Mapping[str, int], repository: Repository) -> list[str]:
    """Commits in topological order; those that the repository doesn't have come before the first later one."""
    ordered = repository.ordered(times)
    for commit in sorted(times.keys() - set(ordered), key=lambda c: (times[c], c)):
        later = (i for i, other in enumerate(ordered) if times[other] > times[commit])
        ordered.insert(next(later, len(ordered)), commit)
    return ordered


def _series(
    members: Iterable[tuple[Entry, HistoryRun, str, HistoryCell]], subset: str, commits: Sequence[str]
) -> Series:
    by_commit: dict[str, list[tuple[Entry, HistoryRun, str, HistoryCell]]] = {}
    for member in members:
        by_commit.setdefault(member[0].commit, []).append(member)
    points = [_point(sorted(by_commit[c], key=lambda m: m[0].machine), subset) for c in commits if c in by_commit]
    _, run, name, cell = by_commit[points[-1].commit][0]
    weights = {point.weights for point in points}
    return Series(
        run.dataset,
        run.faces,
        run.counts.get(subset, 0),
        name,
        cell,
        subset,
        tuple(points),
        noise_known=len(weights) == 1 and None not in weights,
    )


def _point(members: Sequence[tuple[Entry, HistoryRun, str, HistoryCell]], subset: str) -> Point:
    entry, run, _, cell = members[0]
    return Point(
        entry.commit,
        entry.time,
        any(member[0].dirty for member in members),
        fmean(member[3].nme[subset].nme for member in members),
        cell.nme[subset].low,
        cell.nme[subset].high,
        tuple(member[0].machine for member in members),
        next((member[1].link for member in members if member[1].link), None),
        cell.weights_sha256,
        run.code_sha256,
        run.packages,
    )


def _with_steps(series: Series, searched: int) -> Series:
    steps = find_steps(
        [point.nme for point in series.points],
        series=searched,
        noise=NOISE_FLOOR if series.noise_known else None,
    )
    found = tuple(SeriesStep(s, series.points[s.index - 1], series.points[s.index]) for s in steps)
    return Series(**{**series.__dict__, "steps": found})
