"""The published rows: schema, reading, choosing."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from decimal import Decimal
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from nmebench.errors import InputError
from nmebench.protocol import SUBSETS

__all__ = ["Kind", "Medium", "PublishedProtocol", "PublishedRow", "load", "select"]

FILE = Path(__file__).with_name("wflw.toml")

Kind = Literal["authors", "third party", "aggregator"]
"""Whose table it is: the method's authors', somebody else's, or a page that collects numbers."""
Medium = Literal["text", "image", "log", "page"]
"""What was read: text of a page or paper, a picture of a table, a program's log, or an excerpt of a web page."""


def _from_text(value: Any) -> Any:
    """Only text keeps the decimals that were printed; a float has lost them."""
    if isinstance(value, Mapping) and any(not isinstance(v, str | Decimal) for v in value.values()):
        raise ValueError('numbers must be quoted ("4.30"), as printed')
    return value


Subset = Literal["test", "pose", "expression", "illumination", "makeup", "occlusion", "blur"]
Percents = Annotated[
    dict[Subset, Annotated[Decimal, Field(ge=0, le=100)]], BeforeValidator(_from_text), Field(default_factory=dict)
]
Fractions = Annotated[
    dict[Subset, Annotated[Decimal, Field(ge=0, le=1)]], BeforeValidator(_from_text), Field(default_factory=dict)
]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PublishedProtocol(_Record):
    """How a row was measured, as far as its source tells; None for what it doesn't tell or has no name here."""

    decoder: str | None = None
    """A decoder's spec of this project."""
    flip: Literal["none", "flip", "flip+shift"] | None = None
    box: str | None = None
    """A box rule's name of this project."""
    normaliser: str | None = None
    space: str | None = None
    """Where errors were measured, when not in the image."""
    selection: str | None = None
    """How the checkpoint was chosen, where that looked at the test set."""
    details: str | None = None
    """Protocol facts that have no name here."""


class PublishedRow(_Record):
    """A published row."""

    method: str
    dataset: str = "wflw"
    year: int | None = None
    backbone: str | None = None
    input_size: tuple[int, int] | None = None
    """Width, height, input px."""
    technique: str | None = None
    """Output, decoder and loss, as the source names them."""
    nme: Percents
    """Percent by subset, with the decimals that were printed."""
    fr10: Percents
    """Percent by subset."""
    auc10: Fractions
    """Fraction by subset."""
    checkpoint: str | None = None
    """Where the weights are said to be."""
    sha256_prefix: str | None = Field(default=None, pattern=r"^[0-9a-f]{8,64}$")
    source: str
    """Repository at a commit and file, or page."""
    kind: Kind
    medium: Medium
    reading: str
    """How the numbers were taken from the source."""
    protocol: PublishedProtocol = PublishedProtocol()
    faults: tuple[str, ...] = ()
    """Known errors of the source; the numbers are kept as printed."""
    note: str | None = None


class _File(_Record):
    version: Literal[1]
    origin: str
    row: tuple[PublishedRow, ...]


@cache
def load() -> tuple[PublishedRow, ...]:
    """All published rows, in the order of the file.

    Raises:
        InputError: the file that comes with the package is damaged.
    """
    return read(FILE)


def read(path: Path) -> tuple[PublishedRow, ...]:
    """Rows of a file of published values.

    Raises:
        InputError: it can't be read or breaks the schema; names the field.
    """
    try:
        return _File.model_validate(tomllib.loads(path.read_text(encoding="utf-8"))).row
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: can't be read as TOML ({error}); reinstall nmebench") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{path}: {field}: {first['msg']}; reinstall nmebench") from error


def select(
    *,
    method: str | None = None,
    kind: str | None = None,
    medium: str | None = None,
    subset: str | None = None,
    metric: str | None = None,
    rows: Iterable[PublishedRow] | None = None,
) -> list[PublishedRow]:
    """Rows that meet every condition given.

    Args:
        method: part of the method's name or a pattern with ``*``, capitals alike.
        kind: whose table: authors, third party or aggregator.
        medium: text, image, log or page.
        subset: rows with a number for it.
        metric: nme, fr10 or auc10: rows with such a number (for ``subset``, if that is given).
        rows: the rows to choose from; all by default.

    Raises:
        InputError: a word that isn't one of those.
    """
    _one_of("kind", kind, get_args(Kind))
    _one_of("medium", medium, get_args(Medium))
    _one_of("subset", subset, SUBSETS)
    _one_of("metric", metric, ("nme", "fr10", "auc10"))
    pattern = method.lower() if method else "*"
    pattern = pattern if "*" in pattern else f"*{pattern}*"

    def has_numbers(row: PublishedRow) -> bool:
        values = [getattr(row, metric)] if metric else [row.nme, row.fr10, row.auc10]
        return any(v if subset is None else subset in v for v in values)

    return [
        row
        for row in (load() if rows is None else rows)
        if fnmatchcase(row.method.lower(), pattern)
        and kind in (None, row.kind)
        and medium in (None, row.medium)
        and has_numbers(row)
    ]


def _one_of(name: str, value: str | None, allowed: Iterable[str]) -> None:
    if value is not None and value not in allowed:
        raise InputError(f"{name} {value!r}: no such {name}, allowed: {', '.join(allowed)}")
