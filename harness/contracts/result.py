"""Results of contracts: what a data set or a box rule must fulfil, as a list of named checks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

from nmebench.errors import InputError

__all__ = ["CheckFailedError", "ContractResult", "run"]

Subject = TypeVar("Subject")


class CheckFailedError(AssertionError):
    """Raised where a check fails; the message describes the failure."""


@dataclass(frozen=True)
class ContractResult:
    """The outcome of one check."""

    check: str
    outcome: Literal["passed", "failed"]
    detail: str = ""
    """The measurement, or the failure."""


def run(checks: Mapping[str, Callable[[Subject], str]], subject: Subject) -> list[ContractResult]:
    """Run checks on a subject.

    Args:
        checks: by name, functions that return a measurement, or raise CheckFailedError or InputError.
        subject: the argument of every check.

    Returns:
        One result per check, in their order. Other exceptions are bugs and are not caught.

    Example:
        >>> run({"is even": lambda number: str(number // 2)}, 4)
        [ContractResult(check='is even', outcome='passed', detail='2')]
    """
    results = []
    for name, check in checks.items():
        try:
            results.append(ContractResult(name, "passed", check(subject)))
        except (CheckFailedError, InputError) as failure:
            results.append(ContractResult(name, "failed", str(failure)))
    return results
