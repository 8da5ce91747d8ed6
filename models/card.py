"""Model cards: what a network reads and gives, where its weights are, and what was reported for it (TOML)."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import platformdirs
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    StringConstraints,
    ValidationError,
    model_validator,
)

from models.errors import CardError, ModelError
from models.registry import factory, near
from models.registry import names as registered

__all__ = [
    "SUBSETS",
    "Card",
    "Input",
    "Output",
    "Reported",
    "Test",
    "Training",
    "Weights",
    "default_for",
    "load",
    "shipped",
    "weights_cache",
]

FOLDER = Path(__file__).parent / "cards"
LIMIT = 1_000_000
"""Largest card, in bytes."""

SUBSETS = ("test", "pose", "expression", "illumination", "makeup", "occlusion", "blur")
"""WFLW's subsets, in the order of most papers' tables."""

WFLW_LIKE = ("wflw", "synthface")
"""Datasets whose subsets are WFLW's."""

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
    """Weights that are downloaded."""

    url: Annotated[str, StringConstraints(max_length=2000, pattern=r"^https?://\S+$")]
    file: Annotated[str, StringConstraints(max_length=200, pattern=r"^[\w.+-]+$")] | None = None
    """File name in the cache, where the address doesn't end in one."""
    sha256: Hex64 | None = None
    hash_prefix: HexPrefix | None = None

    @property
    def filename(self) -> str:
        """Name in the cache folder."""
        return self.file or self.url.split("?")[0].rstrip("/").rpartition("/")[2]


class Input(_Table):
    """What the network reads."""

    size: tuple[Side, Side] = (256, 256)
    """Width, height in px."""
    box: Name = "landmarks"
    """Name of the rule that gives the crop (``harness.boxes``)."""
    convention: Literal["stride", "udp"] = "stride"
    """How the crop is sampled: ``udp`` for networks trained with unbiased data processing (mmpose's ``use_udp``)."""
    colour: Literal["rgb", "bgr"] = "rgb"
    mean: Triple = IMAGENET_MEAN
    """Of each channel in the order of ``colour``, in 0..255."""
    std: tuple[Positive, Positive, Positive] = IMAGENET_STD


class Output(_Table):
    """What the network gives."""

    kind: Literal["heatmaps", "landmarks", "simcc"] = "heatmaps"
    unit: Literal["crop-fraction", "input-px"] | None = None
    """Of the raw landmarks; the module always gives input px."""
    grid: Literal["stride", "udp", "half-pixel"] | None = None
    """How heatmap px become input px (``harness.coordinates``), for the decoders that don't say it themselves."""

    @model_validator(mode="after")
    def _grid_belongs_to_heatmaps(self) -> Output:
        if self.grid is not None and self.kind != "heatmaps":
            raise ValueError(f"grid is given for kind = 'heatmaps', not for kind = {self.kind!r}; leave it out")
        return self


class Test(_Table):
    """How the reported rows were measured."""

    __test__ = False  # not a test case of pytest's

    decoder: Spec | None = None
    """Spec of the decoder; None where the network gives landmarks."""
    flip: bool = False
    shift: bool = False
    """mmpose's ``shift_heatmap``: the flipped maps are moved right by one px before averaging."""
    shift_coords: bool = False
    """mmpose 1.x's ``shift_coords`` for networks that give landmarks."""


class Reported(_Table):
    """One published table."""

    nme: Mapping[Name, Percent] = Field(default_factory=dict)
    """Percent, by subset."""
    fr10: Mapping[Name, Annotated[float, Field(ge=0, le=100)]] = Field(default_factory=dict)
    """Percent, by subset."""
    auc10: Mapping[Name, Fraction] = Field(default_factory=dict)
    """Fraction, by subset."""
    source: Line
    tolerance: Annotated[float, Field(gt=0, le=10, allow_inf_nan=False)]
    """Percent points of NME."""
    decoder: Spec | None = None
    flip: bool | None = None
    shift: bool | None = None
    shift_coords: bool | None = None
    box: Name | None = None
    """These five replace the card's where this table was measured otherwise."""

    @model_validator(mode="after")
    def _some_value(self) -> Reported:
        if not (self.nme or self.fr10 or self.auc10):
            raise ValueError("reports nothing: one of nme, fr10, auc10 is needed")
        return self


class Training(_Table):
    """Where weights of the project's own come from."""

    command: Line
    seed: int | None = None
    data: Line | None = None
    sha256: Hex64 | None = None
    """Of the weights file that the command gave."""
    log: Mapping[Name, Value] = Field(default_factory=dict, max_length=64)
    """Faces, epochs, losses, times."""


class Card(_Table):
    """A network, its weights, its input and output, and what was reported for it."""

    name: Name
    architecture: Name
    """A registered model's name, or ``timm:NAME``."""
    options: Mapping[Name, Value] = Field(default_factory=dict, max_length=64)
    """Given to the architecture."""
    weights: Line | Weights | None = None
    """A path relative to the card, or where to download it."""
    licence: Line | None = None
    source: Line | None = None
    notes: Annotated[str, StringConstraints(max_length=5000)] | None = None
    input: Input = Input()
    output: Output = Output()
    test: Test = Test()
    reported: Mapping[Name, Mapping[Line, Reported]] = Field(default_factory=dict, max_length=32)
    """Tables by dataset, then by their own name."""
    training: Training | None = None

    _path: Path | None = PrivateAttr(default=None)

    @property
    def path(self) -> Path | None:
        """The file that the card was read from; None for a default card."""
        return self._path

    @model_validator(mode="after")
    def _known_subsets(self) -> Card:
        for dataset in WFLW_LIKE:
            for title, table in self.reported.get(dataset, {}).items():
                for metric in ("nme", "fr10", "auc10"):
                    for subset in getattr(table, metric):
                        if subset not in SUBSETS:
                            hint = near(subset, list(SUBSETS))
                            raise ValueError(
                                f"reported.{dataset}.{title!r}.{metric}: no subset {subset!r}{hint};"
                                f" allowed: {', '.join(SUBSETS)}"
                            )
        return self

    def test_for(self, table: Reported) -> Test:
        """How one table was measured: the card's ``[test]`` with the table's own settings."""
        own = {k: getattr(table, k) for k in ("decoder", "flip", "shift", "shift_coords")}
        return self.test.model_copy(update={k: v for k, v in own.items() if v is not None})

    def box_for(self, table: Reported) -> str:
        """The box rule that one table was measured with."""
        return table.box or self.input.box

    def weights_path(self) -> Path | None:
        """Where the weights are on this machine; None for a network without any.

        Raises:
            ModelError: they aren't there; says how to get them.
        """
        if self.weights is None:
            return None
        if isinstance(self.weights, str):
            path = (self._path.parent if self._path else Path()) / self.weights
            if not path.is_file():
                raise ModelError(f"card {self.name}: its weights {path} aren't there; give --weights FILE")
            return path
        path = weights_cache() / self.weights.filename
        if not path.is_file():
            raise ModelError(
                f"the weights of {self.name} aren't on this machine ({path}):"
                f" run `nmebench data fetch {self.name}` or give --weights FILE"
            )
        return path


def weights_cache() -> Path:
    """The folder of downloaded weights: ``$NMEBENCH_CACHE/weights``, else in the user's cache folder."""
    root = os.environ.get("NMEBENCH_CACHE")
    return (Path(root) if root else platformdirs.user_cache_path("nmebench")) / "weights"


def shipped() -> list[str]:
    """Names of the cards that come with the package, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def default_for(name: str) -> Card:
    """The card of a model that has none: 256x256, box from the landmarks, RGB, ImageNet mean and std.

    Raises:
        ModelError: no such model.
    """
    if name not in registered():
        factory(name)  # imports timm, which knows whether the name is one of its own
    return Card(name=name, architecture=name)


def _explain(error: ValidationError) -> str:
    """The first problem that pydantic found, in one line, and how many more there are."""
    problems = error.errors(include_url=False, include_context=False)
    first = problems[0]
    field = ".".join(str(part) for part in first["loc"]) or "card"
    given = "" if first["type"] in ("missing", "value_error") else f" (given: {str(first['input'])[:80]})"
    text = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        text = "unknown field" + near(str(first["loc"][-1]), _fields(first["loc"]))
        given = ""
    more = f"; {len(problems) - 1} more" if len(problems) > 1 else ""
    return re.sub(r"\s+", " ", f"{field}: {text}{given}{more}")


def _fields(location: tuple[Any, ...]) -> list[str]:
    """The field names that are allowed where an unknown one was found."""
    tables: dict[str, type[_Table]] = {
        "input": Input,
        "output": Output,
        "test": Test,
        "reported": Reported,
        "training": Training,
        "weights": Weights,
    }
    table = Card if len(location) == 1 else tables.get(str(location[0]), Card)
    return list(table.model_fields)


def _parse(path: Path) -> Card:
    try:
        with path.open("rb") as file:
            content = file.read(LIMIT + 1)
    except OSError as error:
        raise CardError(f"card {path} can't be read: {error.strerror or error}") from error
    if len(content) > LIMIT:
        raise CardError(f"card {path} is larger than {LIMIT} bytes; is it a card?")
    try:
        table = tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise CardError(f"card {path} is not UTF-8 text (byte {error.start})") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise CardError(f"card {path} is not TOML: {str(error) or 'nested too deeply'}") from error
    try:
        card = Card.model_validate(table)
    except ValidationError as error:
        raise CardError(f"card {path}: {_explain(error)}") from error
    card._path = path.resolve()
    return card


def load(name_or_path: str | Path) -> Card:
    """Read a card: a path to a TOML file, a shipped card's name, a registered model's or a timm backbone's name.

    Raises:
        CardError: nothing of that name, or a card that can't be read; one line naming the file and the field.
    """
    text = str(name_or_path)
    if isinstance(name_or_path, Path) or text.endswith(".toml") or os.sep in text:
        return _parse(Path(name_or_path))
    if text in shipped():
        return _parse(FOLDER / f"{text}.toml")
    try:
        return default_for(text)
    except ModelError as error:
        if text.startswith("timm:"):
            raise
        allowed = sorted({*shipped(), *registered()})
        known = ", ".join(allowed)
        raise CardError(f"no card or model is called {text!r}{near(text, allowed)}; known: {known}") from error
