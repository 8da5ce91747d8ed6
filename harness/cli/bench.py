"""``nmebench bench``."""

from __future__ import annotations

from typing import Annotated

import typer

from nmebench.cli.option_help import ENGINE

__all__ = ["command"]


def command(
    network: Annotated[
        str, typer.Option("--network", "--model", help="Name of a registered network, run with random weights.")
    ] = "hrnetv2-w18",
    engine: Annotated[str, typer.Option(help=f"{ENGINE}.")] = "auto",
    threads: Annotated[
        int | None, typer.Option(min=1, help="Number of threads; by default one per physical core.")
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, max=256, help="Faces per batch.")] = 32,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> int:
    """Measure the speed of each stage and of this machine, and print stored figures of other projects."""
    import psutil

    from nmebench.bench import measure_limits, measure_stages, peer_figures
    from nmebench.cli.console import console, table
    from nmebench.cli.json_output import print_json

    threads = threads or psutil.cpu_count(logical=False) or 1
    limits = measure_limits(threads)
    machine, figures = peer_figures()
    body = table("milliseconds per face", "stage", "source", "description", "ms")
    for stage in measure_stages(network=network, engine=engine, limits=limits, batch=batch_size):
        body.add_row(stage.stage, "nmebench, measured now", stage.what, f"{stage.ms:.3f}")
    for figure in figures:
        body.add_row(figure.stage, "peer, stored", figure.what, f"{figure.ms:.3f}")
    if as_json:
        machine_now = {"threads": threads, "gflops": limits.gflops, "copy_gbs": limits.copy_gbs}
        print_json({"ms per face": body.records(), "this machine": machine_now, "machine of the peers": machine})
        return 0
    out = console()
    out.print(body)
    measured = f"matrix product {limits.gflops:.0f} GFLOP/s, copy {limits.copy_gbs:.1f} GB/s"
    out.print(f"this machine now, {threads} threads: {measured}")
    out.print(
        f"the peers' machine: {machine}; compare ratios only, or measure mmpose on this machine with `nox -s speed`"
    )
    return 0
