"""Draw the training curves of some logs: ``python docs/tools/training_curves.py LOG... -o FILE.svg``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import matplotlib as mpl
import matplotlib.ticker
import typer
from matplotlib.figure import Figure

from nmebench.errors import InputError
from nmebench.training.log import read

__all__ = ["draw"]

# Okabe and Ito's palette, which colour-blind readers can distinguish.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "nmebench",
    "svg.fonttype": "none",
    "font.size": 9,
    "axes.grid": True,
    "grid.alpha": 0.3,
}


def draw(logs: list[Path], out: Path) -> Path:
    """Draw loss and validation NME against the number of steps, one line per log, as an SVG file.

    Raises:
        InputError: a file that is no log of a run.
    """
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(8, 3.2), layout="constrained")
        loss, nme = figure.subplots(1, 2)
        for colour, path in zip(_COLOURS, logs, strict=False):
            entries = read(path)
            steps, checks = _of(entries, "step"), _of(entries, "validation")
            if not steps:
                raise InputError(f"{path} holds no step of a training run")
            loss.plot(
                [e["step"] for e in steps],
                [e["loss"] for e in steps],
                color=colour,
                label=path.stem.removesuffix(".log"),
            )
            nme.plot(
                [e["step"] for e in checks],
                [e["nme"] for e in checks],
                color=colour,
                marker=".",
                label=path.stem.removesuffix(".log"),
            )
            full = [e for e in checks if e["size"] == max(c["size"] for c in checks)]
            if full and len(full) < len(checks):
                nme.plot(full[0]["step"], full[0]["nme"], color=colour, marker="o", fillstyle="none", markersize=9)
        loss.set(xlabel="optimiser steps", ylabel="loss (foreground-weighted MSE)", yscale="log")
        nme.set(xlabel="optimiser steps", ylabel="NME of the validation faces, %", yscale="log")
        nme.yaxis.set_major_formatter(mpl.ticker.ScalarFormatter())
        nme.yaxis.set_minor_formatter(mpl.ticker.ScalarFormatter())
        nme.legend(title="ring: first epoch at full size", title_fontsize=8, fontsize=8)
        out.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(out, format="svg", metadata={"Date": None})
    return out


def _of(entries: list[dict[str, Any]], event: str) -> list[dict[str, Any]]:
    return [entry for entry in entries if entry["event"] == event]


def _command(
    logs: Annotated[list[Path], typer.Argument(help="The log.jsonl of one or more runs.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The SVG to write.")],
) -> None:
    typer.echo(draw(logs, out))


if __name__ == "__main__":
    typer.run(_command)
