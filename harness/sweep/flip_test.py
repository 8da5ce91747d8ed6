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
        sided = value.index_select(1, permutation.to(value.device))
        if name == "landmarks":
            x = width - (1 if shift else 0) - sided[..., 0]
            back[name] = torch.stack([x, sided[..., 1]], dim=-1)
        elif name in {"heatmaps", "simcc_x"}:
            back[name] = _turned(sided, shift=shift)
        elif name == "simcc_y":
            back[name] = sided
        elif name == "offsets":
            sided[:, :, 0].neg_()
            back[name] = _turned(sided, shift=shift)
        else:
            raise KeyError(f"output {name!r}: its mirror image isn't known, so the flip test can't average it")
    return back


def _turned(maps: torch.Tensor, *, shift: bool) -> torch.Tensor:
    """Left and right exchanged and, with ``shift``, moved one px to the right; in place."""
    for face in maps:  # a face's maps at a time stay in the processor's cache
        turned = face.flip(-1)
        if shift:
            face[..., 1:] = turned[..., :-1]
            face[..., :1] = turned[..., :1]
        else:
            face.copy_(turned)
    return maps


def average(plain: Mapping[str, torch.Tensor], back: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The mean of two sets of outputs, as mmpose takes it: ``(a + b) * 0.5``. It takes the place of ``back``."""
    for name, value in plain.items():
        for face, of in zip(back[name], value, strict=True):  # a face's maps at a time stay in the processor's cache
            face.add_(of).mul_(0.5)
    return dict(back)
