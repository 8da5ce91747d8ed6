"""The maps between heatmap px, input px and image px, in float64; the matrices of crops are beside it in ``warp``.

A pixel's centre has integer coordinates. Networks differ in how they are fed (the crop's convention) and in how their
heatmap px relate to input px (the grid):

``stride``
    ``input = heatmap * input_size / heatmap_size``: mmpose (0.x ``transform_preds``, 1.x ``MSRAHeatmap``).
``udp``
    ``input = heatmap * (input_size - 1) / (heatmap_size - 1)``: Huang et al., CVPR 2020. A ``udp`` crop maps the box to
    ``input_size - 1`` px.
``half-pixel``
    ``input = (heatmap + 0.5) * input_size / heatmap_size - 0.5``: both grids cover the same square, as a resize with
    half-pixel centres does (``align_corners=False``).

Other code bases have maps of their own (:class:`nmebench.protocol.Chain`), which the presets among the decoders use.
``docs/coordinates.md`` explains how the maps compose, with a worked example.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nmebench.errors import InputError
from nmebench.grids import grid_map
from nmebench.protocol import CHAIN_MAPS, CROP_CONVENTIONS, GRIDS, Chain, CropConvention, Grid
from nmebench.suggest import unknown

__all__ = ["Geometry", "mirror"]

Points = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Geometry:
    """The boxes of N faces, the crop and the heatmaps of a network.

    Landmarks are ``[N, K, 2]``, (x, y).

    Raises:
        InputError: the crop's convention or the grid is unknown.

    Example:
        >>> geometry = Geometry([[300, 200]], [[320, 320]], (256, 256), heatmap_size=(64, 64))
        >>> geometry.image_to_input([[[321.25, 180.0]]]).tolist()
        [[[145.0, 112.0]]]
        >>> geometry.image_to_heatmap([[[321.25, 180.0]]]).tolist()
        [[[36.25, 28.0]]]
        >>> geometry.to_image([[[36.25, 28.0]]]).tolist()
        [[[321.25, 180.0]]]
    """

    centre: ArrayLike
    """``[N, 2]`` centres of the boxes, image px; float64 after the initialisation."""
    size: ArrayLike
    """``[N, 2]`` sizes of the padded boxes, image px; float64 after the initialisation."""
    input_size: tuple[int, int]
    """Width, height of the crop in input px."""
    crop: CropConvention = "stride"
    """One of :data:`nmebench.protocol.CROP_CONVENTIONS`; a model card's ``input.convention``."""
    grid: Grid = "stride"
    """One of :data:`nmebench.protocol.GRIDS`; a model card's ``output.grid``."""
    heatmap_size: tuple[int, int] | None = None
    """Width, height of the heatmaps; None for a network whose decoders give input px, such as SimCC's."""

    def __post_init__(self) -> None:
        """Check the names and convert the boxes to arrays."""
        if self.crop not in CROP_CONVENTIONS:
            raise InputError(unknown("crop convention", self.crop, CROP_CONVENTIONS))
        if self.grid not in GRIDS:
            raise InputError(unknown("grid", self.grid, GRIDS))
        for name in ("centre", "size"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=np.float64).reshape(-1, 2))

    @classmethod
    def of_input(
        cls, input_size: tuple[int, int], *, grid: Grid = "stride", heatmap_size: tuple[int, int] | None = None
    ) -> Geometry:
        """Return the geometry of a crop alone: image px are its input px.

        Example:
            >>> Geometry.of_input((256, 256), grid="udp", heatmap_size=(64, 64)).heatmap_to_input([[63, 0]]).tolist()
            [[255.0, 0.0]]
        """
        width, height = input_size
        return cls([[width / 2, height / 2]], [[width, height]], input_size, grid=grid, heatmap_size=heatmap_size)

    def take(self, rows: NDArray[np.integer] | list[int]) -> Geometry:
        """Return the geometry of some faces, by their positions."""
        return replace(self, centre=self._centre[rows], size=self._size[rows])

    def with_heatmaps(self, size: tuple[int, int] | None) -> Geometry:
        """Return this geometry for heatmaps of (width, height) ``size``."""
        return replace(self, heatmap_size=size)

    def box(self, row: int) -> tuple[Points, Points]:
        """Return centre and size ``[2]`` of one face's box, image px."""
        return self._centre[row], self._size[row]

    def image_to_input(self, landmarks: ArrayLike) -> Points:
        """Map image px to input px, ``[N, K, 2]``: the inverse of :meth:`input_to_image`."""
        corner, scale = self._box()
        half = self._crop_half
        points = np.asarray(landmarks, dtype=np.float64) - corner + half
        return points * (self._intervals(self.crop, "input") / scale) - half

    def input_to_image(self, landmarks: ArrayLike, chain: Chain | None = None) -> Points:
        """Map input px to image px, ``[N, K, 2]``: ``input * size / input_size + centre - size / 2``.

        The ``udp`` crop divides by ``input_size - 1``; the ``half-pixel`` crop adds 0.5 to the input px and subtracts
        0.5 from the image px.

        Args:
            landmarks: input px.
            chain: the map of a preset, which replaces the crop's convention by ``stride``; ``official-hrnet`` also
                truncates. None for the crop's convention.
        """
        corner, scale = self._box()
        convention = self.crop if chain is None else "stride"
        half = self._crop_half if chain is None else 0.0
        points = np.asarray(landmarks, dtype=np.float64) + half
        image: Points = points * (scale / self._intervals(convention, "input")) + corner - half
        return np.trunc(image) + 1.0 if chain is not None and chain.map == "official-hrnet" else image

    def input_to_heatmap(self, landmarks: ArrayLike) -> Points:
        """Map input px to heatmap px, ``[..., 2]``: the inverse of :meth:`heatmap_to_input`."""
        points = np.asarray(landmarks, dtype=np.float64)
        if self.heatmap_size is None:
            return points
        scale, half = self._grid_map()
        return (points + half) / scale - half

    def heatmap_to_input(self, landmarks: ArrayLike, chain: Chain | None = None) -> Points:
        """Map heatmap px to input px, ``[..., 2]``.

        Args:
            landmarks: heatmap px; input px if ``heatmap_size`` is None.
            chain: the map of a preset; None for the grid. The input px of ``mmpose-udp`` are those of mmpose's codec,
                which multiplies by ``input_size / (heatmap_size - 1)``. For ``official-hrnet`` the result is the
                continuous part of the map; the truncation happens in image px, see :meth:`to_image`.

        Raises:
            InputError: the chain's map is unknown.
        """
        points = np.asarray(landmarks, dtype=np.float64)
        if self.heatmap_size is None:
            return points
        if chain is None:
            scale, half = self._grid_map()
            return (points + half) * scale - half
        if chain.map not in CHAIN_MAPS:
            raise InputError(unknown("map of a chain", chain.map, CHAIN_MAPS))
        if chain.map == "mmpose-udp":
            return points / self._intervals("udp", "heatmap") * self._intervals("stride", "input")
        half = 0.5 if chain.map == "official-hrnet" else 0.0
        return (points + half) * (self._intervals("stride", "input") / self._intervals("stride", "heatmap"))

    def image_to_heatmap(self, landmarks: ArrayLike) -> Points:
        """Map image px to heatmap px, ``[N, K, 2]``."""
        return self.input_to_heatmap(self.image_to_input(landmarks))

    def to_image(self, landmarks: ArrayLike, chain: Chain | None = None) -> Points:
        """Map decoded landmarks from heatmap px to image px.

        Args:
            landmarks: ``[N, K, 2]`` heatmap px; input px if ``heatmap_size`` is None.
            chain: the map of a preset, which replaces the grid and the crop's convention; None for those.

        Returns:
            ``[N, K, 2]`` image px; whole numbers for ``official-hrnet``.

        Example:
            >>> geometry = Geometry([[300, 200]], [[320, 320]], (256, 256), heatmap_size=(64, 64))
            >>> geometry.to_image([[[36.25, 28.0]]], Chain("official-hrnet", None)).tolist()
            [[[324.0, 183.0]]]
        """
        return self.input_to_image(self.heatmap_to_input(landmarks, chain), chain)

    def mirror(self, landmarks: ArrayLike, flip: ArrayLike) -> Points:
        """Return landmarks in input px as the mirrored crop shows them, see :func:`mirror`."""
        return mirror(landmarks, flip, self.input_size[0])

    def mirror_width(self, chain: Chain | None = None) -> int:
        """Return the w of the mirror image x -> w - 1 - x in input px.

        Args:
            chain: the map of a preset. The input px of ``mmpose-udp`` are W / (W - 1) times as many as the crop's, so
                the mirror image of x is W - x in them.

        Example:
            >>> geometry = Geometry.of_input((256, 256))
            >>> geometry.mirror_width(), geometry.mirror_width(Chain("mmpose-udp", "udp"))
            (256, 257)
        """
        return self.input_size[0] + (1 if chain is not None and chain.map == "mmpose-udp" else 0)

    def view_matrix(
        self,
        row: int = 0,
        *,
        degrees: float = 0.0,
        zoom: float = 1.0,
        shift: tuple[float, float] = (0.0, 0.0),
        mirrored: bool = False,
    ) -> Points:
        """Return the float64 matrix ``[2, 3]`` from image px to input px of one face, with a random view's changes.

        Args:
            row: position of the face.
            degrees: rotation about the box's centre, positive from the x axis towards the y axis.
            zoom: factor of the box; above 1 the face gets smaller.
            shift: of the box's centre, as a fraction of its width.
            mirrored: mirror the crop left to right, ``x -> W - 1 - x``.

        Example:
            >>> Geometry([[300, 200]], [[320, 320]], (256, 256)).view_matrix().tolist()
            [[0.8, -0.0, -112.0], [0.0, 0.8, -32.0]]
        """
        intervals = self._intervals(self.crop, "input")
        width = self._size[row, 0]
        angle = np.deg2rad(degrees)
        rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        turn = (intervals / (self._size[row] * zoom))[:, None] * rotation
        pivot = self._centre[row] + np.asarray(shift) * width - self._crop_half
        matrix = np.column_stack([turn, intervals / 2 - self._crop_half - turn @ pivot])
        if mirrored:
            matrix[0] = -matrix[0]
            matrix[0, 2] += self.input_size[0] - 1
        return matrix

    def heatmap_matrix(self, row: int = 0) -> Points:
        """Return the matrix ``[2, 3]`` from image px to heatmap px of one face."""
        (left, top), (right, bottom) = self.take([row]).image_to_heatmap([[[0.0, 0.0], [1.0, 1.0]]])[0]
        return np.array([[right - left, 0.0, left], [0.0, bottom - top, top]])

    @property
    def _crop_half(self) -> float:
        """Return the half pixel of the crop's convention."""
        return 0.5 if self.crop == "half-pixel" else 0.0

    @property
    def _centre(self) -> Points:
        return np.asarray(self.centre)

    @property
    def _size(self) -> Points:
        return np.asarray(self.size)

    def _box(self) -> tuple[Points, Points]:
        """Return the boxes' upper left corners and sizes, ``[N, 1, 2]`` image px."""
        size = self._size[:, None]
        return self._centre[:, None] - size / 2, size

    def _grid_map(self) -> tuple[Points, float]:
        """Return [2] input px per heatmap px of the grid, and its half pixel; there must be heatmaps."""
        scale, half = grid_map(self.grid, heatmap_size=self._side("heatmap"), input_size=self.input_size)
        return np.asarray(scale), half

    def _side(self, which: str) -> tuple[int, int]:
        """Return (width, height) of the input or of the heatmaps."""
        if which == "input":
            return self.input_size
        if self.heatmap_size is None:
            raise InputError("this geometry has no heatmaps; give heatmap_size")
        return self.heatmap_size

    def _intervals(self, convention: str, which: str) -> Points:
        """Return [2] the sides in pixels, or for ``udp`` in intervals between the pixels' centres."""
        return np.asarray(self._side(which), dtype=np.float64) - (1.0 if convention == "udp" else 0.0)


def mirror(landmarks: ArrayLike, flip: ArrayLike, width: int) -> Points:
    """Return the landmarks of the image mirrored left to right: ``x -> width - 1 - x``, then renumbered.

    Args:
        landmarks: ``[..., K, 2]`` px.
        flip: ``[K]``, see :attr:`nmebench.geometry.scheme.Scheme.flip`.
        width: the image's width, px.

    Example:
        >>> mirror([[0.0, 5.0], [9.0, 6.0]], [1, 0], 10).tolist()
        [[0.0, 6.0], [9.0, 5.0]]
    """
    mirrored = np.array(landmarks, dtype=np.float64)[..., np.asarray(flip), :]
    mirrored[..., 0] = (width - 1) - mirrored[..., 0]
    return mirrored
