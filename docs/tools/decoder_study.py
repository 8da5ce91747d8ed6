"""Measure every decoder against known peaks and write the tables and plots of docs/decoders.md.

    python docs/tools/decoder_study.py

The study draws seeded Gaussians with peak 1 on 64 x 64 pixels at exactly known positions. Each number is the mean
distance in heatmap px between the true and the decoded position over 1960 peaks. Takes about a minute.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch
from matplotlib import pyplot as plt

from nmebench import decoders
from nmebench.decoders.interface import gaussians
from nmebench.reports.tables import replace_block

DOCS = Path(__file__).resolve().parents[1]
PAGE, IMAGES = DOCS / "decoders.md", DOCS / "images"
SIDE, FACES, POINTS = 64, 20, 98

STUDIED = [
    "argmax",
    "quarter-offset",
    "dark",
    "dark-udp",
    "parabola",
    "parabola:fit=raw",
    "local-soft-argmax",
    "soft-argmax",
    "barycentre",
    "barycentre:form=ldeq",
    "top-k",
    "mmpose-megvii",
    "face-alignment",
]
# face-alignment and mmpose-megvii include half a pixel by definition, which would only compress the scale of the plots.
PLOTTED = [spec for spec in STUDIED if spec not in {"mmpose-megvii", "face-alignment", "barycentre:form=ldeq"}]


@dataclass(frozen=True)
class Regime:
    """One experiment: maps for each value of one quantity."""

    name: str
    title: str
    axis: str
    values: tuple[float, ...]
    shown: tuple[float, ...]
    """The values in the table."""
    draw: Callable[[float], tuple[torch.Tensor, torch.Tensor]]
    """Draws, for a value, true positions ``[N, K, 2]`` in heatmap px and heatmaps."""
    floor: float = 1e-4
    """Smaller errors are rounding and are plotted at this value."""


def rng(seed: int) -> torch.Generator:
    """Return a seeded generator."""
    return torch.Generator().manual_seed(seed)


def anywhere(seed: int, margin: float = 14.0) -> torch.Tensor:
    """Return random positions at least ``margin`` px from every border."""
    return torch.rand(FACES, POINTS, 2, generator=rng(seed), dtype=torch.float64) * (SIDE - 1 - 2 * margin) + margin


def with_noise(maps: torch.Tensor, amount: float, seed: int) -> torch.Tensor:
    """Return the maps plus white noise with standard deviation ``amount``."""
    return maps + amount * torch.randn(maps.shape, generator=rng(seed))


def phase(value: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw peaks with x at ``value`` px from the centre of a pixel, and any y."""
    centres = anywhere(1)
    centres[..., 0] = centres[..., 0].round() + value
    return centres, gaussians(centres, SIDE, SIDE, 2.0)


def sigma(value: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw Gaussians with sigma ``value`` px."""
    centres = anywhere(2)
    return centres, gaussians(centres, SIDE, SIDE, value)


def noise(value: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw Gaussians with noise of standard deviation ``value``."""
    centres = anywhere(3)
    return centres, with_noise(gaussians(centres, SIDE, SIDE, 2.0), value, 4)


def border(value: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw peaks ``value`` px, plus or minus half a pixel, from one of the four borders."""
    centres = anywhere(5)
    away = value + torch.rand(FACES, POINTS, generator=rng(6), dtype=torch.float64) - 0.5
    side = torch.randint(0, 4, (FACES, POINTS), generator=rng(7))
    for number, (axis, far) in enumerate(((0, False), (0, True), (1, False), (1, True))):
        place = SIDE - 1 - away if far else away
        centres[..., axis] = torch.where(side == number, place, centres[..., axis])
    return centres, gaussians(centres, SIDE, SIDE, 2.0)


REGIMES = [
    Regime(
        "phase", "Sub-pixel phase (sigma 2, no noise)", "distance of the peak from its pixel's centre in x, px",
        tuple(np.linspace(0, 0.49, 15).round(3).tolist()), (0.0, 0.105, 0.245, 0.35, 0.49), phase,
    ),
    Regime(
        "sigma", "Width of the Gaussian (no noise; DARK with its kernel 11, made for sigma 2)", "sigma of the map, px",
        (0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0), (1.0, 1.5, 2.0, 3.0, 4.0), sigma,
    ),
    Regime(
        "noise", "White noise (sigma 2)", "standard deviation of the noise, share of the peak",
        (0.0, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2), (0.0, 0.01, 0.03, 0.05, 0.1, 0.2), noise, 1e-3,
    ),
    Regime(
        "border", "Distance to the border (sigma 2, no noise)", "distance of the peak from the nearest border, px",
        tuple(float(value) for value in np.arange(0, 10.5, 0.5)), (0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 9.0), border,
    ),
]  # fmt: skip


def error(spec: str, centres: torch.Tensor, maps: torch.Tensor) -> float:
    """Return the mean distance between true and decoded positions, heatmap px."""
    found = decoders.from_spec(spec)(maps).landmarks
    return float((found - centres).norm(dim=-1).mean())


def measured(regime: Regime) -> dict[str, list[float]]:
    """Return the errors of each decoder, in the order of the regime's values."""
    rows: dict[str, list[float]] = {spec: [] for spec in STUDIED}
    for value in regime.values:
        centres, maps = regime.draw(value)
        for spec in STUDIED:
            rows[spec].append(error(spec, centres, maps))
    return rows


def number(value: float) -> str:
    """Format an error with two decimals, or three below 0.1, so that another machine's rounding doesn't change it."""
    if value > SIDE:
        return f"> {SIDE}"
    return "< 0.001" if value < 1e-3 else f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def regime_table(regime: Regime, rows: dict[str, list[float]]) -> str:
    """Return the table of errors by decoder at the shown values, the smallest in bold."""
    columns = [regime.values.index(value) for value in regime.shown]
    best = {column: min(row[column] for row in rows.values()) for column in columns}

    def cell(row: list[float], column: int) -> str:
        wins = number(row[column]) == number(best[column])
        return f"**{number(row[column])}**" if wins else number(row[column])

    body = [[f"`{spec}`", *(cell(row, column) for column in columns)] for spec, row in rows.items()]
    return table([regime.axis, *(f"{regime.values[column]:g}" for column in columns)], body)


def winners_table(results: dict[str, dict[str, list[float]]]) -> str:
    """Return the table of the best decoders for each value of each regime."""
    body = []
    for regime in REGIMES:
        rows = results[regime.name]
        for value in regime.shown:
            column = regime.values.index(value)
            order = sorted(rows, key=lambda spec: rows[spec][column])
            shown = number(rows[order[0]][column])
            first = [spec for spec in order if number(rows[spec][column]) == shown]
            second = next(spec for spec in order if spec not in first)
            body.append(
                [
                    regime.name,
                    f"{value:g}",
                    ", ".join(f"`{spec}`" for spec in first),
                    shown,
                    f"`{second}` {number(rows[second][column])}",
                    number(rows["argmax"][column]),
                ]
            )
    return table(["regime", "value", "smallest error", "px", "next", "argmax"], body)


def kernels_table(amount: float) -> str:
    """Return the table of DARK's error by blur kernel and sigma of the map, with noise of ``amount``."""
    kernels, widths = (3, 5, 7, 9, 11, 13, 17, 23), (1.0, 1.5, 2.0, 2.5, 3.0, 4.0)
    rows = {
        width: [
            error(f"dark:kernel={kernel}", centres, maps)
            for centres, maps in [(anywhere(8), with_noise(gaussians(anywhere(8), SIDE, SIDE, width), amount, 9))]
            for kernel in kernels
        ]
        for width in widths
    }
    body = []
    for width, row in rows.items():
        best = number(min(row))
        body.append([f"{width:g}", *(f"**{number(v)}**" if number(v) == best else number(v) for v in row)])
    return table(["sigma of the map, px", *(f"kernel {kernel}" for kernel in kernels)], body)


def border_kernels_table() -> str:
    """Return the table of DARK's error by blur kernel and distance to the border."""
    kernels, distances = (3, 5, 7, 11, 17), (2.0, 3.0, 4.0, 5.0, 6.0, 8.0)
    body = []
    for distance in distances:
        centres, maps = border(distance)
        row = [number(error(f"dark:kernel={kernel}", centres, maps)) for kernel in kernels]
        body.append([f"{distance:g}", *row])
    return table(["distance to the border, px", *(f"kernel {kernel}" for kernel in kernels)], body)


def family_table() -> str:
    """Return the table of built-in decoders, from ``describe``."""
    body = []
    for name in decoders.names():
        info = decoders.describe(name)
        if info.origin != "built-in":
            continue
        options = ", ".join(f"`{key}={option.default}`".lower() for key, option in info.options.items()) or "-"
        needs = ", ".join(info.needs)
        chain = f"`{info.chain.map}`" if info.chain else "-"
        body.append([f"`{name}`", info.summary, options, needs, chain, f"{info.bound:g}", info.source])
    return table(["name", "what it does", "options", "needs", "chain", "bound", "source"], body)


# Paul Tol's "bright" and "muted" qualitative schemes; dashes also distinguish the lines.
COLOURS = ["#000000", "#4477aa", "#cc3311", "#ee7733", "#228833", "#88aa33", "#aa3377", "#66ccee", "#999933", "#bbbbbb"]
DASHES = ["-", "--", "-", "--", "-", "--", "-", "-", "--", "-"]


def plot(regime: Regime, rows: dict[str, list[float]]) -> None:
    """Plot one regime with one line per decoder, labelled at its end."""
    figure, axes = plt.subplots(figsize=(8, 4.6), layout="constrained")
    ends = []
    for spec, colour, dash in zip(PLOTTED, COLOURS, DASHES, strict=True):
        values = np.clip(rows[spec], regime.floor, CEILING)
        axes.plot(regime.values, values, dash, color=colour, linewidth=1.8)
        ends.append([float(np.log10(values[-1])), spec, colour])
    axes.set_yscale("log")
    highest = min(CEILING, max(max(rows[spec]) for spec in PLOTTED))
    axes.set_ylim(regime.floor * 0.8, highest * 1.4)
    axes.set_xlabel(regime.axis)
    axes.set_ylabel("mean error, heatmap px")
    axes.set_title(regime.title, loc="left", fontsize=10)
    axes.grid(alpha=0.3, which="major")
    axes.spines[["top", "right"]].set_visible(False)
    ticks = [tick for tick in (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0) if regime.floor <= tick <= highest * 1.4]
    axes.set_yticks(ticks, [f"≤ {tick:g}" if tick == regime.floor else f"{tick:g}" for tick in ticks])
    # Put labels at the ends of the lines, moved apart from the lowest up.
    low, high = np.log10(axes.get_ylim())
    step = (high - low) / 19
    ends.sort(key=lambda end: (end[0], end[1]))
    for index, end in enumerate(ends):
        end.append(max(end[0], ends[index - 1][3] + step) if index else end[0])
    over = ends[-1][3] - (high - step / 2)
    if over > 0:
        ceiling = high - step / 2
        for end in reversed(ends):
            end[3] = min(end[3], ceiling)
            ceiling = end[3] - step
    left, right = axes.get_xlim()
    for value, spec, colour, place in ends:
        axes.annotate(
            spec,
            (regime.values[-1], 10**value),
            xytext=(right + (right - left) * 0.02, 10**place),
            color=colour,
            fontsize=8.5,
            va="center",
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.6, "shrinkA": 0, "shrinkB": 0},
        )
    figure.savefig(IMAGES / f"decoder-study-{regime.name}.svg", metadata={"Date": None})
    plt.close(figure)


CEILING = 15.0
"""Top of the plots; larger errors are plotted at this value."""


def replaced(page: str, name: str, text: str) -> str:
    """Return the page with another table between the markers of ``study-NAME``."""
    return replace_block(page, f"study-{name}", f"\n{text}\n\n", PAGE.name)


def main() -> None:
    """Measure, plot and write the tables into the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=[regime.name for regime in REGIMES], help="draw one plot, write no table")
    only = parser.parse_args().only
    torch.set_num_threads(1)
    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "decoder-study"
    IMAGES.mkdir(exist_ok=True)
    results = {}
    for regime in REGIMES:
        if only not in (None, regime.name):
            continue
        results[regime.name] = measured(regime)
        plot(regime, results[regime.name])
    if only:
        return
    page = PAGE.read_text(encoding="utf-8")
    for regime in REGIMES:
        page = replaced(page, regime.name, regime_table(regime, results[regime.name]))
    page = replaced(page, "family", family_table())
    page = replaced(page, "winners", winners_table(results))
    page = replaced(page, "kernels", kernels_table(0.0))
    page = replaced(page, "kernels-noise", kernels_table(0.03))
    page = replaced(page, "kernels-border", border_kernels_table())
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
