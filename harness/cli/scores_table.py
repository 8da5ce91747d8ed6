"""The scores of a run as a table on the terminal."""

from __future__ import annotations

from nmebench.cli.console import console, table
from nmebench.protocol import SUBSETS
from nmebench.runs.run_store import Run

__all__ = ["print_scores", "print_time"]


def print_scores(run: Run) -> None:
    """NME by cell and subset (percent), FR and AUC of the whole, and where the run lies."""
    record = run.record
    subsets = [name for name in SUBSETS if name in record.dataset.counts]
    head = ("model", "decoder", "flip", "box", *subsets, "FR@10", "AUC@10")
    title = f"{record.dataset.name}: {record.dataset.describe()}, NME in percent ({record.normaliser})"
    scores = {(row["cell"], row["subset"]): row for row in run.score_rows()}
    body = table(title, *head)
    for cell in record.cells:
        whole = scores[cell.id, "test"]
        body.add_row(
            cell.model,
            cell.decoder,
            cell.flip,
            cell.box,
            *(f"{scores[cell.id, name]['nme']:.3f}" if (cell.id, name) in scores else "-" for name in subsets),
            f"{whole['fr10']:.3f} ({int(whole['fr10_count'])})",
            f"{whole['auc10']:.4f}",
        )
    out = console()
    out.print(body)
    for note in record.dataset.notes:
        out.print(f"note: {note}")
    for sentence in record.not_run:
        out.print(f"not run: {sentence}")
    out.print(f"run: {run.path}")


def print_time(run: Run) -> None:
    """Where this process's time went, in one line: the stages that took a hundredth of it or more."""
    timings = run.timings
    total, faces = float(timings["total"]), int(timings["faces"])
    shares = sorted(((seconds / total, stage) for stage, seconds in timings["stages"].items()), reverse=True)
    named = ", ".join(f"{stage} {100 * share:.0f} %" for share, stage in shares if share >= 0.01)
    console().print(f"time: {total:.1f} s, {1e3 * total / faces:.1f} ms a face: {named}")
