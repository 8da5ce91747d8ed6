"""Measures the parts of a short run, from the start of its process to the end: the table "Start" of docs/speed.md.

``python docs/tools/measure_start.py`` runs 143 faces of synthface several times, each time in a new process, and prints
the median of each part in seconds of the wall clock. A first run that isn't counted draws the faces and compiles the
network. ``--tree`` names a folder with another package ``nmebench``, such as that of an older commit, which is measured
in turn with the installed one.

* ``imports``: from the start of the process until the sweep begins.
* The stages of ``timings.json``: ``plan`` also imports the network's packages and has two forward passes of plain
  torch, ``prepare`` reads or compiles the engine, ``check`` has one pass of plain torch.
* ``exit``: from the command's return to the end of the process.

The last lines are seconds of the processor, which other processes disturb less: ``main thread`` until the command
returns, ``after it`` by all threads from there to the end, and ``all threads`` in total.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

#: Runs the program as ``python -m nmebench`` does, and writes three clocks when it returns.
PROGRAM = """
import runpy, sys, time
try:
    runpy.run_module("nmebench", run_name="__main__", alter_sys=True)
finally:
    with open(sys.argv[-1] + ".returned", "w") as file:
        print(time.monotonic(), time.thread_time(), time.process_time(), file=file)
"""


def measure(model: str, faces: int, folder: Path, tree: Path | None = None) -> dict[str, float]:
    """Run the command once and return the seconds of each part.

    Args:
        model: the network.
        faces: the number of faces.
        folder: the folder of the run, which is overwritten.
        tree: the folder of another package ``nmebench``; None for the installed one.
    """
    command = ["--quiet", "run", "--data", "synthface", "--limit", str(faces), "--model", model, "--overwrite", "-o"]
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *command, str(folder)],
        stdout=subprocess.DEVNULL,
        env=os.environ | ({"PYTHONPATH": str(tree)} if tree else {}),
    )
    _, status, usage = os.wait4(process.pid, 0)
    ended = time.monotonic()
    if status:
        raise SystemExit(f"the command ended with {os.waitstatus_to_exitcode(status)}")
    returned, main_thread, threads = map(float, Path(f"{folder}.returned").read_text().split())
    processor = usage.ru_utime + usage.ru_stime
    timings = json.loads((folder / "timings.json").read_text())
    return {
        "imports": returned - started - timings["total"],
        **timings["stages"],
        "exit": ended - returned,
        "all": ended - started,
        "main thread": main_thread,
        "after it": processor - threads,
        "all threads": processor,
    }


def main() -> None:
    """Print a line per part, with a column per tree."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="synthface-hrnet-small")
    parser.add_argument("--faces", type=int, default=143)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--tree", type=Path, help="folder with another package nmebench")
    given = parser.parse_args()
    trees = [given.tree, None] if given.tree else [None]
    found: list[list[dict[str, float]]] = [[] for _ in trees]
    with tempfile.TemporaryDirectory() as folder:
        for number in range(given.runs + 1):
            for tree, results in zip(trees, found, strict=True):
                result = measure(given.model, given.faces, Path(folder, "run"), tree)
                if number:
                    results.append(result)
    for part in found[-1][0]:
        columns = [statistics.median(result.get(part, 0.0) for result in results) for results in found]
        print(f"{part:16}" + "".join(f"{seconds:8.2f}" for seconds in columns))


if __name__ == "__main__":
    main()
