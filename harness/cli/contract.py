"""``nmebench contract``."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["command"]


def command(
    name: Annotated[str, typer.Argument(help="Spec of a decoder, such as dark or my-decoder:window=5.")],
) -> int:
    """Test a decoder against the requirements for every decoder. Exit code 1 when one fails."""
    from nmebench.cli.console import console, table
    from nmebench.decoders.contract import run_checks

    results = run_checks(name)
    body = table(f"contract of {name}", "requirement", "result", "detail")
    for result in results:
        body.add_row(result.check, result.outcome, result.detail)
    console().print(body)
    failed = sum(result.outcome == "failed" for result in results)
    typer.echo(f"{len(results) - failed} of {len(results)} requirements passed")
    return 1 if failed else 0
