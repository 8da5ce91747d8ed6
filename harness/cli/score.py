"""``nmebench score``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["command"]


def command(
    predictions: Annotated[
        Path,
        typer.Argument(
            help="File with landmarks in image px (npz, npy or csv), or the folder of a run to score again."
        ),
    ],
    data: Annotated[str | None, typer.Option(help="Dataset of the predicted faces, such as wflw:PATH.")] = None,
    name: Annotated[str, typer.Option(help="Name of the predictions in the scores.")] = "predictions",
    data_format: Annotated[
        str | None, typer.Option("--format", help="Annotation format, needed when it can't be detected.")
    ] = None,
    normaliser: Annotated[
        str | None, typer.Option(help="inter-ocular, inter-pupil or box-diagonal; by default the landmark scheme's.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a run in the output folder.")] = False,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Output folder of the run.")] = None,
) -> int:
    """Score landmarks predicted by another program, or score a run again from its stored landmarks."""
    from nmebench import scoring
    from nmebench.cli.scores_table import print_scores
    from nmebench.errors import InputError
    from nmebench.runs.run_store import Run
    from nmebench.scoring.store_predictions import store_predictions

    if predictions.is_dir():
        if data or out:
            raise InputError(f"{predictions}: is a run, which is scored in place; remove --data and -o")
        run = Run.open(predictions)
        scoring.score(run)
        run = Run.open(predictions)
    else:
        if data is None or out is None:
            raise InputError(
                f"{predictions}: give --data (the dataset of the predicted faces) and -o (the output folder)"
            )
        run = store_predictions(
            predictions, data, out, name=name, format=data_format, normaliser=normaliser,
            command=["nmebench", *sys.argv[1:]], overwrite=overwrite,
        )  # fmt: skip
    print_scores(run)
    return 0
