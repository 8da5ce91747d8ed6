"""Where the time goes: our stages, the machine's limits and the peers' figures side by side."""

from harness.bench.limits import Limits, gflop_a_face, measure_limits
from harness.bench.peers import PeerFigure, peer_figures
from harness.bench.repeated import repeated
from harness.bench.stages import Stage, measure_stages

__all__ = [
    "Limits",
    "PeerFigure",
    "Stage",
    "gflop_a_face",
    "measure_limits",
    "measure_stages",
    "peer_figures",
    "repeated",
]
