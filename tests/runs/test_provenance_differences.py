"""Tests of the differences between the provenance of two runs."""

from __future__ import annotations

import pytest

from nmebench.runs.provenance_differences import provenance_differences, source_differences
from nmebench.runs.run_record import Provenance, SourceRecord

NET = SourceRecord(
    name="net",
    used_by=["model net"],
    distribution="net",
    version="1.0",
    sha256="a" * 64,
    requirements={"numpy": "2.0 11"},
    git_commit="c" * 40,
    git_dirty=False,
)
FOLDER = SourceRecord(name="working directory", git_commit="e" * 40, git_dirty=False)
OLD = Provenance(nmebench="0.1", code_sha256="0" * 64, git_commit="1" * 40, plugins=[NET, FOLDER], python="3.11.1")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"sha256": "b" * 64}, "other source (version 1.0, commit cccccccccccc, files aaa", id="files"),
        pytest.param({"git_commit": "d" * 40}, "other version or commit of the same source files", id="commit"),
        pytest.param({"git_dirty": True}, "with uncommitted changes", id="dirty"),
        pytest.param({"version": "1.1"}, "version 1.1", id="version"),
        pytest.param({"requirements": {"numpy": "2.1 22"}}, "requirements: numpy 2.0 11 / 2.1 22", id="requirement"),
    ],
)  # fmt: skip
def test_every_field_of_a_plugin_is_compared(changes, expected):
    (found,) = source_differences([NET], [NET.model_copy(update=changes)])
    assert found.startswith("plug-in net (model net): ")
    assert expected in found


def test_working_directory_and_plugins_of_one_run_only():
    moved = FOLDER.model_copy(update={"git_commit": "f" * 40})
    found = source_differences([NET, FOLDER], [moved])
    assert found[0].startswith("plug-in net (model net): in one of the runs only (version 1.0, commit cccccccccccc")
    assert found[1] == (
        "working directory: other version or commit of the same source files (commit eeeeeeeeeeee / commit "
        "ffffffffffff)"
    )


def test_equal_provenance_has_no_difference():
    other = OLD.model_copy(update={"threads": 7, "host": {"processor": "x"}, "command": ["nmebench"], "seed": 3})
    assert provenance_differences(OLD, other) == []


def test_code_python_and_packages():
    new = OLD.model_copy(
        update={"code_sha256": "9" * 64, "git_dirty": True, "python": "3.12.0", "packages": {"torch": "2.7"}}
    )
    assert provenance_differences(OLD, new) == [
        "other packages: torch none / 2.7",
        "other Python: 3.11.1 / 3.12.0",
        "other code of nmebench: 111111111111 / 111111111111 with uncommitted changes",
    ]
