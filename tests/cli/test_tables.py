"""``nmebench tables``: prints, writes, updates and checks."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
RUN = ROOT / "docs" / "results" / "synthface"
PAGE = ROOT / "docs" / "tables.md"
OPTIONS = ("--decoder", "dark", "--flip", "none", "--no-source")
README = "# A network\r\n\r\nText.\r\n<!-- nmebench:results -->\r\n<!-- /nmebench:results -->\r\nMore.\r\n"


@pytest.fixture
def readme(tmp_path):
    file = tmp_path / "README.md"
    file.write_bytes(README.encode())
    return file


def test_update_then_check(nmebench, readme):
    update = (RUN, *OPTIONS, "--update", readme)
    stale = nmebench("tables", *update, "--check")
    assert (stale.code, readme.read_bytes()) == (1, README.encode()), "--check writes nothing"
    assert "+| network | decoder |" in stale.out
    assert "the section results is stale; run the same command without --check" in stale.out
    assert nmebench("tables", *update).code == 0
    written = readme.read_bytes()
    assert written.startswith(README.encode().partition(b"\r\n<!-- /")[0])
    assert written.endswith(b"<!-- /nmebench:results -->\r\nMore.\r\n")
    assert b"\n" not in written.replace(b"\r\n", b"")
    fresh = nmebench("tables", *update, "--check")
    assert (fresh.code, "is up to date" in fresh.out) == (0, True)
    before = readme.stat()
    assert nmebench("tables", *update).code == 0
    assert readme.stat().st_mtime_ns == before.st_mtime_ns, "an unchanged file is not written"


def test_a_changed_number_is_stale(nmebench, readme):
    """The fault for which --check exists: somebody edits a number of the table by hand."""
    update = (RUN, *OPTIONS, "--update", readme)
    assert nmebench("tables", *update).code == 0
    good = readme.read_bytes()
    number = next(part for part in good.split(b" | ") if part.startswith(b"2."))
    readme.write_bytes(good.replace(number, b"1.999", 1))
    assert nmebench("tables", *update, "--check").code == 1
    assert nmebench("tables", *update).code == 0
    assert readme.read_bytes() == good


def test_our_readme_is_up_to_date(nmebench, load_noxfile, monkeypatch):
    monkeypatch.chdir(ROOT)
    tables = {("README.md", name): arguments for name, arguments in load_noxfile.README_TABLES.items()}
    for (file, section), arguments in (tables | load_noxfile.PAGE_TABLES).items():
        result = nmebench("tables", *arguments, "--update", file, "--section", section, "--check")
        assert (section, result.code) == (section, 0), result.out


@pytest.fixture
def load_noxfile():
    """The constants of noxfile.py, without nox."""
    from types import SimpleNamespace

    source = (ROOT / "noxfile.py").read_text(encoding="utf-8")
    names: dict[str, object] = {}
    exec(source[source.index("PUBLISHED =") : source.index("def _python_of")], names)
    return SimpleNamespace(**names)


def test_a_failed_write_leaves_the_document(nmebench, readme):
    if os.geteuid() == 0:
        pytest.skip("the superuser may write to every folder")
    readme.parent.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        assert nmebench("tables", RUN, *OPTIONS, "--update", readme).code == 2
        assert readme.read_bytes() == README.encode()
    finally:
        readme.parent.chmod(stat.S_IRWXU)


def test_a_linked_document_stays_a_link(nmebench, readme, tmp_path):
    link = tmp_path / "link.md"
    link.symlink_to(readme)
    assert nmebench("tables", RUN, *OPTIONS, "--update", link).code == 0
    assert link.is_symlink()
    assert b"| dark |" in readme.read_bytes()


def test_the_link_to_the_scores_is_relative_to_the_document(nmebench, tmp_path):
    run = tmp_path / "results" / "run"
    run.mkdir(parents=True)
    for name in ("run.json", "scores.csv"):
        (run / name).write_bytes((RUN / name).read_bytes())
    docs = tmp_path / "docs"
    docs.mkdir()
    for folder, link in ((tmp_path, "(results/run/scores.csv)"), (docs, None)):
        file = folder / "README.md"
        file.write_text("<!-- nmebench:a -->\n<!-- /nmebench:a -->\n")
        assert nmebench("tables", run, "--flip", "none", "--update", file, "--section", "a").code == 0
        assert (link in file.read_text()) if link else ("scores.csv" not in file.read_text())


def test_output_file(nmebench, tmp_path):
    file = tmp_path / "table.csv"
    assert nmebench("tables", RUN, *OPTIONS, "--format", "csv", "-o", file).code == 0
    assert file.read_text().startswith("network,decoder,test (500),test (500) low")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["--check"], "--check: needs --update FILE", id="check-alone"),
        pytest.param(["--update", "a.md", "-o", "b.md"], "give either --out or --update", id="both"),
        pytest.param(["--update", "a.md", "--format", "csv"], "a csv file has no markers", id="csv"),
        pytest.param(["--format", "markdown"], "--format: unknown value 'markdown'", id="format"),
        pytest.param(["--metric", "nmr"], "did you mean 'nme'", id="metric"),
        pytest.param(["--update", "missing.md"], "document missing.md is missing", id="missing"),
        pytest.param(["--update", "."], "document . is a folder", id="folder"),
    ],
)
def test_wrong_options(nmebench, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    result = nmebench("tables", RUN, *arguments)
    assert (result.code, message in result.error_line) == (2, True), result.err


def test_a_document_that_is_not_utf8(nmebench, readme):
    readme.write_bytes(b"ok\n\xff\n" + README.encode())
    assert "README.md:2: a byte is not UTF-8" in nmebench("tables", RUN, *OPTIONS, "--update", readme).error_line


def test_the_pre_commit_hook(nmebench, readme):
    """The hook's entry with the arguments of docs/tables.md; it updates the file, then passes."""
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert (hook["id"], hook["language"], hook["pass_filenames"]) == ("nmebench-tables", "python", False)
    program, *entry = hook["entry"].split()
    assert program == "nmebench"
    block = next(
        b for b in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL) if "rev:" in b
    )
    arguments = yaml.safe_load(block)["repos"][0]["hooks"][0]["args"]
    replaced = [{"results/net": RUN, "README.md": readme}.get(part, part) for part in arguments]
    before = readme.read_bytes()
    assert nmebench(*entry, *replaced).code == 0
    assert readme.read_bytes() != before
    assert "is up to date" in nmebench(*entry, *replaced).out
    assert all(
        re.search(hook["files"], name) for name in ("README.md", "results/net/run.json", "results/net/scores.csv")
    )
