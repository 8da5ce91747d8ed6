"""Draws the figures of ``docs/coordinates.md``: the three coordinate systems, the grids, and the flip test.

``python docs/tools/coordinate_drawings.py -o docs/images`` writes ``coordinates-systems.svg``,
``coordinates-grids.svg`` and ``coordinates-flip.svg``. Every position comes from
:class:`nmebench.geometry.Geometry`, none is drawn by hand.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

mpl.use("svg")
mpl.rcParams.update({"svg.hashsalt": "nmebench", "svg.fonttype": "none", "font.size": 9})

import matplotlib.pyplot as plt
from matplotlib.patches import Rectangle

from nmebench.geometry import Geometry
from nmebench.grids import mirror_displacement

BLUE, ORANGE, GREY = "#3f51b5", "#e65100", "#9e9e9e"

#: The example of the page: a box of 320 px around (300, 200), a landmark at (321.25, 180).
EXAMPLE = Geometry([[300, 200]], [[320, 320]], (256, 256), heatmap_size=(64, 64))
LANDMARK = np.array([[[321.25, 180.0]]])


def systems() -> Any:
    """One landmark in the photograph, in the crop and in the heatmap."""
    figure, axes = plt.subplots(1, 3, figsize=(9, 3.2), layout="constrained")
    places = {
        "image px": (LANDMARK, (480, 400), "photograph"),
        "input px": (EXAMPLE.image_to_input(LANDMARK), (256, 256), "crop, the network's input"),
        "heatmap px": (EXAMPLE.image_to_heatmap(LANDMARK), (64, 64), "heatmap"),
    }
    for axis, (unit, (place, (width, height), title)) in zip(axes, places.items(), strict=True):
        x, y = place[0, 0]
        axis.add_patch(Rectangle((-0.5, -0.5), width, height, fill=False, color=GREY))
        axis.plot(x, y, "+", color=ORANGE, markersize=11, markeredgewidth=2)
        axis.annotate(f"({x:g}, {y:g})", (x, y), (0, 8), textcoords="offset points", ha="center", color=ORANGE)
        axis.set(title=title, xlabel=f"x, {unit}", ylabel="y", xlim=(-0.04 * width, 1.04 * width))
        axis.set(ylim=(1.04 * height, -0.04 * height), aspect="equal")
    corner = (EXAMPLE.centre - EXAMPLE.size / 2)[0]
    axes[0].add_patch(Rectangle(tuple(corner), *EXAMPLE.size[0], fill=False, color=BLUE, linewidth=1.5))
    axes[0].annotate("box", tuple(corner), (2, 4), textcoords="offset points", color=BLUE)
    axes[0].plot(*EXAMPLE.centre[0], ".", color=BLUE)
    axes[0].annotate("c", tuple(EXAMPLE.centre[0]), (4, -10), textcoords="offset points", color=BLUE)
    return figure


def grids() -> Any:
    """Where the centres of the heatmap pixels are in the input, by grid: 4 pixels over 16."""
    figure, axes = plt.subplots(3, 1, figsize=(8, 3.4), layout="constrained", sharex=True)
    for axis, grid in zip(axes, ("stride", "udp", "half-pixel"), strict=True):
        geometry = Geometry([[8, 8]], [[16, 16]], (16, 16), grid=grid, heatmap_size=(4, 4))
        points = np.stack([np.arange(4.0), np.zeros(4)], axis=-1)[None]
        centres = geometry.heatmap_to_input(points)[0, :, 0]
        for pixel in range(16):
            axis.add_patch(Rectangle((pixel - 0.5, 0), 1, 1, fill=False, color=GREY, linewidth=0.8))
        axis.plot(np.arange(16), np.full(16, 0.5), ".", color=GREY, markersize=4)
        axis.plot(centres, np.full(4, 0.5), "o", color=ORANGE, markersize=8)
        for number, x in enumerate(centres):
            axis.annotate(f"{number}", (x, 1.1), ha="center", color=ORANGE)
        axis.set(xlim=(-1, 16), ylim=(0, 1.7), yticks=[], ylabel=grid)
        axis.set_xticks(range(16))
        for side in ("top", "right", "left", "bottom"):
            axis.spines[side].set_visible(False)
    axes[-1].set_xlabel("input px (grey); orange: the centres of heatmap pixels 0 to 3")
    return figure


def flip() -> Any:
    """The peak of the plain pass and of the mirrored pass, mirrored back, around a landmark at 36.25 heatmap px."""
    figure, axes = plt.subplots(1, 3, figsize=(9, 2.5), layout="constrained", sharey=True)
    x = np.linspace(31, 42, 400)
    plain = EXAMPLE.image_to_heatmap(LANDMARK)[0, 0, 0]
    displacement = mirror_displacement("stride", 64, 256)
    for axis, (name, shift) in zip(
        axes, {"flip": 0.0, "flip+shift": 1.0, "flip+align": displacement}.items(), strict=True
    ):
        peaks = [np.exp(-((x - centre) ** 2) / 8) for centre in (plain, plain - displacement + shift)]
        axis.plot(x, peaks[0], color=BLUE, label="plain pass")
        axis.plot(x, peaks[1], color=ORANGE, label="mirrored pass, mirrored back")
        axis.plot(x, sum(peaks) / 2, "--", color="black", linewidth=1, label="mean")
        axis.axvline(plain, color=GREY, linewidth=0.8)
        axis.set(title=f"{name}: {(shift - displacement) / 2:+.3f}", xlabel="heatmap px", yticks=[])
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    return figure


def main() -> None:
    """Write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("-o", "--out", type=Path, required=True)
    folder = parser.parse_args().out
    for name, draw in {"systems": systems, "grids": grids, "flip": flip}.items():
        path = folder / f"coordinates-{name}.svg"
        draw().savefig(path, metadata={"Date": None})
        print(f"wrote {path}")


if __name__ == "__main__":
    main()
