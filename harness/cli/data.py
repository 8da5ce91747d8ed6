"""``nmebench data``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Get, make and verify datasets and weights.")


@app.command()
def make(
    name: Annotated[str, typer.Argument(help="synthface.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="A new folder.")],
    faces: Annotated[int, typer.Option(help="Faces to draw.")] = 500,
    seed: Annotated[int, typer.Option(help="Seed of the faces.")] = 0,
    split: Annotated[str, typer.Option(help="test or train.")] = "test",
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; the physical cores by default.")] = None,
) -> None:
    """Draw a dataset whose landmarks are known exactly."""
    from nmebench import synthface
    from nmebench.cli.console import progress
    from nmebench.errors import InputError

    if name != "synthface":
        raise InputError(f"{name!r}: can't be made, allowed: synthface; real files come from `nmebench data fetch`")
    with progress() as advance:
        folder = synthface.make(
            out, faces=faces, seed=seed, split=split, workers=workers,
            progress=lambda done, total: advance("drawing synthface", done, total),
        )  # fmt: skip
    typer.echo(f"synthface: {faces} faces in {folder}; run them with --data synthface:{folder}")


_ACCEPT = typer.Option("--accept-licence", help="You have read and accept the licence notice.")
_CACHE = typer.Option(help="Folder for downloads; NMEBENCH_CACHE or the user's cache.")


@app.command()
def fetch(
    name: Annotated[str, typer.Argument(help="wflw, weights, or a shipped card's name.")],
    accept_licence: Annotated[bool, _ACCEPT] = False,
    cache: Annotated[Path | None, _CACHE] = None,
) -> None:
    """Download real files: the one command that opens a connection."""
    from nmebench import fetch as road
    from nmebench.cli.console import progress

    with progress() as advance:
        path = road.fetch(
            name,
            cache=cache,
            accept_licence=accept_licence,
            progress=download_progress(advance),
            note=say_retry,
        )
    typer.echo(f"{name}: {path}")
    for line in road.by_hand(name):
        typer.echo(f"by hand: {line}")


@app.command()
def add(
    path: Annotated[Path, typer.Argument(help="A file that you downloaded by hand.")],
    name: Annotated[str | None, typer.Option(help="What it is, where it isn't recognised.")] = None,
    cache: Annotated[Path | None, _CACHE] = None,
) -> None:
    """Put a file that you downloaded by hand where the sweeps look for it."""
    from nmebench import fetch as road

    typer.echo(f"added: {road.add(path, name=name, cache=cache)}")


def download_progress(advance: Callable[[str, int, int], None]) -> Callable[[str, int, int], None]:
    """The downloads' progress, in KiB, on the bar that the sweeps use; a total of 0 is not known yet."""

    def report(file: str, done: int, total: int) -> None:
        advance(f"{file} (KiB)", done // 1024, total // 1024)

    return report


def say_retry(line: str) -> None:
    """A line about an attempt that failed and another that follows."""
    typer.echo(line, err=True)


@app.command()
def verify(
    path: Annotated[Path, typer.Argument(help="A dataset's folder or annotation file.")],
    data_format: Annotated[str | None, typer.Option("--format", help="Annotation format, when ambiguous.")] = None,
    images: Annotated[bool, typer.Option("--images/--no-images", help="Open every photograph.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> int:
    """Look for everything that can be wrong with a dataset; exit 1 when something is."""
    from nmebench.cli.console import console, table
    from nmebench.datasets.verify.verify_wflw import verify as look

    report = look(path, format=data_format, images=images)
    if as_json:
        typer.echo(report.to_json())
        return report.exit_code
    out = console()
    body = table(str(path), "severity", "finding", "where", "detail")
    for finding in report.findings:
        body.add_row(finding.severity, finding.code, finding.where, finding.message)
    if report.findings:
        out.print(body)
    out.print(report.summary)
    return report.exit_code
