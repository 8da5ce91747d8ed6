"""Geometry of faces: landmark schemes, photographs, crops and the maps between coordinate systems."""
