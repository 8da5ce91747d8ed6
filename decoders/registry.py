"""From names to decoders: the built-in ones by table, those of other distributions by entry point."""

from __future__ import annotations

from inspect import getdoc, isabstract, isclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from nmebench.decoders.errors import DecoderError
from nmebench.registry import Registry

if TYPE_CHECKING:
    from nmebench.decoders.interface import Decoder, DecoderInfo

__all__ = ["REGISTRY", "broken", "create", "describe", "from_spec", "names"]

REGISTRY = Registry(
    "decoder",
    {
        "argmax": "nmebench.decoders.argmax:Argmax",
        "quarter-offset": "nmebench.decoders.quarter_offset:QuarterOffset",
        "dark": "nmebench.decoders.dark:Dark",
        "dark-udp": "nmebench.decoders.dark_udp:DarkUdp",
        "udp": "nmebench.decoders.udp:Udp",
        "parabola": "nmebench.decoders.parabola:Parabola",
        "local-soft-argmax": "nmebench.decoders.local_soft_argmax:LocalSoftArgmax",
        "soft-argmax": "nmebench.decoders.soft_argmax:SoftArgmax",
        "barycentre": "nmebench.decoders.barycentre:Barycentre",
        "top-k": "nmebench.decoders.top_k:TopK",
        "megvii": "nmebench.decoders.megvii:Megvii",
        "fan": "nmebench.decoders.fan:Fan",
        "hrnet": "nmebench.decoders.hrnet:Hrnet",
        "heatmap-offset": "nmebench.decoders.heatmap_offset:HeatmapOffset",
        "simcc": "nmebench.decoders.simcc:Simcc",
        "simcc-dark": "nmebench.decoders.simcc_dark:SimccDark",
    },
    group="nmebench.decoders",
    error=DecoderError,
)
"""Built-in decoders, and the entry-point group of third-party ones: ``name = "module:Class"``."""


def names() -> list[str]:
    """Names of all decoders: the built-in ones in the order of the table, then plug-ins by name. Imports nothing."""
    return REGISTRY.names()


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
    from nmebench.decoders.interface import DecoderInfo

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
    for name in REGISTRY.plugins():
        try:
            _load(name)
        except DecoderError as error:
            found[name] = str(error)
    return found


def _load(name: str) -> tuple[type[Decoder], str]:
    """The decoder's class, checked, and its origin."""
    loaded = REGISTRY.load(name)
    if name not in REGISTRY.table:
        _check_plugin(name, loaded.value, f"decoder {name!r} of {loaded.origin}", loaded.target)
    return loaded.value, loaded.origin


def _check_plugin(name: str, found: object, where: str, target: str) -> None:
    """DecoderError unless a plug-in's target is a concrete decoder class that carries its own name."""
    from nmebench.decoders.interface import Decoder

    if not (isclass(found) and issubclass(found, Decoder)):
        raise DecoderError(f"{where}: {target} isn't a subclass of nmebench.decoders.interface.Decoder")
    missing = [field for field in ("name", "source", "bound") if not hasattr(found, field)]
    if missing:
        raise DecoderError(f"{where}: {target} doesn't define {', '.join(missing)}")
    if isabstract(found):
        raise DecoderError(f"{where}: {target} doesn't define {', '.join(sorted(found.__abstractmethods__))}")
    if found.name != name:
        raise DecoderError(f"{where} has the name {found.name!r}; name and entry point must agree")
