"""The sweep: networks x decoders x test-time options over one dataset, to a run folder."""

from harness.sweep.configuration import ModelRequest, SweepConfiguration
from harness.sweep.execute import execute

__all__ = ["ModelRequest", "SweepConfiguration", "execute"]
