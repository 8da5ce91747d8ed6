"""A run killed with SIGKILL at random moments resumes with the same bytes and repeats no finished batch."""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

MOMENTS = 20


def _command(few_faces: Path, small_card: Path, engine: str, out: Path) -> list[str]:
    return [
        sys.executable, "-m", "nmebench", "run", "--data", f"wflw:{few_faces}", "--model", str(small_card),
        "--decoder", "argmax", "--decoder", "dark", "--test-time", "none", "--test-time", "flip+shift",
        "--engine", engine, "--threads", "1", "--batch-size", "1", "-o", str(out),
    ]  # fmt: skip


def _bytes(run: Path) -> dict[str, str]:
    hashes = {}
    for path in sorted(run.rglob("*")):
        if path.is_file() and path.name != "timings.json":
            data = path.read_bytes()
            if path.name == "run.json":  # the command names the folder, which differs
                record = json.loads(data)
                record["provenance"]["command"] = []
                data = json.dumps(record).encode()
            hashes[str(path.relative_to(run))] = hashlib.sha256(data).hexdigest()
    return hashes


def _finished(out: Path) -> int:
    """Batches whose results are stored; temporary files have other names."""
    return len(list((out / ".work").glob("results/*/*.batch")))


@pytest.mark.parametrize("engine", ["torch", "openvino"])
def test_run_killed_at_random_moments_ends_with_the_same_bytes(
    few_faces: Path, small_card: Path, tmp_path: Path, engine: str
) -> None:
    """``openvino`` computes the next batch while one is decoded."""
    if engine != "torch":
        pytest.importorskip(engine)
    started = time.monotonic()
    subprocess.run(_command(few_faces, small_card, engine, tmp_path / "uninterrupted"), check=True, capture_output=True)
    uninterrupted = time.monotonic() - started
    expected = _bytes(tmp_path / "uninterrupted")
    generator = random.Random(7)
    killed = 0
    for moment in range(MOMENTS):
        out = tmp_path / f"killed-{moment}"
        process = subprocess.Popen(
            _command(few_faces, small_card, engine, out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            process.wait(timeout=uninterrupted * generator.uniform(0.3, 1.0))
        except subprocess.TimeoutExpired:
            process.kill()
            killed += 1
        process.wait()
        before = _finished(out)
        if (out / "run.json").exists():
            assert _bytes(out) == expected
            continue
        done = subprocess.run(_command(few_faces, small_card, engine, out), check=True, capture_output=True, text=True)
        first = next(line for line in done.stderr.splitlines() if line.startswith("small"))
        assert int(first.split(": ")[1].split(" of ")[0]) >= before  # finished batches are not computed again
        assert _bytes(out) == expected
    assert killed >= MOMENTS // 2
