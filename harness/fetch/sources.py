"""Which files exist, where, under whose terms: `sources.toml` and the model cards."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Annotated
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from nmebench import models
from nmebench.errors import InputError
from nmebench.models.hash_in_name import hash_in_name
from nmebench.paths import weights_folder
from nmebench.printable import shown
from nmebench.suggest import unknown

__all__ = ["Source", "Sources", "load_sources", "source_of"]

#: Most bytes of a checkpoint; the largest of the shipped cards' networks is far below.
_WEIGHTS_BYTES = 1_000_000_000

#: Hosts that answer with a page instead of a file.
_PAGE_HOSTS = frozenset({"1drv.ms", "onedrive.live.com", "pan.baidu.com"})

_Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Source(BaseModel):
    """One file to download."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    title: str = ""
    file: str = Field(pattern=r"^[^/\\\x00]+$")
    """Name in the cache and, usually, at its source."""
    url: str | None = None
    drive: str | None = None
    """Google Drive's file id."""
    drive_base: str = "https://drive.google.com"
    by_hand: bool = False
    """The address is a page for people; `nmebench data add` takes what they downloaded."""
    hosts: tuple[str, ...] = ()
    """Further hosts that a redirect may lead to."""
    page: str = ""
    """Where a person finds the file."""
    found: tuple[str, ...] = ()
    """Public pages that name the address."""
    max_bytes: int = Field(gt=0)
    bytes: int | None = None
    sha256: _Sha256 | None = None
    hash_prefix: str | None = Field(default=None, pattern=r"^[0-9a-f]{6,64}$")
    licence: str
    """The notice's text."""
    unpacks_to: str | None = None
    """Folder in the cache, for archives; other files go to ``weights/``."""
    top: str | None = None
    expects: tuple[str, ...] = ()
    max_unpacked: int = Field(default=0, ge=0)
    max_files: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _one_address(self) -> Source:
        if sum((self.url is not None, self.drive is not None, self.by_hand)) != 1:
            raise ValueError("one of url, drive and by_hand is needed, and one only")
        for folder in filter(None, (self.unpacks_to, self.top)):
            if PurePosixPath(folder).is_absolute() or ".." in PurePosixPath(folder).parts:
                raise ValueError(f"{folder!r} must be a relative folder without ..")
        return self

    @property
    def address(self) -> str:
        """The first address to ask; raises for a source that is to be had by hand only.

        Raises:
            InputError: with the way to get the file by hand.
        """
        if self.drive is not None:
            return f"{self.drive_base}/uc?id={self.drive}&export=download"
        if self.url is None:
            raise InputError(
                f"{self.name}: {self.page} is a page for people, not a file; download it there, then "
                f"`nmebench data add {self.file}`"
            )
        return self.url

    def place(self, cache: Path) -> Path:
        """Where the file (or the folder it unpacks to) belongs in the cache folder, whether it is there or not."""
        return cache / self.unpacks_to if self.unpacks_to else weights_folder(cache) / self.file


class Sources(Mapping[str, Source]):
    """Sources by name, and groups of them under one name."""

    def __init__(
        self,
        sources: Mapping[str, Source],
        groups: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
        *,
        weights_notice: str = "",
    ) -> None:
        self._sources = dict(sources)
        self.groups = dict(groups)
        self.weights_notice = weights_notice

    def __getitem__(self, name: str) -> Source:
        return self._sources[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._sources)

    def __len__(self) -> int:
        return len(self._sources)

    def resolve(self, name: str) -> tuple[Source, ...]:
        """The sources behind a name: of a group all of them.

        Raises:
            InputError: no such name; names the nearest.
        """
        if name in self.groups:
            return tuple(self[member] for member in self.groups[name])
        if name in self:
            return (self[name],)
        if name.endswith(".toml") or os.sep in name:
            card = models.card.load(name)
            source = source_of(card, self.weights_notice)
            if source is None:
                raise InputError(f"{shown(name)}: the card {card.name} has no weights to download")
            return (self.get(source.name, source),)
        raise InputError(unknown("download", name, sorted({*self, *self.groups})))


def source_of(card: models.card.Card, notice: str) -> Source | None:
    """What a card says about its weights, as a source; None when there is nothing to download."""
    weights = card.weights
    if not isinstance(weights, models.card.Weights):
        return None
    page_only = (urlsplit(weights.url).hostname or "") in _PAGE_HOSTS
    return Source(
        name=card.name,
        title=f"weights of {card.name}",
        file=unquote(weights.filename),
        url=None if page_only else weights.url,
        by_hand=page_only,
        page=weights.url,
        found=(card.source,) if card.source else (),
        max_bytes=_WEIGHTS_BYTES,
        sha256=weights.sha256,
        hash_prefix=weights.hash_prefix or hash_in_name(weights.filename),
        licence=" ".join(filter(None, (card.licence and f"{card.name}: {card.licence}.", notice))),
    )


def load_sources(path: Path | None = None) -> Sources:
    """Read `sources.toml` and the model cards.

    Args:
        path: another file of the same form; by default the one that the environment's ``NMEBENCH_SOURCES`` names,
            else the shipped one. A source of a card's name replaces the card's address.

    Raises:
        InputError: the file can't be read or has a wrong entry.
    """
    if path is None and (given := os.environ.get("NMEBENCH_SOURCES")):
        path = Path(given)
    if path is None:
        text, where = resources.files(__package__).joinpath("sources.toml").read_text("utf-8"), "sources.toml"
    else:
        where = shown(path)
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeError) as error:
            raise InputError(f"{where}: the list of sources can't be read ({error}); unset NMEBENCH_SOURCES") from error
    try:
        raw = tomllib.loads(text)
        licences, groups = raw.get("licences", {}), raw.get("groups", {})
        sources = {
            name: Source.model_validate(
                {**entry, "name": name, "licence": licences.get(entry.get("licence"), entry.get("licence", ""))}
            )
            for name, entry in raw.get("sources", {}).items()
        }
        for name, members in groups.items():
            for member in members:
                if member not in sources:
                    raise InputError(f"{where}: the group {name} names {member!r}, which isn't there")
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{where}: not TOML ({error})") from error
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "entry"
        raise InputError(f"{where}: {error.title} {field}: {first['msg']}") from error
    notice = licences.get("weights", "")
    cards = (source_of(models.card.load(name), notice) for name in models.card.shipped())
    weights = {card.name: sources.get(card.name, card) for card in cards if card is not None}
    return Sources(
        {**sources, **weights},
        {**{name: tuple(m) for name, m in groups.items()}, "weights": tuple(sorted(weights))},
        weights_notice=notice,
    )
