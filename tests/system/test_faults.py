"""Faults of the system: signals, locks, full and read-only disks, no home folder, little memory, a wrong clock."""

from __future__ import annotations

import hashlib
import json
import resource
import signal
import time

import pytest

SIGNALS = [
    pytest.param(signal.SIGINT, 130, id="SIGINT"),
    pytest.param(signal.SIGTERM, 143, id="SIGTERM"),
]


def sweep(world, out, *, data=None):
    return ("run", "--data", f"wflw:{data or world.data}", "--model", world.card, "--engine", "torch", "--batch-size",
            "4", "--threads", "1", "--decoder", "dark", "--decoder", "argmax", "-o", out)  # fmt: skip


def sweeping(world, start, until, out):
    """Start a sweep and wait until it has stored its first batch."""
    running = start(*sweep(world, out, data=world.many))
    running.wait_for(r"of 96")
    until(lambda: list((out / ".work").rglob("*.batch")))
    return running


def test_signal_during_the_sweep(world, start, until, row, tmp_path):
    ended = sweeping(world, start, until, tmp_path / "out").end(signal.SIGINT)
    assert ended.code == 130
    assert "run the same command again to resume" in ended.line
    row("SIGINT during a sweep", ended)
    assert not (tmp_path / "out" / "run.json").exists()


@pytest.mark.slow
@pytest.mark.parametrize(("sent", "code"), SIGNALS)
def test_resumed_sweep_equals_an_uninterrupted_one(world, start, until, cli, row, tree, tmp_path, sent, code):
    out, whole = tmp_path / "out", tmp_path / "whole"
    ended = sweeping(world, start, until, out).end(sent)
    assert ended.code == code
    assert "run the same command again to resume" in ended.line
    if sent is signal.SIGTERM:
        row("SIGTERM during a sweep", ended)
    again = cli(*sweep(world, out, data=world.many))
    assert again.code == 0, again.err
    assert cli(*sweep(world, whole, data=world.many)).code == 0
    ignored = {"timings.json", "run.json"}
    assert {k: v for k, v in tree(out).items() if k not in ignored} == {
        k: v for k, v in tree(whole).items() if k not in ignored
    }


@pytest.mark.slow
@pytest.mark.parametrize(("sent", "code"), SIGNALS)
def test_signal_at_any_moment(world, start, tmp_path, sent, code):
    """A signal at any moment gives one line and the exit code, and never leaves a partial run.

    While libraries are imported, and after the command has ended, Python's handlers are not installed. The signal then
    ends the process directly, which a shell shows as the same code (128 + number).
    """
    done = plain = 0
    for number, delay in enumerate([0.1, 0.2, 0.4, 0.8, 1.2, 1.6, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 8.0, 10.0]):
        out = tmp_path / f"out{number}"
        running = start(*sweep(world, out))
        time.sleep(delay)
        ended = running.end(sent if running.process.poll() is None else None)
        if ended.code == 0:
            done += 1
            assert (out / "run.json").exists()
        elif ended.code == -sent:
            plain += 1
        else:
            assert ended.code == code, (delay, ended)
            assert "run the same command again to resume" in ended.line, (delay, ended)
            assert not (out / "run.json").exists()
    assert plain <= 3
    assert done < 15


@pytest.mark.parametrize(("sent", "code"), SIGNALS)
def test_signal_during_a_download(play, server, start, until, cli, row, world, tmp_path, sent, code):
    data = world.weights
    card = _card(play, server, tmp_path, data, play.serve(data, stall_at=20_000_000), play.serve(data))
    running = start("data", "fetch", card, "--accept-licence")
    running.wait_for(r"tiny-\w+_20210125\.pth")
    part = until(lambda: list((tmp_path / "cache/downloads").glob("*.part")))[0]
    until(lambda: part.stat().st_size > 1_000_000)
    ended = running.end(sent)
    assert ended.code == code
    assert "run the same command again to resume" in ended.line
    row(f"{sent.name} during a download", ended)
    assert part.stat().st_size > 1_000_000
    ended = cli("data", "fetch", card, "--accept-licence")
    assert ended.code == 0, ended.err
    assert int(server.log[-1][1]["Range"].removeprefix("bytes=").rstrip("-")) > 1_000_000
    (placed,) = (tmp_path / "cache/weights").iterdir()
    assert placed.read_bytes() == data


def _card(play, server, tmp_path, data, *steps):
    """A card with weights on the local server, in a file whose name contains the first digits of its hash."""
    name = f"tiny-{hashlib.sha256(data).hexdigest()[:8]}_20210125.pth"
    url = server.on(f"/{name}", *steps)
    card = tmp_path / "tiny.toml"
    card.write_text(
        f'name = "tiny"\narchitecture = "hrnetv2-w18"\nlicence = "for tests"\nweights = {{ url = "{url}" }}\n'
        '[input]\nsize = [64, 64]\n[test]\ndecoder = "dark"\n'
    )
    return card


@pytest.mark.slow
def test_two_runs_in_one_folder(world, start, until, cli, row, tmp_path):
    out = tmp_path / "out"
    first = sweeping(world, start, until, out)
    first.process.send_signal(signal.SIGSTOP)  # so that it can't finish before the second one starts
    second = cli(*sweep(world, out, data=world.many))
    assert second.code == 2
    assert "another nmebench is writing there" in second.line
    row("two runs in one folder", second)
    first.process.send_signal(signal.SIGCONT)
    assert first.end(signal.SIGTERM).code == 143


@pytest.mark.slow
def test_full_disk(world, cli, row, small_disk):
    disk = small_disk("64k")
    ended = cli(*sweep(world, disk / "out"))
    assert ended.code == 2
    assert "No space left on device" in ended.line
    row("the disk is full during a sweep", ended)
    assert not (disk / "out" / "run.json").exists()


def test_full_disk_during_a_download(play, server, cli, row, world, small_disk, tmp_path):
    disk = small_disk("1m")
    card = _card(play, server, tmp_path, world.weights, play.serve(world.weights, chunked=True))
    ended = cli("data", "fetch", card, "--accept-licence", env={"NMEBENCH_CACHE": str(disk)})
    assert ended.code == 2
    assert "No space left on device" in ended.line
    row("the disk is full during a download", ended)
    assert not list(disk.glob("weights/*"))


def test_file_size_limit(world, cli, row, tmp_path):
    """Simulates a quota: no file may grow beyond 2 KB."""
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2048, 2048))  # noqa: E731
    ended = cli(*sweep(world, tmp_path / "out"), preexec_fn=limit)
    assert ended.code == 2
    assert "File too large" in ended.line
    row("files may not grow (a limit or a quota)", ended)
    assert not (tmp_path / "out" / "run.json").exists()


@pytest.mark.slow
def test_read_only_output(world, cli, row, small_disk):
    disk = small_disk("1m", read_only=True)
    ended = cli(*sweep(world, disk / "out"))
    assert ended.code == 2
    assert "Read-only file system" in ended.line
    row("the output is read-only", ended)


@pytest.mark.slow
def test_no_home(world, cli, row, tmp_path):
    """Only commands that write to the home folder need one."""
    env = {"HOME": "/proc/none", "NMEBENCH_CACHE": None}
    ended = cli(*sweep(world, tmp_path / "out"), env=env)
    assert ended.code == 0, ended.err
    ended = cli("data", "fetch", "wflw", "--accept-licence", env=env)
    assert ended.code == 2
    assert "NMEBENCH_CACHE" in ended.line
    row("the home folder is missing", ended)


@pytest.mark.slow
def test_two_gigabytes(world, start, cli, tmp_path):
    """A sweep needs less than 2 GB of heap and private mappings (RLIMIT_DATA); the libraries' code doesn't count."""
    limit = lambda: resource.setrlimit(resource.RLIMIT_DATA, (2 << 30, 2 << 30))  # noqa: E731
    ended = cli(*sweep(world, tmp_path / "out"), preexec_fn=limit)
    assert ended.code == 0, ended.err
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 2 << 20  # KiB


@pytest.mark.slow
def test_too_little_memory(world, cli, row, tmp_path):
    """Memory for the libraries but not for the batch gives one clear line."""
    card = world.card.with_name("large.toml")
    card.write_text(world.card.read_text().replace("[64, 64]", "[256, 256]"))
    limit = lambda: resource.setrlimit(resource.RLIMIT_DATA, (1300 << 20, 1300 << 20))  # noqa: E731
    ended = cli("run", "--data", f"wflw:{world.many}", "--model", card, "--engine", "torch", "--batch-size", "96",
                "--threads", "1", "-o", tmp_path / "out", preexec_fn=limit)  # fmt: skip
    assert ended.code == 2
    assert "memory" in ended.line
    row("not enough memory for the batch", ended)
    assert not (tmp_path / "out" / "run.json").exists()


CLOCK_BACK = """
import time
_now = [2_000_000_000.0]
def _back():
    _now[0] -= 3600.0
    return _now[0]
time.time = _back
time.time_ns = lambda: int(_back() * 1e9)
"""


@pytest.mark.slow
def test_clock_that_runs_backwards(world, session, tree, tmp_path):
    """A clock that is an hour earlier at every call changes no score and gives no negative times."""
    plain, back = tmp_path / "plain", tmp_path / "back"
    assert session([sweep(world, plain)]) == [0]
    assert session([sweep(world, back), ("report", back), ("check", back)], setup=CLOCK_BACK)[:2] == [0, 0]
    written, expected = tree(back), tree(plain)
    for name in set(expected) - {"run.json", "timings.json"}:
        assert written[name] == expected[name], name
    timings = json.loads((back / "timings.json").read_text())
    assert timings["total"] > 0
    assert min([*timings["stages"].values(), *timings["workers"].values()]) >= 0


@pytest.mark.parametrize("method", [pytest.param("fork", marks=pytest.mark.slow), "spawn"])
def test_start_methods(session, tree, tmp_path, method):
    """Both start methods of worker processes draw the same faces."""
    setup = f"import multiprocessing; multiprocessing.set_start_method({method!r}, force=True)"
    made = ("data", "make", "synthface", "--faces", 8, "--seed", 5, "--workers", 2, "-o", tmp_path / "made")
    one = ("data", "make", "synthface", "--faces", 8, "--seed", 5, "--workers", 1, "-o", tmp_path / "one")
    assert session([made, one], setup=setup) == [0, 0]
    assert tree(tmp_path / "made") == tree(tmp_path / "one")
