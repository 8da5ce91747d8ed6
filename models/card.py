"""Model cards (TOML): a network's input and output, its weights, and the values reported for it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import unquote

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    StringConstraints,
    ValidationError,
    model_validator,
)

from nmebench.bounded_read import read_toml
from nmebench.errors import InputError
from nmebench.models.errors import CardError, ModelError
from nmebench.models.registry import factory
from nmebench.models.registry import names as registered
from nmebench.models.table_protocol import TableProtocol, table_protocol
from nmebench.paths import weights_folder
from nmebench.protocol import SUBSETS, CropConvention, Grid
from nmebench.suggest import did_you_mean, unknown

__all__ = [
    "Card",
    "Input",
    "Output",
    "Reported",
    "TestProtocol",
    "Training",
    "Weights",
    "default_card",
    "load",
    "shipped",
]

SHIPPED_FOLDER = Path(__file__).parent / "cards"
MAX_BYTES = 1_000_000
"""Size limit of a card's file."""

WFLW_LIKE = ("wflw", "synthface")
"""Datasets with WFLW's subsets."""

Name = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[\w.:+-]+$")]
Line = Annotated[str, StringConstraints(max_length=1000, pattern=r"^[^\r\n]*$")]
Spec = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^\S+$")]
Hex64 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
HexPrefix = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8,64}$")]
Side = Annotated[int, Field(ge=8, le=4096)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Percent = Annotated[float, Field(ge=0, le=10_000, allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Value = bool | int | Finite | Line
Triple = tuple[Finite, Finite, Finite]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]

IMAGENET_MEAN: Triple = (123.675, 116.28, 103.53)
IMAGENET_STD: Triple = (58.395, 57.12, 57.375)


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=False, validate_default=True)


class Weights(_Table):
    """Weights to download."""

    url: Annotated[str, StringConstraints(max_length=2000, pattern=r"^https?://\S+$")]
    file: Annotated[str, StringConstraints(max_length=200, pattern=r"^[\w.+-]+$")] | None = None
    """File name in the cache folder; None takes the end of the address."""
    sha256: Hex64 | None = None
    hash_prefix: HexPrefix | None = None
    """The first digits of the file's SHA-256."""

    @property
    def filename(self) -> str:
        """The file's name in the cache folder."""
        return self.file or unquote(re.split("[?#]", self.url)[0]).rstrip("/").rpartition("/")[2]


class Input(_Table):
    """The input that the network reads."""

    size: tuple[Side, Side] = (256, 256)
    """Width, height in px."""
    box: Name = "landmarks"
    """Name of the box rule that places the crop (``nmebench.boxes``)."""
    convention: CropConvention = "stride"
    """Sampling of the crop; ``udp`` if the network was trained with unbiased data processing (mmpose's ``use_udp``)."""
    colour: Literal["rgb", "bgr"] = "rgb"
    mean: Triple = IMAGENET_MEAN
    """Mean of each channel in the order of ``colour``, in 0..255."""
    std: tuple[Positive, Positive, Positive] = IMAGENET_STD
    """Standard deviation of each channel in the order of ``colour``, in 0..255."""


class Output(_Table):
    """The output that the network gives."""

    kind: Literal["heatmaps", "landmarks", "simcc"] = "heatmaps"
    unit: Literal["crop-fraction", "input-px"] | None = None
    """Unit of the raw landmarks; the built network always gives input px."""
    layout: Literal["xy", "xs-ys"] = "xy"
    """Order of raw landmarks ``[N, 2 K]``: x0, y0, x1, y1, ... or all x, then all y."""
    grid: Grid | None = None
    """Map from heatmap px to input px with which the network was trained; None means ``stride``."""

    @model_validator(mode="after")
    def _grid_belongs_to_heatmaps(self) -> Output:
        if self.grid is not None and self.kind != "heatmaps":
            raise ValueError(f"grid applies to kind = 'heatmaps', not to kind = {self.kind!r}; leave it out")
        return self


class TestProtocol(_Table):
    """The protocol with which the reported tables were measured."""

    __test__ = False  # pytest must not collect this class

    decoder: Spec | None = None
    """Spec of the decoder; None if the network gives landmarks."""
    flip: bool = False
    """True if the outputs are averaged with those of the mirrored image."""
    shift: bool = False
    """mmpose's ``shift_heatmap``: the flipped heatmaps are moved right by one px before averaging."""
    shift_coords: bool = False
    """mmpose 1.x's ``shift_coords``, which applies to networks that give landmarks."""


class Reported(_Table):
    """One published table.

    ``decoder``, ``flip``, ``shift``, ``shift_coords`` and ``box`` replace the card's settings if this table was
    measured with others.
    """

    nme: Mapping[Name, Percent] = Field(default_factory=dict)
    """NME in percent by subset."""
    fr10: Mapping[Name, Annotated[float, Field(ge=0, le=100)]] = Field(default_factory=dict)
    """Failure rate at 10 % in percent by subset."""
    auc10: Mapping[Name, Fraction] = Field(default_factory=dict)
    """Area under the CED up to 10 % as a fraction by subset."""
    source: Line
    """Publication of the table."""
    tolerance: Annotated[float, Field(gt=0, le=10, allow_inf_nan=False)]
    """Largest difference of NME that counts as agreement, in percent points."""
    decoder: Spec | None = None
    flip: bool | None = None
    shift: bool | None = None
    shift_coords: bool | None = None
    box: Name | None = None

    @model_validator(mode="after")
    def _reports_a_value(self) -> Reported:
        if not (self.nme or self.fr10 or self.auc10):
            raise ValueError("reports nothing: one of nme, fr10, auc10 is needed")
        return self


class Training(_Table):
    """Training of a network that was trained with nmebench."""

    command: Line
    """The command that trained them."""
    seed: int | None = None
    data: Line | None = None
    """The training data."""
    sha256: Hex64 | None = None
    """SHA-256 of the weights file."""
    log: Mapping[Name, Value] = Field(default_factory=dict, max_length=64)
    """Facts about the training, such as faces, epochs, losses and times."""


class Card(_Table):
    """A network, its weights, its input and output, and the tables reported for it."""

    name: Name
    architecture: Name
    """A registered model's name, or ``timm:NAME``."""
    options: Mapping[Name, Value] = Field(default_factory=dict, max_length=64)
    """Options of the architecture."""
    weights: Line | Weights | None = None
    """A path relative to the card, or the address to download from."""
    licence: Line | None = None
    source: Line | None = None
    notes: Annotated[str, StringConstraints(max_length=5000)] | None = None
    input: Input = Input()
    output: Output = Output()
    test: TestProtocol = TestProtocol()
    reported: Mapping[Name, Mapping[Line, Reported]] = Field(default_factory=dict, max_length=32)
    """Tables by dataset, then by the table's name."""
    training: Training | None = None

    _path: Path | None = PrivateAttr(default=None)

    @property
    def path(self) -> Path | None:
        """The file that the card was read from; None if it was not read from a file."""
        return self._path

    @model_validator(mode="after")
    def _known_subsets(self) -> Card:
        for dataset in WFLW_LIKE:
            for title, table in self.reported.get(dataset, {}).items():
                for metric in ("nme", "fr10", "auc10"):
                    for subset in getattr(table, metric):
                        if subset not in SUBSETS:
                            hint = did_you_mean(subset, SUBSETS)
                            raise ValueError(
                                f"reported.{dataset}.{title!r}.{metric}: no subset {subset!r}{hint};"
                                f" allowed: {', '.join(SUBSETS)}"
                            )
        return self

    def protocols(self, dataset: str) -> dict[str, TableProtocol]:
        """Return the protocol of each reported table of a dataset, by the table's name.

        A card that reports nothing for the dataset has one protocol, its own, under the empty name.
        """
        card = self.model_dump()
        tables = card["reported"].get(dataset) or {"": {}}
        return {name: table_protocol(card, table) for name, table in tables.items()}

    def weights_path(self) -> Path | None:
        """Return the path of the weights on this machine; None for a network without weights.

        Raises:
            ModelError: the file is missing; the message says how to get it.
        """
        if self.weights is None:
            return None
        if isinstance(self.weights, str):
            path = (self._path.parent if self._path else Path()) / self.weights
            if not path.is_file():
                raise ModelError(f"card {self.name}: its weights {path} are missing; give --weights FILE")
            return path
        path = weights_folder() / self.weights.filename
        if not path.is_file():
            raise ModelError(
                f"the weights of {self.name} aren't on this machine ({path}):"
                f" run `nmebench data fetch {self.name}` or give --weights FILE"
            )
        return path


def shipped() -> list[str]:
    """Return the names of the cards that come with the package, sorted."""
    return sorted(path.stem for path in SHIPPED_FOLDER.glob("*.toml"))


def default_card(name: str) -> Card:
    """Return the card of a model without a card file.

    The input is 256x256 RGB, normalised with ImageNet's mean and std, from the box of the landmarks.

    Raises:
        ModelError: the model is unknown.

    Example:
        >>> default_card("hrnetv2-w18").input.size
        (256, 256)
    """
    if name not in registered():
        factory(name)  # raises for an unknown name; imports timm to look there
    return Card(name=name, architecture=name)


def _first_problem(error: ValidationError) -> str:
    """The first problem that pydantic found in one line, and the number of others."""
    problems = error.errors(include_url=False, include_context=False)
    first = problems[0]
    field = ".".join(str(part) for part in first["loc"]) or "card"
    given = "" if first["type"] in ("missing", "value_error") else f" (given: {str(first['input'])[:80]})"
    text = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        text = "unknown field" + did_you_mean(str(first["loc"][-1]), _allowed_fields(first["loc"]))
        given = ""
    more = f"; {len(problems) - 1} more" if len(problems) > 1 else ""
    return re.sub(r"\s+", " ", f"{field}: {text}{given}{more}")


def _allowed_fields(location: tuple[Any, ...]) -> list[str]:
    """The field names of the table in which an unknown field was found."""
    tables: dict[str, type[_Table]] = {
        "input": Input,
        "output": Output,
        "test": TestProtocol,
        "reported": Reported,
        "training": Training,
        "weights": Weights,
    }
    table = Card if len(location) == 1 else tables.get(str(location[0]), Card)
    return list(table.model_fields)


def _read(path: Path) -> Card:
    """Read and check a card's file."""
    try:
        table = read_toml(path, limit=MAX_BYTES, kind="card")
    except InputError as error:
        raise CardError(str(error)) from error
    try:
        card = Card.model_validate(table)
    except ValidationError as error:
        raise CardError(f"card {path}: {_first_problem(error)}") from error
    card._path = path.resolve()
    return card


def load(name_or_path: str | Path) -> Card:
    """Read a model card.

    Args:
        name_or_path: the path of a TOML file, the name of a shipped card, or the name of a registered model or a timm
            backbone, which gives :func:`default_card`.

    Raises:
        CardError: the name is unknown, or the card can't be read; one line names the file and the field.

    Example:
        >>> load("mmpose-hrnetv2-w18-dark").test.decoder
        'dark'
    """
    text = str(name_or_path)
    if isinstance(name_or_path, Path) or text.endswith(".toml") or os.sep in text:
        return _read(Path(name_or_path))
    if text in shipped():
        return _read(SHIPPED_FOLDER / f"{text}.toml")
    try:
        return default_card(text)
    except ModelError as error:
        if text.startswith("timm:"):
            raise
        raise CardError(unknown("card or model", text, sorted({*shipped(), *registered()}))) from error
