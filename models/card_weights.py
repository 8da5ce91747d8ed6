"""A model card's weights to download (``[weights]``)."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import unquote

from pydantic import StringConstraints

from nmebench.models.card_table import CardTable, Hex64, HexPrefix

__all__ = ["Weights"]


class Weights(CardTable):
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
