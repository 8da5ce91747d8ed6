"""Landmark schemes that the command line names: by name, or by a TOML file of the user's own."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from nmebench.bounded_read import read_bounded
from nmebench.errors import InputError
from nmebench.files import FileHash
from nmebench.geometry.scheme import MAX_BYTES, Scheme, load, names, read
from nmebench.printable import shown

__all__ = ["SUFFIX", "find", "hash_of", "read_own", "table"]

SUFFIX = ".toml"
"""End of a scheme that is a file."""


def find(text: str) -> Scheme:
    """Return a scheme by its name or its TOML file.

    Args:
        text: a name such as ``wflw98``, or a path that ends in ``.toml``.

    Raises:
        InputError: the name is unknown, or the file is missing or wrong, or has the name of another scheme.

    Example:
        >>> find("wflw98").points
        98
        >>> find("wflw89")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
            ...
        nmebench.errors.InputError: unknown scheme 'wflw89'; did you mean 'wflw98'? (known: wflw98, ...
    """
    return read_own(Path(text).expanduser()) if text.endswith(SUFFIX) else load(text)


def read_own(file: Path) -> Scheme:
    """Return the scheme of a TOML file whose name no other scheme has.

    Raises:
        InputError: the file is missing or wrong, or has the name of another scheme.
    """
    scheme = read(file)
    if scheme.name in names():
        raise InputError(
            f"{shown(file)}: the scheme's name {scheme.name!r} belongs to another scheme; choose another name, or name "
            f"that scheme: {scheme.name}"
        )
    return scheme


def hash_of(text: str) -> FileHash | None:
    """Return the hash of the file of :func:`find`; None for a name.

    Raises:
        InputError: the file can't be read.
    """
    if not text.endswith(SUFFIX):
        return None
    file = Path(text).expanduser()
    data = read_bounded(file, MAX_BYTES, kind="scheme")
    return FileHash(name=file.name, sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))


def table(scheme: Scheme) -> dict[str, Any]:
    """Return the fields of a scheme's TOML file.

    Example:
        >>> from nmebench.geometry.scheme import build
        >>> build(table(find("cofw29")), "table").groups == find("cofw29").groups
        True
    """
    return {
        "name": scheme.name,
        "points": scheme.points,
        "default_normaliser": scheme.default_normaliser,
        "flip": {"pairs": [[i, int(j)] for i, j in enumerate(scheme.flip) if i < j]},
        "groups": {name: {"points": list(members)} for name, members in scheme.groups.items()},
        "normalisers": {
            name: {
                "kind": rule.kind,
                "source": rule.source,
                **({"first": list(rule.first), "second": list(rule.second)} if rule.first else {}),
            }
            for name, rule in scheme.normalisers.items()
        },
    }
