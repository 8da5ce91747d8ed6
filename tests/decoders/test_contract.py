"""The contract, run on every registered decoder and on variants, and checks that the contract catches bad decoders."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from nmebench import decoders
from nmebench.decoders import contract
from nmebench.decoders.argmax import Argmax
from nmebench.decoders.errors import DecoderError

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
# The bound of a class is that of its default options.
BOUND_IS_FOR_DEFAULTS = {
    "parabola:fit=raw": ("round-trip", "non-square"),
    "top-k:k=100": ("round-trip", "non-square"),
    "simcc:split=1": ("round-trip", "non-square"),
}


@pytest.mark.decoder_contract
def test_every_decoder_passes_the_contract(decoder_check: Callable[[], str]) -> None:
    decoder_check()


@pytest.mark.decoder_contract(*VARIANTS)
def test_every_variant_passes_the_contract(decoder_check: Callable[[], str], request: pytest.FixtureRequest) -> None:
    spec, check = request.node.callspec.params["decoder_check"]
    if check in BOUND_IS_FOR_DEFAULTS.get(spec, ()):
        pytest.skip("the stated bound is for the default options")
    decoder_check()


def test_run_checks_returns_one_result_per_check() -> None:
    results = contract.run_checks("face-alignment")
    outcomes = {result.check: result.outcome for result in results}
    assert list(outcomes) == list(contract.CHECKS)
    assert outcomes["flip"] == "exempt"
    assert outcomes["round-trip"] == "passed"
    assert "failed" not in outcomes.values()
    assert next(result.detail for result in results if result.check == "round-trip").endswith("(bound 1.07)")


def test_exempt_checks_fail_when_run() -> None:
    """An exemption that is no longer needed must be removed."""
    exempt = [(name, check) for name in decoders.names() for check in decoders.create(name).exempt]
    assert exempt
    for name, check in exempt:
        with pytest.raises(contract.ContractError):
            contract.CHECKS[check](decoders.create(name))


class ChangesInput(Argmax):
    """Changes the caller's heatmaps."""

    def refine(self, maps, maxima):
        maps.view(maps.shape[0], -1)[:, 0] = 0
        return maxima.xy


class ReturnsNan(Argmax):
    """Returns NaN for a map with NaN."""

    def decode(self, outputs):
        found = super().decode(outputs)
        found.landmarks[outputs["heatmaps"].isnan().any(dim=-1).any(dim=-1)] = torch.nan
        return found


class SwapsAxes(Argmax):
    """Swaps x and y."""

    def refine(self, maps, maxima):
        return maxima.xy.flip(-1)


class AddsHalfAtOddColumns(Argmax):
    """Moves landmarks in odd columns by half a pixel."""

    def refine(self, maps, maxima):
        return maxima.xy + (maxima.x % 2 == 1)[:, None] * torch.tensor([0.5, 0.0])


class MixesFaces(Argmax):
    """Mixes the faces of a batch."""

    def refine(self, maps, maxima):
        return maxima.xy + maxima.xy.mean(dim=0) * 1e-3


class OverstatesBound(Argmax):
    """States a bound that it exceeds."""

    bound = 0.1


class Miscounts(Argmax):
    """Does not count empty maps."""

    def locate(self, maps, counts: Counter[str]):
        xy, score = super().locate(maps, counts)
        return torch.where(score[:, None] > 0, xy, -1.0), score.clamp_min(1e-3)


@pytest.mark.parametrize(
    ("bad", "failing"),
    [
        pytest.param(ChangesInput, "not-mutated", id="changes-input"),
        pytest.param(ReturnsNan, "not-finite", id="returns-nan"),
        pytest.param(SwapsAxes, "round-trip", id="swaps-axes"),
        pytest.param(SwapsAxes, "flip", id="swaps-axes-flip"),
        pytest.param(SwapsAxes, "translation", id="swaps-axes-translation"),
        pytest.param(AddsHalfAtOddColumns, "translation", id="adds-half-at-odd-columns"),
        pytest.param(MixesFaces, "batch", id="mixes-faces"),
        pytest.param(OverstatesBound, "round-trip", id="overstates-bound"),
        pytest.param(Miscounts, "empty", id="miscounts"),
    ],
)
def test_contract_catches_a_bad_decoder(bad, failing) -> None:
    with pytest.raises(contract.ContractError):
        contract.CHECKS[failing](bad())


def test_run_checks_reports_an_exception_as_a_failure(monkeypatch) -> None:
    def crash(self, maps, maxima):
        raise RuntimeError("no such thing\nsecond line")

    monkeypatch.setattr(Argmax, "refine", crash)
    results = {result.check: result for result in contract.run_checks("argmax")}
    assert results["round-trip"].outcome == "failed"
    assert results["round-trip"].detail == "RuntimeError: no such thing"


def test_unknown_check_suggests_the_nearest() -> None:
    with pytest.raises(DecoderError, match="did you mean 'round-trip'"):
        contract.run_check("argmax", "roundtrip")


def test_pytest_plugin_runs_the_contract_when_a_conftest_enables_it(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["nmebench.decoders.pytest_plugin"]\n')
    (tmp_path / "test_mine.py").write_text(
        "import pytest\n"
        '@pytest.mark.decoder_contract("face-alignment", "dark:kernel=17")\n'
        "def test_contract(decoder_check):\n"
        "    decoder_check()\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-rs", "--strict-markers", "-p", "no:cacheprovider", "."]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    number = 2 * len(contract.CHECKS)
    skipped = 1 if torch.cuda.is_available() else 3
    assert f"{number - skipped} passed, {skipped} skipped" in done.stdout
    assert "exempt: the half pixel is added on both sides of a mirror" in done.stdout


def test_pytest_plugin_is_not_loaded_unless_enabled(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text("def test_contract(decoder_check):\n    pass\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "."]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert "fixture 'decoder_check' not found" in done.stdout


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param("import nmebench.decoders.pytest_plugin", id="pytest-plugin"),
        pytest.param("from nmebench import decoders; decoders.names()", id="names"),
    ],
)
def test_import_loads_nothing_heavy(statement: str, tmp_path: Path) -> None:
    code = f"import sys; {statement}; print(sorted({{'torch', 'numpy', 'timm', 'cv2', 'scipy'}} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "[]\n"


def test_a_suite_that_enables_the_plugin_loads_nothing_heavy_without_the_fixture(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["nmebench.decoders.pytest_plugin"]\n')
    (tmp_path / "test_mine.py").write_text(
        "import sys\ndef test_modules():\n    assert not {'torch', 'numpy', 'timm'} & set(sys.modules)\n"
    )
    # Hypothesis and others are this environment's own plug-ins, which import numpy.
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "."]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
