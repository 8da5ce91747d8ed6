"""A run as the report's sections read it: cells with labels and colours, scores and errors as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nmebench.reports.render.text import display
from nmebench.runs.run_record import OTHER_GRID
from nmebench.runs.run_store import Run
from nmebench.scoring import subset_masks

__all__ = ["COLOURS", "CellView", "RunView"]

COLOURS = 8
"""Number of colours in a theme (``--s0`` to ``--s7`` in ``assets/theme-*.css``); further series repeat them, dashed."""

_PARTS = ("model", "decoder", "flip", "box")
_FLIP_TEXTS = {"none": "no flip test", "flip": "flip test", "flip+shift": "flip test, shifted"}


@dataclass(frozen=True)
class CellView:
    """A cell of a run with its labels and its colour."""

    index: int
    """Position in the run's list of cells."""
    id: str
    model: str
    decoder: str
    flip: str
    box: str
    series: int
    """Number of the cell's network, or of its decoder if the run has one network. It selects the colour."""
    differing: tuple[str, ...] = ()
    """The parts, such as ``decoder``, that differ between the run's cells."""
    mixed: bool = False
    """True if a preset decoded heatmaps of another grid; such a cell is labelled and never ranked."""

    @property
    def decoder_label(self) -> str:
        """The decoder's spec, labelled for a mixed cell."""
        return self.decoder + OTHER_GRID if self.mixed else self.decoder

    @property
    def names(self) -> tuple[str, str, str, str]:
        """Network, decoder, flip test and box, printable."""
        return (display(self.model, 80), display(self.decoder_label, 80), display(self.flip, 40), display(self.box, 40))

    @property
    def short_label(self) -> str:
        """The parts that distinguish the cell from the run's other cells."""
        parts = {"model": display(self.model, 60), "decoder": display(self.decoder_label, 60), "flip": self.flip_text}
        parts["box"] = f"box {display(self.box, 40)}"
        return " · ".join(parts[name] for name in self.differing or ("model", "decoder"))

    @property
    def label(self) -> str:
        """All parts: network, decoder, flip test, box."""
        return (
            f"{display(self.model, 60)} · {display(self.decoder_label, 60)} · {self.flip_text} · "
            f"box {display(self.box, 40)}"
        )

    @property
    def flip_text(self) -> str:
        """The flip test as the page words it."""
        return _FLIP_TEXTS.get(self.flip, display(self.flip, 40))

    @property
    def colour(self) -> int:
        """Number of the theme's colour."""
        return self.series % COLOURS

    @property
    def dashed(self) -> bool:
        """True if the line is dashed because an earlier series has the same colour."""
        return self.series // COLOURS % 2 == 1


@dataclass(frozen=True)
class RunView:
    """A run's cells, faces and scores, read once and shared by all sections."""

    run: Run

    @cached_property
    def cells(self) -> tuple[CellView, ...]:
        """The cells in the run's order."""
        records = self.run.record.cells
        key = "model" if len({c.model for c in records}) > 1 else "decoder"
        series = list(dict.fromkeys(getattr(c, key) for c in records))
        differing = tuple(part for part in _PARTS if len({getattr(c, part) for c in records}) > 1)
        return tuple(
            CellView(i, c.id, c.model, c.decoder, c.flip, c.box, series.index(getattr(c, key)), differing, c.mixed)
            for i, c in enumerate(records)
        )

    @cached_property
    def masks(self) -> Mapping[str, NDArray[np.bool_]]:
        """Subset to bool ``[N]`` in the order of published tables; empty subsets are left out, except ``test``."""
        return {name: mask for name, mask in subset_masks(self.run).items() if name == "test" or mask.any()}

    @cached_property
    def nme(self) -> NDArray[np.float64]:
        """NME per cell and face, percent, ``[C, N]``."""
        per_face = self.run.per_face
        return np.stack([per_face[c.id] for c in self.cells]) if self.cells else np.empty((0, 0))

    @cached_property
    def scores(self) -> Mapping[tuple[str, str], Mapping[str, Any]]:
        """Rows of ``scores.csv`` by cell and subset."""
        return {(str(row["cell"]), str(row["subset"])): row for row in self.run.score_rows()}

    @property
    def models(self) -> tuple[str, ...]:
        """Networks that have cells, in the order of the cells."""
        return self.distinct("model")

    def distinct(self, part: str) -> tuple[str, ...]:
        """Distinct values of ``model``, ``decoder``, ``flip`` or ``box``, in the order of the cells."""
        return tuple(dict.fromkeys(str(getattr(c, part)) for c in self.cells))

    @cached_property
    def best_of_model(self) -> Mapping[str, CellView]:
        """For each network the cell with the lowest NME over all faces; a mixed cell only if there is no other."""
        means = self.nme.mean(1)
        best: dict[str, CellView] = {}
        ranked = {cell.model for cell in self.cells if not cell.mixed}
        for cell in self.cells:
            if cell.mixed and cell.model in ranked:
                continue
            if cell.model not in best or means[cell.index] < means[best[cell.model].index]:
                best[cell.model] = cell
        return best

    @cached_property
    def baseline(self) -> tuple[int | None, ...]:
        """For each cell the index of the cell with the plain decoder and the same network, flip test and box.

        The plain decoder is ``argmax`` if it ran, else the first decoder. Its own cells have None. So do mixed
        cells, which are not compared.
        """
        groups: dict[tuple[str, str, str], list[CellView]] = {}
        for cell in self.cells:
            if not cell.mixed:
                groups.setdefault((cell.model, cell.flip, cell.box), []).append(cell)
        baseline: list[int | None] = [None] * len(self.cells)
        for group in groups.values():
            plain = next((c for c in group if c.decoder.partition(":")[0] == "argmax"), group[0])
            for cell in group:
                baseline[cell.index] = None if cell is plain else plain.index
        return tuple(baseline)
