"""``nmebench contract``."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["command"]


def command(
    name: Annotated[str, typer.Argument(help="A decoder's spec, such as dark or my-decoder:window=5.")],
) -> int:
    """Hold a decoder to the contract that every decoder keeps."""
    from nmebench.cli.console import console, table
    from nmebench.decoders.contract import run

    results = run(name)
    body = table(f"contract of {name}", "requirement", "result", "detail")
    for result in results:
        body.add_row(result.check, result.outcome, result.detail)
    console().print(body)
    failed = sum(result.outcome == "failed" for result in results)
    typer.echo(f"{len(results) - failed} of {len(results)} requirements are kept")
    return 1 if failed else 0
