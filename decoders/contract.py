"""What every decoder must hold to, built in or not: one list of checks, run by pytest and by the command line.

A plug-in's whole test, with the fixture that this package brings to pytest (``decoders/pytest_plugin.py``)::

    @pytest.mark.decoder_contract("my-decoder")
    def test_contract(decoder_check):
        decoder_check()

Inputs are drawn by the decoder's own ``draw``.
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
from nmebench.suggest import did_you_mean

__all__ = ["CHECKS", "ContractError", "Result", "Skipped", "check", "run"]

Outcome = Literal["passed", "failed", "skipped", "exempt"]


class ContractError(AssertionError):
    """A decoder doesn't hold to the contract; the message says how."""


class Skipped(Exception):  # noqa: N818 - not an error
    """A check that can't be made here; the message says why."""


@dataclass(frozen=True)
class Result:
    """The outcome of one check of one decoder."""

    decoder: str
    check: str
    outcome: Outcome
    detail: str = ""
    """The measured number, the reason of a skip or an exemption, or what is wrong."""


def run(spec: str) -> list[Result]:
    """Every check of the decoder that ``spec`` names.

    Raises:
        DecoderError: no such decoder.
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
            except Skipped as reason:
                outcome, detail = "skipped", str(reason)
            except ContractError as error:
                outcome, detail = "failed", str(error)
            except Exception as error:  # whatever a stranger's decoder raises is its failure, not ours
                outcome, detail = "failed", f"{type(error).__name__}: {error}".partition("\n")[0]
        results.append(Result(decoder.spec, name, outcome, detail))
    return results


def check(spec: str, name: str) -> str:
    """One check of one decoder; what was measured, in words.

    Raises:
        ContractError: the decoder doesn't hold to it.
        Skipped: the check can't be made here, or the decoder declares itself exempt.
        DecoderError: no such decoder or no such check.
    """
    if name not in CHECKS:
        raise DecoderError(f"unknown check {name!r}{did_you_mean(name, list(CHECKS))} (checks: {', '.join(CHECKS)})")
    decoder = from_spec(spec)
    if name in decoder.exempt:
        raise Skipped(f"exempt: {decoder.exempt[name]}")
    return CHECKS[name](decoder) or ""


def _hold(condition: bool, message: str) -> None:
    if not condition:
        raise ContractError(message)


def _random(*shape: int, low: float, high: float, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(*shape, generator=generator, dtype=torch.float64) * (high - low) + low


def _centres(faces: int = 3, points: int = 5, width: int = 64, height: int = 64, seed: int = 0) -> Tensor:
    """``[N, K, 2]`` sub-pixel positions, 10 px or more from every border, in general position."""
    x = _random(faces, points, low=10, high=width - 11, seed=seed)
    y = _random(faces, points, low=10, high=height - 11, seed=seed + 1)
    return torch.stack((x, y), dim=-1)


def _noisy(outputs: Mapping[str, Tensor], amount: float = 0.02) -> dict[str, Tensor]:
    return {
        name: value + amount * _random(*value.shape, low=-1, high=1, seed=7).to(value.dtype)
        for name, value in outputs.items()
    }


def _drawn(decoder: Decoder, faces: int = 3, points: int = 5) -> dict[str, Tensor]:
    return _noisy(decoder.draw(_centres(faces, points), 64, 64))


def _same(one: Decoded, other: Decoded, what: str, within: float = 1e-5) -> str:
    _whole(other)
    away = float((one.landmarks - other.landmarks.to(one.landmarks.device)).abs().max())
    _hold(away <= within, f"{what}: landmarks differ by {away:.3g} px (allowed {within:g})")
    return f"{away:.2g} px"


def _whole(decoded: Decoded) -> None:
    """Types, shapes and no silent NaN."""
    landmarks, scores = decoded
    _hold(landmarks.dtype == torch.float32 and scores.dtype == torch.float32, "landmarks and scores must be float32")
    _hold(landmarks.shape == (*scores.shape, 2), f"landmarks {list(landmarks.shape)}, scores {list(scores.shape)}")
    _hold(bool(torch.isfinite(landmarks).all() and torch.isfinite(scores).all()), "a landmark or score isn't finite")
    _hold({"empty", "invalid"} <= set(decoded.counts), "counts must have `empty` and `invalid`")


def not_mutated(decoder: Decoder) -> None:
    """The outputs are as they were."""
    outputs = _drawn(decoder)
    copies = {name: value.clone() for name, value in outputs.items()}
    _whole(decoder(outputs))
    for name, value in outputs.items():
        _hold(torch.equal(value, copies[name]), f"{name} was changed")


def deterministic(decoder: Decoder) -> None:
    """Twice the same, bit for bit."""
    outputs = _drawn(decoder)
    first, second = decoder(outputs), decoder(outputs)
    _hold(torch.equal(first.landmarks, second.landmarks), "the same outputs gave different landmarks")
    _hold(first.counts == second.counts, f"counts differ: {first.counts} and {second.counts}")


def batch(decoder: Decoder) -> str:
    """A batch as one by one, counts included."""
    outputs = _drawn(decoder, faces=9)
    for value in outputs.values():
        value[1, 0] = 0.0
    whole = decoder(outputs)
    singles = [decoder({name: value[i : i + 1] for name, value in outputs.items()}) for i in range(9)]
    together = Decoded(
        torch.cat([single.landmarks for single in singles]),
        torch.cat([single.scores for single in singles]),
        whole.counts,
    )
    for name, number in whole.counts.items():
        added = sum(single.counts[name] for single in singles)
        _hold(added == number, f"count {name} is {number} for the batch, {added} one by one")
    _hold(whole.counts["empty"] == 1, f"one empty map was counted as {whole.counts['empty']}")
    return _same(whole, together, "batch against one by one")


def zero_faces(decoder: Decoder) -> None:
    """No faces give no landmarks."""
    outputs = {name: value[:0] for name, value in _drawn(decoder).items()}
    decoded = decoder(outputs)
    _whole(decoded)
    _hold(tuple(decoded.landmarks.shape) == (0, 5, 2), f"landmarks {list(decoded.landmarks.shape)} of 0 faces")
    _hold(not any(decoded.counts.values()), f"0 faces were counted: {decoded.counts}")


def gpu(decoder: Decoder) -> str:
    """A GPU as the CPU."""
    if not torch.cuda.is_available():
        raise Skipped("no CUDA device here")
    outputs = _drawn(decoder)
    there = decoder({name: value.cuda() for name, value in outputs.items()})
    _hold(there.landmarks.is_cuda, "landmarks must stay on the outputs' device")
    return _same(decoder(outputs), there, "GPU against CPU", within=1e-3)


def half_precision(decoder: Decoder) -> str:
    """float16 and bfloat16 as the same values in float32."""
    said = []
    for kind in (torch.float16, torch.bfloat16, torch.float64):
        rounded = {name: value.to(kind) for name, value in _drawn(decoder).items()}
        wide = {name: value.to(torch.float32) for name, value in rounded.items()}
        said.append(_same(decoder(wide), decoder(rounded), f"{kind}"))
    return f"float16, bfloat16, float64: {', '.join(said)}"


def layout(decoder: Decoder) -> str:
    """Non-contiguous and channels-last outputs as contiguous ones."""
    outputs = _drawn(decoder)
    expected = decoder(outputs)
    last = {n: v.transpose(1, -1).contiguous().transpose(1, -1) for n, v in outputs.items()}
    strided = {n: torch.stack((v, v + 1), dim=-1).flatten(-2)[..., ::2] for n, v in outputs.items()}
    tail = {n: torch.cat((v[:1], v))[1:] for n, v in outputs.items()}
    _same(expected, decoder(tail), "a slice of a batch")
    _same(expected, decoder(strided), "strided columns")
    return _same(expected, decoder(last), "channels last")


def oblong(decoder: Decoder) -> str:
    """H != W: as precise as on square maps, and x isn't y."""
    said = []
    for height, width in ((48, 80), (80, 48)):
        centres = _centres(width=width, height=height)
        away = _error(decoder, decoder.draw(centres, height, width), centres)
        _hold(away <= decoder.bound, f"{width}x{height} maps: {away:.4f} px off (bound {decoder.bound:g})")
        said.append(f"{away:.4f} px")
    return ", ".join(said)


def round_trip(decoder: Decoder) -> str:
    """Clean Gaussians at sub-pixel positions, within the decoder's stated bound."""
    centres = _centres(16, 50)
    away = _error(decoder, decoder.draw(centres, 64, 64), centres)
    _hold(away <= decoder.bound, f"{away:.4f} px off on clean Gaussians (bound {decoder.bound:g})")
    return f"{away:.4f} px (bound {decoder.bound:g})"


def _error(decoder: Decoder, outputs: Mapping[str, Tensor], centres: Tensor) -> float:
    decoded = decoder(outputs)
    _whole(decoded)
    return float((decoded.landmarks - centres).norm(dim=-1).max())


def flip(decoder: Decoder) -> str:
    """Mirrored outputs give mirrored landmarks."""
    outputs = _drawn(decoder)
    mirrored, span = decoder.mirror(outputs)
    there, back = decoder(outputs), decoder(mirrored)
    sign = torch.tensor([-1.0, 1.0])
    return _same(
        there, Decoded(back.landmarks * sign + torch.tensor([span, 0.0]), back.scores, back.counts), "mirrored", 1e-4
    )


def translation(decoder: Decoder) -> str:
    """Moved by whole pixels, the landmarks move as far. Clean maps: noise would have to move too."""
    centres = _centres()
    there = decoder(decoder.draw(centres, 64, 64))
    move = torch.tensor([3.0, -2.0], dtype=torch.float64)
    moved = decoder(decoder.draw(centres + move, 64, 64))
    return _same(there, Decoded(moved.landmarks - move.to(torch.float32), moved.scores, moved.counts), "moved", 2e-3)


def borders(decoder: Decoder) -> str:
    """Peaks on and over every border: finite, and within 2 px of the map."""
    edge = torch.tensor([-0.7, 0.0, 0.4, 1.0, 2.3, 31.0, 60.8, 62.0, 62.6, 63.0, 63.7], dtype=torch.float64)
    centres = torch.cartesian_prod(edge, edge)[None]
    decoded = decoder(decoder.draw(centres, 64, 64))
    _whole(decoded)
    low, high = float(decoded.landmarks.min()), float(decoded.landmarks.max())
    _hold(low >= -2 and high <= 65, f"landmarks reach from {low:.2f} to {high:.2f} px on maps of 64")
    return f"{low:.2f} to {high:.2f} px"


def _filled(decoder: Decoder, value: float) -> Decoded:
    outputs = {name: torch.full_like(drawn, value) for name, drawn in _drawn(decoder).items()}
    decoded = decoder(outputs)
    _whole(decoded)
    return decoded


def empty(decoder: Decoder) -> None:
    """Maps without a positive value: (-1, -1), counted as empty."""
    for value in (0.0, -0.5):
        decoded = _filled(decoder, value)
        _hold(bool((decoded.landmarks == -1).all()), f"maps of {value} must give (-1, -1)")
        number = decoded.counts["empty"]
        _hold(number == 15, f"15 maps of {value} were counted as {number} empty ones")


def constant(decoder: Decoder) -> str:
    """Constant positive maps: an answer within 2 px of the map, neither empty nor invalid."""
    decoded = _filled(decoder, 0.5)
    low, high = float(decoded.landmarks.min()), float(decoded.landmarks.max())
    _hold(low >= -2 and high <= 65, f"landmarks reach from {low:.2f} to {high:.2f} px on maps of 64")
    _hold(decoded.counts["empty"] == 0, "a constant positive map isn't empty")
    return f"({float(decoded.landmarks[0, 0, 0]):.2f}, {float(decoded.landmarks[0, 0, 1]):.2f})"


def not_finite(decoder: Decoder) -> None:
    """A NaN or an infinity in a map: (-1, -1), counted as invalid, and the other maps are as ever.

    Minus infinity may instead be decoded, as a value under all others.
    """
    outputs = _drawn(decoder)
    expected = decoder(outputs)
    others = torch.ones(3, 5, dtype=torch.bool)
    others[1, 2] = False
    for value in (float("nan"), float("inf"), float("-inf")):
        for name in decoder.needs:
            changed = {key: drawn.clone() for key, drawn in outputs.items()}
            changed[name][1, 2].view(-1)[:: 1 if name == "offsets" else 10**9] = value
            decoded = decoder(changed)
            _whole(decoded)
            told = decoded.counts["invalid"] == expected.counts["invalid"] + 1
            _hold(told or value < 0, f"{value} in {name} was counted as {decoded.counts}")
            minus = bool((decoded.landmarks[1, 2] == -1).all())
            _hold(minus == told, f"{value} in {name} gave {decoded.landmarks[1, 2].tolist()}, counted {decoded.counts}")
            _hold(
                torch.equal(decoded.landmarks[others], expected.landmarks[others]),
                f"{value} in {name} changed other maps",
            )
    for value in (float("nan"), float("inf")):
        decoded = _filled(decoder, value)
        _hold(bool((decoded.landmarks == -1).all()), f"maps of {value} must give (-1, -1)")
        _hold(decoded.counts["invalid"] == 15, f"15 maps of {value} were counted as {decoded.counts}")
    _hold(bool((_filled(decoder, float("-inf")).landmarks == -1).all()), "maps of -inf must give (-1, -1)")


def missing_output(decoder: Decoder) -> None:
    """An output that isn't there, or isn't a floating-point tensor, is a DecoderError."""
    outputs = _drawn(decoder)
    wrong: list[object] = [
        {},
        {n: v.to(torch.int64) for n, v in outputs.items()},
        {n: v[0] for n, v in outputs.items()},
    ]
    for given in wrong:
        try:
            decoder(given)  # type: ignore[arg-type]
        except DecoderError as error:
            _hold("\n" not in str(error), "the message must be one line")
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
        "oblong": oblong,
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
"""The contract: each check by its name, as ``exempt`` uses it."""
