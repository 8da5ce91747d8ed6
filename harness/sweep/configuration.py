"""The options of a sweep, from the command line or a TOML file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, ValidationError

from nmebench import models
from nmebench.bounded_read import read_toml
from nmebench.errors import InputError
from nmebench.field_problem import in_words, separate
from nmebench.metric_names import check_thresholds
from nmebench.models.card import Card
from nmebench.protocol import FLIPS, Flip
from nmebench.suggest import did_you_mean, unknown
from nmebench.sweep import checkpoint_series

if TYPE_CHECKING:
    from nmebench.models.model_in_memory import Model

__all__ = ["ModelRequest", "SweepConfiguration", "load", "validate", "validate_several"]

#: Largest sweep file that is read, bytes.
_MAX_FILE = 1 << 20


class ModelRequest(BaseModel):
    """One network of a sweep."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    card: str
    """A card's path, the name of a shipped card or the name of a registered model."""
    weights: str | None = None
    """Path of a weights file; None for the card's own. In a sweep's file and on the command line also a pattern such as
    ``ck/epoch_*.pth``, which becomes one request per file."""
    name: str | None = None
    """Name of the network; None for the card's."""
    series: str | None = None
    """Name that the checkpoints of one training share; set for the files of a pattern."""

    _given: Card | Model | None = PrivateAttr(default=None)

    @classmethod
    def of(cls, given: Card | Model) -> ModelRequest:
        """Return the request of a card or a network in memory, which no file or name stands for.

        ``run.json`` stores the request as any other, and the card of every network; to repeat the sweep, the caller
        must give the same object.
        """
        card = given if isinstance(given, Card) else given.card
        request = cls(card=str(card.path) if card.path is not None else card.architecture, name=card.name)
        request._given = given
        return request

    @property
    def in_memory(self) -> bool:
        """True for a card or a network that another process can't load."""
        return self._given is not None

    def load_card(self) -> Card:
        """Return the card, with the requested name.

        Raises:
            CardError: the card can't be read.
        """
        given = self._given
        card = given if isinstance(given, Card) else given.card if given is not None else models.card.load(self.card)
        return card if self.name is None else card.model_copy(update={"name": self.name})

    def build(self, card: Card) -> models.Built:
        """Return the network.

        Args:
            card: the result of :meth:`load_card`, with the changes of the sweep.

        Raises:
            ModelError: the network can't be made.
        """
        if self._given is None or isinstance(self._given, Card):
            return models.build(card, weights=self.weights)
        return self._given.build(card)


def _request(value: Any) -> Any:
    return {"card": value} if isinstance(value, str) else value


def _thresholds(values: tuple[float, ...]) -> tuple[float, ...]:
    return check_thresholds(values) if values else ()


class SweepConfiguration(BaseModel):
    """The options of a sweep. Anything that is not set comes from the model card."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: str
    """``wflw:PATH``, ``synthface``, ``wflw-geometry:PATH``, ..."""
    format: str | None = None
    """Annotation format; None to detect it from the files."""
    scheme: str | None = None
    """Name or TOML file of the landmark scheme, for data sets without one of their own; None for the one that fits."""
    models: tuple[Annotated[ModelRequest, BeforeValidator(_request)], ...] = Field(min_length=1)
    decoders: tuple[str, ...] = ()
    """Decoder specs such as ``dark:kernel=17``; ``all`` selects every refinement rule whose inputs the network
    outputs; presets (``mmpose-udp``, ``official-hrnet``, ...) must be named."""
    flip: tuple[Flip, ...] = ()
    """Flip tests."""
    boxes: tuple[str, ...] = ()
    """Names of box rules."""
    box_padding: float | None = Field(default=None, gt=0, le=10)
    """Factor on the side of the box; None for the box rule's own."""
    colour: Literal["rgb", "bgr"] | None = None
    """Channel order that replaces the card's, to find out why a number deviates."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Options of every model's architecture; they override the card's."""
    normaliser: str | None = None
    """Name of a normaliser of the landmark scheme; None for the one that the data set's papers use."""
    thresholds: Annotated[tuple[float, ...], AfterValidator(_thresholds)] = ()
    """Thresholds of FR and AUC, percent; empty for those that the data set's papers print."""
    limit: int | None = Field(default=None, ge=1)
    """Number of faces to run, from the start of the list."""
    batch_size: int | None = Field(default=None, ge=1, le=4096)
    """Faces per batch; None for as many as fit in 96 MiB of crops and maps (512 MiB on a GPU)."""
    engine: str = "auto"
    """Name of an engine, with options such as ``cuda:precision=bf16``."""
    threads: int | None = Field(default=None, ge=1, le=1024)
    """Threads of the network and of the decoders; None for one per physical core."""
    keep_crops: bool = False
    """Keep the crops in the cache folder for later sweeps of the same faces and boxes."""
    keep_heatmaps: bool = False
    """Keep the network's outputs in the cache folder, as float16, for later decoder sweeps without the network.

    The first sweep decodes the float16 values too, so that all sweeps store the same bytes.
    """
    cache_budget_gib: float = Field(default=20.0, gt=0, le=1e6, allow_inf_nan=False)
    """Largest size of the kept crops, and of the kept heatmaps, in GiB."""
    pictures: bool = True
    """Store a thumbnail of every crop for the report's gallery."""
    seed: int = Field(default=0, ge=0, lt=2**63)
    """Recorded in the provenance; part of the cache keys."""
    title: str = Field(default="", max_length=200)
    """Title of the report."""


def load(path: Path) -> list[SweepConfiguration]:
    """Read a sweep file (TOML; docs/running.md has an example).

    Returns:
        One configuration per data set.

    Raises:
        InputError: the file is missing, too large or not TOML, or has an unknown or wrong field.
    """
    try:
        raw = read_toml(path, limit=_MAX_FILE, kind="sweep file")
    except InputError as error:
        raise InputError(f"{error}; give a sweep file (docs/running.md has one), or --data and --model") from error
    return validate_several(raw, where=str(path))


def validate(raw: dict[str, Any], *, where: str) -> SweepConfiguration:
    """Return a checked configuration.

    Args:
        raw: the fields of :class:`SweepConfiguration`.
        where: the file or command line that they come from; named in the message.

    Raises:
        InputError: a field is unknown or wrong; the message names the first one.

    Example:
        >>> validate({"data": "synthface", "models": ["oracle"], "decoders": ["dark"]}, where="example").decoders
        ('dark',)
    """
    try:
        return _expanded(SweepConfiguration.model_validate(raw))
    except ValidationError as error:
        texts: dict[str, str] = {}
        for one in separate(error.errors(include_url=False)):
            texts.setdefault(str(one["loc"]), _problem(one))
        raise InputError(f"{where}: {'; '.join(texts.values())}") from error


def _problem(one: Mapping[str, Any]) -> str:
    """One problem that pydantic found, with the field and the allowed values."""
    place = one["loc"]
    field = ".".join(str(part) for part in place) or "(the complete configuration)"
    if one["type"] == "extra_forbidden":
        table: type[BaseModel] = ModelRequest if place[0] == "models" and len(place) > 1 else SweepConfiguration
        hint = did_you_mean(str(place[-1]), table.model_fields)
        return f"unknown field {field!r}{hint}, allowed: {', '.join(table.model_fields)}"
    if place and place[0] == "flip" and one["type"] == "literal_error":
        return unknown("flip test", str(one["input"])[:80], FLIPS)
    if one["type"] == "value_error":
        return f"field {field!r} is {one.get('input')!r:.80}: {in_words(one)}"
    return f"field {field!r} {in_words(one)}"


def validate_several(raw: dict[str, Any], *, where: str) -> list[SweepConfiguration]:
    """Return a checked configuration for each data set of ``data``, which may be a list.

    Args:
        raw: the fields of :class:`SweepConfiguration`.
        where: the file or command line that they come from; named in the message.

    Raises:
        InputError: as for :func:`validate`, or a data set is named twice.

    Example:
        >>> raw = {"data": ["synthface", "wflw:/data/WFLW"], "models": ["oracle"]}
        >>> [one.data for one in validate_several(raw, where="example")]
        ['synthface', 'wflw:/data/WFLW']
    """
    given = raw.get("data")
    data = list(given) if isinstance(given, list | tuple) and given else [given]
    twice = next((one for one in data if data.count(one) > 1), None)
    if twice is not None:
        raise InputError(f"{where}: data {twice!r:.80} is given twice; name each data set once")
    return [validate(raw if one is None else {**raw, "data": one}, where=where) for one in data]


def _expanded(configuration: SweepConfiguration) -> SweepConfiguration:
    """The configuration with one request for each file that a pattern of weights matches."""
    requests = []
    for request in configuration.models:
        files = checkpoint_series.expand(request.weights)
        series = request.name or (request.load_card().name if files[0][1] is not None else None)
        for weights, name in files:
            if name is None:
                requests.append(request)
                continue
            changes = {"weights": weights, "name": f"{series}@{name}", "series": series}
            requests.append(request.model_copy(update=changes))
    return configuration.model_copy(update={"models": tuple(requests)})
