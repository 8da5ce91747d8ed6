"""From what was asked to what will run: dataset, networks, boxes, decoders, cells, checked before anything starts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import decoders
import models
from decoders.interface import Decoder
from harness import boxes as box_rules
from harness import datasets, engines, provenance, scheme
from harness.boxes import Boxes
from harness.datasets.dataset import Dataset
from harness.errors import InputError
from harness.store import CellRecord, cell_id
from harness.sweep.configuration import SweepConfiguration
from models.card import Card, Test

__all__ = ["Cell", "ModelPlan", "Plan", "make"]

#: What a landmark depends on before any decoder sees it.
_CROP_SOURCES = ("harness.crop", "harness.images", "harness.sweep.feed")
_FORWARD_SOURCES = (
    *_CROP_SOURCES,
    "harness.coordinates",
    "harness.engines",
    "harness.sweep.flip_test",
    "harness.sweep.model_sweep",
)

#: What a batch's crops and maps may take by the device of the network, and the faces that no batch exceeds.
BATCH_BYTES = {"cpu": 96 << 20, "cuda": 512 << 20}
_MOST_FACES = 64

#: The decoder's place in a cell whose network gives landmarks itself.
DIRECT = "direct"


@dataclass(frozen=True)
class Cell:
    """A cell, its decoder (None where the network gives landmarks) and the key of everything it depends on."""

    record: CellRecord
    decoder: Decoder | None
    key: str


@dataclass(frozen=True)
class ModelPlan:
    """One network on one box rule, and the cells that its outputs feed."""

    built: models.Built
    box: str
    boxes: Boxes
    cells: tuple[Cell, ...]
    key: str
    """Of all that the network's outputs depend on."""
    crops_key: str
    """Of all that the crops depend on."""
    batch_size: int
    """Faces a batch."""

    @property
    def flips(self) -> tuple[str, ...]:
        """The test-time options that the cells need, in the order of the cells."""
        return tuple(dict.fromkeys(cell.record.flip for cell in self.cells))


@dataclass(frozen=True)
class Plan:
    """All that a sweep will do."""

    configuration: SweepConfiguration
    dataset: Dataset
    normaliser_name: str
    normaliser: np.ndarray
    models: tuple[ModelPlan, ...]
    not_run: tuple[str, ...]


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def _photographs(dataset: Dataset) -> str:
    """A cheap fingerprint of the photographs: names, sizes and times of change."""
    if dataset.image_root is None:
        return ""
    digest = hashlib.sha256()
    for name in dict.fromkeys(dataset.images):
        try:
            status = (dataset.image_root / name).stat()
        except OSError:
            continue  # the feed names a missing photograph when it reads it
        digest.update(f"{name}\0{status.st_size}\0{status.st_mtime_ns}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _adjusted(card: Card, configuration: SweepConfiguration) -> Card:
    """The card with the sweep's own colour order and architecture options."""
    changes: dict[str, Any] = {}
    if configuration.colour is not None:
        changes["input"] = card.input.model_copy(update={"colour": configuration.colour})
    if configuration.options:
        changes["options"] = {**card.options, **configuration.options}
    return card.model_copy(update=changes) if changes else card


def outputs_of(built: models.Built) -> frozenset[str]:
    """Names of a network's outputs: the module's own ``outputs`` where it declares them, else the card's kind."""
    kind = built.card.output.kind
    return frozenset(getattr(built.module, "outputs", None) or (("simcc_x", "simcc_y") if kind == "simcc" else (kind,)))


def batch_size_for(card: Card, points: int, outputs: frozenset[str], device: str = "cpu") -> int:
    """Faces a batch, so that a batch's crops and maps stay within ``BATCH_BYTES``: 12 at 256x256 and 98 landmarks.

    Counted are the crop as bytes, the crop and its mirror image as float32, and four sets of float32 maps at stride 4:
    of both passes, and of two ways to average them. More faces a batch don't make a CPU's pass faster (docs/speed.md).
    """
    width, height = card.input.size
    cell = (width // 4) * (height // 4)
    maps = points * cell * (1 if "heatmaps" in outputs else 0) + points * 2 * cell * (1 if "offsets" in outputs else 0)
    face = 3 * width * height * (1 + 2 * 4) + 4 * 4 * maps
    return max(1, min(_MOST_FACES, BATCH_BYTES[device] // face))


def _protocols(card: Card, dataset: str) -> list[tuple[Test, str]]:
    """How the card's tables for a dataset were measured, with their box; the card's own settings where it has none."""
    tables = list(card.reported.get(dataset, {}).values())
    return [(card.test_for(table), card.box_for(table)) for table in tables] or [(card.test, card.input.box)]


def _flips(card: Card, configuration: SweepConfiguration, protocols: Sequence[Test]) -> tuple[str, ...]:
    if configuration.flip:
        return tuple(dict.fromkeys(configuration.flip))
    direct = card.output.kind == "landmarks"
    return tuple(dict.fromkeys(flip_of(test, direct=direct) for test in protocols))


def flip_of(test: Test, *, direct: bool) -> str:
    """The test-time option that a card's ``[test]`` table means; ``direct`` for networks that give landmarks."""
    if not test.flip:
        return "none"
    return "flip+shift" if (test.shift_coords if direct else test.shift) else "flip"


def _decoders(
    card: Card, configuration: SweepConfiguration, outputs: frozenset[str], protocols: Sequence[Test]
) -> tuple[list[Decoder | None], dict[str, str]]:
    """The decoders of a network's cells, and those that it can't feed with the outputs that they miss."""
    if outputs == {"landmarks"}:
        return [None], {}
    reported = tuple(dict.fromkeys(test.decoder for test in protocols if test.decoder))
    specs = configuration.decoders or reported or ("argmax", "quarter-offset", "dark")
    chosen: dict[str, Decoder] = {}
    left: dict[str, str] = {}
    for spec in specs:
        wanted = decoders.names() if spec == "all" else (spec,)
        for name in wanted:
            decoder = decoders.from_spec(name)
            missing = [need for need in decoder.needs if need not in outputs]
            if not missing:
                chosen[decoder.spec] = decoder
            elif spec != "all":
                raise InputError(
                    f"decoder {decoder.spec!r}: needs {', '.join(missing)}, but {card.name} gives "
                    f"{', '.join(sorted(outputs))}; choose one that reads these (`nmebench list decoders`)"
                )
            else:
                left[decoder.spec] = ", ".join(missing)
    return list(chosen.values()), left


def make(configuration: SweepConfiguration) -> Plan:
    """Resolve and check everything that a sweep names.

    Raises:
        InputError, DecoderError, ModelError: the first thing that can't be used, in one line.
    """
    for spec in configuration.decoders:
        if spec != "all":
            decoders.from_spec(spec)  # a misspelt decoder should be told before a dataset is read
    cards = [models.card.load(request.card) for request in configuration.models]
    repeated = {card.name for card in cards if sum(other.name == card.name for other in cards) > 1}
    if repeated:
        raise InputError(f"model {sorted(repeated)[0]!r} is given twice; give each card a name of its own")
    dataset = datasets.load(configuration.data, format=configuration.format, limit=configuration.limit)
    normaliser_name = configuration.normaliser or dataset.scheme.default_normaliser
    normaliser = scheme.normaliser(dataset.scheme, dataset.landmarks, normaliser_name)
    _check_normaliser(dataset, normaliser, normaliser_name)
    data_key = {
        "files": [(file.name, file.sha256) for file in dataset.files],
        "landmarks": hashlib.sha256(np.ascontiguousarray(dataset.landmarks).tobytes()).hexdigest(),
        "photographs": _photographs(dataset),
    }
    plans: list[ModelPlan] = []
    unfed: dict[tuple[str, str], list[str]] = {}
    for request, original in zip(configuration.models, cards, strict=True):
        card = _adjusted(original, configuration)
        built = models.build(card, weights=request.weights)
        batch_size = configuration.batch_size or batch_size_for(
            card, dataset.scheme.points, outputs_of(built), engines.device_of(configuration.engine)
        )
        protocols = _protocols(card, dataset.name)
        tests = [test for test, _ in protocols]
        chosen, left = _decoders(card, configuration, outputs_of(built), tests)
        for decoder, missing in left.items():
            unfed.setdefault((decoder, missing), []).append(card.name)
        for box in configuration.boxes or tuple(dict.fromkeys(box for _, box in protocols)):
            rule = box_rules.create(box, padding=configuration.box_padding)
            crops_key = _digest(
                {
                    "data": data_key,
                    "input": [card.input.size, card.input.convention],
                    "code": provenance.module_hash(type(rule).__module__, *_CROP_SOURCES),
                    "versions": provenance.versions(("numpy", "opencv-python-headless")),
                    "box": [box, configuration.box_padding],
                    "batch": batch_size,
                }
            )
            model_key = _digest(
                {
                    "data": data_key,
                    "card": card.model_dump(mode="json", include={"architecture", "input", "output", "options"}),
                    "weights": built.weights_sha256,
                    "code": provenance.module_hash(
                        type(built.module).__module__, type(rule).__module__, *_FORWARD_SOURCES
                    ),
                    "versions": provenance.versions(),
                    "box": [box, configuration.box_padding],
                    "run": [
                        configuration.engine,
                        configuration.threads,
                        batch_size,
                        configuration.keep_heatmaps,
                    ],
                    "seed": configuration.seed,
                }
            )
            plans.append(
                ModelPlan(
                    built=built,
                    box=box,
                    boxes=rule(dataset).for_input(card.input.size),
                    cells=_cells(card, box, chosen, _flips(card, configuration, tests), model_key),
                    key=model_key,
                    crops_key=crops_key,
                    batch_size=batch_size,
                )
            )
    not_run = tuple(
        f"decoder {decoder} needs {missing}, which {'no network here gives' if len(without) == len(cards) else where}."
        for (decoder, missing), without in unfed.items()
        for where in [f"{', '.join(without)} don't give"]
    )
    return Plan(configuration, dataset, normaliser_name, normaliser, tuple(plans), not_run)


def _cells(
    card: Card, box: str, chosen: Sequence[Decoder | None], flips: Sequence[str], model_key: str
) -> tuple[Cell, ...]:
    cells = []
    for decoder in chosen:
        spec = decoder.spec if decoder else DIRECT
        code = provenance.module_hash(type(decoder).__module__) if decoder else ""
        for flip in flips:
            record = CellRecord(
                id=cell_id(card.name, spec, flip, box),
                model=card.name,
                decoder=spec,
                flip=flip,  # type: ignore[arg-type]  # checked by SweepConfiguration
                box=box,
                convention=decoder.convention_for(card.output.grid) if decoder else "stride",
            )
            cells.append(Cell(record, decoder, _digest([model_key, spec, flip, code])[:32]))
    return tuple(cells)


def _check_normaliser(dataset: Dataset, normaliser: np.ndarray, name: str) -> None:
    bad = np.flatnonzero(~(np.isfinite(normaliser) & (normaliser > 0)))
    if len(bad):
        row = int(bad[0])
        raise InputError(
            f"{dataset.spec}: line {int(dataset.lines[row])} ({dataset.images[row]!r}): the {name} distance is "
            f"{normaliser[row]:g} px, so its NME isn't defined; correct or remove the face "
            f"(`nmebench data verify` lists all of them)"
        )
