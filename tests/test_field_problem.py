"""Errors of pydantic in words: the field, the given value and the allowed ones."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

import nmebench
from nmebench.errors import InputError
from nmebench.field_problem import PATTERNS, problems, read_model


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid")
    size: int = Field(gt=0, le=100)
    colour: Literal["rgb", "bgr"] = "rgb"
    names: Annotated[list[str], Field(min_length=1)] = ["a"]
    flip: bool = False
    mean: float = 0.0
    inner: dict[str, int] = {}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "size: is missing"),
        ({"size": "ten"}, "size: must be a whole number, not 'ten'"),
        ({"size": 1.5}, "size: must be a whole number, not 1.5"),
        ({"size": 0}, "size: must be greater than 0, not 0"),
        ({"size": 101}, "size: must be at most 100, not 101"),
        ({"size": 1, "colour": "grb"}, "colour: must be 'rgb' or 'bgr', not 'grb'"),
        ({"size": 1, "names": []}, "names: must have at least 1 entry"),
        ({"size": 1, "names": "a"}, "names: must be a list, not 'a'"),
        ({"size": 1, "names": [3]}, "names.0: must be a text, not 3"),
        ({"size": 1, "flip": "perhaps"}, "flip: must be true or false, not 'perhaps'"),
        ({"size": 1, "mean": None}, "mean: must be a number, not None"),
        ({"size": 1, "inner": [1]}, "inner: must be a table, not [1]"),
        ({"colur": "rgb"}, "colur: unknown field; did you mean 'colour'?; size: is missing"),
        (
            {"size": 0, "names": [], "flip": 2, "mean": None, "inner": 3, "b": 1},
            "b: unknown field; size: must be greater than 0, not 0; names: must have at least 1 entry; flip: must be "
            "true or false, not 2; and 2 more fields",
        ),
        (3, "the file: must be a table, not 3"),
    ],
)
def test_problem(given: object, expected: str) -> None:
    with pytest.raises(ValidationError) as caught:
        _Table.model_validate(given)
    assert problems(caught.value, fields=_Table.model_fields) == expected


def test_patterns_are_in_words() -> None:
    """No message shows a regular expression."""
    for module in iter_modules(nmebench.__path__, "nmebench."):
        if module.name != "nmebench.__main__":
            _import_all(module.name)
    wanted = {pattern for model in _subclasses(BaseModel) for pattern in _patterns(model)}
    assert len(wanted) > 10
    assert wanted == set(PATTERNS)


def _import_all(name: str) -> None:
    try:
        module = import_module(name)
    except ModuleNotFoundError:  # of an extra that isn't installed
        return
    for inner in iter_modules(getattr(module, "__path__", ()), f"{name}."):
        _import_all(inner.name)


def _subclasses(kind: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for inner in kind.__subclasses__():
        if inner.__module__.startswith("nmebench."):
            yield inner
        yield from _subclasses(inner)


def _patterns(model: type[BaseModel]) -> set[str]:
    """The patterns of a model's fields and of their parts."""
    found = set()

    def search(part: object) -> None:
        for value in part.values() if isinstance(part, dict) else part if isinstance(part, list | tuple) else ():
            search(value)
        if isinstance(part, dict) and isinstance(part.get("pattern"), str):
            found.add(part["pattern"])

    search(model.__pydantic_core_schema__)
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{", "thing FILE:1: not a json: "),
        (json.dumps({"size": 0}), "thing FILE: damaged (size: must be greater than 0, not 0); make it again"),
        (
            '{"size": 1, "size": 2}',
            "thing FILE: the key 'size' is there twice in one object; remove",
        ),
    ],
)
def test_read_model(tmp_path: Path, text: str, expected: str) -> None:
    file = tmp_path / "file.json"
    file.write_text(text)
    with pytest.raises(InputError) as caught:
        read_model(file, _Table, limit=1000, kind="thing", way_out="make it again")
    assert str(caught.value).replace(str(file), "FILE").startswith(expected)
    assert str(caught.value).endswith("; make it again")
