"""``docs/tools/release_check.py`` finds every file that disagrees with the version."""

from __future__ import annotations

from pathlib import Path

import pytest
import release_check

FILES = {
    "pyproject.toml": '[project]\nversion = "1.2.0"\n',
    "CITATION.cff": "version: 1.2.0\n",
    "CHANGELOG.md": "# Changelog\n\n## [Unreleased]\n\n## [1.2.0] - 2026-01-31\n\n- New.\n\n## [1.1.0] - 2026-01-01\n",
}


@pytest.mark.parametrize(
    ("file", "before", "after", "expected"),
    [
        pytest.param("CITATION.cff", "1.2.0", "1.1.0", "CITATION.cff: version 1.1.0", id="citation"),
        pytest.param("CHANGELOG.md", "[1.2.0]", "[1.3.0]", "no section [1.2.0]", id="no section"),
        pytest.param("CHANGELOG.md", " - 2026-01-31", "", "has no date", id="no date"),
        pytest.param("CHANGELOG.md", "[Unreleased]\n", "[Unreleased]\n\n- Later.\n", "isn't empty", id="unreleased"),
        pytest.param("CHANGELOG.md", "## [Unreleased]\n\n", "", "the first sections must be", id="no unreleased"),
        pytest.param("pyproject.toml", "1.2.0", "1.2.1", "CITATION.cff: version 1.2.0", id="version"),
    ],
)
def test_disagreements(tmp_path: Path, file: str, before: str, after: str, expected: str) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    assert release_check.problems(tmp_path) == []
    (tmp_path / file).write_text(FILES[file].replace(before, after))
    assert any(expected in problem for problem in release_check.problems(tmp_path))
