"""The registry of decoders: a table of built-in names, and entry points of other distributions."""

from __future__ import annotations

import re
from inspect import getdoc, isabstract, isclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from nmebench.decoders.errors import DecoderError
from nmebench.own_code import plugin_errors
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
        "parabola": "nmebench.decoders.parabola:Parabola",
        "local-soft-argmax": "nmebench.decoders.local_soft_argmax:LocalSoftArgmax",
        "soft-argmax": "nmebench.decoders.soft_argmax:SoftArgmax",
        "barycentre": "nmebench.decoders.barycentre:Barycentre",
        "top-k": "nmebench.decoders.top_k:TopK",
        "top-k-logits": "nmebench.decoders.top_k_logits:TopKLogits",
        "heatmap-offset": "nmebench.decoders.heatmap_offset:HeatmapOffset",
        "simcc": "nmebench.decoders.simcc:Simcc",
        "simcc-dark": "nmebench.decoders.simcc_dark:SimccDark",
        "mmpose-udp": "nmebench.decoders.mmpose_udp:MmposeUdp",
        "mmpose-megvii": "nmebench.decoders.mmpose_megvii:MmposeMegvii",
        "face-alignment": "nmebench.decoders.face_alignment:FaceAlignment",
        "official-hrnet": "nmebench.decoders.official_hrnet:OfficialHrnet",
    },
    group="nmebench.decoders",
    error=DecoderError,
)
"""Built-in decoders, and the entry-point group of third-party ones: ``name = "module:Class"``."""

REPLACED = {
    "udp": "argmax, which uses the grid of the network's card ([output] grid), or mmpose-udp for mmpose's UDP codec",
    "megvii": "mmpose-megvii",
    "fan": "face-alignment",
    "hrnet": "official-hrnet",
}
"""Former names of decoders, with the names to use instead."""


def names() -> list[str]:
    """Return the names of all decoders: built-in ones in the table's order, then plug-ins by name. Imports no decoder.

    Example:
        >>> names()[:3]
        ['argmax', 'quarter-offset', 'dark']
    """
    return REGISTRY.names()


def create(name: str, **options: object) -> Decoder:
    """Create a decoder.

    Args:
        name: one of :func:`names`.
        options: its keyword options; see ``describe(name).options``.

    Returns:
        a callable from heatmaps ``[N, K, H, W]``, or named outputs, to ``Decoded``.

    Raises:
        DecoderError: an unknown name or option, a value that isn't allowed, or a plug-in that can't be loaded.

    Example:
        >>> create("dark", kernel=17)
        <decoder dark:kernel=17>
    """
    kind = _load(name)[0]
    with plugin_errors(f"decoder {name!r}", f"{kind.__name__}(...)", kind, DecoderError):
        decoder = kind(**options)
    if not hasattr(decoder, "options"):
        raise DecoderError(
            f"decoder {name!r}: {kind.__name__}.__init__ doesn't call super().__init__(**options); declare the options "
            "in `schema` and read them from self.options"
        )
    return decoder


def from_spec(spec: str) -> Decoder:
    """Create a decoder from the text ``name`` or ``name:key=value,key=value``.

    Raises:
        DecoderError: as :func:`create`, or text of another form.

    Example:
        >>> from_spec("dark:path=whole,kernel=17").spec
        'dark:kernel=17,path=whole'
    """
    name, colon, rest = spec.strip().partition(":")
    word = re.match(r"[\w-]*", name)[0]  # type: ignore[index]
    if name not in REGISTRY and word in REGISTRY:
        way = "give each decoder on its own" if name[len(word)] == "," else f"write {word} or {word}:key=value"
        raise DecoderError(f"decoder {spec!r}: {name!r} is no name; {way}")
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
    """Return the summary, source, options and chain of a decoder.

    Raises:
        DecoderError: an unknown name, or a plug-in that can't be loaded.

    Example:
        >>> describe("top-k").summary
        'Mean position of the k largest pixels of the complete map, weighted by softmax of their values.'
        >>> describe("top-k").options["k"].default
        9
    """
    from nmebench.decoders.interface import DecoderInfo

    decoder, origin = _load(name)
    return DecoderInfo(
        name=name,
        summary=(getdoc(decoder) or "").partition("\n")[0],
        source=decoder.source,
        options=MappingProxyType(dict(decoder.schema)),
        needs=decoder.needs,
        chain=decoder.chain,
        bound=decoder.bound,
        origin=origin,
    )


def broken() -> dict[str, str]:
    """Return the plug-ins that can't be used, by name, each with a one-line reason. Imports every plug-in."""
    found = {}
    for name in REGISTRY.plugins():
        try:
            _load(name)
        except DecoderError as error:
            found[name] = str(error)
    return found


def _load(name: str) -> tuple[type[Decoder], str]:
    """Return the decoder's class, after checking it if it is a plug-in, and its origin."""
    if name in REPLACED and name not in REGISTRY:
        raise DecoderError(f"decoder {name!r} no longer exists; use {REPLACED[name]}")
    loaded = REGISTRY.load(name)
    if name not in REGISTRY.table:
        _check_plugin(name, loaded.value, f"decoder {name!r} of {loaded.origin}", loaded.target)
    return loaded.value, loaded.origin


def _check_plugin(name: str, found: object, where: str, target: str) -> None:
    """Raise DecoderError unless a plug-in's target is a concrete decoder class with the name of its entry point."""
    from nmebench.decoders.interface import Decoder

    if not (isclass(found) and issubclass(found, Decoder)):
        raise DecoderError(f"{where}: {target} isn't a subclass of nmebench.decoders.interface.Decoder")
    missing = [field for field in ("name", "source", "bound") if not hasattr(found, field)]
    if missing:
        raise DecoderError(f"{where}: {target} doesn't define {', '.join(missing)}")
    if hasattr(found, "convention"):
        raise DecoderError(
            f"{where}: {target} defines `convention`, which is no longer read; the grid belongs to the network's card, "
            "so remove it, or define `chain` for the complete map of another code base"
        )
    if isabstract(found):
        raise DecoderError(f"{where}: {target} doesn't define {', '.join(sorted(found.__abstractmethods__))}")
    if found.name != name:
        raise DecoderError(f"{where} has the name {found.name!r}; name and entry point must agree")
