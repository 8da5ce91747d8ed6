"""Heatmap networks on timm's backbones, 256x256 in and 64x64 out, all with one light head."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import timm
from torch import Tensor, nn

from models.errors import ModelError
from models.heatmap_head import Deconvolutions, HeatmapHead
from models.hrnet import bilinear_fusion

__all__ = ["TimmHeatmap", "bound", "features", "hrnet_small", "mobilenetv3", "resnet10_deconv"]

STRIDE = 4
"""Input px a heatmap px."""


class TimmHeatmap(nn.Module):
    """A timm backbone, optional deconvolutions on its last map, and the light head.

    ``[N, 3, H, W]`` (normalised as the card says) -> ``{"heatmaps": [N, K, H/4, W/4]}``. Without
    deconvolutions the head fuses every map of stride 4 or more. The backbone starts from random numbers:
    nothing is downloaded.

    Raises:
        ModelError: timm can't give this backbone's feature maps.
    """

    reads = "images"

    def __init__(
        self,
        backbone: str,
        *,
        points: int = 98,
        width: int = 64,
        deconvolutions: Sequence[int] = (),
        **backbone_options: Any,
    ) -> None:
        """With random weights; ``width`` is the head's, ``backbone_options`` are timm's."""
        super().__init__()
        if points < 1 or width < 1:
            raise ModelError(f"points={points} and width={width} must be at least 1")
        self.backbone = features(backbone, **backbone_options)
        bilinear_fusion(self.backbone)
        strides = self.backbone.feature_info.reduction()
        channels = self.backbone.feature_info.channels()
        if deconvolutions:
            if strides[-1] != STRIDE * 2 ** len(deconvolutions):
                raise ModelError(
                    f"{len(deconvolutions)} deconvolutions bring stride {strides[-1]} of {backbone} to"
                    f" {strides[-1] / 2 ** len(deconvolutions):g}, not to {STRIDE}"
                )
            self._taps: tuple[int, ...] = (len(strides) - 1,)
            self.neck: nn.Module = Deconvolutions(channels[-1], deconvolutions)
            self.head = HeatmapHead([deconvolutions[-1]], points, width=width)
        else:
            self._taps = tuple(i for i, stride in enumerate(strides) if stride >= STRIDE)
            if not self._taps:
                raise ModelError(f"{backbone} gives no map of stride {STRIDE} or more (it has {strides})")
            self.neck = nn.Identity()
            self.head = HeatmapHead([channels[i] for i in self._taps], points, width=width)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """``[N, 3, H, W]`` -> ``{"heatmaps": [N, K, H/4, W/4]}``."""
        maps = self.backbone(images)
        if getattr(self.backbone, "output_fmt", "NCHW") == "NHWC":  # the Swin family
            maps = [m.permute(0, 3, 1, 2) for m in maps]
        size = (images.shape[-2] // STRIDE, images.shape[-1] // STRIDE)
        return {"heatmaps": self.head([self.neck(maps[i]) for i in self._taps], size)}


def features(name: str, **options: Any) -> Any:
    """The backbone's feature extractor, with random weights."""
    if name.startswith("hrnet"):
        # '' takes the four branches as they are; timm's default appends part of the classifier to each.
        options = {"feature_location": "", "out_indices": (1, 2, 3, 4), **options}
    try:
        return timm.create_model(name, pretrained=False, features_only=True, **options)
    except (RuntimeError, TypeError, ValueError, AttributeError, AssertionError) as error:
        line = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelError(f"timm's {name} gives no feature maps that a heatmap head can use: {line}") from error


def bound(backbone: str) -> Callable[..., TimmHeatmap]:
    """The factory for one timm backbone by name."""

    def network(*, points: int = 98, width: int = 64, input_size: int = 256) -> TimmHeatmap:
        fixed = timm.get_pretrained_cfg(backbone, allow_unregistered=True)
        # Some transformers are built for one input size and refuse others.
        sized: dict[str, Any] = {"img_size": input_size} if fixed is not None and fixed.fixed_input_size else {}
        return TimmHeatmap(backbone, points=points, width=width, **sized)

    network.__doc__ = f"timm's {backbone} with the light heatmap head."
    return network


def hrnet_small(*, points: int = 98, width: int = 64) -> TimmHeatmap:
    """A small HRNet: four branches at strides 4 to 32, fused at stride 4 as in HRNetV2, bilinear throughout."""
    return TimmHeatmap("hrnet_w18_small", points=points, width=width)


def mobilenetv3(*, points: int = 98, width: int = 64) -> TimmHeatmap:
    """A mobile network: MobileNetV3-small, its maps at strides 4, 8, 16 and 32 fused at stride 4."""
    return TimmHeatmap("mobilenetv3_small_100", points=points, width=width)


def resnet10_deconv(*, points: int = 98, width: int = 64) -> TimmHeatmap:
    """SimpleBaseline at a small budget: a slim ResNet-10-T and three deconvolutions of 96 channels."""
    return TimmHeatmap(
        "resnet10t",
        points=points,
        width=width,
        deconvolutions=(96, 96, 96),
        channels=(48, 96, 192, 320),
        out_indices=(4,),
    )
