"""Time of a forward pass on each engine, side by side in one run.

``python docs/tools/measure_engines.py --model hrnetv2-w18 --batch 8 32 --threads 1``

The engines take turns, so that what else the machine does falls on all of them. Wall-clock time is the smallest of the
rounds; processor time is the median, and hardly moves when other processes want the same cores.
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
from nmebench.engines.interface import AsIs, Engine

__all__ = ["Timing", "measure", "settle"]


@dataclass(frozen=True, slots=True)
class Timing:
    """One engine at one batch size."""

    engine: str
    batch: int
    wall_ms: float
    """A face, the fastest round."""
    cpu_ms: float
    """Of all the process's threads, a face, the median round."""
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
    """Time each engine, and the module as it is (``eager``), on random images of ``size`` (width, height)."""
    if threads is not None:
        torch.set_num_threads(threads)
    eager = AsIs(module, runtime="eager", threads=None)
    eager.name = "eager"
    made = [eager, *(engines.create(name, module, threads=threads) for name in names)]
    images = torch.randn(max(batches), 3, size[1], size[0], generator=torch.Generator().manual_seed(0))
    timings = []
    for batch in batches:
        part = images[:batch].clone()
        differences = [engines.check_engine(engine, module, part[:2]) for engine in made]
        walls: list[list[float]] = [[] for _ in made]
        cpus: list[list[float]] = [[] for _ in made]
        for turn in range(rounds + 1):
            for i, engine in enumerate(made):
                wall, cpu = _once(engine, part)
                if turn == 0:  # warms up: kernels are chosen for this batch size
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
            for i, engine in enumerate(made)
        ]
    return timings


def settle(module: nn.Module) -> None:
    """Give random weights the BatchNorm statistics of one batch: without them deep activations grow without bound."""
    norms = [m for m in module.modules() if isinstance(m, nn.BatchNorm2d)]
    momentum = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        module.train()(torch.randn(4, 3, 256, 256))
    for norm, before in zip(norms, momentum, strict=True):
        norm.momentum = before
    module.eval()


def _once(engine: Engine, images: Tensor) -> tuple[float, float]:
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
    settle(module)
    timings = measure(module, given.engine, batches=given.batch, rounds=given.rounds, threads=given.threads)
    eager = {t.batch: t for t in timings if t.engine == "eager"}
    lines = [
        "| engine | batch | wall ms a face | ratio | cpu ms a face | ratio | difference |",
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
