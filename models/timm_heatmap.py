"""Heatmap networks on timm's backbones with one light head: 256x256 input, 64x64 heatmaps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn

from nmebench.models.errors import ModelError
from nmebench.models.heatmap_head import Deconvolutions, HeatmapHead
from nmebench.models.hrnet import bilinear_fusion
from nmebench.models.quick_timm import timm

__all__ = ["TimmHeatmap", "backbone_factory", "feature_extractor", "hrnet_small", "mobilenetv3", "resnet10_deconv"]

STRIDE = 4
"""Input px per heatmap px."""


class TimmHeatmap(nn.Module):
    """A timm backbone, optional deconvolutions on its last map, and the light head.

    Without deconvolutions the head fuses every map of stride 4 or more. The backbone starts from random weights;
    nothing is downloaded.
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
        """Create the network with random weights.

        Args:
            backbone: name of a timm network.
            points: number of landmarks K.
            width: channels of the head.
            deconvolutions: channels of each transposed convolution; they must bring the last map to stride 4.
            **backbone_options: passed to ``timm.create_model``.

        Raises:
            ModelError: timm can't give this backbone's feature maps, or none of them leads to stride 4.
        """
        super().__init__()
        if points < 1 or width < 1:
            raise ModelError(f"points={points} and width={width} must be at least 1")
        features = feature_extractor(backbone, **backbone_options)
        bilinear_fusion(features)
        self.backbone = features
        strides = features.feature_info.reduction()
        channels = features.feature_info.channels()
        if deconvolutions:
            if strides[-1] != STRIDE * 2 ** len(deconvolutions):
                raise ModelError(
                    f"{len(deconvolutions)} deconvolutions bring stride {strides[-1]} of {backbone} to"
                    f" {strides[-1] / 2 ** len(deconvolutions):g}, not to {STRIDE}"
                )
            self._used_maps: tuple[int, ...] = (len(strides) - 1,)
            self.neck: nn.Module = Deconvolutions(channels[-1], deconvolutions)
            self.head = HeatmapHead([deconvolutions[-1]], points, width=width)
        else:
            self._used_maps = tuple(i for i, stride in enumerate(strides) if stride >= STRIDE)
            if not self._used_maps:
                raise ModelError(f"{backbone} gives no map of stride {STRIDE} or more (it has {strides})")
            self.neck = nn.Identity()
            self.head = HeatmapHead([channels[i] for i in self._used_maps], points, width=width)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """``[N, 3, H, W]`` -> ``{"heatmaps": [N, K, H/4, W/4]}``."""
        maps = self.backbone(images)
        if getattr(self.backbone, "output_fmt", "NCHW") == "NHWC":  # the Swin family
            maps = [m.permute(0, 3, 1, 2) for m in maps]
        size = (images.shape[-2] // STRIDE, images.shape[-1] // STRIDE)
        return {"heatmaps": self.head([self.neck(maps[i]) for i in self._used_maps], size)}


def feature_extractor(name: str, **options: Any) -> Any:
    """Return a timm backbone as a feature extractor with random weights.

    Raises:
        ModelError: timm can't give this backbone's feature maps.
    """
    if name.startswith("hrnet"):
        # '' selects the four branches themselves; timm's default appends part of the classifier to each.
        options = {"feature_location": "", "out_indices": (1, 2, 3, 4), **options}
    try:
        return timm.create_model(name, pretrained=False, features_only=True, **options)
    except (RuntimeError, TypeError, ValueError, AttributeError, AssertionError) as error:
        line = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelError(f"timm's {name} gives no feature maps that a heatmap head can use: {line}") from error


def backbone_factory(backbone: str) -> Callable[..., nn.Module]:
    """Return the factory of the networks on one timm backbone: heatmaps with our head, or timm's network itself.

    Raises:
        ModelError: the factory is called with another kind of output.
    """

    def network(*, points: int = 98, width: int = 64, input_size: int = 256, kind: str = "heatmaps") -> nn.Module:
        config = timm.get_pretrained_cfg(backbone, allow_unregistered=True)
        # Some transformers are built for one input size and refuse others.
        size_option: dict[str, Any] = {"img_size": input_size} if config is not None and config.fixed_input_size else {}
        if kind == "landmarks":  # timm's own network and names: a classifier of 2 K numbers regresses coordinates
            module: nn.Module = timm.create_model(backbone, pretrained=False, num_classes=2 * points, **size_option)
            return module
        if kind != "heatmaps":
            raise ModelError(f"timm:{backbone} gives heatmaps or landmarks, not {kind}; see `nmebench list models`")
        return TimmHeatmap(backbone, points=points, width=width, **size_option)

    network.__doc__ = (
        f"timm's {backbone} with the light heatmap head, or for landmarks timm's own network with 2 K outputs.\n\n"
        "Source: timm"
    )
    return network


def hrnet_small(*, points: int = 98, width: int = 64) -> TimmHeatmap:
    """timm's hrnet_w18_small, four maps fused at stride 4.

    The branches have strides 4 to 32. They are fused as in HRNetV2, with bilinear upsampling throughout.

    Source: Wang et al., Deep High-Resolution Representation Learning, 2020; timm
    """
    return TimmHeatmap("hrnet_w18_small", points=points, width=width)


def mobilenetv3(*, points: int = 98, width: int = 64) -> TimmHeatmap:
    """timm's mobilenetv3_small_100, maps at strides 4, 8, 16 and 32 fused at stride 4.

    Source: Howard et al., Searching for MobileNetV3, 2019; timm
    """
    return TimmHeatmap("mobilenetv3_small_100", points=points, width=width)


def resnet10_deconv(*, points: int = 98, width: int = 64) -> TimmHeatmap:
    """A slim timm resnet10t and three deconvolutions of 96 channels.

    Source: Xiao et al., Simple Baselines for Human Pose Estimation, 2018; timm
    """
    return TimmHeatmap(
        "resnet10t",
        points=points,
        width=width,
        deconvolutions=(96, 96, 96),
        channels=(48, 96, 192, 320),
        out_indices=(4,),
    )
