"""Memory does not grow with the faces."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nmebench import datasets
from nmebench.bench import repeated

pytestmark = pytest.mark.slow

_RUN = """
import resource, sys
from pathlib import Path
from nmebench.sweep import execute
from nmebench.sweep.configuration import validate
data, card, out = sys.argv[1:]
execute(validate({"data": data, "models": [card], "decoders": ["all"], "engine": "torch"}, where="a test"), Path(out))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def _peak(data: str, card: Path, out: Path) -> int:
    """Largest resident set of a sweep in a process of its own, KiB."""
    command = [sys.executable, "-c", _RUN, data, str(card), str(out)]
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )
    return int(done.stdout.split()[-1])


def test_ten_times_the_faces_take_at_most_a_tenth_more(few_faces: Path, small_card: Path, tmp_path: Path) -> None:
    source = datasets.load(f"wflw:{few_faces}")
    peaks = {
        faces: _peak(repeated(source, faces, tmp_path / f"{faces}"), small_card, tmp_path / f"run-{faces}")
        for faces in (250, 2500)
    }
    assert peaks[2500] <= 1.1 * peaks[250], peaks
