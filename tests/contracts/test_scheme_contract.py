"""The contract of landmark schemes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nmebench.contracts import scheme_contract
from nmebench.contracts.result import run
from nmebench.errors import InputError
from nmebench.geometry.scheme import Normaliser, load, names


@pytest.mark.parametrize("name", names())
def test_every_known_scheme_passes(name: str) -> None:
    results = scheme_contract.run_checks(name)
    assert [result.check for result in results] == list(scheme_contract.CHECKS)
    assert {result.outcome for result in results} == {"passed"}, results


def _failed(scheme: object) -> list[str]:
    return [result.check for result in run(scheme_contract.CHECKS, scheme) if result.outcome == "failed"]  # type: ignore[arg-type]


def test_each_fault_fails_its_check() -> None:
    scheme = load("cofw29")
    assert _failed(scheme) == []
    assert "the flip is an involution" in _failed(replace(scheme, flip=np.roll(np.arange(29), 1)))
    assert _failed(replace(scheme, flip=np.arange(29))) == ["the flip exchanges landmarks"]
    one_sided = {**scheme.normalisers, "eye": Normaliser("distance", (8,), (10,), "ours")}
    assert _failed(replace(scheme, normalisers=one_sided)) == ["mirrored faces have the same normalisers"]
    groups = {**scheme.groups, "more": (0,)}
    assert "the groups are a partition" in _failed(replace(scheme, groups=groups))


def test_a_file_is_checked_and_must_have_a_name_of_its_own(tmp_path: Path) -> None:
    text = (
        'name = "two2"\npoints = 2\ndefault_normaliser = "width"\nflip = { pairs = [[0, 1]] }\n'
        "groups = { eyes = [0, 1] }\n"
        'normalisers.width = { kind = "distance", first = [0], second = [1], source = "ours" }\n'
    )
    file = tmp_path / "two.toml"
    file.write_text(text)
    assert {result.outcome for result in scheme_contract.run_checks(str(file))} == {"passed"}
    file.write_text(text.replace("two2", "cofw29"))
    with pytest.raises(InputError, match="the scheme's name 'cofw29' belongs to another scheme"):
        scheme_contract.run_checks(str(file))
    with pytest.raises(InputError, match="unknown scheme 'cofw'"):
        scheme_contract.run_checks("cofw")
