"""The README's tables, from committed runs: cog calls these (`nox -s readme`), nobody types a result.

A committed run holds ``run.json`` and ``scores.csv`` alone, without landmarks and pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nmebench.protocol import SUBSETS
from nmebench.runs.run_store import Run

__all__ = ["by_decoder", "by_subset", "provenance_line"]

Row = dict[str, Any]


def _rows(run: Run) -> dict[tuple[str, str, str, str], Row]:
    return {(row["model"], row["decoder"], row["flip"], row["subset"]): row for row in run.score_rows()}


def _nme(row: Row | None) -> str:
    """NME with as many decimals as its interval lets one read."""
    if row is None:
        return "–"
    nme = float(row["nme"])
    if nme >= 1000:  # an unbounded decoder that left the picture: its digits mean nothing
        return f"{nme:.0e}"
    return f"{nme:.4f}" if nme < 0.1 else f"{nme:.3f}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], *, texts: int) -> str:
    """A GitHub table; the first ``texts`` columns are flush left."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * texts + "--:|" * (len(head) - texts)]
    lines.extend("| " + " | ".join(row) + " |" for row in rows)
    return "\n".join(lines)


def by_subset(folder: str, *, decoders: Sequence[str], flip: str, models: Sequence[str] | None = None) -> str:
    """NME (percent) of networks x decoders on every subset, with the 95 % interval of the whole set."""
    run = Run.open(Path(folder))
    scores = _rows(run)
    subsets = [name for name in SUBSETS if name in run.record.dataset.counts]
    chosen = models or [model.name for model in run.record.models if model.name != "oracle"]
    rows = []
    for model in chosen:
        for decoder in decoders:
            whole = scores.get((model, decoder, flip, "test"))
            if whole is None:
                continue
            interval = f" [{whole['nme_low']:.3f}, {whole['nme_high']:.3f}]" if float(whole["nme"]) >= 0.1 else ""
            values = [_nme(scores.get((model, decoder, flip, subset))) for subset in subsets[1:]]
            rows.append([model, decoder, _nme(whole) + interval, *values])
    head = ["network", "decoder", *(f"{name} ({run.record.dataset.counts[name]})" for name in subsets)]
    return _table(head, rows, texts=2)


def by_decoder(folder: str, *, flip: str, floors: str | None = None) -> str:
    """NME (percent, every face) of every decoder: a column a network, and the decoder's floor on perfect maps.

    Args:
        folder: a committed sweep.
        flip: the test-time option.
        floors: another committed run of the oracle, on real geometry, for one more column.
    """
    run = Run.open(Path(folder))
    scores = _rows(run)
    other = Run.open(Path(floors)) if floors else None
    real = {row["decoder"]: row for row in other.score_rows() if row["subset"] == "test"} if other else {}
    networks = [model.name for model in run.record.models if model.name != "oracle"]
    head = ["decoder", *networks]
    if other:
        head.append(f"floor: perfect maps on WFLW's geometry ({other.record.dataset.faces} faces)")
    rows = []
    for decoder in dict.fromkeys(cell.decoder for cell in run.record.cells):
        values = [_nme(scores.get((name, decoder, flip, "test"))) for name in networks]
        rows.append([decoder, *values, *([_nme(real.get(decoder))] if other else [])])
    rows.sort(key=lambda row: [float(value) if value != "–" else 1e9 for value in row[1:2]])
    return _table(head, rows, texts=1)


def provenance_line(folder: str) -> str:
    """What a committed run ran on, in a line."""
    run = Run.open(Path(folder))
    made_with = run.record.provenance
    engines = ", ".join(dict.fromkeys(model.engine for model in run.record.models if model.name != "oracle"))
    versions = ", ".join(
        f"{name} {made_with.packages[name]}" for name in ("torch", "timm") if name in made_with.packages
    )
    return (
        f"{run.record.dataset.describe()} of {run.record.dataset.name}, {len(run.record.cells)} cells, "
        f"{run.record.normaliser} NME in percent; {versions}{', engine ' + engines if engines else ''}; "
        f"scores: [{folder}/scores.csv]({folder}/scores.csv)"
    )
