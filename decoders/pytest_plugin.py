"""The contract as a pytest plugin, for authors of decoders; loaded by pytest's entry point, so it imports nothing.

A test that asks for ``decoder_check`` is run once for each check of each decoder that its mark names, or of every
registered decoder where the mark names none::

    @pytest.mark.decoder_contract("my-decoder", "my-decoder:power=2")
    def test_contract(decoder_check):
        decoder_check()
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

__all__ = ["decoder_check", "pytest_configure", "pytest_generate_tests"]

MARK = "decoder_contract"


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known."""
    config.addinivalue_line(
        "markers", f"{MARK}(*specs): the decoders whose contract `decoder_check` tests; all without"
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each decoder and check."""
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
    """Makes one check of one decoder; what was measured, in words. Skips with the reason where it can't be made."""
    spec, name = request.param

    def make() -> str:
        from nmebench.decoders.contract import Skipped, check

        try:
            return check(spec, name)
        except Skipped as reason:
            pytest.skip(str(reason))

    return make
