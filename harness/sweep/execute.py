"""Run a plan: one forward a face (two with the flip test) for all decoders, batches kept on disk, then the scores."""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import cv2
import numpy as np
import psutil
import torch

from decoders.interface import Decoded
from harness import coordinates, crop, engines, provenance, scoring
from harness.errors import InputError
from harness.run_folder import dataset_record, publish, writing
from harness.store import FaceTable, ModelRecord, Run, RunRecord, Thumbnail, write_atomically
from harness.sweep import flip_test
from harness.sweep.configuration import SweepConfiguration
from harness.sweep.feed import FeedClock, batches_of, feed
from harness.sweep.journal import CellJournal
from harness.sweep.plan import Cell, ModelPlan, Plan, make

__all__ = ["Progress", "execute"]

#: Called with (what, finished faces, all faces).
Progress = Callable[[str, int, int], None]

_THUMBNAIL = 128
_THUMBNAIL_QUALITY = 80


@dataclass
class _Clock:
    """Seconds by stage, of the thread that drives the network."""

    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        started = perf_counter()
        yield
        self.seconds[stage] += perf_counter() - started


def execute(
    configuration: SweepConfiguration,
    out: Path,
    *,
    command: Sequence[str] = (),
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Run:
    """Sweep and write the run folder ``out``.

    A folder that an interrupted sweep left is gone on with: what it had finished and nothing has touched since is kept.
    ``run.json`` is written last, so a folder either holds a whole run or none.

    Raises:
        InputError: something asked for can't be used, ``out`` holds another run, or another process writes there.
    """
    with writing(out, overwrite=overwrite) as work:
        plan = make(configuration)
        torch.set_num_threads(configuration.threads or psutil.cpu_count(logical=False) or 1)
        return _execute(plan, out, work, command, progress)


def _execute(plan: Plan, out: Path, work: Path, command: Sequence[str], progress: Progress | None) -> Run:
    clock, feed_clock = _Clock(), FeedClock()
    started = perf_counter()
    batches = batches_of(plan.dataset, plan.configuration.batch_size)
    records: dict[str, ModelRecord] = {}
    finished: list[tuple[Cell, CellJournal]] = []
    for number, model in enumerate(plan.models):
        pictures = plan.configuration.pictures and number == 0 and model.built.module.reads == "images"
        worker = _ModelSweep(plan, model, work, batches, clock, feed_clock, thumbnails=pictures)
        finished.extend(worker.run(progress))
        records.setdefault(model.built.card.name, worker.record())
    with clock("store"):
        staging = work / "run"
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir()
        for cell, journal in finished:
            Run.write_cell(staging, cell.record.id, *journal.read())
        dataset = plan.dataset
        record = RunRecord(
            kind="sweep",
            title=plan.configuration.title,
            configuration=plan.configuration.model_dump(mode="json"),
            normaliser=plan.normaliser_name,
            dataset=dataset_record(dataset),
            models=list(records.values()),
            cells=[cell.record.model_copy(update={"counts": journal.counts()}) for cell, journal in finished],
            provenance=provenance.collect(
                command=command,
                threads=torch.get_num_threads(),
                deterministic=torch.are_deterministic_algorithms_enabled(),
                seed=plan.configuration.seed,
            ),
            not_run=list(plan.not_run),
        )
        first = plan.models[0].boxes
        run = Run.create(
            staging,
            record,
            FaceTable(
                image=dataset.images,
                line=dataset.lines,
                landmarks=dataset.landmarks,
                normaliser=plan.normaliser,
                subsets=dataset.subsets,
                centre=first.centre,
                size=first.size,
            ),
            thumbnails=_thumbnails(work, plan, batches),
        )
    with clock("score"):
        scoring.score(run)
    seconds = {stage: round(value, 4) for stage, value in sorted(clock.seconds.items())}
    run.write_json(
        "timings.json",
        {
            "faces": len(plan.dataset.images),
            "total": round(perf_counter() - started, 4),
            "stages": seconds,
            "workers": {"read": round(feed_clock.read, 4), "crop": round(feed_clock.crop, 4)},
        },
    )
    return publish(staging, out)


def _thumbnails(work: Path, plan: Plan, batches: Sequence[np.ndarray]) -> list[Thumbnail] | None:
    model = plan.models[0]
    if not (plan.configuration.pictures and model.built.module.reads == "images"):
        return None
    thumbnails: list[Thumbnail | None] = [None] * len(plan.dataset.images)
    for number, rows in enumerate(batches):
        with np.load(_thumbnail_file(work, model, number), allow_pickle=False) as stored:
            ends = np.cumsum(stored["lengths"])
            for row, end, length in zip(rows, ends, stored["lengths"], strict=True):
                jpeg = stored["bytes"][end - length : end].tobytes()
                width, height = (int(v) for v in stored["size"])
                scale = np.asarray([width, height]) / model.boxes.size[row]
                shift = np.asarray([width, height]) / 2 - model.boxes.centre[row] * scale
                warp = np.asarray([[scale[0], 0.0, shift[0]], [0.0, scale[1], shift[1]]])
                thumbnails[row] = Thumbnail(jpeg, (width, height), warp)
    return [thumbnail for thumbnail in thumbnails if thumbnail is not None]


def _thumbnail_file(work: Path, model: ModelPlan, batch: int) -> Path:
    return work / f"{model.key[:32]}.thumbnails.{batch}.npz"


class _ModelSweep:
    """One network on one box rule: its engine, its journals, its share of the clock."""

    def __init__(
        self,
        plan: Plan,
        model: ModelPlan,
        work: Path,
        batches: Sequence[np.ndarray],
        clock: _Clock,
        feed_clock: FeedClock,
        *,
        thumbnails: bool,
    ) -> None:
        self.plan, self.model, self.work, self.batches = plan, model, work, batches
        self.clock, self.feed_clock, self.thumbnails = clock, feed_clock, thumbnails
        self.card = model.built.card
        self.reads_images = model.built.module.reads == "images"
        faces, points = plan.dataset.landmarks.shape[:2]
        self.journals = [CellJournal(work, cell.key, faces, points).open(batches) for cell in model.cells]
        self.permutation = torch.tensor(plan.dataset.scheme.flip, dtype=torch.int64)
        self.engine = (
            engines.create(plan.configuration.engine, model.built.module, threads=torch.get_num_threads())
            if self.reads_images
            else None
        )
        self.facts_file = work / f"{model.key[:32]}.facts.json"
        self.facts: dict[str, Any] = (
            json.loads(self.facts_file.read_text(encoding="utf-8")) if self.facts_file.is_file() else {}
        )

    def run(self, progress: Progress | None) -> list[tuple[Cell, CellJournal]]:
        """Compute every batch that isn't on disk yet."""
        wanted = [
            number
            for number in range(len(self.batches))
            if any(number not in journal for journal in self.journals)
            or (self.thumbnails and not _thumbnail_file(self.work, self.model, number).is_file())
        ]
        total = len(self.plan.dataset.images)
        done = total - sum(len(self.batches[number]) for number in wanted)
        label = f"{self.card.name} ({self.model.box})"
        if progress:
            progress(label, done, total)
        for number, inputs in self._inputs(wanted):
            self._batch(number, inputs)
            done += len(self.batches[number])
            if progress:
                progress(label, done, total)
        return list(zip(self.model.cells, self.journals, strict=True))

    def _inputs(self, wanted: Sequence[int]) -> Iterator[tuple[int, torch.Tensor]]:
        width, height = self.card.input.size
        if not self.reads_images:
            for number in wanted:
                rows = self.batches[number]
                inside = coordinates.image_to_input(
                    self.plan.dataset.landmarks[rows],
                    input_size=(width, height),
                    centre=self.model.boxes.centre[rows],
                    size=self.model.boxes.size[rows],
                )
                yield number, torch.from_numpy(inside)
            return
        crops = feed(
            self.plan.dataset,
            self.model.boxes,
            self.batches,
            wanted,
            input_size=(width, height),
            workers=2,
            clock=self.feed_clock,
        )
        while True:
            with self.clock("wait for crops"):
                item = next(crops, None)
            if item is None:
                return
            number, pixels = item
            with self.clock("normalise"):
                if self.thumbnails:
                    self._store_thumbnails(number, pixels)
                images = crop.normalise(
                    pixels, mean=self.card.input.mean, std=self.card.input.std, colour=self.card.input.colour
                )
            yield number, torch.from_numpy(images)

    def _store_thumbnails(self, number: int, pixels: np.ndarray) -> None:
        height, width = pixels.shape[1:3]
        scale = min(1.0, _THUMBNAIL / max(width, height))
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        encoded = []
        for face in pixels:
            small = cv2.resize(face, size, interpolation=cv2.INTER_AREA)
            encoded.append(cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, _THUMBNAIL_QUALITY])[1].ravel())
        file = _thumbnail_file(self.work, self.model, number)
        temporary = file.with_suffix(".tmp.npz")
        np.savez(temporary, lengths=[len(e) for e in encoded], bytes=np.concatenate(encoded), size=np.asarray(size))
        temporary.replace(file)

    def _batch(self, number: int, inputs: torch.Tensor) -> None:
        with torch.inference_mode():
            variants = self._forward(inputs)
            for cell, journal in zip(self.model.cells, self.journals, strict=True):
                if number in journal:
                    continue
                with self.clock(f"decode {cell.record.decoder}"):
                    landmarks, decoded = self._decode(cell, variants[cell.record.flip], self.batches[number])
                with self.clock("store"):
                    journal.write(number, self.batches[number], landmarks, decoded.scores.cpu().numpy(), decoded.counts)

    def _forward(self, inputs: torch.Tensor) -> Mapping[str, Mapping[str, torch.Tensor]]:
        """The outputs by test-time option; the mirrored crops run only when an option asks for them."""
        width = self.card.input.size[0]
        network = self.engine or self.model.built.module
        with self.clock("forward"):
            plain = network(inputs)
        self._check(inputs, plain)
        variants: dict[str, Mapping[str, torch.Tensor]] = {"none": plain}
        mirrored_wanted = [flip for flip in self.model.flips if flip != "none"]
        if mirrored_wanted:
            with self.clock("forward"):
                mirrored = network(
                    flip_test.mirror_images(inputs)
                    if self.reads_images
                    else flip_test.mirror_landmarks(inputs, self.permutation, width)
                )
            for flip in mirrored_wanted:
                with self.clock("flip"):
                    back = flip_test.unflip(mirrored, self.permutation, shift=flip == "flip+shift", width=width)
                    variants[flip] = flip_test.average(plain, back)
        return variants

    def _check(self, inputs: torch.Tensor, outputs: Mapping[str, torch.Tensor]) -> None:
        """Once for each network: shape, finiteness, and how far the engine is from plain float32 torch."""
        if self.facts:
            return
        for name, value in outputs.items():
            if not bool(torch.isfinite(value).all()):
                raise InputError(
                    f"model {self.card.name!r}: its output {name!r} has values that aren't finite on the first batch; "
                    "the weights or the normalisation in the card are wrong"
                )
        points = self.plan.dataset.scheme.points
        for name in ("heatmaps", "landmarks"):
            if name in outputs and outputs[name].shape[1] != points:
                raise InputError(
                    f"model {self.card.name!r}: gives {outputs[name].shape[1]} landmarks, but {self.plan.dataset.spec} "
                    f"has {points} ({self.plan.dataset.scheme.name}); use a network of that scheme"
                )
        heatmaps = outputs.get("heatmaps")
        self.facts = {
            "heatmap_size": None if heatmaps is None else [heatmaps.shape[-1], heatmaps.shape[-2]],
            "engine_difference": (
                engines.check_engine(self.engine, self.model.built.module, inputs) if self.engine is not None else None
            ),
        }
        write_atomically(self.facts_file, json.dumps(self.facts))

    def _decode(self, cell: Cell, outputs: Mapping[str, torch.Tensor], rows: np.ndarray) -> tuple[np.ndarray, Decoded]:
        """Landmarks ``[B, K, 2]`` image px, and what the decoder said."""
        centre, size = self.model.boxes.centre[rows], self.model.boxes.size[rows]
        input_size = self.card.input.size
        if cell.decoder is None:
            landmarks = outputs["landmarks"]
            decoded = Decoded(landmarks, torch.ones(landmarks.shape[:2]), {})
            image = coordinates.input_to_image(
                landmarks.double().cpu().numpy(), input_size=input_size, centre=centre, size=size
            )
            return image, decoded
        decoded = cell.decoder(outputs)
        return (
            coordinates.to_image(
                decoded.landmarks.double().cpu().numpy(),
                convention=cell.decoder.convention,
                heatmap_size=tuple(self.facts["heatmap_size"] or input_size),
                input_size=input_size,
                centre=centre,
                size=size,
            ),
            decoded,
        )

    def record(self) -> ModelRecord:
        """What the run keeps of the network."""
        built = self.model.built
        heatmap_size = self.facts.get("heatmap_size")
        return ModelRecord(
            name=self.card.name,
            architecture=self.card.architecture,
            card=self.card.model_dump(mode="json"),
            card_file=self.card.path.name if self.card.path else None,
            weights_sha256=built.weights_sha256,
            weights_name=built.weights.name if built.weights else None,
            parameters=sum(parameter.numel() for parameter in built.module.parameters()) or None,
            renamed=sum(built.renamed.values()),
            input_size=self.card.input.size,
            heatmap_size=None if heatmap_size is None else (heatmap_size[0], heatmap_size[1]),
            engine=self.engine.name if self.engine else "none (ground truth)",
            engine_details=dict(self.engine.details) if self.engine else {},
            engine_difference=self.facts.get("engine_difference"),
        )
