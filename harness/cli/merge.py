"""``nmebench merge``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from nmebench.cli.json_output import Json, print_json
from nmebench.cli.option_help import DATA

__all__ = ["command"]


def command(
    shards: Annotated[list[Path], typer.Argument(help="Folders that `nmebench run --shard` wrote, in any order.")],
    data: Annotated[
        list[str] | None,
        typer.Option(
            help="Dataset on this machine, such as wflw:PATH, where the shards name another path; one per dataset of "
            f"the sweep ({DATA}). Only its annotations are read."
        ),
    ] = None,
    as_json: Json = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a run in the output folder.")] = False,
    out: Annotated[Path, typer.Option("-o", "--out", help="Output folder of the run.")] = ...,  # type: ignore[assignment]
) -> int:
    """Make the run of a sweep whose shards were computed by separate jobs.

    Every shard must be there. The run has the bytes of one that a single process computes. Networks, weights and
    photographs aren't needed; the dataset's annotations are.

    Examples:
      nmebench merge SHARD_1 SHARD_2 -o RUN
      nmebench merge SHARD_1 SHARD_2 --data wflw:PATH -o RUN
    """
    from nmebench.cli.scores_table import print_scores, print_sweep, print_time, scores_json, sweep_json
    from nmebench.cli.shard_lines import host_note
    from nmebench.runs.run_store import Run
    from nmebench.shards import merge

    command = ["nmebench", *sys.argv[1:]]
    merged = merge(shards, out, data=data or (), command=command, overwrite=overwrite)
    first = merged if isinstance(merged, Run) else next(iter(merged.runs.values()))
    note = host_note(first.record.shards)
    if note is not None:
        sys.stderr.write(f"note: {note}\n")
    if as_json:
        print_json(scores_json(merged) if isinstance(merged, Run) else sweep_json(merged))
    elif isinstance(merged, Run):
        print_scores(merged)
        print_time(merged)
    else:
        print_sweep(merged)
    return 0
