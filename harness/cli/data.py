"""``nmebench data``."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from nmebench.cli.console import console, progress, table
from nmebench.cli.json_output import Json, document, print_json
from nmebench.cli.option_help import DATA, FORMAT, SCHEME
from nmebench.printable import counted, shown

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True,
    help="Download, draw, add and verify datasets and weights.\n\nExamples:\n  nmebench data verify wflw:PATH",
)


@app.command()
def make(
    name: Annotated[str, typer.Argument(help="Name of the dataset: synthface.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Output folder; must be new or empty.")],
    faces: Annotated[int, typer.Option(help="Number of faces to draw.")] = 500,
    seed: Annotated[int, typer.Option(help="Random seed of the faces.")] = 0,
    split: Annotated[str, typer.Option(help="Split: test or train.")] = "test",
    workers: Annotated[
        int | None, typer.Option(min=1, help="Number of processes; by default one per physical core.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Draw a synthetic dataset with exactly known landmarks.

    Examples:
      nmebench data make synthface -o FACES --faces 500 --seed 1
    """
    from nmebench import synthface
    from nmebench.errors import InputError

    if name != "synthface":
        raise InputError(
            f"{name!r}: can't be drawn, allowed: synthface; download real files with `nmebench data fetch`"
        )
    with progress() as advance:
        folder = synthface.make(
            out, faces=faces, seed=seed, split=split, workers=workers,
            progress=lambda done, total: advance("drawing synthface", done, total),
        )  # fmt: skip
    if as_json:
        print_json(document("data make", name=name, folder=folder, faces=faces, seed=seed, split=split))
        return
    use = f"run them with --data synthface:{folder}"
    if split != "test":
        use = "they are for training (`source` in a recipe); `nmebench run` measures faces of --split test"
    console().print(f"synthface: {counted(faces, 'face')} in {folder}; {use}")


_ACCEPT = typer.Option("--accept-licence", help="Confirm that you have read and accept the licence notice.")
_CACHE = typer.Option(help="Cache folder; by default NMEBENCH_CACHE or the user's cache folder.")


@app.command()
def fetch(
    name: Annotated[
        str,
        typer.Argument(
            help="A data set (wflw, 300w, 300w-private, cofw, cofw68, aflw, lapa), weights, another name of "
            "`nmebench list downloads`, or a model card."
        ),
    ],
    accept_licence: Annotated[bool, _ACCEPT] = False,
    cache: Annotated[Path | None, _CACHE] = None,
    as_json: Json = False,
) -> None:
    """Download a data set or published weights. Only this command and `reproduce --wflw` open a network connection.

    Examples:
      nmebench data fetch wflw --accept-licence
      nmebench data fetch weights --accept-licence --cache CACHE
    """
    from nmebench import fetch as fetching

    with progress() as advance:
        path = fetching.fetch(
            name,
            cache=cache,
            accept_licence=accept_licence,
            progress=download_progress(advance),
            note=print_retry,
        )
    by_hand = fetching.manual_downloads(name)
    if as_json:
        print_json(document("data fetch", name=name, path=path, by_hand=list(by_hand)))
        return
    out = console()
    out.print(f"{name}: {path}")
    out.print_all(f"by hand: {line}" for line in by_hand)


@app.command()
def add(
    path: Annotated[Path, typer.Argument(help="File that you downloaded by hand.")],
    name: Annotated[
        str | None, typer.Option(help="Its name of `nmebench list downloads`, needed when the file isn't recognised.")
    ] = None,
    cache: Annotated[Path | None, _CACHE] = None,
    as_json: Json = False,
) -> None:
    """Check a file that you downloaded by hand and copy it to the cache folder.

    Examples:
      nmebench data add ~/Downloads/WFLW_images.tar.gz
    """
    from nmebench import fetch as fetching

    added = fetching.add(path, name=name, cache=cache)
    if as_json:
        print_json(document("data add", file=path, added=str(added)))
    else:
        console().print(f"added: {added}")


def download_progress(advance: Callable[[str, int, int], None]) -> Callable[[str, int, int], None]:
    """Adapt a progress callback of sweeps to downloads, in KiB; a total of 0 means that it is not known yet."""

    def report(file: str, done: int, total: int) -> None:
        advance(f"{file} (KiB)", done // 1024, total // 1024)

    return report


def print_retry(line: str) -> None:
    """Print a line about a failed attempt that is retried."""
    typer.echo(line, err=True)


@app.command()
def verify(
    data: Annotated[
        str, typer.Argument(help=f"Dataset, as --data takes it, such as 300w:PATH ({DATA}); a path alone is WFLW's.")
    ],
    data_format: Annotated[str | None, typer.Option("--format", help=FORMAT)] = None,
    images: Annotated[bool, typer.Option("--images/--no-images", help="Also open every photograph.")] = True,
    scheme: Annotated[str | None, typer.Option(help=SCHEME)] = None,
    as_json: Json = False,
) -> int:
    """Check a dataset for errors in annotations and photographs. Exit code 1 when it has any.

    Examples:
      nmebench data verify wflw:PATH
      nmebench data verify landmarks:faces.npz --scheme own.toml --no-images --json
    """
    from nmebench.datasets.verify import verify as verify_dataset

    report = verify_dataset(data, format=data_format, images=images, scheme=scheme)
    if as_json:
        print_json(document("data verify", **report.as_dict()))
        return report.exit_code
    out = console()
    body = table(data, "severity", "finding", "where", "detail")
    for finding in report.findings:
        body.add_row(finding.severity, finding.code, finding.where, finding.message)
    if report.findings:
        out.print(body)
    for line in report.summary.split("\n"):
        out.print(line)
    return report.exit_code


@app.command()
def convert(
    data: Annotated[str, typer.Argument(help=f"Dataset, as --data takes it, such as wflw:PATH ({DATA}).")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the two files.")],
    name: Annotated[str, typer.Option(help="Name of the new dataset; none of nmebench's.")],
    data_format: Annotated[str | None, typer.Option("--format", help=FORMAT)] = None,
    split: Annotated[str, typer.Option(help="Split: test or train.")] = "test",
    scheme: Annotated[str | None, typer.Option(help=SCHEME)] = None,
    arrays: Annotated[bool, typer.Option("--npz", help="Also write NAME.npz with the same faces as arrays.")] = False,
    as_json: Json = False,
) -> None:
    """Write a dataset in nmebench's own format: NAME.json with the faces, NAME.toml with their definition.

    Examples:
      nmebench data convert wflw:PATH -o FACES --name my-faces
    """
    from nmebench import datasets
    from nmebench.datasets.write_faces import write

    dataset = datasets.load(data, format=data_format, split=split, scheme=scheme)
    definition = write(dataset, out, name, arrays=arrays)
    if as_json:
        places = {"photographs": dataset.image_root, "expected_at": out / "images"}
        print_json(document("data convert", faces=len(dataset), definition=definition, **places))
        return
    lines = console()
    lines.print(f"{counted(len(dataset), 'face')}: {definition}; run them with --data benchmark:{definition}")
    if dataset.image_root is not None:
        lines.print(f"photographs: {_link_command(dataset.image_root, out / 'images')}, or copy them there")


def _link_command(photographs: Path, link: Path) -> str:
    """The command that makes ``link`` lead to the photographs; a relative target is relative to the link's folder."""
    target = photographs
    if not photographs.is_absolute():
        target = Path(os.path.relpath(photographs.resolve(), link.parent.resolve()))
    return f"`ln -s {shlex.quote(shown(target))} {shlex.quote(shown(link))}`"
