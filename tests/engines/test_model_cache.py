"""The cache of converted networks."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from torch import nn

from nmebench.engines import model_cache


def test_key_depends_on_weights_structure_and_facts() -> None:
    plain = nn.Sequential(nn.Conv2d(3, 2, 1), nn.Upsample(scale_factor=2, mode="bilinear"))
    nearest = nn.Sequential(nn.Conv2d(3, 2, 1), nn.Upsample(scale_factor=2, mode="nearest"))
    nearest.load_state_dict(plain.state_dict())
    key = model_cache.cache_key(plain, "1")
    assert key == model_cache.cache_key(plain, "1")
    assert key != model_cache.cache_key(nearest, "1")
    assert key != model_cache.cache_key(plain, "2")
    with torch.no_grad():
        next(plain.parameters()).view(-1)[0] += 1e-6
    assert key != model_cache.cache_key(plain, "1")


def test_least_recently_used_entries_are_removed(cache: Path) -> None:
    for number in range(model_cache.MAX_ENTRIES + 3):
        with model_cache.add(f"{number:02}") as entry:
            (entry / "x").write_text(str(number))
        os.utime(cache / f"{number:02}", (number, number))
    assert len(list(cache.iterdir())) == model_cache.MAX_ENTRIES
    assert model_cache.find("00") is None
    newest = model_cache.find(f"{model_cache.MAX_ENTRIES + 2:02}")
    assert newest is not None
    assert (newest / "x").read_text() == str(model_cache.MAX_ENTRIES + 2)


def test_two_processes_may_add_the_same_entry(cache: Path) -> None:
    with model_cache.add("x") as late:
        with model_cache.add("x") as early:
            (early / "a").write_text("1")
        (late / "a").write_text("1")
    assert [p.name for p in cache.iterdir()] == ["x"]
    assert model_cache.find("x") is not None


def test_failed_conversion_leaves_no_entry(cache: Path) -> None:
    def fail(entry: Path) -> None:
        (entry / "half").write_text("")
        raise RuntimeError

    with pytest.raises(RuntimeError), model_cache.add("x") as entry:
        fail(entry)
    assert list(cache.iterdir()) == []
