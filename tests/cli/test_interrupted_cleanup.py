"""An error while a command cleans up after a signal is reported as the interruption that caused it."""

from __future__ import annotations

import os
import signal
import time

import pytest

from nmebench.cli import entry


def test_error_that_a_signal_caused_is_an_interruption(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Cleaning up may fail where the signal interrupted an import, for example of torch."""

    def command(**_: object) -> int:
        try:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(5)
        finally:
            raise AttributeError("partially initialized module")

    monkeypatch.setattr(entry, "app", command)
    monkeypatch.setattr(command, "registered_groups", [], raising=False)
    assert entry.main(["train"]) == 130
    assert capsys.readouterr().err == "nmebench: interrupted; run the same command again to resume\n"
