"""A model card's weights (``[weights]``)."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import unquote

from pydantic import StringConstraints, model_validator

from nmebench.models.card_table import CardTable, Hex64, HexPrefix, Line

__all__ = ["Weights"]

_Key = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\r\n]+$")]


class Weights(CardTable):
    """A file of this machine or weights to download, and which of its entries are the network's parameters."""

    path: Annotated[Line, StringConstraints(min_length=1)] | None = None
    """A file, relative to the card."""
    url: Annotated[str, StringConstraints(max_length=2000, pattern=r"^https?://\S+$")] | None = None
    """Address to download from."""
    page: Annotated[str, StringConstraints(max_length=2000, pattern=r"^https?://\S+$")] | None = None
    """Web page that offers the file, where it is downloaded by hand (`nmebench data add`); needs ``file``."""
    file: Annotated[str, StringConstraints(max_length=200, pattern=r"^[\w.+-]+$")] | None = None
    """File name in the cache folder; None takes the end of the address."""
    key: _Key | None = None
    """Entry of the checkpoint that holds the parameters, such as ``params_ema``; dots separate the levels
    (``model.ema``). None takes the only entry that fits the network."""
    prefix: _Key | None = None
    """Beginning of the names of the network's parameters, such as ``model.``; it is removed, and entries with other
    names are left out."""
    sha256: Hex64 | None = None
    hash_prefix: HexPrefix | None = None
    """The first digits of the file's SHA-256."""

    @model_validator(mode="after")
    def _one_origin(self) -> Weights:
        if sum(origin is not None for origin in (self.path, self.url, self.page)) > 1:
            raise ValueError("give one of path (a file of this machine), url (to download) and page (by hand)")
        if self.file is not None and self.url is None and self.page is None:
            raise ValueError("file is the name of a download and needs url or page; a file of this machine is path")
        if self.page is not None and self.file is None:
            raise ValueError("page needs file, the name of the file that it offers")
        if self.url is None and self.page is None and self.path is None and self.key is None and self.prefix is None:
            raise ValueError("give path (a file relative to the card) or url (to download)")
        return self

    @property
    def filename(self) -> str:
        """The file's name in the cache folder."""
        return self.file or unquote(re.split("[?#]", self.url or "")[0]).rstrip("/").rpartition("/")[2]
