"""``nmebench score``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nmebench.cli.json_output import Json, print_json
from nmebench.cli.option_help import BOX, DATA, DECODER, FORMAT, MODEL, NORMALISER, SCHEME, THRESHOLD
from nmebench.protocol import FLIPS

if TYPE_CHECKING:
    from nmebench.runs.run_store import Run

__all__ = ["command"]


def command(
    predictions: Annotated[
        Path,
        typer.Argument(
            help="File with landmarks in image px (npz, npy, csv, SPIGA's json), or the folder of a run to score again."
        ),
    ],
    data: Annotated[
        str | None, typer.Option(help=f"Dataset of the predicted faces, such as wflw:PATH ({DATA}).")
    ] = None,
    name: Annotated[str, typer.Option(help="Name of the predictions in the scores.")] = "predictions",
    data_format: Annotated[str | None, typer.Option("--format", help=FORMAT)] = None,
    scheme: Annotated[str | None, typer.Option(help=SCHEME)] = None,
    normaliser: Annotated[str | None, typer.Option(help=NORMALISER)] = None,
    threshold: Annotated[list[float] | None, typer.Option(help=THRESHOLD)] = None,
    like: Annotated[
        str | None,
        typer.Option(
            metavar="CARD",
            help=f"Model card (path, or name: {MODEL}) whose protocol the predictions have: decoder, flip test, box "
            "and settings. It is declared, not measured; `check` compares with the card's reported values.",
        ),
    ] = None,
    decoder: Annotated[
        str | None,
        typer.Option(help=f"Declared decoder such as dark ({DECODER}), or direct for a network that gives landmarks."),
    ] = None,
    flip: Annotated[
        bool | None, typer.Option("--flip/--no-flip", help="Declared flip test: flip or none; see --test-time.")
    ] = None,
    test_time: Annotated[str | None, typer.Option(help=f"Declared flip test: {', '.join(FLIPS)}.")] = None,
    box: Annotated[str | None, typer.Option(help=f"Declared box rule ({BOX}).")] = None,
    box_padding: Annotated[float | None, typer.Option(help="Declared padding factor of the box.")] = None,
    input_size: Annotated[
        str | None, typer.Option(metavar="WxH", help="Declared size of the network's input in px, such as 256x256.")
    ] = None,
    published: Annotated[
        str | None,
        typer.Option(
            metavar="METHOD",
            help="Published row whose predictions these are (`nmebench list published`); `check` compares with it.",
        ),
    ] = None,
    as_json: Json = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a run in the output folder.")] = False,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Output folder of the run.")] = None,
) -> int:
    """Score landmarks predicted by another program, or score a run again from its stored landmarks.

    A run is scored in place. With --normaliser or --threshold, it stays as it is: the scores are printed, and stored as
    another run with -o.

    Examples:
      nmebench score predictions.npz --data wflw:PATH -o RUN
      nmebench score predictions.csv --data wflw:PATH --like CARD -o RUN
      nmebench score results.json --data 300w-private:PATH --normaliser box-size --published SPIGA -o RUN
      nmebench score RUN --normaliser box-size --threshold 7
      nmebench score RUN --json
    """
    from nmebench import scoring
    from nmebench.errors import InputError
    from nmebench.runs.run_store import Run
    from nmebench.scoring.declare_protocol import declare
    from nmebench.scoring.declare_protocol import input_size as read_size
    from nmebench.scoring.rescore import rescore, rescored
    from nmebench.scoring.store_predictions import store_predictions

    if predictions.is_dir():
        if data:
            raise InputError(f"{predictions}: is a run, which has its own data set; remove --data")
        otherwise = normaliser is not None or bool(threshold)
        if out and not otherwise:
            raise InputError(
                f"{predictions}: is a run, which is scored in place; remove -o, or give --normaliser or --threshold"
            )
        declared_options = (like, decoder, flip, test_time, box, box_padding, input_size, published)
        if any(value is not None for value in declared_options):
            raise InputError(f"{predictions}: is a run, whose protocol is stored; remove the declared options")
        if scheme is not None:
            raise InputError(f"{predictions}: is a run, which has its own landmark scheme; remove --scheme")
        run = Run.open(predictions)
        if otherwise and out is None:
            with rescored(run, normaliser=normaliser, thresholds=threshold or ()) as made:
                _print(made, as_json=as_json, of=run.path)
            return 0
        if out is not None:
            run = rescore(
                run, out, normaliser=normaliser, thresholds=threshold or (),
                command=["nmebench", *sys.argv[1:]], overwrite=overwrite,
            )  # fmt: skip
        else:
            scoring.score(run)
            run = Run.open(predictions)
    else:
        if data is None or out is None:
            raise InputError(
                f"{predictions}: give --data (the dataset of the predicted faces) and -o (the output folder)"
            )
        if flip is not None and test_time is not None:
            raise InputError("--test-time and --flip set the same option twice; give one of them")
        declared = declare(
            like,
            decoder=decoder,
            flip=test_time if flip is None else ("flip" if flip else "none"),
            box=box,
            box_padding=box_padding,
            input_size=None if input_size is None else read_size(input_size),
        )
        run = store_predictions(
            predictions, data, out, name=name, format=data_format, scheme=scheme, normaliser=normaliser,
            thresholds=threshold or (), declared=declared,
            published=published,
            command=["nmebench", *sys.argv[1:]], overwrite=overwrite,
        )  # fmt: skip
    _print(run, as_json=as_json)
    return 0


def _print(run: Run, *, as_json: bool, of: Path | None = None) -> None:
    """Print the scores of a run; ``of`` is the run that it was rescored from, if it isn't stored."""
    from nmebench.cli.scores_table import print_scores, scores_json

    if as_json:
        print_json(scores_json(run, of=of))
    else:
        print_scores(run, of=of)
