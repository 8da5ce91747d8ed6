"""Every input that affects a result changes its key, and no other input does."""

from __future__ import annotations

import importlib.metadata
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nmebench.sweep import plan
from nmebench.sweep.configuration import validate
from nmebench.sweep.plan import NetworkPlan


@pytest.fixture
def planned(few_faces: Path, small_card: Path) -> Callable[..., NetworkPlan]:
    """Plans one network; keyword arguments change the sweep."""

    def make(**changes: Any) -> NetworkPlan:
        raw = {
            "data": f"wflw:{few_faces}", "models": [str(small_card)], "decoders": ["dark"], "flip": ["none"],
            "engine": "torch", "threads": 1, "batch_size": 4,
        }  # fmt: skip
        return plan.make(validate(raw | changes, where="a test")).networks[0]

    return make


@pytest.mark.parametrize(
    ("changes", "changed"),
    [
        pytest.param({}, set(), id="nothing"),
        pytest.param({"title": "another"}, set(), id="title"),
        pytest.param({"keep_crops": True}, set(), id="kept crops"),
        pytest.param({"limit": 5}, {"crops", "network", "cell"}, id="faces"),
        pytest.param({"batch_size": 5}, {"crops", "network", "cell"}, id="batch size"),
        pytest.param({"boxes": ["rect"]}, {"crops", "network", "cell"}, id="box rule"),
        pytest.param({"box_padding": 1.5}, {"crops", "network", "cell"}, id="box padding"),
        pytest.param({"colour": "bgr"}, {"network", "cell"}, id="colour order"),
        pytest.param({"threads": 2}, {"network", "cell"}, id="threads"),
        pytest.param({"seed": 1}, {"network", "cell"}, id="seed"),
        pytest.param({"keep_heatmaps": True}, {"network", "cell"}, id="float16 heatmaps"),
        pytest.param({"decoders": ["dark:kernel=7"]}, {"cell"}, id="decoder option"),
        pytest.param({"flip": ["flip"]}, {"cell"}, id="flip test"),
    ],
)
def test_option_of_the_sweep(planned: Callable[..., NetworkPlan], changes: dict[str, Any], changed: set[str]) -> None:
    assert _changed(planned(), planned(**changes)) == changed


def _changed(one: NetworkPlan, other: NetworkPlan) -> set[str]:
    keys = {
        "crops": (one.crops_key, other.crops_key),
        "network": (one.key, other.key),
        "cell": (one.cells[0].key, other.cells[0].key),
    }
    return {name for name, (before, after) in keys.items() if before != after}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda d: {"landmarks": d.landmarks + 1}, id="landmarks"),
        pytest.param(lambda d: {"images": d.images[::-1]}, id="order of the photographs"),
        pytest.param(lambda d: {"files": [replace(f, sha256="0" * 64) for f in d.files]}, id="annotation file"),
        pytest.param(lambda d: {"scheme": replace(d.scheme, flip=np.arange(98))}, id="flip permutation"),
    ],
)
def test_data(few_faces: Path, change: Callable[[Any], dict[str, Any]]) -> None:
    from nmebench import datasets
    from nmebench.sweep.keys import data_key

    dataset = datasets.load(f"wflw:{few_faces}")
    assert data_key(dataset) == data_key(datasets.load(f"wflw:{few_faces}"))
    assert data_key(replace(dataset, **change(dataset))) != data_key(dataset)


def test_version_of_pillow(planned: Callable[..., NetworkPlan], monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow resizes the crops of ``pil-bilinear`` and ``pil-bicubic``."""
    before = planned()
    version = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "0.0" if name == "pillow" else version(name))
    assert _changed(before, planned()) == {"crops", "network", "cell"}


def test_photograph_of_another_content(planned: Callable[..., NetworkPlan], few_faces: Path) -> None:
    """Size and modification time are kept; another time alone changes nothing."""
    before = planned()
    photograph = few_faces / "WFLW_images/3.jpg"
    status, data = photograph.stat(), photograph.read_bytes()
    try:
        os.utime(photograph, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
        assert _changed(before, planned()) == set()
        photograph.write_bytes(data[:-9] + bytes([data[-9] ^ 1]) + data[-8:])
        os.utime(photograph, ns=(status.st_atime_ns, status.st_mtime_ns))
        assert _changed(before, planned()) == {"crops", "network", "cell"}
    finally:
        photograph.write_bytes(data)
        os.utime(photograph, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize(
    ("source", "changed"),
    [
        ("nmebench.geometry", {"crops", "network", "cell"}),
        ("nmebench.sweep", {"crops", "network", "cell"}),
        ("nmebench.engines", {"network", "cell"}),
        ("nmebench.models", {"network", "cell"}),
        ("nmebench.decoders", {"cell"}),
        ("nmebench.reports", set()),
    ],
)
def test_source_code(
    planned: Callable[..., NetworkPlan], monkeypatch: pytest.MonkeyPatch, source: str, changed: set[str]
) -> None:
    from nmebench import source_hash

    before = planned()
    sources = source_hash._sources
    monkeypatch.setattr(
        source_hash, "_sources", lambda package: (*sources(package), *([("x", "0" * 64)] if package == source else []))
    )
    assert _changed(before, planned()) == changed
