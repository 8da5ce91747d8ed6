"""From names to decoders: a read-only table of the built-in ones, and entry points for everybody else's."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from inspect import getdoc, isabstract, isclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from decoders.errors import DecoderError
from decoders.options import nearest

if TYPE_CHECKING:
    from decoders.interface import Decoder, DecoderInfo

__all__ = ["BUILT_IN", "GROUP", "broken", "create", "describe", "from_spec", "names"]

GROUP = "nmebench.decoders"
"""The entry-point group of third-party decoders: ``name = "module:Class"``."""

BUILT_IN: Mapping[str, str] = MappingProxyType(
    {
        "argmax": "decoders.argmax:Argmax",
        "quarter-offset": "decoders.quarter_offset:QuarterOffset",
        "dark": "decoders.dark:Dark",
        "dark-udp": "decoders.dark_udp:DarkUdp",
        "udp": "decoders.udp:Udp",
        "parabola": "decoders.parabola:Parabola",
        "local-soft-argmax": "decoders.local_soft_argmax:LocalSoftArgmax",
        "soft-argmax": "decoders.soft_argmax:SoftArgmax",
        "barycentre": "decoders.barycentre:Barycentre",
        "top-k": "decoders.top_k:TopK",
        "megvii": "decoders.megvii:Megvii",
        "fan": "decoders.fan:Fan",
        "hrnet": "decoders.hrnet:Hrnet",
        "heatmap-offset": "decoders.heatmap_offset:HeatmapOffset",
        "simcc": "decoders.simcc:Simcc",
        "simcc-dark": "decoders.simcc_dark:SimccDark",
    }
)


def names() -> list[str]:
    """Names of all decoders: the built-in ones in the order of the table, then plug-ins by name. Imports nothing."""
    return [*BUILT_IN, *sorted(set(_plugins()) - set(BUILT_IN))]


def create(name: str, **options: object) -> Decoder:
    """Make a decoder.

    Args:
        name: one of :func:`names`.
        options: its keyword options; see ``describe(name).options``.

    Raises:
        DecoderError: unknown name, unknown option, a value that isn't allowed, or a plug-in that can't be loaded.
    """
    return _load(name)[0](**options)


def from_spec(spec: str) -> Decoder:
    """Make a decoder from ``name`` or ``name:key=value,key=value``.

    Raises:
        DecoderError: as :func:`create`, or text that isn't of that form.
    """
    name, colon, rest = spec.strip().partition(":")
    options: dict[str, object] = {}
    for part in rest.split(",") if colon else ():
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not (key and equals and value):
            raise DecoderError(f"decoder {spec!r}: {part!r} isn't key=value; write name:key=value,key=value")
        if key in options:
            raise DecoderError(f"decoder {spec!r} gives {key!r} twice")
        options[key] = value
    return create(name, **options)


def describe(name: str) -> DecoderInfo:
    """What there is to know about a decoder.

    Raises:
        DecoderError: unknown name, or a plug-in that can't be loaded.
    """
    from decoders.interface import DecoderInfo

    decoder, origin = _load(name)
    return DecoderInfo(
        name=name,
        summary=(getdoc(decoder) or "").partition("\n")[0],
        source=decoder.source,
        options=MappingProxyType(dict(decoder.schema)),
        needs=decoder.needs,
        convention=decoder.convention,
        bound=decoder.bound,
        origin=origin,
    )


def broken() -> dict[str, str]:
    """Plug-ins that can't be used, by name, with the one-line reason."""
    found = {}
    for name in _plugins():
        try:
            _load(name)
        except DecoderError as error:
            found[name] = str(error)
    return found


def _plugins() -> Mapping[str, list[EntryPoint]]:
    return _plugins_on(tuple(sys.path))


@cache
def _plugins_on(path: tuple[str, ...]) -> Mapping[str, list[EntryPoint]]:  # noqa: ARG001 - entry_points reads sys.path
    """Plug-ins of the distributions on ``path``: looking through all of them takes a hundredth of a second."""
    found: dict[str, list[EntryPoint]] = {}
    for entry in entry_points(group=GROUP):
        same = found.setdefault(entry.name, [])
        if all(_origin(entry) != _origin(other) or entry.value != other.value for other in same):
            same.append(entry)
    return found


def _origin(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "an unknown distribution"


def _load(name: str) -> tuple[type[Decoder], str]:
    plugins = _plugins().get(name, [])
    origins = " and ".join(_origin(entry) for entry in plugins)
    if name in BUILT_IN:
        if plugins:
            raise DecoderError(
                f"decoder {name!r} is built in, and {origins} registers the same name; rename that entry point or "
                "uninstall it"
            )
        module, _, attribute = BUILT_IN[name].partition(":")
        found: type[Decoder] = getattr(import_module(module), attribute)
        return found, "built-in"
    if not plugins:
        known = names()
        raise DecoderError(f"unknown decoder {name!r}{nearest(name, known)} (decoders: {', '.join(known)})")
    if len(plugins) > 1:
        raise DecoderError(f"decoder {name!r} is registered by {origins}; uninstall all but one")
    return _loaded(name, plugins[0]), origins


def _loaded(name: str, entry: EntryPoint) -> type[Decoder]:
    from decoders.interface import Decoder

    where = f"decoder {name!r} of {_origin(entry)}"
    try:
        found = entry.load()
    except Exception as error:  # whatever a stranger's module raises on import
        first = str(error).partition("\n")[0]
        raise DecoderError(f"{where} can't be loaded from {entry.value}: {type(error).__name__}: {first}") from error
    if not (isclass(found) and issubclass(found, Decoder)):
        raise DecoderError(f"{where}: {entry.value} isn't a subclass of decoders.interface.Decoder")
    missing = [field for field in ("name", "source", "bound") if not hasattr(found, field)]
    if missing:
        raise DecoderError(f"{where}: {entry.value} doesn't say its {', '.join(missing)}")
    if isabstract(found):
        raise DecoderError(f"{where}: {entry.value} doesn't define {', '.join(sorted(found.__abstractmethods__))}")
    if found.name != name:
        raise DecoderError(f"{where} calls itself {found.name!r}; name and entry point must agree")
    return found
