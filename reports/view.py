"""A run as the report sees it: its cells in order, their labels and colours, their scores and errors as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nmebench.protocol import SUBSETS
from nmebench.reports.render.text import say
from nmebench.runs.run_store import Run

__all__ = ["COLOURS", "CellView", "RunView", "ordered_subsets"]

#: Colours of the theme (``--s0`` to ``--s7`` in ``assets/theme-*.css``); later series take them again, dashed.
COLOURS = 8

_PARTS = ("model", "decoder", "flip", "box")


@dataclass(frozen=True)
class CellView:
    """A cell of the run with what the page needs to name and colour it."""

    index: int
    id: str
    model: str
    decoder: str
    flip: str
    box: str
    series: int
    """Number of the colour: of the network, or of the decoder when there is one network only."""

    several: tuple[str, ...] = ()
    """What differs between the run's cells."""

    @property
    def short(self) -> str:
        """The cell by what tells it from the others."""
        parts = {"model": say(self.model, 60), "decoder": say(self.decoder, 60), "flip": self.options}
        parts["box"] = f"box {say(self.box, 40)}"
        return " · ".join(parts[name] for name in self.several or ("model", "decoder"))

    @property
    def colour(self) -> int:
        """Number of the theme's colour."""
        return self.series % COLOURS

    @property
    def dashed(self) -> bool:
        """Whether the colour is used a second time."""
        return self.series // COLOURS % 2 == 1

    @property
    def options(self) -> str:
        """Test-time options in words."""
        return {"none": "no flip test", "flip": "flip test", "flip+shift": "flip test, shifted"}.get(
            self.flip, say(self.flip, 40)
        )

    @property
    def label(self) -> str:
        """The cell in one line: network, decoder, flip, box."""
        return f"{say(self.model, 60)} · {say(self.decoder, 60)} · {self.options} · box {say(self.box, 40)}"


def ordered_subsets(names: Sequence[str]) -> tuple[str, ...]:
    """WFLW's subsets in the papers' order, then any others by name."""
    return tuple(s for s in SUBSETS if s in names) + tuple(sorted(set(names) - set(SUBSETS)))


@dataclass(frozen=True)
class RunView:
    """A run, read once for all sections."""

    run: Run

    @cached_property
    def cells(self) -> tuple[CellView, ...]:
        """The cells in the run's order."""
        records = self.run.record.cells
        by_model = len({c.model for c in records}) > 1
        several = tuple(name for name in _PARTS if len({getattr(c, name) for c in records}) > 1)
        keys = list(dict.fromkeys(c.model if by_model else c.decoder for c in records))
        return tuple(
            CellView(
                i, c.id, c.model, c.decoder, c.flip, c.box, keys.index(c.model if by_model else c.decoder), several
            )
            for i, c in enumerate(records)
        )

    @cached_property
    def masks(self) -> Mapping[str, NDArray[np.bool_]]:
        """Subset to bool ``[N]``, in the papers' order, empty subsets left out; ``test`` is always there."""
        faces = self.run.faces
        masks = {"test": np.ones(len(faces), bool)} | dict(faces.subsets)
        return {s: masks[s] for s in ordered_subsets(list(masks)) if masks[s].any() or s == "test"}

    @cached_property
    def nme(self) -> NDArray[np.float64]:
        """NME of every face, percent, ``[C, N]``."""
        per_face = self.run.per_face
        return np.stack([per_face[c.id] for c in self.cells]) if self.cells else np.empty((0, 0))

    @cached_property
    def scores(self) -> Mapping[tuple[str, str], Mapping[str, Any]]:
        """Rows of ``scores.csv`` by cell and subset."""
        rows: list[dict[str, Any]] = self.run.scores.to_dict("records")  # type: ignore[assignment]
        return {(str(row["cell"]), str(row["subset"])): row for row in rows}

    @property
    def models(self) -> tuple[str, ...]:
        """Networks that have cells, in order."""
        return tuple(dict.fromkeys(c.model for c in self.cells))

    def distinct(self, attribute: str) -> tuple[str, ...]:
        """Values of ``model``, ``decoder``, ``flip`` or ``box`` over the cells, in order."""
        return tuple(dict.fromkeys(str(getattr(c, attribute)) for c in self.cells))

    @cached_property
    def best_of_model(self) -> Mapping[str, CellView]:
        """The cell with the lowest NME over all faces, for each network."""
        means = self.nme.mean(1)
        best: dict[str, CellView] = {}
        for cell in self.cells:
            if cell.model not in best or means[cell.index] < means[best[cell.model].index]:
                best[cell.model] = cell
        return best

    @cached_property
    def baseline(self) -> tuple[int | None, ...]:
        """For each cell the index of the one it is compared with: same network, flip and box, but the plain decoder.

        Plain is ``argmax`` where it was run, else the first decoder. None for a cell that is its own baseline.
        """
        groups: dict[tuple[str, str, str], list[CellView]] = {}
        for cell in self.cells:
            groups.setdefault((cell.model, cell.flip, cell.box), []).append(cell)
        found: list[int | None] = [None] * len(self.cells)
        for group in groups.values():
            plain = next((c for c in group if c.decoder.partition(":")[0] == "argmax"), group[0])
            for cell in group:
                found[cell.index] = None if cell is plain else plain.index
        return tuple(found)
