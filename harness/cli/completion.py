"""The values that the shell completes: names from the registries, which are read while completing only.

``nmebench --install-completion`` writes the shell's script, which calls the program with :data:`VARIABLE` set. Options
and commands come from the app itself; :data:`VALUES` adds the values of options and arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from nmebench.cli.option_help import ENGINE

__all__ = ["FREE_TEXT", "VALUES", "VARIABLE", "add_values", "values_of"]

VARIABLE: Final = "_NMEBENCH_COMPLETE"
"""The environment variable that the shell's script sets."""


@dataclass(frozen=True)
class _Item:
    """A word, in the form of click's ``CompletionItem``."""

    value: str
    help: str | None = None
    type: str = "plain"


def _decoders() -> Iterable[str]:
    from nmebench.decoders import registry

    return [*registry.names(), "all"]


def _models() -> Iterable[str]:
    from nmebench import models
    from nmebench.models import card

    return [*card.shipped(), *models.names()]


def _cards() -> Iterable[str]:
    from nmebench.models import card

    return card.shipped()


def _networks() -> Iterable[str]:
    from nmebench import models

    return models.names()


def _datasets() -> Iterable[str]:
    from nmebench import datasets

    return [name if name == "synthface" else f"{name}:" for name in datasets.names()]


def _published() -> Iterable[str]:
    from nmebench import published

    return sorted({row.dataset for row in published.load()})


def _boxes() -> Iterable[str]:
    from nmebench import boxes

    return boxes.names()


def _schemes() -> Iterable[str]:
    from nmebench.geometry import scheme

    return scheme.names()


def _normalisers() -> Iterable[str]:
    from nmebench.geometry import scheme

    return sorted({name for one in scheme.names() for name in scheme.load(one).normalisers})


def _engines() -> Iterable[str]:
    return ENGINE.replace(" or ", ", ").split(", ")  # the registry of engines would load torch


def _flips() -> Iterable[str]:
    from nmebench.protocol import FLIPS

    return FLIPS


def _formats() -> Iterable[str]:
    from nmebench.datasets.face_file_formats import FACE_FILES
    from nmebench.datasets.formats import COFW_MAT, FORMATS

    return [*FORMATS, COFW_MAT, *FACE_FILES]


def _recipes() -> Iterable[str]:
    folder = Path(__file__).parents[1] / "training" / "recipes"  # the package itself would load torch
    return sorted(file.stem for file in folder.glob("*.toml"))


def _downloads() -> Iterable[str]:
    from nmebench.fetch.sources import load_sources

    sources = load_sources()
    return sorted({*sources, *sources.groups})


def _contracts() -> Iterable[str]:
    return ["decoder", "dataset", "box", "scheme", *_decoders()]


def _words(*words: str) -> Callable[[], Iterable[str]]:
    return lambda: words


VALUES: Final[Mapping[str, Callable[[], Iterable[str]]]] = MappingProxyType(
    {
        "decoder": _decoders,
        "model": _models,
        "like": _models,
        "bench network": _networks,
        "bench model": _networks,
        "card": _cards,
        "data": _datasets,
        "box": _boxes,
        "scheme": _schemes,
        "normaliser": _normalisers,
        "engine": _engines,
        "test_time": _flips,
        "data_format": _formats,
        "split": _words("test", "train"),
        "device": _words("cpu", "cuda"),
        "run workers": _words("gpu"),
        "recipe": _recipes,
        "flip": _flips,
        "what": _contracts,
        "form": _words("md", "latex", "csv"),
        "layout": _words("subsets", "decoders"),
        "intervals": _words("none", "first", "all"),
        "column": _words("network", "decoder", "flip", "box"),
        "metric": _words("nme", "fr10"),
        "dataset": _published,
        "kind": _words("authors", "third party", "aggregator"),
        "data make name": _words("synthface"),
        "data fetch name": _downloads,
        "data add name": _downloads,
    }
)
"""The values by the name of a parameter, or by a command and the name of its parameter."""

FREE_TEXT: Final = frozenset(
    {
        "name", "weights", "runs", "margin", "limit", "section", "cell", "subset", "method", "published", "commit",
        "machine", "link", "commit_url", "input_size", "shard", "scheduler",
    }
)  # fmt: skip
"""Parameters whose values only the user knows."""


def values_of(command: str, parameter: str) -> Callable[[], Iterable[str]] | None:
    """Return the function that lists the values of a parameter; None for paths, numbers and free text.

    Args:
        command: the words of the command, such as ``data make``.
        parameter: the name of its parameter in Python.

    Example:
        >>> list(values_of("data make", "split")())
        ['test', 'train']
    """
    return VALUES.get(f"{command} {parameter}", VALUES.get(parameter))


def add_values(command: Any, words: tuple[str, ...] = ()) -> None:
    """Let the parameters of a click command, and of the commands below it, complete their values."""
    for name, inner in getattr(command, "commands", {}).items():
        add_values(inner, (*words, name))
    for parameter in command.params:
        found = values_of(" ".join(words), parameter.name)
        if found is not None and not getattr(parameter, "is_flag", False):
            parameter.shell_complete = _completer(found)


def _completer(values: Callable[[], Iterable[str]]) -> Callable[[Any, str], list[_Item]]:
    return lambda _context, incomplete: [_Item(value) for value in values() if value.startswith(incomplete)]
