"""One network on one box rule: crops in, landmarks of every cell out, batch by batch."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
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
from harness.sweep.allocator import give_back_free_memory
from harness.sweep.batch_cache import BatchCache
from harness.sweep.clock import Clock, Clocks
from harness.sweep.feed import batches_of, feed
from harness.sweep.journal import CellJournal
from harness.sweep.plan import Cell, ModelPlan, Plan

__all__ = ["ModelSweep", "Progress", "thumbnail_file"]

#: Called with (what, finished faces, all faces).
Progress = Callable[[str, int, int], None]

#: What the network reads and what it gives for a batch, by ``plain`` and ``mirrored``.
Inputs = Mapping[str, torch.Tensor]
Outputs = Mapping[str, Mapping[str, torch.Tensor]]

#: Waits for a pass that was begun, and gives its outputs.
Pass = Callable[[], Mapping[str, torch.Tensor]]

#: Batches after which free memory is given back: taking it again costs hundredths of a second.
_GIVE_BACK_EVERY = 8

#: Faces of the first batch that plain torch computes as well, which takes it several times as long as an engine: the
#: first and the last, so that parts of a batch that an engine runs apart are both held to it.
_CHECKED = [0, -1]

_THUMBNAIL = 128
_THUMBNAIL_QUALITY = 80


def thumbnail_file(work: Path, model: ModelPlan, batch: int) -> Path:
    """Where a batch's thumbnails lie until the run is whole."""
    return work / f"{model.key[:32]}.thumbnails.{batch}.npz"


def _checked(outputs: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: value[_CHECKED] for name, value in outputs.items()}


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
        clocks: Clocks,
        pool: ThreadPoolExecutor,
        *,
        thumbnails: bool,
    ) -> None:
        self.plan, self.model, self.work = plan, model, work
        self.batches = batches_of(plan.dataset, model.batch_size)
        self.clock, self.workers, self.cells_clock = clocks.stages, clocks.workers, Clock()
        self.thumbnails = thumbnails
        self.pool = pool
        self.card = model.built.card
        self.reads_images = model.built.module.reads == "images"
        faces, points = plan.dataset.landmarks.shape[:2]
        self.journals = [CellJournal(work, cell.key, faces, points).open(self.batches) for cell in model.cells]
        self.permutation = torch.tensor(plan.dataset.scheme.flip, dtype=torch.int64)
        self.engine = (
            engines.create(plan.configuration.engine, model.built.module, threads=torch.get_num_threads())
            if self.reads_images
            else None
        )
        self.mirrored = any(flip != "none" for flip in model.flips)
        self.crops, self.heatmaps = self._caches()
        self.unchecked: int | None = None
        """The batch on which the engine is checked."""
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
            points, passes = self.plan.dataset.scheme.points, 1 + self.mirrored
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
        # The engine is checked on the first batch, whatever is kept.
        self.unchecked = wanted[0] if wanted and not self.facts else None
        with torch.inference_mode():
            for number, outputs in self._begun(wanted):
                self._finish(number, outputs)
                done += len(self.batches[number])
                if progress:
                    progress(label, done, total)
        return list(zip(self.model.cells, self.journals, strict=True))

    def _begun(self, wanted: Sequence[int]) -> Iterator[tuple[int, Callable[[], Outputs]]]:
        """Each batch, and what waits for its outputs; the next one is begun by then.

        So the network computes while the batch before is averaged and decoded.
        """
        needing = [number for number in wanted if number == self.unchecked or self._needs_inputs(number)]
        inputs = self._inputs(needing)
        before: tuple[int, Callable[[], Outputs]] | None = None
        for number in wanted:
            begun = number, self._begin(number, self._next(inputs) if number in needing else None)
            if before is not None:
                yield before
            before = begun
        if before is not None:
            yield before

    def _needs_inputs(self, number: int) -> bool:
        """Whether a batch's crops are needed: its outputs aren't kept, or its thumbnails aren't drawn."""
        if self.thumbnails and not thumbnail_file(self.work, self.model, number).is_file():
            return True
        return self.heatmaps is None or not self.heatmaps.holds(number)

    def _kept(self, number: int) -> dict[str, np.ndarray] | None:
        """The kept outputs of a batch, where they are all there."""
        stored = self.heatmaps.read(number) if self.heatmaps else None
        wanted = {"plain", "mirrored"} if self.mirrored else {"plain"}
        return stored if stored and wanted <= {name.partition(".")[0] for name in stored} else None

    def _inputs(self, wanted: Sequence[int]) -> Iterator[Inputs]:
        """What the network reads of each wanted batch; crops come from worker threads, ahead of their turn."""
        width, height = self.card.input.size
        if self.reads_images:
            crops = feed(
                self.plan.dataset,
                self.model.boxes,
                self.batches,
                wanted,
                input_size=(width, height),
                convention=self.card.input.convention,
                workers=2,
                clock=self.workers,
                finish=self._images,
                cache=self.crops,
            )
            for _, images in crops:
                yield images
            return
        for number in wanted:
            rows = self.batches[number]
            inside = coordinates.image_to_input(
                self.plan.dataset.landmarks[rows],
                input_size=(width, height),
                centre=self.model.boxes.centre[rows],
                size=self.model.boxes.size[rows],
            )
            landmarks = torch.from_numpy(inside)
            yield {"plain": landmarks, "mirrored": flip_test.mirror_landmarks(landmarks, self.permutation, width)}

    def _next(self, inputs: Iterator[Inputs]) -> Inputs:
        with self.clock.wall("wait for crops"):
            return next(inputs)

    def _images(self, number: int, pixels: np.ndarray) -> Inputs:
        """A batch of crops as the network reads it, and mirrored where a cell wants that."""
        if self.thumbnails:
            with self.workers.processor("thumbnails"):
                self._store_thumbnails(number, pixels)
        card = self.card.input
        with self.workers.processor("normalise"):
            images = torch.from_numpy(crop.normalise(pixels, mean=card.mean, std=card.std, colour=card.colour))
            mirrored = {"mirrored": flip_test.mirror_images(images)} if self.mirrored else {}
        return {"plain": images, **mirrored}

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

    def _finish(self, number: int, outputs: Callable[[], Outputs]) -> None:
        """Wait for a batch's outputs, decode and store it."""
        variants = self._variants(outputs())
        with self.clock.wall("decode"):
            self._decode_batch(number, variants)
        del variants
        if (number + 1) % _GIVE_BACK_EVERY == 0:
            give_back_free_memory()

    def _decode_batch(self, number: int, variants: Outputs) -> None:
        """Decode and store a batch: one task for each decoder."""
        todo: dict[str, list[tuple[Cell, CellJournal]]] = {}
        for cell, journal in zip(self.model.cells, self.journals, strict=True):
            if number not in journal:
                todo.setdefault(cell.record.decoder, []).append((cell, journal))
        # The dearest first, so that no core waits for it at the end.
        order = sorted(todo, key=lambda decoder: -self.workers[f"decode {decoder}"])
        tasks = [self.pool.submit(self._decode_cells, number, todo[decoder], variants) for decoder in order]
        for task in tasks:
            task.result()

    def _decode_cells(self, number: int, cells: Sequence[tuple[Cell, CellJournal]], variants: Outputs) -> None:
        """Decode and store a batch for the cells of one decoder.

        A thread of its own for each decoder, one core each: decoders work through many small tensors, for which torch's
        own threads wait on each other more than they compute, above all on a busy machine.
        """
        for cell, journal in cells:
            spent = Clock()
            with spent.processor("decode"), torch.inference_mode():
                landmarks, decoded = self._decode(cell, variants[cell.record.flip], self.batches[number])
                scores = decoded.scores.cpu().numpy()
            with self.workers.processor("store"):
                journal.write(number, self.batches[number], landmarks, scores, decoded.counts)
            self.workers.spend(f"decode {cell.record.decoder}", spent["decode"])
            self.cells_clock.spend(cell.record.id, spent["decode"])

    def _begin(self, number: int, inputs: Inputs | None) -> Callable[[], Outputs]:
        """Begin a batch's passes over the crops (``plain``) and, where a cell wants them, the ``mirrored`` crops.

        What it returns waits for the outputs.
        """
        kept = self._kept(number) if number != self.unchecked else None
        if kept is not None:
            return partial(_unpacked, kept)
        if inputs is None:  # what was kept is damaged, or of another sweep without the flip test
            inputs = self._next(self._inputs([number]))
        plain = None
        if self.engine is not None:
            if number == self.unchecked:
                # Beside the preparation, which keeps one core busy.
                plain = self.pool.submit(engines.plain_outputs, self.model.built.module, inputs["plain"][_CHECKED])
            with self.clock.wall("prepare"):
                self.engine.prepare(inputs["plain"])
        start = self.engine.start if self.engine else partial(partial, self.model.built.module)
        with self.clock.wall("forward"):
            running = {
                which: start(inputs[which]) for which in (("plain", "mirrored") if self.mirrored else ("plain",))
            }
        return partial(self._collect, number, running, plain)

    def _collect(
        self, number: int, running: Mapping[str, Pass], plain: Future[dict[str, torch.Tensor]] | None
    ) -> Outputs:
        """Wait for a batch's passes; check the first of them; keep the outputs where that was asked for."""
        outputs: dict[str, Mapping[str, torch.Tensor]] = {}
        for which, wait in running.items():
            with self.clock.wall("forward"):
                outputs[which] = dict(wait())
            if which == "plain" and number == self.unchecked:
                with self.clock.wall("check"):
                    self._check(outputs["plain"], plain)
        if self.heatmaps is None:
            return outputs
        packed = {
            f"{which}.{name}": value.to(torch.float16).cpu().numpy()
            for which, values in outputs.items()
            for name, value in values.items()
        }
        with self.clock.wall("keep heatmaps"):
            self.heatmaps.write(number, packed)
        return _unpacked(packed)

    def _variants(self, outputs: Outputs) -> Outputs:
        """The outputs that the decoders read, by test-time option."""
        with self.clock.wall("flip"):
            flipped = {
                flip: self.pool.submit(self._averaged, outputs, flip) for flip in self.model.flips if flip != "none"
            }
            return {"none": outputs["plain"], **{flip: task.result() for flip, task in flipped.items()}}

    def _averaged(self, outputs: Outputs, flip: str) -> dict[str, torch.Tensor]:
        with torch.inference_mode():
            back = flip_test.unflip(
                outputs["mirrored"], self.permutation, shift=flip == "flip+shift", width=self.card.input.size[0]
            )
            return flip_test.average(outputs["plain"], back)

    def _check(self, outputs: Mapping[str, torch.Tensor], plain: Future[dict[str, torch.Tensor]] | None) -> None:
        """Once for each network: shape, finiteness, and how far the engine is from plain float32 torch."""
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
            "engine_details": dict(self.engine.details) if self.engine else {},
            "heatmap_size": None if heatmaps is None else [heatmaps.shape[-1], heatmaps.shape[-2]],
            "engine_difference": (
                None
                if self.engine is None or plain is None
                else engines.check_outputs(self.engine, _checked(outputs), plain.result())
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
                convention=cell.record.convention,
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
            engine_details=self.facts.get("engine_details", {}),
            engine_difference=self.facts.get("engine_difference"),
            batch_size=self.model.batch_size,
        )
