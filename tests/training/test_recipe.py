"""Recipes: refused values and their messages."""

from __future__ import annotations

from pathlib import Path

import pytest

from nmebench.errors import InputError
from nmebench.training import recipe

GOOD = """
name = "x"
model = "heatmap-mobilenetv3"
[train]
source = "synthface"
seed = 1
faces = 100
[[stages]]
epochs = 1
batch = 10
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "recipe.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_defaults_are_mmposes(tmp_path: Path) -> None:
    made = recipe.load(write(tmp_path, GOOD))
    assert (made.augmentation.rotation, made.augmentation.scale, made.augmentation.flip) == (30.0, 0.25, 0.5)
    assert (made.loss.sigma, made.loss.foreground) == (2.0, 0.0)
    assert (made.stages[0].size, made.stages[0].lr) == (256, 2e-3)


@pytest.mark.parametrize("name", recipe.shipped())
def test_every_shipped_recipe_loads(name: str) -> None:
    made = recipe.load(name)
    assert made.name == name
    assert made.note


def test_the_shipped_recipes_include_the_published_one() -> None:
    made = recipe.load("wflw-hrnetv2-w18-dark")
    assert made.model == "hrnetv2-w18"
    assert made.train.faces == 7500
    assert [(s.size, s.epochs, s.batch, s.lr) for s in made.stages] == [(256, 60, 64, 2e-3)]
    o = made.optimiser
    assert (o.schedule, o.milestones, o.gamma, o.warmup_steps, o.warmup_ratio) == ("step", (40, 55), 0.1, 500, 1e-3)
    assert (made.loss.sigma, made.loss.foreground) == (2.0, 0.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(
            ("epochs = 1", "epoch = 1"), "stages.0.epoch: unknown field; did you mean 'epochs'", id="missing-field"
        ),
        pytest.param(("seed = 1", "seed = 1\nfases = 3"), "did you mean 'faces'", id="near-match"),
        pytest.param(("faces = 100", "faces = 0"), "train.faces: must be greater than 0, not 0", id="zero-faces"),
        pytest.param(("faces = 100", "faces = -4"), "train.faces", id="negative-faces"),
        pytest.param(("batch = 10", "batch = 200"), "batches of 200 out of 100 faces", id="batch-too-large"),
        pytest.param(("batch = 10", "size = 100"), "multiple of 32", id="odd-size"),
        pytest.param(("batch = 10", "lr = nan"), "stages.0.lr", id="nan-rate"),
        pytest.param(("seed = 1\n", ""), "`seed` is given for source = 'synthface'", id="no-seed"),
        pytest.param(
            ("[[stages]]", '[validation]\nsource = "synthface"\nseed = 1\nskip = 90\nfaces = 20\n[[stages]]'),
            "share faces",
            id="validation-in-training",
        ),
        pytest.param(
            ("[[stages]]", '[validation]\nsource = "synthface"\nsplit = "test"\nseed = 1\nfaces = 9\n[[stages]]'),
            "may not be the test split",
            id="validation-on-test",
        ),
        pytest.param(("[[stages]]", "[[stages"), "not a toml", id="no-toml"),
    ],
)
def test_a_bad_recipe_is_one_line(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    path = write(tmp_path, GOOD.replace(*change))
    with pytest.raises(InputError) as caught:
        recipe.load(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_recipe_names_the_near_one() -> None:
    with pytest.raises(InputError, match="did you mean 'wflw-hrnetv2-w18-dark'"):
        recipe.load("wflw-hrnetv2-w18-drk")


def test_a_path_may_name_an_environment_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NMEBENCH_WFLW", "somewhere")
    assert recipe.expand("wflw:$NMEBENCH_WFLW") == "wflw:somewhere"
    monkeypatch.delenv("NMEBENCH_WFLW")
    with pytest.raises(InputError, match="needs the environment variable NMEBENCH_WFLW"):
        recipe.expand("wflw:$NMEBENCH_WFLW")
