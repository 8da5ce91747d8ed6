"""Sweeps: networks x decoders x flip tests x boxes over one dataset, written to a run folder."""

from nmebench.sweep.configuration import ModelRequest, SweepConfiguration
from nmebench.sweep.execute import execute

__all__ = ["ModelRequest", "SweepConfiguration", "execute"]
