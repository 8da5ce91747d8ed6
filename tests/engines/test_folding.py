"""A BatchNorm is folded only if it reads a convolution's output directly."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from timm.layers import BatchNormAct2d  # type: ignore[attr-defined]
from torch import Tensor, nn

from nmebench.engines.folding import fold_batch_norms


def _norm(channels: int, kind: Callable[..., nn.BatchNorm2d] = nn.BatchNorm2d, **options: object) -> nn.BatchNorm2d:
    """A BatchNorm with random statistics and parameters."""
    generator = torch.Generator().manual_seed(channels)
    norm = kind(channels, **options)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    norm.running_mean.normal_(0, 1, generator=generator)
    norm.running_var.uniform_(0.2, 3, generator=generator)
    if norm.affine:
        with torch.no_grad():
            norm.weight.normal_(1, 0.5, generator=generator)
            norm.bias.normal_(0, 1, generator=generator)
    return norm


class _ActivationBetween(nn.Module):
    """An activation between convolution and BatchNorm, so nothing may be folded."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3), _norm(4)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.norm(self.conv(x).relu())
        return out


class _TwoNorms(nn.Module):
    """One convolution with two BatchNorms: folding either would change the other's input."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.a, self.b = nn.Conv2d(3, 3, 1), _norm(3), _norm(3)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.a(self.conv(x)) + self.b(self.conv(x))
        return out


class _Doubled(nn.BatchNorm2d):
    """A user's BatchNorm with a forward of its own."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * 2


class _WithAttribute(nn.BatchNorm2d):
    """A user's BatchNorm whose attribute ``act`` means something else."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.act = nn.ReLU()


class _Clamped(nn.Conv2d):
    """A user's convolution with weights that its forward changes."""

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:  # noqa: A002
        return super()._conv_forward(input, weight.clamp(-0.1, 0.1), bias)


def _computed_weights() -> nn.Module:
    return nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 4, 3)), _norm(4))


CASES = [
    pytest.param(lambda: nn.Sequential(nn.Conv2d(3, 4, 3), _norm(4, _Doubled)), 0, 1, id="own forward"),
    pytest.param(lambda: nn.Sequential(nn.Conv2d(3, 4, 3), _norm(4, _WithAttribute)), 1, 1, id="own attribute"),
    pytest.param(lambda: nn.Sequential(_Clamped(3, 4, 3), _norm(4)), 0, 1, id="own convolution"),
    pytest.param(_computed_weights, 0, 1, id="computed weights"),
    pytest.param(lambda: nn.Sequential(nn.Conv2d(3, 4, 3), _norm(4)), 1, 1, id="bias"),
    pytest.param(lambda: nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), _norm(4)), 1, 1, id="no bias"),
    pytest.param(lambda: nn.Sequential(nn.Conv2d(3, 6, 3, groups=3), _norm(6, affine=False)), 1, 1, id="groups"),
    pytest.param(lambda: nn.Sequential(nn.ConvTranspose2d(3, 4, 4, 2, 1), _norm(4)), 1, 1, id="transposed"),
    pytest.param(
        lambda: nn.Sequential(nn.Conv2d(3, 4, 3), _norm(4, BatchNormAct2d)), 1, 1, id="timm's with activation"
    ),
    pytest.param(lambda: nn.Sequential(_norm(3), nn.Conv2d(3, 4, 3)), 0, 1, id="before the convolution"),
    pytest.param(_ActivationBetween, 0, 1, id="activation between"),
    pytest.param(_TwoNorms, 0, 2, id="convolution that runs twice"),
]


@pytest.mark.parametrize(("make", "folded", "total"), CASES)
def test_folding_keeps_the_function(make: Callable[[], nn.Module], folded: int, total: int) -> None:
    torch.manual_seed(0)
    module = make().eval()
    images = torch.randn(2, 3, 9, 9)
    with torch.inference_mode():
        expected = module(images)
        before = {k: v.clone() for k, v in module.state_dict().items()}
        copy, count, norms = fold_batch_norms(module, images)
        assert (count, norms) == (folded, total)
        assert float((copy(images) - expected).abs().max()) < 1e-5
    assert all(torch.equal(v, before[k]) for k, v in module.state_dict().items()), "the original network was changed"
    assert sum(isinstance(m, nn.BatchNorm2d) for m in copy.modules()) == total - folded
    assert not [m for m in module.modules() if m._forward_hooks or m._forward_pre_hooks]


def test_module_with_a_hook_is_not_folded() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), _norm(4)).eval()
    module[1].register_forward_hook(lambda _module, _given, output: output * 3)
    assert fold_batch_norms(module, torch.zeros(1, 3, 9, 9))[1:] == (0, 1)
