"""The one contract, over every registered decoder and its variants; and the contract itself, over bad decoders."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
import torch

from nmebench import decoders
from nmebench.decoders import contract
from nmebench.decoders.argmax import Argmax
from nmebench.decoders.errors import DecoderError
from nmebench.decoders.interface import Decoder

ROOT = Path(__file__).resolve().parents[2]

VARIANTS = [
    "quarter-offset:rule=mmpose0",
    "quarter-offset:rule=hrnet",
    "dark:path=whole",
    "dark:path=local",
    "dark:kernel=17",
    "dark:sigma=1.5",
    "dark:max_step=0.75",
    "dark-udp:path=whole",
    "parabola:fit=raw",
    "barycentre:form=ldeq",
    "top-k:k=100",
    "heatmap-offset:radius=3.5",
    "simcc:split=1",
]
# The bound that a class states is its default options'.
NOT_THE_DEFAULT = {
    "parabola:fit=raw": ("round-trip", "non-square"),
    "top-k:k=100": ("round-trip", "non-square"),
    "simcc:split=1": ("round-trip", "non-square"),
}


@pytest.mark.parametrize("name", contract.CHECKS)
@pytest.mark.parametrize("spec", [*decoders.names(), *VARIANTS])
def test_decoder_holds_to_the_contract(spec: str, name: str) -> None:
    if name in NOT_THE_DEFAULT.get(spec, ()):
        pytest.skip("the stated bound is for the default options")
    decoder = made(spec)
    if name in decoder.exempt:
        pytest.skip(f"exempt: {decoder.exempt[name]}")
    try:
        contract.CHECKS[name](decoder)
    except contract.CheckSkipped as reason:
        pytest.skip(str(reason))


@cache
def made(spec: str) -> Decoder:
    return decoders.from_spec(spec)


def test_run_gives_one_result_a_check() -> None:
    results = contract.run_checks("fan")
    outcomes = {result.check: result.outcome for result in results}
    assert list(outcomes) == list(contract.CHECKS)
    assert outcomes["flip"] == "exempt"
    assert outcomes["round-trip"] == "passed"
    assert "failed" not in outcomes.values()
    assert next(result.detail for result in results if result.check == "round-trip").endswith("(bound 1.07)")


def test_exempt_checks_would_really_fail() -> None:
    """An exemption that isn't needed any more is to be taken back."""
    exempt = [(name, check) for name in decoders.names() for check in decoders.create(name).exempt]
    assert exempt
    for name, check in exempt:
        with pytest.raises(contract.ContractError):
            contract.CHECKS[check](decoders.create(name))


class Mutates(Argmax):
    """Sorts the caller's memory."""

    def refine(self, maps, maxima):
        maps.view(maps.shape[0], -1)[:, 0] = 0
        return maxima.xy


class Silent(Argmax):
    """Passes a NaN on."""

    def decode(self, outputs):
        found = super().decode(outputs)
        found.landmarks[outputs["heatmaps"].isnan().any(dim=-1).any(dim=-1)] = torch.nan
        return found


class Swapped(Argmax):
    """Takes x for y."""

    def refine(self, maps, maxima):
        return maxima.xy.flip(-1)


class Neighbourly(Argmax):
    """Mixes the faces of a batch."""

    def refine(self, maps, maxima):
        return maxima.xy + maxima.xy.mean(dim=0) * 1e-3


class Precise(Argmax):
    """States a bound that it doesn't keep."""

    bound = 0.1


class Miscounts(Argmax):
    """Counts nothing."""

    def locate(self, maps, counts: Counter[str]):
        xy, score = super().locate(maps, counts)
        return torch.where(score[:, None] > 0, xy, -1.0), score.clamp_min(1e-3)


@pytest.mark.parametrize(
    ("bad", "failing"),
    [
        pytest.param(Mutates, "not-mutated", id="mutates"),
        pytest.param(Silent, "not-finite", id="silent-nan"),
        pytest.param(Swapped, "round-trip", id="x-for-y"),
        pytest.param(Swapped, "flip", id="x-for-y-flip"),
        pytest.param(Swapped, "translation", id="x-for-y-translation"),
        pytest.param(Neighbourly, "batch", id="mixes-faces"),
        pytest.param(Precise, "round-trip", id="overstates"),
        pytest.param(Miscounts, "empty", id="miscounts"),
    ],
)
def test_contract_catches(bad, failing) -> None:
    with pytest.raises(contract.ContractError):
        contract.CHECKS[failing](bad())


def test_run_reports_a_crash_as_a_failure(monkeypatch) -> None:
    def crash(self, maps, maxima):
        raise RuntimeError("no such thing\nsecond line")

    monkeypatch.setattr(Argmax, "refine", crash)
    results = {result.check: result for result in contract.run_checks("argmax")}
    assert results["round-trip"].outcome == "failed"
    assert results["round-trip"].detail == "RuntimeError: no such thing"


def test_unknown_check_names_the_nearest() -> None:
    with pytest.raises(DecoderError, match="did you mean 'round-trip'"):
        contract.run_check("argmax", "roundtrip")


def test_pytest_plugin_runs_the_contract_in_three_lines(tmp_path) -> None:
    (tmp_path / "test_mine.py").write_text(
        "import pytest\n"
        '@pytest.mark.decoder_contract("fan", "dark:kernel=17")\n'
        "def test_contract(decoder_check):\n"
        "    decoder_check()\n"
    )
    plugin = ["-p", "no:nmebench_contract", "-p", "nmebench.decoders.pytest_plugin", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", "-q", "-rs", "--strict-markers", *plugin, "--rootdir", str(tmp_path)]
    done = subprocess.run([*command, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    number = 2 * len(contract.CHECKS)
    skipped = 1 if torch.cuda.is_available() else 3
    assert f"{number - skipped} passed, {skipped} skipped" in done.stdout
    assert "exempt: the half pixel is added on both sides of a mirror" in done.stdout


def test_pytest_plugin_and_package_import_no_torch() -> None:
    code = "import sys, decoders, decoders.pytest_plugin; decoders.names(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60, check=False).returncode == 0
