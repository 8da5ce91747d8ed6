"""The decoder contract as a pytest plug-in for authors of decoders.

Enable it in the ``conftest.py`` at the root of the test suite; pytest does not load it otherwise::

    pytest_plugins = ["nmebench.decoders.pytest_plugin"]

A test that uses the fixture ``decoder_check`` then runs once for each check of each decoder that its mark names, or of
every registered decoder if the mark has no arguments::

    @pytest.mark.decoder_contract("my-decoder", "my-decoder:power=2")
    def test_contract(decoder_check):
        decoder_check()

This module imports neither torch nor numpy until a test uses the fixture.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

__all__ = ["decoder_check", "pytest_configure", "pytest_generate_tests"]

MARK = "decoder_contract"


def pytest_configure(config: pytest.Config) -> None:
    """Register the mark."""
    config.addinivalue_line(
        "markers", f"{MARK}(*specs): decoders that `decoder_check` tests; without arguments all registered ones"
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrize tests that use ``decoder_check`` over decoders and checks."""
    if "decoder_check" not in metafunc.fixturenames:
        return
    from nmebench.decoders import names
    from nmebench.decoders.contract import CHECKS

    mark = metafunc.definition.get_closest_marker(MARK)
    specs = mark.args if mark and mark.args else names()
    cases = [pytest.param((spec, check), id=f"{spec}-{check}") for spec in specs for check in CHECKS]
    metafunc.parametrize("decoder_check", cases, indirect=True)


@pytest.fixture
def decoder_check(request: pytest.FixtureRequest) -> Callable[[], str]:
    """A function that runs one check of one decoder and returns its measurement as text.

    It raises ContractError where the decoder fails the check, and skips the test, with the reason, where the check
    cannot run on this machine or the decoder is exempt from it.
    """
    spec, name = request.param

    def run() -> str:
        from nmebench.decoders.contract import CheckSkipped, run_check

        try:
            return run_check(spec, name)
        except CheckSkipped as reason:
            pytest.skip(str(reason))

    return run
