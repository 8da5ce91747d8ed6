"""Measures and plots time per face and peak memory of a sweep as its faces and decoders grow.

``python docs/tools/growth_plot.py --data wflw:PATH`` runs ``nmebench run`` with the flip test once per point, in a
process of its own. The networks are the shipped MobileNetV3, with which the work besides the network has the largest
share, and HRNetV2-W18 with random weights (or ``--weights``). The faces of ``--data`` (synthface by default) are
repeated up to the number of the point. Each finished point is appended to ``docs/results/growth.csv``; points that the
file already has are not run again. The plot is drawn from the file.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import matplotlib as mpl

mpl.use("svg")
mpl.rcParams.update({"svg.hashsalt": "nmebench", "svg.fonttype": "none", "font.size": 9})

import matplotlib.pyplot as plt
import torch
from safetensors.torch import save_file

from nmebench import datasets, models
from nmebench.bench import repeated

DOCS = Path(__file__).resolve().parents[1]
CSV, PLOT = DOCS / "results" / "growth.csv", DOCS / "images" / "growth.svg"
FIELDS = ("model", "faces", "decoders", "process_seconds", "sweep_seconds", "peak_mib")

DECODERS = (
    "dark", "argmax", "quarter-offset", "dark-udp", "parabola", "local-soft-argmax", "soft-argmax", "barycentre",
    "top-k", "mmpose-megvii", "face-alignment", "official-hrnet", "mmpose-udp", "dark:kernel=17", "parabola:fit=raw",
)  # fmt: skip
"""A point with n decoders runs the first n of them."""
SMALL, LARGE = "synthface-mobilenetv3", "hrnetv2-w18"
POINTS = (
    (SMALL, 100, 15), (SMALL, 1000, 1), (SMALL, 1000, 5), (SMALL, 1000, 15), (LARGE, 250, 15), (LARGE, 2500, 15),
    (SMALL, 10000, 15),
)  # fmt: skip
"""Network, faces, decoders."""


def run(data: str, weights: Path, model: str, faces: int, decoders: int, work: Path) -> dict[str, str]:
    """Run one sweep in a process of its own and return its row: seconds and largest resident set."""
    spec = repeated(datasets.load(data), faces, work / f"{model}-{faces}-{decoders}")
    out = work / f"run-{model}-{faces}-{decoders}"
    command = ["-m", "nmebench", "run", "--data", spec, "--model", model]
    command += ["--weights", str(weights)] if model == LARGE else []
    command += ["--flip", "-o", str(out), *(part for name in DECODERS[:decoders] for part in ("--decoder", name))]
    started = time.perf_counter()
    child = os.posix_spawn(sys.executable, [sys.executable, *command], os.environ)
    _, status, usage = os.wait4(child, 0)
    seconds = time.perf_counter() - started
    if status:
        code = os.waitstatus_to_exitcode(status)
        raise SystemExit(f"{model}, {faces} faces, {decoders} decoders: the run failed with exit code {code}")
    timings = json.loads((out / "timings.json").read_text())
    values = (seconds, timings["total"], usage.ru_maxrss / 1024)
    return dict(zip(FIELDS, (model, str(faces), str(decoders), *(f"{v:.2f}" for v in values)), strict=True))


def measure(data: str, weights: Path | None) -> None:
    """Run every point that the file doesn't have yet and append it."""
    done = {(row["model"], int(row["faces"]), int(row["decoders"])) for row in rows()}
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        if weights is None:
            torch.manual_seed(0)
            weights = work / "random.safetensors"
            save_file(models.create("hrnetv2-w18", points=98).state_dict(), weights)
        for point in POINTS:
            if point in done:
                continue
            row = run(data, weights, *point, work)
            fresh = not CSV.exists()
            with CSV.open("a", newline="") as file:
                writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
                if fresh:
                    writer.writeheader()
                writer.writerow(row)


def rows() -> list[dict[str, str]]:
    """Return the points measured so far, sorted."""
    if not CSV.exists():
        return []
    with CSV.open(newline="") as file:
        return sorted(csv.DictReader(file), key=lambda row: (row["model"], int(row["faces"]), int(row["decoders"])))


def draw() -> None:
    """Draw the three panels from the file and print the table of ``docs/speed.md``."""
    measured = rows()
    most = str(len(DECODERS))
    by_faces = [row for row in measured if row["decoders"] == most and row["model"] == SMALL]
    by_decoders = [row for row in measured if row["faces"] == "1000" and row["model"] == SMALL]
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(10, 3.2), layout="constrained")
    for axes, chosen, key in ((left, by_faces, "faces"), (middle, by_decoders, "decoders")):
        x = [int(row[key]) for row in chosen]
        for field, label in (("process_seconds", "process"), ("sweep_seconds", "sweep")):
            y = [1e3 * float(row[field]) / int(row["faces"]) for row in chosen]
            axes.plot(x, y, marker="o", markersize=3, label=label)
        axes.set_ylim(bottom=0)
        axes.set_ylabel("ms per face")
        axes.set_xlabel(key)
        axes.grid(alpha=0.3)
    left.set_title(f"{SMALL}, {most} decoders", fontsize=9)
    middle.set_title(f"{SMALL}, 1000 faces", fontsize=9)
    middle.set_xticks([int(row["decoders"]) for row in by_decoders])
    left.legend(fontsize=7)
    for model in (LARGE, SMALL):
        chosen = [row for row in measured if row["decoders"] == most and row["model"] == model]
        x, y = [int(row["faces"]) for row in chosen], [float(row["peak_mib"]) for row in chosen]
        right.plot(x, y, marker="o", markersize=3, label=model)
    right.legend(fontsize=7)
    right.set_ylim(bottom=0)
    right.set_xlabel("faces")
    right.set_ylabel("peak resident memory, MiB")
    right.set_title(f"{most} decoders", fontsize=9)
    right.grid(alpha=0.3)
    for axes, ticks in ((left, (100, 1000, 10000)), (right, (100, 250, 1000, 2500, 10000))):
        axes.set_xscale("log")
        axes.set_xticks(ticks, [str(tick) for tick in ticks])
        axes.minorticks_off()
    figure.savefig(PLOT, metadata={"Date": None})
    head = "| network | faces | decoders | process, ms per face | sweep, ms per face | peak, MiB |"
    print(head + "\n|---|--:|--:|--:|--:|--:|")
    for row in measured:
        each = [1e3 * float(row[field]) / int(row["faces"]) for field in FIELDS[3:5]]
        named = f"{row['model']} | {row['faces']} | {row['decoders']}"
        cells = " | ".join(f"{value:.1f}" for value in each)
        print(f"| {named} | {cells} | {float(row['peak_mib']):.0f} |")


def main() -> None:
    """Measure the missing points and draw the plot."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", default="synthface")
    parser.add_argument("--weights", type=Path)
    arguments = parser.parse_args()
    measure(arguments.data, arguments.weights)
    draw()


if __name__ == "__main__":
    main()
