"""Wrong fields of a file in words: what pydantic found, with the field, the given value and the allowed ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from nmebench.bounded_read import read_json
from nmebench.errors import InputError
from nmebench.printable import shown
from nmebench.suggest import did_you_mean

__all__ = ["first_problem", "in_words", "read_model"]

_Model = TypeVar("_Model", bound=BaseModel)

_NOUNS: Final[Mapping[str, str]] = {
    "string": "a text", "int": "a whole number", "float": "a number", "finite": "a finite number",
    "bool": "true or false", "list": "a list", "tuple": "a list", "set": "a list", "dict": "a table",
    "mapping": "a table", "model": "a table", "decimal": "a number", "path": "a path",
}  # fmt: skip
"""By the first word of pydantic's type of a problem: what the field must be."""

_COMPARISONS: Final[Mapping[str, tuple[str, str]]] = {
    "greater_than": ("greater than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
}


def in_words(problem: Mapping[str, Any], fields: Iterable[str] = ()) -> str:
    """Return what is wrong with a field.

    Args:
        problem: one of pydantic's ``errors()``.
        fields: the fields that are allowed where an unknown one was found.

    Example:
        >>> in_words({"type": "missing", "msg": "Field required"})
        'is missing'
        >>> in_words({"type": "int_type", "input": "ten", "msg": "Input should be a valid integer"})
        "must be a whole number, not 'ten'"
        >>> in_words({"type": "literal_error", "input": "grb", "ctx": {"expected": "'rgb' or 'bgr'"}, "msg": ""})
        "must be 'rgb' or 'bgr', not 'grb'"
        >>> in_words({"type": "extra_forbidden", "loc": ("colur",), "msg": ""}, ["colour", "size"])
        "unknown field; did you mean 'colour'?"
    """
    kind, context = str(problem["type"]), problem.get("ctx", {})
    if kind == "missing":
        return "is missing"
    if kind == "extra_forbidden":
        return "unknown field" + did_you_mean(str(problem["loc"][-1]), fields)
    if kind in ("value_error", "assertion_error"):
        return str(problem["msg"]).removeprefix("Value error, ").removeprefix("Assertion failed, ")
    given = f", not {problem.get('input')!r:.80}"
    if kind in ("literal_error", "enum"):
        return f"must be {context['expected']}{given}"
    if kind in _COMPARISONS:
        words, bound = _COMPARISONS[kind]
        return f"must be {words} {context[bound]:g}{given}"
    if kind in ("too_short", "string_too_short"):
        return f"must have at least {context['min_length']} {'characters' if kind.startswith('string') else 'entries'}"
    if kind in ("too_long", "string_too_long"):
        return f"must have at most {context['max_length']} {'characters' if kind.startswith('string') else 'entries'}"
    if kind == "string_pattern_mismatch":
        return f"must match {context['pattern']}{given}"
    noun = _NOUNS.get(kind.partition("_")[0])
    if noun is None:
        return str(problem["msg"])[:1].lower() + str(problem["msg"])[1:]
    return f"must be {noun}{given}"


def first_problem(error: ValidationError, *, nameless: str = "the file", fields: Iterable[str] = ()) -> str:
    """Return the first problem as ``FIELD: what is wrong``, printable and on one line; an unknown field comes first.

    Args:
        error: pydantic's error.
        nameless: the name of the field where pydantic names none.
        fields: the fields that are allowed where an unknown one was found.
    """
    problems = error.errors(include_url=False)
    first = next((one for one in problems if one["type"] == "extra_forbidden"), problems[0])
    field = ".".join(str(part) for part in first["loc"]) or nameless
    return f"{shown(field)[:200]}: {shown(' '.join(in_words(first, fields).split()))}"


def read_model(
    path: Path,
    model: type[_Model],
    *,
    limit: int,
    kind: str,
    way_out: str,
    name: str | None = None,
    read: Callable[..., Any] = read_json,
) -> _Model:
    """Read a JSON file that nmebench wrote and check its fields.

    Args:
        path: the file.
        model: its pydantic model.
        limit: the largest size in bytes.
        kind: the word before the file's name in messages of the reader, such as ``baseline``.
        way_out: what to do, at the end of every message.
        name: the file's name in messages about a wrong field; ``kind`` and path by default.
        read: the reader; it takes ``limit`` and ``kind``.

    Raises:
        InputError: the file is missing, too large, no JSON, or has a wrong field.
    """
    try:
        return model.model_validate(read(path, limit=limit, kind=kind))
    except ValidationError as error:
        raise InputError(f"{name or f'{kind} {shown(path)}'}: damaged ({first_problem(error)}); {way_out}") from error
    except InputError as error:
        raise InputError(f"{error}; {way_out}") from error
