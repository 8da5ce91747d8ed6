"""Measures the time of a forward pass on each engine.

``python docs/tools/measure_engines.py --model hrnetv2-w18 --batch 8 32 --threads 1``

The engines take turns, so that other load on the machine affects all of them alike. Wall-clock time is the minimum over
the rounds. Processor time is the median, which hardly changes when other processes use the same cores.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nmebench import engines, models
from nmebench.engines.interface import Engine, OwnRuntimeEngine

__all__ = ["Timing", "measure", "set_batch_norm_statistics"]


@dataclass(frozen=True, slots=True)
class Timing:
    """The measurements of one engine at one batch size."""

    engine: str
    batch: int
    wall_ms: float
    """Wall-clock time in ms per face of the fastest round."""
    cpu_ms: float
    """Processor time of all threads in ms per face, median over the rounds."""
    difference: float
    """Largest absolute difference to plain torch."""


def measure(
    module: nn.Module,
    names: Sequence[str],
    *,
    batches: Sequence[int] = (8, 32),
    size: tuple[int, int] = (256, 256),
    rounds: int = 5,
    threads: int | None = None,
) -> list[Timing]:
    """Time each engine and the plain module (``eager``) on random images.

    Args:
        module: the network in eval mode on the CPU.
        names: specs of engines, as for ``nmebench.engines.create``.
        batches: batch sizes.
        size: width and height of the images in px.
        rounds: number of timed passes per engine and batch size, after one pass to warm up.
        threads: number of threads; None leaves torch's number.

    Returns:
        One entry per batch size and engine, ``eager`` first.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    eager = OwnRuntimeEngine(module, runtime="eager", threads=None)
    eager.name = "eager"
    compared = [eager, *(engines.create(name, module, threads=threads) for name in names)]
    images = torch.randn(max(batches), 3, size[1], size[0], generator=torch.Generator().manual_seed(0))
    timings = []
    for batch in batches:
        inputs = images[:batch].clone()
        differences = [engines.check_engine(engine, module, inputs[:2]) for engine in compared]
        walls: list[list[float]] = [[] for _ in compared]
        cpus: list[list[float]] = [[] for _ in compared]
        for turn in range(rounds + 1):
            for i, engine in enumerate(compared):
                wall, cpu = _time_pass(engine, inputs)
                if turn == 0:  # warm-up: torch selects the kernels for this batch size
                    continue
                walls[i].append(wall)
                cpus[i].append(cpu)
        timings += [
            Timing(
                engine.name,
                batch,
                min(walls[i]) / batch * 1e3,
                statistics.median(cpus[i]) / batch * 1e3,
                differences[i],
            )
            for i, engine in enumerate(compared)
        ]
    return timings


def set_batch_norm_statistics(module: nn.Module) -> None:
    """Set the BatchNorm statistics of a network with random weights from one random batch.

    Without them the activations of deep layers grow without bound.
    """
    norms = [m for m in module.modules() if isinstance(m, nn.BatchNorm2d)]
    momentum = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        module.train()(torch.randn(4, 3, 256, 256))
    for norm, before in zip(norms, momentum, strict=True):
        norm.momentum = before
    module.eval()


def _time_pass(engine: Engine, images: Tensor) -> tuple[float, float]:
    """Wall-clock time and processor time of one forward pass in seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    outputs = engine(images)
    if engine.device == "cuda":
        torch.cuda.synchronize()
    del outputs
    return time.perf_counter() - wall, time.process_time() - cpu


def _main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python docs/tools/measure_engines.py", description=__doc__)
    parser.add_argument("--model", default="hrnetv2-w18")
    parser.add_argument("--engine", nargs="+", default=[name for name, here in engines.available().items() if here])
    parser.add_argument("--batch", nargs="+", type=int, default=[8, 32])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    given = parser.parse_args(arguments)
    torch.manual_seed(0)
    module = models.create(given.model)
    set_batch_norm_statistics(module)
    timings = measure(module, given.engine, batches=given.batch, rounds=given.rounds, threads=given.threads)
    eager = {t.batch: t for t in timings if t.engine == "eager"}
    lines = [
        "| engine | batch | wall ms per face | ratio | cpu ms per face | ratio | difference |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {t.engine} | {t.batch} | {t.wall_ms:.1f} | {t.wall_ms / eager[t.batch].wall_ms:.2f}"
        f" | {t.cpu_ms:.1f} | {t.cpu_ms / eager[t.batch].cpu_ms:.2f} | {t.difference:.1e} |"
        for t in timings
    ]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    _main(sys.argv[1:])
