"""Folds each BatchNorm into the convolution before it: the same function with fewer passes over memory."""

from __future__ import annotations

import copy
from collections import Counter
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.fusion import fuse_conv_bn_weights

from nmebench.models.quick_timm import timm

__all__ = ["fold_batch_norms"]

_CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)


def fold_batch_norms(module: nn.Module, images: Tensor) -> tuple[nn.Module, int, int]:
    """Copy a network with each BatchNorm folded into the convolution that it directly follows.

    One forward pass shows which BatchNorm follows which convolution; names don't matter. A pair is folded if the
    BatchNorm reads the tensor object that the convolution returned, both run once, and both are torch's or timm's own
    classes, or compute the same. The folded weights are computed
    in float64. If another module also reads the convolution's output, that module sees a changed input;
    :func:`nmebench.engines.check_engine` detects this and any other error.

    Args:
        module: the network in eval mode; not changed.
        images: any valid batch ``[N, 3, H, W]``; one image is enough.

    Returns:
        The folded copy, the number of folded BatchNorms, and the number of all BatchNorms.

    Example:
        >>> network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)).eval()
        >>> folded, count, total = fold_batch_norms(network, torch.zeros(1, 3, 8, 8))
        >>> folded[1], count, total
        (Identity(), 1, 1)
    """
    folded = copy.deepcopy(module).eval()
    pairs, total = _find_pairs(folded, images)
    for convolution, norm_name in pairs:
        norm = folded.get_submodule(norm_name)
        assert isinstance(norm, nn.BatchNorm2d)  # noqa: S101 - observed in _find_pairs
        _fold(convolution, norm)
        folded.set_submodule(norm_name, _drop_and_activation(norm))
    return folded, len(pairs), total


def _find_pairs(module: nn.Module, images: Tensor) -> tuple[list[tuple[nn.Module, str]], int]:
    """Pairs of a convolution and the name of the BatchNorm to fold into it, and the number of all BatchNorms."""
    convolved: list[tuple[Tensor, nn.Module]] = []
    read: list[tuple[Tensor, str]] = []
    calls: Counter[nn.Module] = Counter()
    hooks = []
    all_norms = [m for m in module.modules() if isinstance(m, nn.BatchNorm2d)]
    norms = {name: m for name, m in module.named_modules() if isinstance(m, nn.BatchNorm2d) and _is_usual(m)}

    def record_output(convolution: nn.Module, _: object, output: Tensor) -> None:
        calls[convolution] += 1
        convolved.append((output, convolution))

    def record_input(name: str, norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        calls[norm] += 1
        read.append((inputs[0], name))

    usual = [m for m in module.modules() if isinstance(m, _CONVOLUTIONS) and _is_usual(m)]
    hooks += [m.register_forward_hook(record_output) for m in usual]
    hooks += [norm.register_forward_pre_hook(partial(record_input, name)) for name, norm in norms.items()]
    try:
        with torch.inference_mode():
            module(images[:1])
    finally:
        for hook in hooks:
            hook.remove()
    by_output = {id(output): convolution for output, convolution in convolved}
    pairs = []
    for tensor, name in read:
        convolution = by_output.get(id(tensor))
        if convolution is None or calls[convolution] != 1 or calls[norms[name]] != 1:
            continue
        if norms[name].running_mean is not None and norms[name].running_var is not None:
            pairs.append((convolution, name))
    return pairs, len(all_norms)


def _is_usual(module: nn.Module) -> bool:
    """Return whether a module computes what torch's or timm's class does, with weights that may be replaced.

    A class of the user's may have another ``forward``, an attribute ``act`` of its own, or weights that are computed.
    """
    if module._forward_hooks or module._forward_pre_hooks or parametrize.is_parametrized(module):
        return False
    kind = type(module)
    if kind in (timm.layers.BatchNormAct2d, timm.layers.Conv2dSame):
        return True
    of_torch = (nn.BatchNorm2d, *_CONVOLUTIONS)
    return any(
        isinstance(module, base) and kind.forward is base.forward and _convolves(kind) is _convolves(base)
        for base in of_torch
    )


def _convolves(kind: type[nn.Module]) -> object:
    return getattr(kind, "_conv_forward", None)


def _fold(convolution: nn.Module, norm: nn.BatchNorm2d) -> None:
    """Replace a convolution's weight and bias by those of the convolution followed by the BatchNorm."""
    assert isinstance(convolution, _CONVOLUTIONS)  # noqa: S101 - observed in _find_pairs
    transpose = isinstance(convolution, nn.ConvTranspose2d)
    assert norm.running_mean is not None  # noqa: S101 - observed in _find_pairs
    assert norm.running_var is not None  # noqa: S101 - observed in _find_pairs
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


def _drop_and_activation(norm: nn.BatchNorm2d) -> nn.Module:
    """The dropout and activation that timm's BatchNormAct2d applies after normalising; else the identity."""
    return nn.Sequential(norm.drop, norm.act) if isinstance(norm, timm.layers.BatchNormAct2d) else nn.Identity()
