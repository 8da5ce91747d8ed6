"""The interface of a kind of dataset, and the checks of a spec that the kinds share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from nmebench.datasets.dataset import Dataset
from nmebench.errors import InputError
from nmebench.geometry.scheme import Scheme
from nmebench.printable import shown
from nmebench.suggest import similar_path

__all__ = ["DatasetSource", "Loader", "SchemeLoader", "check_single_format", "existing_path", "required_place"]


class Loader(Protocol):
    """The function of a dataset kind that reads its faces."""

    def __call__(self, place: str | None, *, spec: str, format: str | None, split: str) -> Dataset:  # noqa: A002
        """Load the faces.

        Args:
            place: the part of the spec after the colon; None for a spec without a colon.
            spec: the spec as the user gave it, kept in the result.
            format: an annotation format, or None to detect it.
            split: ``test`` or ``train``.

        Raises:
            InputError: the files are missing or wrong, or this kind has no such format or split.
        """


class SchemeLoader(Protocol):
    """The function of a dataset kind that reads its faces with a landmark scheme that the user names."""

    def __call__(
        self,
        place: str | None,
        *,
        spec: str,
        format: str | None,  # noqa: A002
        split: str,
        scheme: Scheme | None,
    ) -> Dataset:
        """Load the faces; as :class:`Loader`, with ``scheme`` None where the user names none."""


@dataclass(frozen=True)
class DatasetSource:
    """A kind of dataset, as the registry in :mod:`nmebench.datasets` names it."""

    summary: str
    """One line: the form of the spec and the data that it names."""
    load: Loader
    with_scheme: SchemeLoader | None = None
    """Loads faces whose landmark scheme the user names; None for data sets that have one of their own."""


def required_place(place: str | None, spec: str) -> str:
    """Return the part of a spec after the colon.

    Raises:
        InputError: it is missing or empty.

    Example:
        >>> required_place(None, "wflw")
        Traceback (most recent call last):
            ...
        nmebench.errors.InputError: 'wflw' does not say where the files are: write wflw:PATH
    """
    if not place:
        raise InputError(f"{spec!r} does not say where the files are: write {spec.partition(':')[0]}:PATH")
    return place


def existing_path(place: str | None, spec: str) -> Path:
    """Return the path of a spec, with ``~`` expanded.

    Raises:
        InputError: the spec has no path, or nothing exists there.
    """
    path = Path(required_place(place, spec)).expanduser()
    if not path.exists():
        raise InputError(f"{shown(path)} does not exist{shown(similar_path(path))}")
    return path


def check_single_format(name: str, format: str | None, split: str) -> None:  # noqa: A002
    """Check the options of a dataset kind that has one format and a test split only.

    Raises:
        InputError: a format is given, or another split.
    """
    if format is not None or split != "test":
        raise InputError(f"{name} has one format and the split test only: leave out format and split")
