"""The flip test with mmpose's shift is refused where the heatmaps align without it."""

from __future__ import annotations

from pathlib import Path

import pytest

from nmebench.errors import InputError
from nmebench.sweep import plan
from nmebench.sweep.configuration import validate

CARD = """
name = "maps"
architecture = "oracle"
[output]
grid = "{grid}"
{test}
"""


def flips(faces: Path, folder: Path, grid: str, flip: str, test: str = "") -> set[str]:
    """The flip tests of the planned cells."""
    (folder / "card.toml").write_text(CARD.format(grid=grid, test=test))
    raw = {"data": f"wflw:{faces}", "limit": 2, "models": [str(folder / "card.toml")], "decoders": ["dark"]}
    planned = plan.make(validate({**raw, **({"flip": [flip]} if flip else {})}, where="test"))
    return {cell.record.flip for network in planned.networks for cell in network.cells}


@pytest.mark.parametrize("grid", ["udp", "half-pixel"])
def test_shift_of_aligned_maps_is_refused(few_faces: Path, tmp_path: Path, grid: str) -> None:
    with pytest.raises(InputError, match=rf"in the grid '{grid}' they align without it.*--test-time flip"):
        flips(few_faces, tmp_path, grid, "flip+shift")
    assert flips(few_faces, tmp_path, grid, "flip") == {"flip"}


def test_shift_in_the_stride_grid_is_accepted(few_faces: Path, tmp_path: Path) -> None:
    assert flips(few_faces, tmp_path, "stride", "flip+shift") == {"flip+shift"}


def test_card_may_state_the_shift(few_faces: Path, tmp_path: Path) -> None:
    """Its authors measured so, in the card's own protocol or in one of its tables."""
    stated = "[test]\nflip = true\nshift = true\n"
    assert flips(few_faces, tmp_path, "udp", "", stated) == {"flip+shift"}
    assert flips(few_faces, tmp_path, "udp", "flip+shift", stated) == {"flip+shift"}
    table = '[reported.wflw.paper]\nflip = true\nshift = true\nnme = { test = 4.0 }\nsource = "x"\ntolerance = 0.01\n'
    assert flips(few_faces, tmp_path, "udp", "flip+shift", table) == {"flip+shift"}
