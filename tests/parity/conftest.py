"""The live peer: mmpose 1.3 with mmengine and mmcv-lite, and the table of the largest differences from it."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

SHOWN = 8
"""Number of near-singular landmarks per decoder that the table lists."""
ABSENT = "mmpose isn't installed here; `nox -s parity` installs it"


@pytest.fixture(scope="session")
def mmpose(mmdet_stand_in: None) -> SimpleNamespace:
    """The functions of mmpose that are compared with, unmodified."""
    codecs = pytest.importorskip("mmpose.codecs.utils", reason=ABSENT)
    from mmpose.datasets.transforms import TopdownAffine
    from mmpose.evaluation.functional import keypoint_nme
    from mmpose.models.utils.tta import flip_heatmaps
    from mmpose.structures.bbox import get_warp_matrix

    return SimpleNamespace(
        codecs=codecs,
        keypoint_nme=keypoint_nme,
        get_warp_matrix=get_warp_matrix,
        TopdownAffine=TopdownAffine,
        flip_heatmaps=flip_heatmaps,
    )


@dataclass
class Differences:
    """The comparisons: (number of values, largest difference, unit, listed exceptions)."""

    seed: int
    rows: dict[str, tuple[int, float, str]] = field(default_factory=dict)
    listed: dict[str, list[tuple[float, str]]] = field(default_factory=dict)
    """Landmarks over 1e-5 px by decoder: the difference, and where."""

    def add(self, what: str, number: int, largest: float, unit: str) -> None:
        """The largest difference of one comparison."""
        before = self.rows.get(what, (0, 0.0, unit))
        self.rows[what] = (before[0] + number, max(before[1], largest), unit)


@pytest.fixture(scope="session")
def differences(request: pytest.FixtureRequest) -> Iterator[Differences]:
    """A fresh seed (or PARITY_SEED) and, at the end, the table."""
    found = Differences(int(os.environ.get("PARITY_SEED", secrets.randbelow(2**31))))
    yield found
    reporter = request.config.pluginmanager.get_plugin("terminalreporter")
    capture = request.config.pluginmanager.get_plugin("capturemanager")
    if reporter is None or capture is None or not found.rows:
        return
    with capture.global_and_fixture_disabled():
        reporter.write_line(f"\nLargest differences from the live mmpose, PARITY_SEED={found.seed}")
        for what, (number, largest, unit) in found.rows.items():
            reporter.write_line(f"  {what:<44}{number:>9} values{largest:>12.3g} {unit}")
        for what, lines in found.listed.items():
            reporter.write_line(f"  {what}: {len(lines)} landmarks over 1e-5 px, near-singular Hessians; the largest:")
            for _, line in sorted(lines, reverse=True)[:SHOWN]:
                reporter.write_line(f"    {line}")
