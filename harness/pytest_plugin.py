"""The pytest plugin: the fixture ``nmebench_gate`` and the option ``--nmebench-update``.

A test suite chooses it by ``pytest_plugins = ["nmebench.pytest_plugin"]`` in its conftest.py, or by ``pytest -p
nmebench.pytest_plugin``.
"""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from nmebench.runs.run_store import Run

__all__ = ["nmebench_gate", "pytest_addoption"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option ``--nmebench-update``."""
    parser.getgroup("nmebench").addoption(
        "--nmebench-update",
        action="store_true",
        help="Write the baselines of nmebench_gate from the runs instead of comparing.",
    )


@pytest.fixture
def nmebench_gate(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Compare a run with a baseline file: ``nmebench_gate(run, "baseline.json", margin=0.05)``.

    A relative baseline is found beside the test file. ``pytest --nmebench-update`` writes it.
    """

    def compare(run: Run | str | PathLike[str], baseline: str | PathLike[str], *, margin: float | str = "0.01") -> None:
        from nmebench.testing import assert_gate

        __tracebackhide__ = True
        update = bool(request.config.getoption("--nmebench-update"))
        assert_gate(run, request.path.parent / baseline, margin=margin, update=update)

    return compare
