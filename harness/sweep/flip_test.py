"""The flip test: averages a network's outputs with those of the mirrored crop.

Source: mmpose, ``mmpose/models/utils/tta.py`` (``flip_heatmaps``, ``flip_coordinates``); the one-pixel shift is
``shift_heatmap`` / ``shift_coords`` there.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch

from nmebench.errors import InputError

__all__ = ["average", "mirror_images", "unflip"]

#: Names of the outputs that the flip test averages.
_MIRRORED = ("heatmaps", "landmarks", "offsets", "simcc_x", "simcc_y")


def mirror_images(images: torch.Tensor) -> torch.Tensor:
    """Return crops ``[N, 3, H, W]`` with left and right exchanged."""
    return images.flip(-1)


def unflip(
    outputs: Mapping[str, torch.Tensor], permutation: torch.Tensor, *, shift: bool, width: int
) -> dict[str, torch.Tensor]:
    """Map the outputs of the mirrored crop to the frame of the original crop.

    * ``heatmaps`` ``[N, K, h, w]`` and ``simcc_x`` ``[N, K, L]`` are mirrored. With ``shift`` they also move one px to
      the right, and the first column stays. The shift compensates the misalignment of mirrored stride-4 maps.
    * ``offsets`` ``[N, K, 2, h, w]`` are mirrored like heatmaps, and x changes its sign.
    * ``landmarks`` ``[N, K, 2]`` in input px: x becomes ``width - x`` (mmpose 0.x), with ``shift``
      ``width - 1 - x`` (mmpose 1.x with ``shift_coords``).
    * ``simcc_y`` keeps its values.

    In all of them left and right points swap.

    Args:
        outputs: named outputs; they are not changed.
        permutation: int ``[K]``, the scheme's flip permutation.
        shift: apply mmpose's one-pixel shift.
        width: width of the crop in input px.

    Raises:
        InputError: an output of another name.

    Example:
        >>> maps = torch.tensor([[[[0.0, 1.0, 2.0]]]])
        >>> unflip({"heatmaps": maps}, torch.tensor([0]), shift=True, width=12)["heatmaps"].tolist()
        [[[[2.0, 2.0, 1.0]]]]
    """
    back: dict[str, torch.Tensor] = {}
    for name, value in outputs.items():
        sided = value.index_select(1, permutation.to(value.device))
        if name == "landmarks":
            x = width - (1 if shift else 0) - sided[..., 0]
            back[name] = torch.stack([x, sided[..., 1]], dim=-1)
        elif name in {"heatmaps", "simcc_x"}:
            back[name] = _mirror_maps(sided, shift=shift)
        elif name == "simcc_y":
            back[name] = sided
        elif name == "offsets":
            sided[:, :, 0].neg_()
            back[name] = _mirror_maps(sided, shift=shift)
        else:
            raise InputError(
                f"output {name!r}: the flip test can't mirror it, allowed: {', '.join(_MIRRORED)}; use --no-flip"
            )
    return back


def _mirror_maps(maps: torch.Tensor, *, shift: bool) -> torch.Tensor:
    """Mirror maps in place and, with ``shift``, move them one px to the right."""
    for face in maps:  # one face at a time, whose maps fit in the processor's cache
        mirrored = face.flip(-1)
        if shift:
            face[..., 1:] = mirrored[..., :-1]
            face[..., :1] = mirrored[..., :1]
        else:
            face.copy_(mirrored)
    return maps


def average(plain: Mapping[str, torch.Tensor], back: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the mean of two sets of outputs, computed like mmpose's: ``(a + b) * 0.5``.

    Args:
        plain: outputs of the original crop.
        back: outputs of the mirrored crop from :func:`unflip`; they are overwritten with the mean.

    Example:
        >>> average({"heatmaps": torch.tensor([[1.0]])}, {"heatmaps": torch.tensor([[2.0]])})["heatmaps"].item()
        1.5
    """
    for name, value in plain.items():
        for mean, original in zip(back[name], value, strict=True):  # one face at a time, as in _mirror_maps
            mean.add_(original).mul_(0.5)
    return dict(back)
