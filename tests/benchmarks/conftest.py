"""The table of ratios that is printed after the benchmarks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session")
def ratios(request: pytest.FixtureRequest) -> Iterator[dict[tuple[str, int, int], float]]:
    """Collect seconds per face by (part, batch, threads); print them as ratios to amax and argmax at the end."""
    seconds: dict[tuple[str, int, int], float] = {}
    yield seconds
    reporter = request.config.pluginmanager.get_plugin("terminalreporter")
    if not seconds or reporter is None:
        return
    cells = sorted({(batch, threads) for _, batch, threads in seconds})
    with request.config.pluginmanager.get_plugin("capturemanager").global_and_fixture_disabled():
        reporter.write_line("")
        head = "".join(f"{f'batch {batch}, threads {threads}':>36}" for batch, threads in cells)
        reporter.write_line(f"{'CPU ms a face, x amax, x argmax':<34}{head}")
        for name in dict.fromkeys(name for name, _, _ in seconds):
            line = f"{name:<34}"
            for cell in cells:
                time, amax, argmax = (seconds.get((key, *cell)) for key in (name, "torch.amax", "argmax"))
                if time is None:
                    line += f"{'-':>36}"
                    continue
                to_amax = f"{time / amax:.2f}" if amax else "-"
                to_argmax = f"{time / argmax:.2f}" if argmax else "-"
                line += f"{time * 1e3:>20.3f}{to_amax:>8}{to_argmax:>8}"
            reporter.write_line(line)
