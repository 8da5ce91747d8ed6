"""Files of a history: stable bytes, merging, and damaged content."""

from __future__ import annotations

import json
import os
from itertools import permutations

import numpy as np
import pytest

from nmebench import history
from nmebench.errors import InputError
from nmebench.history.collect import machine_of
from nmebench.history.entry import entry_name, read_entry

CELL = ("net", "dark", "none", "landmarks")
OTHER = ("net", "argmax", "none", "landmarks")
SHA = "0123456789abcdef0123456789abcdef01234567"


def stored(run, sha=SHA, *, dirty=False, host=None):
    provenance = run.record.provenance.model_copy(
        update={
            "git_commit": sha,
            "git_dirty": dirty,
            "host": host or {"processor": "A CPU @ 2 GHz", "system": "Linux"},
        }
    )
    object.__setattr__(run, "record", run.record.model_copy(update={"provenance": provenance}))
    return run


@pytest.fixture
def run(make_run):
    return stored(make_run({CELL: 4.0}))


def entry_of(run, nowhere, **options):
    return history.entry_of(run, repository=nowhere, **{"time": 1_700_000_000, **options})


def test_an_entry_has_the_scores_of_the_run(run, nowhere):
    entry = entry_of(run, nowhere)
    (found,) = entry.runs
    (cell,) = found.cells.values()
    rows = {row["subset"]: row for row in run.score_rows()}
    assert set(cell.nme) == {"test", "pose", "blur"}
    for subset, mean in cell.nme.items():
        assert mean.nme == pytest.approx(rows[subset]["nme"], abs=5e-7)
        assert mean.low == pytest.approx(rows[subset]["nme_low"], abs=5e-7)
    assert (entry.commit, entry.dirty, entry.time) == (SHA, False, 1_700_000_000)
    assert found.counts == {"test": 60, "pose": 15, "blur": 20}


def test_two_adds_give_the_same_bytes(run, nowhere, tmp_path):
    paths = [history.write_entry(tmp_path / "h", history.merged(tmp_path / "h", entry_of(run, nowhere)))]
    first = paths[0].read_bytes()
    paths.append(history.write_entry(tmp_path / "h", history.merged(tmp_path / "h", entry_of(run, nowhere))))
    assert paths[0] == paths[1]
    assert paths[1].read_bytes() == first
    assert [p.name for p in (tmp_path / "h").iterdir()] == [f"0123456789ab-{machine_of(run)}.json"]
    assert list(json.loads(first)) == sorted(json.loads(first))
    assert str(tmp_path).encode() not in first, "no path of this machine"


def test_the_order_of_adding_does_not_matter(make_run, nowhere, tmp_path):
    runs = [
        stored(make_run({CELL: 4.0}, name="a")),
        stored(make_run({OTHER: 5.0}, name="b")),
        stored(make_run({CELL: 4.0}, name="c", dataset="synthface")),
    ]
    entries = [entry_of(run, nowhere) for run in runs]
    texts = set()
    for order in permutations(entries):
        entry = order[0]
        for other in order[1:]:
            entry = entry.with_run(other.runs[0])
        texts.add(entry.text())
    assert len(texts) == 1


def test_a_cell_that_is_measured_again_replaces_its_numbers(make_run, nowhere, tmp_path):
    folder = tmp_path / "h"
    for name, nme in (("a", {CELL: 4.0, OTHER: 5.0}), ("b", {CELL: 6.0})):
        entry = history.merged(folder, entry_of(stored(make_run(nme, name=name)), nowhere))
        history.write_entry(folder, entry)
    (entry,) = history.read_entries(folder)
    cells = {name: cell.nme["test"].nme for run in entry.runs for name, cell in run.cells.items()}
    assert cells == {
        "net__dark__none__landmarks": pytest.approx(6.0),
        "net__argmax__none__landmarks": pytest.approx(5.0),
    }


class TestDirtyRuns:
    """A run with uncommitted changes doesn't describe its commit."""

    def test_is_refused(self, run, nowhere):
        with pytest.raises(InputError, match=r"was measured with uncommitted changes.*--allow-dirty"):
            entry_of(stored(run, dirty=True), nowhere)
        assert entry_of(stored(run, dirty=True), nowhere, allow_dirty=True).dirty

    def test_a_clean_run_replaces_it_and_is_never_replaced(self, make_run, nowhere, tmp_path):
        dirty = entry_of(stored(make_run({CELL: 4.0, OTHER: 5.0}, name="a"), dirty=True), nowhere, allow_dirty=True)
        clean = entry_of(stored(make_run({CELL: 6.0}, name="b")), nowhere)
        history.write_entry(tmp_path, dirty)
        assert history.merged(tmp_path, clean) == clean
        history.write_entry(tmp_path, clean)
        with pytest.raises(InputError, match="holds a run without uncommitted changes"):
            history.merged(tmp_path, dirty)


def test_a_run_without_a_commit_or_time(make_run, nowhere):
    run = make_run({CELL: 4.0})
    with pytest.raises(InputError, match=r"stores no commit.*give --commit and --time"):
        entry_of(run, nowhere)
    assert entry_of(run, nowhere, commit="abcdef0").commit == "abcdef0"
    with pytest.raises(InputError, match=r"not in the repository.*give --time"):
        entry_of(run, nowhere, commit="abcdef0", time=None)
    with pytest.raises(InputError, match="--commit 'main': must be 7 to 64 lower-case hexadecimal"):
        entry_of(run, nowhere, commit="main")


def test_a_diverged_cell_is_marked(make_run, nowhere, small_faces):
    nme = np.full(len(small_faces), 4.0)
    nme[3] = 1e6
    (run,) = entry_of(stored(make_run({CELL: nme})), nowhere).runs
    assert [cell.diverged for cell in run.cells.values()] == ["diverged on 1 face"]


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ({"processor": "AMD EPYC 9354 32-Core", "system": "Linux x86_64"}, "amd-epyc-9354-32-core-linux-x86_64-"),
        ({"processor": "../../etc/passwd\x00", "system": ""}, "etc-passwd-"),
        ({"processor": "芯片", "system": ""}, "unknown-"),
        ({}, "unknown-"),
    ],
)
def test_names_of_machines_are_file_names(run, host, name):
    found = machine_of(stored(run, host=host or {"processor": ""}))
    assert found.startswith(name)
    assert history.check_machine(found) == found


@pytest.mark.parametrize("name", ["", "A", "a/b", "..", "-a", "a" * 81, "a b"])
def test_wrong_names_of_machines(name):
    with pytest.raises(InputError, match="--machine"):
        history.check_machine(name)


def _first_mean(raw):
    (cell,) = raw["runs"][0]["cells"].values()
    return cell["nme"]["test"]


class TestDamagedFiles:
    """A damaged file is one line that names it and the way out."""

    @pytest.fixture
    def path(self, entry, tmp_path):
        made = entry(0, {"net dark": {"test": 4.0}})
        return history.write_entry(tmp_path, made)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            pytest.param(lambda raw: raw.update(schema_version=2), "schema_version", id="version"),
            pytest.param(lambda raw: raw.update(extra=1), "extra", id="unknown-field"),
            pytest.param(lambda raw: raw.update(commit="../../x"), "commit", id="commit"),
            pytest.param(lambda raw: raw.update(machine="a/b"), "machine", id="machine"),
            pytest.param(lambda raw: raw.update(time=-1), "time", id="time"),
            pytest.param(lambda raw: raw.update(time=10**40), "time", id="late"),
            pytest.param(lambda raw: raw.update(time=2**40), "time", id="after-the-year-9999"),
            pytest.param(lambda raw: _first_mean(raw).update(nme=1e200), "nme", id="square-overflows"),
            pytest.param(lambda raw: _first_mean(raw).update(nme=-1), "nme", id="negative"),
            pytest.param(lambda raw: raw["runs"][0].update(faces=0), "faces", id="faces"),
            pytest.param(lambda raw: raw.update(commit="f" * 40), "must be called", id="another-name"),
        ],
    )
    def test_fields(self, path, change, message):
        raw = json.loads(path.read_text())
        change(raw)
        path.write_text(json.dumps(raw))
        with pytest.raises(InputError, match=message) as error:
            read_entry(path)
        assert str(error.value).endswith("restore it from version control")
        assert "\n" not in str(error.value)

    @pytest.mark.parametrize(
        "content",
        [b"", b"{", b"[" * 100_000, b"\xff\xfe{", b'{"time": NaN}', b"<<<<<<< HEAD\n{}\n=======\n{}\n>>>>>>> x\n"],
        ids=["empty", "cut", "nested", "utf-16", "nan", "conflict"],
    )
    def test_content(self, path, content):
        path.write_bytes(content)
        with pytest.raises(InputError, match="restore it from version control"):
            history.read_entries(path.parent)

    def test_a_byte_order_mark_is_read(self, path):
        before = read_entry(path)
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
        assert read_entry(path) == before

    def test_a_pipe(self, path):
        path.unlink()
        os.mkfifo(path)
        with pytest.raises(InputError, match="not a regular file"):
            history.read_entries(path.parent)

    def test_folders(self, tmp_path):
        with pytest.raises(InputError, match="no such folder; add a run with"):
            history.read_entries(tmp_path / "none")
        (tmp_path / "readme.txt").write_text("")
        with pytest.raises(InputError, match="has no entry"):
            history.read_entries(tmp_path)


def test_entries_of_two_branches_merge_in_git(entry, tmp_path):
    """Each commit has a file of its own, so two branches never change the same file."""
    names = {entry_name(e.commit, e.machine) for e in (entry(i, {"n d": {"test": 4.0}}, machine=m)
             for i in range(3) for m in ("a", "b"))}  # fmt: skip
    assert len(names) == 6


def test_scores_at_other_thresholds_are_added(entry):
    """A run that is scored again at another threshold keeps FR and AUC at the first; another NME replaces them."""
    first = entry(1, {"net-a dark": {"test": 4.0}})
    (run,) = first.runs
    ((name, cell),) = run.cells.items()

    def again(nme):
        means = {"test": cell.nme["test"].model_copy(update={"nme": nme})}
        changed = cell.model_copy(update={"nme": means, "rates": {"fr8": {"test": 2.0}}})
        return first.with_run(run.model_copy(update={"cells": {name: changed}})).runs[0].cells[name].rates

    assert again(4.0) == {**cell.rates, "fr8": {"test": 2.0}}
    assert again(4.1) == {"fr8": {"test": 2.0}}
