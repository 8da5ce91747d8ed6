"""Times of this project's stages, one at a time, in milliseconds per face."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import torch

from nmebench import decoders, engines, models
from nmebench.bench.limits import Limits, gflop_per_face, timed
from nmebench.geometry import crop

__all__ = ["TimedStage", "measure_stages"]

_POINTS = 98


@dataclass(frozen=True)
class TimedStage:
    """A stage and its milliseconds per face."""

    stage: str
    what: str
    ms: float


def measure_stages(*, network: str, engine: str, limits: Limits, batch: int) -> Iterator[TimedStage]:
    """Measure reading, cropping, the forward pass and every heatmap decoder, one after the other.

    Args:
        network: a registered network; it runs with random weights, which do not affect its speed.
        engine: an engine's name.
        limits: limits of this machine; the network and the decoders use the same number of threads.
        batch: faces per batch.
    """
    threads = limits.threads
    torch.set_num_threads(threads)
    cv2.setNumThreads(1)
    generator = np.random.default_rng(0)
    photograph = np.asarray(cv2.GaussianBlur(generator.integers(0, 255, (768, 1024, 3), np.uint8), (0, 0), 3), np.uint8)
    jpeg = cv2.imencode(".jpg", photograph)[1]
    seconds = timed(lambda: cv2.imdecode(jpeg, cv2.IMREAD_COLOR))
    yield TimedStage("read and crop", "decode of a 1024x768 JPEG", 1e3 * seconds)
    box = (np.array([500.0, 400.0]), np.array([220.0, 220.0]))
    seconds = timed(lambda: crop.crop(photograph, *box, (256, 256), "affine"))
    yield TimedStage("read and crop", "crop to 256x256", 1e3 * seconds)
    crops = np.repeat(crop.crop(photograph, *box, (256, 256), "affine")[None], batch, axis=0)
    card = models.card.Card(name=network, architecture=network)
    seconds = timed(lambda: crop.normalise(crops, card.input.mean, card.input.std, card.input.colour))
    yield TimedStage("normalise", f"batch {batch}", 1e3 * seconds / batch)
    images = torch.from_numpy(crop.normalise(crops, card.input.mean, card.input.std, card.input.colour))
    torch.manual_seed(0)
    module = models.create(network, points=_POINTS).eval()
    runner = engines.create(engine, module, threads=threads)
    operations = gflop_per_face(module, card.input.size)
    yield TimedStage(
        "forward", f"{operations:.2f} GFLOP at the rate of a matrix product", 1e3 * operations / limits.gflops
    )
    with torch.inference_mode():
        yield TimedStage(
            "forward", f"{network}, {runner.name}, batch {batch}", 1e3 * timed(lambda: runner(images)) / batch
        )
        heatmaps = torch.rand((batch, _POINTS, 64, 64), generator=torch.Generator().manual_seed(0))
        seconds = timed(lambda: torch.amax(heatmaps, dim=(2, 3)))
        yield TimedStage("read heatmaps", "torch.amax of 98 maps of 64x64", 1e3 * seconds / batch)
        for name in decoders.names():
            decoder = decoders.create(name)
            if tuple(decoder.needs) == ("heatmaps",):
                milliseconds = 1e3 * timed(lambda decoder=decoder: decoder(heatmaps)) / batch  # type: ignore[misc]
                yield TimedStage(f"decode {name}", f"batch {batch}, {threads} threads", milliseconds)
