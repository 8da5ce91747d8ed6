"""The id of a cell is a file name on every system."""

from __future__ import annotations

import pytest

from nmebench.runs.cell_id import cell_id, is_cell_id


def test_cell_ids_are_file_names() -> None:
    assert cell_id("My Net/2", "dark:kernel=17", "flip+shift", "land marks") == (
        "my-net-2__dark-kernel=17__flip+shift__land-marks"
    )


@pytest.mark.parametrize("text", ["", "../net", "net/dark", "Net", "net\n", "n\u00e9t", "net dark"])
def test_a_text_that_is_no_file_name_is_no_id(text: str) -> None:
    assert not is_cell_id(text)
    assert is_cell_id(cell_id(f"a{text}", "dark", "none", "landmarks"))
