"""Published results: the schema of a row, reading and filtering."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    ValidationError,
    model_serializer,
    model_validator,
)

from nmebench.bounded_read import read_toml
from nmebench.errors import InputError
from nmebench.field_problem import problems
from nmebench.metric_names import NME, Metric, MetricName, check_rates, gather_rates, spread_rates
from nmebench.protocol import Flip, in_table_order
from nmebench.suggest import did_you_mean

__all__ = ["Kind", "Medium", "PublishedProtocol", "PublishedRow", "load", "methods", "select"]

FOLDER = Path(__file__).parent
"""The folder of the rows, one TOML file per data set."""

FILE = FOLDER / "wflw.toml"

_LISTED = 12
"""Number of known values that a message lists."""

Kind = Literal["authors", "third party", "aggregator"]
"""The publisher of a table: the authors of the method, a third party, or a page that collects numbers."""
Medium = Literal["text", "image", "log", "page"]
"""The kind of source: text of a page or paper, a picture of a table, a log file, or an excerpt of a web page."""


def _require_text(value: Any) -> Any:
    """Refuse floats, because they lose the trailing zeros that the source prints."""
    if isinstance(value, Mapping) and any(not isinstance(v, str | Decimal) for v in value.values()):
        raise ValueError('numbers must be quoted ("4.30"), as printed')
    return value


Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,40}$")]
Percents = Annotated[
    dict[Name, Annotated[Decimal, Field(ge=0, le=100)]], BeforeValidator(_require_text), Field(default_factory=dict)
]
Numbers = Annotated[dict[Name, Decimal], BeforeValidator(_require_text)]


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
    auc_method: str | None = None
    """Name of the function of :mod:`nmebench.metrics` that computes AUC as the source does; None for the exact area."""
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
    rates: dict[MetricName, Numbers] = Field(default_factory=dict)
    """FR (percent) and AUC (fraction) by metric and subset: the fields ``frT`` and ``aucT`` of the file."""
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
    suspect: dict[str, str] = Field(default_factory=dict)
    """Numbers that contradict others of the row (``auc8.common``; ``nme`` for all subsets), with the reason."""
    note: str | None = None

    _gather = model_validator(mode="before")(gather_rates)

    @model_validator(mode="after")
    def _rates_in_range(self) -> PublishedRow:
        check_rates(self.rates)
        return self

    @model_serializer(mode="wrap")
    def _spread(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return spread_rates(dump(self))

    def values(self, metric: str) -> Mapping[str, Decimal]:
        """Return the values of a metric, such as ``nme`` and ``fr8``, by subset; empty if the row has none."""
        return self.nme if metric == NME else self.rates.get(metric, {})

    def doubt(self, metric: str, subset: str) -> str:
        """Return the reason why a number contradicts others of the row; empty for other numbers."""
        return self.suspect.get(metric) or self.suspect.get(f"{metric}.{subset}", "")


class _File(_Record):
    version: Literal[1]
    origin: str
    row: tuple[PublishedRow, ...]


@cache
def load(dataset: str | None = None) -> tuple[PublishedRow, ...]:
    """Return the published rows of a data set, or of all, in the order of their files; WFLW's first.

    Args:
        dataset: name of a data set, such as ``300w``; a data set without published rows has none.

    Raises:
        InputError: a file in the package is damaged.

    Example:
        >>> row = load("wflw")[0]
        >>> row.method, str(row.nme["test"])
        ('mmpose HRNetV2-W18 DARK (0.x table)', '3.98')
        >>> [str(row.nme["challenge"]) for row in load("300w") if row.sha256_prefix == "eea53406"]
        ['5.45', '5.64']
    """
    if dataset is not None:
        return tuple(row for row in load() if row.dataset == dataset)
    others = sorted(path for path in FOLDER.glob("*.toml") if path != FILE)
    return tuple(row for path in (FILE, *others) for row in read(path))


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
        raise InputError(f"{path}: {problems(error)}; reinstall nmebench") from error


def select(
    *,
    dataset: str | None = None,
    method: str | None = None,
    kind: str | None = None,
    medium: str | None = None,
    subset: str | None = None,
    metric: str | None = None,
    rows: Iterable[PublishedRow] | None = None,
    required: bool = False,
) -> list[PublishedRow]:
    """Return the rows that meet all given conditions.

    Args:
        dataset: only rows of this data set.
        method: part of the method's name, or a pattern with ``*``; case is ignored.
        kind: who published the table: authors, third party or aggregator.
        medium: kind of source: text, image, log or page.
        subset: only rows with a value for this subset.
        metric: only rows with a value for this metric, such as nme, fr10 or auc8 (for ``subset``, if that is given).
        rows: the rows to filter; by default all published rows.
        required: refuse conditions that no row meets.

    Raises:
        InputError: ``dataset``, ``kind``, ``medium``, ``subset`` or ``metric`` is unknown, or no row is found and
            ``required`` is set.

    Example:
        >>> [str(row.values("fr10")["test"]) for row in select(method="SLPT 6*")]
        ['2.760']
    """
    candidates = tuple(load() if rows is None else rows)
    _one_of("dataset", dataset, dict.fromkeys(row.dataset for row in candidates))
    candidates = tuple(row for row in candidates if dataset in (None, row.dataset))
    _one_of("kind", kind, get_args(Kind))
    _one_of("medium", medium, get_args(Medium))
    known = (name for row in candidates for values in (row.nme, *row.rates.values()) for name in values)
    _one_of("subset", subset, in_table_order(known))
    wanted = None if metric is None else Metric.parse(metric).name
    pattern = method.lower() if method else "*"
    pattern = pattern if "*" in pattern else f"*{pattern}*"

    def has_numbers(row: PublishedRow) -> bool:
        values = [row.values(name) for name in ((NME, *row.rates) if wanted is None else (wanted,))]
        return any(v if subset is None else subset in v for v in values)

    conditions: dict[str, tuple[str | None, Callable[[PublishedRow], bool]]] = {
        "method": (method, lambda row: fnmatchcase(row.method.lower(), pattern)),
        "kind": (kind, lambda row: kind == row.kind),
        "medium": (medium, lambda row: medium == row.medium),
        "metric": (metric, lambda row: wanted is not None and bool(row.values(wanted))),
        "subset": (subset, has_numbers),
    }
    found = [
        row
        for row in candidates
        if all(meets(row) for value, meets in conditions.values() if value is not None) and has_numbers(row)
    ]
    if required and not found:
        where = dataset or "any data set"
        for name, (value, meets) in conditions.items():
            if value is not None and not any(map(meets, candidates)):
                allowed = _known(name, candidates)
                more = f" and {len(allowed) - _LISTED} more: `nmebench list published`" * (len(allowed) > _LISTED)
                raise InputError(
                    f"{name} {value!r}: no published row of {where} has it{did_you_mean(value, allowed)} "
                    f"(known: {', '.join(allowed[:_LISTED])}{more})"
                )
        given = ", ".join(f"{name} {value!r}" for name, (value, _) in conditions.items() if value is not None)
        raise InputError(f"no published row of {where} has {given} together; leave one of them out")
    return found


def _known(name: str, rows: Iterable[PublishedRow]) -> list[str]:
    """The values that rows have for a condition, in the order of the rows."""
    if name == "metric":
        return list(dict.fromkeys(metric for row in rows for metric in (NME, *row.rates) if row.values(metric)))
    if name == "subset":
        return in_table_order(name for row in rows for values in (row.nme, *row.rates.values()) for name in values)
    if name == "method":  # the first word, such as SPIGA of "SPIGA (README)", because a part of the name is enough
        return list(dict.fromkeys(row.method.partition(" ")[0] for row in rows))
    return list(dict.fromkeys(str(getattr(row, name)) for row in rows))


def methods(name: str, dataset: str) -> list[str]:
    """Return the methods of published rows that a name or pattern means.

    Args:
        name: a method, or a pattern with ``*``; case is ignored.
        dataset: name of the data set.

    Raises:
        InputError: no row of the data set has such a method; the message has the nearest match.

    Example:
        >>> methods("spiga*", "300w-private")
        ['SPIGA (README)', 'SPIGA']
    """
    known = list(dict.fromkeys(row.method for row in load(dataset)))
    if not known:
        raise InputError(f"no published rows are known for {dataset}; `nmebench list published` shows all rows")
    found = [method for method in known if fnmatchcase(_plain(method), _plain(name))]
    if not found:
        raise InputError(
            f"published method {name!r}: {dataset} has no such row{did_you_mean(name, known)}; "
            f"`nmebench list published --dataset {dataset}` shows them"
        )
    return found


def _plain(method: str) -> str:
    """Return a method for comparison: case is ignored, and ``*`` is the only character with a meaning."""
    return method.lower().replace("[", "(").replace("]", ")").replace("?", " ")


def _one_of(name: str, value: str | None, allowed: Iterable[str]) -> None:
    names = list(allowed)
    if value is not None and value not in names:
        raise InputError(f"{name} {value!r}: no such {name}, allowed: {', '.join(names)}{did_you_mean(value, names)}")
