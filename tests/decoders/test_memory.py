"""No decoder allocates more than twice the memory of the heatmaps, for 64 faces of 98 maps of 64 x 64."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nmebench import decoders

HERE = Path(__file__).resolve()
ROOT = HERE.parents[2]
VARIANTS = ["dark:path=whole", "dark-udp:path=whole", "dark:kernel=17", "barycentre:form=ldeq", "top-k:k=100"]
# Other types and layouts are converted a chunk at a time; the multiple is of the half-precision bytes.
LAYOUTS = ["dark@channels_last", "dark@half", "soft-argmax@half"]


@pytest.fixture(scope="module")
def measured() -> dict[str, float]:
    if not os.access("/proc/self/clear_refs", os.W_OK):
        pytest.skip("peak memory is read from /proc, and /proc/self/clear_refs is not writable here")
    command = [sys.executable, str(HERE.with_name("memory.py")), *decoders.names(), *VARIANTS, *LAYOUTS]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=280, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("spec", [*decoders.names(), *VARIANTS, *LAYOUTS])
def test_peak_memory_is_at_most_twice_the_heatmaps(measured, spec) -> None:
    assert -0.05 < measured[spec] <= 2.0


def test_measurement_includes_allocations(measured) -> None:
    """The float32 copies of half-precision maps must be visible."""
    assert measured["dark@half"] > measured["argmax"] + 0.3
