"""A small set of faces and a network that is quick on any machine."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from few_faces import write_few_faces
from safetensors.torch import save_file

from nmebench import models
from nmebench.runs.run_store import Run
from nmebench.sweep import execute
from nmebench.sweep.configuration import validate

FACES_300W = 5


@pytest.fixture(scope="session")
def few_faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eleven faces in seven photographs, in WFLW's layout."""
    return write_few_faces(tmp_path_factory.mktemp("few") / "WFLW")


@pytest.fixture(scope="session")
def small_card(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A card of an untrained network of 64x64 px input."""
    import torch

    folder = tmp_path_factory.mktemp("card")
    torch.manual_seed(0)
    module = models.create("timm:mobilenetv3_small_050", points=98, width=8)
    save_file(module.state_dict(), folder / "small.safetensors")
    (folder / "small.toml").write_text(
        'name = "small"\narchitecture = "timm:mobilenetv3_small_050"\nweights = "small.safetensors"\n'
        '[options]\npoints = 98\nwidth = 8\n[input]\nsize = [64, 64]\n[test]\ndecoder = "dark"\n'
        '[reported.wflw.paper]\nnme = { test = 9.0 }\nsource = "a test"\ntolerance = 0.01\n'
    )
    return folder / "small.toml"


@pytest.fixture(scope="session")
def faces300w(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five faces of 68 points, in HRNet's csv."""
    root = tmp_path_factory.mktemp("300w")
    points = np.random.default_rng(3).uniform(30, 110, (FACES_300W, 68, 2)).round(3)
    head = ["image_name", "scale", "center_w", "center_h"]
    head += [f"original_{index}_{axis}" for index in range(68) for axis in "xy"]
    folders = ("helen/testset", "ibug", "lfpw/testset", "ibug", "helen/testset")
    with (root / "face_landmarks_300w_valid.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(head)
        for face, folder in enumerate(folders):
            name = f"{folder}/{face}.png"
            (root / "images" / folder).mkdir(parents=True, exist_ok=True)
            pixels = np.random.default_rng(face).integers(0, 255, (150, 160, 3), np.uint8)
            cv2.imwrite(str(root / "images" / name), pixels)
            writer.writerow([name, 0.5, 70, 70, *points[face].ravel().tolist()])
    return root


@pytest.fixture
def sweep(few_faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Run]:
    """Sweep cards over the eleven faces with plain torch: ``sweep(CARD, ..., out=NAME)``."""
    monkeypatch.setenv("NMEBENCH_CACHE", str(tmp_path / "cache"))

    def run(*cards: Path, out: str, progress: Any = None, **changes: object) -> Run:
        raw = {
            "data": f"wflw:{few_faces}", "models": [str(card) for card in cards], "engine": "torch", "threads": 1,
            "batch_size": 4, "pictures": False,
        }  # fmt: skip
        return execute(validate(raw | changes, where="a test"), tmp_path / out, progress=progress)

    return run
