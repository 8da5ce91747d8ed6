"""One network on one box rule: crops in, landmarks of every cell out, batch by batch."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import cv2
import numpy as np
import torch

from decoders.interface import Decoded
from harness import coordinates, crop, engines
from harness.errors import InputError
from harness.fetch import cache_path
from harness.store import ModelRecord, write_atomically
from harness.sweep import flip_test
from harness.sweep.batch_cache import BatchCache
from harness.sweep.feed import FeedClock, feed
from harness.sweep.journal import CellJournal
from harness.sweep.plan import Cell, ModelPlan, Plan

__all__ = ["Clock", "ModelSweep", "Progress", "thumbnail_file"]

#: Called with (what, finished faces, all faces).
Progress = Callable[[str, int, int], None]

_THUMBNAIL = 128
_THUMBNAIL_QUALITY = 80


@dataclass
class Clock:
    """Seconds by stage, of the thread that drives the network."""

    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Add the time of a ``with`` block to a stage."""
        started = perf_counter()
        yield
        self.seconds[stage] += perf_counter() - started

    def spend(self, stage: str, seconds: float) -> None:
        """Add seconds that were measured elsewhere."""
        self.seconds[stage] += seconds

    def add(self, other: Clock) -> None:
        """Add another clock's seconds."""
        for stage, seconds in other.seconds.items():
            self.seconds[stage] += seconds

    def rounded(self) -> dict[str, float]:
        """Seconds by stage, sorted, to the tenth of a millisecond."""
        return {stage: round(seconds, 4) for stage, seconds in sorted(self.seconds.items())}


def thumbnail_file(work: Path, model: ModelPlan, batch: int) -> Path:
    """Where a batch's thumbnails lie until the run is whole."""
    return work / f"{model.key[:32]}.thumbnails.{batch}.npz"


def _unpacked(kept: Mapping[str, np.ndarray]) -> dict[str, dict[str, torch.Tensor]]:
    """Kept outputs as float32 tensors, by ``plain`` and ``mirrored``."""
    outputs: dict[str, dict[str, torch.Tensor]] = {}
    for name, value in kept.items():
        which, _, output = name.partition(".")
        outputs.setdefault(which, {})[output] = torch.from_numpy(value).to(torch.float32)
    return outputs


class ModelSweep:
    """One network on one box rule: its engine, its journals, its share of the clock."""

    def __init__(
        self,
        plan: Plan,
        model: ModelPlan,
        work: Path,
        batches: Sequence[np.ndarray],
        clock: Clock,
        feed_clock: FeedClock,
        pool: ThreadPoolExecutor,
        *,
        thumbnails: bool,
    ) -> None:
        self.plan, self.model, self.work, self.batches = plan, model, work, batches
        self.clock, self.feed_clock, self.thumbnails = clock, feed_clock, thumbnails
        self.cells_clock = Clock()
        self.pool = pool
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
        self.crops, self.heatmaps = self._caches()
        self.facts_file = work / f"{model.key[:32]}.facts.json"
        self.facts: dict[str, Any] = (
            json.loads(self.facts_file.read_text(encoding="utf-8")) if self.facts_file.is_file() else {}
        )

    def _caches(self) -> tuple[BatchCache | None, BatchCache | None]:
        configuration, faces = self.plan.configuration, len(self.plan.dataset.images)
        root, budget = cache_path(), int(configuration.cache_budget_gib * 2**30)
        width, height = self.card.input.size
        crops = heatmaps = None
        if configuration.keep_crops and self.reads_images:
            needed = faces * width * height * 3
            crops = BatchCache.open(root, "crops", self.model.crops_key, expected_bytes=needed, budget=budget)
        if configuration.keep_heatmaps and self.reads_images and self.card.output.kind == "heatmaps":
            # At stride 4, twice with the flip test, two bytes a value.
            points, passes = self.plan.dataset.scheme.points, 1 + any(flip != "none" for flip in self.model.flips)
            needed = faces * points * (width // 4) * (height // 4) * 2 * passes
            heatmaps = BatchCache.open(root, "heatmaps", self.model.key, expected_bytes=needed, budget=budget)
        return crops, heatmaps

    def run(self, progress: Progress | None) -> list[tuple[Cell, CellJournal]]:
        """Compute every batch that isn't on disk yet."""
        wanted = [
            number
            for number in range(len(self.batches))
            if any(number not in journal for journal in self.journals)
            or (self.thumbnails and not thumbnail_file(self.work, self.model, number).is_file())
        ]
        total = len(self.plan.dataset.images)
        done = total - sum(len(self.batches[number]) for number in wanted)
        label = f"{self.card.name} ({self.model.box})"
        if progress:
            progress(label, done, total)
        needing = [number for number in wanted if self._needs_inputs(number)]
        if wanted and not self.facts:  # the engine is checked on the first batch, whatever is kept
            needing = sorted({wanted[0], *needing}, key=wanted.index)
        inputs = self._inputs(needing)
        for number in wanted:
            self._batch(number, next(inputs)[1] if number in needing else None)
            done += len(self.batches[number])
            if progress:
                progress(label, done, total)
        return list(zip(self.model.cells, self.journals, strict=True))

    def _needs_inputs(self, number: int) -> bool:
        """Whether a batch's crops are needed: its outputs aren't kept, or its thumbnails aren't drawn."""
        if self.thumbnails and not thumbnail_file(self.work, self.model, number).is_file():
            return True
        return self._kept(number) is None

    def _kept(self, number: int) -> dict[str, np.ndarray] | None:
        """The kept outputs of a batch, where they are all there."""
        stored = self.heatmaps.read(number) if self.heatmaps else None
        wanted = {"plain", "mirrored"} if any(flip != "none" for flip in self.model.flips) else {"plain"}
        return stored if stored and wanted <= {name.partition(".")[0] for name in stored} else None

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
            convention=self.card.input.convention,
            workers=2,
            clock=self.feed_clock,
            cache=self.crops,
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
        file = thumbnail_file(self.work, self.model, number)
        temporary = file.with_suffix(".tmp.npz")
        np.savez(temporary, lengths=[len(e) for e in encoded], bytes=np.concatenate(encoded), size=np.asarray(size))
        temporary.replace(file)

    def _batch(self, number: int, inputs: torch.Tensor | None) -> None:
        with torch.inference_mode():
            outputs = self._outputs(number, inputs)
            variants = self._variants(outputs)
        todo: dict[str, list[tuple[Cell, CellJournal]]] = {}
        for cell, journal in zip(self.model.cells, self.journals, strict=True):
            if number not in journal:
                todo.setdefault(cell.record.decoder, []).append((cell, journal))
        tasks = [self.pool.submit(self._decode_cells, number, cells, variants) for cells in todo.values()]
        for task in tasks:
            for cell, decoding, storing in task.result():
                self.clock.spend(f"decode {cell.record.decoder}", decoding)
                self.cells_clock.spend(cell.record.id, decoding)
                self.clock.spend("store", storing)

    def _decode_cells(
        self,
        number: int,
        cells: Sequence[tuple[Cell, CellJournal]],
        variants: Mapping[str, Mapping[str, torch.Tensor]],
    ) -> list[tuple[Cell, float, float]]:
        """Decode and store a batch for the cells of one decoder; seconds of both by cell.

        A thread of its own for each decoder, one core each: decoders work through many small tensors, for which torch's
        own threads wait on each other more than they compute, above all on a busy machine.
        """
        spent = []
        for cell, journal in cells:
            started = perf_counter()
            with torch.inference_mode():
                landmarks, decoded = self._decode(cell, variants[cell.record.flip], self.batches[number])
                scores = decoded.scores.cpu().numpy()
            decoding = perf_counter()
            journal.write(number, self.batches[number], landmarks, scores, decoded.counts)
            spent.append((cell, decoding - started, perf_counter() - decoding))
        return spent

    def _outputs(self, number: int, inputs: torch.Tensor | None) -> dict[str, dict[str, torch.Tensor]]:
        """The network's outputs for the crops (``plain``) and, where a cell wants them, the ``mirrored`` crops."""
        kept = self._kept(number) if self.facts else None
        if kept is not None:
            return _unpacked(kept)
        if inputs is None:
            raise AssertionError("a batch without kept outputs was given no crops")
        outputs = self._forward(inputs)
        if self.heatmaps is None:
            return outputs
        packed = {
            f"{which}.{name}": value.to(torch.float16).cpu().numpy()
            for which, values in outputs.items()
            for name, value in values.items()
        }
        with self.clock("store"):
            self.heatmaps.write(number, packed)
        return _unpacked(packed)

    def _forward(self, inputs: torch.Tensor) -> dict[str, dict[str, torch.Tensor]]:
        network = self.engine or self.model.built.module
        with self.clock("forward"):
            outputs = {"plain": dict(network(inputs))}
        self._check(inputs, outputs["plain"])
        if any(flip != "none" for flip in self.model.flips):
            with self.clock("flip"):
                mirrored = (
                    flip_test.mirror_images(inputs)
                    if self.reads_images
                    else flip_test.mirror_landmarks(inputs, self.permutation, self.card.input.size[0])
                )
            with self.clock("forward"):
                outputs["mirrored"] = dict(network(mirrored))
        return outputs

    def _variants(self, outputs: Mapping[str, dict[str, torch.Tensor]]) -> dict[str, dict[str, torch.Tensor]]:
        """The outputs that the decoders read, by test-time option."""
        width = self.card.input.size[0]
        variants = {"none": outputs["plain"]}
        for flip in self.model.flips:
            if flip != "none":
                with self.clock("flip"):
                    back = flip_test.unflip(
                        outputs["mirrored"], self.permutation, shift=flip == "flip+shift", width=width
                    )
                    variants[flip] = flip_test.average(outputs["plain"], back)
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
