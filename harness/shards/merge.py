"""Merges the shards of a sweep into the run that one process would have written."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any, Literal

import numpy as np

from nmebench import datasets, scoring
from nmebench.boxes import Boxes
from nmebench.datasets.dataset import Dataset
from nmebench.errors import InputError
from nmebench.geometry import Geometry
from nmebench.printable import shown
from nmebench.runs.run_record import ModelRecord, RunRecord, ShardSource
from nmebench.runs.run_store import Run
from nmebench.runs.run_writer import publish, writing
from nmebench.runs.sweep_folder import SweepFolder, SweepRecord, SweepRun, writing_sweep
from nmebench.runs.thumbnail import Thumbnail
from nmebench.shards.compute_shard import faces_sha256
from nmebench.shards.fit import check_fit, check_program
from nmebench.shards.joined_store import ANY, FACES, HeldBatch, JoinedStore
from nmebench.shards.shard_folder import BATCHES, ShardFolder
from nmebench.shards.shard_record import ShardPart
from nmebench.sweep import thumbnails
from nmebench.sweep.batches import batches_of
from nmebench.sweep.cell_results import CellResults
from nmebench.sweep.store_run import FinishedNetwork, store_run

__all__ = ["merge"]


def merge(
    paths: Iterable[Path | str],
    out: Path,
    *,
    data: Sequence[str] = (),
    command: Sequence[str] = (),
    overwrite: bool = False,
) -> Run | SweepFolder:
    """Write the run of a sweep whose shards were computed separately.

    The files have the bytes of the run that one process would have written, except ``timings.json`` and, in
    ``run.json``, ``provenance.command``, ``provenance.host`` and ``shards``. Networks, weights, engines and photographs
    are not needed; the annotations of the data set are.

    Args:
        paths: the folders of all shards, in any order.
        out: the run folder, or the folder of a sweep over several data sets.
        data: the data sets as they are named on this machine, in the order of the sweep; by default as the shards name
            them.
        command: the command line; stored in the provenance.
        overwrite: replace a complete run in ``out``.

    Returns:
        the stored run, or the stored sweep over several data sets.

    Raises:
        InputError: the shards don't fit together, one is missing or damaged, the annotations are others, or ``out``
            can't be written.
    """
    shards = check_fit([ShardFolder.open(path) for path in _different(paths)])
    check_program(shards[0])
    parts = shards[0].record.parts
    specs = list(data) or [_own_spec(part) for part in parts]
    if len(specs) != len(parts):
        raise InputError(f"{len(specs)} --data for {len(parts)} data sets of the shards; give one for each, or none")
    if len(parts) == 1:
        with writing(out, overwrite=overwrite) as work:
            return _merge_part(shards, 0, specs[0], work, out, command)
    with writing_sweep(out, overwrite=overwrite) as writer:
        writer.begin([part.folder for part in parts])
        for number, part in enumerate(parts):
            with writing(out / part.folder, overwrite=True) as work:
                _merge_part(shards, number, specs[number], work, out / part.folder, command)
        runs = tuple(SweepRun(folder=part.folder, data=part.dataset.spec, dataset=part.dataset.name) for part in parts)
        return writer.write(SweepRecord(title=shards[0].record.title, runs=runs))


def _different(paths: Iterable[Path | str]) -> list[Path]:
    """The paths; refuses none at all, and a folder that is given twice."""
    found: dict[Path, Path] = {}
    for path in map(Path, paths):
        resolved = path.resolve()
        if resolved in found:
            raise InputError(f"{shown(path)}: is given twice; give each shard once")
        found[resolved] = path
    if not found:
        raise InputError("no shards to merge; give the folders that `nmebench run --shard` wrote")
    return list(found.values())


def _own_spec(part: ShardPart) -> str:
    """The data set as the shard names it. A shard's file alone may not choose code that runs here."""
    spec = str(part.configuration.get("data"))
    if spec.startswith("python:"):
        raise InputError(
            f"the shards have faces of the function {shown(spec)!r}, which runs code: name it with "
            f"--data {shown(spec)} to run it here"
        )
    return spec


def _merge_part(
    shards: Sequence[ShardFolder], number: int, spec: str, work: Path, out: Path, command: Sequence[str]
) -> Run:
    """Write the run of one data set."""
    started = perf_counter()
    first, parts = shards[0].record, [shard.record.parts[number] for shard in shards]
    part = parts[0]
    dataset = _load(part, spec)
    finished = [_finished(shards, number, position, dataset) for position in range(len(part.networks))]
    boxes = _boxes(shards[0], part, len(dataset))
    record = RunRecord(
        kind="sweep",
        title=first.title,
        configuration=part.configuration,
        normaliser=part.normaliser,
        thresholds=part.thresholds,
        dataset=part.dataset,
        models=_models(parts),
        cells=[],
        provenance=first.provenance.model_copy(update={"command": list(command)}),
        shards=[
            ShardSource(
                index=shard.record.index,
                count=shard.record.count,
                sha256=shard.sha256,
                command=shard.record.provenance.command,
                host=shard.record.provenance.host,
            )
            for shard in shards
        ],
        not_run=part.not_run,
    )
    staging = work / "run"
    normaliser = dataset.normaliser(part.normaliser)
    run = store_run(staging, record, finished, dataset, normaliser, boxes, _pictures(shards, number, dataset, boxes))
    scoring.score(run)
    run.write_json("timings.json", _timings(parts, len(dataset), perf_counter() - started))
    return publish(staging, out)


def _load(part: ShardPart, spec: str) -> Dataset:
    """Load the faces; the record of the shards is theirs, with the notes on photographs."""
    configuration = part.configuration
    dataset = datasets.load(
        spec,
        format=configuration.get("format"),
        limit=configuration.get("limit"),
        scheme=configuration.get("scheme"),
    )
    for ours, theirs in zip(dataset.files, part.dataset.files, strict=False):
        if ours.sha256 != theirs.sha256:
            raise InputError(
                f"{spec}: {shown(ours.name)} has the hash {ours.sha256[:12]}, but the shards were computed with "
                f"{theirs.sha256[:12]}; give the same annotations with --data"
            )
    found = faces_sha256(dataset)
    if found != part.faces_sha256:
        raise InputError(
            f"{spec}: the faces have the hash {found[:12]}, but those of the shards have {part.faces_sha256[:12]}; "
            "give the same annotations with --data"
        )
    return replace(dataset, notes=tuple(part.dataset.notes), spec=part.dataset.spec)


def _finished(shards: Sequence[ShardFolder], number: int, position: int, dataset: Dataset) -> FinishedNetwork:
    """The results of one network, which reads every batch once to check it."""
    network = shards[0].record.parts[number].networks[position]
    points = dataset.scheme.points
    batches = batches_of(dataset, network.batch_size)
    if len(batches) != network.batches:
        raise InputError(f"{network.label}: {network.batches} batches in the shards, but {len(batches)} of these faces")
    shapes = {"landmarks": (ANY, FACES, points, 2), "confidence": (ANY, FACES, points), "cells": (ANY,)}
    store = _joined(shards, number, position, "results", batches, shapes)
    results = CellResults(store, batches)
    cells = {cell.key: cell.record for cell in network.cells}
    for batch in range(len(batches)):
        missing = results.missing(batch, cells)
        if missing:
            raise store.held[batch].damaged(f"has no result of the cell {cells[min(missing)].id}")
    return FinishedNetwork(results, cells)


def _joined(
    shards: Sequence[ShardFolder],
    number: int,
    position: int,
    kind: Literal["results", "thumbnails"],
    batches: Sequence[np.ndarray],
    shapes: Mapping[str, tuple[int, ...]],
) -> JoinedStore:
    """The results or thumbnails of one network in all shards."""
    held: dict[int, HeldBatch] = {}
    for shard in shards:
        network = shard.record.parts[number].networks[position]
        key, seals = (network.key, network.results) if kind == "results" else (network.crops_key, network.thumbnails)
        for batch, seal in enumerate(seals, network.first):
            file = shard.batches / kind / key[:32] / f"{batch}.batch"
            held[batch] = HeldBatch(shard, file, seal, len(batches[batch]) if batch < len(batches) else 0)
    return JoinedStore(shards[0].path / BATCHES / kind, held, shapes)


def _boxes(shard: ShardFolder, part: ShardPart, faces: int) -> Boxes:
    """The boxes of the first network, as the shard stored them."""
    key = part.networks[0].crops_key[:32]
    held = HeldBatch(shard, shard.batches / "boxes" / key / "0.batch", part.boxes, faces)
    store = JoinedStore(shard.batches / "boxes", {0: held}, {"centre": (FACES, 2), "size": (FACES, 2)})
    stored = store.read(0)
    return Boxes(part.networks[0].box, "", 1.0, centre=stored["centre"], size=stored["size"], sampling="affine")


def _pictures(shards: Sequence[ShardFolder], number: int, dataset: Dataset, boxes: Boxes) -> Iterator[Thumbnail] | None:
    """The thumbnail of every face; None where the sweep stores none."""
    part = shards[0].record.parts[number]
    if not part.thumbnails:
        return None
    network = part.networks[0]
    shapes = {"bytes": (ANY,), "lengths": (FACES,), "size": (2,)}
    batches = batches_of(dataset, network.batch_size)
    store = _joined(shards, number, 0, "thumbnails", batches, shapes)
    absent = next((batch for batch in range(len(batches)) if batch not in store.held), None)
    if absent is not None:
        raise InputError(
            f"no shard holds the thumbnails of batch {absent} of {network.label}; compute the shards again"
        )
    geometry = Geometry(boxes.centre, boxes.size, network.input_size, crop=network.convention, grid="half-pixel")
    return thumbnails.read_all(store, batches, geometry)


def _models(parts: Sequence[ShardPart]) -> list[ModelRecord]:
    """The record of each network from the shard that ran its first batch, as one process stores it."""
    records: dict[str, ModelRecord] = {}
    for position, network in enumerate(parts[0].networks):
        if network.model in records:
            continue
        holder = next(part for part in parts if part.networks[position].first == 0 and part.networks[position].results)
        found = next((model for model in holder.models if model.name == network.model), None)
        if found is None:
            raise InputError(f"no shard has the record of the network {shown(network.model)}; compute the shards again")
        records[network.model] = found
    return list(records.values())


def _timings(parts: Sequence[ShardPart], faces: int, seconds: float) -> dict[str, Any]:
    """``timings.json``: the sums over the shards, and the time of the merge as a stage."""
    total = _summed([dict(part.timings) for part in parts])
    total["stages"] = {**total.get("stages", {}), "merge": round(seconds, 4)}
    return {**total, "faces": faces, "total": round(float(total.get("total", 0.0)) + seconds, 4)}


def _summed(values: Sequence[Any]) -> Any:
    """Add up numbers in nested dictionaries; of texts the first one stays."""
    if all(isinstance(value, int | float) for value in values):
        return round(sum(values), 4)
    if not all(isinstance(value, dict) for value in values):
        return values[0]
    by_key: defaultdict[str, list[Any]] = defaultdict(list)
    for value in values:
        for name, item in value.items():
            by_key[name].append(item)
    return {name: _summed(items) for name, items in by_key.items()}
