"""The definitions of benchmarks."""

from __future__ import annotations

import pytest

from nmebench import datasets
from nmebench.datasets import benchmark
from nmebench.datasets.formats import COFW_MAT, FORMATS
from nmebench.errors import InputError
from nmebench.geometry import scheme
from nmebench.protocol import LIST_NAMES, SUBSETS

SMALL = """
name = "mine"
title = "Mine"
scheme = "wflw98"
[files.test]
mmpose-json = "mine.json"
"""


@pytest.mark.parametrize("name", benchmark.names())
def test_a_shipped_benchmark_has_a_dataset_a_scheme_and_readable_formats(name: str) -> None:
    found = benchmark.load(name)
    assert found.name == name
    assert name in datasets.names()
    assert datasets.describe(name).startswith(f"{name}:PATH")
    assert found.scheme in scheme.names()
    for files in found.files.values():
        assert set(files) <= {*FORMATS, COFW_MAT}
    for split, counts in found.counts.items():
        assert all(counts[subset] <= counts[split] for subset in counts)


def test_wflw_has_the_subsets_of_every_table_in_their_order() -> None:
    found = benchmark.load("wflw")
    assert tuple(found.expected("test")) == SUBSETS
    assert found.lists == dict(LIST_NAMES)


def test_the_parts_of_300w_add_up() -> None:
    public = benchmark.load("300w").expected("test")
    assert public["common"] + public["challenge"] == public["test"]
    private = benchmark.load("300w-private").expected("test")
    assert private["indoor"] + private["outdoor"] == private["test"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("[lists]\nwide = 'wide'", "subset 'wide' has no count"),
        ("[folders]\nwide = ['a/']", "subset 'wide' has no count"),
        ("[counts.test]\nwide = 3", "counts.test has no count of all faces; add test = NUMBER"),
        ("[counts.test]\ntest = 0", "counts.test.test"),
        ("[files.train]\nx = '../outside'", "files.train.x"),
        ("[what]\na = 1", "what"),
        ("[[", "mine.toml"),
    ],
    ids=["list", "folder", "total", "count", "path", "field", "toml"],
)
def test_a_wrong_definition_is_one_line(change: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        benchmark.parse(SMALL + change, "mine.toml")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_test_split_must_name_a_file() -> None:
    with pytest.raises(InputError, match=r"files\.test is missing"):
        benchmark.parse(SMALL.replace("files.test", "files.train"), "mine.toml")
