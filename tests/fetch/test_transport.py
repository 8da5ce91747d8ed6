"""Downloads from a scripted server: resuming, retries, and one line for every fault."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from download_thing import DATA, fetch_bytes

from nmebench.fetch import fetch


def test_downloads_reports_progress_and_cleans_up(server, responses, source, cache, policy, leftovers) -> None:
    sources = source(server.on("/thing", responses.serve(DATA)))
    seen: list[tuple[str, int, int]] = []
    assert fetch_bytes(sources, cache, policy, progress=lambda f, d, t: seen.append((f, d, t))) == DATA
    assert seen[-1] == ("thing.bin", len(DATA), len(DATA))
    assert [done for _, done, _ in seen] == sorted(done for _, done, _ in seen)
    assert leftovers(cache) == {"weights/thing.bin", "nmebench.lock.json"}
    # The second call requests nothing.
    assert fetch_bytes(sources, cache, policy) == DATA
    assert len(server.asked("/thing")) == 1


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, id="etag"),
        pytest.param({"etag": None, "modified": "Sat, 01 Jan 2022 00:00:00 GMT"}, id="last-modified"),
        pytest.param({"etag": 'W/"weak"'}, id="weak-etag-same-length"),
        pytest.param({"etag": None}, id="same-length"),
    ],
)
def test_a_cut_connection_is_resumed(server, responses, source, cache, policy, options) -> None:
    url = server.on("/thing", responses.serve(DATA, cut_at=9000, **options), responses.serve(DATA, **options))
    notes: list[str] = []
    assert fetch_bytes(source(url), cache, policy, note=notes.append) == DATA
    assert notes == ["thing.bin: the connection was cut; trying again in 1 s"]
    first, second = server.asked("/thing")
    assert "Range" not in first
    assert 0 < int(second["Range"].removeprefix("bytes=").rstrip("-")) <= 9000
    validator = options.get("etag", '"v1"') or options.get("modified")
    assert second.get("If-Range") == (None if validator is None or validator.startswith("W/") else validator)
    assert policy.pauses == [1.0]


def test_a_file_that_changed_in_between_is_downloaded_from_the_start(server, responses, source, cache, policy) -> None:
    url = server.on("/thing", responses.serve(b"old" * 5000, cut_at=9000), responses.serve(DATA, etag='"v2"'))
    assert fetch_bytes(source(url), cache, policy) == DATA


def test_a_file_of_another_size_is_downloaded_from_the_start(server, responses, source, cache, policy) -> None:
    url = server.on(
        "/thing",
        responses.serve(b"old" * 5000, etag=None, cut_at=9000),
        responses.serve(DATA, etag=None),
        responses.serve(DATA),
    )
    assert fetch_bytes(source(url), cache, policy) == DATA


def test_a_server_without_ranges_sends_from_the_start(server, responses, source, cache, policy) -> None:
    url = server.on("/thing", responses.serve(DATA, cut_at=9000), responses.serve(DATA, ranges=False))
    assert fetch_bytes(source(url), cache, policy) == DATA


def test_a_partial_response_of_the_complete_file_is_accepted(server, responses, source, cache, policy) -> None:
    partial = responses.status(206, body=DATA, Content_Range=f"bytes 0-{len(DATA) - 1}/{len(DATA)}")
    assert fetch_bytes(source(server.on("/thing", partial)), cache, policy) == DATA


def test_chunked_and_gzip_labelled_archives_are_stored_unchanged(
    server, responses, archives, source, cache, policy
) -> None:
    data = archives.tar(archives.IMAGES)
    url = server.on("/thing", responses.serve(data, chunked=True, headers={"Content-Encoding": "x-gzip"}))
    root = fetch("thing", cache=cache, policy=policy, sources=source(url, file="thing.tar.gz", unpacks_to="thing"))
    assert (root / "WFLW_images/0--Event/0_0.jpg").read_bytes() == archives.IMAGES["WFLW_images/0--Event/0_0.jpg"]


# Faults: one line, and nothing is installed -------------------------------------------------------------------------


FAULTS: dict[str, tuple[Callable[[ModuleType, Any], list[Any]], str, dict[str, Any]]] = {
    "the connection is cut every time": (lambda p, s: [p.serve(DATA, cut_at=0)], "was cut", {}),
    "the server hangs up": (lambda p, s: [p.hang_up()], "no connection", {}),
    "the server stalls": (lambda p, s: [p.serve(DATA, stall_at=5000)], "stalled", {}),
    "the body is shorter than stated": (lambda p, s: [p.serve(DATA, length=30_000, ranges=False)], "was cut", {}),
    "the size is not the expected one": (lambda p, s: [p.serve(DATA)], "expected 5", {"bytes": 5}),
    "the file is larger than allowed": (lambda p, s: [p.serve(DATA)], "allowed: 9000", {"max_bytes": 9000}),
    "the file is larger than allowed and its size is not announced": (
        lambda p, s: [p.serve(DATA, chunked=True)], "allowed: 9000", {"max_bytes": 9000}),
    "wrong bytes, sha256 known": (
        lambda p, s: [p.serve(DATA)], "expected 0000000000000000... from the list of sources", {"sha256": "0" * 64}),
    "wrong bytes, hash in the name": (
        lambda p, s: [p.serve(DATA)], "expected 3f8e0c2c... from its name", {"hash_prefix": "3f8e0c2c"}),
    "an empty file": (lambda p, s: [p.serve(b"")], "0 bytes", {}),
    "403": (lambda p, s: [p.status(403)], "answered 403", {}),
    "404": (lambda p, s: [p.status(404)], "answered 404", {}),
    "429, wait an hour": (lambda p, s: [p.status(429, Retry_After="3600")], "asks to wait 3600 s", {}),
    "503 every time": (lambda p, s: [p.status(503)], "(3 attempts)", {}),
    "a redirect to another host": (
        lambda p, s: [p.redirect("http://files.example.com/thing")], "redirected to another host", {}),
    "a redirect to another port": (
        lambda p, s: [p.redirect("http://127.0.0.1:9/thing")], "redirected to another host", {}),
    "a redirect to file:": (lambda p, s: [p.redirect("file:///etc/passwd")], "allowed: http and https", {}),
    "a redirect to ftp:": (lambda p, s: [p.redirect("ftp://127.0.0.1/thing")], "allowed: http and https", {}),
    "a redirect to an invalid address": (
        lambda p, s: [p.redirect("http://[::bad/")], "allowed: http and https", {}),
    "endless redirects": (lambda p, s: [p.redirect("/thing")], "more than 6 times", {}),
    "a web page instead of the file": (
        lambda p, s: [p.serve(b"<!DOCTYPE html><html>sign in</html>", mime="text/html; charset=utf-8")],
        "web page", {}),
    "a web page with a file's content type": (
        lambda p, s: [p.serve(b"\n <html><body>quota</body></html>" * 100)], "web page", {}),
    "an unrequested encoding": (
        lambda p, s: [p.serve(DATA, headers={"Content-Encoding": "br"})], "encoding 'br'", {}),
}  # fmt: skip


@pytest.mark.parametrize("fault", [pytest.param(name, id=name.replace(" ", "-").replace(":", "")) for name in FAULTS])
def test_a_fault_is_one_line(server, responses, source, cache, policy, impatient, refused, leftovers, fault) -> None:
    steps, expected, fields = FAULTS[fault]
    policy = impatient if "stalls" in fault else policy
    url = server.on("/thing", *steps(responses, server))
    line = refused(lambda: fetch_bytes(source(url, **fields), cache, policy), fault=fault)
    assert expected in line
    assert not (cache / "weights").exists()
    assert leftovers(cache) <= {"downloads/thing.bin.part", "downloads/thing.bin.part.json"}
    if "repeat the command" not in line:  # repeating the command wouldn't help
        assert leftovers(cache) == set()
    assert sum(policy.pauses) <= policy.attempts * policy.max_wait


def test_no_server(source, cache, policy, refused) -> None:
    sources = source("http://127.0.0.1:1/thing")
    assert "no connection to 127.0.0.1:1" in refused(lambda: fetch_bytes(sources, cache, policy), fault="no network")


def test_too_little_disk_space_is_noticed_before_the_download(
    server, responses, source, cache, policy, refused, monkeypatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=10))
    sources = source(server.on("/thing", responses.serve(DATA)))
    assert "10 free" in refused(
        lambda: fetch_bytes(sources, cache, policy), fault="too little disk space for the download"
    )


def test_a_server_that_sends_nothing(server, responses, source, cache, impatient, refused):
    def silent(handler, running):
        running.closing.wait(5)

    sources = source(server.on("/thing", silent))
    line = refused(lambda: fetch_bytes(sources, cache, impatient), fault="the server accepts and sends nothing")
    assert "didn't answer within 0.3 s" in line


def test_attempts_are_limited_even_if_each_brings_new_bytes(server, responses, source, cache, policy, refused):
    """The server cuts the connection after every kilobyte."""
    steps = [responses.serve(DATA, cut_at=(number + 1) * 1100) for number in range(4)]
    sources = source(server.on("/thing", *steps))
    short = replace(policy, max_attempts=3)
    line = refused(lambda: fetch_bytes(sources, cache, short), fault="the connection is cut again and again")
    assert "was cut (3 attempts)" in line
    assert "are kept" in line
