"""The sweep of one network on one box rule: forward passes in, stored landmarks of every cell out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch

from nmebench.datasets.paged_array import release_pages
from nmebench.decoders.interface import Decoded
from nmebench.own_code import plugin_errors
from nmebench.protocol import Flip
from nmebench.runs.run_record import CheckpointRecord, ModelRecord
from nmebench.sweep import flip_test, host_transfer, keys
from nmebench.sweep.batch_store import BatchStore
from nmebench.sweep.cell_results import CellResults, Result
from nmebench.sweep.checkpoint_series import step
from nmebench.sweep.clock import Clock, Clocks
from nmebench.sweep.forward import FirstBatch, Forward, Outputs
from nmebench.sweep.malloc_trim import release_free_memory
from nmebench.sweep.plan import NetworkPlan, Plan
from nmebench.sweep.planned_cell import PlannedCell

__all__ = ["NetworkSweep", "Progress"]

#: Called with (label, finished faces, all faces).
Progress = Callable[[str, int, int], None]

#: Batches between two calls of ``release_free_memory``: allocating the memory again takes hundredths of a second.
_RELEASE_EVERY = 8


class NetworkSweep:
    """Runs one network on one box rule, decodes its outputs for every cell and stores the results."""

    def __init__(
        self,
        plan: Plan,
        network: NetworkPlan,
        work: Path,
        clocks: Clocks,
        pool: ThreadPoolExecutor,
        *,
        thumbnail_store: BatchStore | None,
    ) -> None:
        """Read which results an earlier process has stored; the engine is created for the first batch.

        Args:
            plan: the sweep.
            network: the network to run.
            work: the run's work folder.
            clocks: the clocks of this network.
            pool: the threads of the decoders, one torch thread each.
            thumbnail_store: where thumbnails of the crops are stored; None draws none.

        Raises:
            InputError: kept crops or heatmaps would exceed the cache budget.
        """
        self.plan, self.network, self.pool = plan, network, pool
        self.clock, self.workers, self.cells_clock = clocks.stages, clocks.workers, Clock()
        self.forward = Forward(plan, network, work, clocks, pool, thumbnail_store)
        self.results = CellResults(BatchStore.open(work, "results", network.key), network.batches)

    def run(self, progress: Progress | None, only: Collection[int] | None = None) -> CellResults:
        """Compute the batches that aren't stored yet and return the results of all batches.

        A network stays ready between two calls. The first batch that it computes is checked against plain torch.

        Args:
            progress: called after every batch.
            only: the batches to compute; None for all.

        Raises:
            InputError: the engine isn't available, a photograph can't be read, or the network's outputs are wrong.
        """
        todo = [number for number in self._unfinished_batches() if only is None or number in only]
        total = len(self.plan.dataset)
        done = total - sum(len(self.network.batches[number]) for number in todo)
        label = f"{self.network.built.card.name} ({self.network.box})"
        if progress:
            progress(label, done, total)
        with torch.inference_mode():
            for number, wait in self.forward.run(todo):
                self._finish_batch(number, wait)
                done += len(self.network.batches[number])
                if progress:
                    progress(label, done, total)
        return self.results

    def _unfinished_batches(self) -> list[int]:
        """Return the batches of which a cell or the thumbnails are missing; the first of all until it was checked."""
        keys = [cell.key for cell in self.network.cells]
        return [
            number
            for number in range(len(self.network.batches))
            if self.results.missing(number, keys)
            or self.forward.needs_thumbnails(number)
            or (number == 0 and self.forward.first_batch is None)
        ]

    def _finish_batch(self, number: int, wait: Callable[[], Outputs]) -> None:
        """Wait for a batch's outputs; average, decode and store them."""
        averaged = self._flip_test(wait())
        with self.clock.wall("decode"):
            results = self._decode_batch(number, averaged)
        with self.clock.wall("store"):
            if results:
                self.results.write(number, results)
        del averaged, results
        if (number + 1) % _RELEASE_EVERY == 0:
            release_free_memory()
            release_pages(self.plan.dataset.landmarks)

    def _flip_test(self, outputs: Outputs) -> Outputs:
        """Return the outputs that the decoders read, by flip test; ``mirrored`` is the mirrored pass itself."""
        needed: dict[Flip, set[str]] = {}
        for cell in self.network.cells:
            names = ("landmarks",) if cell.decoder is None else cell.decoder.needs
            if _averages_outputs(cell):
                needed.setdefault(cell.record.flip, set()).update(names)
        with self.clock.wall("flip"):
            averages = {flip: self.pool.submit(self._average, outputs, flip, names) for flip, names in needed.items()}
            return {"none": outputs["plain"], **outputs, **{flip: task.result() for flip, task in averages.items()}}

    def _average(self, outputs: Outputs, flip: Flip, names: Collection[str]) -> dict[str, torch.Tensor]:
        plain, mirrored = (
            {name: value for name, value in outputs[which].items() if name in names} for which in ("plain", "mirrored")
        )
        with torch.inference_mode():
            back = flip_test.unflip(
                mirrored,
                self.forward.permutation,
                flip=flip,
                width=self.network.built.card.input.size[0],
                grid=self.network.built.grid,
            )
            return flip_test.average(plain, back)

    def _decode_batch(self, number: int, outputs: Outputs) -> dict[str, Result]:
        """Decode the missing cells of a batch, in one task per decoder, and return the results by cell key."""
        missing = self.results.missing(number, [cell.key for cell in self.network.cells])
        by_decoder: dict[str, list[PlannedCell]] = {}
        for cell in self.network.cells:
            if cell.key in missing:
                by_decoder.setdefault(cell.record.decoder, []).append(cell)
        # The slowest decoder first, so that the other threads don't wait for it at the end.
        order = sorted(by_decoder, key=lambda decoder: -self.workers[f"decode {decoder}"])
        rows = self.network.batches[number]
        outputs, passes = self._fetch(by_decoder, outputs)
        tasks = [
            self.pool.submit(self._decode_cells, by_decoder[decoder], outputs, rows, passes.get(decoder, {}))
            for decoder in order
        ]
        return {key: result for task in tasks for key, result in task.result().items()}

    def _fetch(
        self, by_decoder: Mapping[str, Sequence[PlannedCell]], outputs: Outputs
    ) -> tuple[Outputs, dict[str, dict[str, Decoded]]]:
        """Decode outputs that are on a device there, and bring the results of all decoders to the host in one copy.

        Returns:
            The outputs, in which landmarks of a network are on the host, and the results by decoder and name in
            ``outputs``; none where the outputs are on the host.
        """
        if not any(host_transfer.is_on_device(value) for values in outputs.values() for value in values.values()):
            return outputs, {}
        decoded: dict[tuple[str, str], Decoded] = {}
        for name, cells in by_decoder.items():
            for cell in cells:
                if cell.decoder is None:
                    flip = cell.record.flip
                    landmarks = outputs[flip]["landmarks"]
                    decoded[name, flip] = Decoded(landmarks, landmarks[:0], {})
                    continue
                needed = ("none", "mirrored") if cell.record.flip == "flip-coords" else (cell.record.flip,)
                for which in needed:
                    if (name, which) not in decoded:
                        with self.workers.processor(f"decode {name}"), torch.inference_mode():
                            decoded[name, which] = cell.decoder(outputs[which])
        passes: dict[str, dict[str, Decoded]] = {}
        fetched = dict(outputs)
        for (name, which), found in host_transfer.decoded_to_host(decoded).items():
            passes.setdefault(name, {})[which] = found
            if by_decoder[name][0].decoder is None:
                fetched[which] = {**outputs[which], "landmarks": found.landmarks}
        return fetched, passes

    def _decode_cells(
        self, cells: Sequence[PlannedCell], outputs: Outputs, rows: np.ndarray, passes: dict[str, Decoded]
    ) -> dict[str, Result]:
        """Decode a batch for the cells of one decoder.

        Each decoder runs in a thread of its own with one torch thread. Decoders compute many small tensors, on which
        torch's threads wait for each other longer than they compute, above all on a busy machine.

        Args:
            cells: the cells.
            outputs: from :meth:`_flip_test`.
            rows: positions of the batch's faces.
            passes: what :meth:`_fetch` has decoded; ``none`` and ``flip-coords`` share the decoded plain pass.
        """
        results = {}
        for cell in cells:
            spent = Clock()
            with spent.processor("decode"), torch.inference_mode():
                results[cell.key] = self._mapped(self._decode(cell, outputs, rows, passes))
            self.workers.spend(f"decode {cell.record.decoder}", spent["decode"])
            self.cells_clock.spend(cell.record.id, spent["decode"])
        return results

    def _decode(self, cell: PlannedCell, outputs: Outputs, rows: np.ndarray, passes: dict[str, Decoded]) -> Result:
        """Decode a batch for one cell and map its landmarks to image px.

        Args:
            cell: the cell.
            outputs: from :meth:`_flip_test`.
            rows: positions of the batch's faces.
            passes: what this cell's decoder has decoded of the batch, by the name in ``outputs``; it is added to.
        """
        geometry = self.network.geometry.take(rows).with_heatmaps(self._first_batch.heatmap_size)
        decoder = cell.decoder
        if decoder is None:
            landmarks = geometry.input_to_image(outputs[cell.record.flip]["landmarks"].double().cpu().numpy())
            return Result(landmarks, np.ones(landmarks.shape[:2], np.float32), {})

        def decoded(which: str) -> tuple[np.ndarray, Decoded]:
            if which not in passes:
                with plugin_errors(f"decoder {decoder.spec!r}", "decoding", type(decoder)):
                    passes[which] = decoder(outputs[which])
            return passes[which].landmarks.double().cpu().numpy(), passes[which]

        if cell.record.flip != "flip-coords":
            landmarks, found = decoded(cell.record.flip)
            return Result(geometry.to_image(landmarks, decoder.chain), found.scores.cpu().numpy(), found.counts)
        permutation = self.network.scheme.flip
        (here, plain), (there, mirrored) = decoded("none"), decoded("mirrored")
        found_here, found_there = ((landmarks != -1).any(axis=-1) for landmarks in (here, there))
        mean = flip_test.average_landmarks(
            geometry.heatmap_to_input(here, decoder.chain),
            geometry.heatmap_to_input(there, decoder.chain),
            permutation,
            width=geometry.mirror_width(decoder.chain),
            found=found_here,
            found_mirrored=found_there,
        )
        scores = (plain.scores.cpu().numpy() + mirrored.scores.cpu().numpy()[:, permutation]) * np.float32(0.5)
        counts = Counter(plain.counts) + Counter(mirrored.counts)
        counts["one_pass"] = int((found_here != found_there[:, permutation]).sum())
        names = sorted({*plain.counts, *counts})  # a sum of counters leaves out zeros
        return Result(geometry.input_to_image(mean, decoder.chain), scores, {name: counts[name] for name in names})

    def _mapped(self, result: Result) -> Result:
        """Return a result in the data set's scheme; the mapping applies to landmarks in image px."""
        mapping = self.network.mapping
        if mapping is None:
            return result
        confidence = mapping.confidence(result.confidence).astype(np.float32)
        return Result(mapping.landmarks(result.landmarks), confidence, result.counts)

    @property
    def _first_batch(self) -> FirstBatch:
        return self.forward.first_batch or FirstBatch()

    def record(self) -> ModelRecord:
        """Return the network's record for ``run.json``."""
        built, card = self.network.built, self.network.built.card
        return ModelRecord(
            name=card.name,
            architecture=card.architecture,
            card=self.network.card.model_dump(mode="json"),
            card_file=card.path.name if card.path else None,
            weights_sha256=built.weights_sha256,
            weights_name=built.weights.name if built.weights else None,
            state_sha256=keys.state_sha256(built),
            checkpoint=_checkpoint(self.network),
            parameters=sum(parameter.numel() for parameter in built.module.parameters()) or None,
            renamed=sum(built.renamed.values()),
            input_size=card.input.size,
            heatmap_size=self._first_batch.heatmap_size,
            engine=self.forward.engine_name,
            engine_details=self._first_batch.engine_details,
            engine_difference=self._first_batch.engine_difference,
            batch_size=self.network.batch_size,
            notes=list(self._first_batch.notes),
        )


def _averages_outputs(cell: PlannedCell) -> bool:
    """Return True for a cell that reads averaged outputs; landmarks that a network outputs are averaged as such."""
    return cell.record.flip != "none" and (cell.decoder is None or cell.record.flip != "flip-coords")


def _checkpoint(network: NetworkPlan) -> CheckpointRecord | None:
    """The place of a network in the training that it is a checkpoint of; None for a single network."""
    built = network.built
    if network.series is None or built.weights is None:
        return None
    found = step(built.weights.name, built.epoch)
    return CheckpointRecord(series=network.series, unit=found[0] if found else None, step=found[1] if found else None)
