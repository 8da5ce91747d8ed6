"""Readers of runs, baselines, histories, published rows and the files of a sweep."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import torch

from nmebench import decoders, gates, history, scoring
from nmebench.checks.check_run import check
from nmebench.gates.baseline import Baseline
from nmebench.published import rows as published
from nmebench.runs.run_store import Run
from nmebench.runs.sweep_folder import SweepFolder
from nmebench.scoring.rescore import rescored
from nmebench.sweep import configuration
from nmebench.sweep.batch_store import BatchStore
from nmebench.sweep.cell_results import CellResults

from seeds import CELL, SPECS, SWEEP, make_run  # isort: skip
from reader import Reader, call_each, configurations, folder_file, once, sealed  # isort: skip

__all__ = ["RUN_READERS"]


def _history_seeds() -> dict[str, bytes]:
    run = Run.open(once("run", make_run))
    folder = Path(os.environ["FUZZ_FOLDER"])
    entry = history.entry_of(
        run, repository=history.Repository(folder), commit="ab" * 20, time=1_700_000_000, machine="fuzz"
    )
    return {"abababababab-fuzz.json": entry.text().encode()}


def _read_spec(file: Path, _name: str) -> None:
    text = file.read_bytes().decode("utf-8", "surrogateescape").replace("\0", "")
    decoder = decoders.from_spec(text)
    assert decoders.from_spec(decoder.spec).spec == decoder.spec
    if all(
        not isinstance(value, int | float) or abs(value) < 1000 for value in decoder.options.values()
    ) and decoder.needs == ("heatmaps",):
        decoder(torch.rand(1, 2, 8, 8, generator=torch.Generator().manual_seed(0)))


def _run_seeds() -> dict[str, bytes]:
    folder = once("run", make_run)
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "lock"
    }


def _changed_run(file: Path, name: str) -> Path:
    base = once("run", make_run)
    copy = file.parent / "run"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(base, copy)
    shutil.copyfile(file, copy / name)
    return copy


def _read_run(file: Path, name: str) -> None:
    run = Run.open(_changed_run(file, name))
    call_each(
        lambda: run.faces.clusters,
        lambda: run.per_face,
        lambda: run.score_rows(),
        lambda: run.thumbnails,
        lambda: run.timings,
        lambda: run.landmarks(CELL),
        lambda: run.confidence(CELL),
        lambda: run.read_json("verdict.json"),
    )


def _judge_run(file: Path, name: str) -> None:
    from nmebench.comparisons import compare
    from nmebench.reports import html

    base = Run.open(once("run", make_run))
    run = Run.open(_changed_run(file, name))
    call_each(
        lambda: check(run),
        lambda: gates.gate(run, gates.make_baseline(base)),
        lambda: gates.make_baseline(run),
        lambda: compare([base, run]),
        lambda: html(run),
        lambda: scoring.score(run, resamples=20),
        lambda: _rescore(run),
    )


def _rescore(run: Run) -> None:
    for normaliser in ("box-size", "inter-pupil"):
        with rescored(run, normaliser=normaliser, thresholds=[8, 2.5]):
            pass


def _read_baseline(file: Path, _name: str) -> None:
    run = Run.open(once("run", make_run))
    found = Baseline.read(file)
    call_each(*(lambda cell=cell: found.face_nme(cell) for cell in found.cells), lambda: gates.gate(run, found))


def _baseline_seeds() -> dict[str, bytes]:
    file = Path(os.environ["FUZZ_FOLDER"]) / "baseline.json"
    gates.make_baseline(Run.open(once("run", make_run))).write(file)
    return {"baseline.json": file.read_bytes()}


def _batch_seeds() -> dict[str, bytes]:
    store = BatchStore.open(Path(os.environ["FUZZ_FOLDER"]), "crops", "k")
    counts = np.asarray(json.dumps({"cell": {"empty": 1}}))
    store.write(
        0,
        {
            "landmarks": np.zeros((1, 2, 3, 2), np.float32),
            "confidence": np.zeros((1, 2, 3), np.float32),
            "cells": counts,
        },
    )
    return {"batch.npz": (store.folder / "0.batch").read_bytes()[32:]}


def _read_batch(file: Path, _name: str) -> None:
    store = BatchStore.open(file.parent, "crops", "k")
    data = file.read_bytes()
    for content in (data, sealed(data)[:40], sealed(data)[:-1]):
        (store.folder / "0.batch").write_bytes(content)
        results = CellResults(store, [np.arange(2)])
        results.counts("cell")
        if not results.missing(0, ["cell"]):
            for _rows, found in results.read(["cell"]):
                assert found["cell"].landmarks.ndim == 3


SWEEP_INDEX = (
    b'{"schema_version": 1, "kind": "nmebench sweep", "title": "t", "runs": '
    b'[{"folder": "wflw", "data": "wflw:a", "dataset": "wflw"}, '
    b'{"folder": "300w", "data": "300w:b", "dataset": "300w"}]}'
)

RUN_READERS: dict[str, Reader] = {
    "history": Reader(_history_seeds, folder_file("history", "abababababab-fuzz.json", history.read_entries)),
    "runs": Reader(_run_seeds, _read_run),
    "runs-judged": Reader(_run_seeds, _judge_run),
    "sweep-folders": Reader(lambda: {"sweep.json": SWEEP_INDEX}, folder_file("sweep", "sweep.json", SweepFolder.open)),
    "baselines": Reader(_baseline_seeds, _read_baseline),
    "stored-batches": Reader(_batch_seeds, _read_batch),
    "published-rows": Reader(configurations("harness/published"), lambda file, _: published.read(file)),
    "sweep-files": Reader(lambda: {"sweep.toml": SWEEP}, lambda file, _: configuration.load(file)),
    "decoder-specs": Reader(lambda: {f"{n}.spec": spec for n, spec in enumerate(SPECS)}, _read_spec),
}
