"""Wrong fields of a file in words: what pydantic found, with the field, the given value and the allowed ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from nmebench.bounded_read import read_json
from nmebench.errors import InputError
from nmebench.printable import shown
from nmebench.suggest import did_you_mean

__all__ = ["PATTERNS", "in_words", "problems", "read_model", "separate"]

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

PATTERNS: Final[Mapping[str, str]] = {
    r"^[a-z0-9][a-z0-9-]{0,40}$": "at most 41 lower-case letters, digits and hyphens, such as my-set-2",
    r"^[A-Za-z0-9][A-Za-z0-9_.-]*$": "letters, digits, '_', '.' and '-', with a letter or digit first",
    r"^[a-z0-9][a-z0-9._-]{0,79}$": "at most 80 lower-case letters, digits, '.', '_' and '-', such as ci",
    r"^[a-z0-9][a-z0-9.=+_-]{0,99}$": "the name of a folder in lower case, without spaces",
    r"^[\w.:+-]+$": "letters, digits, '_', '.', ':', '+' and '-', without spaces",
    r"^([\w.:+-]{1,100}|python:[^\r\n\x00]+)$": "the name of a network without spaces, or python:FILE.py:NAME",
    r"^[\w.-]{1,100}$": "a file name of at most 100 letters, digits, '_', '.' and '-', without a folder",
    r"^[\w.+-]+$": "a file name of letters, digits, '_', '.', '+' and '-', without a folder",
    r"^[^/\\\x00]+$": "a file name without a folder",
    r"^.{1,1000}\.toml$": "the path of a .toml file",
    r"^[^\r\n]*$": "one line, without a line break",
    r"^[^\r\n]+$": "one line, without a line break",
    r"^\S+$": "a text without spaces",
    r"^[^\s,]+$": "a text without spaces and commas",
    r"^https?://\S+$": "an address that begins with https:// or http://",
    r"^(-?\d*):(-?\d*)(?::([1-9]\d*)?)?$": "START:STOP or START:STOP:STEP, such as 0:98",
    r"^[0-9]+(\.[0-9]+)? ?([kKMGT]i?)?B$": "a number and a unit, such as 16GB",
    r"^[0-9a-f]{7,64}$": "7 to 64 hexadecimal digits in lower case",
    r"^[0-9a-f]{6,64}$": "6 to 64 hexadecimal digits in lower case",
    r"^[0-9a-f]{8,64}$": "8 to 64 hexadecimal digits in lower case",
    r"^[0-9a-f]{64}$": "64 hexadecimal digits in lower case",
}  # fmt: skip
"""By the pattern of a field: what the field must be."""

_LISTED: Final = 4
"""Number of wrong fields that a message lists."""


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
        return f"must have at least {_counted(context['min_length'], kind)}"
    if kind in ("too_long", "string_too_long"):
        return f"must have at most {_counted(context['max_length'], kind)}"
    if kind == "string_pattern_mismatch":
        return f"must be {PATTERNS.get(context['pattern'], 'a text of another form')}{given}"
    noun = _NOUNS.get(kind.partition("_")[0])
    if noun is None:
        return str(problem["msg"])[:1].lower() + str(problem["msg"])[1:]
    return f"must be {noun}{given}"


def separate(found: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return pydantic's ``errors()`` without those about the length of a list whose entries are wrong themselves.

    Pydantic leaves wrong entries out before it counts.

    Example:
        >>> separate([{"type": "int_type", "loc": ("sizes", 0)}, {"type": "too_short", "loc": ("sizes",)}])
        [{'type': 'int_type', 'loc': ('sizes', 0)}]
    """
    inside = {one["loc"][:end] for one in found for end in range(len(one["loc"]))}
    return [one for one in found if one["type"] != "too_short" or one["loc"] not in inside]


def _counted(number: int, kind: str) -> str:
    """A number of characters or entries."""
    one, many = ("character", "characters") if kind.startswith("string") else ("entry", "entries")
    return f"{number} {one if number == 1 else many}"


def problems(
    error: ValidationError | Sequence[Mapping[str, Any]], *, nameless: str = "the file", fields: Iterable[str] = ()
) -> str:
    """Return the wrong fields as ``FIELD: what is wrong``, printable and on one line; unknown fields come first.

    Args:
        error: pydantic's error, or its ``errors()``.
        nameless: the name of the field where pydantic names none.
        fields: the fields that are allowed where an unknown one was found.

    Example:
        >>> both = [{"type": "missing", "loc": ("size",)}, {"type": "extra_forbidden", "loc": ("sice",)}]
        >>> problems(both, fields=["size"])
        "sice: unknown field; did you mean 'size'?; size: is missing"
    """
    found = separate(error.errors(include_url=False) if isinstance(error, ValidationError) else error)
    allowed = list(fields)
    texts: dict[str, str] = {}
    for one in sorted(found, key=lambda one: one["type"] != "extra_forbidden"):
        field = ".".join(str(part) for part in one["loc"]) or nameless
        texts.setdefault(field, f"{shown(field)[:200]}: {shown(' '.join(in_words(one, allowed).split()))}")
    listed = "; ".join(list(texts.values())[:_LISTED])
    return f"{listed}; and {len(texts) - _LISTED} more fields" if len(texts) > _LISTED else listed


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
        raise InputError(f"{name or f'{kind} {shown(path)}'}: damaged ({problems(error)}); {way_out}") from error
    except InputError as error:
        raise InputError(f"{error}; {way_out}") from error
