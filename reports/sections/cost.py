"""Cost and error: time per face and size of each network beside its NME.

Times differ between two equal runs, so the page has them only on request.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup

from nmebench.reports.render import svg
from nmebench.reports.render.text import DASH, adaptive_number, display, number
from nmebench.reports.view import CellView, RunView, short_names

__all__ = ["NOT_TIMED", "CostRow", "CostTable", "section"]

NOT_TIMED: Final = "not timed"


@dataclass(frozen=True)
class CostRow:
    """A network, its size and its times."""

    cell: CellView
    """The network's best cell."""
    parameters: str
    """Millions."""
    forward: str
    """Milliseconds per face of the forward passes."""
    decode: str
    """Processor milliseconds per face of the best cell's decoder."""
    nme: str


@dataclass(frozen=True)
class CostTable:
    """The networks of a run, and a plot of error by time if the times are known."""

    rows: tuple[CostRow, ...]
    timed: bool
    passes: str
    """Number of forward passes per face that the times contain."""
    figure: Markup | None


def section(view: RunView, *, timings: bool) -> CostTable | None:
    """The cost of each network; None without cells.

    Args:
        view: the run.
        timings: True reads the run's times.
    """
    if not view.cells:
        return None
    stored = view.run.timings if timings else {}
    faces = max(len(view.run.faces), 1)
    rows, points = [], []
    for model, cell in view.best_of_model.items():
        record = view.run.model(model)
        stages = _mapping(_mapping(_mapping(stored.get("models")).get(model)).get("stages"))
        forward, decode = (_ms(v, faces) for v in (stages.get("forward"), _mapping(stored.get("cells")).get(cell.id)))
        nme = float(view.nme[cell.index].mean())
        if forward is not None:
            points.append((cell, forward, nme))
        rows.append(
            CostRow(
                cell,
                DASH if record.parameters is None else f"{record.parameters / 1e6:.2f}",
                NOT_TIMED if forward is None else number(forward, 2),
                NOT_TIMED if decode is None else number(decode, 2),
                cell.diverged or adaptive_number(nme),
            )
        )
    passes = "two passes (with and without mirroring)" if any(c.flip != "none" for c in view.cells) else "one pass"
    return CostTable(tuple(rows), bool(points), passes, _plot(view, points) if len(points) > 1 else None)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _ms(seconds: Any, faces: int) -> float | None:
    return 1e3 * seconds / faces if isinstance(seconds, int | float) else None


def _plot(view: RunView, points: list[tuple[CellView, float, float]]) -> Markup:
    names = dict(zip(view.models, short_names(view.models), strict=True))
    drawing, axes = svg.figure(5.0, 2.8)
    for cell, ms, nme in points:
        if cell.diverged:
            continue
        axes.plot([ms], [nme], "o", color=svg.series(cell.colour), markersize=6)
        axes.annotate(
            display(names[cell.model], 26), (ms, nme), xytext=(0, 7), textcoords="offset points",
            color=svg.series(cell.colour), ha="center", fontsize=7.5,
        )  # fmt: skip
    axes.margins(0.18)
    axes.set_xlim(left=0)
    axes.set_xlabel("forward passes, ms per face")
    axes.set_ylabel("NME, %")
    return svg.render(
        drawing,
        "cost",
        title="NME and time per face",
        description="One point per network: its lowest NME and the time of its forward passes; see the table.",
    )
