"""A table of known pitfalls that change a face alignment number, and the ways to test each.

The causes come from public threads by users who could not reach published WFLW numbers. A cause is tested either by
running the sweep again with other settings (``reruns``) or from the landmarks that the run stored (``rescores``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nmebench import boxes
from nmebench.errors import InputError
from nmebench.geometry import Geometry, scheme
from nmebench.protocol import DIRECT
from nmebench.runs.run_record import CellRecord, ModelRecord
from nmebench.runs.run_store import Run

__all__ = ["CAUSES", "Cause", "DeviatingCell", "Overrides", "Rescore"]

Array = NDArray[np.float64]
Overrides = Mapping[str, Any]
"""Fields of a sweep configuration: ``{"box_padding": 1.25}``, ``{"flip": ("flip+shift",)}``."""


@dataclass(frozen=True)
class DeviatingCell:
    """A cell that deviates, and the settings with which it was measured."""

    run: Run
    cell: CellRecord
    model: ModelRecord

    @property
    def configuration(self) -> Mapping[str, Any]:
        """The sweep configuration of the run."""
        return self.run.record.configuration

    @property
    def card_input(self) -> Mapping[str, Any]:
        """The card's ``[input]``."""
        return self.model.card.get("input") or {}

    @property
    def heatmaps(self) -> bool:
        """True when the network outputs heatmaps, False when it outputs landmarks."""
        return self.cell.decoder != DIRECT

    @property
    def reads_images(self) -> bool:
        """True for a network or predictions; False for ``oracle``, which reads the ground truth."""
        return self.model.architecture != "oracle"

    @property
    def default_padding(self) -> float | None:
        """The box rule's default padding; None for a rule without padding or one that isn't installed."""
        try:
            padding = getattr(boxes.create(self.cell.box), "padding", None)
        except InputError:
            return None
        return None if padding is None else float(padding)

    @property
    def padding(self) -> float | None:
        """The padding used in the run."""
        own = self.card_input.get("padding") if self.card_input.get("box") == self.cell.box else None
        return self.configuration.get("box_padding") or own or self.default_padding

    @property
    def colour(self) -> str:
        """The channel order used in the run: ``rgb`` or ``bgr``."""
        return str(self.configuration.get("colour") or self.card_input.get("colour") or "rgb")

    @property
    def fusion(self) -> str | None:
        """The interpolation between HRNet's branches used in the run; None for other networks."""
        if not self.model.architecture.startswith("hrnetv2"):
            return None
        own = (self.model.card.get("options") or {}).get("fusion")
        return str((self.configuration.get("options") or {}).get("fusion") or own or "bilinear")

    @property
    def opencv(self) -> str:
        """OpenCV's version, such as ``4.11.0.86``; empty if it wasn't recorded."""
        packages = self.run.record.provenance.packages
        return next((version for name, version in packages.items() if name.startswith("opencv")), "")


@dataclass(frozen=True)
class Rescore:
    """A test from stored landmarks: its label, landmarks ``[N, K, 2]`` and normaliser ``[N]``, both in image px."""

    label: str
    landmarks: Array
    normaliser: Array


def _no_reruns(_: DeviatingCell) -> tuple[Overrides, ...]:
    return ()


def _no_rescores(_: DeviatingCell) -> tuple[Rescore, ...]:
    return ()


def _no_suspicion(_: DeviatingCell) -> str | None:
    return None


@dataclass(frozen=True)
class Cause:
    """A pitfall and the ways to test it."""

    name: str
    description: str
    source: str
    """The public threads that describe it, or the measurement that found it."""
    reruns: Callable[[DeviatingCell], tuple[Overrides, ...]] = _no_reruns
    """Returns the settings to measure again with."""
    rescores: Callable[[DeviatingCell], tuple[Rescore, ...]] = _no_rescores
    """Returns the changed landmarks or normalisers to score."""
    suspect: Callable[[DeviatingCell], str | None] = _no_suspicion
    """Returns a sentence when the run's record already points to this cause, else None."""
    applies: Callable[[DeviatingCell], bool] = lambda _: True
    """Returns False for cells in which this can't be the cause; they don't list it."""


def _other_paddings(s: DeviatingCell) -> tuple[Overrides, ...]:
    usual = (s.default_padding, 1.25, 1.2, 1.1, 1.0, 1.3, 1.6)
    different = dict.fromkeys(p for p in usual if p is not None and s.padding is not None and abs(p - s.padding) > 1e-9)
    return tuple({"box_padding": padding} for padding in different)


def _other_boxes(s: DeviatingCell) -> tuple[Overrides, ...]:
    return tuple({"boxes": (name,)} for name in boxes.names() if name != s.cell.box)


def _published_flips(s: DeviatingCell) -> tuple[str, ...]:
    """The flip tests of published code. Networks that output landmarks have no heatmaps to average instead."""
    return ("flip+shift", "flip", "flip-coords") if s.heatmaps else ("flip+shift", "flip")


def _other_shift(s: DeviatingCell) -> tuple[Overrides, ...]:
    others = _published_flips(s) if s.cell.flip != "none" else ()
    return tuple({"flip": (other,)} for other in others if other != s.cell.flip)


def _other_flip(s: DeviatingCell) -> tuple[Overrides, ...]:
    others = _published_flips(s) if s.cell.flip == "none" else ("none",)
    return tuple({"flip": (other,)} for other in others)


def _other_fusion(s: DeviatingCell) -> tuple[Overrides, ...]:
    if s.fusion is None:
        return ()
    options = dict(s.configuration.get("options") or {})
    return ({"options": {**options, "fusion": "nearest" if s.fusion == "bilinear" else "bilinear"}},)


def _suspect_fusion(s: DeviatingCell) -> str | None:
    return "this run upsampled by nearest neighbour" if s.fusion == "nearest" else None


def _other_colour(s: DeviatingCell) -> tuple[Overrides, ...]:
    return ({"colour": "bgr" if s.colour == "rgb" else "rgb"},)


def _suspect_opencv(s: DeviatingCell) -> str | None:
    major = s.opencv.partition(".")[0]
    return f"this run used OpenCV {s.opencv}" if major.isdigit() and int(major) >= 5 else None


def _other_decoders(s: DeviatingCell) -> tuple[Overrides, ...]:
    if not s.heatmaps:
        return ()
    usual = ("dark", "quarter-offset", "quarter-offset:rule=mmpose0", "argmax", "dark-udp", "official-hrnet")
    return tuple({"decoders": (name,)} for name in usual if name != s.cell.decoder)


def _geometry(s: DeviatingCell) -> Geometry:
    """The maps of the cell's network for the boxes that the run stored."""
    faces = s.run.faces
    output: Mapping[str, Any] = s.model.card.get("output") or {}
    return Geometry(
        faces.centre,
        faces.size,
        s.model.input_size,
        crop=s.card_input.get("convention") or "stride",
        grid=output.get("grid") or "stride",
        heatmap_size=s.model.heatmap_size if s.heatmaps else None,
    )


def _half_pixel_shifts(s: DeviatingCell) -> tuple[Rescore, ...]:
    """Landmarks moved by half an input or heatmap px; only for the first box rule, as no other boxes are stored."""
    faces = s.run.faces
    if s.cell.box != s.run.record.cells[0].box or min(s.model.input_size) < 2 or not (faces.size > 0).all():
        return ()
    try:
        geometry = _geometry(s)
    except InputError:  # the stored card names a grid or a convention that this version doesn't know
        return ()
    half = np.array([0.5, 0.5])
    offsets = {"half an input px": half}
    if geometry.heatmap_size:
        stride = geometry.heatmap_to_input(2 * half) - geometry.heatmap_to_input(0 * half)
        offsets["half a heatmap px"] = half * stride
        offsets["the half-pixel rule of resizing, (stride - 1) / 2 input px"] = half * (stride - 1)
    landmarks = s.run.landmarks(s.cell.id).astype(np.float64)
    in_image = {
        name: geometry.input_to_image(offset) - geometry.input_to_image(0 * offset)
        for name, offset in offsets.items()
        if offset.any()
    }
    return tuple(
        Rescore(f"landmarks moved by {'' if sign > 0 else '-'}{name}", landmarks + sign * offset, faces.normaliser)
        for name, offset in in_image.items()
        for sign in (1, -1)
    )


def _other_first_pixel(s: DeviatingCell) -> tuple[Rescore, ...]:
    landmarks = s.run.landmarks(s.cell.id).astype(np.float64)
    return tuple(
        Rescore(f"landmarks moved by {step:+g} px in x and y", landmarks + step, s.run.faces.normaliser)
        for step in (1.0, -1.0)
    )


def _truncated_landmarks(s: DeviatingCell) -> tuple[Rescore, ...]:
    landmarks = np.trunc(s.run.landmarks(s.cell.id).astype(np.float64))
    return (Rescore("landmarks truncated to whole image px", landmarks, s.run.faces.normaliser),)


def _other_normalisers(s: DeviatingCell) -> tuple[Rescore, ...]:
    faces, landmarks = s.run.faces, s.run.landmarks(s.cell.id).astype(np.float64)
    lengths = dict(faces.normalisers)
    if not lengths:  # a run of schema 1, which doesn't store annotated boxes either
        try:
            points = scheme.load(s.run.record.dataset.scheme)
        except InputError:
            return ()
        measured = [name for name, rule in points.normalisers.items() if not rule.annotated]
        lengths = {name: scheme.normaliser(points, faces.landmarks, name) for name in measured}
    return tuple(
        Rescore(f"normalised by {name}", landmarks, length)
        for name, length in lengths.items()
        if name != s.run.record.normaliser and bool((length > 0).all())
    )


#: Most likely first.
CAUSES: tuple[Cause, ...] = (
    Cause(
        "box padding",
        "The box is enlarged by another factor than the network was tested with (1.25 in HRNet and mmpose, 1.2 in PFLD "
        "and PIPNet, 1.6 in SPIGA).",
        "open-mmlab/mmpose#1415, HRNet/HRNet-Facial-Landmark-Detection#3",
        reruns=_other_paddings,
    ),
    Cause(
        "box rule",
        "The box has another source: the landmarks, the list's rectangle or the file's centre and scale.",
        "wywu/LAB#26, FengZhenhua/Wing-Loss#15",
        reruns=_other_boxes,
    ),
    Cause(
        "flip shift",
        "The flipped heatmaps are averaged with, or without, the shift by one heatmap px that aligns them "
        "(shift_heatmap in mmpose), or their landmarks are averaged instead (H3R).",
        "leoxiaobin/deep-high-resolution-net.pytorch#22, microsoft/human-pose-estimation.pytorch#69",
        reruns=_other_shift,
        applies=lambda s: s.cell.flip != "none",
    ),
    Cause(
        "bilinear fusion",
        "HRNet's branches are upsampled to each other by nearest neighbour, as in timm, instead of bilinearly, as the "
        "face networks were trained.",
        "measured on mmpose's and timm's HRNetV2-W18",
        reruns=_other_fusion,
        suspect=_suspect_fusion,
        applies=lambda s: s.fusion is not None,
    ),
    Cause(
        "colour order",
        "The network gets BGR images instead of RGB, or RGB instead of BGR.",
        "open-mmlab/mmpose, data preprocessor (bgr_to_rgb)",
        reruns=_other_colour,
        applies=lambda s: s.reads_images,
    ),
    Cause(
        "OpenCV 5",
        "OpenCV 5 interpolates differently: up to a tenth of a crop's values differ by up to 3 levels.",
        "measured on OpenCV 4.11 to 4.14 and 5",
        suspect=_suspect_opencv,
        applies=lambda s: s.reads_images,
    ),
    Cause(
        "half pixel",
        "The map from heatmap to image is off by half a heatmap px or half an input px.",
        "HRNet/HRNet-Facial-Landmark-Detection#63, 1adrianb/face-alignment#141",
        rescores=_half_pixel_shifts,
    ),
    Cause(
        "first pixel",
        "The predictions and the ground truth count the first pixel differently, as 0 and as 1.",
        "300-W's .pts files count from 1, SPIGA's and H3R's copies of them from 0",
        rescores=_other_first_pixel,
        applies=lambda s: s.reads_images,
    ),
    Cause(
        "decoder",
        "The table was made with another decoder, or another rule of the quarter offset.",
        "ilovepose/DarkPose#9, open-mmlab/mmpose#664",
        reruns=_other_decoders,
        applies=lambda s: s.heatmaps,
    ),
    Cause(
        "flip test",
        "The table was made with the flip test, or without.",
        "ilovepose/DarkPose#5",
        reruns=_other_flip,
    ),
    Cause(
        "whole pixels",
        "The table's predictions were truncated to whole image px, as the official HRNet code does.",
        "HRNet/HRNet-Facial-Landmark-Detection#26",
        rescores=_truncated_landmarks,
    ),
    Cause(
        "normaliser",
        "The table divides by another distance: inter-pupil NME is about 1.4 times inter-ocular NME on WFLW.",
        "wywu/LAB#20, guoqiangqi/PFLD#28",
        rescores=_other_normalisers,
    ),
    Cause(
        "weights",
        "The checkpoint differs from the table's: another epoch, another training run, or keys that were renamed "
        "wrongly. Tables often show the epoch that was best on the test set.",
        "ZhenglinZhou/STAR#28, AnthonyF333/FaceLandmark_PFLD_UltraLight#8",
        applies=lambda s: s.reads_images,
    ),
)
