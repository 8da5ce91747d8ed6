"""A short training run from random weights learns to find landmarks (minutes, marked slow)."""

from __future__ import annotations

from pathlib import Path

import pytest

from nmebench import models
from nmebench.training import log, train


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_short_run_learns_from_scratch(cache: Path, tmp_path: Path) -> None:
    card = models.card.load(train("synthface-short", tmp_path / "out", device="cpu"))
    entries = log.read(tmp_path / "out" / "log.jsonl")
    checks = [entry["nme"] for entry in entries if entry["event"] == "validation"]
    assert card.training is not None
    assert checks[0] > 20
    # Measured: see docs/training.md; other CPUs sum in another order, and a short run is sensitive to that.
    assert float(str(card.training.log["validation_nme_float16"])) < 12
