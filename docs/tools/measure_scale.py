"""Measures memory and time of sweeps by the number of faces, up to 100,000: the table of docs/speed.md.

``python docs/tools/measure_scale.py --folder FOLDER --faces 2500 10000 100000`` makes data sets of synthface's faces,
moved and scaled at random, and starts one process per command and data set:

* ``oracle``: ground truth with fifteen decoders on small maps;
* ``video``: a network on photographs that hold 500 faces each;
* ``photographs``: the same network on one small photograph per face.

Each sweep is killed in its last batch and resumed by the same command; then the run is scored again and reported. The
faces have 68 landmarks, as those of 300-VW. A line of JSON per command has its seconds, the processor's seconds and the
peak of memory. Everything is written below FOLDER.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import cv2
import numpy as np

from nmebench import datasets
from nmebench.geometry import point_mapping

DECODERS = (
    "argmax", "quarter-offset", "dark:kernel=5", "dark:kernel=7", "dark:kernel=9", "dark-udp:kernel=5",
    "dark-udp:kernel=7", "parabola", "local-soft-argmax", "soft-argmax", "barycentre", "top-k", "top-k:k=5",
    "face-alignment", "mmpose-megvii",
)  # fmt: skip

BATCH = 256

CARD = """name = "{name}"
architecture = "{architecture}"
[input]
size = [{side}, {side}]
colour = "rgb"
mean = [0, 0, 0]
std = [255, 255, 255]
box = "landmarks"
[output]
kind = "heatmaps"
"""

#: Maps of 8 x 8 px, so that a hundred thousand faces take minutes.
ORACLE = (
    CARD.format(name="small-oracle", architecture="oracle", side=32)
    + """[options]
sigma = 1.0
size = 8
input_size = 32
"""
)

NETWORK = CARD.format(name="small-network", architecture="python:small_network.py:SmallNetwork", side=64)

#: The mean face as heatmaps, to which an untrained network adds little: a cheap network with a plausible error.
SMALL_NETWORK = """import torch
from torch import nn

MEAN = {mean}


class SmallNetwork(nn.Module):
    def __init__(self):
        super().__init__()
        made = torch.Generator().manual_seed(0)
        self.register_buffer("kernel", torch.randn(len(MEAN), 3, 8, 8, generator=made), persistent=False)
        grid = torch.arange(16.0)
        x, y = torch.tensor(MEAN).T
        prior = torch.exp(-((grid - y[:, None]) ** 2)[:, :, None] / 2 - ((grid - x[:, None]) ** 2)[:, None] / 2)
        self.register_buffer("prior", prior, persistent=False)

    def forward(self, images):
        return self.prior + 1e-6 * torch.nn.functional.conv2d(images, self.kernel, stride=4, padding=2)
"""


def main() -> None:
    """Measure and print one line of JSON per command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--faces", type=int, nargs="+", default=[2500, 10_000, 100_000])
    parser.add_argument("--kinds", nargs="+", default=["oracle", "video", "photographs"])
    parser.add_argument("--keep", action="store_true", help="keep the runs")
    options = parser.parse_args()
    folder = options.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    for kind in options.kinds:
        for faces in options.faces:
            place = folder / f"{kind}-{faces}"
            data = make(place, faces, kind)
            for line in measure(place, data, kind, faces):
                print(json.dumps(line), flush=True)
            if not options.keep:
                shutil.rmtree(place)


def make(place: Path, faces: int, kind: str) -> str:
    """Write a data set and the cards; return its spec."""
    place.mkdir(exist_ok=True)
    known = datasets.load("synthface")
    source = known.limited(200)
    rng = np.random.default_rng(0)
    which = rng.integers(0, len(source), faces)
    shape = point_mapping.find("wflw98", "ibug68").landmarks(source.landmarks)[which]
    low, high = shape.min(1, keepdims=True), shape.max(1, keepdims=True)
    unit = (shape - low) / (high - low).max(2, keepdims=True)
    side = 200.0 if kind == "video" else 70.0
    corner = rng.uniform(0, 400 if kind == "video" else 20, (faces, 1, 2))
    landmarks = unit * rng.uniform(0.6, 1, (faces, 1, 1)) * side + corner + 3
    per_photograph = 500 if kind == "video" else 1
    names = np.array([f"{face // per_photograph:06d}.jpg" for face in range(faces)])
    np.savez(
        place / "faces.npz", landmarks=landmarks, images=names,
        subset_even=np.arange(faces) % 2 == 0, subset_few=np.arange(faces) % 10 == 0,
    )  # fmt: skip
    (place / "oracle.toml").write_text(ORACLE)
    typical = unit.mean(0)
    mean = (
        (8 + 12.8 * (typical - (typical.min(0) + typical.max(0)) / 2)).round(2).tolist()
    )  # boxes have 1.25 x the extent
    (place / "network.toml").write_text(NETWORK)
    (place / "small_network.py").write_text(SMALL_NETWORK.format(mean=mean))
    if kind == "oracle":
        return f"landmarks:{place / 'faces.npz'}"
    (place / "images").mkdir(exist_ok=True)
    height, width = (640, 640) if kind == "video" else (100, 100)
    for number, name in enumerate(dict.fromkeys(names.tolist())):
        noise = np.random.default_rng(number).integers(0, 255, (height // 10, width // 10, 3), dtype=np.uint8)
        cv2.imwrite(str(place / "images" / name), cv2.resize(noise, (width, height)))
    return f"300w:{place / 'faces.npz'}"


def measure(place: Path, data: str, kind: str, faces: int) -> list[dict[str, object]]:
    """Run, score, report and resume; return what each took."""
    run, card = place / "run", place / ("oracle.toml" if kind == "oracle" else "network.toml")
    decoders = DECODERS if kind == "oracle" else DECODERS[:3]
    sweep = ["run", "--data", data, "--model", str(card), "-o", str(run), *[f"--decoder={one}" for one in decoders]]
    sweep += ["--no-flip", "--batch-size", str(BATCH), "--threads", "1"]
    batches = -(-faces // BATCH)
    found = []
    for name, command, killed in (
        ("run until its last batch", sweep, batches - 1),
        ("resume", sweep, 0),
        ("score", ["score", str(run)], 0),
        ("report", ["report", str(run), "-o", str(place / "report.html")], 0),
    ):
        found.append({"kind": kind, "faces": faces, "command": name, **start(command, place, run, killed)})
        if name == "resume":
            timings = json.loads((run / "timings.json").read_text())
            found[-1] |= {"total": timings["total"], "stages": timings["stages"]}
    found[-1]["page_bytes"] = (place / "report.html").stat().st_size
    return found


def start(command: list[str], place: Path, run: Path, killed: int) -> dict[str, object]:
    """Run a command, and kill it once ``killed`` batches are stored, unless that is 0.

    Returns:
        Its seconds, and its peaks of memory in MiB: resident, and without pages of files.
    """
    environment = os.environ | {"NMEBENCH_CACHE": str(place.parent / "cache")}
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "nmebench", *command], stdout=subprocess.DEVNULL, env=environment)
    peak = {"RssAnon": 0}
    trace = []

    def watch() -> None:
        while process.returncode is None:
            try:
                lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
            except OSError:
                return
            kib = {line.split(":")[0]: line.split()[1] for line in lines if line.startswith("Rss")}
            if "RssAnon" in kib:
                peak["RssAnon"] = max(peak["RssAnon"], int(kib["RssAnon"]))
                trace.append(
                    (round(time.perf_counter() - began, 1), int(kib["RssAnon"]) >> 10, int(kib["RssFile"]) >> 10)
                )
            if killed and sum(1 for _ in run.glob(".work/results/*/*.batch")) >= killed:
                process.kill()
                return
            time.sleep(0.05 if len(trace) < 200 else 0.5)

    watcher = threading.Thread(target=watch)
    watcher.start()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    watcher.join()
    if os.environ.get("TRACE"):
        print(trace[:: max(1, len(trace) // 120)], file=sys.stderr)
    if process.returncode and not killed:
        raise SystemExit(f"{command}: exit status {process.returncode}")
    return {
        "seconds": round(time.perf_counter() - began, 2),
        "processor": round(usage.ru_utime + usage.ru_stime, 2),
        "peak_mib": usage.ru_maxrss >> 10,
        "anonymous_mib": peak["RssAnon"] >> 10,
    }


if __name__ == "__main__":
    main()
