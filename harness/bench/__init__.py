"""Where the time goes: our stages, the machine's limits and the peers' figures side by side."""

from nmebench.bench.limits import Limits, gflop_a_face, measure_limits
from nmebench.bench.peers import PeerFigure, peer_figures
from nmebench.bench.repeated import repeated
from nmebench.bench.stages import TimedStage, measure_stages

__all__ = [
    "Limits",
    "PeerFigure",
    "TimedStage",
    "gflop_a_face",
    "measure_limits",
    "measure_stages",
    "peer_figures",
    "repeated",
]
