"""Plots bias and spread of decoders against the true sub-pixel phase, on synthface's exact ground truth.

``python docs/tools/phase_plot.py RUN -o docs/images/synthface-phase.svg`` reads a stored sweep of synthface and prints
the table of ``docs/synthface.md``. Annotated labels have errors of percents, which would hide these effects.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("svg")
mpl.rcParams.update({"svg.hashsalt": "nmebench", "svg.fonttype": "none", "font.size": 9})

import matplotlib.pyplot as plt

from nmebench.runs.run_store import Run

DECODERS = ("argmax", "quarter-offset", "dark", "parabola", "local-soft-argmax", "soft-argmax", "top-k")
BINS = 16
#: Landmarks with a larger error, heatmap px, are excluded: the network missed them, so the decoder is not the cause.
MAX_ERROR = 1.5


def phase_curves(run: Run, model: str, decoder: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return phase (bin centres), bias and spread (standard deviation) of x and y together, all in heatmap px."""
    cell = next(c for c in run.record.cells if (c.model, c.decoder, c.flip) == (model, decoder, "none"))
    size = run.model(model).heatmap_size
    if size is None:
        raise SystemExit(f"{model}: outputs no heatmaps; choose another --model")
    scale = np.asarray(size) / run.faces.size[:, None]
    corner = (run.faces.centre - run.faces.size / 2)[:, None]
    truth = (run.faces.landmarks - corner) * scale
    error = (run.landmarks(cell.id) - corner) * scale - truth
    near = np.abs(error).max(axis=-1) < MAX_ERROR
    phase, error = (truth[near] % 1).ravel(), error[near].ravel()
    place = np.minimum((phase * BINS).astype(int), BINS - 1)
    count = np.bincount(place, minlength=BINS)
    bias = np.bincount(place, error, BINS) / count
    spread = np.sqrt(np.bincount(place, error**2, BINS) / count - bias**2)
    return (np.arange(BINS) + 0.5) / BINS, bias, spread


def main() -> None:
    """Draw the plot and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("run", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--model", default="synthface-hrnet-small")
    arguments = parser.parse_args()
    run = Run.open(arguments.run)
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained", sharex=True)
    print("| decoder | largest bias | mean spread |\n|---|--:|--:|")
    for decoder in DECODERS:
        phase, bias, spread = phase_curves(run, arguments.model, decoder)
        left.plot(phase, bias, label=decoder)
        right.plot(phase, spread, label=decoder)
        print(f"| {decoder} | {np.abs(bias).max():.3f} | {spread.mean():.3f} |")
    left.set_ylabel("bias, heatmap px")
    right.set_ylabel("spread, heatmap px")
    right.set_ylim(bottom=0)
    for axes in (left, right):
        axes.set_xlabel("true position between pixel centres")
        axes.grid(alpha=0.3)
    right.legend(fontsize=7, ncols=2)
    figure.suptitle(f"{arguments.model} on synthface: landmarks within {MAX_ERROR} heatmap px", fontsize=10)
    figure.savefig(arguments.out, metadata={"Date": None})


if __name__ == "__main__":
    main()
