"""Drawn faces with exactly known landmarks, in WFLW's scheme and layout."""

from nmebench.synthface.attributes import Attributes, attributes_of
from nmebench.synthface.cache import cached, fault_of
from nmebench.synthface.face import SynthFace, draw
from nmebench.synthface.layout import RENDERER_VERSION, make

__all__ = ["RENDERER_VERSION", "Attributes", "SynthFace", "attributes_of", "cached", "draw", "fault_of", "make"]
