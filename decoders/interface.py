"""What a decoder is: from a network's named outputs to landmarks in heatmap pixels.

A heatmap decoder is a subclass of :class:`HeatmapDecoder` with one method, ``refine``; the base reads and checks the
outputs, finds the maxima, keeps memory bounded and answers empty and invalid maps the same way for all.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import torch
from torch import Tensor

from decoders.errors import DecoderError
from decoders.options import Option, Value, canonical, nearest, parse
from decoders.peak import Peaks, find_peaks

__all__ = ["Convention", "Decoded", "Decoder", "DecoderInfo", "HeatmapDecoder", "gaussians"]

Convention = Literal["stride", "udp", "hrnet", "half-pixel"]

CONVERTED = 1 << 24
"""Bytes of float32 copies of other types and layouts at a time."""


@dataclass(frozen=True)
class Decoded:
    """What a decoder found; unpacks as ``landmarks, scores``."""

    landmarks: Tensor
    """``[N, K, 2]`` float32 (x, y), heatmap px; (-1, -1) where a map was empty or invalid. Never NaN."""
    scores: Tensor
    """``[N, K]`` float32, the map's maximum; 0 where that isn't finite."""
    counts: dict[str, int] = field(default_factory=dict)
    """Numbers of landmarks that add up over a run: ``empty`` (maximum <= 0), ``invalid`` (NaN or infinity), and
    the decoder's own."""

    def __iter__(self) -> Iterator[Tensor]:
        """Landmarks, then scores."""
        return iter((self.landmarks, self.scores))


@dataclass(frozen=True)
class DecoderInfo:
    """A decoder, described for lists and reports."""

    name: str
    summary: str
    source: str
    options: Mapping[str, Option]
    needs: tuple[str, ...]
    convention: Convention
    bound: float
    origin: str
    """``built-in``, or the distribution that brings the plug-in."""


class Decoder(ABC):
    """A decoder with its options fixed. The first line of a subclass's docstring is its summary."""

    name: ClassVar[str]
    """The registered name."""
    source: ClassVar[str]
    """Where the definition comes from: a paper's section or a repository's file."""
    schema: ClassVar[Mapping[str, Option]] = {}
    """The options that the decoder takes."""
    needs: ClassVar[tuple[str, ...]] = ("heatmaps",)
    """Names of the network outputs that it reads."""
    convention: ClassVar[Convention] = "stride"
    """How its heatmap px become input px: ``stride`` x * input / heatmap, ``udp`` x * (input - 1) / (heatmap - 1),
    ``hrnet`` trunc(to_image(x + 0.5)) + 1, whole image pixels as in the official code."""
    own_half_pixel: ClassVar[bool] = False
    """Whether its landmarks already contain the half pixel of a grid with half-pixel centres."""
    bound: ClassVar[float]
    """Largest error in heatmap px on clean Gaussians (64 x 64, sigma 2, 10 px from the border); contract-tested."""
    exempt: ClassVar[Mapping[str, str]] = {}
    """Contract checks that the definition itself can't pass, each with the reason."""
    counted: ClassVar[tuple[str, ...]] = ()
    """Names of its own counts."""

    def __init__(self, **options: object) -> None:
        """Check the options.

        Raises:
            DecoderError: an unknown option or a value that isn't allowed.
        """
        self.options: dict[str, Value] = parse(self.name, self.schema, options)

    @property
    def spec(self) -> str:
        """Canonical text, ``name:key=value,...``: options that differ from their default, sorted."""
        return canonical(self.name, self.schema, self.options)

    def convention_for(self, grid: Convention | None) -> Convention:
        """How its landmarks become input px where the network's maps are on ``grid``; None: the network doesn't say.

        A decoder with a convention or a half pixel of its own keeps it.
        """
        if grid is None or self.convention != "stride" or self.own_half_pixel:
            return self.convention
        return grid

    def __repr__(self) -> str:
        """The decoder as ``from_spec`` would read it."""
        return f"<decoder {self.spec}>"

    def __call__(self, outputs: Tensor | Mapping[str, Tensor]) -> Decoded:
        """Decode a batch.

        Args:
            outputs: the heatmaps ``[N, K, H, W]``, or a network's outputs by name. Any floating type, layout and
                device; never changed.

        Raises:
            DecoderError: an output that the decoder needs is missing, or isn't of its shape or type.
        """
        with torch.no_grad():
            return self.decode(self._read(outputs))

    @abstractmethod
    def decode(self, outputs: Mapping[str, Tensor]) -> Decoded:
        """Decode the checked outputs that ``needs`` names."""

    def draw(self, centres: Tensor, height: int, width: int, sigma: float = 2.0) -> dict[str, Tensor]:
        """The ideal outputs for landmarks at ``centres`` ``[N, K, 2]`` heatmap px; what the contract tests with."""
        return {name: gaussians(centres, height, width, sigma) for name in self.needs}

    def mirror(self, outputs: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], float]:
        """The outputs as a network would give them for the mirrored face (columns reversed, points not swapped), and
        the ``span``: a landmark at x is then at ``span - x``.
        """
        flipped = {name: value.flip(-1) for name, value in outputs.items()}
        return flipped, outputs[self.needs[0]].shape[-1] - 1.0

    def _read(self, outputs: Tensor | Mapping[str, Tensor]) -> dict[str, Tensor]:
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
                hint = nearest(name, list(outputs))
                raise DecoderError(f"{self.name} needs the output {name!r}; the network gave {given}{hint}")
            value = outputs[name]
            if not isinstance(value, Tensor):
                raise DecoderError(f"{self.name}: {name} is a {type(value).__name__}, not a torch tensor")
            if not value.is_floating_point():
                raise DecoderError(f"{self.name}: {name} is {value.dtype}; a decoder reads floating-point values")
            found[name] = value.detach()
        return found


class HeatmapDecoder(Decoder):
    """A decoder that moves from each map's maximum: a subclass gives ``refine``."""

    slab: ClassVar[int] = 1 << 26
    """Bytes of float32 heatmaps that are decoded at a time on a CPU: bounds the memory of intermediate results, and is
    large enough to hide torch's call costs."""

    @property
    def reach(self) -> int:
        """Pixels on either side of the maximum that ``refine`` finds in ``peaks.window``."""
        return 0

    @abstractmethod
    def refine(self, maps: Tensor, peaks: Peaks) -> Tensor | tuple[Tensor, dict[str, int]]:
        """Landmarks ``[M, 2]`` in heatmap px of maps ``[M, H, W]`` (float32, contiguous, not to be changed).

        Where ``peaks.valid`` is false the answer is replaced, so it needs no care there. A decoder that counts
        something gives (landmarks, counts), with the names of ``counted``.
        """

    def find(self, maps: Tensor) -> Peaks:
        """Where ``refine`` starts: the maxima, with windows of ``reach``."""
        return find_peaks(maps, self.reach)

    def locate(self, maps: Tensor, counts: Counter[str]) -> tuple[Tensor, Tensor]:
        """Landmarks ``[M, 2]`` and scores ``[M]`` of maps ``[M, H, W]``, before empty and invalid maps are seen to."""
        peaks = self.find(maps)
        found = self.refine(maps, peaks)
        if isinstance(found, tuple):
            found, own = found
            counts.update(own)
        return found, peaks.score

    def decode(self, outputs: Mapping[str, Tensor]) -> Decoded:
        """Decode ``heatmaps`` ``[N, K, H, W]`` slab by slab."""
        heatmaps = outputs["heatmaps"]
        check_heatmaps(self.name, heatmaps)
        faces, points, height, width = heatmaps.shape
        landmarks = torch.empty((faces, points, 2), dtype=torch.float32, device=heatmaps.device)
        scores = torch.empty((faces, points), dtype=torch.float32, device=heatmaps.device)
        counts: Counter[str] = Counter(dict.fromkeys(("empty", "invalid", *self.counted), 0))
        if landmarks.numel() == 0:
            return Decoded(landmarks, scores, dict(counts))
        size = self.slab if heatmaps.device.type == "cpu" else max(self.slab, 1 << 28)
        if heatmaps.dtype != torch.float32 or not heatmaps.is_contiguous():
            size = min(size, CONVERTED)
        step = max(1, size // (points * height * width * 4))
        for start in range(0, faces, step):
            # A no-op for the usual float32 maps; other types and layouts are converted a slab at a time.
            part = heatmaps[start : start + step].to(torch.float32).contiguous().view(-1, height, width)
            xy, score = settle(*self.locate(part, counts), counts)
            landmarks[start : start + step] = xy.view(-1, points, 2)
            scores[start : start + step] = score.view(-1, points)
        return Decoded(landmarks, scores, dict(counts))


def settle(landmarks: Tensor, score: Tensor, counts: Counter[str]) -> tuple[Tensor, Tensor]:
    """The documented answer for maps that hold no landmark: (-1, -1), counted.

    Args:
        landmarks: ``[M, 2]`` heatmap px.
        score: ``[M]`` the map's maximum.
        counts: ``empty`` (maximum <= 0, as in mmpose) and ``invalid`` (NaN, infinity, or no finite answer) grow.

    Returns:
        Landmarks float32 and scores, both finite.
    """
    landmarks = landmarks.to(torch.float32)
    finite = torch.isfinite(score)
    good = finite & (score > 0) & torch.isfinite(landmarks).all(dim=-1)
    if bool(good.all()):
        return landmarks, score
    empty = score <= 0
    counts["empty"] += int(empty.sum())
    counts["invalid"] += int((~good & ~empty).sum())
    return landmarks.masked_fill(~good[:, None], -1.0), score.masked_fill(~finite, 0.0)


def check_heatmaps(owner: str, heatmaps: Tensor, name: str = "heatmaps") -> None:
    """Refuse what isn't ``[N, K, H, W]`` with pixels."""
    if heatmaps.dim() != 4:
        raise DecoderError(f"{owner}: {name} has the shape {list(heatmaps.shape)}; it should be [N, K, H, W]")
    if 0 in heatmaps.shape[2:]:
        raise DecoderError(f"{owner}: {name} has the shape {list(heatmaps.shape)}, maps without a pixel")


def gaussians(centres: Tensor, height: int, width: int, sigma: float) -> Tensor:
    """Unbiased Gaussians with peak 1, ``[N, K, H, W]`` float32, at ``centres`` ``[N, K, 2]`` heatmap px."""
    at = centres.to(torch.float64)
    columns = torch.arange(width, dtype=torch.float64, device=at.device) - at[..., :1]
    rows = torch.arange(height, dtype=torch.float64, device=at.device) - at[..., 1:]
    exponent = -0.5 / sigma**2
    drawn = torch.exp(exponent * rows**2)[..., :, None] * torch.exp(exponent * columns**2)[..., None, :]
    return drawn.to(torch.float32)
