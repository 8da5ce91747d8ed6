"""An edited engine has other cache keys, so a resumed sweep computes and checks its outputs again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from nmebench import engines, source_hash
from nmebench.errors import InputError
from nmebench.sweep import execute, plan
from nmebench.sweep.configuration import SweepConfiguration, validate


def _configuration(few_faces: Path, small_card: Path, engine: str) -> SweepConfiguration:
    raw = {
        "data": f"wflw:{few_faces}", "models": [str(small_card)], "decoders": ["dark"], "flip": ["none"],
        "engine": engine, "threads": 1, "batch_size": 4, "pictures": False,
    }  # fmt: skip
    return validate(raw, where="a test")


def _edit_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make ``engines/folding.py`` look edited."""
    sources = source_hash._sources

    def edited(package: str) -> tuple[tuple[str, str], ...]:
        return tuple(
            (name, "0" * 64 if name == "nmebench.engines.folding" else sha256) for name, sha256 in sources(package)
        )

    monkeypatch.setattr(source_hash, "_sources", edited)


@pytest.mark.parametrize("engine", engines.names())
def test_keys(few_faces: Path, small_card: Path, engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    configuration = _configuration(few_faces, small_card, engine)
    before = plan.make(configuration).networks[0]
    _edit_engines(monkeypatch)
    after = plan.make(configuration).networks[0]
    assert after.key != before.key
    assert after.cells[0].key != before.cells[0].key
    assert after.crops_key == before.crops_key


@pytest.mark.parametrize("stop_after", [1, None], ids=["resumed", "kept heatmaps"])
def test_edited_engine_is_checked_again(
    few_faces: Path, small_card: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop_after: int | None
) -> None:
    monkeypatch.setenv("NMEBENCH_CACHE", str(tmp_path / "cache"))
    configuration = _configuration(few_faces, small_card, "torch").model_copy(update={"keep_heatmaps": not stop_after})

    def stop(label: str, done: int, total: int) -> None:
        if stop_after and done:
            raise KeyboardInterrupt

    try:
        execute(configuration, tmp_path / "run", progress=stop)
    except KeyboardInterrupt:
        assert stop_after
    create = engines.create

    def scaled(*arguments: Any, **options: Any) -> Any:
        engine = create(*arguments, **options)
        call = type(engine).__call__

        class Scaled(type(engine)):  # type: ignore[misc]
            def __call__(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
                return {name: value * 1.01 for name, value in call(self, images).items()}

        engine.__class__ = Scaled
        return engine

    monkeypatch.setattr(engines, "create", scaled)
    _edit_engines(monkeypatch)
    monkeypatch.setattr("nmebench.engines.interface.TOLERANCE", 1e-9)  # an untrained network gives small outputs
    with pytest.raises(InputError, match="differs from plain torch"):
        execute(configuration, tmp_path / ("run" if stop_after else "other"))
