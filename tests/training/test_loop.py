"""Complete runs of a tiny network: their files, and identical weights after an interruption."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from nmebench import models
from nmebench.errors import InputError
from nmebench.training import log, loop, train

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _cache(cache: Path) -> None:
    """Give every run its own cache."""


def test_a_run_leaves_weights_a_log_and_a_card_that_builds(recipe_file: Callable[..., Path], tmp_path: Path) -> None:
    before = torch.random.get_rng_state(), torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    path = train(recipe_file(), tmp_path / "out", device="cpu")
    after = torch.random.get_rng_state(), torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]

    card = models.card.load(path)
    built = models.build(card)
    assert card.training is not None
    assert built.weights_sha256 == card.training.sha256
    assert card.training.log["steps"] == 6
    assert card.training.log["faces_seen"] == 24
    assert card.training.data == "wflw train, faces 0 to 7, box landmarks"
    assert card.input.size == (96, 96)
    tensors = safetensors.torch.load_file(tmp_path / "out" / "tiny.safetensors")
    assert {t.dtype for t in tensors.values() if t.dim() > 1} == {torch.float16}

    entries = log.read(tmp_path / "out" / "log.jsonl")
    assert [e["size"] for e in entries if e["event"] == "validation"] == [64, 64, 96]
    assert entries[-1]["event"] == "end"
    assert entries[-1]["nme"] == pytest.approx(card.training.log["validation_nme_float16"], abs=1e-3)


@pytest.mark.parametrize("step", [3, 5])
def test_a_resumed_run_ends_in_the_same_bits(
    recipe_file: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    path = recipe_file()
    train(path, tmp_path / "whole", device="cpu")

    monkeypatch.setattr(loop, "SHORTEST_PAUSE", 0.0)
    take = loop._step

    def interrupted(made: Any, parts: Any, at: Any, *rest: Any) -> torch.Tensor:
        if at.number == step:
            raise KeyboardInterrupt
        return take(made, parts, at, *rest)

    monkeypatch.setattr(loop, "_step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(path, tmp_path / "halves", device="cpu")
    monkeypatch.setattr(loop, "_step", take)
    train(path, tmp_path / "halves", resume=True, device="cpu")

    assert weights(tmp_path / "whole") == weights(tmp_path / "halves")
    assert measured(tmp_path / "whole") == measured(tmp_path / "halves")


def test_a_killed_run_goes_on_to_the_same_bits(recipe_file: Callable[..., Path], tmp_path: Path) -> None:
    """Send SIGKILL at an arbitrary point: no handler runs."""
    path = recipe_file(stages=[{"epochs": 25, "size": 64, "batch": 4}], workers=1)
    train(path, tmp_path / "whole", device="cpu")
    code = (
        "from pathlib import Path; from nmebench.training import loop; loop.SHORTEST_PAUSE = 0.0;"
        f"loop.train({str(path)!r}, Path({str(tmp_path / 'killed')!r}), device='cpu')"
    )
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
    reached = 0
    deadline = time.monotonic() + 120
    while reached < 10 and process.poll() is None and time.monotonic() < deadline:
        reached = max([e["step"] for e in log.read(tmp_path / "killed" / "log.jsonl")], default=0)
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert 10 <= reached < 50
    assert not (tmp_path / "killed" / "tiny.safetensors").exists()
    train(path, tmp_path / "killed", resume=True, device="cpu")
    starts = [e["step"] for e in log.read(tmp_path / "killed" / "log.jsonl") if e["event"] == "start"]
    assert starts[0] == 0
    assert starts[1] > 0
    assert weights(tmp_path / "whole") == weights(tmp_path / "killed")


def test_the_weights_do_not_depend_on_the_workers(recipe_file: Callable[..., Path], tmp_path: Path) -> None:
    train(recipe_file("none"), tmp_path / "0", device="cpu")
    train(recipe_file("two", workers=2), tmp_path / "2", device="cpu")
    assert weights(tmp_path / "0") == weights(tmp_path / "2")


def test_the_seed_decides_the_weights(recipe_file: Callable[..., Path], tmp_path: Path) -> None:
    train(recipe_file("a", seed=1), tmp_path / "a", device="cpu")
    train(recipe_file("b", seed=2), tmp_path / "b", device="cpu")
    assert weights(tmp_path / "a") != weights(tmp_path / "b")


def test_a_tiny_network_learns_its_faces_by_heart(recipe_file: Callable[..., Path], tmp_path: Path) -> None:
    still = {"flip": 0.0, "rotation": 0.0, "scale": 0.0}
    path = recipe_file(
        options={"width": 32},
        stages=[{"epochs": 60, "size": 64, "batch": 8, "lr": 1e-2}],
        augmentation=still,
        optimiser={"warmup_steps": 5, "schedule": "cosine"},
        validate_epochs=60,
    )
    train(path, tmp_path / "out", device="cpu")
    losses = [e["loss"] for e in log.read(tmp_path / "out" / "log.jsonl") if e["event"] == "step"]
    assert losses[-1] < 0.3 * losses[0]


@pytest.mark.parametrize(
    ("prepare", "resume", "message"),
    [
        pytest.param("begun", False, "continue with --resume", id="begun"),
        pytest.param("other", True, "a run of another recipe", id="another-recipe"),
        pytest.param("foreign", True, "holds no training run", id="foreign-folder"),
        pytest.param("file", False, "is a file", id="a-file"),
        pytest.param("damaged", True, "can't be read as a checkpoint", id="damaged-checkpoint"),
        pytest.param("unwritable", False, "can't write into", id="unwritable"),
    ],
)
def test_a_folder_that_is_not_this_runs_is_refused(
    recipe_file: Callable[..., Path], tmp_path: Path, prepare: str, resume: bool, message: str
) -> None:
    out = tmp_path / "out"
    path = recipe_file()
    if prepare in ("begun", "damaged"):
        train(path, out, device="cpu")
        (out / "checkpoint.pt").write_bytes(b"PK\x03\x04 not a checkpoint")
    elif prepare == "other":
        train(recipe_file("other", seed=5), out, device="cpu")
    elif prepare == "foreign":
        out.mkdir()
        (out / "thesis.tex").write_text("x", encoding="utf-8")
    elif prepare == "file":
        out.write_text("x", encoding="utf-8")
    else:
        out = Path("/proc/nowhere/out")
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")}
    with pytest.raises(InputError, match=message) as caught:
        train(path, out, resume=resume, device="cpu")
    assert "\n" not in str(caught.value)
    if prepare != "damaged":
        assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")} == before


def test_a_loss_that_is_no_number_ends_the_run(recipe_file: Callable[..., Path], tmp_path: Path) -> None:
    path = recipe_file(
        stages=[{"epochs": 30, "size": 64, "batch": 4, "lr": 1e30}], optimiser={"warmup_steps": 0, "schedule": "step"}
    )
    with pytest.raises(InputError, match="the loss is nan"):
        train(path, tmp_path / "out", device="cpu")
    assert not (tmp_path / "out" / "tiny.safetensors").exists()


def test_a_list_that_is_too_short_says_so(recipe_file: Callable[..., Path], tmp_path: Path) -> None:
    path = recipe_file(validation=None, train={"source": recipe_source(recipe_file), "faces": 13})
    with pytest.raises(InputError, match="has 12 train faces, not the 13 wanted"):
        train(path, tmp_path / "out", device="cpu")


def recipe_source(recipe_file: Callable[..., Path]) -> str:
    """The `wflw:PATH` that the fixture's recipe trains on."""
    from nmebench.training import recipe

    return recipe.load(recipe_file("source")).train.source


def weights(out: Path) -> bytes:
    """Bytes of the weights file."""
    return (out / "tiny.safetensors").read_bytes()


def measured(out: Path) -> list[tuple[int, float]]:
    """Validation records of the log."""
    entries = log.read(out / "log.jsonl")
    return [(e["step"], e["nme"]) for e in entries if e["event"] in ("validation", "end")]
