"""The contract of decoders: one list of checks that every decoder passes, run by pytest and by the command line.

The complete test of a plug-in, with the fixture of :mod:`nmebench.decoders.pytest_plugin`::

    @pytest.mark.decoder_contract("my-decoder")
    def test_contract(decoder_check):
        decoder_check()

The checks decode the outputs that the decoder's own ``draw`` returns, usually 3 faces of 5 landmarks on 64 x 64 maps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import torch
from torch import Tensor

from nmebench.decoders.errors import DecoderError
from nmebench.decoders.interface import Decoded, Decoder
from nmebench.decoders.registry import from_spec
from nmebench.suggest import unknown

__all__ = ["CHECKS", "CheckResult", "CheckSkipped", "ContractError", "run_check", "run_checks"]

Outcome = Literal["passed", "failed", "skipped", "exempt"]


class ContractError(AssertionError):
    """Raised where a decoder fails a check; the message describes the difference."""


class CheckSkipped(Exception):  # noqa: N818 - not an error
    """Raised where a check cannot run here; the message gives the reason."""


@dataclass(frozen=True)
class CheckResult:
    """The outcome of one check of one decoder."""

    decoder: str
    """The decoder's canonical spec."""
    check: str
    """A key of ``CHECKS``."""
    outcome: Outcome
    detail: str = ""
    """The measurement, the reason of a skip or an exemption, or the failure."""


def run_checks(spec: str) -> list[CheckResult]:
    """Run every check of the decoder that ``spec`` names.

    Args:
        spec: ``name`` or ``name:key=value,...``.

    Returns:
        one result per check, in the order of ``CHECKS``. Any exception of the decoder is a failed check.

    Raises:
        DecoderError: an unknown decoder or a wrong option.

    Example:
        >>> {result.check: result.outcome for result in run_checks("face-alignment")}["flip"]
        'exempt'
    """
    decoder = from_spec(spec)
    results = []
    for name, function in CHECKS.items():
        outcome: Outcome
        if name in decoder.exempt:
            outcome, detail = "exempt", decoder.exempt[name]
        else:
            try:
                outcome, detail = "passed", function(decoder) or ""
            except CheckSkipped as reason:
                outcome, detail = "skipped", str(reason)
            except ContractError as error:
                outcome, detail = "failed", str(error)
            except Exception as error:  # any exception that a third-party decoder raises is a failed check
                outcome, detail = "failed", f"{type(error).__name__}: {error}".partition("\n")[0]
        results.append(CheckResult(decoder.spec, name, outcome, detail))
    return results


def run_check(spec: str, name: str) -> str:
    """Run one check of one decoder.

    Args:
        spec: ``name`` or ``name:key=value,...``.
        name: a key of ``CHECKS``.

    Returns:
        the measurement as text, empty for checks that measure nothing.

    Raises:
        ContractError: the decoder fails the check.
        CheckSkipped: the check cannot run here, or the decoder is exempt from it.
        DecoderError: an unknown decoder or check.

    Example:
        >>> run_check("argmax", "constant")
        '(0.00, 0.00)'
    """
    if name not in CHECKS:
        raise DecoderError(unknown("check", name, CHECKS))
    decoder = from_spec(spec)
    if name in decoder.exempt:
        raise CheckSkipped(f"exempt: {decoder.exempt[name]}")
    return CHECKS[name](decoder) or ""


def _require(condition: bool, message: str) -> None:
    """Raise ContractError with the message unless the condition is true."""
    if not condition:
        raise ContractError(message)


def _random(*shape: int, low: float, high: float, seed: int = 0) -> Tensor:
    """Return seeded uniform numbers, float64."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(*shape, generator=generator, dtype=torch.float64) * (high - low) + low


def _random_centres(faces: int = 3, points: int = 5, width: int = 64, height: int = 64, seed: int = 0) -> Tensor:
    """Return random sub-pixel positions ``[N, K, 2]`` in heatmap px, at least 10 px from every border."""
    x = _random(faces, points, low=10, high=width - 11, seed=seed)
    y = _random(faces, points, low=10, high=height - 11, seed=seed + 1)
    return torch.stack((x, y), dim=-1)


def _noisy_outputs(decoder: Decoder, faces: int = 3, points: int = 5) -> dict[str, Tensor]:
    """Return the decoder's ideal outputs for random landmarks, plus uniform noise of at most 0.02."""
    outputs = decoder.draw(_random_centres(faces, points), 64, 64)
    return {
        name: value + 0.02 * _random(*value.shape, low=-1, high=1, seed=7).to(value.dtype)
        for name, value in outputs.items()
    }


def _require_close(expected: Decoded, found: Decoded, situation: str, tolerance: float = 1e-5) -> str:
    """Require landmarks within ``tolerance`` px; return the largest difference as text."""
    _require_well_formed(found)
    difference = float((expected.landmarks - found.landmarks.to(expected.landmarks.device)).abs().max())
    _require(
        difference <= tolerance, f"{situation}: landmarks differ by {difference:.3g} px (tolerance {tolerance:g} px)"
    )
    return f"{difference:.2g} px"


def _require_well_formed(decoded: Decoded) -> None:
    """Require the documented types and shapes, finite numbers, and the counts ``empty`` and ``invalid``."""
    landmarks, scores = decoded
    _require(landmarks.dtype == torch.float32 and scores.dtype == torch.float32, "landmarks and scores must be float32")
    _require(landmarks.shape == (*scores.shape, 2), f"landmarks {list(landmarks.shape)}, scores {list(scores.shape)}")
    _require(bool(torch.isfinite(landmarks).all() and torch.isfinite(scores).all()), "a landmark or score isn't finite")
    _require({"empty", "invalid"} <= set(decoded.counts), "counts must have `empty` and `invalid`")


def not_mutated(decoder: Decoder) -> None:
    """Decoding doesn't change the outputs."""
    outputs = _noisy_outputs(decoder)
    copies = {name: value.clone() for name, value in outputs.items()}
    _require_well_formed(decoder(outputs))
    for name, value in outputs.items():
        _require(torch.equal(value, copies[name]), f"{name} was changed")


def deterministic(decoder: Decoder) -> None:
    """Decoding the same outputs twice returns the same bits."""
    outputs = _noisy_outputs(decoder)
    first, second = decoder(outputs), decoder(outputs)
    _require(torch.equal(first.landmarks, second.landmarks), "the same outputs gave different landmarks")
    _require(first.counts == second.counts, f"counts differ: {first.counts} and {second.counts}")


def batch(decoder: Decoder) -> str:
    """A batch gives the same landmarks and counts as its faces one by one."""
    outputs = _noisy_outputs(decoder, faces=9)
    for value in outputs.values():
        value[1, 0] = 0.0
    together = decoder(outputs)
    singles = [decoder({name: value[i : i + 1] for name, value in outputs.items()}) for i in range(9)]
    joined = Decoded(
        torch.cat([single.landmarks for single in singles]),
        torch.cat([single.scores for single in singles]),
        together.counts,
    )
    for name, number in together.counts.items():
        total = sum(single.counts[name] for single in singles)
        _require(total == number, f"count {name} is {number} for the batch, {total} one by one")
    _require(together.counts["empty"] == 1, f"one empty map was counted as {together.counts['empty']}")
    return _require_close(together, joined, "batch against one by one")


def zero_faces(decoder: Decoder) -> None:
    """A batch without faces gives no landmarks."""
    outputs = {name: value[:0] for name, value in _noisy_outputs(decoder).items()}
    decoded = decoder(outputs)
    _require_well_formed(decoded)
    _require(tuple(decoded.landmarks.shape) == (0, 5, 2), f"landmarks {list(decoded.landmarks.shape)} of 0 faces")
    _require(not any(decoded.counts.values()), f"0 faces were counted: {decoded.counts}")


def gpu(decoder: Decoder) -> str:
    """A GPU gives the same landmarks as the CPU, within 1e-3 px, and keeps them on the GPU."""
    if not torch.cuda.is_available():
        raise CheckSkipped("no CUDA device here")
    outputs = _noisy_outputs(decoder)
    on_gpu = decoder({name: value.cuda() for name, value in outputs.items()})
    _require(on_gpu.landmarks.is_cuda, "landmarks must stay on the outputs' device")
    return _require_close(decoder(outputs), on_gpu, "GPU against CPU", tolerance=1e-3)


def half_precision(decoder: Decoder) -> str:
    """Values in float16, bfloat16 and float64 give the same landmarks as in float32."""
    measured = []
    for kind in (torch.float16, torch.bfloat16, torch.float64):
        rounded = {name: value.to(kind) for name, value in _noisy_outputs(decoder).items()}
        single = {name: value.to(torch.float32) for name, value in rounded.items()}
        measured.append(_require_close(decoder(single), decoder(rounded), f"{kind}"))
    return f"float16, bfloat16, float64: {', '.join(measured)}"


def layout(decoder: Decoder) -> str:
    """Non-contiguous and channels-last outputs give the same landmarks as contiguous ones."""
    outputs = _noisy_outputs(decoder)
    expected = decoder(outputs)
    channels_last = {n: v.transpose(1, -1).contiguous().transpose(1, -1) for n, v in outputs.items()}
    strided = {n: torch.stack((v, v + 1), dim=-1).flatten(-2)[..., ::2] for n, v in outputs.items()}
    sliced = {n: torch.cat((v[:1], v))[1:] for n, v in outputs.items()}
    _require_close(expected, decoder(sliced), "a slice of a batch")
    _require_close(expected, decoder(strided), "strided columns")
    return _require_close(expected, decoder(channels_last), "channels last")


def non_square(decoder: Decoder) -> str:
    """Maps with H != W keep the stated error bound, which a swap of x and y would break."""
    measured = []
    for height, width in ((48, 80), (80, 48)):
        centres = _random_centres(width=width, height=height)
        error = _largest_error(decoder, decoder.draw(centres, height, width), centres)
        _require(error <= decoder.bound, f"{width}x{height} maps: error {error:.4f} px (bound {decoder.bound:g})")
        measured.append(f"{error:.4f} px")
    return ", ".join(measured)


def round_trip(decoder: Decoder) -> str:
    """Clean Gaussians at sub-pixel positions keep the stated error bound."""
    centres = _random_centres(16, 50)
    error = _largest_error(decoder, decoder.draw(centres, 64, 64), centres)
    _require(error <= decoder.bound, f"error {error:.4f} px on clean Gaussians (bound {decoder.bound:g})")
    return f"{error:.4f} px (bound {decoder.bound:g})"


def _largest_error(decoder: Decoder, outputs: Mapping[str, Tensor], centres: Tensor) -> float:
    """Return the largest distance in heatmap px between decoded and true landmarks."""
    decoded = decoder(outputs)
    _require_well_formed(decoded)
    return float((decoded.landmarks - centres).norm(dim=-1).max())


def flip(decoder: Decoder) -> str:
    """Mirrored outputs give mirrored landmarks."""
    outputs = _noisy_outputs(decoder)
    mirrored, span = decoder.mirror(outputs)
    expected, flipped = decoder(outputs), decoder(mirrored)
    sign = torch.tensor([-1.0, 1.0])
    unflipped = Decoded(flipped.landmarks * sign + torch.tensor([span, 0.0]), flipped.scores, flipped.counts)
    return _require_close(expected, unflipped, "mirrored", 1e-4)


def translation(decoder: Decoder) -> str:
    """Outputs shifted by integer pixels give landmarks shifted by as much; the maps are clean, as noise can't shift."""
    centres = _random_centres()
    expected = decoder(decoder.draw(centres, 64, 64))
    shift = torch.tensor([3.0, -2.0], dtype=torch.float64)
    shifted = decoder(decoder.draw(centres + shift, 64, 64))
    unshifted = Decoded(shifted.landmarks - shift.to(torch.float32), shifted.scores, shifted.counts)
    return _require_close(expected, unshifted, "shifted", 2e-3)


def borders(decoder: Decoder) -> str:
    """Peaks on and beyond every border give finite landmarks at most 2 px outside the map."""
    edge = torch.tensor([-0.7, 0.0, 0.4, 1.0, 2.3, 31.0, 60.8, 62.0, 62.6, 63.0, 63.7], dtype=torch.float64)
    centres = torch.cartesian_prod(edge, edge)[None]
    decoded = decoder(decoder.draw(centres, 64, 64))
    _require_well_formed(decoded)
    low, high = _require_near_map(decoded)
    return f"{low:.2f} to {high:.2f} px"


def _require_near_map(decoded: Decoded) -> tuple[float, float]:
    """Require landmarks at most 2 px outside maps of 64 px; return the smallest and largest coordinate."""
    low, high = float(decoded.landmarks.min()), float(decoded.landmarks.max())
    _require(low >= -2 and high <= 65, f"landmarks range from {low:.2f} to {high:.2f} px on maps of 64 px")
    return low, high


def _decode_constant(decoder: Decoder, value: float) -> Decoded:
    """Decode 15 maps that hold one value everywhere."""
    outputs = {name: torch.full_like(drawn, value) for name, drawn in _noisy_outputs(decoder).items()}
    decoded = decoder(outputs)
    _require_well_formed(decoded)
    return decoded


def empty(decoder: Decoder) -> None:
    """Maps without a positive value give (-1, -1) and are counted as empty."""
    for value in (0.0, -0.5):
        decoded = _decode_constant(decoder, value)
        _require(bool((decoded.landmarks == -1).all()), f"maps of {value} must give (-1, -1)")
        number = decoded.counts["empty"]
        _require(number == 15, f"15 maps of {value} were counted as {number} empty ones")


def constant(decoder: Decoder) -> str:
    """Constant positive maps give a landmark at most 2 px outside the map and aren't counted as empty."""
    decoded = _decode_constant(decoder, 0.5)
    _require_near_map(decoded)
    _require(decoded.counts["empty"] == 0, "a constant positive map isn't empty")
    return f"({float(decoded.landmarks[0, 0, 0]):.2f}, {float(decoded.landmarks[0, 0, 1]):.2f})"


def not_finite(decoder: Decoder) -> None:
    """A map with NaN or infinity gives (-1, -1), is counted as invalid and leaves other maps unchanged.

    A map with minus infinity may instead be decoded, because it is a value below all others.
    """
    outputs = _noisy_outputs(decoder)
    expected = decoder(outputs)
    others = torch.ones(3, 5, dtype=torch.bool)
    others[1, 2] = False
    for value in (float("nan"), float("inf"), float("-inf")):
        for name in decoder.needs:
            changed = {key: drawn.clone() for key, drawn in outputs.items()}
            changed[name][1, 2].view(-1)[:: 1 if name == "offsets" else 10**9] = value
            decoded = decoder(changed)
            _require_well_formed(decoded)
            counted = decoded.counts["invalid"] == expected.counts["invalid"] + 1
            _require(counted or value < 0, f"{value} in {name} was counted as {decoded.counts}")
            minus = bool((decoded.landmarks[1, 2] == -1).all())
            _require(
                minus == counted, f"{value} in {name} gave {decoded.landmarks[1, 2].tolist()}, counted {decoded.counts}"
            )
            _require(
                torch.equal(decoded.landmarks[others], expected.landmarks[others]),
                f"{value} in {name} changed other maps",
            )
    for value in (float("nan"), float("inf")):
        decoded = _decode_constant(decoder, value)
        _require(bool((decoded.landmarks == -1).all()), f"maps of {value} must give (-1, -1)")
        _require(decoded.counts["invalid"] == 15, f"15 maps of {value} were counted as {decoded.counts}")
    decoded = _decode_constant(decoder, float("-inf"))
    _require(bool((decoded.landmarks == -1).all()), "maps of -inf must give (-1, -1)")


def missing_output(decoder: Decoder) -> None:
    """Missing outputs, integers and wrong shapes raise DecoderError with a message of one line."""
    outputs = _noisy_outputs(decoder)
    wrong: list[object] = [
        {},
        {n: v.to(torch.int64) for n, v in outputs.items()},
        {n: v[0] for n, v in outputs.items()},
    ]
    for given in wrong:
        try:
            decoder(given)  # type: ignore[arg-type]
        except DecoderError as error:
            _require("\n" not in str(error), "the message must be one line")
        else:
            raise ContractError("unreadable outputs must raise DecoderError")


CHECKS: Mapping[str, Callable[[Decoder], str | None]] = MappingProxyType(
    {
        "not-mutated": not_mutated,
        "deterministic": deterministic,
        "batch": batch,
        "zero-faces": zero_faces,
        "gpu": gpu,
        "half-precision": half_precision,
        "layout": layout,
        "non-square": non_square,
        "round-trip": round_trip,
        "flip": flip,
        "translation": translation,
        "borders": borders,
        "empty": empty,
        "constant": constant,
        "not-finite": not_finite,
        "missing-output": missing_output,
    }
)
"""The checks by name; ``Decoder.exempt`` uses these names."""
