"""``nmebench run``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nmebench.cli.json_output import Json, print_json
from nmebench.cli.option_help import BOX, ENGINE, FORMAT, MODEL, NORMALISER, SCHEME, THRESHOLD
from nmebench.errors import InputError
from nmebench.protocol import FLIPS

if TYPE_CHECKING:
    from nmebench.sweep.configuration import SweepConfiguration
    from nmebench.sweep.execute import Fill

__all__ = ["command"]


def command(
    sweep: Annotated[
        Path | None, typer.Argument(help="Sweep file (TOML); options on the command line replace its values.")
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option(
            help="Dataset: wflw:PATH, 300w:PATH, synthface (see `nmebench list datasets`); repeatable, and the output "
            "folder then holds a run per dataset."
        ),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(help=f"Path or name of a model card, or name of a registered network ({MODEL}); repeatable."),
    ] = None,
    weights: Annotated[
        list[str] | None,
        typer.Option(
            help="Weights file instead of the card's; one per --model. A pattern in quotes ('ck/epoch_*.pth') measures "
            "each file."
        ),
    ] = None,
    decoder: Annotated[
        list[str] | None,
        typer.Option(help="Decoder such as dark or dark:kernel=17, or all (`nmebench list decoders`); repeatable."),
    ] = None,
    flip: Annotated[
        bool | None, typer.Option("--flip/--no-flip", help="Flip test on or off; by default from the model card.")
    ] = None,
    shift: Annotated[
        bool | None,
        typer.Option("--shift/--no-shift", help="With --flip: shift the mirrored heatmaps by one px, as mmpose does."),
    ] = None,
    test_time: Annotated[list[str] | None, typer.Option(help=f"Flip test: {', '.join(FLIPS)}; repeatable.")] = None,
    box: Annotated[list[str] | None, typer.Option(help=f"Box rule instead of the card's ({BOX}); repeatable.")] = None,
    box_padding: Annotated[
        float | None, typer.Option(help="Padding factor of the box instead of the box rule's default.")
    ] = None,
    data_format: Annotated[str | None, typer.Option("--format", help=FORMAT)] = None,
    scheme: Annotated[str | None, typer.Option(help=SCHEME)] = None,
    normaliser: Annotated[str | None, typer.Option(help=NORMALISER)] = None,
    threshold: Annotated[list[float] | None, typer.Option(help=THRESHOLD)] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Use only the first N faces.")] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Faces per batch; by default as many as fit 96 MiB, on a GPU 512.")
    ] = None,
    engine: Annotated[str | None, typer.Option(help=f"{ENGINE}; auto by default.")] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads for the network; by default one per physical core.")
    ] = None,
    pictures: Annotated[bool, typer.Option("--pictures/--no-pictures", help="Store thumbnails for the report.")] = True,
    keep_crops: Annotated[
        bool, typer.Option("--keep-crops", help="Keep the crops in the cache for later sweeps.")
    ] = False,
    keep_heatmaps: Annotated[
        bool,
        typer.Option("--keep-heatmaps", help="Keep the network's outputs (float16) in the cache for later sweeps."),
    ] = False,
    cache_budget: Annotated[
        float | None, typer.Option(help="Size limit of the kept crops, and of the kept outputs, GiB.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Random seed.")] = None,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBER/COUNT",
            help="Compute one of COUNT equal parts, such as 2/8, in a job of its own; `nmebench merge` makes the run "
            "of all parts.",
        ),
    ] = None,
    workers: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBER|gpu",
            help="Compute in this many processes on this machine, which share its cores, or with gpu in one per GPU; "
            "the run has the same bytes as without.",
        ),
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Compute on a running Dask cluster, tcp://HOST:8786.")
    ] = None,
    cluster: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Compute in jobs of a queueing system, which the file (TOML) names: slurm, pbs, sge, lsf, htcondor, "
            "moab or oar.",
        ),
    ] = None,
    range_timeout: Annotated[
        float | None,
        typer.Option(min=1, metavar="SECONDS", help="Restart a worker whose range takes longer; 600 by default."),
    ] = None,
    as_json: Json = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a run or shard in the output folder.")
    ] = False,
    out: Annotated[Path, typer.Option("-o", "--out", help="Output folder of the run.")] = ...,  # type: ignore[assignment]
) -> int:
    """Measure networks and decoders on one or several datasets and store the runs.

    Examples:
      nmebench run --data wflw:PATH --model mmpose-hrnetv2-w18-dark -o RUN
      nmebench run --data wflw:PATH --model card.toml --decoder all --no-flip -o RUN
      nmebench run --data wflw:PATH --data 300w:PATH --model card.toml --limit 100 -o SWEEP
      nmebench run sweep.toml --engine torch -o RUN
    """
    from nmebench.cli.workers import distributed

    given = {
        "data": data or None,
        "format": data_format,
        "scheme": scheme,
        "decoders": decoder,
        "flip": _flips(flip, shift, test_time),
        "boxes": box,
        "box_padding": box_padding,
        "normaliser": normaliser,
        "thresholds": threshold or None,
        "limit": limit,
        "batch_size": batch_size,
        "engine": engine,
        "threads": threads,
        "seed": seed,
        "models": _models(model, weights),
    }
    changes = {key: value for key, value in given.items() if value is not None}
    if cache_budget is not None:
        changes["cache_budget_gib"] = cache_budget
    for field, wanted in (("keep_crops", keep_crops), ("keep_heatmaps", keep_heatmaps)):
        if wanted:
            changes[field] = True
    if not pictures:
        changes["pictures"] = False
    if shard is not None and (workers is not None or scheduler is not None or cluster is not None):
        raise InputError(
            "--shard computes its part in this process; leave out --workers, --scheduler and --cluster, or --shard"
        )
    # Workers start first, so that they load while this process imports and plans.
    with distributed(workers, scheduler, cluster, range_timeout) as fill:
        configurations = _configurations(sweep, changes, weights)
        if shard is not None:
            return _run_shard(configurations, shard, out, overwrite=overwrite, as_json=as_json)
        return _run(configurations, out, overwrite=overwrite, as_json=as_json, fill=fill)


def _configurations(sweep: Path | None, changes: dict[str, Any], weights: list[str] | None) -> list[SweepConfiguration]:
    """Return the sweeps of a sweep file and the command line, one for each data set."""
    from nmebench.sweep.checkpoint_series import SUFFIXES
    from nmebench.sweep.configuration import load, validate_several

    if sweep is not None and weights and sweep.name.endswith(SUFFIXES):
        raise InputError(f"{sweep} is no sweep file; put a pattern of --weights in quotes: --weights 'ck/epoch_*.pth'")
    if sweep is not None:
        stored = load(sweep)
        raw = stored[0].model_dump(mode="json") | {"data": [one.data for one in stored]} | changes
        return validate_several(raw, where=str(sweep))
    for option in ("data", "models"):
        if option not in changes:
            raise InputError(
                f"nothing to run: give --{option.rstrip('s')} (or a sweep file); see `nmebench run --help`"
            )
    return validate_several(changes, where="command line")


def _run_shard(
    configurations: list[SweepConfiguration], shard: str, out: Path, *, overwrite: bool, as_json: bool
) -> int:
    """Compute a shard and print what it holds."""
    from nmebench.cli.console import progress
    from nmebench.cli.shard_lines import print_shard, shard_json
    from nmebench.shards import Shard, compute_shard

    command = ["nmebench", *sys.argv[1:]]
    with progress() as advance:
        part = compute_shard(
            configurations, Shard.parse(shard), out, command=command, overwrite=overwrite, progress=advance
        )
    if as_json:
        print_json(shard_json(part))
    else:
        print_shard(part)
    return 0


def _run(
    configurations: list[SweepConfiguration], out: Path, *, overwrite: bool, as_json: bool, fill: Fill | None
) -> int:
    """Run the sweeps and print their scores."""
    from nmebench.cli.console import progress
    from nmebench.cli.scores_table import print_scores, print_sweep, print_time, scores_json, sweep_json
    from nmebench.sweep import execute, execute_several

    command = ["nmebench", *sys.argv[1:]]
    if len(configurations) > 1:
        with progress() as advance:
            folder = execute_several(
                configurations, out, command=command, overwrite=overwrite, progress=advance, fill=fill
            )
        if as_json:
            print_json(sweep_json(folder))
        else:
            print_sweep(folder)
        return 0
    with progress() as advance:
        run = execute(configurations[0], out, command=command, overwrite=overwrite, progress=advance, fill=fill)
    if as_json:
        print_json(scores_json(run))
        return 0
    print_scores(run)
    print_time(run)
    return 0


def _flips(flip: bool | None, shift: bool | None, test_time: list[str] | None) -> list[str] | None:
    if test_time:
        if flip is not None or shift is not None:
            raise InputError("--test-time and --flip/--shift set the same option twice; give one of them")
        return list(test_time)
    if flip is None:
        if shift is not None:
            raise InputError("--shift/--no-shift needs --flip; without a flip test there is nothing to shift")
        return None
    if not flip:
        if shift:
            raise InputError("--shift needs --flip; without a flip test there is nothing to shift")
        return ["none"]
    return ["flip+shift" if shift else "flip"]


def _models(model: list[str] | None, weights: list[str] | None) -> list[dict[str, str]] | None:
    if not model:
        if weights:
            raise InputError("--weights needs --model; name the network that they belong to")
        return None
    if weights and len(weights) != len(model):
        raise InputError(f"{len(weights)} --weights for {len(model)} --model; give one for each, or none")
    return [{"card": card} | ({"weights": weights[number]} if weights else {}) for number, card in enumerate(model)]
