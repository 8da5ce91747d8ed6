"""The README's tables, made from committed runs: cog calls these functions (`nox -s readme`).

A committed run has only ``run.json`` and ``scores.csv``, without landmarks and pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nmebench.protocol import SUBSETS
from nmebench.reports.render import markdown
from nmebench.reports.render.text import DASH
from nmebench.runs.run_record import OTHER_GRID
from nmebench.runs.run_store import Run

__all__ = ["by_decoder", "by_subset", "provenance_line"]

_ORACLE = "oracle"
"""The model that makes heatmaps from the ground truth; it is not listed among the networks."""


def by_subset(folder: str, *, decoders: Sequence[str], flip: str, models: Sequence[str] | None = None) -> str:
    """NME, percent, of networks x decoders on every subset, with the 95 % interval for ``test``.

    Args:
        folder: a committed run.
        decoders: rows of each network; a decoder that did not run is left out.
        flip: the flip test.
        models: networks; by default all of the run's except the oracle.

    Returns:
        A GitHub table.

    Raises:
        InputError: a file of the run is missing or damaged.
    """
    run = Run.open(Path(folder))
    scores = _scores(run)
    labels = _labels(run)
    subsets = [name for name in SUBSETS if name in run.record.dataset.counts]
    rows = []
    for model in models or _networks(run):
        for decoder in decoders:
            test = scores.get((model, decoder, flip, "test"))
            if test is None:
                continue
            interval = f" [{test['nme_low']:.3f}, {test['nme_high']:.3f}]" if float(test["nme"]) >= 0.1 else ""
            values = [_nme(scores.get((model, decoder, flip, subset))) for subset in subsets[1:]]
            rows.append([model, labels[decoder], _nme(test) + interval, *values])
    head = ["network", "decoder", *(f"{name} ({run.record.dataset.counts[name]})" for name in subsets)]
    return markdown.table(head, rows, text_columns=2)


def by_decoder(folder: str, *, flip: str, floors: str | None = None) -> str:
    """NME over all faces, percent, of every decoder: one column per network, best decoder of the first network first.

    Presets that decoded maps of another grid come last, labelled: they are not ranked among the others.

    Args:
        folder: a committed run.
        flip: the flip test.
        floors: a committed run of the oracle on real geometry; it adds a column with each decoder's floor on perfect
            heatmaps.

    Returns:
        A GitHub table.

    Raises:
        InputError: a file of a run is missing or damaged.
    """
    run = Run.open(Path(folder))
    scores = _scores(run)
    floor_run = Run.open(Path(floors)) if floors else None
    floor = {row["decoder"]: row for row in floor_run.score_rows() if row["subset"] == "test"} if floor_run else {}
    networks, labels = _networks(run), _labels(run)
    head = ["decoder", *networks]
    if floor_run:
        head.append(f"floor: perfect maps on WFLW's geometry ({floor_run.record.dataset.faces} faces)")
    rows = []
    for decoder in dict.fromkeys(cell.decoder for cell in run.record.cells):
        values = [_nme(scores.get((name, decoder, flip, "test"))) for name in networks]
        rows.append([labels[decoder], *values, *([_nme(floor.get(decoder))] if floor_run else [])])
    rows.sort(key=lambda row: (row[0].endswith(OTHER_GRID), float(row[1]) if row[1] != DASH else 1e9))
    return markdown.table(head, rows, text_columns=1)


def provenance_line(folder: str) -> str:
    """One line on the data, the versions and the engine of a committed run, with a link to its scores.

    Raises:
        InputError: a file of the run is missing or damaged.
    """
    run = Run.open(Path(folder))
    packages = run.record.provenance.packages
    engines = ", ".join(dict.fromkeys(model.engine for model in run.record.models if model.name != _ORACLE))
    versions = ", ".join(f"{name} {packages[name]}" for name in ("torch", "timm") if name in packages)
    return (
        f"{run.record.dataset.describe()} of {run.record.dataset.name}, {len(run.record.cells)} cells, "
        f"{run.record.normaliser} NME in percent; {versions}{', engine ' + engines if engines else ''}; "
        f"scores: [{folder}/scores.csv]({folder}/scores.csv)"
    )


def _labels(run: Run) -> dict[str, str]:
    """Each decoder's label: its spec, and that of the other grid if one of its cells is mixed."""
    labels = {cell.decoder: cell.decoder for cell in run.record.cells}
    return labels | {cell.decoder: cell.decoder_label for cell in run.record.cells if cell.mixed}


def _networks(run: Run) -> list[str]:
    return [model.name for model in run.record.models if model.name != _ORACLE]


def _scores(run: Run) -> dict[tuple[str, str, str, str], dict[str, Any]]:
    return {(row["model"], row["decoder"], row["flip"], row["subset"]): row for row in run.score_rows()}


def _nme(row: dict[str, Any] | None) -> str:
    """NME with three decimals, four below 0.1 %, and none from 1000 %, which only a diverged decoder reaches."""
    if row is None:
        return DASH
    nme = float(row["nme"])
    if nme >= 1000:
        return f"{nme:.0e}"
    return f"{nme:.4f}" if nme < 0.1 else f"{nme:.3f}"
