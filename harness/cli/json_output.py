"""Prints results as JSON for other programs."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer

__all__ = ["SCHEMA_VERSION", "Json", "document", "key", "print_json"]

SCHEMA_VERSION: Final = 1
"""Version of the documents that :func:`document` makes; it grows when a key is removed or changes its meaning."""

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON instead of text.")]
"""The option ``--json`` of every command."""


def document(kind: str, **fields: Any) -> dict[str, Any]:
    """Return the document of a command: ``schema_version``, ``kind`` and the fields, in this order.

    Args:
        kind: the command, or what it prints, without the program's name.
        fields: the content.

    Example:
        >>> document("list engines", engines=[])
        {'schema_version': 1, 'kind': 'nmebench list engines', 'engines': []}
    """
    return {"schema_version": SCHEMA_VERSION, "kind": f"nmebench {kind}", **fields}


def key(title: str) -> str:
    """Return the key of a table or column: its title in lower case with underscores.

    Example:
        >>> key("on this machine")
        'on_this_machine'
    """
    return title.lower().replace(" ", "_").replace("-", "_")


def print_json(value: Any) -> None:
    """Print a value as JSON on standard output: keys in the given order.

    A number that isn't finite is null, because JSON has no such numbers; a path is a text.
    """
    typer.echo(json.dumps(_plain(value), indent=1, ensure_ascii=True, allow_nan=False))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value
