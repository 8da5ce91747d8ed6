"""Redirects, certificates and pauses: which requests are sent to which host."""

from __future__ import annotations

from dataclasses import replace

import pytest
from download_thing import DATA, fetch_bytes


def test_waits_as_retry_after_says(server, responses, source, cache, policy) -> None:
    url = server.on(
        "/thing",
        responses.status(429, Retry_After="7"),
        responses.status(503, Retry_After="Sat, 01 Jan 2022 00:00:09 GMT"),
        responses.status(503, Retry_After="soon"),
        responses.serve(DATA),
    )
    # The dated Retry-After is in the past, so there is no pause.
    patient = replace(policy, attempts=5)
    assert fetch_bytes(source(url), cache, patient) == DATA
    assert policy.pauses[0] == 7.0
    assert policy.pauses[1] == 0.0
    assert policy.pauses[2] == 4.0


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://example.org/x", "thing.bin", "http://"])
def test_invalid_addresses(source, cache, policy, refused, url) -> None:
    assert "allowed: http and https" in refused(lambda: fetch_bytes(source(url), cache, policy))


def test_a_redirect_to_a_listed_host_is_followed(server, responses, source, cache, policy) -> None:
    with responses.running() as mirror:
        there = mirror.on("/there", responses.serve(DATA))
        url = server.on("/thing", responses.redirect("/moved"), responses.redirect("/moved"))
        server.on("/moved", responses.redirect(there))
        assert fetch_bytes(source(url, hosts=(mirror.netloc,)), cache, policy) == DATA


def test_a_redirected_download_is_resumed(server, responses, source, cache, policy) -> None:
    server.on("/moved", responses.serve(DATA, cut_at=9000), responses.serve(DATA))
    assert fetch_bytes(source(server.on("/thing", responses.redirect("/moved"))), cache, policy) == DATA
    first, second = server.asked("/moved")
    assert "Range" not in first
    assert second["Range"].startswith("bytes=")
    assert second["If-Range"] == '"v1"'


def test_https_with_an_own_certificate_authority(responses, certificate, source, cache, policy, monkeypatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate[0]))
    with responses.running(certificate=certificate) as server:
        url = server.on("/thing", responses.serve(DATA, cut_at=9000), responses.serve(DATA))
        assert fetch_bytes(source(url), cache, policy) == DATA


def test_an_untrusted_certificate(
    responses, certificate, source, cache, policy, refused, leftovers, monkeypatch
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    with responses.running(certificate=certificate) as server:
        sources = source(server.on("/thing", responses.serve(DATA)))
        assert "can't be verified" in refused(
            lambda: fetch_bytes(sources, cache, policy), fault="an untrusted certificate"
        )
        assert server.asked("/thing") == []
    assert policy.pauses == []
    assert leftovers(cache) == set()


def test_https_is_never_redirected_to_http(
    responses, certificate, server, source, cache, policy, refused, monkeypatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate[0]))
    with responses.running(certificate=certificate) as safe:
        plain = server.on("/thing", responses.serve(DATA))
        sources = source(safe.on("/thing", responses.redirect(plain)), hosts=(server.netloc,))
        assert "from https to http" in refused(
            lambda: fetch_bytes(sources, cache, policy), fault="a redirect from https to http"
        )
    assert server.asked("/thing") == []


def test_the_body_of_a_redirect_is_not_read(server, responses, source, cache, policy):
    """`requests` would read it into memory, however long it is."""

    def endless_redirect(handler, running):
        handler.send_response(302)
        handler.send_header("Location", "/there")
        handler.send_header("Content-Length", str(1 << 40))
        handler.end_headers()
        handler.wfile.write(b"x" * 1000)
        running.closing.wait(5)

    server.on("/there", responses.serve(DATA))
    assert fetch_bytes(source(server.on("/thing", endless_redirect)), cache, policy) == DATA
    assert policy.pauses == []
