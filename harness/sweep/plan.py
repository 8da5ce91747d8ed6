"""Plans a sweep: resolves and checks the dataset, networks, boxes, decoders and cells before anything is computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from nmebench import boxes as box_rules
from nmebench import datasets, decoders, engines, models
from nmebench.boxes import Boxes
from nmebench.datasets.dataset import Dataset
from nmebench.datasets.paged_array import paged, release_pages
from nmebench.datasets.photographs import PhotographSurvey
from nmebench.decoders.interface import Decoder
from nmebench.errors import InputError
from nmebench.geometry import Geometry
from nmebench.geometry.point_mapping import PointMapping
from nmebench.geometry.scheme import Scheme
from nmebench.models.card import Card
from nmebench.models.table_protocol import TableProtocol, table_protocol
from nmebench.paths import cache_folder
from nmebench.protocol import DIRECT, Flip
from nmebench.runs.names import check_name
from nmebench.stages import announce
from nmebench.sweep import keys, preflight
from nmebench.sweep.batch_store import BatchStore
from nmebench.sweep.batches import batch_size_for, batches_of
from nmebench.sweep.configuration import SweepConfiguration
from nmebench.sweep.network_scheme import scheme_and_mapping
from nmebench.sweep.planned_cell import PlannedCell, check_ids, plan_cell

__all__ = ["NetworkPlan", "Plan", "make"]

MAX_KEPT_BYTES = 256 << 20
"""Bytes of parameters that stay in memory between the check of all networks and their turns; the networks beyond them
are loaded a second time."""

#: Decoders of a network when neither the sweep nor its card names any.
_DEFAULT_DECODERS = ("argmax", "quarter-offset", "dark")


@dataclass(frozen=True)
class NetworkPlan:
    """One network on one box rule, and the cells that read its outputs."""

    built: models.Built
    """The network and its card, changed as the sweep requests."""
    series: str | None
    """Name that the checkpoints of one training share; None for a single network."""
    card: Card
    """The card as it was given; ``run.json`` stores it beside the sweep's configuration."""
    box: str
    """Name of the box rule."""
    boxes: Boxes
    """The rule's boxes on the input's aspect ratio."""
    batches: Sequence[np.ndarray]
    """The positions of each batch's faces in the dataset."""
    batch_size: int
    """Faces per batch."""
    scheme: Scheme
    """The scheme of the network's landmarks."""
    mapping: PointMapping | None
    """The mapping of its landmarks to the data set's scheme; None where both are the same."""
    cells: tuple[PlannedCell, ...]
    key: str
    """:func:`nmebench.sweep.keys.network_key`."""
    crops_key: str
    """:func:`nmebench.sweep.keys.crops_key`."""

    @property
    def flips(self) -> tuple[str, ...]:
        """The flip tests that the cells need, in the order of the cells."""
        return tuple(dict.fromkeys(cell.record.flip for cell in self.cells))

    @cached_property
    def geometry(self) -> Geometry:
        """The boxes of all faces, the crop and the grid of the network."""
        return Geometry(
            self.boxes.centre,
            self.boxes.size,
            self.built.card.input.size,
            crop=self.built.card.input.convention,
            grid=self.built.grid,
        )

    @property
    def reads_images(self) -> bool:
        """True if the network reads crops; False for ``oracle``, which reads the ground truth."""
        return self.built.reads == "images"


@dataclass(frozen=True)
class Plan:
    """A complete sweep, checked."""

    configuration: SweepConfiguration
    dataset: Dataset
    normaliser_name: str
    normaliser: np.ndarray
    """``[N]`` image px."""
    networks: tuple[NetworkPlan, ...]
    not_run: tuple[str, ...]
    """One sentence per decoder of ``all`` that a network can't feed."""


def make(
    configuration: SweepConfiguration,
    loaded: dict[int, models.Built] | None = None,
    *,
    survey: PhotographSurvey | None = None,
) -> Plan:
    """Resolve and check everything that a sweep names; one face runs through every network.

    Args:
        configuration: the sweep.
        loaded: networks by their position in ``configuration.models``; it is added to. A sweep over several data sets
            gives the same dictionary for each, so that every network is built once.
        survey: the photographs' survey of another process that has planned this sweep. With it, no photograph is read
            and no network runs; None does both.

    Raises:
        InputError: an input can't be used; :class:`~nmebench.decoders.DecoderError` and
            :class:`~nmebench.models.ModelError` are subclasses.
    """
    for spec in configuration.decoders:
        if spec != "all":
            decoders.from_spec(spec)  # reports a misspelt decoder before the dataset is read
    engines.check_spec(configuration.engine)
    given = _cards(configuration)
    cards = [_changed(card, configuration) for card in given]
    announce(f"reading {configuration.data}")
    dataset = datasets.load(
        configuration.data, format=configuration.format, limit=configuration.limit, scheme=configuration.scheme
    )
    dataset = replace(dataset, landmarks=paged(dataset.landmarks))
    if survey is not None:
        dataset = dataset.surveyed(survey)
    for subset in dataset.subsets:
        check_name(subset, f"{configuration.data}: the subset's name")
    normaliser_name = configuration.normaliser or dataset.default_normaliser
    normaliser = dataset.normaliser(normaliser_name)
    _check_normaliser(dataset, normaliser, normaliser_name)
    if dataset.image_root is not None:
        announce(f"hashing {len(set(dataset.images))} photographs")
    data = keys.data_key(dataset)
    dataset = dataset.with_photograph_notes()
    networks: list[NetworkPlan] = []
    unusable: dict[tuple[str, str], list[str]] = {}
    kept_bytes = 0
    loaded = {} if loaded is None else loaded
    for position, (request, card, own) in enumerate(zip(configuration.models, cards, given, strict=True)):
        if position not in loaded:
            announce(f"loading {card.name}")
            loaded[position] = request.build(card)
        built = loaded[position]
        protocols = tuple(card.protocols(dataset.name).values())
        chosen, skipped = _decoders(built, configuration, protocols)
        for decoder, missing in skipped.items():
            unusable.setdefault((decoder, missing), []).append(card.name)
        boxes_of = configuration.boxes or dict.fromkeys(p.box or card.input.box for p in protocols)
        for number, box in enumerate(boxes_of):
            networks.append(
                _network(
                    configuration,
                    dataset,
                    data,
                    built,
                    request.series,
                    own,
                    box,
                    chosen,
                    _flips(configuration, protocols, built),
                    check=number == 0 and survey is None,
                )
            )
        kept_bytes += built.bytes
        if len(cards) > 1 and kept_bytes > MAX_KEPT_BYTES:
            built.release()  # it is loaded again when it is its turn
    check_ids([cell.record for network in networks for cell in network.cells])
    not_run = tuple(_sentence(*skipped, without, len(cards)) for skipped, without in unusable.items())
    release_pages(dataset.landmarks)
    return Plan(configuration, dataset, normaliser_name, normaliser, tuple(networks), not_run)


def _cards(configuration: SweepConfiguration) -> list[Card]:
    """Return the card of each requested model."""
    cards = [request.load_card() for request in configuration.models]
    names = [card.name for card in cards]
    repeated = sorted(name for name in names if names.count(name) > 1)
    if repeated:
        raise InputError(f"model {repeated[0]!r} is given twice; give each card a name of its own")
    for name in names:
        check_name(name, "the model's name")
    return cards


def _changed(card: Card, configuration: SweepConfiguration) -> Card:
    """Return the card with the colour order and architecture options of the sweep."""
    changes: dict[str, Any] = {}
    if configuration.colour is not None:
        changes["input"] = card.input.model_copy(update={"colour": configuration.colour})
    if configuration.options:
        changes["options"] = {**card.options, **configuration.options}
    return card.model_copy(update=changes) if changes else card


def _outputs_of(built: models.Built) -> frozenset[str]:
    """Names of a network's outputs: the module's ``outputs`` where it has them, else those of the card's kind."""
    kind = built.card.output.kind
    return frozenset(built.outputs or (("simcc_x", "simcc_y") if kind == "simcc" else (kind,)))


def _flips(
    configuration: SweepConfiguration, protocols: Sequence[TableProtocol], built: models.Built
) -> tuple[Flip, ...]:
    """Return the flip tests of a network's cells.

    Raises:
        InputError: the shift by one px is requested for heatmaps that align without it, and the card doesn't state it.
    """
    flips = tuple(dict.fromkeys(configuration.flip or (protocol.flip for protocol in protocols)))
    aligned = built.grid != "stride" and "heatmaps" in _outputs_of(built)
    if "flip+shift" in flips and aligned and not _states_shift(built.card):
        raise InputError(
            f"card {built.card.name}: the flip test flip+shift moves the mirrored heatmaps by one px, but in the grid "
            f"{built.grid!r} they align without it, so every landmark would move by half a heatmap px; "
            "use --test-time flip, or state shift = true in the card's [test] if its authors measured so"
        )
    return flips


def _states_shift(card: Card) -> bool:
    """Return True if the card's own protocol, or that of one of its tables, has the shift by one px."""
    protocols = [table_protocol(card.model_dump(), {})]
    protocols += [protocol for dataset in card.reported for protocol in card.protocols(dataset).values()]
    return any(protocol.flip == "flip+shift" for protocol in protocols)


def _decoders(
    built: models.Built, configuration: SweepConfiguration, protocols: Sequence[TableProtocol]
) -> tuple[list[Decoder | None], dict[str, str]]:
    """Return the decoders of a network's cells, and those of ``all`` that it can't feed, with the missing outputs.

    ``all`` are the refinement rules; a preset must be named.
    """
    card, outputs = built.card, _outputs_of(built)
    if outputs == {"landmarks"}:
        return [None], {}
    reported = tuple(p.decoder for p in protocols if p.decoder and p.decoder != DIRECT)
    chosen: dict[str, Decoder] = {}
    skipped: dict[str, str] = {}
    usual = (_simcc(card),) if "simcc_x" in outputs else _DEFAULT_DECODERS
    for spec in configuration.decoders or reported or usual:
        for name in decoders.names() if spec == "all" else (spec,):
            decoder = decoders.from_spec(name).for_network(largest_empty=card.output.largest_empty)
            if spec == "all" and decoder.chain is not None:
                continue
            if not configuration.decoders and decoder.chain and decoder.chain.grid not in (None, built.grid):
                raise InputError(
                    f"card {card.name}: decoder {decoder.spec!r} reads heatmaps in the grid {decoder.chain.grid!r}, "
                    f"but output.grid is {built.grid!r}; correct the card, or give --decoder to mix them"
                )
            missing = ", ".join(need for need in decoder.needs if need not in outputs)
            split = card.output.split
            if not missing and split is not None and decoder.options.get("split", split) != split:
                raise InputError(
                    f"decoder {decoder.spec!r} reads {decoder.options['split']:g} bins per px, and card {card.name} "
                    f"has output.split = {split:g}: use {decoder.name}:split={split:g}"
                )
            if not missing:
                chosen[decoder.spec] = decoder
            elif spec == "all":
                skipped[decoder.spec] = missing
            else:
                raise InputError(
                    f"decoder {decoder.spec!r}: needs {missing}, but {card.name} outputs {', '.join(sorted(outputs))}; "
                    "choose a decoder that reads these (`nmebench list decoders`)"
                )
    return list(chosen.values()), skipped


def _simcc(card: Card) -> str:
    """Return the spec of the decoder ``simcc`` with the card's bins per input px."""
    split = card.output.split
    return "simcc" if split is None else decoders.create("simcc", split=split).spec


def _network(
    configuration: SweepConfiguration,
    dataset: Dataset,
    data_key: str,
    built: models.Built,
    series: str | None,
    own: Card,
    box: str,
    chosen: Sequence[Decoder | None],
    flips: Sequence[Flip],
    *,
    check: bool,
) -> NetworkPlan:
    card = built.card
    padding = configuration.box_padding or (card.input.padding if box == card.input.box else None)
    boxes = box_rules.boxes_of(box_rules.create(box, padding=padding), dataset).for_input(card.input.size)
    boxes = boxes.resampled(card.input.resample)
    if card.input.convention == "udp" and boxes.sampling != "affine":
        raise InputError(
            f"card {card.name}: input.convention = 'udp' is a warp, and the box {box!r} is cut out and resized: set "
            "resample = 'affine' in [input], or another convention"
        )
    scheme, mapping = scheme_and_mapping(card, dataset, reads_truth=built.reads != "images")
    batch_size = configuration.batch_size or batch_size_for(
        card, scheme.points, _outputs_of(built), engines.device_of(configuration.engine)
    )
    crops_key = keys.crops_key(data_key, boxes, card, batch_size)
    if check:
        kept = BatchStore(cache_folder() / "crops" / crops_key[:32]) if configuration.keep_crops else None
        preflight.check(built, dataset, boxes, kept, scheme=scheme)
    network_key = keys.network_key(data_key, boxes, built, batch_size, configuration)
    return NetworkPlan(
        built=built,
        series=series,
        card=own,
        box=box,
        boxes=boxes,
        batches=batches_of(dataset, batch_size),
        batch_size=batch_size,
        scheme=scheme,
        mapping=mapping,
        cells=tuple(plan_cell(built, decoder, flip, box, network_key, mapping) for decoder in chosen for flip in flips),
        key=network_key,
        crops_key=crops_key,
    )


def _sentence(decoder: str, missing: str, without: Sequence[str], networks: int) -> str:
    """The sentence in ``not_run`` for a decoder that some networks can't feed."""
    if len(without) == networks:
        return f"decoder {decoder} needs {missing}, which no network here gives."
    return f"decoder {decoder} needs {missing}, which {', '.join(without)} don't give."


def _check_normaliser(dataset: Dataset, normaliser: np.ndarray, name: str) -> None:
    bad = np.flatnonzero(~(np.isfinite(normaliser) & (normaliser > 0)))
    if len(bad):
        row = int(bad[0])
        raise InputError(
            f"{dataset.spec}: line {int(dataset.lines[row])} ({dataset.images[row]!r}): the {name} distance is "
            f"{normaliser[row]:g} px, so its NME isn't defined; correct or remove the face "
            f"(`nmebench data verify` lists all of them)"
        )
