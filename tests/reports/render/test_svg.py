"""SVG of matplotlib figures."""

from __future__ import annotations

import re

from nmebench.reports.render import svg


def test_svg_is_deterministic_themed_and_has_its_own_ids() -> None:
    def draw() -> str:
        drawing, axes = svg.figure(3, 2)
        axes.plot([0, 1], [0, 1], color=svg.series(2), gid="cell-7")
        axes.set_xlabel("$a_b$ <c>")
        return svg.render(drawing, "one", title="A <title>", description="what & why")

    text = draw()
    assert text == draw()
    assert 'data-cell="7"' in text
    assert "var(--s2)" in text
    assert "#0102" not in text
    assert "$a_b$ &lt;c&gt;" in text
    assert "A &lt;title&gt;" in text
    assert all(found.startswith("one-") for found in re.findall(r' id="([^"]+)"', text))
    assert "date" not in text.lower()
