"""Names the commits between which a cell moved."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from nmebench.errors import InputError
from nmebench.history.git import Repository
from nmebench.history.trend import Series, SeriesStep, Trend, causes_of
from nmebench.printable import shown
from nmebench.suggest import unknown

__all__ = ["bisect", "matching_series"]

_MOST_COMMITS = 20


def matching_series(found: Trend, cell: str, subset: str | None = None) -> list[Series]:
    """Return the series of the cells that a pattern matches.

    Raises:
        InputError: no cell or subset of the history matches.
    """
    cells = list(dict.fromkeys(series.cell for series in found.series))
    if not any(fnmatchcase(name, cell) for name in cells):
        raise InputError(unknown("cell", shown(cell), cells))
    mine = [series for series in found.series if fnmatchcase(series.cell, cell)]
    if subset is not None:
        subsets = list(dict.fromkeys(series.subset for series in mine))
        if subset not in subsets:
            raise InputError(unknown("subset", shown(subset), subsets))
        mine = [series for series in mine if series.subset == subset]
    return mine


def bisect(found: Trend, repository: Repository, cell: str, subset: str | None = None) -> list[str]:
    """Describe the steps of a cell, and the commits in which each may have its cause.

    Args:
        found: the series of the history.
        repository: names the commits between two runs.
        cell: id of a cell, or a pattern with ``*`` and ``?``.
        subset: one subset; None for all.

    Returns:
        Lines of text.

    Raises:
        InputError: no cell or subset of the history matches.
    """
    mine = matching_series(found, cell, subset)
    steps = [(series, step) for series in mine for step in series.steps]
    points = {point.commit for series in mine for point in series.points}
    if not steps:
        lines = [f"no step of {shown(cell)} in {len(points)} commits"]
        return [*lines, *_noise(mine)]
    groups: dict[tuple[str, str], list[tuple[Series, SeriesStep]]] = {}
    for series, step in steps:
        groups.setdefault((step.before.commit, step.after.commit), []).append((series, step))
    position = {commit: i for i, commit in enumerate(found.commits)}
    lines = []
    for (before, after), members in sorted(groups.items(), key=lambda item: position[item[0][1]]):
        lines.append(f"between {before[:12]} and {after[:12]}:")
        for series, step in sorted(members, key=lambda item: -abs(item[1].step.size)):
            s = step.step
            lines.append(
                f"  {shown(series.cell)} {series.subset}: NME {s.before:.4f} -> {s.after:.4f} %, {s.size:+.4f} points, "
                f"p {s.p:.2g}"
            )
        lines += [f"  also changed: {shown(cause)}" for cause in causes_of(members)]
        lines += _suspects(repository, before, after)
    return lines


def _suspects(repository: Repository, before: str, after: str) -> list[str]:
    commits = repository.between(before, after)
    if not commits:
        return ["  the repository here doesn't have these commits"]
    listed = [f"    {commit[:12]} {shown(subject)[:100]}" for commit, subject in commits[:_MOST_COMMITS]]
    more = [f"    ... and {len(commits) - _MOST_COMMITS} more"] if len(commits) > _MOST_COMMITS else []
    if len(commits) == 1:
        return ["  the commit:", *listed]
    middle = commits[(len(commits) - 1) // 2][0]
    return [
        f"  one of {len(commits)} commits; measure {middle[:12]} next:",
        *listed,
        *more,
    ]


def _noise(series: Sequence[Series]) -> list[str]:
    short = [s for s in series if not s.noise_known and len(s.points) < 8]
    if not short:
        return []
    return ["the weights differ between commits, and fewer than 8 commits can't show a step through their noise"]
