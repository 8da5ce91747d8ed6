"""A run as the report's sections read it: cells with labels and colours, scores and errors as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from nmebench.checks.reported_tables import card_protocol
from nmebench.reports.render.text import display, flip_text
from nmebench.runs.run_record import OTHER_GRID, ModelRecord
from nmebench.runs.run_store import Run
from nmebench.scoring import DivergedCell, diverged_cells, subset_masks

__all__ = ["BEST", "COLOURS", "COMMITTED", "REPORTED", "CellView", "HeadlineCell", "RunView", "short_names"]

COLOURS = 8
"""Number of colours in a theme (``--s0`` to ``--s7`` in ``assets/theme-*.css``); further series repeat them, dashed."""

REPORTED: Final = "reported protocol"
"""Role of the headline cell with the protocol of the network's reported table, or of its card."""

BEST: Final = "lowest NME"
"""Role of the headline cell with the network's lowest NME over all faces."""

COMMITTED: Final = "nmebench, committed"
"""Name of the table of the embedded benchmark: results of an earlier commit of nmebench, not a publication."""

_PARTS = ("model", "decoder", "flip", "box")


def short_names(names: Sequence[str]) -> tuple[str, ...]:
    """Names without the words that all of them begin with.

    Example:
        >>> short_names(["synthface-hrnet-small", "synthface-mobilenetv3"])
        ('hrnet-small', 'mobilenetv3')
        >>> short_names(["net"])
        ('net',)
    """
    if len(names) < 2:
        return tuple(names)
    same = takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False))
    common = "".join(letters[0] for letters in same)
    cut = max(common.rfind("-"), common.rfind("_"), common.rfind("/")) + 1
    return tuple(name[cut:] or name for name in names)


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
    mapping: str = ""
    """``wflw98 → ibug68`` for a network of another scheme than the data set's; the cell is labelled with it."""
    diverged: str = ""
    """``diverged on 8 faces``, or empty. A diverged cell is named and takes part in no rank, tie, scale or shading."""

    @property
    def ranked(self) -> bool:
        """True if the cell takes part in comparisons: it is neither mixed nor diverged."""
        return not self.mixed and not self.diverged

    @property
    def decoder_label(self) -> str:
        """The decoder's spec, labelled for a mixed and for a mapped cell."""
        mapped = f" (mapped {self.mapping})" if self.mapping else ""
        return self.decoder + (OTHER_GRID if self.mixed else "") + mapped

    @property
    def names(self) -> tuple[str, str, str, str]:
        """Network, decoder, flip test and box, printable; a diverged cell's decoder is labelled."""
        decoder = display(self.decoder_label, 80) + (f" ({self.diverged})" if self.diverged else "")
        return (display(self.model, 80), decoder, display(self.flip, 40), display(self.box, 40))

    @property
    def short_label(self) -> str:
        """The parts that distinguish the cell from the run's other cells."""
        return self.label_without(())

    def label_without(self, hidden: tuple[str, ...]) -> str:
        """The parts that distinguish the cell from the run's other cells, except ``hidden`` ones."""
        parts = {"model": display(self.model, 60), "decoder": display(self.decoder_label, 60), "flip": self.flip_text}
        parts["box"] = f"box {display(self.box, 40)}"
        shown = [name for name in self.differing or ("model", "decoder") if name not in hidden]
        return " · ".join(parts[name] for name in shown or ("decoder",))

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
        return flip_text(self.flip)

    @property
    def colour(self) -> int:
        """Number of the theme's colour."""
        return self.series % COLOURS

    @property
    def dashed(self) -> bool:
        """True if the line is dashed because an earlier series has the same colour."""
        return self.series // COLOURS % 2 == 1


@dataclass(frozen=True)
class HeadlineCell:
    """A cell that the page shows first, and why."""

    cell: CellView
    roles: tuple[str, ...]
    """:data:`REPORTED`, :data:`BEST` or both."""
    dash: int
    """Number of the cell's line style in plots whose colour is the network: 0 is solid."""


@dataclass(frozen=True)
class RunView:
    """A run's cells, faces and scores, read once and shared by all sections."""

    run: Run

    @cached_property
    def diverged(self) -> Mapping[str, DivergedCell]:
        """The cells that diverged, by id."""
        return diverged_cells(self.run)

    @cached_property
    def cells(self) -> tuple[CellView, ...]:
        """The cells in the run's order."""
        records = self.run.record.cells
        key = "model" if len({c.model for c in records}) > 1 else "decoder"
        series = list(dict.fromkeys(getattr(c, key) for c in records))
        differing = tuple(part for part in _PARTS if len({getattr(c, part) for c in records}) > 1)
        return tuple(
            CellView(
                index=i,
                id=c.id,
                model=c.model,
                decoder=c.decoder,
                flip=c.flip,
                box=c.box,
                series=series.index(getattr(c, key)),
                differing=differing,
                mixed=c.mixed,
                mapping=c.mapping.label.replace("->", "→") if c.mapping else "",
                diverged=self.diverged[c.id].text if c.id in self.diverged else "",
            )
            for i, c in enumerate(records)
        )

    @property
    def constant(self) -> tuple[tuple[str, str], ...]:
        """The parts that all cells share, with their values: said once and left out of the tables."""
        if not self.cells:
            return ()
        first = self.cells[0]
        texts = {
            "model": ("network", display(first.model, 80)),
            "decoder": ("decoder", display(first.decoder_label, 80)),
            "flip": ("flip test", display(first.flip, 40)),
            "box": ("box", display(first.box, 40)),
        }
        return tuple(texts[part] for part in _PARTS if part not in first.differing)

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
        """For each network the ranked cell with the lowest NME over all faces; another cell only if none is ranked."""
        means = self.nme.mean(1)
        best: dict[str, CellView] = {}
        for cell in sorted(self.cells, key=lambda c: (not c.ranked, bool(c.diverged), means[c.index], c.index)):
            best.setdefault(cell.model, cell)
        return {model: best[model] for model in self.models}

    @cached_property
    def verdict_rows(self) -> tuple[Mapping[str, Any], ...] | None:
        """The rows of the stored verdict; None for a run that was not checked."""
        stored = self.run.read_json("verdict.json")
        rows = stored.get("rows") if isinstance(stored, Mapping) else None
        return tuple(row for row in rows if isinstance(row, Mapping)) if isinstance(rows, list) else None

    @cached_property
    def reported_of_model(self) -> Mapping[str, CellView]:
        """For each network the cell with its reported protocol; absent if none ran.

        That is the first cell that the stored verdict compares with a table other than nmebench's own, else the cell
        with the protocol of the network's card.
        """
        cells = {cell.id: cell for cell in self.cells}
        found: dict[str, CellView] = {}
        for row in self.verdict_rows or ():
            cell = cells.get(str(row.get("cell")))
            if cell is not None and row.get("table") != COMMITTED:
                found.setdefault(cell.model, cell)
        for model in self.run.record.models:
            cell = next((c for c in self.cells if c.model == model.name and _has_card_protocol(model, c)), None)
            if cell is not None:
                found.setdefault(model.name, cell)
        return found

    @cached_property
    def headline(self) -> tuple[HeadlineCell, ...]:
        """Each network's cell with its reported protocol and its best cell; one cell if they are the same."""
        roles: dict[int, list[str]] = {}
        for model in self.models:
            reported = self.reported_of_model.get(model)
            if reported is not None:
                roles.setdefault(reported.index, []).append(REPORTED)
            roles.setdefault(self.best_of_model[model].index, []).append(BEST)
        cells = [self.cells[index] for index in roles]
        of_colour: dict[int, int] = {}
        dashes = []
        for cell in cells:
            dashes.append(of_colour.get(cell.colour, 0))
            of_colour[cell.colour] = dashes[-1] + 1
        return tuple(
            HeadlineCell(cell, tuple(roles[cell.index]), dash) for cell, dash in zip(cells, dashes, strict=True)
        )

    @cached_property
    def baseline(self) -> tuple[int | None, ...]:
        """For each cell the index of the cell with the plain decoder and the same network, flip test and box.

        The plain decoder is ``argmax`` if it ran, else the first decoder. Its own cells have None. So do mixed and
        diverged cells, which are not compared, and all cells of a group whose plain cell diverged.
        """
        groups: dict[tuple[str, str, str], list[CellView]] = {}
        for cell in self.cells:
            if not cell.mixed:
                groups.setdefault((cell.model, cell.flip, cell.box), []).append(cell)
        baseline: list[int | None] = [None] * len(self.cells)
        for group in groups.values():
            plain = next((c for c in group if c.decoder.partition(":")[0] == "argmax"), group[0])
            for cell in group:
                if cell is not plain and cell.ranked and plain.ranked:
                    baseline[cell.index] = plain.index
        return tuple(baseline)


def _has_card_protocol(model: ModelRecord, cell: CellView) -> bool:
    """True if a cell has the decoder, flip test and, where it is known, the box of a network's card.

    No cell has the protocol of a damaged card: `nmebench check` reports the damage.
    """
    try:
        protocol = card_protocol(model)
    except ValidationError:
        return False
    return (protocol.decoder, protocol.flip) == (cell.decoder, cell.flip) and protocol.box in (None, cell.box)
