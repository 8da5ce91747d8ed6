"""Forward passes of one network over the batches of a sweep, one batch ahead of the decoders."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field

from nmebench import engines
from nmebench.errors import InputError
from nmebench.files import write_atomically
from nmebench.geometry import crop
from nmebench.models.output_adapter import output_notes
from nmebench.paths import cache_folder
from nmebench.stages import announce
from nmebench.sweep import flip_test, preflight, thumbnails
from nmebench.sweep.batch_store import BatchStore, check_budget
from nmebench.sweep.clock import Clocks
from nmebench.sweep.crop_loader import CropLoader
from nmebench.sweep.plan import NetworkPlan, Plan

__all__ = ["FirstBatch", "Forward", "Outputs"]

#: The network's input, by ``plain`` and ``mirrored``.
Inputs = Mapping[str, torch.Tensor]

#: The network's named outputs, by ``plain`` and ``mirrored``.
Outputs = Mapping[str, Mapping[str, torch.Tensor]]

#: Waits for a running pass and returns its outputs.
RunningPass = Callable[[], Mapping[str, torch.Tensor]]

#: Faces of the first batch that plain torch computes as well. It takes several times as long as an engine, so only the
#: first and the last face are compared: an engine may run the parts of a batch separately.
_CHECKED_FACES = [0, -1]


class FirstBatch(BaseModel):
    """Facts about the network and its engine from the first batch. A resumed sweep reads them from the work folder."""

    model_config = ConfigDict(frozen=True)

    engine: str = ""
    """Name of the engine; empty for ground truth."""
    engine_details: dict[str, Any] = Field(default_factory=dict)
    """Versions, threads and changes to the network, as the engine reports them."""
    heatmap_size: tuple[int, int] | None = None
    """Width, height in heatmap px; None for a network that outputs landmarks."""
    engine_difference: float | None = None
    """Largest absolute difference to plain float32 torch; None for ground truth."""
    notes: tuple[str, ...] = ()
    """Remarks about the card and the outputs (:attr:`nmebench.models.Built.notes`)."""


class Forward:
    """Runs one network on one box rule: loads its crops, starts its passes and checks the first batch."""

    def __init__(
        self,
        plan: Plan,
        network: NetworkPlan,
        work: Path,
        clocks: Clocks,
        pool: ThreadPoolExecutor,
        thumbnail_store: BatchStore | None,
    ) -> None:
        """Open the stores of kept crops and heatmaps; the engine is created for the first batch.

        Args:
            plan: the sweep.
            network: the network to run.
            work: the run's work folder.
            clocks: the clocks of this network.
            pool: the decoders' threads; they also compute the reference of the first batch.
            thumbnail_store: where thumbnails of the crops are stored; None draws none.

        Raises:
            InputError: kept crops or heatmaps would exceed the cache budget.
        """
        self.plan, self.network = plan, network
        self.card = network.built.card
        self.clock, self.workers, self.pool = clocks.stages, clocks.workers, pool
        self.thumbnail_store = thumbnail_store
        self.permutation = torch.tensor(network.scheme.flip, dtype=torch.int64)
        self.passes = ("plain",) if set(network.flips) == {"none"} else ("plain", "mirrored")
        self.engine: engines.Engine | None = None
        self.kept_outputs: BatchStore | None = None
        kept_crops = None
        if network.reads_images:
            configuration = plan.configuration
            kept_crops = self._open_kept_crops() if configuration.keep_crops else None
            if configuration.keep_heatmaps and self.card.output.kind == "heatmaps":
                self.kept_outputs = self._open_kept_outputs()
        self.crop_loader = CropLoader(
            plan.dataset,
            network.geometry,
            network.boxes.sampling,
            network.batches,
            self.workers,
            kept_crops,
            **_loading_threads(plan.configuration.engine),
        )
        self._first_batch_file = work / f"{network.key[:32]}.first-batch.json"
        self.first_batch: FirstBatch | None = None
        if self._first_batch_file.is_file():
            self.first_batch = FirstBatch.model_validate_json(self._first_batch_file.read_bytes())

    def _open_kept_crops(self) -> BatchStore:
        width, height = self.card.input.size
        check_budget("crops", len(self.plan.dataset) * width * height * 3, self._budget)
        return BatchStore.open(cache_folder(), "crops", self.network.crops_key)

    def _open_kept_outputs(self) -> BatchStore:
        width, height = self.card.input.size
        values_per_face = self.network.scheme.points * (width // 4) * (height // 4)  # at stride 4
        bytes_of_all = len(self.plan.dataset) * values_per_face * 2 * len(self.passes)
        check_budget("heatmaps", bytes_of_all, self._budget)
        return BatchStore.open(cache_folder(), "heatmaps", self.network.key)

    @property
    def _budget(self) -> int:
        return int(self.plan.configuration.cache_budget_gib * 2**30)

    def run(self, numbers: Sequence[int]) -> Iterator[tuple[int, Callable[[], Outputs]]]:
        """Yield ``(batch, wait)`` for each of ``numbers`` while the next batch is already running.

        ``wait()`` returns the batch's outputs. The first of ``numbers`` is checked against plain torch unless an
        earlier process did that.

        Raises:
            InputError: the engine isn't available, a photograph can't be read, or the network's outputs are wrong;
                ``wait`` raises it too.
        """
        if numbers and self.network.reads_images and self.engine is None:
            self._create_engine()
        unchecked = numbers[0] if numbers and self.first_batch is None else None
        loading = {number for number in numbers if number == unchecked or self._needs_crops(number)}
        inputs = self._inputs([number for number in numbers if number in loading])
        previous: tuple[int, Callable[[], Outputs]] | None = None
        for number in numbers:
            loaded = self._next(inputs) if number in loading else None
            started = number, self._start(number, loaded, check=number == unchecked)
            if previous is not None:
                yield previous
            previous = started
        if previous is not None:
            yield previous

    def _create_engine(self) -> None:
        """Create the engine. A sweep whose batches are all stored needs none, so its machine may lack the GPU."""
        spec = self.plan.configuration.engine
        announce(f"preparing the engine {spec} for {self.card.name}")
        with preflight.engine_errors(self.card.name, spec):
            self.engine = engines.create(spec, self.network.built.module, threads=torch.get_num_threads())

    @property
    def engine_name(self) -> str:
        """The name of the engine that ran the first batch, or would run it."""
        if not self.network.reads_images:
            return "none (ground truth)"
        if self.engine is None and not (self.first_batch and self.first_batch.engine):
            self._create_engine()
        return self.engine.name if self.engine is not None else self.first_batch.engine  # type: ignore[union-attr]

    def needs_thumbnails(self, number: int) -> bool:
        """Return True if thumbnails are requested and those of this batch aren't stored yet."""
        return self.thumbnail_store is not None and self.thumbnail_store.read(number) is None

    def _needs_crops(self, number: int) -> bool:
        """Return True if the outputs of the batch aren't kept or its thumbnails aren't stored yet."""
        return self.kept_outputs is None or number not in self.kept_outputs or self.needs_thumbnails(number)

    def _inputs(self, numbers: Sequence[int]) -> Iterator[Inputs]:
        """Yield the network's input for each batch: images, or landmarks for ground truth."""
        if self.network.reads_images:
            for _, images in self.crop_loader.load(numbers, self._normalise):
                yield images
            return
        for number in numbers:
            rows = self.network.batches[number]
            geometry = self.network.geometry.take(rows)
            landmarks = geometry.image_to_input(self.plan.dataset.landmarks[rows])
            mirrored = geometry.mirror(landmarks, self.plan.dataset.scheme.flip)
            yield {"plain": torch.from_numpy(landmarks), "mirrored": torch.from_numpy(mirrored)}

    def _normalise(self, number: int, crops: np.ndarray) -> Inputs:
        """Return a batch of crops as the network's input, and mirrored where a cell needs it; draw the thumbnails."""
        if self.thumbnail_store is not None:
            with self.workers.processor("thumbnails"):
                self.thumbnail_store.write(number, thumbnails.encode(crops))
        card = self.card.input
        with self.workers.processor("normalise"):
            images = torch.from_numpy(crop.normalise(crops, mean=card.mean, std=card.std, colour=card.colour))
            mirrored = {"mirrored": flip_test.mirror_images(images)} if "mirrored" in self.passes else {}
        return {"plain": images, **mirrored}

    def _next(self, inputs: Iterator[Inputs]) -> Inputs:
        with self.clock.wall("wait for crops"):
            return next(inputs)

    def _start(self, number: int, inputs: Inputs | None, *, check: bool) -> Callable[[], Outputs]:
        """Start the passes of a batch and return the function that waits for their outputs."""
        kept = None if check else self._read_kept(number)
        if kept is not None:
            return partial(_unpack, kept)
        if inputs is None:  # the kept outputs are damaged, or of a sweep without the flip test
            inputs = self._next(self._inputs([number]))
        checked: dict[str, Mapping[str, torch.Tensor]] = {}
        if check:
            checked["plain"] = self._check_plain(number, inputs["plain"])
        elif self.engine is not None:
            with self.clock.wall("prepare"), self._engine_errors():
                self.engine.prepare(inputs["plain"])
        start = self.engine.start if self.engine else partial(partial, self.network.built.module)
        with self.clock.wall("forward"), self._engine_errors():
            running = {name: start(inputs[name]) for name in self.passes if name not in checked}
        return partial(self._wait, number, checked, running)

    def _check_plain(self, number: int, inputs: torch.Tensor) -> Mapping[str, torch.Tensor]:
        """Return the outputs of the first batch's plain pass after checking them.

        No other pass starts before, because a network from the engine's cache that fails the check is prepared again.
        """
        if self.engine is None:
            with self.clock.wall("forward"):
                outputs = dict(self.network.built.module(inputs))
            self._check(number, outputs, None)
            return outputs
        # In another thread, because preparing the engine occupies one core only.
        reference = self.pool.submit(engines.plain_outputs, self.network.built.module, inputs[_CHECKED_FACES])
        with self.clock.wall("prepare"), self._engine_errors():
            self.engine.prepare(inputs)
        with self.clock.wall("forward"), self._engine_errors():
            outputs, difference = engines.checked_outputs(self.engine, inputs, reference.result, _CHECKED_FACES)
        self._check(number, outputs, difference)
        return outputs

    def _engine_errors(self) -> preflight.engine_errors:
        name = self.engine.name if self.engine is not None else "none"
        return preflight.engine_errors(self.card.name, name, self.engine)

    def _wait(
        self, number: int, checked: Mapping[str, Mapping[str, torch.Tensor]], running: Mapping[str, RunningPass]
    ) -> Outputs:
        """Wait for the passes of a batch, and keep their outputs where requested."""
        outputs = dict(checked)
        for name, wait in running.items():
            with self.clock.wall("forward"), self._engine_errors():
                outputs[name] = dict(wait())
                if self.engine is not None:
                    engines.check_batch(self.engine, outputs[name], len(self.network.batches[number]))
        if self.kept_outputs is None:
            return outputs
        packed = _pack(outputs)
        with self.clock.wall("keep heatmaps"):
            self.kept_outputs.write(number, packed)
        return _unpack(packed)

    def _read_kept(self, number: int) -> dict[str, np.ndarray] | None:
        """Return the kept outputs of a batch, or None where one of the passes is missing."""
        kept = self.kept_outputs.read(number) if self.kept_outputs else None
        return kept if kept and set(self.passes) <= {name.partition(".")[0] for name in kept} else None

    def _check(self, number: int, outputs: Mapping[str, torch.Tensor], difference: float | None) -> None:
        """Check shape and finiteness of the first batch's outputs, and store the :class:`FirstBatch`."""
        faces = len(self.network.batches[number])
        preflight.check_outputs(self.network.built, self.plan.dataset, outputs, faces, scheme=self.network.scheme)
        self._check_split(outputs)
        heatmaps = outputs.get("heatmaps")
        self.first_batch = FirstBatch(
            engine=self.engine.name if self.engine else "",
            engine_details=dict(self.engine.details) if self.engine else {},
            heatmap_size=None if heatmaps is None else (heatmaps.shape[-1], heatmaps.shape[-2]),
            engine_difference=difference,
            notes=(*self.network.built.notes, *output_notes(self.card.output, outputs)),
        )
        write_atomically(self._first_batch_file, self.first_batch.model_dump_json())

    def _check_split(self, outputs: Mapping[str, torch.Tensor]) -> None:
        """Check that the decoders of SimCC read as many bins per input px as the network gives."""
        for name, side in zip(("simcc_x", "simcc_y"), self.card.input.size, strict=True):
            for cell in self.network.cells if name in outputs else ():
                split = cell.decoder.options.get("split") if cell.decoder else None
                bins = outputs[name].shape[-1]
                if isinstance(split, int | float) and bins != round(side * split):
                    raise InputError(
                        f"model {self.card.name!r}: outputs {name} with {bins} bins for {side} px, but decoder "
                        f"{cell.record.decoder!r} reads {split:g} per px: set split = {bins / side:g} in [output]"
                    )


def _loading_threads(engine: str) -> dict[str, int]:
    """The threads that load crops, where it isn't the default: beside a GPU, all cores can decode photographs."""
    return {"threads": max(2, torch.get_num_threads())} if engines.device_of(engine) == "cuda" else {}


def _pack(outputs: Outputs) -> dict[str, np.ndarray]:
    """Outputs as float16 arrays named ``PASS.OUTPUT``."""
    return {
        f"{which}.{name}": value.to(torch.float16).cpu().numpy()
        for which, values in outputs.items()
        for name, value in values.items()
    }


def _unpack(packed: Mapping[str, np.ndarray]) -> Outputs:
    """The reverse of :func:`_pack`, as float32."""
    outputs: dict[str, dict[str, torch.Tensor]] = {}
    for key, value in packed.items():
        which, _, name = key.partition(".")
        outputs.setdefault(which, {})[name] = torch.from_numpy(value).to(torch.float32)
    return outputs
