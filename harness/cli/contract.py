"""``nmebench contract``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from nmebench.cli.json_output import Json, document, print_json
from nmebench.cli.option_help import DATA, DECODER, SCHEME

__all__ = ["command"]

KINDS = ("decoder", "dataset", "box", "scheme")


def command(
    what: Annotated[
        str,
        typer.Argument(
            help=f"decoder, dataset, box or scheme; or the spec of a decoder ({DECODER}), such as dark or "
            "my-decoder:window=5."
        ),
    ],
    name: Annotated[
        str | None,
        typer.Argument(
            help="Spec of the decoder or the dataset, name of the box rule, name or TOML file of the scheme."
        ),
    ] = None,
    data: Annotated[str, typer.Option(help=f"With box: the dataset whose boxes are computed ({DATA}).")] = "synthface",
    scheme: Annotated[str | None, typer.Option(help=f"With dataset and box: {SCHEME}")] = None,
    as_json: Json = False,
) -> int:
    """Test a decoder, dataset, box rule or landmark scheme against its requirements. Exit code 1 when one fails.

    Examples:
      nmebench contract dark
      nmebench contract dataset wflw:PATH
      nmebench contract box landmarks --data wflw:PATH
      nmebench contract scheme own.toml --json
    """
    from nmebench.errors import InputError

    if name is None and what in KINDS:
        raise InputError(f"contract {what} needs a name: write `nmebench contract {what} NAME`")
    if name is not None and what not in KINDS:
        from nmebench.suggest import unknown

        raise InputError(unknown("kind of contract", what, KINDS))
    kind, spec = ("decoder", what) if name is None else (what, name)
    return _print(spec, _results(kind, spec, data, scheme), as_json)


def _results(kind: str, spec: str, data: str, scheme: str | None) -> Sequence[Any]:
    """Run the checks of one kind; each result has ``check``, ``outcome`` and ``detail``."""
    if kind == "dataset":
        from nmebench.contracts.dataset_contract import run_checks

        return run_checks(spec, scheme)
    if kind == "box":
        from nmebench.contracts.box_contract import run_checks as run_box_checks

        return run_box_checks(spec, data, scheme)
    if kind == "scheme":
        from nmebench.contracts.scheme_contract import run_checks as run_scheme_checks

        return run_scheme_checks(spec)
    from nmebench.decoders.contract import run_checks as run_decoder_checks

    return run_decoder_checks(spec)


def _print(spec: str, results: Sequence[Any], as_json: bool) -> int:
    from nmebench.cli.console import console, table

    body = table(f"contract of {spec}", "requirement", "result", "detail")
    for result in results:
        body.add_row(result.check, result.outcome, result.detail)
    failed = sum(result.outcome == "failed" for result in results)
    if as_json:
        print_json(document("contract", contract=spec, requirements=body.records(), failed=failed))
        return 1 if failed else 0
    out = console()
    out.print(body)
    out.print(f"{len(results) - failed} of {len(results)} requirements passed")
    return 1 if failed else 0
