"""The cache of converted networks."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from nmebench import engines, source_hash
from nmebench.engines import model_cache
from nmebench.engines.interface import check_engine


class Scaled(nn.Module):
    """A network whose outputs depend on an attribute that neither its text nor its weights show."""

    def __init__(self, gain: Any = 1.0) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 2, 1)
        nn.init.constant_(self.convolution.weight, 0.5)
        nn.init.zeros_(self.convolution.bias)
        self.gain = gain

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return {"heatmaps": self.convolution(images) * float(self.gain)}


@dataclass(frozen=True, slots=True)
class Slotted:
    """An object without ``__dict__``."""

    value: int


@pytest.fixture
def unchanged_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the source files out, so that a file that somebody edits during a test doesn't change the key."""
    monkeypatch.setattr(model_cache, "plugin_sources", lambda _: [])


@pytest.mark.usefixtures("unchanged_sources")
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


@pytest.mark.usefixtures("unchanged_sources")
@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(1.0, 1.5, id="number"),
        pytest.param(torch.ones(2), torch.zeros(2), id="tensor that is no buffer"),
        pytest.param(np.ones(2), np.zeros(2), id="array"),
        pytest.param({"a": [1, (2, 3)]}, {"a": [1, (2, 4)]}, id="nested"),
        pytest.param(partial(max, 1), partial(max, 2), id="partial"),
        pytest.param(max, min, id="function"),
        pytest.param(Path("a"), "a", id="type"),
    ],
)
def test_key_depends_on_attributes(one: object, other: object) -> None:
    assert model_cache.cache_key(Scaled(one)) == model_cache.cache_key(Scaled(one))
    assert model_cache.cache_key(Scaled(one)) != model_cache.cache_key(Scaled(other))


@pytest.mark.usefixtures("unchanged_sources")
@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param([{"a": 1, "b": 2}, {"a": 1}], [{"a": 1, "b": 2}, {"a": 3}], id="second of two tables"),
        pytest.param([{"a": 0}, {"a": 1}, {"a": 2}], [{"a": 0}, {"a": 3}, {"a": 2}], id="second of three tables"),
        pytest.param(np.float32(1), np.float32(2), id="number of NumPy"),
        pytest.param(np.array([1, None]), np.array([2, None]), id="array of objects"),
        pytest.param(deque([1.0]), deque([2.0]), id="deque"),
        pytest.param(range(3), range(4), id="range"),
        pytest.param(pd.DataFrame({"a": [1.0]}), pd.DataFrame({"a": [2.0]}), id="table of pandas"),
        pytest.param(Slotted(1), Slotted(2), id="slots"),
    ],
)
def test_key_depends_on_what_an_attribute_holds(one: object, other: object) -> None:
    keys = []
    for value in (one, one, other):
        network = nn.Identity()
        network.held = value  # type: ignore[assignment]
        keys.append(model_cache.cache_key(network))
    assert keys[0] == keys[1] != keys[2]


@pytest.mark.usefixtures("unchanged_sources")
def test_key_of_a_network_that_refers_to_itself() -> None:
    network = Scaled()
    network.gain = [network, network.__dict__]
    assert model_cache.cache_key(network) == model_cache.cache_key(network)


@pytest.mark.usefixtures("unchanged_sources")
def test_key_depends_on_buffers_that_are_not_saved() -> None:
    network = Scaled()
    network.register_buffer("offset", torch.zeros(2), persistent=False)
    key = model_cache.cache_key(network)
    network.offset += 1  # type: ignore[operator]
    assert model_cache.cache_key(network) != key


@pytest.mark.parametrize("source", ["nmebench.engines", "nmebench.models"])
def test_key_depends_on_the_code_of_the_conversion(monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    network = nn.Conv2d(3, 2, 1)
    key = model_cache.cache_key(network)
    sources = source_hash._sources
    monkeypatch.setattr(
        source_hash, "_sources", lambda package: (*sources(package), *([("x", "0" * 64)] if package == source else []))
    )
    assert model_cache.cache_key(network) != key


def test_network_without_source_is_not_cached(
    require_engine: Callable[[str], None], images: Tensor, cache: Path
) -> None:
    require_engine("openvino")
    names: dict[str, Any] = {"nn": nn, "__name__": "typed_in_an_interpreter"}
    exec("class Typed(nn.Conv2d):\n    def forward(self, x): return {'heatmaps': super().forward(x)}", names)
    network = names["Typed"](3, 2, 1).eval()
    assert model_cache.cache_key(network) is None
    engine = engines.create("openvino", network, threads=1)
    assert check_engine(engine, network, images) < 1e-5
    assert "no source file" in engine.prepared
    assert not cache.exists()


def test_network_without_a_description_is_not_cached() -> None:
    assert model_cache.cache_key(Scaled(memoryview(b"1"))) is None


def test_contents_are_read_back() -> None:
    contents = {"compiled": bytes(range(256)), "outputs": b"a\nb", "empty": b""}
    model_cache.write("x", contents)
    assert model_cache.read("x") == contents
    assert model_cache.read("y") is None
    model_cache.remove("x")
    model_cache.remove("x")
    assert model_cache.read("x") is None


@pytest.mark.parametrize("damage", [lambda c: c[:-1], lambda c: c[:40] + b"\0" + c[41:], lambda c: b""])
def test_damaged_entry_reads_as_missing(cache: Path, damage: Callable[[bytes], bytes]) -> None:
    model_cache.write("x", {"a": b"content"})
    (entry,) = cache.glob("*.network")
    entry.write_bytes(damage(entry.read_bytes()))
    assert model_cache.read("x") is None


def test_least_recently_used_entries_are_removed(cache: Path) -> None:
    for number in range(model_cache.MAX_ENTRIES + 3):
        model_cache.write(f"{number:02}", {"x": str(number).encode()})
        os.utime(cache / f"{number:02}.network", (number, number))
    assert len(list(cache.glob("*.network"))) == model_cache.MAX_ENTRIES
    assert model_cache.read("00") is None
    assert model_cache.read("03") == {"x": b"3"}  # now the most recently used one
    for number in range(20, 20 + model_cache.MAX_ENTRIES - 1):
        model_cache.write(str(number), {})
    assert model_cache.read("03") is not None
    assert model_cache.read("04") is None


def test_files_of_killed_writers_are_removed_after_an_hour(cache: Path) -> None:
    model_cache.write("x", {"a": b"1"})
    old, recent, of_folders = cache / ".x.network.abc", cache / ".y.network.def", cache / ".making-ghi"
    old.write_text("")
    recent.write_text("")
    of_folders.mkdir()
    (of_folders / "compiled").write_text("")
    hour_ago = time.time() - model_cache.ABANDONED_AFTER - 1
    os.utime(old, (hour_ago, hour_ago))
    os.utime(of_folders, (hour_ago, hour_ago))
    model_cache.write("y", {"a": b"1"})
    assert {path.name for path in cache.iterdir()} - {".lock"} == {"x.network", "y.network", ".y.network.def"}


def _use(number: int, seconds: float, failures: Any) -> None:
    """Write, read and remove entries that other processes use, and count what goes wrong."""
    generator = np.random.default_rng(number)
    deadline = time.monotonic() + seconds
    try:
        while time.monotonic() < deadline:
            key = f"{generator.integers(model_cache.MAX_ENTRIES * 2):02}"
            found = model_cache.read(key)
            if found is not None and (found["key"] != key.encode() or len(set(found["body"])) != 1):
                failures.put(f"{key}: mixed content")
            body = bytes([number + 1]) * int(generator.integers(1, 100_000))
            choice = generator.random()
            if choice < 0.5:
                model_cache.write(key, {"key": key.encode(), "body": body})
            elif choice < 0.6:
                model_cache.remove(key)
    except Exception as error:
        failures.put(repr(error))


def test_processes_may_read_write_and_remove_at_once(cache: Path) -> None:
    context = multiprocessing.get_context("fork" if hasattr(os, "fork") else "spawn")
    failures = context.Queue()
    processes = [context.Process(target=_use, args=(number, 3.0, failures)) for number in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert failures.empty(), failures.get()
    model_cache.write("last", {})
    assert len(list(cache.glob("*.network"))) <= model_cache.MAX_ENTRIES
    assert {path.name for path in cache.iterdir() if path.name.startswith(".")} <= {".lock"}


def test_entry_of_another_network_is_compiled_again(
    require_engine: Callable[[str], None], images: Tensor, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An input that the key left out costs time, not a wrong number or an error."""
    require_engine("openvino")
    monkeypatch.setattr(model_cache, "cache_key", lambda *facts: "same")
    engines.create("openvino", Scaled(1.0), threads=1)(images)
    network = Scaled(2.0)
    engine = engines.create("openvino", network, threads=1)
    engine.prepare(images)
    assert engine.prepared == "read from the cache"
    assert check_engine(engine, network, images) < 1e-5
    assert engine.prepared == "converted and compiled again"
    again = engines.create("openvino", network, threads=1)
    assert check_engine(again, network, images) < 1e-5
    assert again.prepared == "read from the cache"
