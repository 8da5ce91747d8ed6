"""Drawn faces with exactly known landmarks, in WFLW's scheme and layout."""

from harness.synthface.attributes import Attributes, attributes_of
from harness.synthface.cache import cached, fault_of
from harness.synthface.face import SynthFace, draw
from harness.synthface.layout import RENDERER_VERSION, make

__all__ = ["RENDERER_VERSION", "Attributes", "SynthFace", "attributes_of", "cached", "draw", "fault_of", "make"]
