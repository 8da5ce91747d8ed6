"""mmpose 1.3 as the peer of parity tests: importable without mmdet, and its HRNetV2-W18 for WFLW."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np
import torch

__all__ = ["allow_import", "hrnetv2_w18", "seeded_weights"]


def allow_import() -> None:
    """Make ``mmpose.models`` importable without mmdet and without mmcv's compiled operators.

    mmpose imports names from both that the face models never call; they get empty stand-in modules.
    """
    _stand_in("mmdet")
    _stand_in("mmdet.utils", ConfigType=dict, reduce_mean=None)
    _stand_in("mmcv.ops", MultiScaleDeformableAttention=object)


def _stand_in(name: str, **members: object) -> None:
    try:
        __import__(name)
    except ImportError:
        module = ModuleType(name)
        module.__dict__.update(members, __path__=[])
        sys.modules[name] = module


def hrnetv2_w18(side: int = 256) -> dict[str, Any]:
    """mmpose's model configuration ``td-hm_hrnetv2-w18_dark-8xb64-60e_wflw-256x256``, for inputs of ``side`` px."""
    codec = {
        "type": "MSRAHeatmap", "input_size": (side, side), "heatmap_size": (side // 4, side // 4), "sigma": 2,
        "unbiased": True,
    }  # fmt: skip
    branches: dict[str, Any] = {
        f"stage{stage}": {
            "num_modules": modules, "num_branches": stage, "block": "BASIC", "num_blocks": (4,) * stage,
            "num_channels": (18, 36, 72, 144)[:stage],
        }
        for stage, modules in ((2, 1), (3, 4), (4, 3))
    }  # fmt: skip
    stage1 = {"num_modules": 1, "num_branches": 1, "block": "BOTTLENECK", "num_blocks": (4,), "num_channels": (64,)}
    branches["stage4"]["multiscale_output"] = True
    branches["upsample"] = {"mode": "bilinear", "align_corners": False}
    return {
        "type": "TopdownPoseEstimator",
        "data_preprocessor": {
            "type": "PoseDataPreprocessor", "mean": [123.675, 116.28, 103.53], "std": [58.395, 57.12, 57.375],
            "bgr_to_rgb": True,
        },
        "backbone": {"type": "HRNet", "in_channels": 3, "extra": {"stage1": stage1, **branches}},
        "neck": {"type": "FeatureMapProcessor", "concat": True},
        "head": {
            "type": "HeatmapHead", "in_channels": 270, "out_channels": 98, "deconv_out_channels": None,
            "conv_out_channels": (270,), "conv_kernel_sizes": (1,),
            "loss": {"type": "KeypointMSELoss", "use_target_weight": True}, "decoder": codec,
        },
        "test_cfg": {"flip_test": True, "flip_mode": "heatmap", "shift_heatmap": True},
    }  # fmt: skip


def seeded_weights(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, torch.Tensor]:
    """Random parameters that any machine draws alike, so that a test needs the names and shapes alone.

    Args:
        shapes: parameter name to shape.

    Returns:
        float32 tensors: He-scaled kernels, and BatchNorm statistics away from zero and one.
    """
    weights = {}
    for name, shape in shapes.items():
        # RandomState, since numpy promises its stream for all versions and promises that of no other generator.
        random = np.random.RandomState(zlib.crc32(name.encode()))
        if name.endswith("num_batches_tracked"):
            weights[name] = torch.zeros(shape, dtype=torch.long)
            continue
        if len(shape) > 1:
            values = random.standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:]))
        elif name.endswith(("running_var", "weight")):
            values = random.uniform(0.5, 1.5, shape)
        else:
            values = random.standard_normal(shape) * 0.1
        weights[name] = torch.from_numpy(values.astype(np.float32))
    return weights
