"""``nmebench history``: add, report and bisect in a repository."""

from __future__ import annotations

import subprocess

import pytest

from nmebench.runs.run_store import Run

CELL = ("net", "dark", "none", "landmarks")


@pytest.fixture
def repository(tmp_path, monkeypatch):
    folder = tmp_path / "repository"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for name, value in (("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_SYSTEM", "/dev/null")):
        monkeypatch.setenv(name, value)
    git(folder, "init", "-q")
    return folder


def git(folder, *arguments):
    command = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def commit(folder, message):
    git(folder, "commit", "-q", "--allow-empty", "-m", message)
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def measured(make_run, repository):
    """A function that stores a run of the current commit, with the weights unchanged."""

    def make(name, nme):
        sha = commit(repository, name)
        run = make_run({CELL: nme}, name=f"repository/{name}", weights={"net": "1" * 64})
        provenance = run.record.provenance.model_copy(
            update={"git_commit": sha, "git_dirty": False, "host": {"processor": "cpu", "system": "os"}}
        )
        record = run.record.model_copy(update={"provenance": provenance})
        (run.path / "run.json").write_text(record.model_dump_json())
        (run.path / "report.html").write_text("")
        assert Run.open(run.path).record == record
        return run.path, sha

    return make


def test_add_report_and_bisect(nmebench, measured, repository):
    shas = []
    for name, nme in (("one", 4.0), ("two", 4.0), ("three", 4.1)):
        path, sha = measured(name, nme)
        shas.append(sha)
        added = nmebench("history", "add", path.relative_to(repository))
        assert added.code == 0, added.err
        assert f"of commit {sha[:12]}" in added.out
    files = sorted((repository / "history").iterdir())
    assert len(files) == 3
    before = [file.read_bytes() for file in files]
    assert nmebench("history", "add", "one").code == 0
    assert [file.read_bytes() for file in sorted((repository / "history").iterdir())] == before

    report = nmebench("history", "report", "-o", "trend.html", "--commit-url", "https://example.org/{commit}")
    assert report.code == 0, report.err
    assert report.out.splitlines()[0] == "history: 3 commits, 3 series, 3 steps at 1 commit"
    page = (repository / "trend.html").read_text(encoding="utf-8")
    assert '<a href="two/report.html">run before</a>' in page
    assert '<a href="three/report.html">run after</a>' in page
    assert f"https://example.org/{shas[2]}" in page

    found = nmebench("history", "bisect", "net*", "--subset", "test")
    assert found.code == 0
    assert f"between {shas[1][:12]} and {shas[2][:12]}:" in found.out
    assert f"    {shas[2][:12]} three" in found.out


def test_a_name_for_the_machine(nmebench, measured, repository):
    path, sha = measured("one", 4.0)
    assert nmebench("history", "add", path, "--machine", "ci", "--to", "h").code == 0
    assert [file.name for file in (repository / "h").iterdir()] == [f"{sha[:12]}-ci.json"]
    assert nmebench("history", "report", "h", "--machine", "ci", "-o", "x.html").code == 0
    wrong = nmebench("history", "report", "h", "--machine", "co", "-o", "x.html")
    assert (wrong.code, "unknown machine 'co'; did you mean 'ci'" in wrong.error_line) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["report", "none"], "history none: no such folder"),
        (["report", "-o", "no/x.html"], "the folder no is missing"),
        (["report", "--commit-url", "ftp://x/{commit}"], "--commit-url 'ftp://x/{commit}': must begin with"),
        (["report", "--commit-url", "https://x/"], "must begin with https:// or http:// and hold {commit}"),
        (["add", "one", "--link", "javascript:alert(1)"], "--link 'javascript:alert(1)': must begin with"),
        (["add", "one", "--machine", "a/b"], "--machine 'a/b'"),
        (["add", "missing"], "no run here"),
        (["bisect", "x"], "history history: no such folder"),
    ],
)
def test_wrong_arguments(nmebench, measured, arguments, message):
    measured("one", 4.0)
    result = nmebench("history", *arguments)
    assert (result.code, message in result.error_line) == (2, True), result.err


def test_a_run_of_this_very_checkout_names_its_commit(nmebench, make_run, repository):
    run = make_run({CELL: 4.0}, name="repository/none")
    result = nmebench("history", "add", run.path)
    assert (result.code, "stores no commit" in result.error_line) == (2, True)
