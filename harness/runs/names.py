"""Checks the names that become fields of csv files."""

from __future__ import annotations

from nmebench.errors import InputError
from nmebench.printable import FORMULA

__all__ = ["check_name"]


def check_name(name: str, what: str) -> None:
    """Refuse a name that a spreadsheet would run as a formula, because names become fields of csv files.

    Args:
        name: the name of a model or subset.
        what: the name's description for the message.

    Raises:
        InputError: the name is empty or begins with ``=``, ``+``, ``-``, ``@``, a tab or a carriage return.

    Example:
        >>> check_name("=net", "--name")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
            ...
        nmebench.errors.InputError: --name '=net': begins with '=', which spreadsheets run as a formula; ...
    """
    if not name:
        raise InputError(f"{what} is empty; give a name")
    if name.startswith(FORMULA):
        raise InputError(
            f"{what} {name!r}: begins with {name[0]!r}, which spreadsheets run as a formula; begin it with a letter or "
            "a digit"
        )
