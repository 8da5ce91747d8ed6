"""Weights and cards: float16 where it is safe, reproducible bytes, TOML that reads back."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from nmebench.errors import InputError
from nmebench.training import export
from nmebench.training.recipe import Recipe

MADE = Recipe.model_validate(
    {
        "name": "x",
        "model": "heatmap-mobilenetv3",
        "train": {"source": "synthface", "seed": 1, "faces": 10},
        "stages": [{"epochs": 1, "batch": 2}],
    }
)


def test_kernels_become_float16_and_vectors_stay(tmp_path: Path) -> None:
    kernel = torch.linspace(-3, 3, 72).reshape(2, 4, 3, 3).contiguous(memory_format=torch.channels_last)
    state = {"k": kernel, "variance": torch.tensor([1e-9, 1e6]), "num_batches_tracked": torch.tensor(7)}
    path = export.weights(state, tmp_path / "x.safetensors", MADE)
    found = load_file(path)
    assert set(found) == {"k", "variance"}
    assert found["k"].dtype == torch.float16
    torch.testing.assert_close(found["k"].float(), kernel.contiguous(), rtol=2**-11, atol=0)
    assert torch.equal(found["variance"], state["variance"])
    assert path.read_bytes() == export.weights(state, tmp_path / "y.safetensors", MADE).read_bytes()


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 1e6], ids=str)
def test_weights_that_float16_cannot_hold_are_refused(tmp_path: Path, bad: float) -> None:
    with pytest.raises(InputError, match="k is not finite as float16"):
        export.weights({"k": torch.full((2, 2), bad)}, tmp_path / "x.safetensors", MADE)
    assert list(tmp_path.iterdir()) == []


def text(longest: int) -> st.SearchStrategy[str]:
    """Any text that UTF-8 can encode."""
    return st.text(st.characters(exclude_categories=["Cs"]), max_size=longest)


scalars = st.none() | st.booleans() | st.integers(-(2**62), 2**62) | text(20)
keys = text(8).filter(bool)


@given(
    st.dictionaries(
        keys, scalars | st.lists(st.integers(0, 9), max_size=3) | st.dictionaries(keys, scalars, max_size=3), max_size=5
    )
)
def test_toml_reads_back(table: dict[str, object]) -> None:
    def without_none(value: object) -> object:
        if isinstance(value, dict):
            return {k: without_none(v) for k, v in value.items() if v is not None and (v or not isinstance(v, dict))}
        return value

    assert without_none(tomllib.loads(export.toml(table))) == without_none(without_none(table))
