"""Series and steps of whole histories."""

from __future__ import annotations

import subprocess

import pytest
from load_module import load_module

from nmebench.errors import InputError
from nmebench.history import Repository, bisect, causes_of, trend

synthetic = load_module("history/synthetic.py")
SUBSETS, commit = synthetic.SUBSETS, synthetic.commit


UP, DOWN = 10, 20
PLANTED = [(UP, "net-a", "occlusion", 0.05), (DOWN, "net-a", "occlusion", -0.05)]


def found_steps(entries, repository):
    return [
        (series.cell.split("__")[0], series.subset, step.step.index, step.step.size)
        for series in trend(entries, repository).series
        for step in series.steps
    ]


@pytest.mark.parametrize("seed", range(8))
def test_two_planted_steps_are_found(noisy, nowhere, seed):
    """0.05 points in one subset, 30 commits, every commit retrained: the standard deviation of occlusion is 0.012.

    The place may be wrong by one commit, because the noise of a commit can move its value to the other side.
    """
    found = found_steps(noisy(seed, steps=PLANTED), nowhere)
    assert {model for model, *_ in found} == {"net-a"}
    occlusion = [(index, size) for _, subset, index, size in found if subset == "occlusion"]
    assert {round((index - UP) / (DOWN - UP)) for index, _ in occlusion} == {0, 1}
    for _, _, index, size in found:
        assert abs(index - (UP if size > 0 else DOWN)) <= 1
        assert 0.01 < abs(size) < 0.07


def test_no_step_is_invented_in_fifty_quiet_histories(noisy, nowhere):
    assert [seed for seed in range(1000, 1050) if found_steps(noisy(seed), nowhere)] == []


def test_the_same_weights_need_no_estimate_of_the_noise(entry, nowhere):
    means = [4.0, 4.0, 4.0, 4.02]
    entries = [entry(i, {"net dark": {"test": m, "pose": 7.0}}, weights="w") for i, m in enumerate(means)]
    (step,) = [s for series in trend(entries, nowhere).series for s in series.steps]
    assert (step.before.commit, step.after.commit) == (commit(2), commit(3))
    entries = [entry(i, {"net dark": {"test": m}}, weights=f"w{i}") for i, m in enumerate(means)]
    assert not trend(entries, nowhere).steps
    entries = [entry(i, {"net dark": {"test": m}}) for i, m in enumerate(means)]
    assert not trend(entries, nowhere).steps, "unknown weights are not equal weights"


def test_another_protocol_begins_another_series(entry, nowhere):
    """A cell whose crop changed is not comparable; the difference is no step."""
    first = [entry(i, {"net dark": {"test": 4.0}}, weights="w") for i in range(3)]
    other = {"settings": {"box padding": "1.28"}}
    second = [entry(i, {"net dark": {"test": 5.0}}, weights="w", cell=other) for i in range(3, 6)]
    found = trend([*first, *second], nowhere)
    assert [len(series.points) for series in found.series] == [3, 3]
    assert not found.steps


@pytest.mark.parametrize("field", ["faces_sha256", "normaliser", "scheme", "dataset"])
def test_other_faces_begin_another_series(entry, nowhere, field):
    entries = [entry(i, {"net dark": {"test": 4.0 + (i > 2)}}, weights="w") for i in range(6)]
    for i in range(3, 6):
        run = entries[i].runs[0].model_copy(update={field: "x"})
        entries[i] = entries[i].model_copy(update={"runs": (run,)})
    found = trend(entries, nowhere)
    assert len(found.series) == 2
    assert not found.steps


def test_diverged_cells_are_no_points(entry, nowhere):
    entries = [entry(i, {"net dark": {"test": 4.0}}, weights="w") for i in range(4)]
    entries[2] = entry(2, {"net dark": {"test": 1e6}}, weights="w", cell={"diverged": "diverged on 1 face"})
    found = trend(entries, nowhere)
    assert [len(series.points) for series in found.series] == [3]
    assert found.diverged == ((commit(2), "net__dark__none__landmarks", "diverged on 1 face"),)
    assert not found.steps


def test_machines_of_one_commit_are_averaged(entry, nowhere):
    entries = [
        entry(i, {"net dark": {"test": 4.0 + 1e-6 * (machine == "b")}}, weights="w", machine=machine)
        for i in range(3)
        for machine in ("a", "b")
    ]
    (series,) = trend(entries, nowhere).series
    assert [point.machines for point in series.points] == [("a", "b")] * 3
    assert series.points[0].nme == pytest.approx(4.0000005, abs=1e-9)
    assert trend(entries, nowhere, machine="a").series[0].points[0].nme == 4.0


def test_subsets_have_the_order_of_tables(noisy, nowhere):
    series = trend(noisy(0, commits=2), nowhere).series
    assert [s.subset for s in series[: len(SUBSETS)]] == list(SUBSETS)


@pytest.fixture
def repository(tmp_path):
    """A repository whose clock runs backwards: the order of the commits is that of their parents, not of time."""
    folder = tmp_path / "repository"
    folder.mkdir()

    def git(*arguments, time=0):
        date = f"{1_700_000_000 - 1000 * time} +0000"
        environment = {
            "GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date, "PATH": "/usr/bin:/bin:/usr/local/bin",
            "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null",
        }  # fmt: skip
        command = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b", *arguments]
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "-q")
    commits = []
    for number in range(6):
        git("commit", "-q", "--allow-empty", "-m", f"change {number}\x1b[31m", time=number)
        commits.append(git("rev-parse", "HEAD"))
    return Repository(folder), commits


def measured(entry, commits, values):
    """Entries of some commits of a repository."""
    return [
        entry(i, {"net dark": {"test": value}}, weights="w").model_copy(
            update={"commit": commits[i], "time": 1_700_000_000 - 1000 * i}
        )
        for i, value in values.items()
    ]


def test_order_is_that_of_the_repository(entry, repository):
    git, commits = repository
    entries = measured(entry, commits, {5: 4.0, 0: 4.0, 3: 4.0})
    assert trend(entries, git).commits == (commits[0], commits[3], commits[5])


def test_unknown_commits_are_placed_by_time(entry, repository, nowhere):
    git, commits = repository
    entries = measured(entry, commits, {0: 4.0, 1: 4.0})
    stranded = entries[0].model_copy(update={"commit": "f" * 40, "time": 0})
    assert trend([*entries, stranded], git).commits == ("f" * 40, commits[0], commits[1])
    assert trend(entries, nowhere).commits == (commits[1], commits[0])


def test_bisect_names_the_commits_between(entry, repository):
    git, commits = repository
    entries = measured(entry, commits, {0: 4.0, 1: 4.0, 4: 4.1, 5: 4.1})
    lines = bisect(trend(entries, git), git, "net*")
    assert lines[0] == f"between {commits[1][:12]} and {commits[4][:12]}:"
    assert "test: NME 4.0000 -> 4.1000 %, +0.1000 points" in lines[1]
    assert lines[2] == f"  one of 3 commits; measure {commits[3][:12]} next:"
    assert [line.split()[0] for line in lines[3:]] == [c[:12] for c in commits[2:5]]
    assert not any("\x1b" in line for line in lines)


def test_bisect_names_one_commit_and_what_else_changed(entry, repository):
    git, commits = repository
    entries = measured(entry, commits, {0: 4.0, 1: 4.1})
    run = entries[1].runs[0].model_copy(update={"code_sha256": "2" * 64, "packages": {"torch": "2.7.0"}})
    entries[1] = entries[1].model_copy(update={"runs": (run,)})
    lines = bisect(trend(entries, git), git, "net__dark__none__landmarks", "test")
    assert lines[2:] == [
        "  also changed: other code of nmebench",
        "  also changed: torch 2.6.0 to 2.7.0",
        "  the commit:",
        f"    {commits[1][:12]} change 1\\x1b[31m",
    ]


def test_bisect_without_a_step_and_with_wrong_names(entry, repository):
    git, commits = repository
    found = trend(measured(entry, commits, {0: 4.0, 1: 4.0}), git)
    assert bisect(found, git, "*") == ["no step of * in 2 commits"]
    with pytest.raises(InputError, match="unknown cell 'nett__dark__none__landmarks'; did you mean"):
        bisect(found, git, "nett__dark__none__landmarks")
    with pytest.raises(InputError, match="unknown subset 'pose'"):
        bisect(found, git, "*", "pose")


def test_causes_of_a_group_name_the_networks_that_only_some_steps_concern(nowhere, entry):
    """One network got other weights and both moved: the weights explain only one of the two steps."""
    entries = []
    for number in range(12):
        step = number >= 6
        made = entry(number, {"net-a dark": {"test": 5.0 + 0.2 * step}, "net-b dark": {"test": 4.0 + 0.5 * step}})
        (run,) = made.runs
        weights = {"net-a": "same", "net-b": f"weights {step}"}
        cells = {n: c.model_copy(update={"weights_sha256": weights[c.model]}) for n, c in run.cells.items()}
        packages = {"torch": f"2.{6 + step}"}
        run = run.model_copy(update={"cells": cells, "packages": packages})
        entries.append(made.model_copy(update={"runs": (run,)}))
    found = trend(entries, nowhere)
    assert len(found.steps) == 2
    assert set(causes_of(found.steps)) == {"torch 2.6 to 2.7", "other weights (net-b)"}
    assert {"  also changed: torch 2.6 to 2.7", "  also changed: other weights (net-b)"} <= set(
        bisect(found, nowhere, "*")
    )


def test_subsets_of_any_data_set_are_series(nowhere, entry):
    """300-W has common and challenging, a data set of one's own any names."""
    entries = [
        entry(number, {"net dark": {"challenging": 6.0 + 0.5 * (number >= 6), "test": 4.0}}, weights="same")
        for number in range(12)
    ]
    found = trend(entries, nowhere)
    assert [series.subset for series in found.series] == ["test", "challenging"]
    assert [(series.subset, step.step.index) for series, step in found.steps] == [("challenging", 6)]


def test_a_subset_of_another_size_begins_another_series(nowhere, entry):
    entries = []
    for number in range(12):
        made = entry(number, {"net dark": {"test": 4.0, "pose": 7.0 + 0.5 * (number >= 6)}}, weights="same")
        (run,) = made.runs
        counts = {**run.counts, "pose": 326 if number < 6 else 200}
        entries.append(made.model_copy(update={"runs": (run.model_copy(update={"counts": counts}),)}))
    found = trend(entries, nowhere)
    assert [(s.subset, s.count, len(s.points)) for s in found.series] == [
        ("test", 2500, 12), ("pose", 326, 6), ("pose", 200, 6),
    ]  # fmt: skip
    assert not found.steps
