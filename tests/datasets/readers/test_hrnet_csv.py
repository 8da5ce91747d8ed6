"""HRNet's csv: valid files are read, wrong ones are refused with file and line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from nmebench import datasets
from nmebench.datasets.readers import hrnet_csv
from nmebench.datasets.readers.rows import gather
from nmebench.errors import InputError


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(
            lambda t: t.replace("original_3_x", "o3x"), r":1: 1 columns are missing, .*'original_3_x'", id="column"
        ),
        pytest.param(lambda t: t.replace(",", ";"), r"missing.*separate the cells by commas", id="semicolons"),
        pytest.param(
            lambda t: t.replace("original_3_x", "original_2_x"), r"'original_3_x'", id="a column's name twice"
        ),
        pytest.param(
            lambda t: t.replace("center_w", "scale"), r":1: the header has the column 'scale' twice", id="twice"
        ),
        pytest.param(lambda t: t.replace("b.jpg,", "b.jpg,1,"), r":3: 201 cells, expected 200", id="cell too many"),
        pytest.param(lambda t: t.replace("0--A/b.jpg", ""), r":3: the image's name is missing", id="no name"),
        pytest.param(lambda t: t.split("\n")[0], r"holds no faces", id="header only"),
        pytest.param(lambda t: t.replace("b.jpg", "b" * 140000), r":3: not a csv: field larger", id="endless cell"),
    ],
)
def test_wrong_csvs_are_refused(tiny: Any, change: Callable[[str], str], message: str) -> None:
    tiny.edit(tiny.csv, change)
    with pytest.raises(InputError, match=message) as caught:
        datasets.load(f"wflw:{tiny.csv}")
    assert "\n" not in str(caught.value)


def test_csv_of_comments_has_no_faces() -> None:
    with pytest.raises(InputError, match="holds no faces"):
        gather(hrnet_csv.read("# image_name\n\n", "file", 3), "file", 3)


def test_columns_are_found_by_name(tiny: Any) -> None:
    """Columns in another order are read correctly when the header has the same order."""
    rows = [line.split(",") for line in tiny.csv.read_text().splitlines()]
    tiny.csv.write_text("\n".join(",".join(reversed(row)) for row in rows))
    dataset = datasets.load(f"wflw:{tiny.csv}", format="hrnet-csv")
    np.testing.assert_array_equal(dataset.landmarks, tiny.landmarks)
    np.testing.assert_array_equal(dataset.centre_scale, tiny.centre_scale)


def test_header_is_optional(tiny: Any) -> None:
    tiny.edit(tiny.csv, lambda text: text.split("\n", 1)[1])
    dataset = datasets.load(f"wflw:{tiny.csv}")
    np.testing.assert_array_equal(dataset.landmarks, tiny.landmarks)
    assert dataset.lines.tolist() == [1, 2, 3, 4, 5, 6]


def test_box_columns_are_optional(tiny: Any) -> None:
    rows = [line.split(",") for line in tiny.csv.read_text().splitlines()]
    tiny.csv.write_text("\n".join(",".join([row[0], *row[4:]]) for row in rows))
    dataset = datasets.load(f"wflw:{tiny.csv}")
    np.testing.assert_array_equal(dataset.landmarks, tiny.landmarks)
    assert dataset.centre_scale is None


def test_quoted_name_may_contain_newline(tiny: Any) -> None:
    tiny.edit(tiny.csv, lambda text: text.replace("0--A/b.jpg", '"0--A/b,\n""c"".jpg"'))
    dataset = datasets.load(f"wflw:{tiny.csv}")
    assert dataset.images[1] == '0--A/b,\n"c".jpg'
    assert dataset.lines.tolist() == [2, 3, 5, 6, 7, 8]


def test_a_csv_of_more_landmarks_is_refused(tiny: Any) -> None:
    """Planted fault: WFLW's csv was read as 300-W's, with the first 68 of its 98 landmarks."""
    with pytest.raises(InputError) as refused:
        datasets.load(f"300w:{tiny.csv}")
    assert str(refused.value) == (
        f"{tiny.csv}:1: the header has 98 landmarks, expected 68: it belongs to another data set"
    )
