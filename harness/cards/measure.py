"""Measures changed cards on some faces: one crop per box and resampling, one forward pass per input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nmebench import boxes, decoders, engines, metrics
from nmebench.boxes import Boxes
from nmebench.cards.candidates import decoder_of
from nmebench.datasets.dataset import Dataset
from nmebench.errors import InputError
from nmebench.geometry import Geometry, images
from nmebench.geometry.crop import crop, normalise
from nmebench.models import Built, ModelError
from nmebench.models.adapted_network import AdaptedNetwork
from nmebench.models.card import Card
from nmebench.models.onnx import OnnxNetwork
from nmebench.models.output_adapter import OutputAdapter
from nmebench.protocol import Sampling
from nmebench.sweep.batches import batches_of

__all__ = ["Measure"]

Array = NDArray[np.float64]

BATCH = 16
"""Faces per forward pass."""

_PHOTOGRAPH_BYTES = 512 << 20
"""Memory for decoded photographs, which every box cuts again."""


class Measure:
    """Measures cards that differ from a network's card in their tables ``input``, ``output`` and ``test``."""

    def __init__(self, built: Built, dataset: Dataset, engine: str = "auto") -> None:
        """Prepare the network.

        Args:
            built: the network and its card.
            dataset: the faces.
            engine: name of the engine.

        Raises:
            InputError: the engine isn't available, or the network doesn't read images.
        """
        if built.reads != "images":
            raise InputError(f"{built.card.name} reads the ground truth, so there is nothing to probe")
        self.dataset = dataset
        self.normaliser = dataset.normaliser()
        self.faces = 0
        """Faces that the network has computed so far."""
        module = built.module
        self.adapted = isinstance(module, OnnxNetwork | AdaptedNetwork)
        """True if the raw outputs can be converted again."""
        self.reads_pixels = getattr(module, "input_dtype", None) == "uint8"
        self._run = _raw_outputs(module, engine)
        self._batches = batches_of(dataset, BATCH)
        self._photographs: dict[str, NDArray[np.uint8]] = {}
        self._crops: dict[str, list[NDArray[np.uint8]]] = {}
        self._known: dict[str, Array | None] = {}

    def flat(self, card: Card) -> bool:
        """Return whether the network gives landmarks without a dimension for x and y."""
        if card.output.kind != "landmarks" or not self.adapted:
            return False
        given = self._images(card, 0, rows=1)
        (raw,) = OutputAdapter(card.output, card.name).chosen(self._run(given), given)
        return sum(side > 1 for side in raw.shape[1:]) == 1

    def sampling(self, card: Card) -> Sampling:
        """Return the resampling of a card's crops."""
        return self._boxes(card).sampling

    def nme(self, cards: Sequence[Card]) -> list[Array | None]:
        """Return the NME of every face, percent ``[N]``, for each card; None where the outputs can't be read so.

        Cards with the same input share one forward pass.
        """
        todo: dict[str, list[Card]] = {}
        for card in cards:
            if _key(card) not in self._known:
                todo.setdefault(self._input_key(card), []).append(card)
        for group in todo.values():
            self._measure(group)
        return [self._known[_key(card)] for card in cards]

    def _measure(self, cards: Sequence[Card]) -> None:
        found: dict[str, Array | None] = {_key(card): np.empty(len(self.dataset)) for card in cards}
        for number, rows in enumerate(self._batches):
            given = self._images(cards[0], number)
            raw = self._run(given)
            self.faces += len(rows)
            for card in cards:
                per_face = found[_key(card)]
                if per_face is None:
                    continue
                try:
                    landmarks = self._landmarks(card, raw, given, rows)
                except ModelError:
                    found[_key(card)] = None
                    continue
                truth = self.dataset.landmarks[rows]
                errors = metrics.point_errors(landmarks, truth)
                per_face[rows] = metrics.nme(errors, self.normaliser[rows], metrics.labelled(truth))
        self._known |= found

    def _landmarks(self, card: Card, raw: Any, given: Tensor, rows: NDArray[np.int64]) -> Array:
        """Landmarks ``[N, K, 2]`` in image px."""
        outputs = OutputAdapter(card.output, card.name)(raw, given) if self.adapted else raw
        points = self.dataset.scheme.points
        for name in ("heatmaps", "landmarks", "simcc_x"):
            if name in outputs and outputs[name].shape[1] != points:
                raise InputError(
                    f"{card.name} gives {outputs[name].shape[1]} points, but {self.dataset.spec} has {points}: set"
                    " channels in [output], or use faces of that scheme"
                )
        geometry = self._geometry(card).take(rows)
        if card.output.kind == "landmarks":
            return np.asarray(geometry.input_to_image(outputs["landmarks"].double().numpy()))
        decoder = decoders.from_spec(decoder_of(card)).for_network(largest_empty=card.output.largest_empty)
        decoded = decoder(outputs).landmarks.double().numpy()
        heatmaps = outputs.get("heatmaps")
        size = None if heatmaps is None else (heatmaps.shape[-1], heatmaps.shape[-2])
        return np.asarray(geometry.with_heatmaps(size).to_image(decoded, decoder.chain))

    def _images(self, card: Card, number: int, rows: int | None = None) -> Tensor:
        crops = self._cut(card)[number][:rows]
        given = card.input
        return torch.from_numpy(normalise(crops, mean=given.mean, std=given.std, colour=given.colour))

    def _cut(self, card: Card) -> list[NDArray[np.uint8]]:
        key = self._crop_key(card)
        if key not in self._crops:
            made = self._boxes(card)
            self._crops[key] = [
                np.stack(
                    [
                        crop(
                            self._photograph(self.dataset.images[row]),
                            made.centre[row],
                            made.size[row],
                            card.input.size,
                            made.sampling,
                            convention=card.input.convention,
                        )
                        for row in rows
                    ]
                )
                for rows in self._batches
            ]
        return self._crops[key]

    def _photograph(self, name: str) -> NDArray[np.uint8]:
        if name in self._photographs:
            return self._photographs[name]
        if self.dataset.image_root is None:
            raise InputError(f"{self.dataset.spec}: has no photographs, only landmarks; give faces with photographs")
        photograph = images.read(self.dataset.image_root / name)
        if sum(one.nbytes for one in self._photographs.values()) + photograph.nbytes <= _PHOTOGRAPH_BYTES:
            self._photographs[name] = photograph
        return photograph

    def _input_key(self, card: Card) -> str:
        """Equal for cards whose networks read the same numbers."""
        return self._crop_key(card) + card.model_dump_json(include={"input": {"colour", "mean", "std"}})

    def _crop_key(self, card: Card) -> str:
        made = self._boxes(card)
        # A resize shows the same pixels, whatever they mean.
        convention = card.input.convention if made.sampling == "affine" else None
        return repr((card.input.size, made.sampling, convention, made.centre.tobytes(), made.size.tobytes()))

    def _boxes(self, card: Card) -> Boxes:
        rule = boxes.create(card.input.box, padding=card.input.padding)
        return rule(self.dataset).for_input(card.input.size).resampled(card.input.resample)

    def _geometry(self, card: Card) -> Geometry:
        made = self._boxes(card)
        grid = card.output.grid or "stride"
        return Geometry(made.centre, made.size, card.input.size, crop=card.input.convention, grid=grid)


def _raw_outputs(module: nn.Module, engine: str) -> Any:
    """A function from images to the outputs before the adapter."""
    if isinstance(module, OnnxNetwork):
        return module.raw
    if isinstance(module, AdaptedNetwork):

        def run(images: Tensor) -> Any:
            with torch.inference_mode():
                return module.raw(images)

        return run
    return engines.create(engine, module)


def _key(card: Card) -> str:
    return card.model_dump_json(include={"input", "output", "test"})
