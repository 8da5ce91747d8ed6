"""Measures what distribution costs: the same sweep without workers and with local workers, in turn.

    python docs/tools/measure_distribution.py [--faces N] [--repeats N] [--workers 1 2] [--model NAME] [--data DATA]

It prints the wall-clock and processor seconds of each process with its children, and the medians of their ratios to the
run without workers of the same round.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from nmebench import datasets
from nmebench.bench import repeated


def run(command: list[str]) -> tuple[float, float]:
    """Run a command and return its wall-clock and processor seconds, those of its workers included."""
    started = time.perf_counter()
    child = os.posix_spawn(sys.executable, [sys.executable, *command], os.environ)
    _, status, usage = os.wait4(child, 0)
    if status:
        raise SystemExit(f"{' '.join(command)}: failed")
    return time.perf_counter() - started, usage.ru_utime + usage.ru_stime


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=int, default=2500)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--model", default="synthface-hrnet-small")
    parser.add_argument("--data", default="synthface")
    given = parser.parse_args()
    ratios: dict[int, list[tuple[float, float]]] = {count: [] for count in given.workers}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = repeated(datasets.load(given.data), given.faces, folder / "data")
        for number in range(given.repeats):
            base = (0.0, 0.0)
            for count in (0, *given.workers):
                command = ["-m", "nmebench", "--quiet", "run", "--data", data, "--model", given.model, "--flip"]
                command += ["--decoder", "argmax", "--decoder", "dark", "-o", str(folder / f"{number}-{count}")]
                found = run([*command, *(["--workers", str(count)] if count else [])])
                label = f"{count} workers" if count else "no workers"
                print(f"round {number + 1}: {label:10} {found[0]:7.1f} s, processor {found[1]:7.1f} s", flush=True)
                if count:
                    ratios[count].append((found[0] / base[0], found[1] / base[1]))
                else:
                    base = found
    for count, pairs in ratios.items():
        wall, processor = (statistics.median(values) for values in zip(*pairs, strict=True))
        print(f"{count} workers: x {wall:.3f} wall-clock time, x {processor:.3f} processor time")
    return 0


if __name__ == "__main__":
    sys.exit(main())
