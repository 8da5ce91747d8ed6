"""Speed of the decoders relative to a plain maximum over the same heatmaps (``nox -s benchmarks``).

The heatmaps are 98 Gaussians of sigma 2 on 64 x 64 px with noise 0.02, with landmarks in the middle 80 % of the map, as
in a box of 1.25 times the face. Times are CPU times of the thread or process, which other programs disturb less than
wall-clock times; the table of ratios uses the smallest of the rounds.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
import torch

from nmebench import decoders
from nmebench.decoders.interface import gaussians

SIDE, POINTS = 64, 98
EXTRA = ["dark:path=whole", "dark:kernel=17", "barycentre:form=ldeq"]


@cache
def heatmaps(faces: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    centres = (torch.rand(faces, POINTS, 2, generator=generator) * 0.8 + 0.1) * (SIDE - 1)
    maps = torch.stack([gaussians(face, SIDE, SIDE, 2.0) for face in centres])
    return centres, maps + 0.02 * torch.randn(maps.shape, generator=generator)


def inputs(name: str, faces: int) -> tuple[Callable[[object], object], object]:
    """The timed decoder, batch size and number of threads."""
    centres, maps = heatmaps(faces)
    if name == "torch.amax":
        return (lambda values: torch.amax(values, dim=(2, 3))), maps
    decoder = decoders.from_spec(name)
    if decoder.needs == ("heatmaps",):
        return decoder, maps
    return decoder, decoder.draw(centres, SIDE, SIDE)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("faces", [1, 64])
@pytest.mark.parametrize("name", ["torch.amax", *decoders.names(), *EXTRA])
def test_decoder(benchmark, ratios, name, faces, threads) -> None:
    function, outputs = inputs(name, faces)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        rounds = 15 if faces == 64 else 100
        # Two threads are timed by the wall clock, because CPU time adds both up.
        benchmark._timer = time.thread_time if threads == 1 else time.perf_counter
        result = benchmark.pedantic(function, args=(outputs,), rounds=rounds, warmup_rounds=2)
    finally:
        torch.set_num_threads(before)
    if name == "torch.amax":
        assert result.shape == (faces, POINTS)
    else:
        assert result.landmarks.shape == (faces, POINTS, 2)
    if benchmark.stats is not None:
        best = benchmark.stats.stats.min / faces
        ratios[name, faces, threads] = best
        benchmark.extra_info["ms_a_face"] = best * 1e3
        benchmark.extra_info["faces"], benchmark.extra_info["threads"] = faces, threads
        for other in ("torch.amax", "argmax"):
            if (other, faces, threads) in ratios:
                benchmark.extra_info[f"ratio_to_{other}"] = best / ratios[other, faces, threads]


PEERS = {
    "mmpose argmax": "argmax",
    "mmpose quarter offset": "quarter",
    "mmpose DARK": "dark",
    "mmpose DARK-UDP": "dark_udp",
}


@pytest.mark.parametrize("name", PEERS)
def test_live_mmpose(benchmark, ratios, name) -> None:
    """mmpose's own codecs, which decode one face at a time; runs where mmpose can be imported."""
    utils = pytest.importorskip("mmpose.codecs.utils", reason="mmpose isn't installed here; `nox -s parity` has it")
    maps = heatmaps(8)[1].numpy()

    def decode(values: np.ndarray) -> np.ndarray:
        found = []
        for face in values:
            keypoints, _ = utils.get_heatmap_maximum(face)
            keypoints = keypoints[None]
            if PEERS[name] == "quarter":
                utils.refine_keypoints(keypoints, face.copy())
            elif PEERS[name] == "dark":
                utils.refine_keypoints_dark(keypoints, face.copy(), blur_kernel_size=11)
            elif PEERS[name] == "dark_udp":
                utils.refine_keypoints_dark_udp(keypoints, face.copy(), blur_kernel_size=11)
            found.append(keypoints[0])
        return np.stack(found)

    benchmark._timer = time.thread_time
    found = benchmark.pedantic(decode, args=(maps,), rounds=5, warmup_rounds=1)
    assert found.shape == (8, maps.shape[1], 2)
    assert np.isfinite(found).all()
    if benchmark.stats is not None:
        ratios[name, 64, 1] = benchmark.stats.stats.min / 8
