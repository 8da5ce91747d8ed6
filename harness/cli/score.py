"""``nmebench score``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["command"]


def command(
    predictions: Annotated[
        Path, typer.Argument(help="Landmarks in image px: npz, csv, or a run whose scores to make again.")
    ],
    data: Annotated[str | None, typer.Option(help="The faces that they belong to, such as wflw:PATH.")] = None,
    name: Annotated[str, typer.Option(help="What to call the predictions.")] = "predictions",
    data_format: Annotated[
        str | None, typer.Option("--format", help="Annotation format, when the files are ambiguous.")
    ] = None,
    normaliser: Annotated[str | None, typer.Option(help="inter-ocular, inter-pupil or box-diagonal.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a run that the folder holds.")] = False,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="The run's folder.")] = None,
) -> int:
    """Score landmarks that some other program made, or score a run again from its raw landmarks."""
    from nmebench import scoring
    from nmebench.cli.scores_table import print_scores
    from nmebench.errors import InputError
    from nmebench.runs.run_store import Run
    from nmebench.scoring.store_predictions import store_predictions

    if predictions.is_dir():
        if data or out:
            raise InputError(f"{predictions}: is a run, which is scored in place; leave out --data and -o")
        run = Run.open(predictions)
        scoring.score(run)
        run = Run.open(predictions)
    else:
        if data is None or out is None:
            raise InputError(f"{predictions}: give --data (the faces it belongs to) and -o (the run's folder)")
        run = store_predictions(
            predictions, data, out, name=name, format=data_format, normaliser=normaliser,
            command=["nmebench", *sys.argv[1:]], overwrite=overwrite,
        )  # fmt: skip
    print_scores(run)
    return 0
