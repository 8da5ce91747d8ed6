"""Sweeps: networks x decoders x flip tests x boxes, written to a run folder per data set."""

from nmebench.sweep.configuration import ModelRequest, SweepConfiguration
from nmebench.sweep.execute import execute
from nmebench.sweep.several import execute_several

__all__ = ["ModelRequest", "SweepConfiguration", "execute", "execute_several"]
