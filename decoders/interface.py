"""The base classes of decoders: from a network's named outputs to landmarks in heatmap pixels.

A heatmap decoder is a subclass of :class:`HeatmapDecoder` with one method, ``refine``. The base class reads and checks
the outputs, finds the maxima, bounds the memory and handles empty and invalid maps in the same way for all decoders.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import dataclass, field, replace
from typing import ClassVar, Self

import torch
from torch import Tensor

from nmebench.decoders.errors import DecoderError
from nmebench.decoders.maxima import Maxima, find_maxima
from nmebench.decoders.options import Option, Value, canonical, parse
from nmebench.protocol import Chain
from nmebench.suggest import did_you_mean

__all__ = ["Decoded", "Decoder", "DecoderInfo", "HeatmapDecoder", "gaussians"]

CONVERSION_BYTES = 1 << 24
"""Largest size of the float32 copy of maps of another type or layout."""


@dataclass(frozen=True)
class Decoded:
    """The result of a decoder; unpacks as ``landmarks, scores``."""

    landmarks: Tensor
    """``[N, K, 2]`` float32 (x, y), heatmap px; (-1, -1) where a map is empty or invalid. Never NaN."""
    scores: Tensor
    """``[N, K]`` float32, the map's maximum; 0 where that isn't finite."""
    counts: dict[str, int] = field(default_factory=dict)
    """Numbers of landmarks, which can be summed over the batches of a run: ``empty`` (see
    :attr:`Decoder.largest_empty`), ``invalid`` (NaN or infinity) and the decoder's own."""

    def __iter__(self) -> Iterator[Tensor]:
        """Iterate over landmarks and scores."""
        return iter((self.landmarks, self.scores))


@dataclass(frozen=True)
class DecoderInfo:
    """The description of a decoder for lists and reports; see :class:`Decoder` for the fields."""

    name: str
    summary: str
    """The first line of the class's docstring."""
    source: str
    options: Mapping[str, Option]
    needs: tuple[str, ...]
    chain: Chain | None
    bound: float
    origin: str
    """``built-in``, or the name and version of the distribution that registers the plug-in."""


class Decoder(ABC):
    """A decoder with its options fixed. The first line of a subclass's docstring is its summary."""

    name: ClassVar[str]
    """The registered name."""
    source: ClassVar[str]
    """The origin of the definition: a section of a paper or a file of a repository."""
    schema: ClassVar[Mapping[str, Option]] = {}
    """The options that the decoder accepts."""
    needs: ClassVar[tuple[str, ...]] = ("heatmaps",)
    """Names of the network outputs that the decoder reads."""
    chain: ClassVar[Chain | None] = None
    """The complete map to image px of another code base, which makes the decoder a preset. None for a refinement rule,
    whose landmarks are mapped by the grid of the network."""
    bound: ClassVar[float]
    """Largest error in heatmap px on clean Gaussians (64 x 64, sigma 2, at least 10 px from the border); the contract
    checks it."""
    exempt: ClassVar[Mapping[str, str]] = {}
    """Contract checks that the definition of the decoder rules out, each with the reason."""
    count_names: ClassVar[tuple[str, ...]] = ()
    """Names of the decoder's own ``counts``."""
    largest_empty: float = 0.0
    """A map whose maximum is at most this is empty: it has no landmark. 0 as in mmpose; minus infinity where no map is
    empty, as for logits. It belongs to the network, see :meth:`for_network`."""

    def __init__(self, **options: object) -> None:
        """Check the options.

        Args:
            options: values by name, as values or as text; ``schema`` lists them with their defaults.

        Raises:
            DecoderError: an unknown option or a value that isn't allowed.
        """
        self.options: dict[str, Value] = parse(self.name, self.schema, options)

    @property
    def spec(self) -> str:
        """The canonical text ``name:key=value,...`` with the options that differ from their default, sorted.

        Example:
            >>> from nmebench import decoders
            >>> decoders.create("dark", path="auto", kernel=17).spec
            'dark:kernel=17'
        """
        return canonical(self.name, self.schema, self.options)

    def for_network(self, *, largest_empty: float) -> Self:
        """Return the decoder with a network's rule for empty maps (a model card's ``output.empty``).

        A preset keeps the rule of its code base, a maximum of at most 0.

        Args:
            largest_empty: see :attr:`largest_empty`.

        Example:
            >>> import torch
            >>> from nmebench import decoders
            >>> logits = torch.tensor([[[[-5.0, -2.0, -7.0]]]])
            >>> argmax = decoders.create("argmax")
            >>> argmax(logits).landmarks, argmax.for_network(largest_empty=-torch.inf)(logits).landmarks
            (tensor([[[-1., -1.]]]), tensor([[[1., 0.]]]))
        """
        if self.chain is not None or largest_empty == self.largest_empty:
            return self
        decoder = copy(self)
        decoder.largest_empty = largest_empty
        return decoder

    def __repr__(self) -> str:
        """Return the spec in angle brackets."""
        return f"<decoder {self.spec}>"

    def __call__(self, outputs: Tensor | Mapping[str, Tensor]) -> Decoded:
        """Decode a batch.

        Args:
            outputs: the heatmaps ``[N, K, H, W]``, or a network's outputs by name. Any floating type, layout and
                device; never changed.

        Returns:
            landmarks ``[N, K, 2]`` in heatmap px, scores ``[N, K]`` and counts.

        Raises:
            DecoderError: an output that the decoder needs is missing, or has another shape or type.
        """
        with torch.no_grad():
            return self.decode(self._select_outputs(outputs))

    @abstractmethod
    def decode(self, outputs: Mapping[str, Tensor]) -> Decoded:
        """Decode the outputs that ``needs`` names; their types have been checked, their shapes have not."""

    def draw(self, centres: Tensor, height: int, width: int, sigma: float = 2.0) -> dict[str, Tensor]:
        """Return the ideal outputs for landmarks at ``centres`` ``[N, K, 2]`` heatmap px, which the contract decodes.

        Args:
            centres: heatmap px.
            height: of the maps, px.
            width: of the maps, px.
            sigma: of the Gaussians, px.
        """
        return {name: gaussians(centres, height, width, sigma) for name in self.needs}

    def mirror(self, outputs: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], float]:
        """Return the outputs for the mirrored image, and the ``span``: a landmark at x is then at ``span - x``.

        Columns are reversed; left and right landmarks are not swapped.
        """
        flipped = {name: value.flip(-1) for name, value in outputs.items()}
        return flipped, outputs[self.needs[0]].shape[-1] - 1.0

    def _select_outputs(self, outputs: Tensor | Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the outputs that ``needs`` names; DecoderError where one is missing or not a floating tensor."""
        if isinstance(outputs, Tensor):
            if len(self.needs) != 1:
                raise DecoderError(f"{self.name} needs the outputs {', '.join(self.needs)} by name; it got one tensor")
            outputs = {self.needs[0]: outputs}
        elif not isinstance(outputs, Mapping):
            raise DecoderError(
                f"{self.name} decodes a torch tensor or a mapping of named tensors, not {type(outputs).__name__}"
            )
        found = {}
        for name in self.needs:
            if name not in outputs:
                given = ", ".join(outputs) or "none"
                hint = did_you_mean(name, list(outputs))
                raise DecoderError(f"{self.name} needs the output {name!r}; the network gave {given}{hint}")
            value = outputs[name]
            if not isinstance(value, Tensor):
                raise DecoderError(f"{self.name}: {name} is a {type(value).__name__}, not a torch tensor")
            if not value.is_floating_point():
                raise DecoderError(f"{self.name}: {name} is {value.dtype}; a decoder reads floating-point values")
            found[name] = value.detach()
        return found


class HeatmapDecoder(Decoder):
    """A decoder that starts from the maximum of each map; a subclass implements ``refine``.

    Example:
        >>> import torch
        >>> class Corner(HeatmapDecoder):
        ...     '''The corner of the maximum's pixel.'''
        ...
        ...     name, source, bound = "corner", "an example", 1.5
        ...
        ...     def refine(self, maps, maxima):
        ...         return maxima.xy - 0.5
        >>> heatmaps = torch.zeros(1, 1, 4, 5)
        >>> heatmaps[0, 0, 2, 3] = 1.0
        >>> Corner()(heatmaps).landmarks
        tensor([[[2.5000, 1.5000]]])
    """

    chunk_bytes: ClassVar[int] = 1 << 26
    """Bytes of float32 heatmaps that are decoded at a time on a CPU: small enough to bound the memory of intermediate
    results, large enough to hide the cost of torch's calls."""

    @property
    def window_radius(self) -> int:
        """Pixels on either side of the maximum that ``refine`` finds in ``maxima.window``."""
        return 0

    @abstractmethod
    def refine(self, maps: Tensor, maxima: Maxima) -> Tensor | tuple[Tensor, dict[str, int]]:
        """Return landmarks in heatmap px.

        Args:
            maps: ``[M, H, W]`` float32, contiguous; must not be changed.
            maxima: of the maps, with windows of ``window_radius``.

        Returns:
            landmarks ``[M, 2]``, or (landmarks, counts) with the names of ``count_names``. The base class replaces the
            landmarks where ``maxima.valid`` is false.
        """

    def find_maxima(self, maps: Tensor) -> Maxima:
        """Return the maxima that ``refine`` starts from, with windows of ``window_radius``."""
        return find_maxima(maps, self.window_radius)

    def locate(self, maps: Tensor, counts: Counter[str]) -> tuple[Tensor, Tensor]:
        """Return landmarks ``[M, 2]`` and scores ``[M]`` of maps ``[M, H, W]``; empty and invalid maps come later."""
        maxima = replace(self.find_maxima(maps), largest_empty=self.largest_empty)
        found = self.refine(maps, maxima)
        if isinstance(found, tuple):
            found, own = found
            counts.update(own)
        return found, maxima.score

    def decode(self, outputs: Mapping[str, Tensor]) -> Decoded:
        """Decode the output that ``needs`` names, maps ``[N, K, H, W]``, a chunk of faces at a time.

        Raises:
            DecoderError: the maps have another shape.
        """
        heatmaps = outputs[self.needs[0]]
        check_heatmaps(self.name, heatmaps)
        faces, points, height, width = heatmaps.shape
        landmarks = torch.empty((faces, points, 2), dtype=torch.float32, device=heatmaps.device)
        scores = torch.empty((faces, points), dtype=torch.float32, device=heatmaps.device)
        counts: Counter[str] = Counter(dict.fromkeys(("empty", "invalid", *self.count_names), 0))
        if landmarks.numel() == 0:
            return Decoded(landmarks, scores, dict(counts))
        size = self.chunk_bytes if heatmaps.device.type == "cpu" else max(self.chunk_bytes, 1 << 28)
        if heatmaps.dtype != torch.float32 or not heatmaps.is_contiguous():
            size = min(size, CONVERSION_BYTES)
        step = max(1, size // (points * height * width * 4))
        for start in range(0, faces, step):
            # No copy of the usual contiguous float32 maps; other types and layouts are converted one chunk at a time.
            part = heatmaps[start : start + step].to(torch.float32).contiguous().view(-1, height, width)
            xy, score = mask_undecodable(*self.locate(part, counts), counts, self.largest_empty)
            landmarks[start : start + step] = xy.view(-1, points, 2)
            scores[start : start + step] = score.view(-1, points)
        return Decoded(landmarks, scores, dict(counts))


def mask_undecodable(
    landmarks: Tensor, score: Tensor, counts: Counter[str], largest_empty: float = 0.0
) -> tuple[Tensor, Tensor]:
    """Replace the landmarks of empty and invalid maps by (-1, -1), and count them.

    Args:
        landmarks: ``[M, 2]`` heatmap px.
        score: ``[M]``, the maximum of each map.
        counts: adds to ``empty`` (maximum <= ``largest_empty``) and ``invalid`` (NaN, infinity, or a landmark that
            isn't finite).
        largest_empty: the largest maximum of an empty map; 0 as in mmpose.

    Returns:
        landmarks float32 and scores, both finite.

    Example:
        >>> import torch
        >>> counts = Counter()
        >>> mask_undecodable(torch.tensor([[3.0, 2.0], [5.0, 5.0]]), torch.tensor([0.5, 0.0]), counts)
        (tensor([[ 3.,  2.],
                [-1., -1.]]), tensor([0.5000, 0.0000]))
        >>> counts["empty"], counts["invalid"]
        (1, 0)
    """
    landmarks = landmarks.to(torch.float32)
    finite = torch.isfinite(score)
    good = finite & (score > largest_empty) & torch.isfinite(landmarks).all(dim=-1)
    if bool(good.all()):
        return landmarks, score
    empty = score <= largest_empty
    counts["empty"] += int(empty.sum())
    counts["invalid"] += int((~good & ~empty).sum())
    return landmarks.masked_fill(~good[:, None], -1.0), score.masked_fill(~finite, 0.0)


def check_heatmaps(owner: str, heatmaps: Tensor) -> None:
    """Check that heatmaps are ``[N, K, H, W]`` with at least one pixel per map.

    Raises:
        DecoderError: they are not; the message starts with ``owner``, the decoder's name.
    """
    if heatmaps.dim() != 4:
        raise DecoderError(f"{owner}: heatmaps has the shape {list(heatmaps.shape)}; it should be [N, K, H, W]")
    if 0 in heatmaps.shape[2:]:
        raise DecoderError(f"{owner}: heatmaps has the shape {list(heatmaps.shape)}, maps without a pixel")


def gaussians(centres: Tensor, height: int, width: int, sigma: float) -> Tensor:
    """Draw unbiased Gaussians with peak 1.

    Args:
        centres: ``[N, K, 2]`` (x, y), heatmap px.
        height: of the maps, px.
        width: of the maps, px.
        sigma: px.

    Returns:
        ``[N, K, H, W]`` float32.

    Example:
        >>> import torch
        >>> gaussians(torch.tensor([[[1.0, 0.0]]]), height=2, width=3, sigma=0.5)
        tensor([[[[0.1353, 1.0000, 0.1353],
                  [0.0183, 0.1353, 0.0183]]]])
    """
    centres = centres.to(torch.float64)
    columns = torch.arange(width, dtype=torch.float64, device=centres.device) - centres[..., :1]
    rows = torch.arange(height, dtype=torch.float64, device=centres.device) - centres[..., 1:]
    exponent = -0.5 / sigma**2
    drawn = torch.exp(exponent * rows**2)[..., :, None] * torch.exp(exponent * columns**2)[..., None, :]
    return drawn.to(torch.float32)
