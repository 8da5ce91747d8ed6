"""Runs one sweep over several data sets: one run folder per data set, and an index of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from nmebench.errors import InputError
from nmebench.models import Built
from nmebench.runs.run_store import Run
from nmebench.runs.run_writer import writing
from nmebench.runs.sweep_folder import SweepFolder, SweepRecord, SweepRun, folder_names, writing_sweep
from nmebench.source_hash import code_hash
from nmebench.sweep.configuration import SweepConfiguration
from nmebench.sweep.execute import Fill, Prepared, Progress, prepare, run_prepared
from nmebench.sweep.plan import MAX_KEPT_BYTES

__all__ = ["execute_several", "prepare_one"]


def execute_several(
    configurations: Sequence[SweepConfiguration],
    out: Path,
    *,
    command: Sequence[str] = (),
    overwrite: bool = False,
    progress: Progress | None = None,
    fill: Fill | None = None,
) -> SweepFolder:
    """Run the same networks over several data sets.

    All data sets and networks are read and checked before the first network runs. Each network is loaded once where all
    of them fit into 256 MiB. Each data set has an ordinary run folder below ``out``. An interrupted sweep resumes:
    finished runs and finished batches are reused where their inputs haven't changed. ``sweep.json`` is written last.

    Args:
        configurations: one per data set, which differ in ``data`` only
            (:func:`nmebench.sweep.configuration.validate_several`).
        out: the folder of the sweep; it is created, or holds an interrupted one.
        command: the command line; stored in the provenance of each run.
        overwrite: replace a complete sweep of the same data sets in ``out``.
        progress: called after every batch.
        fill: computes the batches elsewhere, see :func:`nmebench.sweep.execute.execute`.

    Returns:
        the stored sweep.

    Raises:
        InputError: an input can't be used, ``out`` holds something else, or another process writes there.
    """
    with writing_sweep(out, overwrite=overwrite) as writer:
        loaded: dict[int, Built] = {}
        prepared = [prepare_one(configuration, loaded) for configuration in configurations]
        folders = folder_names([one.plan.dataset.name for one in prepared])
        writer.begin(folders)
        keep = sum(built.bytes for built in loaded.values()) <= MAX_KEPT_BYTES
        for folder, one in zip(folders, prepared, strict=True):
            key = _key(one)
            if writer.finished(folder, key):
                continue
            with writing(out / folder, overwrite=True) as work:
                run_prepared(
                    one,
                    work,
                    out / folder,
                    command=command,
                    progress=_named(folder, progress),
                    keep_networks=keep and one is not prepared[-1],
                    fill=fill,
                )
            writer.finish(folder, key)
        runs = tuple(
            SweepRun(folder=folder, data=one.plan.dataset.spec, dataset=one.plan.dataset.name)
            for folder, one in zip(folders, prepared, strict=True)
        )
        for folder in folders:
            Run.open(out / folder)  # a finished run may have been damaged since
        return writer.write(SweepRecord(title=configurations[0].title, runs=runs))


def prepare_one(configuration: SweepConfiguration, loaded: dict[int, Built]) -> Prepared:
    """Plan the run of one data set; an error names the data set.

    Args:
        configuration: the sweep on this data set.
        loaded: see :func:`nmebench.sweep.execute.prepare`.

    Raises:
        InputError: an input can't be used.
    """
    try:
        return prepare(configuration, loaded)
    except InputError as error:
        if configuration.data in str(error):
            raise
        raise InputError(f"--data {configuration.data}: {error}") from error


def _key(prepared: Prepared) -> str:
    """A hash of everything that a finished run depends on."""
    plan = prepared.plan
    content = {
        "cells": [[cell.record.id, cell.key] for network in plan.networks for cell in network.cells],
        "configuration": plan.configuration.model_dump(mode="json"),
        "notes": plan.dataset.notes,
        "code": code_hash(),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode("utf-8", "surrogateescape")).hexdigest()


def _named(folder: str, progress: Progress | None) -> Progress | None:
    """The progress of one run, labelled with its folder."""
    if progress is None:
        return None
    return lambda label, done, total: progress(f"{folder}: {label}", done, total)
