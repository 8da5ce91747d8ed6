"""``nmebench bench``."""

from __future__ import annotations

from typing import Annotated

import typer

from nmebench.cli.json_output import Json
from nmebench.cli.option_help import ENGINE, MODEL

__all__ = ["command"]


def command(
    network: Annotated[
        str,
        typer.Option(
            "--network",
            "--model",
            help=f"Name of a registered network ({MODEL}), run with random weights.",
        ),
    ] = "hrnetv2-w18",
    engine: Annotated[str, typer.Option(help=f"{ENGINE}.")] = "auto",
    threads: Annotated[
        int | None, typer.Option(min=1, help="Number of threads; by default one per physical core.")
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, max=256, help="Faces per batch.")] = 32,
    as_json: Json = False,
) -> int:
    """Measure the speed of each stage and of this machine, and print stored figures of other projects.

    Examples:
      nmebench bench
      nmebench bench --network hrnetv2-w18 --engine torch --threads 2
    """
    import psutil

    from nmebench import engines, models
    from nmebench.bench import PeerFigure, TimedStage, measure_limits, measure_stages, peer_figures
    from nmebench.cli.console import console, table
    from nmebench.cli.json_output import document, print_json

    models.describe(network)  # refuses an unknown name before anything is measured
    engines.check_spec(engine)
    threads = threads or psutil.cpu_count(logical=False) or 1
    limits = measure_limits(threads)
    machine, figures = peer_figures()
    body = table("milliseconds per face", "stage", "source", "description", "ms")
    measured = measure_stages(network=network, engine=engine, limits=limits, batch=batch_size)
    sources: list[tuple[TimedStage | PeerFigure, str]] = [(one, "nmebench, measured now") for one in measured]
    sources += [(one, "peer, stored") for one in figures]
    if as_json:
        stages = [
            {"stage": one.stage, "source": source, "description": one.what, "ms_per_face": one.ms}
            for one, source in sources
        ]
        machine_now = {"threads": threads, "gflops": limits.gflops, "copy_gbs": limits.copy_gbs}
        print_json(document("bench", stages=stages, this_machine=machine_now, machine_of_the_peers=machine))
        return 0
    for one, source in sources:
        body.add_row(one.stage, source, one.what, f"{one.ms:.3f}")
    out = console()
    out.print(body)
    speed = f"matrix product {limits.gflops:.0f} GFLOP/s, copy {limits.copy_gbs:.1f} GB/s"
    out.print(f"this machine now, {threads} threads: {speed}")
    out.print(
        f"the peers' machine: {machine}; compare ratios only, or measure mmpose on this machine with `nox -s speed`"
    )
    return 0
