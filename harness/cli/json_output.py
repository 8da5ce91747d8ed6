"""Prints results as JSON for other programs."""

from __future__ import annotations

import json
from typing import Any

import typer

__all__ = ["print_json"]


def print_json(value: Any) -> None:
    """Print a value as JSON on standard output: keys in the given order, and never NaN or infinity.

    Raises:
        ValueError: a number is not finite; JSON has no such numbers, so the caller replaces them by None.
    """
    typer.echo(json.dumps(value, indent=1, ensure_ascii=True, allow_nan=False))
