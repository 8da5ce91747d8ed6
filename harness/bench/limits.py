"""Limits of the machine (matrix product, memory copy) and the operations that a network needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from time import perf_counter

import torch
from torch.utils.flop_counter import FlopCounterMode

__all__ = ["Limits", "gflop_per_face", "measure_limits", "timed"]

_SIDE = 1536
_BYTES = 256 << 20


@dataclass(frozen=True)
class Limits:
    """Float32 matrix product in GFLOP/s and copy of memory in GB/s (bytes read), on ``threads`` threads."""

    threads: int
    gflops: float
    copy_gbs: float


def timed(work: Callable[[], object], *, repeats: int = 5) -> float:
    """Median seconds of ``work`` over some repeats, after one warm-up call."""
    work()
    seconds = []
    for _ in range(repeats):
        started = perf_counter()
        work()
        seconds.append(perf_counter() - started)
    return median(seconds)


def measure_limits(threads: int) -> Limits:
    """Measure both limits now; other load on the machine lowers them."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        generator = torch.Generator().manual_seed(0)
        left = torch.rand((_SIDE, _SIDE), generator=generator)
        product = torch.empty_like(left)
        gflops = 2 * _SIDE**3 / timed(lambda: torch.mm(left, left, out=product)) / 1e9
        source = torch.zeros(_BYTES // 4)
        target = torch.empty_like(source)
        copy = _BYTES / timed(lambda: target.copy_(source)) / 1e9
    finally:
        torch.set_num_threads(before)
    return Limits(threads, gflops, copy)


def gflop_per_face(module: torch.nn.Module, size: tuple[int, int]) -> float:
    """Count the operations of a forward pass in 10^9: two per multiplication of a convolution or matrix product.

    An engine that computes fewer of them (Winograd's convolutions, say) may be faster than a matrix product.

    Args:
        module: the network, in eval mode.
        size: (width, height) of the input, px.
    """
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        module(torch.zeros(1, 3, size[1], size[0]))
    return float(counter.get_total_flops()) / 1e9
