"""Options of a decoder: the allowed values, parsing from text, and the canonical text of a value."""

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

    Example:
        >>> kernel = Option(default=11, minimum=3, maximum=99, odd=True, doc="blur size, px")
        >>> kernel.allowed
        'an odd integer from 3 to 99'
        >>> kernel.read("dark", "kernel", "17")
        17
    """

    default: Value
    """The value where none is given; None for an option that may be absent."""
    doc: str
    """One line for lists."""
    kind: type[bool] | type[int] | type[float] | type[str] | None = None
    """The type of the value; None for the type of ``default``."""
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    """The allowed texts; empty for any."""
    odd: bool = False
    """True if the integer must be odd."""

    @property
    def type(self) -> type[bool] | type[int] | type[float] | type[str]:
        """The type of every value other than None."""
        if self.kind is not None:
            return self.kind
        if isinstance(self.default, bool | int | float | str):
            return type(self.default)
        raise TypeError("an option without a default must name its kind")

    @property
    def allowed(self) -> str:
        """A phrase for messages and lists that describes the allowed values."""
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
        """Check a value, after parsing it if it is text.

        Args:
            owner: the decoder's name, for the message.
            name: the option's name, for the message.
            value: a value, or its text; ``none`` is the text of None.

        Raises:
            DecoderError: another type, out of range, or not one of the choices.
        """
        parsed = self._parse(value)
        if parsed is _WRONG_TYPE or not self._is_allowed(parsed):
            hint = did_you_mean(str(value), self.choices) if self.choices else ""
            raise DecoderError(f"{owner}: {name}={value!s} isn't allowed; {name} is {self.allowed}{hint}")
        return parsed  # type: ignore[return-value]

    def _parse(self, value: object) -> object:
        """Return the value, parsed if it is text; ``_WRONG_TYPE`` if it isn't of the option's type."""
        if value is None or (isinstance(value, str) and value == "none" and self.type is not str):
            return None
        if self.type is bool:
            if isinstance(value, str):
                return {"true": True, "false": False}.get(value.lower(), _WRONG_TYPE)
            return value if isinstance(value, bool) else _WRONG_TYPE
        if self.type is str:
            return value if isinstance(value, str) else _WRONG_TYPE
        if isinstance(value, bool):
            return _WRONG_TYPE
        if isinstance(value, str):
            try:
                return self.type(value)
            except ValueError:
                return _WRONG_TYPE
        if self.type is float and isinstance(value, int | float):
            try:
                return float(value)
            except OverflowError:  # an integer of more than 308 digits
                return _WRONG_TYPE
        return value if self.type is int and isinstance(value, int) else _WRONG_TYPE

    def _is_allowed(self, value: object) -> bool:
        """Return True if a value of the right type is in range or one of the choices."""
        if value is None:
            return self.default is None
        if self.choices:
            return value in self.choices
        if isinstance(value, int | float) and not isinstance(value, bool):
            if isinstance(value, float) and not math.isfinite(value):
                return False
            if self.minimum is not None and value < self.minimum:
                return False
            if self.maximum is not None and value > self.maximum:
                return False
            return not (self.odd and int(value) % 2 == 0)
        return True


_WRONG_TYPE = object()


def parse(owner: str, schema: Mapping[str, Option], given: Mapping[str, object]) -> dict[str, Value]:
    """Return all options of ``schema``: the checked values of ``given``, and defaults for the others.

    Args:
        owner: the decoder's name, for messages.
        schema: the options by name.
        given: values by name, as values or as text.

    Raises:
        DecoderError: an option that is not in ``schema``, or a value that isn't allowed.
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
    """Return a checked integer option with its type narrowed for mypy; TypeError for anything else."""
    if not isinstance(value, int):
        raise TypeError(f"{value!r} isn't an integer")
    return value


def as_float(value: Value) -> float:
    """Return a checked number option with its type narrowed for mypy; TypeError for anything else."""
    if not isinstance(value, int | float):
        raise TypeError(f"{value!r} isn't a number")
    return float(value)


def canonical(name: str, schema: Mapping[str, Option], options: Mapping[str, Value]) -> str:
    """Return ``name:key=value,...`` with the options that differ from their default, keys sorted.

    Example:
        >>> schema = {"k": Option(default=9, doc="number of pixels")}
        >>> canonical("top-k", schema, {"k": 5}), canonical("top-k", schema, {"k": 9})
        ('top-k:k=5', 'top-k')
    """
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
