"""``nmebench run``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from nmebench.errors import InputError

__all__ = ["command"]


def command(
    sweep: Annotated[Path | None, typer.Argument(help="A sweep file (TOML) instead of the options.")] = None,
    data: Annotated[
        str | None, typer.Option(help="wflw:PATH, synthface, wflw-geometry:PATH (`nmebench list datasets`).")
    ] = None,
    model: Annotated[
        list[str] | None, typer.Option(help="A card's path or name, or a registered model; repeatable.")
    ] = None,
    weights: Annotated[
        list[str] | None, typer.Option(help="Weights instead of the card's; one for each --model.")
    ] = None,
    decoder: Annotated[
        list[str] | None, typer.Option(help="A decoder such as dark or dark:kernel=17, or all; repeatable.")
    ] = None,
    flip: Annotated[
        bool | None, typer.Option("--flip/--no-flip", help="The flip test, instead of as the card says.")
    ] = None,
    shift: Annotated[
        bool | None,
        typer.Option("--shift/--no-shift", help="mmpose's one-pixel shift of mirrored maps; with --flip."),
    ] = None,
    test_time: Annotated[
        list[str] | None, typer.Option(help="none, flip, flip+shift; repeatable, all are measured.")
    ] = None,
    box: Annotated[list[str] | None, typer.Option(help="A box rule instead of the card's; repeatable.")] = None,
    box_padding: Annotated[float | None, typer.Option(help="Factor on the box instead of the rule's own.")] = None,
    data_format: Annotated[
        str | None, typer.Option("--format", help="Annotation format, when the files are ambiguous.")
    ] = None,
    normaliser: Annotated[str | None, typer.Option(help="inter-ocular, inter-pupil or box-diagonal.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first faces.")] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Faces a batch; by default what fits 96 MiB.")] = None,
    engine: Annotated[str | None, typer.Option(help="auto, torch, openvino, onnxruntime, cuda.")] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads of the network; the physical cores by default.")
    ] = None,
    pictures: Annotated[bool, typer.Option("--pictures/--no-pictures", help="Keep thumbnails for the report.")] = True,
    keep_crops: Annotated[bool, typer.Option("--keep-crops", help="Keep the crops for the next sweep.")] = False,
    keep_heatmaps: Annotated[
        bool, typer.Option("--keep-heatmaps", help="Keep the outputs (float16) for later decoder sweeps.")
    ] = False,
    cache_budget: Annotated[float | None, typer.Option(help="GiB that either may take.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of whatever is drawn.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a run that the folder holds.")] = False,
    out: Annotated[Path, typer.Option("-o", "--out", help="The run's folder.")] = ...,  # type: ignore[assignment]
) -> int:
    """Sweep networks and decoders over a dataset and store the run."""
    from nmebench.cli.console import progress
    from nmebench.cli.scores_table import print_scores, print_time
    from nmebench.sweep import execute
    from nmebench.sweep.configuration import load, validate

    given = {
        "data": data,
        "format": data_format,
        "decoders": decoder,
        "flip": _flips(flip, shift, test_time),
        "boxes": box,
        "box_padding": box_padding,
        "normaliser": normaliser,
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
    if sweep is not None:
        raw = load(sweep).model_dump(mode="json") | changes
        configuration = validate(raw, where=str(sweep))
    else:
        for option in ("data", "models"):
            if option not in changes:
                raise InputError(
                    f"nothing to run: give --{option.rstrip('s')} (or a sweep file); see `nmebench run --help`"
                )
        configuration = validate(changes, where="command line")
    with progress() as advance:
        run = execute(configuration, out, command=["nmebench", *sys.argv[1:]], overwrite=overwrite, progress=advance)
    print_scores(run)
    print_time(run)
    return 0


def _flips(flip: bool | None, shift: bool | None, test_time: list[str] | None) -> list[str] | None:
    if test_time:
        if flip is not None or shift is not None:
            raise InputError("--test-time and --flip/--shift say the same thing twice; give one of them")
        return list(test_time)
    if flip is None:
        if shift is not None:
            raise InputError("--shift/--no-shift goes with --flip; without a flip test there is nothing to shift")
        return None
    if not flip:
        if shift:
            raise InputError("--shift goes with --flip; without a flip test there is nothing to shift")
        return ["none"]
    return ["flip+shift" if shift else "flip"]


def _models(model: list[str] | None, weights: list[str] | None) -> list[dict[str, str]] | None:
    if not model:
        if weights:
            raise InputError("--weights goes with --model; name the network that they are for")
        return None
    if weights and len(weights) != len(model):
        raise InputError(f"{len(weights)} --weights for {len(model)} --model; give one for each, or none")
    return [{"card": card} | ({"weights": weights[number]} if weights else {}) for number, card in enumerate(model)]
