"""``nmebench train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["command"]


def command(
    recipe: Annotated[Path, typer.Argument(help="A training recipe (TOML).")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for weights, log, card and checkpoints.")],
    resume: Annotated[
        bool, typer.Option("--resume/--no-resume", help="Go on from the last checkpoint, or refuse a used folder.")
    ] = True,
    device: Annotated[str | None, typer.Option(help="cpu or cuda; what is there by default.")] = None,
) -> int:
    """Train a network: safetensors, a log and a model card."""
    from nmebench.training import train

    card = train(recipe, out, resume=resume, device=device)
    typer.echo(f"card: {card}")
    return 0
