"""Twelve small pictures in WFLW's layout, and a recipe that trains a tiny network on them in a second."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from nmebench.geometry.scheme import load
from nmebench.training.recipe import Recipe

FACES = 12
LIST = Path("WFLW_annotations", "list_98pt_rect_attr_train_test", "list_98pt_rect_attr_train.txt")


def face(index: int) -> tuple[np.ndarray, np.ndarray]:
    """A picture [120, 130, 3] and landmarks [98, 2]: rings of bright dots, with the flip symmetry of the scheme."""
    rng = np.random.default_rng([11, index])
    flip = load("wflw98").flip
    angles = np.linspace(0, 2 * np.pi, 98, endpoint=False)
    ring = np.stack([np.cos(angles), np.sin(angles)], axis=1) * np.linspace(12, 34, 98)[:, None]
    mirrored = ring[flip] * [-1, 1]
    points = (ring + mirrored) / 2 * rng.uniform(0.9, 1.1) + [65, 60] + rng.normal(0, 3, 2)
    points[[60, 72]] = points[[60, 72]].mean(axis=0) + np.array([[-20, 0], [20, 0]])
    image = rng.integers(0, 60, (120, 130, 3)).astype(np.uint8)
    columns, rows = np.arange(130), np.arange(120)
    for place in (60, 72, 16, 96):
        x, y = points[place]
        blob = 180 * np.exp(-((columns - x) ** 2 + (rows[:, None] - y) ** 2) / 18)
        image = np.clip(image + blob[..., None], 0, 255).astype(np.uint8)
    return image, points


@pytest.fixture(scope="session")
def wflw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of a WFLW-like folder with FACES training faces."""
    root = tmp_path_factory.mktemp("wflw")
    (root / LIST).parent.mkdir(parents=True)
    (root / "WFLW_images" / "0--Toy").mkdir(parents=True)
    lines = []
    for index in range(FACES):
        image, points = face(index)
        name = f"0--Toy/{index}.png"
        cv2.imwrite(str(root / "WFLW_images" / name), image)
        numbers = [*points.reshape(-1), *points.min(axis=0), *points.max(axis=0)]
        lines.append(" ".join(f"{value:.6f}" for value in numbers) + f" 0 0 0 0 0 0 {name}\n")
    (root / LIST).write_text("".join(lines), encoding="utf-8")
    return root


@pytest.fixture
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A separate folder for the training cache."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("NMEBENCH_CACHE", str(folder))
    return folder


@pytest.fixture
def table(wflw: Path) -> Callable[..., dict[str, Any]]:
    """Make the table of a recipe: a tiny network, 8 + 4 faces, 6 steps in two stages."""

    def make(**more: Any) -> dict[str, Any]:
        return {
            "name": "tiny",
            "model": "timm:test_efficientnet",
            "options": {"width": 8},
            "threads": 1,
            "workers": 0,
            "checkpoint_steps": 1,
            "train": {"source": f"wflw:{wflw}", "faces": 8},
            "validation": {"source": f"wflw:{wflw}", "faces": 4, "skip": 8},
            "stages": [
                {"epochs": 2, "size": 64, "batch": 4, "lr": 2e-3},
                {"epochs": 1, "size": 96, "batch": 4, "lr": 1e-3},
            ],
            "augmentation": {"shift": 0.02, "colour": 0.2},
            "optimiser": {"warmup_steps": 2, "schedule": "cosine", "average": 0.9},
            "loss": {"foreground": 10.0},
            "note": "A toy.",
            **more,
        }

    return make


@pytest.fixture
def recipe_file(table: Callable[..., dict[str, Any]], tmp_path: Path) -> Callable[..., Path]:
    """Write a recipe and return its path."""
    from nmebench.training.export import toml

    def make(name: str = "recipe", **more: Any) -> Path:
        made = Recipe.model_validate(table(**more))
        values = made.model_dump(exclude_defaults=True)
        stages = values.pop("stages")
        text = toml(values)
        for stage in stages:
            text += "\n[[stages]]\n" + toml(stage)
        path = tmp_path / f"{name}.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return make
