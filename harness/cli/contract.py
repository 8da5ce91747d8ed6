"""``nmebench contract``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

__all__ = ["command"]

KINDS = ("decoder", "dataset", "box")


def command(
    what: Annotated[
        str,
        typer.Argument(help="decoder, dataset or box; or the spec of a decoder, such as dark or my-decoder:window=5."),
    ],
    name: Annotated[
        str | None, typer.Argument(help="Spec of the decoder or the dataset, or name of the box rule.")
    ] = None,
    data: Annotated[str, typer.Option(help="With box: the dataset whose boxes are computed.")] = "synthface",
) -> int:
    """Test a decoder, a dataset or a box rule against the requirements for its kind. Exit code 1 when one fails."""
    from nmebench.errors import InputError

    if name is None and what in KINDS:
        raise InputError(f"contract {what} needs a name: write `nmebench contract {what} NAME`")
    if name is not None and what not in KINDS:
        from nmebench.suggest import unknown

        raise InputError(unknown("kind of contract", what, KINDS))
    kind, spec = ("decoder", what) if name is None else (what, name)
    return _print(spec, _results(kind, spec, data))


def _results(kind: str, spec: str, data: str) -> Sequence[Any]:
    """Run the checks of one kind; each result has ``check``, ``outcome`` and ``detail``."""
    if kind == "dataset":
        from nmebench.datasets.contract import run_checks

        return run_checks(spec)
    if kind == "box":
        from nmebench.boxes.contract import run_checks as run_box_checks

        return run_box_checks(spec, data)
    from nmebench.decoders.contract import run_checks as run_decoder_checks

    return run_decoder_checks(spec)


def _print(spec: str, results: Sequence[Any]) -> int:
    from nmebench.cli.console import console, table

    body = table(f"contract of {spec}", "requirement", "result", "detail")
    for result in results:
        body.add_row(result.check, result.outcome, result.detail)
    console().print(body)
    failed = sum(result.outcome == "failed" for result in results)
    typer.echo(f"{len(results) - failed} of {len(results)} requirements passed")
    return 1 if failed else 0
