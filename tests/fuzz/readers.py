"""The readers of files that a user can give, with valid files that seed the fuzzer and the mutations that fit them."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from nmebench import datasets, decoders, gate, history, models, scoring
from nmebench.check.check_run import check
from nmebench.datasets.formats import FORMATS, detect_format, read_rows
from nmebench.datasets.readers.row_error import RowError
from nmebench.datasets.readers.rows import gather
from nmebench.datasets.verify import verify
from nmebench.engines import model_cache
from nmebench.errors import InputError
from nmebench.fetch import archive, lockfile, sources
from nmebench.gate.baseline import Baseline
from nmebench.geometry import images, scheme
from nmebench.models import card, checkpoint
from nmebench.models.onnx import OnnxNetwork
from nmebench.published import rows as published
from nmebench.runs.run_store import Run
from nmebench.scoring.plausibility import misplaced_notes, rounding_note, suspect_note
from nmebench.scoring.read_predictions import import_predictions
from nmebench.sweep import configuration
from nmebench.sweep.batch_store import BatchStore
from nmebench.sweep.cell_results import CellResults
from nmebench.synthface import cache as synthface_cache
from nmebench.training import log, recipe, state

from containers import (  # isort: skip
    mutate_npy,
    mutate_npz,
    mutate_parquet,
    mutate_picture,
    mutate_pth,
    mutate_safetensors,
    mutate_tar,
    mutate_zip,
)
from mutations import Mutation, mutate_bytes, mutate_json, mutate_lines, mutate_toml  # isort: skip
from onnx_graphs import mutate_onnx, onnx_seeds  # isort: skip
from seeds import (  # isort: skip
    BENCHMARK,
    CELL,
    IMAGES,
    LOCK,
    LOG,
    ORACLE,
    POINTS,
    ROOT,
    SPECS,
    SWEEP,
    annotations,
    checkpoints,
    landmark_archives,
    make_run,
    packed_files,
    pictures,
    points_files,
    predictions,
    small_network,
)

__all__ = ["READERS", "Reader"]


MUTATIONS: Mapping[str, Mutation] = {
    ".txt": mutate_lines,
    ".csv": mutate_lines,
    ".spec": mutate_lines,
    ".json": mutate_json,
    ".jsonl": mutate_lines,
    ".toml": mutate_toml,
    ".npy": mutate_npy,
    ".npz": mutate_npz,
    ".parquet": mutate_parquet,
    ".pth": mutate_pth,
    ".safetensors": mutate_safetensors,
    ".onnx": mutate_onnx,
    ".zip": mutate_zip,
    ".tar": mutate_tar,
    ".gz": mutate_tar,
    **dict.fromkeys((".jpg", ".png", ".bmp", ".webp", ".tif", ".gif", ".jp2"), mutate_picture),
}


@dataclass(frozen=True)
class Reader:
    """A reader, the valid files that seed its cases, and how to call it."""

    seeds: Callable[[], Mapping[str, bytes]]
    """Valid files by name. The name's suffix selects the mutations."""
    call: Callable[[Path, str], object]
    """``call(file, name)`` reads the changed file; ``name`` is that of its seed."""
    decoders_print: bool = False
    """libjpeg, libpng and libtiff may write to standard error: that can't be switched off per file."""

    def mutation(self, name: str) -> Mutation:
        """Return the mutations for a seed."""
        return MUTATIONS.get(Path(name).suffix, mutate_bytes)


def _read_short(file: Path, name: str) -> None:
    """Read rows of two landmarks, short enough for changed rows to stay complete."""
    text = file.read_bytes().decode("utf-8", "surrogateescape")
    formats = [Path(name).stem]
    try:
        formats.append(detect_format(text, "file"))
    except InputError:
        formats.append("")
    for kind in formats:
        if kind in FORMATS:
            rows = list(read_rows(text, "file", kind, 2))
            assert all(str(row).isprintable() for row in rows if isinstance(row, RowError))
            faces = gather(rows, "file", 2)
            assert faces.landmarks.shape == (len(rows), 2, 2)


def _load(kind: str) -> Callable[[Path, str], object]:
    return lambda file, _name: datasets.load(f"{kind}:{file}")


def _verify(file: Path, _name: str) -> None:
    report = verify(file)
    json.loads(report.to_json())
    assert all("\n" not in finding.message for finding in report.findings)


def _read_points_file(file: Path, _name: str) -> None:
    """Read a ``.pts`` file beside a photograph's name, as part of 300-W's folders."""
    root = Path(os.environ["FUZZ_FOLDER"]) / "base" / "300w"
    place = root / "ibug" / "face.pts"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.with_suffix(".jpg").touch()
    shutil.copyfile(file, place)
    dataset = datasets.load(f"300w:{root}")
    assert dataset.landmarks.shape == (1, 68, 2)


def _read_benchmark(file: Path, _name: str) -> None:
    """Read a benchmark of the user's own beside its annotations."""
    folder = Path(os.environ["FUZZ_FOLDER"]) / "base" / "own"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "mine.json").write_text('{"faces": [{"image": "a/b.jpg", "landmarks": [[1, 2], [30, 4]]}]}')
    shutil.copyfile(file, folder / "mine.toml")
    datasets.load(f"benchmark:{folder / 'mine.toml'}").normaliser()


def _history_seeds() -> dict[str, bytes]:
    run = Run.open(_base("run", make_run))
    folder = Path(os.environ["FUZZ_FOLDER"])
    entry = history.entry_of(
        run, repository=history.Repository(folder), commit="ab" * 20, time=1_700_000_000, machine="fuzz"
    )
    return {"abababababab-fuzz.json": entry.text().encode()}


def _read_archive(file: Path, name: str) -> None:
    datasets.load(f"{'wflw-geometry' if name.startswith('geometry') else 'landmarks'}:{file}")


def _read_predictions(file: Path, _name: str) -> None:
    failed: InputError | None = None
    for names in (None, IMAGES, ("a", "b", "c")):
        try:
            found = import_predictions(file, images=names)
        except InputError as error:
            failed = error
            continue
        faces, points = found.landmarks.shape[:2]
        truth = np.random.default_rng(0).uniform(0, 200, (faces, points, 2))
        distance = np.full(faces, 60.0)
        notes = [suspect_note(found.landmarks, truth, distance), rounding_note(found.landmarks, distance)]
        notes += misplaced_notes(found.landmarks, truth, ["a"] * faces, distance, rows=found.rows)
        assert all(note is None or note.isprintable() for note in notes)
    if failed is not None:
        raise failed


def _configurations(folder: str, *names: str) -> Callable[[], Mapping[str, bytes]]:
    return lambda: {
        path.name: path.read_bytes()
        for path in sorted((ROOT / folder).glob("*.toml"))
        if not names or path.stem in names
    }


def _read_card(file: Path, _name: str) -> None:
    found = card.load(file)
    repr(found)


def _build_card(file: Path, _name: str) -> None:
    found = card.load(file)
    if found.architecture in ("oracle", "onnx") and max(found.input.size) < 4096:
        models.build(found)


def _read_spec(file: Path, _name: str) -> None:
    text = file.read_bytes().decode("utf-8", "surrogateescape").replace("\0", "")
    decoder = decoders.from_spec(text)
    assert decoders.from_spec(decoder.spec).spec == decoder.spec
    if all(
        not isinstance(value, int | float) or abs(value) < 1000 for value in decoder.options.values()
    ) and decoder.needs == ("heatmaps",):
        decoder(torch.rand(1, 2, 8, 8, generator=torch.Generator().manual_seed(0)))


def _base(name: str, make: Callable[[Path], object]) -> Path:
    """Return a folder that is made once per process and copied for each case."""
    folder = Path(os.environ["FUZZ_FOLDER"]) / "base" / name
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        make(folder)
    return folder


def _run_seeds() -> dict[str, bytes]:
    folder = _base("run", make_run)
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "lock"
    }


def _changed_run(file: Path, name: str) -> Path:
    base = _base("run", make_run)
    copy = file.parent / "run"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(base, copy)
    shutil.copyfile(file, copy / name)
    return copy


def _each(*calls: Callable[[], object]) -> None:
    """Call everything; raise the first InputError at the end."""
    failed: InputError | None = None
    for call in calls:
        try:
            call()
        except InputError as error:
            failed = failed or error
    if failed is not None:
        raise failed


def _read_run(file: Path, name: str) -> None:
    run = Run.open(_changed_run(file, name))
    _each(
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
    from nmebench.compare import compare
    from nmebench.reports import html

    base = Run.open(_base("run", make_run))
    run = Run.open(_changed_run(file, name))
    _each(
        lambda: check(run),
        lambda: gate.gate(run, gate.make_baseline(base)),
        lambda: gate.make_baseline(run),
        lambda: compare([base, run]),
        lambda: html(run),
        lambda: scoring.score(run, resamples=20),
    )


def _read_baseline(file: Path, _name: str) -> None:
    run = Run.open(_base("run", make_run))
    found = Baseline.read(file)
    _each(*(lambda cell=cell: found.face_nme(cell) for cell in found.cells), lambda: gate.gate(run, found))


def _baseline_seeds() -> dict[str, bytes]:
    file = Path(os.environ["FUZZ_FOLDER"]) / "baseline.json"
    gate.make_baseline(Run.open(_base("run", make_run))).write(file)
    return {"baseline.json": file.read_bytes()}


def _read_picture(file: Path, _name: str) -> None:
    data = file.read_bytes()
    images.lacks_end_marker(data)
    _each(lambda: images.header(data), lambda: images.read(file))


def _read_checkpoint(file: Path, name: str) -> None:
    suffix = Path(name).suffix
    named = file.with_suffix(suffix)
    if named != file:
        file.rename(named)
    try:
        _each(lambda: checkpoint.read(named), lambda: checkpoint.load(small_network(), named))
    finally:
        if named != file:
            named.rename(file)


def _training_state() -> dict[str, bytes]:
    network = small_network()
    optimiser = torch.optim.AdamW(network.parameters())
    for parameter in network.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimiser.step()
    file = Path(os.environ["FUZZ_FOLDER"]) / "state.pt"
    state.save(
        file, recipe="recipe", step=3, module=network, average=state.Average(network, decay=0.9), optimiser=optimiser
    )
    return {"checkpoint.pth": file.read_bytes()}


def _read_training_state(file: Path, _name: str) -> None:
    network = small_network()
    state.load(
        file,
        recipe="recipe",
        module=network,
        average=state.Average(network, decay=0.9),
        optimiser=torch.optim.AdamW(network.parameters()),
        device=torch.device("cpu"),
    )


def _read_onnx(file: Path, name: str) -> None:
    kind = {"kind": "landmarks", "unit": "input-px"} if name.startswith("landmarks") else {}
    network = OnnxNetwork(weights=file, threads=1, **kind)  # type: ignore[arg-type]
    width, height = network.input_size or (8, 8)
    if width * height < 10_000:
        network(torch.zeros(1, 3, height, width))


def _folder_file(folder: str, name: str, read: Callable[[Path], object]) -> Callable[[Path, str], object]:
    """Copy the changed file to ``folder/name`` and call ``read(folder)``."""

    def call(file: Path, _name: str) -> object:
        target = file.parent / folder
        target.mkdir(exist_ok=True)
        shutil.copyfile(file, target / name)
        return read(target)

    return call


def _unpack(file: Path, _name: str) -> None:
    target = file.parent / "unpacked"
    shutil.rmtree(target, ignore_errors=True)
    archive.list_files(file)
    try:
        archive.unpack(file, target, max_bytes=2**22, max_files=500, top="top")
        assert archive.read_origin(target) is not None
    except InputError:
        assert not target.exists()
        raise
    finally:
        left = [path.name for path in file.parent.iterdir() if path.name.startswith(".unpacked")]
        assert not left, left


def _read_lock(folder: Path) -> None:
    found = lockfile.read(folder)
    lockfile.record(folder, "other", lockfile.LockEntry("a", "b" * 64, 1, "by hand"))
    assert lockfile.read(folder).keys() >= found.keys()


def _manifest_seeds() -> dict[str, bytes]:
    from nmebench import synthface

    folder = _base("synthface", lambda path: synthface.make(path, faces=2, seed=0, workers=1))
    return {"synthface.json": (folder / "synthface.json").read_bytes()}


def _read_manifest(file: Path, _name: str) -> None:
    base = Path(os.environ["FUZZ_FOLDER"]) / "base" / "synthface"
    whole = (base / "synthface.json").read_bytes()
    try:
        shutil.copyfile(file, base / "synthface.json")
        fault = synthface_cache.fault_of(base)
        assert fault is None or "\n" not in fault
        datasets.load(f"synthface:{base}")
    finally:
        (base / "synthface.json").write_bytes(whole)


def _converted_seeds() -> dict[str, bytes]:
    os.environ["NMEBENCH_CACHE"] = os.environ["FUZZ_FOLDER"] + "/cache"
    model_cache.write("a" * 64, {"xml": b"<xml/>", "bin": b"1234"})
    return {"entry.bin": (model_cache.folder() / ("a" * 64 + ".network")).read_bytes()}


def _sealed(data: bytes) -> bytes:
    import hashlib

    return hashlib.sha256(data).digest() + data


def _read_converted(file: Path, _name: str) -> None:
    target = model_cache.folder() / ("a" * 64 + ".network")
    data = file.read_bytes()
    for content in (data, _sealed(data[32:])):
        target.write_bytes(content)
        found = model_cache.read("a" * 64)
        assert found is None or all(isinstance(part, bytes | memoryview) for part in found.values())


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
    for content in (data, _sealed(data)[:40], _sealed(data)[:-1]):
        (store.folder / "0.batch").write_bytes(content)
        results = CellResults(store, [np.arange(2)])
        results.counts("cell")
        if not results.missing(0, ["cell"]):
            for _rows, found in results.read(["cell"]):
                assert found["cell"].landmarks.ndim == 3


def _read_log(file: Path, _name: str) -> None:
    log.read(file)
    log.Log(file.with_name("copy.jsonl"))
    shutil.copyfile(file, file.with_name("copy.jsonl"))
    log.Log(file.with_name("copy.jsonl")).cut(1)


READERS: dict[str, Reader] = {
    "annotations-short": Reader(lambda: annotations(2), _read_short),
    "annotations": Reader(lambda: annotations(POINTS), _load("wflw")),
    "points-files": Reader(points_files, _read_points_file),
    "benchmarks": Reader(lambda: {"mine.toml": BENCHMARK}, _read_benchmark),
    "schemes": Reader(_configurations("harness/geometry/schemes"), lambda file, _: scheme.read(file)),
    "history": Reader(_history_seeds, _folder_file("history", "abababababab-fuzz.json", history.read_entries)),
    "annotations-verify": Reader(lambda: annotations(POINTS), _verify),
    "landmark-archives": Reader(landmark_archives, _read_archive),
    "predictions": Reader(predictions, _read_predictions),
    "cards": Reader(_configurations("models/cards"), _read_card),
    "cards-built": Reader(lambda: {"oracle.toml": ORACLE}, _build_card),
    "sweep-files": Reader(lambda: {"sweep.toml": SWEEP}, lambda file, _: configuration.load(file)),
    "decoder-specs": Reader(lambda: {f"{n}.spec": spec for n, spec in enumerate(SPECS)}, _read_spec),
    "runs": Reader(_run_seeds, _read_run),
    "runs-judged": Reader(_run_seeds, _judge_run),
    "baselines": Reader(_baseline_seeds, _read_baseline),
    "images": Reader(pictures, _read_picture, decoders_print=True),
    "checkpoints": Reader(checkpoints, _read_checkpoint),
    "onnx": Reader(lambda: {f"{name}.onnx": data for name, data in onnx_seeds().items()}, _read_onnx),
    "training-recipes": Reader(_configurations("harness/training/recipes"), lambda file, _: recipe.load(file)),
    "training-logs": Reader(lambda: {"log.jsonl": LOG}, _read_log),
    "training-checkpoints": Reader(_training_state, _read_training_state),
    "lock-files": Reader(lambda: {"lock.json": LOCK}, _folder_file("cache", lockfile.LOCK_NAME, _read_lock)),
    "download-lists": Reader(_configurations("harness/fetch"), lambda file, _: sources.load_sources(file)),
    "archives": Reader(packed_files, _unpack),
    "archive-records": Reader(
        lambda: {"marker.json": b'{"archive": "a.zip", "bytes": 1, "files": 1, "packed": 1, "sha256": "0"}'},
        _folder_file("unpacked", archive.MARKER, archive.read_origin),
    ),
    "synthface-manifests": Reader(_manifest_seeds, _read_manifest),
    "converted-networks": Reader(_converted_seeds, _read_converted),
    "stored-batches": Reader(_batch_seeds, _read_batch),
    "published-rows": Reader(_configurations("harness/published"), lambda file, _: published.read(file)),
}
