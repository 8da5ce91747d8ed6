"""``nmebench check``."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from nmebench.check import Rerun, Verdict
    from nmebench.runs.run_store import CellRecord, Run

__all__ = ["command", "print_verdict", "rerun_of"]


def command(
    run: Annotated[Path, typer.Argument(help="A run's folder.")],
    explain: Annotated[
        bool, typer.Option("--explain/--no-explain", help="Try the likely causes of a deviation.")
    ] = True,
) -> int:
    """Compare each reported number with the measured one: 0 reproduced, 1 something deviates, 3 nothing comparable."""
    from nmebench import check
    from nmebench.runs.run_store import Run

    opened = Run.open(run)
    verdict = check.check(opened)
    if explain and verdict.exit_code == 1:
        verdict = check.explain(opened, verdict, rerun_of(opened))
        opened.write_json("verdict.json", verdict.model_dump(mode="json"))
    print_verdict(verdict)
    return verdict.exit_code


def print_verdict(verdict: Verdict, *, only_deviating: bool = False) -> None:
    """A line for each reported number, the likely causes of what deviates, and the verdict in one line."""
    from nmebench.cli.console import console, table

    out = console()
    body = table("", "model", "table", "metric", "subset", "reported", "measured", "status", "reason")
    shown = [row for row in verdict.rows if not only_deviating or row.status == "deviates"]
    for row in shown:
        measured = "-" if row.measured is None else f"{row.measured:.4f}"
        body.add_row(row.model, row.table, row.metric, row.subset, row.reported_text, measured, row.status, row.reason)
    if shown:
        out.print(body)
    told: set[str] = set()
    for row in shown:
        for cause in row.causes:
            line = f"likely cause for {row.model}: {cause.cause}: {cause.detail}"
            if line not in told:
                told.add(line)
                out.print(line)
    out.print(f"check: {verdict.summary}")


def rerun_of(run: Run) -> Rerun | None:
    """A function that measures a cell's network again with other fields of the sweep's configuration.

    None where the run holds predictions of another program, which can't be run again.
    """
    if run.record.kind != "sweep":
        return None

    def again(cell: CellRecord, overrides: Mapping[str, Any]) -> dict[str, float]:
        from nmebench.protocol import DIRECT
        from nmebench.sweep import execute
        from nmebench.sweep.configuration import validate

        asked = run.record.configuration
        request = next(
            request
            for request, model in zip(asked["models"], run.record.models, strict=True)
            if model.name == cell.model
        )
        only = {
            "models": [request],
            "decoders": [] if cell.decoder == DIRECT else [cell.decoder],
            "flip": [cell.flip],
            "boxes": [cell.box],
            "pictures": False,
        }
        raw = {**asked, **only, **{key: _listed(value) for key, value in overrides.items()}}
        with tempfile.TemporaryDirectory(prefix="nmebench-") as folder:
            alternative = execute(validate(raw, where="the alternative"), Path(folder) / "run")
            return {row["subset"]: float(row["nme"]) for row in alternative.score_rows()}

    return again


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
