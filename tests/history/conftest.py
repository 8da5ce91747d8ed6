"""Fixtures: synthetic histories."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from load_module import load_module

from nmebench.history import Entry, Repository

synthetic = load_module("history/synthetic.py")


@pytest.fixture
def nowhere(tmp_path) -> Repository:
    """A folder without a repository: the order is that of time."""
    return synthetic.NoRepository(tmp_path)


@pytest.fixture
def entry() -> Callable[..., Entry]:
    return synthetic.make_entry


@pytest.fixture
def noisy() -> Callable[..., list[Entry]]:
    return synthetic.noisy_history
