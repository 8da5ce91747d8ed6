"""Times of each stage, beside the limits of the machine and the figures of other toolkits."""

from nmebench.bench.limits import Limits, gflop_per_face, measure_limits
from nmebench.bench.peers import PeerFigure, peer_figures
from nmebench.bench.repeated import repeated
from nmebench.bench.stages import TimedStage, measure_stages

__all__ = [
    "Limits",
    "PeerFigure",
    "TimedStage",
    "gflop_per_face",
    "measure_limits",
    "measure_stages",
    "peer_figures",
    "repeated",
]
