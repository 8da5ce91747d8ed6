"""Drawn faces with exactly known landmarks, in WFLW's scheme and layout.

``draw`` and ``SynthFace`` are imported on first use: a split that is in the cache needs no renderer.
"""

from typing import TYPE_CHECKING, Any

from nmebench.synthface.attributes import Attributes, attributes_of
from nmebench.synthface.cache import cached, fault_of
from nmebench.synthface.layout import RENDERER_VERSION, make

if TYPE_CHECKING:
    from nmebench.synthface.face import SynthFace, draw

__all__ = ["RENDERER_VERSION", "Attributes", "SynthFace", "attributes_of", "cached", "draw", "fault_of", "make"]


def __getattr__(name: str) -> Any:
    """Import a name of the renderer when it is first used."""
    if name in ("SynthFace", "draw"):
        from nmebench.synthface import face

        return getattr(face, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
