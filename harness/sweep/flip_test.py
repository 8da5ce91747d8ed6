"""The flip test: average a network's outputs with those of the mirrored crop.

Source: mmpose, ``mmpose/models/utils/tta.py`` (``flip_heatmaps``, ``flip_coordinates``); the one-pixel shift is
``shift_heatmap`` / ``shift_coords`` there.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch

__all__ = ["average", "mirror_images", "mirror_landmarks", "unflip"]


def mirror_images(images: torch.Tensor) -> torch.Tensor:
    """Crops ``[N, 3, H, W]``, left and right exchanged."""
    return images.flip(-1)


def mirror_landmarks(landmarks: torch.Tensor, permutation: torch.Tensor, width: int) -> torch.Tensor:
    """Landmarks ``[N, K, 2]`` input px of the mirrored crop: x -> width - 1 - x, sides exchanged."""
    mirrored = landmarks[:, permutation].clone()
    mirrored[..., 0] = width - 1 - mirrored[..., 0]
    return mirrored


def unflip(
    outputs: Mapping[str, torch.Tensor], permutation: torch.Tensor, *, shift: bool, width: int
) -> dict[str, torch.Tensor]:
    """Bring the outputs of the mirrored crop back to the crop's own frame.

    ``heatmaps`` ``[N, K, h, w]`` are mirrored and, with ``shift``, moved one heatmap px to the right (the first column
    stays), which makes up for the half-cell that a stride-4 map loses. ``landmarks`` ``[N, K, 2]`` input px go
    to ``width - x``, with ``shift`` to ``width - 1 - x``: mmpose 0.x does the former, 1.x with ``shift_coords`` the
    latter.
    ``simcc_x`` ``[N, K, L]`` is mirrored, ``offsets`` ``[N, K, 2, h, w]`` change the sign of x.

    Raises:
        KeyError: an output whose mirror image isn't known.
    """
    back: dict[str, torch.Tensor] = {}
    for name, value in outputs.items():
        sided = value[:, permutation]
        if name == "landmarks":
            x = width - (1 if shift else 0) - sided[..., 0]
            back[name] = torch.stack([x, sided[..., 1]], dim=-1)
        elif name in {"heatmaps", "simcc_x"}:
            back[name] = _shifted(sided.flip(-1)) if shift else sided.flip(-1)
        elif name == "simcc_y":
            back[name] = sided
        elif name == "offsets":
            mirrored = sided.flip(-1)
            signed = torch.cat([-mirrored[:, :, :1], mirrored[:, :, 1:]], dim=2)
            back[name] = _shifted(signed) if shift else signed
        else:
            raise KeyError(f"output {name!r}: its mirror image isn't known, so the flip test can't average it")
    return back


def _shifted(maps: torch.Tensor) -> torch.Tensor:
    return torch.cat([maps[..., :1], maps[..., :-1]], dim=-1)


def average(plain: Mapping[str, torch.Tensor], back: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The mean of two sets of outputs, as mmpose takes it: ``(a + b) * 0.5``."""
    return {name: (value + back[name]) * 0.5 for name, value in plain.items()}
