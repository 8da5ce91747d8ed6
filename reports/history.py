"""The trend page of a history: one self-contained HTML file without scripts."""

from __future__ import annotations

import datetime
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from markupsafe import Markup

from nmebench.history import Point, Series, SeriesStep, Trend, causes_of
from nmebench.printable import counted
from nmebench.reports.page import write_page
from nmebench.reports.render.page_files import environment, styles
from nmebench.reports.render.text import adaptive_decimals, display, flip_text, number, p_value, signed
from nmebench.reports.render.trend_chart import trend_chart

__all__ = ["history_html", "write_history"]

_MOST_ROWS = 50
"""Commits of the table of numbers of a cell; the charts show all."""

_SHORT = 10


@dataclass(frozen=True)
class CommitText:
    """A commit as the page shows it."""

    short: str
    date: str
    href: str
    """Address of the commit; empty for none."""
    run: str
    """Address of the report of its run; empty for none."""
    dirty: bool


@dataclass(frozen=True)
class StepLine:
    """A step of one series as texts."""

    cell: str
    subset: str
    numbers: str
    size: str
    worse: bool
    p: str
    anchor: str


@dataclass(frozen=True)
class StepGroup:
    """All steps between two neighbouring commits of the history."""

    before: CommitText
    after: CommitText
    lines: tuple[StepLine, ...]
    causes: tuple[str, ...]

    @property
    def words(self) -> str:
        """The number of series that got worse and better."""
        worse = sum(line.worse for line in self.lines)
        parts = [f"{n} {word}" for n, word in ((worse, "worse"), (len(self.lines) - worse, "better")) if n]
        return " and ".join(parts)


@dataclass(frozen=True)
class Chart:
    """One series: its picture and the texts beside it."""

    subset: str
    faces: int
    last: str
    span: str
    steps: tuple[str, ...]
    svg: Markup


@dataclass(frozen=True)
class CellPart:
    """One cell with one protocol: its charts, and the numbers of its last commits."""

    anchor: str
    name: str
    note: str
    charts: tuple[Chart, ...]
    has_step: bool
    subsets: tuple[str, ...]
    rows: tuple[tuple[CommitText, tuple[str, ...]], ...]
    left_out: int


def history_html(found: Trend, *, commit_url: str | None = None, links: Mapping[str, str] | None = None) -> str:
    """Render the trend page; the same history gives the same bytes.

    Args:
        found: the series with their steps.
        commit_url: address of a commit with ``{commit}`` in it; None for no links.
        links: for each stored link of a run its address from the page; a link that is absent is not shown.
    """
    page = _Page(found, commit_url, links or {})
    cells = page.cells()
    groups = page.groups()
    template = environment().get_template("history.html.j2")
    return (
        template.render(
            title=f"History: {', '.join(page.datasets)}" if page.datasets else "History",
            subtitle=(
                f"{counted(len(found.commits), 'commit')}, {counted(len(cells), 'cell')}, "
                f"{len(found.series)} series, {counted(len(found.machines), 'machine')}"
            ),
            sentence=page.sentence(groups),
            tone=page.tone(groups),
            groups=groups,
            moved=[cell for cell in cells if cell.has_step],
            quiet=[cell for cell in cells if not cell.has_step],
            machines=[display(machine, 100) for machine in found.machines],
            diverged=[
                (page.commit(commit), display(cell, 200), display(text, 60)) for commit, cell, text in found.diverged
            ],
            **styles("history.css"),
        )
        + "\n"
    )


class _Page:
    """The page's texts of a history."""

    def __init__(self, found: Trend, commit_url: str | None, links: Mapping[str, str]) -> None:
        self._found = found
        self._commit_url = commit_url
        self._links = links
        self.datasets = list(dict.fromkeys(display(series.dataset, 40) for series in found.series))
        self._groups: dict[tuple[object, ...], list[Series]] = {}
        for series in found.series:
            key = (series.dataset, series.cell, tuple(point.commit for point in series.points), series.faces)
            self._groups.setdefault(key, []).append(series)
        self._anchors = {id(s): f"cell-{i}" for i, members in enumerate(self._groups.values()) for s in members}

    def _anchor(self, series: Series) -> str:
        return self._anchors[id(series)]

    def commit(self, sha: str, point: Point | None = None) -> CommitText:
        href = self._commit_url.replace("{commit}", quote(sha, safe="")) if self._commit_url else ""
        run = self._links.get(point.link, "") if point and point.link else ""
        return CommitText(sha[:_SHORT], _date(self._found.times[sha]), href, run, bool(point and point.dirty))

    def groups(self) -> list[StepGroup]:
        """The steps by pair of commits, the latest first."""
        grouped: dict[tuple[str, str], list[tuple[Series, SeriesStep]]] = {}
        for series, step in self._found.steps:
            grouped.setdefault((step.before.commit, step.after.commit), []).append((series, step))
        return [
            StepGroup(
                self.commit(before, members[0][1].before),
                self.commit(after, members[0][1].after),
                tuple(self._line(series, step) for series, step in members),
                tuple(display(cause, 120) for cause in causes_of(members)),
            )
            for (before, after), members in grouped.items()
        ]

    def _line(self, series: Series, found: SeriesStep) -> StepLine:
        step = found.step
        digits = max(adaptive_decimals(step.after, 3), 3)
        return StepLine(
            _label(series),
            display(series.subset, 40),
            f"{number(step.before, digits)} → {number(step.after, digits)} %",
            signed(step.size, digits),
            step.size > 0,
            p_value(step.p),
            self._anchor(series),
        )

    @staticmethod
    def tone(groups: Sequence[StepGroup]) -> str:
        """The colour of the sentence: that of the latest steps."""
        if not groups:
            return "open"
        return "bad" if any(line.worse for line in groups[0].lines) else "good"

    def sentence(self, groups: Sequence[StepGroup]) -> str:
        commits = counted(len(self._found.commits), "commit")
        if not groups:
            return f"No cell moved in {commits}."
        latest = groups[0]
        first = latest.lines[0]
        at = "one" if len(groups) == 1 else str(len(groups))
        return (
            f"Cells moved at {at} of {commits}. Latest: {latest.after.short} ({latest.after.date}), "
            f"{latest.words} on some subset, "
            f"most {first.subset} of {first.cell}: {first.size} points."
        )

    def cells(self) -> list[CellPart]:
        parts = [self._cell(members) for members in self._groups.values()]
        return sorted(parts, key=lambda part: not part.has_step)

    def _cell(self, members: Sequence[Series]) -> CellPart:
        first = members[0]
        rows = []
        for i in range(len(first.points) - 1, max(-1, len(first.points) - 1 - _MOST_ROWS), -1):
            point = first.points[i]
            values = tuple(number(s.points[i].nme, adaptive_decimals(s.points[i].nme, 3)) for s in members)
            rows.append((self.commit(point.commit, point), values))
        return CellPart(
            self._anchor(first),
            _label(first),
            _note(first),
            tuple(self._chart(series) for series in members),
            any(series.steps for series in members),
            tuple(display(series.subset, 40) for series in members),
            tuple(rows),
            max(0, len(first.points) - _MOST_ROWS),
        )

    def _chart(self, series: Series) -> Chart:
        values = [point.nme for point in series.points]
        low, high = min(values), max(values)
        steps = tuple(f"{signed(s.step.size, 3)} at {s.after.commit[:_SHORT]}" for s in series.steps)
        return Chart(
            display(series.subset, 40),
            series.count,
            number(values[-1], adaptive_decimals(values[-1], 3)),
            "constant" if high == low else f"{number(low, 3)} to {number(high, 3)}",
            steps,
            trend_chart(
                series,
                {commit: i for i, commit in enumerate(self._found.commits)},
                [_title(point) for point in series.points],
            ),
        )


def _title(point: Point) -> str:
    interval = "" if point.low is None or point.high is None else f" [{point.low:.3f}, {point.high:.3f}]"
    dirty = ", uncommitted changes" if point.dirty else ""
    return f"{point.commit[:_SHORT]}, {_date(point.time)}{dirty}: {point.nme:.4f} %{interval}"


def _label(series: Series) -> str:
    cell = series.record
    decoder = f"{cell.decoder} (other grid)" if cell.mixed else cell.decoder
    if mapping := cell.settings.get("point mapping"):
        decoder += f" (mapped {mapping})"
    return f"{display(cell.model, 60)} · {display(decoder, 60)} · {flip_text(cell.flip)} · box {display(cell.box, 40)}"


def _note(series: Series) -> str:
    noise = (
        "the same weights at every commit: every difference is one of code"
        if series.noise_known
        else "the weights differ between commits: steps are tested against the noise of the series"
    )
    first, last = series.points[0], series.points[-1]
    return (
        f"{display(series.dataset, 40)}, {counted(series.faces, 'face')}, {counted(len(series.points), 'commit')} from "
        f"{_date(first.time)} to {_date(last.time)}; {noise}"
    )


def _date(time: int) -> str:
    return datetime.datetime.fromtimestamp(time, datetime.UTC).strftime("%Y-%m-%d")


def write_history(found: Trend, out: Path, *, folder: Path, commit_url: str | None = None) -> Path:
    """Write the trend page to ``out``, atomically.

    Args:
        found: the series with their steps.
        out: path of the page.
        folder: folder of the history, to which the stored links of runs are relative.
        commit_url: address of a commit with ``{commit}`` in it; None for no links.

    Raises:
        InputError: ``out`` can't be written.
    """
    stored = {point.link for series in found.series for point in series.points if point.link}
    links = {link: address for link in stored if (address := _address(link, folder, out))}
    return write_page(history_html(found, commit_url=commit_url, links=links), out)


def _address(link: str, folder: Path, out: Path) -> str:
    """The address of a run's report from the page; empty for a scheme other than http, or a missing file."""
    if link.startswith(("https://", "http://")):
        return link
    if ":" in link.partition("/")[0] or "\\" in link or "\0" in link or link.startswith("/"):
        return ""
    try:
        target = (folder / link).resolve()
        if not target.is_file():
            return ""
        return quote(Path(os.path.relpath(target, out.resolve().parent)).as_posix())
    except (OSError, ValueError):  # a loop of links, a name that is too long, another drive
        return ""
