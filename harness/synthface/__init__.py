"""Drawn faces with exactly known landmarks, in WFLW's scheme and layout."""

from harness.synthface.attributes import Attributes, attributes_of
from harness.synthface.face import SynthFace, draw

__all__ = ["Attributes", "SynthFace", "attributes_of", "draw"]
