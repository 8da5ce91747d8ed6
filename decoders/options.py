"""Options of a decoder: what is allowed, how text becomes a value, and the canonical text of a value."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from nmebench.decoders.errors import DecoderError
from nmebench.suggest import did_you_mean

__all__ = ["Option", "Value", "as_float", "as_int", "canonical", "parse"]

Value = bool | int | float | str | None


@dataclass(frozen=True, kw_only=True)
class Option:
    """One keyword option of a decoder.

    The type is that of ``default``; an option that may be absent has ``default=None`` and names its ``kind``.
    """

    default: Value
    doc: str
    kind: type[bool] | type[int] | type[float] | type[str] | None = None
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    odd: bool = False

    @property
    def type(self) -> type[bool] | type[int] | type[float] | type[str]:
        """The type that a value other than ``None`` has."""
        if self.kind is not None:
            return self.kind
        if isinstance(self.default, bool | int | float | str):
            return type(self.default)
        raise TypeError("an option without a default must name its kind")

    @property
    def allowed(self) -> str:
        """What is allowed, in words, for messages and lists."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        words = {bool: "true or false", int: "an integer", float: "a number", str: "text"}[self.type]
        if self.odd:
            words = "an odd integer"
        if self.minimum is not None and self.maximum is not None:
            words += f" from {_text(self.minimum)} to {_text(self.maximum)}"
        elif self.minimum is not None:
            words += f" of at least {_text(self.minimum)}"
        elif self.maximum is not None:
            words += f" of at most {_text(self.maximum)}"
        return words + (", or none" if self.default is None else "")

    def read(self, owner: str, name: str, value: object) -> Value:
        """Check ``value``, parsing it where it is text.

        Raises:
            DecoderError: not of the type, out of the range or not among the choices.
        """
        parsed = self._parsed(value)
        if parsed is _WRONG or not self._holds(parsed):
            hint = did_you_mean(str(value), self.choices) if self.choices else ""
            raise DecoderError(f"{owner}: {name}={value!s} isn't allowed; {name} is {self.allowed}{hint}")
        return parsed  # type: ignore[return-value]

    def _parsed(self, value: object) -> object:
        if value is None or (isinstance(value, str) and value == "none" and self.type is not str):
            return None
        if self.type is bool:
            if isinstance(value, str):
                return {"true": True, "false": False}.get(value.lower(), _WRONG)
            return value if isinstance(value, bool) else _WRONG
        if self.type is str:
            return value if isinstance(value, str) else _WRONG
        if isinstance(value, bool):
            return _WRONG
        if isinstance(value, str):
            try:
                return self.type(value)
            except ValueError:
                return _WRONG
        if self.type is float and isinstance(value, int | float):
            return float(value)
        return value if self.type is int and isinstance(value, int) else _WRONG

    def _holds(self, value: object) -> bool:
        if value is None:
            return self.default is None
        if self.choices:
            return value in self.choices
        if isinstance(value, int | float) and not isinstance(value, bool):
            if not math.isfinite(value):
                return False
            if self.minimum is not None and value < self.minimum:
                return False
            if self.maximum is not None and value > self.maximum:
                return False
            return not (self.odd and int(value) % 2 == 0)
        return True


_WRONG = object()


def parse(owner: str, schema: Mapping[str, Option], given: Mapping[str, object]) -> dict[str, Value]:
    """All options of ``schema`` with the values of ``given`` checked and filled in.

    Raises:
        DecoderError: an option that ``schema`` doesn't have, or a value that isn't allowed.
    """
    for name in given:
        if name not in schema:
            known = ", ".join(schema) if schema else "it has none"
            hint = did_you_mean(name, list(schema))
            raise DecoderError(f"{owner} has no option {name!r}{hint} (options: {known})")
    return {
        name: option.read(owner, name, given[name]) if name in given else option.default
        for name, option in schema.items()
    }


def as_int(value: Value) -> int:
    """A checked integer option, for the type checker."""
    if not isinstance(value, int):
        raise TypeError(f"{value!r} isn't an integer")
    return value


def as_float(value: Value) -> float:
    """A checked number option, for the type checker."""
    if not isinstance(value, int | float):
        raise TypeError(f"{value!r} isn't a number")
    return float(value)


def canonical(name: str, schema: Mapping[str, Option], options: Mapping[str, Value]) -> str:
    """``name:key=value,...`` with the options that differ from their default, keys sorted."""
    parts = [f"{key}={_text(options[key])}" for key in sorted(options) if options[key] != schema[key].default]
    return f"{name}:{','.join(parts)}" if parts else name


def _text(value: Value) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        short = f"{value:g}"
        return short if float(short) == value else repr(value)
    return str(value)
