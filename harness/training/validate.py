"""Validation: the NME of a network during training, on faces outside the training set."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nmebench import decoders
from nmebench.geometry import Geometry
from nmebench.geometry.scheme import Scheme, normaliser
from nmebench.protocol import Grid
from nmebench.training.loader import Batch

__all__ = ["autocast", "errors", "normalised", "predict"]


def autocast(precision: str, device: torch.device) -> AbstractContextManager[object]:
    """Context of bfloat16 arithmetic for ``bf16``, else of unchanged arithmetic."""
    return torch.autocast(device.type, dtype=torch.bfloat16) if precision == "bf16" else nullcontext()


def normalised(images: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Convert ``[B, 3, S, S]`` uint8 RGB to float32 ``(x - mean) / std``, channels last; both ``[1, 3, 1, 1]``."""
    return images.to(torch.float32).sub_(mean).div_(std).contiguous(memory_format=torch.channels_last)


@torch.inference_mode()
def predict(
    module: nn.Module,
    images: Tensor,
    *,
    mean: Tensor,
    std: Tensor,
    decoder: str = "dark",
    grid: Grid = "stride",
    batch: int = 32,
) -> NDArray[np.float64]:
    """Predict landmarks ``[N, K, 2]`` in input px from ``images`` [N, 3, S, S] uint8 RGB. Float32, no flip test.

    ``grid`` is the grid of the network's maps.
    """
    decode = decoders.from_spec(decoder)
    size = images.shape[-1]
    module.eval()
    parts = []
    for chunk in torch.split(images, batch):
        outputs = module(normalised(chunk.to(mean.device), mean, std))
        points = decode({name: value.float() for name, value in outputs.items()}).landmarks.cpu().numpy()
        maps = outputs.get("heatmaps")
        geometry = Geometry.of_input(
            (size, size), grid=grid, heatmap_size=None if maps is None else (maps.shape[-1], maps.shape[-2])
        )
        parts.append(geometry.heatmap_to_input(points))
    return np.concatenate(parts)


def errors(landmarks: NDArray[np.floating], truth: NDArray[np.floating], scheme: Scheme) -> NDArray[np.float64]:
    """NME of each face in percent by the scheme's default normaliser, ``[N]``; both ``[N, K, 2]`` in the same px."""
    distances = np.linalg.norm(landmarks.astype(np.float64) - truth, axis=-1).mean(axis=-1)
    return np.asarray(100 * distances / normaliser(scheme, truth))


def nme(
    module: nn.Module,
    faces: Batch,
    *,
    scheme: Scheme,
    mean: Tensor,
    std: Tensor,
    decoder: str = "dark",
    grid: Grid = "stride",
) -> float:
    """Mean NME over the faces, percent."""
    found = predict(module, faces.images, mean=mean, std=std, decoder=decoder, grid=grid)
    return float(errors(found, faces.landmarks.numpy(), scheme).mean())
