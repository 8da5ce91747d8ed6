"""The files that can be downloaded: `sources.toml` and the weights of the model cards."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Annotated, Any
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from nmebench import models
from nmebench.bounded_read import read_toml
from nmebench.errors import InputError
from nmebench.field_problem import problems
from nmebench.models.hash_in_name import hash_in_name
from nmebench.paths import weights_folder
from nmebench.printable import shown
from nmebench.suggest import unknown

__all__ = ["Source", "Sources", "load_sources", "source_from_card"]

#: Largest checkpoint that is accepted; the networks of the shipped cards are much smaller.
_MAX_WEIGHTS_BYTES = 1_000_000_000

SHIPPED = Path(__file__).with_name("sources.toml")

#: Largest list of sources that is read, bytes.
_LARGEST = 1 << 20

#: Hosts that answer with a web page instead of the file.
_PAGE_HOSTS = frozenset({"1drv.ms", "onedrive.live.com", "pan.baidu.com"})

_Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _File(BaseModel):
    """The tables of a list of sources; the entries of ``sources`` are checked one by one."""

    licences: dict[str, str] = Field(default_factory=dict)
    by_hand: dict[str, str] = Field(default_factory=dict)
    groups: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    sources: dict[str, dict[str, Any]] = Field(default_factory=dict)


class Source(BaseModel):
    """A file to download: its address, size limits, hash and licence notice."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    title: str = ""
    file: str = Field(pattern=r"^[^/\\\x00]+$")
    """File name in the cache; usually also the name at the server."""
    url: str | None = None
    drive: str | None = None
    """File id on Google Drive."""
    drive_base: str = "https://drive.google.com"
    by_hand: bool = False
    """True if only a web page offers the file; the user downloads it and runs `nmebench data add`."""
    hosts: tuple[str, ...] = ()
    """Other hosts that redirects may lead to, as ``host`` or ``host:port``."""
    page: str = ""
    """Web page that offers the file."""
    before: str = ""
    """The step between the download of the parts and `nmebench data add`."""
    found: tuple[str, ...] = ()
    """Public pages that name the address."""
    max_bytes: int = Field(gt=0)
    """Largest size that is accepted."""
    bytes: int | None = None
    """Exact size, if it is known."""
    sha256: _Sha256 | None = None
    hash_prefix: str | None = Field(default=None, pattern=r"^[0-9a-f]{6,64}$")
    """First hex digits of the SHA-256."""
    licence: str
    """The licence notice."""
    unpacks_to: str | None = None
    """Folder in the cache that an archive is unpacked to; other files go to ``weights/``."""
    top: str | None = None
    """Top folder in the archive that is left out."""
    expects: tuple[str, ...] = ()
    """Glob patterns of files that the archive must contain."""
    max_unpacked: int = Field(default=0, ge=0)
    """Largest total size of the unpacked files, in bytes."""
    max_files: int = Field(default=0, ge=0)
    """Largest number of files and folders in the archive."""

    @model_validator(mode="after")
    def _one_address(self) -> Source:
        if sum((self.url is not None, self.drive is not None, self.by_hand)) != 1:
            raise ValueError("exactly one of url, drive and by_hand is needed")
        for folder in filter(None, (self.unpacks_to, self.top)):
            if PurePosixPath(folder).is_absolute() or ".." in PurePosixPath(folder).parts:
                raise ValueError(f"{folder!r} must be a relative folder without ..")
        return self

    @property
    def address(self) -> str:
        """The first address to request; for a file that is downloaded by hand, its web page."""
        if self.drive is not None:
            return f"{self.drive_base}/uc?id={self.drive}&export=download"
        return self.url or self.page

    @property
    def manual_way(self) -> str:
        """The instruction to download the file in a browser and add it, used in messages."""
        first = f"; {self.before}" if self.before else ""
        return (
            f"download {self.file} in a browser from {self.page or self.address}{first}, then run `nmebench data add "
            f"{self.file}`"
        )

    def failed(self, found: str) -> InputError:
        """Return the error of a download that failed for good, with the way to download the file in a browser.

        Args:
            found: what is wrong.
        """
        return InputError(f"{self.file}: {found}; {self.manual_way}")

    def installed_path(self, cache: Path) -> Path:
        """Return the path of the installed file, or of the folder it is unpacked to, in the cache folder."""
        return cache / self.unpacks_to if self.unpacks_to else weights_folder(cache) / self.file


class Sources(Mapping[str, Source]):
    """A mapping of sources by name, with named groups of sources."""

    def __init__(
        self,
        sources: Mapping[str, Source],
        groups: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
        *,
        weights_notice: str = "",
        by_hand: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._sources = dict(sources)
        self.groups = dict(groups)
        self.by_hand = dict(by_hand)
        """By name, the files that the user must get and place without a command."""
        self.weights_notice = weights_notice

    def __getitem__(self, name: str) -> Source:
        return self._sources[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._sources)

    def __len__(self) -> int:
        return len(self._sources)

    def resolve(self, name: str) -> tuple[Source, ...]:
        """Return the sources for a name: one source, all sources of a group, or the weights of a card file.

        Args:
            name: a source's name, a group's name, or the path of a model card.

        Raises:
            InputError: the name is unknown (the message names the nearest one), or the card has no weights to download.
        """
        if name in self.groups:
            return tuple(self[member] for member in self.groups[name])
        if name in self:
            return (self[name],)
        if name.endswith(".toml") or os.sep in name:
            card = models.card.load(name)
            source = source_from_card(card, self.weights_notice)
            if source is None:
                raise InputError(f"{shown(name)}: the card {card.name} has no weights to download")
            return (self.get(source.name, source),)
        raise InputError(unknown("download", name, sorted({*self, *self.groups})))


def source_from_card(card: models.card.Card, notice: str) -> Source | None:
    """Return the source of a card's weights, or None if the card has no weights to download."""
    weights = card.weights
    address = (weights.url or weights.page) if isinstance(weights, models.card.Weights) else None
    if not isinstance(weights, models.card.Weights) or address is None:
        return None
    page_only = weights.url is None or (urlsplit(weights.url).hostname or "") in _PAGE_HOSTS
    return Source(
        name=card.name,
        title=f"weights of {card.name}",
        file=unquote(weights.filename),
        url=None if page_only else weights.url,
        by_hand=page_only,
        page=address,
        found=(card.source,) if card.source else (),
        max_bytes=_MAX_WEIGHTS_BYTES,
        sha256=weights.sha256,
        hash_prefix=weights.hash_prefix or hash_in_name(weights.filename),
        licence=" ".join(filter(None, (card.licence and f"{card.name}: {card.licence}.", notice))),
    )


def load_sources(path: Path | None = None) -> Sources:
    """Read `sources.toml` and the shipped model cards.

    Args:
        path: a file in the format of `sources.toml`; by default the file that ``$NMEBENCH_SOURCES`` names, or the
            shipped one. A source with a card's name replaces the address in the card.

    Returns:
        The sources. ``weights`` is the group of the cards with results on WFLW, ``weights-300w`` that of 300-W, and so
        on.

    Raises:
        InputError: the file can't be read or has an invalid entry.

    Example:
        >>> sources = load_sources()
        >>> [source.file for source in sources.resolve("wflw")]
        ['WFLW_annotations.tar.gz', 'WFLW_images.tar.gz']
        >>> sources["wflw-images"].installed_path(Path("cache")).as_posix()
        'cache/wflw/WFLW_images'
    """
    if path is None and (given := os.environ.get("NMEBENCH_SOURCES")):
        path = Path(given)
    if path is None:
        path = SHIPPED
    where = shown(path)
    try:
        raw = read_toml(path, limit=_LARGEST, kind="list of sources")
    except InputError as error:
        raise InputError(f"{error}; correct it, or unset NMEBENCH_SOURCES") from error
    try:
        listed = _File.model_validate(raw)
        licences, groups = listed.licences, listed.groups
        sources = {
            name: Source.model_validate(
                {**entry, "name": name, "licence": licences.get(str(entry.get("licence")), entry.get("licence", ""))}
            )
            for name, entry in listed.sources.items()
        }
        for name, members in groups.items():
            for member in members:
                if member not in sources:
                    raise InputError(f"{where}: the group {name} names {member!r}, which is not in the list")
    except ValidationError as error:
        problem = problems(error, nameless="entry")
        raise InputError(f"{where}: {error.title.lstrip('_')} {problem}") from error
    notice = licences.get("weights", "")
    weights: dict[str, Source] = {}
    weights_of: dict[str, list[str]] = {"weights": []}
    for card in map(models.card.load, models.card.shipped()):
        source = source_from_card(card, notice)
        if source is None:
            continue
        weights[card.name] = sources.get(card.name, source)
        for dataset in card.reported:
            weights_of.setdefault("weights" if dataset == "wflw" else f"weights-{dataset}", []).append(card.name)
    return Sources(
        {**sources, **weights},
        {**{name: tuple(m) for name, m in groups.items()}, **{name: tuple(m) for name, m in weights_of.items()}},
        weights_notice=notice,
        by_hand=listed.by_hand,
    )
