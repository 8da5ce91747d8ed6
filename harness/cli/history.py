"""``nmebench history``: add, report, bisect."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nmebench.cli.console import console
from nmebench.cli.json_output import Json, document, print_json

if TYPE_CHECKING:
    from nmebench.history import Trend
    from nmebench.history.trend import Series, SeriesStep

__all__ = ["app"]

app = typer.Typer(
    help="Results over the commits of a repository.\n\nExamples:\n  nmebench history add RUN",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_FOLDER = Path("history")
Folder = Annotated[Path, typer.Argument(help="Folder of the history.")]
Repository = Annotated[Path, typer.Option(help="Repository that has the commits; the current folder by default.")]
Machine = Annotated[str | None, typer.Option(help="Use only the runs of this machine.")]


@app.command("add")
def add(
    run: Annotated[Path, typer.Argument(help="Folder of the run, or of a sweep over several data sets.")],
    to: Annotated[Path, typer.Option(help="Folder of the history.")] = _FOLDER,
    commit: Annotated[str | None, typer.Option(help="Commit, instead of the one that the run stores.")] = None,
    time: Annotated[
        int | None, typer.Option(min=0, help="Time of the commit, seconds since 1970, instead of the repository's.")
    ] = None,
    machine: Annotated[str | None, typer.Option(help="Name of the machine, such as ci.")] = None,
    link: Annotated[
        str | None,
        typer.Option(help="Address of the run's report: https://..., or a path; RUN/report.html if it exists."),
    ] = None,
    allow_dirty: Annotated[
        bool, typer.Option("--allow-dirty", help="Accept a run that was measured with uncommitted changes.")
    ] = False,
    repository: Repository = Path(),
    as_json: Json = False,
) -> int:
    """Add the scores of a run to the history: one file per commit and machine, which git merges.

    Examples:
      nmebench history add RUN
      nmebench history add RUN --to history --machine ci
    """
    from nmebench import history
    from nmebench.printable import counted
    from nmebench.runs.run_store import Run
    from nmebench.runs.sweep_folder import SweepFolder, is_sweep

    runs = list(SweepFolder.open(run).runs.values()) if is_sweep(run) else [Run.open(run)]
    entries = [
        history.entry_of(
            opened,
            repository=history.Repository(repository),
            commit=commit,
            time=time,
            machine=None if machine is None else history.check_machine(machine),
            link=_link(run, to, link),
            allow_dirty=allow_dirty,
        )
        for opened in runs
    ]
    for entry in entries:
        merged = history.merged(to, entry)
        path = history.write_entry(to, merged)
    cells = sum(len(r.cells) for r in merged.runs)
    if as_json:
        print_json(document("history add", file=path, commit=merged.commit, machine=merged.machine, cells=cells))
    else:
        console().print(f"history: {path}, {counted(cells, 'cell')} of commit {merged.commit[:12]}")
    return 0


def _link(run: Path, to: Path, link: str | None) -> str | None:
    """A URL as given, or the path of a report relative to the history; None where no relative path leads there."""
    from nmebench.errors import InputError
    from nmebench.printable import shown

    if link is not None and link.startswith(("https://", "http://")):
        return link
    if link is not None and ":" in link.partition("/")[0]:
        raise InputError(f"--link {shown(link)!r}: must begin with https:// or http://, or be a path")
    report = Path(link) if link is not None else run / "report.html"
    if link is None and not report.is_file():
        return None
    try:
        path = os.path.relpath(report.resolve(), to.resolve())
        common = Path(os.path.commonpath([report.resolve(), to.resolve()]))
    except ValueError:  # another drive
        return None
    # A path that leaves the repository would name folders of this machine.
    if common == Path(common.anchor) or (link is None and not common.is_relative_to(to.resolve().parent)):
        return None
    return Path(path).as_posix()


@app.command("report")
def report(
    folder: Folder = _FOLDER,
    out: Annotated[Path, typer.Option("-o", "--out", help="Path of the HTML file.")] = Path("history.html"),
    machine: Machine = None,
    commit_url: Annotated[
        str | None, typer.Option(help="Address of a commit, with {commit}: https://HOST/OWNER/NAME/commit/{commit}.")
    ] = None,
    repository: Repository = Path(),
    as_json: Json = False,
) -> int:
    """Write the trend page: NME per cell and subset over commits, and the steps.

    Examples:
      nmebench history report -o history.html
      nmebench history report history --commit-url 'https://example.org/commit/{commit}'
    """
    from nmebench.cli.outputs import check_output
    from nmebench.errors import InputError
    from nmebench.printable import counted, shown
    from nmebench.reports.history import write_history

    check_output(out, "--out")
    if commit_url is not None and not (commit_url.startswith(("https://", "http://")) and "{commit}" in commit_url):
        raise InputError(f"--commit-url {shown(commit_url)!r}: must begin with https:// or http:// and hold {{commit}}")
    found = _trend(folder, repository, machine)
    page = write_history(found, out, folder=folder, commit_url=commit_url)
    steps = found.steps
    moved = len({step.after.commit for _, step in steps})
    if as_json:
        print_json(
            document(
                "history report", page=page, commits=list(found.commits), series=len(found.series), **_steps(steps)
            )
        )
        return 0
    out_lines = console()
    out_lines.print(
        f"history: {counted(len(found.commits), 'commit')}, {len(found.series)} series, "
        f"{counted(len(steps), 'step')} at {counted(moved, 'commit')}"
    )
    out_lines.print(f"page: {page}")
    return 0


@app.command("bisect")
def bisect(
    cell: Annotated[str, typer.Argument(help="Id of a cell, or a pattern with * and ?.")],
    folder: Annotated[Path, typer.Option("--in", help="Folder of the history.")] = _FOLDER,
    subset: Annotated[str | None, typer.Option(help="One subset; all by default.")] = None,
    machine: Machine = None,
    repository: Repository = Path(),
    as_json: Json = False,
) -> int:
    """Name the commits between which a cell moved.

    Examples:
      nmebench history bisect 'my-net__dark__*' --subset pose
    """
    from nmebench import history
    from nmebench.history.bisect import matching_series

    found = _trend(folder, repository, machine)
    place = history.Repository(repository)
    lines = history.bisect(found, place, cell, subset)
    if not as_json:
        console().print_all(lines)
        return 0
    mine = matching_series(found, cell, subset)
    steps = [(series, step) for series in mine for step in series.steps]
    print_json(document("history bisect", cell=cell, subset=subset, **_steps(steps, place)))
    return 0


def _steps(steps: Sequence[tuple[Series, SeriesStep]], place: Any = None) -> dict[str, Any]:
    """The steps as plain data: NME in percent; ``suspects`` are the commits in between, where a repository is given."""
    rows = []
    for series, step in steps:
        row: dict[str, Any] = {
            "dataset": series.dataset,
            "cell": series.cell,
            "subset": series.subset,
            "before": step.before.commit,
            "after": step.after.commit,
            "nme_before": step.step.before,
            "nme_after": step.step.after,
            "difference": step.step.size,
            "p": step.step.p,
            "also_changed": list(step.causes),
        }
        if place is not None:
            between = place.between(step.before.commit, step.after.commit)
            row["suspects"] = [{"commit": commit, "subject": subject} for commit, subject in between]
        rows.append(row)
    return {"steps": rows}


def _trend(folder: Path, repository: Path, machine: str | None) -> Trend:
    from nmebench import history
    from nmebench.errors import InputError
    from nmebench.printable import shown
    from nmebench.suggest import unknown

    entries = history.read_entries(folder)
    machines = sorted({entry.machine for entry in entries})
    if machine is not None and machine not in machines:
        raise InputError(f"history {shown(folder)}: {unknown('machine', shown(machine), machines)}")
    return history.trend(entries, history.Repository(repository), machine=machine)
