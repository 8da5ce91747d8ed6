"""``nmebench train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nmebench.cli.console import console
from nmebench.cli.json_output import Json, document, print_json

__all__ = ["command"]


def command(
    recipe: Annotated[Path, typer.Argument(help="Training recipe: a TOML file, or a name of `nmebench list recipes`.")],
    out: Annotated[
        Path, typer.Option("-o", "--out", help="Output folder for weights, log, model card and checkpoints.")
    ],
    resume: Annotated[
        bool,
        typer.Option("--resume/--no-resume", help="Resume from the last checkpoint, or refuse a folder that has one."),
    ] = True,
    device: Annotated[str | None, typer.Option(help="cpu or cuda; by default cuda if available.")] = None,
    as_json: Json = False,
) -> int:
    """Train a network and write its weights (safetensors), a log and a model card.

    Examples:
      nmebench list recipes
      nmebench train synthface-short -o TRAINED
    """
    from nmebench.cli import verbosity
    from nmebench.cli.training_lines import TrainingLines
    from nmebench.training import train
    from nmebench.training.log import read
    from nmebench.training.loop import LOG

    listener = None if verbosity.is_quiet() else TrainingLines(lambda line: typer.echo(line, err=True))
    card = train(recipe, out, resume=resume, device=device, listener=listener)
    if as_json:
        nme = read(out / LOG)[-1].get("nme")
        files = {"card": card, "weights": card.with_suffix(".safetensors"), "log": out / LOG}
        print_json(document("train", **files, validation_nme=nme))
        return 0
    console().print(f"card: {card}")
    return 0
