"""Computes one shard of a sweep."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter

import numpy as np
import torch

from nmebench import engines
from nmebench.datasets.dataset import Dataset
from nmebench.engines import model_cache
from nmebench.errors import InputError
from nmebench.models import Built
from nmebench.runs import provenance
from nmebench.runs.run_record import SourceRecord
from nmebench.runs.run_writer import dataset_record
from nmebench.runs.sweep_folder import folder_names
from nmebench.shards.shard import Shard
from nmebench.shards.shard_folder import ShardFolder, writing_shard
from nmebench.shards.shard_record import ShardCell, ShardNetwork, ShardPart, ShardRecord
from nmebench.sweep.batch_store import BatchStore
from nmebench.sweep.configuration import SweepConfiguration
from nmebench.sweep.execute import Computed, Prepared, Progress, compute, prepare, set_threads
from nmebench.sweep.plan import MAX_KEPT_BYTES, NetworkPlan, Plan
from nmebench.sweep.several import prepare_one

__all__ = ["compute_shard", "faces_sha256"]


def compute_shard(
    configurations: Sequence[SweepConfiguration],
    shard: Shard,
    out: Path,
    *,
    command: Sequence[str] = (),
    overwrite: bool = False,
    progress: Progress | None = None,
) -> ShardFolder:
    """Compute one shard of a sweep and write its folder ``out``.

    The whole sweep is planned and checked as without shards. An interrupted shard resumes. ``shard.json`` is written
    last, so a folder holds a complete shard or none. :func:`nmebench.shards.merge` makes a run of all shards.

    Args:
        configurations: one per data set, which differ in ``data`` only
            (:func:`nmebench.sweep.configuration.validate_several`).
        shard: the number of the shard.
        out: the folder of the shard; it is created, or holds an interrupted one.
        command: the command line; stored in the provenance.
        overwrite: replace a shard in ``out``; its undamaged batches are kept where their inputs haven't changed.
        progress: called after every batch.

    Returns:
        the stored shard.

    Raises:
        InputError: an input can't be used, ``out`` holds something else, or another process writes there.
    """
    with writing_shard(out, shard, overwrite=overwrite) as writer:
        loaded: dict[int, Built] = {}
        plan_one = prepare_one if len(configurations) > 1 else prepare
        prepared = [plan_one(configuration, loaded) for configuration in configurations]
        for built in loaded.values():
            _check_repeatable(built)
        folders = folder_names([one.plan.dataset.name for one in prepared])
        keep = sum(built.bytes for built in loaded.values()) <= MAX_KEPT_BYTES
        parts = []
        for folder, one in zip(folders, prepared, strict=True):
            set_threads(one.plan)
            chosen = shard.batches(one.plan)
            label = f"{folder}: " if len(prepared) > 1 else ""
            started = perf_counter()
            computed = compute(
                one.plan,
                writer.batches,
                _progress_of(one.plan, chosen, label, progress),
                keep_networks=keep and one is not prepared[-1],
                chosen=chosen,
            )
            seconds = one.seconds + perf_counter() - started
            parts.append(_part(folder, one, computed, chosen, writer.batches, seconds))
        return writer.write(
            ShardRecord(
                index=shard.index,
                count=shard.count,
                title=configurations[0].title,
                engine=engines.selected(configurations[0].engine),
                provenance=provenance.collect(
                    command=command,
                    threads=torch.get_num_threads(),
                    deterministic=torch.are_deterministic_algorithms_enabled(),
                    seed=configurations[0].seed,
                    plugins=_sources(prepared),
                ),
                parts=tuple(parts),
            )
        )


def faces_sha256(dataset: Dataset) -> str:
    """Return a hash of the faces of a data set without their photographs: files, images, lines and landmarks.

    Returns:
        64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    content = {
        "files": [(file.name, file.sha256) for file in dataset.files],
        "images": list(dataset.images),
        "lines": [int(line) for line in dataset.lines],
        "scheme": [dataset.scheme.name, dataset.scheme.flip.tolist()],
        "split": dataset.split,
        "subsets": {name: np.flatnonzero(mask).tolist() for name, mask in dataset.subsets.items()},
    }
    digest.update(json.dumps(content, sort_keys=True).encode("utf-8", "surrogateescape"))
    digest.update(np.ascontiguousarray(dataset.landmarks).tobytes())
    return digest.hexdigest()


def _check_repeatable(built: Built) -> None:
    """Refuse a network whose key is another one in each process, so that no two shards would fit together."""
    if built.is_own_code and model_cache.cache_key(built.module) is None:
        raise InputError(
            f"model {built.card.name!r}: the state of its Python object has no hash, so shards of it can't be checked "
            "against each other: run the sweep in one process, without --shard"
        )


def _progress_of(plan: Plan, chosen: Mapping[int, range], label: str, progress: Progress | None) -> Progress | None:
    """The progress that counts the faces of this shard alone."""
    if progress is None:
        return None
    others: dict[str, int] = {}
    for number, network in enumerate(plan.networks):
        faces = sum(len(network.batches[batch]) for batch in chosen.get(number, ()))
        others[f"{network.built.card.name} ({network.box})"] = len(plan.dataset) - faces

    def advance(name: str, done: int, total: int) -> None:
        progress(label + name, done - others.get(name, 0), total - others.get(name, 0))

    return advance


def _sources(prepared: Sequence[Prepared]) -> list[SourceRecord]:
    """The code outside nmebench that the plans use; they share networks and decoders."""
    found = {(source.name, source.sha256): source for one in prepared for source in one.plugins}
    return [found[key] for key in sorted(found, key=lambda pair: (pair[0], pair[1] or ""))]


def _part(
    folder: str, prepared: Prepared, computed: Computed, chosen: Mapping[int, range], work: Path, seconds: float
) -> ShardPart:
    """The record of one data set; it reads the hash of every batch."""
    plan = prepared.plan
    dataset, first = plan.dataset, plan.networks[0]
    boxes = BatchStore.open(work, "boxes", first.crops_key)
    boxes.write(0, {"centre": first.boxes.centre, "size": first.boxes.size})
    thumbnails = plan.configuration.pictures and first.reads_images
    clocks = prepared.clocks
    for of_network in computed.clocks.values():
        clocks.add(of_network)
    return ShardPart(
        folder=folder,
        configuration=plan.configuration.model_dump(mode="json"),
        dataset=dataset_record(dataset),
        faces_sha256=faces_sha256(dataset),
        normaliser=plan.normaliser_name,
        thresholds=plan.configuration.thresholds or dataset.thresholds,
        not_run=list(plan.not_run),
        networks=tuple(
            _network(network, chosen.get(number, range(0)), work, thumbnails=thumbnails and number == 0)
            for number, network in enumerate(plan.networks)
        ),
        models=list(computed.records.values()),
        boxes=_seals(boxes, range(1))[0],
        thumbnails=thumbnails,
        timings={
            "total": round(seconds, 4),
            **clocks.rounded(),
            "models": {name: of_network.rounded() for name, of_network in computed.clocks.items()},
            "cells": computed.cell_seconds,
            "prepared": computed.prepared,
        },
    )


def _network(network: NetworkPlan, batches: range, work: Path, *, thumbnails: bool) -> ShardNetwork:
    return ShardNetwork(
        model=network.built.card.name,
        box=network.box,
        key=network.key,
        crops_key=network.crops_key,
        weights_sha256=network.built.weights_sha256,
        batch_size=network.batch_size,
        batches=len(network.batches),
        input_size=network.built.card.input.size,
        convention=network.built.card.input.convention,
        cells=tuple(ShardCell(key=cell.key, record=cell.record) for cell in network.cells),
        first=batches.start,
        results=_seals(BatchStore.open(work, "results", network.key), batches) if batches else (),
        thumbnails=_seals(BatchStore.open(work, "thumbnails", network.crops_key), batches) if thumbnails else (),
    )


def _seals(store: BatchStore, batches: range) -> tuple[str, ...]:
    """The SHA-256 with which the file of each batch begins."""
    seals = []
    for number in batches:
        sealed = store.read_sealed(number)
        if sealed is None:
            raise InputError(
                f"{store.folder}: batch {number} was removed or damaged during the sweep; run the same command again, "
                "which computes it again"
            )
        seals.append(sealed[:32].hex())
    return tuple(seals)
