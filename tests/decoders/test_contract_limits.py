"""The faults that each check of the contract refuses, and the limits of its tolerances."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from nmebench.decoders import contract
from nmebench.decoders.argmax import Argmax
from nmebench.decoders.errors import DecoderError
from nmebench.decoders.interface import Decoded


def decoded(landmarks: torch.Tensor, **fields: Any) -> Decoded:
    given = {"scores": torch.ones(landmarks.shape[:2]), "counts": {"empty": 0, "invalid": 0}, **fields}
    return Decoded(landmarks, given["scores"], given["counts"])


def test_random_outputs_of_the_contract() -> None:
    """Centres at least 10 px from every border, in the whole range, with noise of up to 0.02 both ways."""
    assert contract._random_centres().shape == (3, 5, 2)
    assert torch.equal(contract._random_centres(), contract._random_centres())
    x, y = contract._random_centres(80, 50, width=48, height=80).unbind(-1)
    assert (x.dtype, float(x.min()), float(x.max())) == (
        torch.float64,
        pytest.approx(10, abs=0.1),
        pytest.approx(37, abs=0.1),
    )
    assert (float(y.min()), float(y.max())) == (pytest.approx(10, abs=0.1), pytest.approx(69, abs=0.1))
    assert min(float(x.min()), float(y.min())) >= 10
    assert not torch.equal(*contract._random_centres().unbind(-1))
    x, y = contract._random_centres(80, 50).unbind(-1)
    assert float(x.max()) == pytest.approx(53, abs=0.1) == float(y.max())
    noisy = contract._noisy_outputs(Argmax())["heatmaps"]
    assert noisy.shape == (3, 5, 64, 64)
    noise = noisy - Argmax().draw(contract._random_centres(), 64, 64)["heatmaps"]
    assert (float(noise.min()), float(noise.max())) == (pytest.approx(-0.02, abs=1e-5), pytest.approx(0.02, abs=1e-5))
    assert contract._noisy_outputs(Argmax(), faces=2, points=7)["heatmaps"].shape == (2, 7, 64, 64)


GOOD = torch.ones(2, 3, 2)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        pytest.param(decoded(GOOD.double()), "must be float32", id="float64-landmarks"),
        pytest.param(decoded(GOOD, scores=torch.ones(2, 3).double()), "must be float32", id="float64-scores"),
        pytest.param(decoded(GOOD, scores=torch.ones(2, 4)), "landmarks .2, 3, 2., scores .2, 4.", id="shape"),
        pytest.param(decoded(GOOD * float("nan")), "isn't finite", id="nan-landmarks"),
        pytest.param(decoded(GOOD, scores=torch.full((2, 3), math.inf)), "isn't finite", id="infinite-scores"),
        pytest.param(decoded(GOOD, counts={"empty": 0}), "counts must have", id="no-invalid"),
        pytest.param(decoded(GOOD, counts={"invalid": 0}), "counts must have", id="no-empty"),
    ],
)
def test_what_is_not_well_formed(bad: Decoded, message: str) -> None:
    contract._require_well_formed(decoded(GOOD))
    with pytest.raises(contract.ContractError, match=message):
        contract._require_well_formed(bad)


def test_landmarks_within_a_tolerance_are_close() -> None:
    moved = GOOD.clone()
    moved[1, 2, 0] += 0.25
    assert contract._require_close(decoded(GOOD), decoded(moved), "x", 0.25) == "0.25 px"
    with pytest.raises(contract.ContractError, match=r"x: landmarks differ by 0.25 px \(tolerance 0.2 px\)"):
        contract._require_close(decoded(moved), decoded(GOOD), "x", 0.2)
    with pytest.raises(contract.ContractError, match="tolerance 1e-05 px"):
        contract._require_close(decoded(GOOD), decoded(GOOD + 2e-5), "x")
    with pytest.raises(contract.ContractError, match="isn't finite"):
        contract._require_close(decoded(GOOD), decoded(GOOD * math.inf), "x")


@pytest.mark.parametrize(("value", "allowed"), [(-2.0, True), (-2.1, False), (65.0, True), (65.1, False)])
def test_landmarks_may_be_two_px_outside_the_map(value: float, allowed: bool) -> None:
    landmarks = GOOD.clone()
    landmarks[0, 0, 1] = value
    if allowed:
        assert contract._require_near_map(decoded(landmarks)) == (min(value, 1.0), max(value, 1.0))
    else:
        with pytest.raises(contract.ContractError, match="on maps of 64 px"):
            contract._require_near_map(decoded(landmarks))


def bad(**methods: Any) -> Argmax:
    return type("Bad", (Argmax,), methods)()


def with_result(change: Any) -> Any:
    """A ``decode`` that changes the result of the good one."""

    def decode(self: Argmax, outputs: Any) -> Decoded:
        found = Argmax.decode(self, outputs)
        return change(outputs, found)

    return decode


def _replaced(found: Decoded, landmarks: torch.Tensor | None = None, **counts: int) -> Decoded:
    return Decoded(found.landmarks if landmarks is None else landmarks, found.scores, {**found.counts, **counts})


class Unsteady(Argmax):
    """Gives other landmarks, or other counts, on every call."""

    counted = False

    def decode(self, outputs: Any) -> Decoded:
        self.calls = getattr(self, "calls", 0) + 1
        found = super().decode(outputs)
        if self.counted:
            return _replaced(found, own=self.calls)
        return _replaced(found, found.landmarks + 1e-6 * self.calls)


class UnsteadyCounts(Unsteady):
    """Gives other counts on every call."""

    counted = True


def moved(condition: Any) -> Argmax:
    """Moves landmarks by 1 px where the condition on the heatmaps is true."""
    return bad(decode=with_result(lambda o, f: _replaced(f, f.landmarks + float(condition(o["heatmaps"])))))


def mapped(function: Any) -> Argmax:
    """Changes all landmarks."""
    return bad(decode=with_result(lambda o, f: _replaced(f, function(f.landmarks))))


def counted(**functions: Any) -> Argmax:
    """Changes counts by functions of the heatmaps and the right count."""

    def change(outputs: Any, found: Decoded) -> Decoded:
        maps = outputs["heatmaps"]
        return _replaced(
            found, **{name: function(maps, found.counts.get(name)) for name, function in functions.items()}
        )

    return bad(decode=with_result(change))


def moves_others(outputs: Any, found: Decoded) -> Decoded:
    """Moves the good landmarks of a batch with one invalid map."""
    return _replaced(found, found.landmarks + (found.landmarks >= 0) * float(found.counts["invalid"] == 1))


def drops_a_point(outputs: Any, found: Decoded) -> Decoded:
    """Has another number of points for a batch without faces."""
    return found if len(found.landmarks) else Decoded(torch.zeros(0, 4, 2), torch.zeros(0, 4), found.counts)


BAD = [
    (Unsteady(), "deterministic", "different landmarks"),
    (UnsteadyCounts(), "deterministic", "counts differ"),
    (counted(own=lambda maps, _: 1), "batch", "count own is 1 for the batch, 9"),
    (counted(empty=lambda maps, _: 0), "batch", "counted as 0"),
    (counted(empty=lambda maps, _: 5 - len(maps)), "zero-faces", "were counted"),
    (bad(decode=with_result(drops_a_point)), "zero-faces", "of 0 faces"),
    (moved(lambda maps: maps.dtype == torch.float16), "half-precision", "torch.float16: landmarks differ by 1"),
    (moved(lambda maps: maps.dtype == torch.bfloat16), "half-precision", "torch.bfloat16: landmarks differ by 1"),
    (moved(lambda maps: maps.dtype == torch.float64), "half-precision", "torch.float64: landmarks differ by 1"),
    (moved(lambda maps: maps.stride(1) == 1), "layout", "channels last: landmarks differ by 1"),
    (moved(lambda maps: maps.stride(-1) == 2), "layout", "strided columns: landmarks differ by 1"),
    (moved(lambda maps: maps.storage_offset() > 0), "layout", "a slice of a batch: landmarks differ by 1"),
    (moved(lambda maps: maps.shape[-1] > 64), "non-square", "80x48 maps: error"),
    (moved(lambda maps: maps.shape[-2] > 64), "non-square", "48x80 maps: error"),
    (mapped(lambda xy: xy * 1.1 - 3), "borders", "landmarks range from -3"),
    (mapped(lambda xy: xy * 1.1), "borders", "on maps of 64 px"),
    (mapped(lambda xy: xy + 1), "empty", r"must give \(-1, -1\)"),
    (counted(empty=lambda maps, _: 14), "empty", "counted as 14"),
    (counted(empty=lambda maps, n: 3 if maps.max() < 0 else n), "empty", "15 maps of -0.5 were counted as 3"),
    (counted(empty=lambda maps, _: 1), "constant", "isn't empty"),
    (mapped(lambda xy: xy + 70), "constant", "on maps of 64 px"),
    (counted(invalid=lambda maps, _: 0), "not-finite", "was counted as"),
    (mapped(lambda xy: xy.where(xy >= 0, torch.tensor(5.0))), "not-finite", "gave"),
    (bad(decode=with_result(moves_others)), "not-finite", "changed other maps"),
    (counted(invalid=lambda maps, n: min(n, 14)), "not-finite", "15 maps of nan were counted"),
    (bad(_select_outputs=lambda self, o: {"heatmaps": torch.zeros(1, 1, 4, 4)}), "missing-output", "must raise"),
]


@pytest.mark.parametrize(("decoder", "check", "message"), BAD)
def test_each_check_refuses_its_fault(decoder: Argmax, check: str, message: str) -> None:
    with pytest.raises(contract.ContractError, match=message):
        contract.CHECKS[check](decoder)


def test_message_of_several_lines_is_refused() -> None:
    class TwoLinesError(DecoderError):
        """An error whose text isn't made by the base class."""

        def __str__(self) -> str:
            return "two\nlines"

    def select(self: Argmax, outputs: Any) -> Any:
        raise TwoLinesError("x")

    with pytest.raises(contract.ContractError, match="must be one line"):
        contract.CHECKS["missing-output"](bad(_select_outputs=select))


def test_minus_infinity_may_be_decoded_or_counted() -> None:
    """Argmax passes a map with a single minus infinity as it is; both ways of a decoder are right."""
    contract.CHECKS["not-finite"](Argmax())

    def change(outputs: Any, found: Decoded) -> Decoded:
        bad_maps = outputs["heatmaps"].isneginf().any(-1).any(-1) & (found.landmarks[..., 0] >= 0)
        landmarks = found.landmarks.masked_fill(bad_maps[..., None], -1.0)
        return _replaced(found, landmarks, invalid=found.counts["invalid"] + int(bad_maps.sum()))

    contract.CHECKS["not-finite"](bad(decode=with_result(change)))


def test_one_check_of_one_decoder() -> None:
    assert contract.run_check("argmax", "deterministic") == ""
    assert contract.run_check("argmax", "round-trip").endswith("(bound 0.71)")
    with pytest.raises(contract.CheckSkipped, match="exempt: "):
        contract.run_check("face-alignment", "flip")
