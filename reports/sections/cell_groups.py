"""A set of cells in words, by network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from nmebench.printable import counted
from nmebench.reports.render.text import display, sentence_list
from nmebench.reports.view import CellView, RunView, short_names

__all__ = ["in_words"]

_NETWORKS: Final = 3
"""Number of networks that the words name."""

_DECODERS: Final = 3
"""Number of decoders up to which the words name them."""


def in_words(view: RunView, cells: Sequence[CellView]) -> str:
    """Name a set of a run's cells: all cells of a network, or their number with the decoders if these are few.

    Such as ``all 18 cells of mobilenetv3 and 4 cells of hrnet-small (dark and dark-udp)``.

    Args:
        view: the run.
        cells: some of its cells.
    """
    if len(cells) == len(view.cells) > 1:
        return f"all {len(cells)} cells"
    short = dict(zip(view.models, short_names(view.models), strict=True))
    models = sorted(dict.fromkeys(cell.model for cell in cells), key=lambda m: -sum(c.model == m for c in cells))
    words = []
    for model in models[:_NETWORKS]:
        of = f" of {display(short[model], 40)}" if len(view.models) > 1 else ""
        words.append(_group(view, [cell for cell in cells if cell.model == model], of))
    rest = [cell for cell in cells if cell.model in models[_NETWORKS:]]
    if rest:
        words.append(f"{counted(len(rest), 'cell')} of {counted(len(models) - _NETWORKS, 'other network')}")
    return sentence_list(words)


def _group(view: RunView, cells: Sequence[CellView], of: str) -> str:
    everything = [cell for cell in view.cells if cell.model == cells[0].model]
    if len(cells) == len(everything) > 1:
        return f"all {len(cells)} cells{of}"
    decoders = list(dict.fromkeys(cell.decoder_label for cell in cells))
    names = f" ({sentence_list([display(d, 40) for d in decoders])})" if len(decoders) <= _DECODERS else ""
    return f"{counted(len(cells), 'cell')}{of}{names}"
