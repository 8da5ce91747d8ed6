"""Geometry of faces: landmark schemes, photographs, crops and the maps between coordinate systems."""

from nmebench.geometry.geometry import Geometry, mirror

__all__ = ["Geometry", "mirror"]
