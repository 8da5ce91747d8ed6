"""The sweep: networks x decoders x test-time options over one dataset, to a run folder."""

from nmebench.sweep.configuration import ModelRequest, SweepConfiguration
from nmebench.sweep.execute import execute

__all__ = ["ModelRequest", "SweepConfiguration", "execute"]
