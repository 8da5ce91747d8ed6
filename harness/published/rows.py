"""Published results: the schema of a row, reading and filtering."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from nmebench.bounded_read import read_toml
from nmebench.errors import InputError
from nmebench.protocol import METRICS, SUBSETS, Flip, Subset

__all__ = ["Kind", "Medium", "PublishedProtocol", "PublishedRow", "load", "select"]

FILE = Path(__file__).with_name("wflw.toml")

Kind = Literal["authors", "third party", "aggregator"]
"""The publisher of a table: the authors of the method, a third party, or a page that collects numbers."""
Medium = Literal["text", "image", "log", "page"]
"""The kind of source: text of a page or paper, a picture of a table, a log file, or an excerpt of a web page."""


def _require_text(value: Any) -> Any:
    """Refuse floats, because they lose the trailing zeros that the source prints."""
    if isinstance(value, Mapping) and any(not isinstance(v, str | Decimal) for v in value.values()):
        raise ValueError('numbers must be quoted ("4.30"), as printed')
    return value


Percents = Annotated[
    dict[Subset, Annotated[Decimal, Field(ge=0, le=100)]], BeforeValidator(_require_text), Field(default_factory=dict)
]
Fractions = Annotated[
    dict[Subset, Annotated[Decimal, Field(ge=0, le=1)]], BeforeValidator(_require_text), Field(default_factory=dict)
]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PublishedProtocol(_Record):
    """The protocol of a row; None for a setting that the source doesn't state or that nmebench doesn't have."""

    decoder: str | None = None
    """Spec of a decoder of nmebench."""
    flip: Flip | None = None
    box: str | None = None
    """Name of a box rule of nmebench."""
    normaliser: str | None = None
    space: str | None = None
    """The space in which errors were measured, if not in the image."""
    selection: str | None = None
    """The choice of the checkpoint, if it used the test set."""
    details: str | None = None
    """Other facts about the protocol."""


class PublishedRow(_Record):
    """A row of a published table."""

    method: str
    dataset: str = "wflw"
    year: int | None = None
    backbone: str | None = None
    input_size: tuple[int, int] | None = None
    """Width, height, input px."""
    technique: str | None = None
    """Output, decoder and loss, in the source's own terms."""
    nme: Percents
    """NME by subset, percent, with the printed decimals."""
    fr10: Percents
    """Failure rate at 10 % by subset, percent."""
    auc10: Fractions
    """AUC up to 10 % by subset, a fraction."""
    checkpoint: str | None = None
    """Address of the weights, from the source."""
    sha256_prefix: str | None = Field(default=None, pattern=r"^[0-9a-f]{8,64}$")
    """First digits of the SHA-256 of the weights."""
    source: str
    """Repository, commit and file, or address of a page."""
    kind: Kind
    medium: Medium
    reading: str
    """The way in which the numbers were read from the source."""
    protocol: PublishedProtocol = PublishedProtocol()
    faults: tuple[str, ...] = ()
    """Known errors of the source; the row keeps the printed numbers."""
    note: str | None = None


class _File(_Record):
    version: Literal[1]
    origin: str
    row: tuple[PublishedRow, ...]


@cache
def load() -> tuple[PublishedRow, ...]:
    """Return all published rows, in the order of the file.

    Raises:
        InputError: the file in the package is damaged.

    Example:
        >>> row = load()[0]
        >>> row.method, str(row.nme["test"])
        ('mmpose HRNetV2-W18 DARK (0.x table)', '3.98')
    """
    return read(FILE)


def read(path: Path) -> tuple[PublishedRow, ...]:
    """Read a TOML file of published rows.

    Raises:
        InputError: the file can't be read or breaks the schema; the message names the field.
    """
    try:
        return _File.model_validate(read_toml(path)).row
    except InputError as error:
        raise InputError(f"{error}; reinstall nmebench") from error
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
    """Return the rows that meet all given conditions.

    Args:
        method: part of the method's name, or a pattern with ``*``; case is ignored.
        kind: who published the table: authors, third party or aggregator.
        medium: kind of source: text, image, log or page.
        subset: only rows with a value for this subset.
        metric: only rows with a value for this metric: nme, fr10 or auc10 (for ``subset``, if that is given).
        rows: the rows to filter; by default all published rows.

    Raises:
        InputError: ``kind``, ``medium``, ``subset`` or ``metric`` is unknown.

    Example:
        >>> [str(row.fr10["test"]) for row in select(method="SLPT 6*")]
        ['2.760']
    """
    _one_of("kind", kind, get_args(Kind))
    _one_of("medium", medium, get_args(Medium))
    _one_of("subset", subset, SUBSETS)
    _one_of("metric", metric, METRICS)
    pattern = method.lower() if method else "*"
    pattern = pattern if "*" in pattern else f"*{pattern}*"

    def has_numbers(row: PublishedRow) -> bool:
        values = [getattr(row, name) for name in ([metric] if metric else METRICS)]
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
