"""Time of a complete sweep beside mmpose's test loop and the bare forward passes, in one run (``nox -s speed``).

256 faces (of ``SPEED_DATA``; by default the developers' sample of WFLW, or synthface without it; repeated),
HRNetV2-W18 at 256x256 with random weights, flip test with shift. ``SPEED_FACES`` and ``SPEED_ROUNDS`` change the
length.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import statistics
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import cv2
import numpy as np
import psutil
import pytest
import torch
from measure_engines import set_batch_norm_statistics
from mmpose_peer import hrnetv2_w18

from nmebench import datasets, engines, models
from nmebench.bench import gflop_per_face, measure_limits, repeated
from nmebench.datasets.dataset import Dataset
from nmebench.runs.run_store import Run
from nmebench.sweep import execute
from nmebench.sweep.configuration import validate

FACES = int(os.environ.get("SPEED_FACES", "256"))
ROUNDS = int(os.environ.get("SPEED_ROUNDS", "2"))
SIDE = 256
BATCH = 12
"""Faces per batch that the sweep chooses for this network."""
PEER_BATCH = 32
"""Faces per batch of mmpose's configuration."""
BARE, ALL, ONE, PEER = "bare passes", "sweep, all decoders", "sweep, DARK alone", "mmpose's test loop, DARK"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


@dataclass
class Timings:
    """Inputs that every round uses, and the measured times."""

    source: str
    spec: str
    dataset: Dataset
    seconds: dict[str, list[float]] = field(default_factory=dict)
    """Seconds per face of each timed part, one value per round."""
    decoders: dict[str, float] = field(default_factory=dict)
    """Share of the run's time by decoder."""
    gflop: float = 0.0
    """Operations of both passes over a face, in 10^9."""
    gflops: list[float] = field(default_factory=list)
    """Rate of a matrix product in GFLOP/s, one value per round."""

    def time(self, what: str, work: Callable[[], object]) -> None:
        """Time ``work``, which processes all faces, and store seconds per face."""
        started = perf_counter()
        work()
        self.seconds.setdefault(what, []).append((perf_counter() - started) / FACES)

    def ratio(self, what: str, to: str) -> float:
        """Median over the rounds of the ratio of two times of the same round."""
        return statistics.median(a / b for a, b in zip(self.seconds[what], self.seconds[to], strict=True))

    def table(self) -> Iterator[str]:
        """Lines of the table: milliseconds per face, ratios, and shares of the decoders."""
        yield f"{'':<28}{'ms per face':>12}{'x bare passes':>15}{'mmpose / this':>15}"
        for what, seconds in self.seconds.items():
            peer = f"{self.ratio(PEER, what):.2f}" if PEER in self.seconds else "-"
            yield f"{what:<28}{statistics.median(seconds) * 1e3:>12.1f}{self.ratio(what, BARE):>15.3f}{peer:>15}"
        rate = statistics.median(self.gflops)
        least = 1e3 * self.gflop / rate
        yield f"both passes need {self.gflop:.2f} GFLOP: {least:.1f} ms at the {rate:.0f} GFLOP/s of a matrix product"
        more = (1 - self.ratio(ONE, ALL)) / (len(self.decoders) - 1)
        yield f"each further decoder takes {100 * more:.2f} percent of the run; processor time by decoder, percent:"
        yield ", ".join(
            f"{name} {100 * share:.2f}" for name, share in sorted(self.decoders.items(), key=lambda x: -x[1])
        )


@pytest.fixture
def timings(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Timings]:
    """The faces; prints the table at the end."""
    monkeypatch.setenv("NMEBENCH_CACHE", os.environ.get("NMEBENCH_CACHE", str(tmp_path / "cache")))
    torch.set_num_threads(psutil.cpu_count(logical=False) or 1)
    sample = Path(__file__).resolve().parents[3] / "shared" / "wflw-sample"
    source = os.environ.get("SPEED_DATA") or (f"wflw:{sample}" if sample.is_dir() else "synthface")
    spec = repeated(datasets.load(source), FACES, tmp_path / "faces")
    torch.manual_seed(0)
    found = Timings(Path(source).name, spec, datasets.load(spec))
    yield found
    reporter = request.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or ALL not in found.seconds:
        return
    with request.config.pluginmanager.get_plugin("capturemanager").global_and_fixture_disabled():
        threads = torch.get_num_threads()
        reporter.write_line(f"\n{FACES} faces of {found.source}, {threads} threads, medians of {ROUNDS} rounds")
        for line in found.table():
            reporter.write_line(line)


def test_sweep_speed(benchmark, timings: Timings, tmp_path: Path, mmdet_stand_in: None) -> None:
    """Time bare passes, sweeps with all decoders and with one, and mmpose's loop where it is installed."""
    runner = _runner(tmp_path, timings) if importlib.util.find_spec("mmpose") else None
    random = runner.model if runner else models.create("hrnetv2-w18", points=98)
    set_batch_norm_statistics(torch.nn.Sequential(random.backbone, random.neck, random.head) if runner else random)
    torch.save(random.state_dict(), tmp_path / "random.pth")  # under mmpose's parameter names where mmpose built it
    module = models.build(models.card.load("hrnetv2-w18"), weights=str(tmp_path / "random.pth")).module
    engine = engines.create("auto", module, threads=torch.get_num_threads())
    images = torch.randn(BATCH, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    engine(images)  # the first batch converts the network and selects kernels

    def bare() -> None:
        """Run only the two passes per face; as in the sweep, a pass starts before the previous one ends."""
        begun: deque[Callable[[], object]] = deque()
        for start in range(0, FACES, BATCH):
            for _ in ("plain", "mirrored"):
                begun.append(engine.start(images[: FACES - start]))
                if len(begun) > 2:
                    begun.popleft()()
        for wait in begun:
            wait()

    def sweep(decoders: str) -> Run:
        """Run a complete sweep, from the annotation file to stored scores and thumbnails."""
        model = {"card": "hrnetv2-w18", "weights": str(tmp_path / "random.pth")}
        options = {"data": timings.spec, "models": [model], "decoders": [decoders], "flip": ["flip+shift"]}
        shutil.rmtree(tmp_path / decoders, ignore_errors=True)
        return execute(validate(options, where="a benchmark"), tmp_path / decoders)

    threads = torch.get_num_threads()
    timings.gflop = 2 * gflop_per_face(module, (SIDE, SIDE))

    def turn() -> None:
        timings.gflops.append(measure_limits(threads).gflops)
        timings.time(BARE, bare)
        timings.time(ALL, lambda: sweep("all"))
        timings.time(ONE, lambda: sweep("dark"))
        if runner:
            timings.time(PEER, runner.test)

    benchmark.pedantic(turn, rounds=ROUNDS, warmup_rounds=0)
    run = Run.open(tmp_path / "all")
    assert run.record.models[0].batch_size == BATCH
    total = run.timings["total"]
    spent = {name: s for name, s in run.timings["workers"].items() if name.startswith("decode ")}
    assert len(spent) == len(run.record.cells)
    timings.decoders = {name.removeprefix("decode "): s / threads / total for name, s in spent.items()}
    benchmark.extra_info["x bare passes"] = timings.ratio(ALL, BARE)
    if runner:
        benchmark.extra_info["mmpose / ours"] = timings.ratio(PEER, ALL)
        _same_landmarks(runner, run)


def _same_landmarks(runner: Any, run: Run) -> None:
    """Check that mmpose predicts the stored landmarks for its first batch: both did the same work."""
    with torch.no_grad():
        predicted = runner.model.test_step(next(iter(runner.test_dataloader)))
    theirs = np.concatenate([sample.pred_instances.keypoints for sample in predicted])
    cell = next(cell.id for cell in run.record.cells if cell.decoder == "dark")
    distance = np.linalg.norm(run.landmarks(cell)[[sample.id for sample in predicted]] - theirs, axis=-1)
    # DARK is near-singular on a few maps of a random network, where rounding decides the step.
    assert np.quantile(distance, 0.99) < 0.01, np.quantile(distance, [0.5, 0.9, 0.99, 1])


def _as_mmpose_json(dataset: Dataset) -> dict[str, Any]:
    """The faces in the form of mmpose's WFLW annotation file."""
    numbers = {image: number for number, image in enumerate(dict.fromkeys(dataset.images))}
    assert dataset.image_root is not None
    pictures = []
    for image, number in numbers.items():
        height, width = cv2.imread(str(dataset.image_root / image)).shape[:2]
        pictures.append({"id": number, "file_name": image, "width": width, "height": height})
    faces = []
    for face, (image, points) in enumerate(zip(dataset.images, dataset.landmarks, strict=True)):
        low, high = np.floor(points.min(axis=0)), np.ceil(points.max(axis=0))
        faces.append(
            {
                "id": face,
                "image_id": numbers[image],
                "category_id": 1,
                "iscrowd": 0,
                "num_keypoints": len(points),
                "keypoints": [value for x, y in points for value in (float(x), float(y), 1.0)],
                "bbox": [*low.tolist(), *(high - low).tolist()],
                "area": float((high - low).prod()),
                "center": ((low + high) / 2).tolist(),
                "scale": float(max(high - low)) / 200,
            }
        )
    return {"images": pictures, "annotations": faces, "categories": [{"id": 1, "name": "face"}]}


def _runner(work: Path, timings: Timings) -> Any:
    """mmpose's runner for ``td-hm_hrnetv2-w18_dark-8xb64-60e_wflw-256x256``, without logs and checkpoints.

    ``runner.test()`` is its complete test loop: reading, crops, two passes, DARK, NME.
    """
    root = Path(timings.spec.removeprefix("wflw:"))
    (work / "faces.json").write_text(json.dumps(_as_mmpose_json(timings.dataset)))
    import mmpose.datasets
    import mmpose.evaluation
    import mmpose.models  # noqa: F401 - registers what the configuration names
    from mmengine.config import Config
    from mmengine.runner import Runner

    pipeline = [
        {"type": "LoadImage"},
        {"type": "GetBBoxCenterScale"},
        {"type": "TopdownAffine", "input_size": (SIDE, SIDE)},
        {"type": "PackPoseInputs"},
    ]
    faces = {
        "type": "WFLWDataset", "data_root": str(root), "data_mode": "topdown", "ann_file": str(work / "faces.json"),
        "data_prefix": {"img": "WFLW_images/"}, "test_mode": True, "pipeline": pipeline,
    }  # fmt: skip
    loader = {
        "batch_size": PEER_BATCH, "num_workers": 2, "persistent_workers": True, "drop_last": False,
        "sampler": {"type": "DefaultSampler", "shuffle": False, "round_up": False}, "dataset": faces,
    }  # fmt: skip
    return Runner.from_cfg(
        Config(
            {
                "default_scope": "mmpose",
                "work_dir": str(work / "mmpose"),
                "model": hrnetv2_w18(SIDE),
                "test_dataloader": loader,
                "test_cfg": {},
                "test_evaluator": {"type": "NME", "norm_mode": "keypoint_distance"},
                "log_level": "ERROR",
                "randomness": {"seed": 0},
            }
        )
    )
