"""The commit that a run measured: that of the working directory, else nmebench's own."""

from __future__ import annotations

import pytest

from nmebench.runs.run_commit import Commit, run_commit
from nmebench.runs.run_record import Provenance, SourceRecord

OWN = {"git_commit": "a" * 40, "git_dirty": False}
WORKING = SourceRecord(name="working directory", git_commit="b" * 40, git_dirty=True)


@pytest.mark.parametrize(
    ("plugins", "own", "expected"),
    [
        pytest.param([WORKING], OWN, Commit("b" * 40, dirty=True), id="both"),
        pytest.param([], OWN, Commit("a" * 40, dirty=False), id="own"),
        pytest.param([SourceRecord(name="working directory")], OWN, Commit("a" * 40, dirty=False), id="untracked"),
        pytest.param([SourceRecord(name="a", git_commit="c" * 40)], {}, None, id="plug-in"),
        pytest.param([], {}, None, id="none"),
    ],
)
def test_commit(plugins, own, expected):
    assert run_commit(Provenance(nmebench="0", plugins=plugins, **own)) == expected
