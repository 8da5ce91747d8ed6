"""What every test may use."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The developers' folder of reference material beside the checkout; tests that want it skip without it."""
    folder = ROOT.parent / "shared"
    if not (folder / "oracle").is_dir():
        pytest.skip("the reference material beside the checkout (../shared) is not here")
    return folder
