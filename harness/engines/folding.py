"""BatchNorm folded into the convolution before it: the same function with fewer passes over memory."""

from __future__ import annotations

import copy
from collections import Counter

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

__all__ = ["fold_batch_norms"]

_CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)


def fold_batch_norms(module: nn.Module, images: Tensor) -> tuple[nn.Module, int, int]:
    """A copy of ``module`` with every BatchNorm that directly follows a convolution folded into it.

    Which BatchNorm follows which convolution is observed in one forward pass, not guessed from names: a pair is folded
    when the very tensor that the convolution gave is what the BatchNorm reads, and both run once. The sums are done in
    float64. A convolution whose output something else reads as well would be changed for it too; that, and any
    other surprise, shows in ``check_engine``.

    Args:
        module: in eval mode; not changed.
        images: any valid batch ``[N, 3, H, W]``; one face is enough.

    Returns:
        The folded copy, the number of BatchNorms folded, and the number there were.
    """
    folded = copy.deepcopy(module).eval()
    pairs, total = _pairs(folded, images)
    for convolution, norm_name in pairs:
        norm = folded.get_submodule(norm_name)
        assert isinstance(norm, nn.BatchNorm2d)  # noqa: S101 - observed in _pairs
        _fold(convolution, norm)
        folded.set_submodule(norm_name, _what_remains(norm))
    return folded, len(pairs), total


def _pairs(module: nn.Module, images: Tensor) -> tuple[list[tuple[nn.Module, str]], int]:
    """(convolution, name of the BatchNorm that reads its output), for both run once; and the number of BatchNorms."""
    given: list[tuple[Tensor, nn.Module]] = []
    read: list[tuple[Tensor, str]] = []
    calls: Counter[nn.Module] = Counter()
    hooks = []
    norms = {name: m for name, m in module.named_modules() if isinstance(m, nn.BatchNorm2d)}

    def gave(convolution: nn.Module, _: object, output: Tensor) -> None:
        calls[convolution] += 1
        given.append((output, convolution))

    def reads(name: str) -> torch.utils.hooks.RemovableHandle:
        def hook(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            calls[norm] += 1
            read.append((inputs[0], name))

        return norms[name].register_forward_pre_hook(hook)

    hooks += [m.register_forward_hook(gave) for m in module.modules() if isinstance(m, _CONVOLUTIONS)]
    hooks += [reads(name) for name in norms]
    try:
        with torch.inference_mode():
            module(images[:1])
    finally:
        for hook in hooks:
            hook.remove()
    by_output = {id(output): convolution for output, convolution in given}
    found = []
    for tensor, name in read:
        convolution = by_output.get(id(tensor))
        if convolution is None or calls[convolution] != 1 or calls[norms[name]] != 1:
            continue
        if norms[name].running_mean is not None and norms[name].running_var is not None:
            found.append((convolution, name))
    return found, len(norms)


def _fold(convolution: nn.Module, norm: nn.BatchNorm2d) -> None:
    assert isinstance(convolution, _CONVOLUTIONS)  # noqa: S101 - observed in _pairs
    transpose = isinstance(convolution, nn.ConvTranspose2d)
    assert norm.running_mean is not None  # noqa: S101 - observed in _pairs
    assert norm.running_var is not None  # noqa: S101 - observed in _pairs
    bias = convolution.bias if convolution.bias is not None else torch.zeros_like(norm.running_mean)
    one, zero = torch.ones_like(norm.running_mean), torch.zeros_like(norm.running_mean)
    scale = norm.weight if norm.affine else one
    offset = norm.bias if norm.affine else zero
    with torch.no_grad():
        weight, shift = fuse_conv_bn_weights(
            convolution.weight.double(),
            bias.double(),
            norm.running_mean.double(),
            norm.running_var.double(),
            norm.eps,
            scale.double(),
            offset.double(),
            transpose,
        )
        convolution.weight = nn.Parameter(weight.float(), requires_grad=False)
        convolution.bias = nn.Parameter(shift.float(), requires_grad=False)


def _what_remains(norm: nn.BatchNorm2d) -> nn.Module:
    """timm's BatchNormAct2d also drops and activates."""
    after = [getattr(norm, name) for name in ("drop", "act") if isinstance(getattr(norm, name, None), nn.Module)]
    return nn.Sequential(*after) if after else nn.Identity()
