"""Model cards (TOML): a network's input and output, its weights, and the values reported for it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    Field,
    PrivateAttr,
    StringConstraints,
    ValidationError,
    model_validator,
)

from nmebench.bounded_read import read_toml
from nmebench.errors import InputError
from nmebench.field_problem import problems
from nmebench.metric_names import NME, metric_names
from nmebench.models.card_input import Input
from nmebench.models.card_output import Output
from nmebench.models.card_reported import Reported, TestProtocol
from nmebench.models.card_table import Architecture, CardTable, Line, Name, OptionValue
from nmebench.models.card_training import Training
from nmebench.models.card_weights import Weights
from nmebench.models.errors import CardError, ModelError
from nmebench.models.registry import factory
from nmebench.models.registry import names as registered
from nmebench.models.table_protocol import TableProtocol, table_protocol
from nmebench.paths import weights_folder
from nmebench.printable import shown
from nmebench.protocol import SUBSETS, THRESHOLD
from nmebench.suggest import did_you_mean, similar_path, unknown

__all__ = [
    "MEMORY",
    "Card",
    "Input",
    "Output",
    "Reported",
    "TestProtocol",
    "Training",
    "Weights",
    "default_card",
    "from_table",
    "load",
    "shipped",
]

MEMORY = "memory:"
"""Begin of the architecture of a network that was in memory (:class:`nmebench.models.model_in_memory.Model`)."""

SHIPPED_FOLDER = Path(__file__).parent / "cards"
_WEIGHTS = "a file of weights, not a card; give the network's card to --model and this file to --weights"
_OTHER_KINDS = {
    ".onnx": "an ONNX network, not a card; write its card with `nmebench card new {file} -o card.toml`",
    ".py": "code, not a card; give --model python:{file}:CLASS",
    **dict.fromkeys((".yaml", ".yml", ".json"), "no card, which is a TOML file; docs/models.md shows one"),
    **dict.fromkeys((".pth", ".pt", ".ckpt", ".safetensors", ".bin", ".pkl"), _WEIGHTS),
}
"""Files that aren't cards, by their suffix: the kind and the way out."""

MAX_BYTES = 1_000_000
"""Size limit of a card's file."""

WFLW_LIKE = ("wflw", "synthface")
"""Datasets with WFLW's subsets."""


class Card(CardTable):
    """A network, its weights, its input and output, and the tables reported for it."""

    name: Name
    architecture: Architecture
    """A registered model's name, ``timm:NAME``, or code: ``python:FILE.py:NAME`` relative to the card, or
    ``python:MODULE:NAME``."""
    options: Mapping[Name, OptionValue] = Field(default_factory=dict, max_length=64)
    """Options of the architecture; lists and tables are allowed."""
    weights: Line | Weights | None = None
    """A path relative to the card, or a table (:class:`Weights`)."""
    licence: Line | None = None
    source: Line | None = None
    scheme: Name | None = None
    """Landmark scheme of the network's points; None for that of the benchmarks in ``reported``, or of the data set."""
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

    @property
    def folder(self) -> Path | None:
        """The folder of the card's file, to which its paths are relative; None for the working directory."""
        return self._path.parent if self._path else None

    @model_validator(mode="after")
    def _tables_shift_no_named_flip_test(self) -> Card:
        for dataset, tables in self.reported.items():
            for title, table in tables.items():
                shifts = (table.shift, table.shift_coords) != (None, None)
                if isinstance(self.test.flip, str) and table.flip is None and shifts:
                    raise ValueError(
                        f"reported.{dataset}.{title!r}: a shift, but test.flip = {self.test.flip!r} names the flip"
                        " test; give the table's flip"
                    )
        return self

    @model_validator(mode="after")
    def _known_subsets(self) -> Card:
        for dataset in WFLW_LIKE:
            for title, table in self.reported.get(dataset, {}).items():
                for metric in (NME, *table.rates):
                    for subset in table.values(metric):
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
        local = self.weights if isinstance(self.weights, str) else self.weights.path
        if local is not None:
            path = (self.folder or Path()) / local
            if not path.is_file():
                raise ModelError(f"card {self.name}: its weights {path} are missing; give --weights FILE")
            return path
        if isinstance(self.weights, str) or not self.weights.filename:
            raise ModelError(f"card {self.name}: [weights] names no file; set path in it, or give --weights FILE")
        path = weights_folder() / self.weights.filename
        if not path.is_file():
            way = f"run `nmebench data fetch {self.name}`"
            if self.weights.page is not None:
                way = f"download {self.weights.filename} from {self.weights.page} and run `nmebench data add` with it,"
            raise ModelError(
                f"the weights of {self.name} aren't on this machine ({path}): {way} or give --weights FILE"
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
    if name.startswith("python:"):
        try:
            return Card(name=name.rpartition(":")[2], architecture=name)
        except ValidationError as error:
            raise CardError(f"model {name!r}: {_problems(error)}") from error
    if name not in registered():
        factory(name)  # raises for an unknown name; imports timm to look there
    return Card(name=name, architecture=name)


def _problems(error: ValidationError) -> str:
    """The wrong fields in one line."""
    found = error.errors(include_url=False)
    # A field that accepts a text or a table, or a switch or a word, has a problem for each: keep the given kind's.
    found = [problem for problem in found if not _of_another_kind(problem["loc"], problem["input"])] or found
    by_field = [{**one, "loc": tuple(part for part in one["loc"] if not _is_branch(part))} for one in found]
    unknown_fields = (one["loc"] for one in found if one["type"] == "extra_forbidden")
    return problems(by_field, nameless="card", fields=[name for loc in unknown_fields for name in _allowed_fields(loc)])


def _is_branch(part: int | str) -> bool:
    """Return True for pydantic's name of one of several kinds that a field accepts."""
    kinds = ("literal[", "tuple[", "function-after[")
    return part in ("constrained-str", "Weights", "bool") or str(part).startswith(kinds)


def _of_another_kind(location: tuple[int | str, ...], given: object) -> bool:
    if isinstance(given, Mapping):
        return "constrained-str" in location
    return isinstance(given, str) and "bool" in location


def _allowed_fields(location: tuple[Any, ...]) -> list[str]:
    """The field names of the table in which an unknown field was found."""
    tables: dict[str, type[CardTable]] = {
        "input": Input,
        "output": Output,
        "test": TestProtocol,
        "reported": Reported,
        "training": Training,
        "weights": Weights,
    }
    table = Card if len(location) == 1 else tables.get(str(location[0]), Card)
    usual = metric_names([THRESHOLD])
    return [name for field in table.model_fields for name in (usual if field == "rates" else (field,))]


def _read(path: Path) -> Card:
    """Read and check a card's file."""
    if (kind := _OTHER_KINDS.get(path.suffix.lower())) is not None:
        raise CardError(f"{shown(path)} is {kind.format(file=shown(path))}")
    try:
        if not path.exists() and (hint := similar_path(path)):
            raise CardError(f"card {shown(path)} does not exist{shown(hint)}")
    except OSError as error:  # a name that is too long
        raise CardError(f"card {shown(path)[:200]}: can't be read ({error.strerror})") from error
    try:
        table = read_toml(path, limit=MAX_BYTES, kind="card")
    except InputError as error:
        raise CardError(str(error)) from error
    try:
        card = Card.model_validate(table)
    except ValidationError as error:
        raise CardError(f"card {path}: {_problems(error)}") from error
    card._path = path.resolve()
    return card


def from_table(table: Mapping[str, Any], owner: str) -> Card:
    """Check the content of a card that is not in a file.

    Args:
        table: the fields of :class:`Card`.
        owner: what the card describes, for messages.

    Raises:
        CardError: a field is unknown or wrong.

    Example:
        >>> from_table({"name": "net", "architecture": "onnx", "input": {"size": [112, 112]}}, "net").input.size
        (112, 112)
    """
    try:
        return Card.model_validate(table)
    except ValidationError as error:
        raise CardError(f"{owner}: {_problems(error)}") from error


def load(name_or_path: str | Path) -> Card:
    """Read a model card.

    Args:
        name_or_path: the path of a TOML file, the name of a shipped card, or the name of a registered model, a timm
            backbone or code (``python:net.py:MyNet``), which gives :func:`default_card`.

    Raises:
        CardError: the name is unknown, or the card can't be read; one line names the file and the field.

    Example:
        >>> load("mmpose-hrnetv2-w18-dark").test.decoder
        'dark'
    """
    text = str(name_or_path)
    if text.startswith("python:"):
        return default_card(text)
    if isinstance(name_or_path, Path) or os.sep in text or Path(text).suffix.lower() in (".toml", *_OTHER_KINDS):
        return _read(Path(name_or_path))
    if text in shipped():
        return _read(SHIPPED_FOLDER / f"{text}.toml")
    try:
        return default_card(text)
    except ModelError as error:
        if text.startswith("timm:"):
            raise
        if Path(text).is_dir():
            raise CardError(
                f"{shown(text)} is a folder, not a card; name the card in it: {shown(text)}/card.toml"
            ) from error
        raise CardError(unknown("card or model", text, sorted({*shipped(), *registered()}))) from error
