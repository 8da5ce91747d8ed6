"""Results of contracts."""

from __future__ import annotations

import pytest

from nmebench.contracts.result import CheckFailedError, ContractResult, run
from nmebench.errors import InputError


def _fail(subject: object) -> str:
    raise CheckFailedError(f"{subject} is wrong")


def _refuse(subject: object) -> str:
    raise InputError(f"{subject} can't be read")


def test_failures_and_refusals_are_results() -> None:
    assert run({"good": str, "bad": _fail, "refused": _refuse}, 3) == [
        ContractResult("good", "passed", "3"),
        ContractResult("bad", "failed", "3 is wrong"),
        ContractResult("refused", "failed", "3 can't be read"),
    ]


def test_a_bug_of_a_check_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        run({"bug": lambda subject: str(1 / subject)}, 0)
