"""`fetch` from a name to installed files: WFLW's layout, Drive's form, licences."""

from __future__ import annotations

import hashlib

import pytest

from nmebench.errors import InputError
from nmebench.fetch import fetch, install
from nmebench.fetch.lockfile import read
from nmebench.paths import wflw_folder


def test_wflw_from_nothing(wflw_sources, server, cache, policy, leftovers, archives) -> None:
    root = fetch("wflw", cache=cache, sources=wflw_sources, policy=policy, accept_licence=True)
    assert root == cache / "wflw" == wflw_folder(cache)
    for name, data in {**archives.IMAGES, **archives.ANNOTATIONS}.items():
        assert (root / name).read_bytes() == data
    assert set(read(cache)) == {"wflw-images", "wflw-annotations"}
    # Drive's form was sent with its token.
    assert server.log[-1][0].startswith("/download?")
    assert "confirm=t" in server.log[-1][0]
    assert "uuid=u-1" in server.log[-1][0]
    # The archives are deleted after unpacking.
    assert not any(name.startswith("downloads/") for name in leftovers(cache))
    before = len(server.log)
    assert fetch("wflw", cache=cache, sources=wflw_sources, policy=policy) == root  # installed files need no flag
    assert len(server.log) == before


def test_weights(wflw_sources, cache, policy, weights) -> None:
    folder = fetch("weights", cache=cache, sources=wflw_sources, policy=policy, accept_licence=True)
    assert [p.read_bytes() for p in folder.iterdir()] == [weights]
    assert fetch("net", cache=cache, sources=wflw_sources) == folder / wflw_sources["net"].file


@pytest.mark.parametrize("name", ["wflw", "wflw-images", "net", "weights"])
def test_a_licence_must_be_accepted(wflw_sources, server, cache, refused, name) -> None:
    fault = "the licence is not accepted" if name == "wflw" else None
    line = refused(lambda: fetch(name, cache=cache, sources=wflw_sources), fault=fault)
    assert "--accept-licence" in line
    assert ("research" in line) == name.startswith("wflw")
    assert server.log == []


def test_an_unknown_name(wflw_sources, cache, refused) -> None:
    line = refused(lambda: fetch("wflw-image", cache=cache, sources=wflw_sources), fault="an unknown name")
    assert "did you mean 'wflw-images'?" in line
    assert not cache.exists()


@pytest.mark.parametrize(
    ("fault", "page", "expected"),
    [
        ("Drive's quota is used up", "quota", "Too many users"),
        ("Drive's page links to no file", b"<!DOCTYPE html><html>Sign in</html>", "it links to no file"),
        ("Drive's form has no address", b'<form id="download-form"></form>', "it links to no file"),
        ("Drive's form leads to another host", "another host", "another host"),
        ("Drive's form leads to the form again", "again", "web page"),
    ],
    ids=["quota", "no-link", "no-address", "another-host", "again"],
)
def test_unusable_drive_pages(
    wflw_sources, server, responses, cache, policy, refused, leftovers, fault, page, expected
) -> None:
    pages = {
        "quota": responses.QUOTA_PAGE,
        "another host": responses.drive_page("https://files.example.com/download"),
        "again": responses.drive_page(server.url("/uc")),
    }
    server.on("/uc", responses.serve(pages.get(page, page), mime="text/html"))
    line = refused(
        lambda: fetch("wflw-images", cache=cache, sources=wflw_sources, policy=policy, accept_licence=True), fault=fault
    )
    assert expected in line
    assert "nmebench data add" in line
    assert leftovers(cache) == set()


def test_a_download_behind_drives_form_is_resumed(wflw_sources, server, responses, archives, cache, policy) -> None:
    images = archives.tar(archives.IMAGES)
    server.on("/download", responses.serve(images, cut_at=len(images) - 500), responses.serve(images))
    fetch("wflw-images", cache=cache, sources=wflw_sources, policy=policy, accept_licence=True)
    assert "If-Range" in server.asked("/download")[1]


@pytest.mark.parametrize("cut", [400, 4], ids=["half", "checksum"])
def test_a_truncated_archive_is_deleted(
    wflw_sources, server, responses, archives, cache, policy, refused, leftovers, cut
) -> None:
    data = archives.tar(archives.IMAGES)
    server.on("/download", responses.serve(data[:-cut]))
    line = refused(
        lambda: fetch("wflw-images", cache=cache, sources=wflw_sources, policy=policy, accept_licence=True),
        fault="the archive on the server is cut short" if cut == 400 else None,
    )
    assert "damaged or cut short" in line
    assert leftovers(cache) == set()
    server.on("/download", responses.serve(data))
    fetch("wflw-images", cache=cache, sources=wflw_sources, policy=policy, accept_licence=True)


def test_an_archive_without_the_expected_files_is_not_recorded(
    wflw_sources, server, responses, archives, cache, policy, refused, leftovers
) -> None:
    server.on("/download", responses.serve(archives.tar({"notes.txt": b"hello"})))
    with pytest.raises(InputError, match="contains no"):
        fetch("wflw-images", cache=cache, sources=wflw_sources, policy=policy, accept_licence=True)
    assert leftovers(cache) == set()


def test_an_interrupt_before_unpacking_keeps_the_download(wflw_sources, server, cache, policy, monkeypatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(install, "unpack", lambda *a, **k: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            fetch("wflw-images", cache=cache, sources=wflw_sources, policy=policy, accept_licence=True)
    asked = len(server.log)
    fetch("wflw-images", cache=cache, sources=wflw_sources, policy=policy, accept_licence=True)
    assert len(server.log) == asked


def test_a_file_behind_a_web_page_is_not_fetched(cache, refused) -> None:
    line = refused(
        lambda: fetch("wflw-hrnet", cache=cache, accept_licence=True), fault="a file that only a web page offers"
    )
    assert "nmebench data add" in line


def test_the_users_own_card(server, responses, cache, tmp_path, policy, refused, weights):
    prefix = hashlib.sha256(weights).hexdigest()[:8]
    url = server.on(f"/mine-{prefix}.pth", responses.serve(weights))
    card = tmp_path / "mine.toml"
    text = 'name = "mine"\narchitecture = "hrnetv2-w18"\nlicence = "for tests"\n'
    card.write_text(f'{text}weights = {{ url = "{url}" }}\n')
    line = refused(lambda: fetch(str(card), cache=cache, policy=policy))
    assert "mine: for tests" in line
    place = fetch(str(card), cache=cache, policy=policy, accept_licence=True)
    assert place == cache / "weights" / f"mine-{prefix}.pth"
    assert place.read_bytes() == weights
    card.write_text(text)
    assert "no weights to download" in refused(lambda: fetch(str(card), cache=cache))
    card.write_text(f'{text}weights = {{ url = "https://1drv.ms/u/s!abc", file = "mine.pth" }}\n')
    assert "is a web page, not a file" in refused(lambda: fetch(str(card), cache=cache, accept_licence=True))


def test_a_wrong_complete_file_is_deleted(wflw_sources, cache, policy, refused, weights) -> None:
    """An interrupted command left a complete file that isn't the published one: the next command downloads it again."""
    complete = cache / "downloads" / wflw_sources["net"].file
    complete.parent.mkdir(parents=True)
    complete.write_bytes(b"other")
    options = {"cache": cache, "sources": wflw_sources, "policy": policy, "accept_licence": True}
    assert "from its name" in refused(lambda: fetch("net", **options))
    assert fetch("net", **options).read_bytes() == weights
