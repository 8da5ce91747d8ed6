"""From a name to files in their place: the real layout, Drive's form, licences, the lock file."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import threading
from pathlib import Path

import platformdirs
import pytest

from nmebench.errors import InputError
from nmebench.fetch import add, by_hand, fetch, install, load_sources
from nmebench.fetch.lockfile import LOCK_NAME, alone, read
from nmebench.fetch.sources import Source, Sources, source_of
from nmebench.models.card import Card, Weights
from nmebench.paths import cache_folder, wflw_folder

WEIGHTS = b"\x80\x02" + bytes(range(256)) * 20


@pytest.fixture
def world(server, play, archives):
    """WFLW's two archives and a checkpoint on the local server, with Drive's confirmation form in between."""
    shipped = load_sources()
    images = archives.tar(archives.IMAGES)
    server.on("/annotations", play.serve(archives.tar(archives.ANNOTATIONS)))
    server.on("/uc", play.serve(play.drive_page(server.url("/download")), mime="text/html"))
    server.on("/download", play.serve(images))
    server.on("/w.pth", play.serve(WEIGHTS))
    prefix = hashlib.sha256(WEIGHTS).hexdigest()[:8]
    table = {
        "wflw-images": shipped["wflw-images"].model_copy(update={"drive_base": server.url(""), "hosts": ()}),
        "wflw-annotations": shipped["wflw-annotations"].model_copy(update={"url": server.url("/annotations")}),
        "net": Source(
            name="net", file=f"net-{prefix}_20210125.pth", url=server.url("/w.pth"), hash_prefix=prefix,
            max_bytes=1_000_000, licence="cite",
        ),
    }  # fmt: skip
    return Sources(table, {"wflw": ("wflw-annotations", "wflw-images"), "weights": ("net",)})


def test_wflw_from_nothing(world, server, cache, policy, leftovers, archives) -> None:
    root = fetch("wflw", cache=cache, sources=world, policy=policy, accept_licence=True)
    assert root == cache / "wflw" == wflw_folder(cache)
    for name, data in {**archives.IMAGES, **archives.ANNOTATIONS}.items():
        assert (root / name).read_bytes() == data
    assert set(read(cache)) == {"wflw-images", "wflw-annotations"}
    # Drive's form was filled in, the token sent along.
    assert server.log[-1][0].startswith("/download?")
    assert "confirm=t" in server.log[-1][0]
    assert "uuid=u-1" in server.log[-1][0]
    # The archives have served: only what they held is kept.
    assert not any(name.startswith("downloads/") for name in leftovers(cache))
    before = len(server.log)
    assert fetch("wflw", cache=cache, sources=world, policy=policy) == root  # no flag needed for what is there
    assert len(server.log) == before


def test_weights(world, cache, policy) -> None:
    folder = fetch("weights", cache=cache, sources=world, policy=policy, accept_licence=True)
    assert [p.read_bytes() for p in folder.iterdir()] == [WEIGHTS]
    assert fetch("net", cache=cache, sources=world) == folder / world["net"].file


@pytest.mark.parametrize("name", ["wflw", "wflw-images", "net", "weights"])
def test_a_licence_is_accepted_by_a_flag(world, server, cache, refused, name) -> None:
    fault = "the licence is not accepted" if name == "wflw" else None
    line = refused(lambda: fetch(name, cache=cache, sources=world), fault=fault)
    assert "--accept-licence" in line
    assert ("research" in line) == name.startswith("wflw")
    assert server.log == []


def test_an_unknown_name(world, cache, refused) -> None:
    line = refused(lambda: fetch("wflw-image", cache=cache, sources=world), fault="a name that nobody knows")
    assert "did you mean 'wflw-images'?" in line
    assert not cache.exists()


@pytest.mark.parametrize(
    ("fault", "page", "says"),
    [
        ("Drive's quota is used up", "quota", "Too many users"),
        ("Drive hands out nothing", b"<!DOCTYPE html><html>Sign in</html>", "no file behind the page"),
        ("Drive's form leads elsewhere", "elsewhere", "another host"),
        ("Drive's form leads to a form for ever", "again", "web page"),
    ],
    ids=["quota", "nothing", "elsewhere", "again"],
)
def test_drives_pages(world, server, play, cache, policy, refused, leftovers, fault, page, says) -> None:
    pages = {
        "quota": play.QUOTA_PAGE,
        "elsewhere": play.drive_page("https://files.example.com/download"),
        "again": play.drive_page(server.url("/uc")),
    }
    server.on("/uc", play.serve(pages.get(page, page), mime="text/html"))
    line = refused(
        lambda: fetch("wflw-images", cache=cache, sources=world, policy=policy, accept_licence=True), fault=fault
    )
    assert says in line
    assert "nmebench data add" in line
    assert leftovers(cache) == set()


def test_drive_is_resumed_through_its_form(world, server, play, archives, cache, policy) -> None:
    images = archives.tar(archives.IMAGES)
    server.on("/download", play.serve(images, cut_at=len(images) - 500), play.serve(images))
    fetch("wflw-images", cache=cache, sources=world, policy=policy, accept_licence=True)
    assert "If-Range" in server.asked("/download")[1]


@pytest.mark.parametrize("cut", [400, 4], ids=["half", "checksum"])
def test_a_truncated_archive_is_not_kept(world, server, play, archives, cache, policy, refused, leftovers, cut) -> None:
    whole = archives.tar(archives.IMAGES)
    server.on("/download", play.serve(whole[:-cut]))
    line = refused(
        lambda: fetch("wflw-images", cache=cache, sources=world, policy=policy, accept_licence=True),
        fault="the archive on the server is cut short" if cut == 400 else None,
    )
    assert "damaged or cut short" in line
    assert leftovers(cache) == set()
    server.on("/download", play.serve(whole))
    fetch("wflw-images", cache=cache, sources=world, policy=policy, accept_licence=True)


def test_an_archive_of_something_else_is_not_recorded(
    world, server, play, archives, cache, policy, refused, leftovers
) -> None:
    server.on("/download", play.serve(archives.tar({"notes.txt": b"hello"})))
    with pytest.raises(InputError, match="holds no"):
        fetch("wflw-images", cache=cache, sources=world, policy=policy, accept_licence=True)
    assert leftovers(cache) == set()


def test_the_first_download_is_enforced(world, server, play, archives, cache, policy, refused, leftovers) -> None:
    fetch("wflw-annotations", cache=cache, sources=world, policy=policy, accept_licence=True)
    recorded = read(cache)["wflw-annotations"]
    assert recorded.bytes == len(archives.tar(archives.ANNOTATIONS))
    # The folder is lost, and the file at its source has changed since.
    shutil.rmtree(cache / "wflw")
    server.on("/annotations", play.serve(archives.tar({**archives.ANNOTATIONS, "WFLW_annotations/new": b"1"})))
    line = refused(
        lambda: fetch("wflw-annotations", cache=cache, sources=world, policy=policy, accept_licence=True),
        fault="the file at its source has changed since the first download",
    )
    assert f"{LOCK_NAME} recorded {recorded.sha256[:16]}" in line
    assert leftovers(cache) == {LOCK_NAME}
    assert read(cache)["wflw-annotations"] == recorded


def test_a_lost_lock_file_is_written_again_from_what_is_there(world, cache, policy) -> None:
    fetch("wflw", cache=cache, sources=world, policy=policy, accept_licence=True)
    fetch("net", cache=cache, sources=world, policy=policy, accept_licence=True)
    before = read(cache)
    (cache / LOCK_NAME).unlink()
    fetch("wflw", cache=cache, sources=world)
    fetch("net", cache=cache, sources=world)
    after = read(cache)
    assert {n: (e.sha256, e.bytes) for n, e in after.items()} == {n: (e.sha256, e.bytes) for n, e in before.items()}


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"schema": 1}', '{"schema": 9, "files": {}}', '{"schema": 1, "files": {"a": {"x": 1}}}']
)
def test_a_damaged_lock_file_is_never_ignored(world, cache, refused, text) -> None:
    fault = "a damaged lock file" if text == "{" else None
    fetch_it = lambda: fetch("net", cache=cache, sources=world, accept_licence=True)  # noqa: E731
    cache.mkdir()
    (cache / LOCK_NAME).write_text(text)
    assert LOCK_NAME in refused(fetch_it, fault=fault)
    assert (cache / LOCK_NAME).read_text() == text


def test_changed_bytes_in_the_cache_are_found(world, cache, policy, refused) -> None:
    path = fetch("net", cache=cache, sources=world, policy=policy, accept_licence=True)
    path.write_bytes(WEIGHTS + b"x")
    line = refused(lambda: fetch("net", cache=cache, sources=world), fault="a checkpoint in the cache was changed")
    assert "its name says" in line
    assert path.read_bytes() == WEIGHTS + b"x"


def test_a_folder_of_the_users_own_is_never_touched(world, cache, policy, refused) -> None:
    own = cache / "wflw" / "WFLW_images"
    own.mkdir(parents=True)
    (own / "a.jpg").write_bytes(b"mine")
    line = refused(
        lambda: fetch("wflw", cache=cache, sources=world, policy=policy, accept_licence=True),
        fault="the user's own folder is in the place",
    )
    assert "NMEBENCH_WFLW" in line
    assert (own / "a.jpg").read_bytes() == b"mine"


def test_another_archive_than_recorded_in_the_place(world, cache, policy, refused) -> None:
    fetch("wflw", cache=cache, sources=world, policy=policy, accept_licence=True)
    lock = json.loads((cache / LOCK_NAME).read_text())
    lock["files"]["wflw-images"]["sha256"] = "0" * 64
    (cache / LOCK_NAME).write_text(json.dumps(lock))
    assert "another WFLW_images.tar.gz" in refused(lambda: fetch("wflw", cache=cache, sources=world))


def test_an_interrupt_between_download_and_unpacking(world, server, cache, policy, monkeypatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(install, "unpack", lambda *a, **k: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            fetch("wflw-images", cache=cache, sources=world, policy=policy, accept_licence=True)
    asked = len(server.log)
    fetch("wflw-images", cache=cache, sources=world, policy=policy, accept_licence=True)
    assert len(server.log) == asked  # nothing was downloaded twice


def test_two_at_once(world, cache, refused) -> None:
    ready, done = threading.Event(), threading.Event()

    def other() -> None:
        with alone(cache):
            ready.set()
            done.wait(10)

    thread = threading.Thread(target=other)
    thread.start()
    ready.wait(10)
    try:
        line = refused(
            lambda: fetch("net", cache=cache, sources=world, accept_licence=True), fault="two commands in one cache"
        )
    finally:
        done.set()
        thread.join()
    assert "another nmebench command" in line
    assert not (cache / "weights").exists()


def test_a_cache_that_is_a_file(world, tmp_path, refused) -> None:
    (tmp_path / "file").write_text("x")
    line = refused(
        lambda: fetch("net", cache=tmp_path / "file", sources=world, accept_licence=True), fault="a cache that can't be"
    )
    assert "NMEBENCH_CACHE" in line


# Files that a person downloaded ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["WFLW_images.tar.gz", "WFLW_images (1).tar.gz", "photos.bin"])
@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_add_knows_an_archive_by_name_or_content(world, archives, cache, tmp_path, name, kind) -> None:
    path = tmp_path / name
    path.write_bytes(archives.tar(archives.IMAGES) if kind == "tar" else archives.zipped(archives.IMAGES))
    before = path.read_bytes()
    assert add(path, cache=cache, sources=world) == cache / "wflw" / "WFLW_images"
    assert (cache / "wflw" / "WFLW_images/2--Event/2_3.jpg").is_file()
    assert path.read_bytes() == before
    assert read(cache)["wflw-images"].origin == "by hand"


def test_add_knows_annotations_by_their_files(world, archives, cache, tmp_path) -> None:
    path = tmp_path / "download"
    path.write_bytes(archives.tar({k.partition("/")[2]: v for k, v in archives.ANNOTATIONS.items()}))
    assert add(path, cache=cache, sources=world) == cache / "wflw" / "WFLW_annotations"


def test_add_knows_a_checkpoint_by_its_hash(world, cache, tmp_path) -> None:
    path = tmp_path / "renamed.bin"
    path.write_bytes(WEIGHTS)
    place = add(path, cache=cache, sources=world)
    assert place == cache / "weights" / world["net"].file
    assert place.read_bytes() == WEIGHTS
    assert path.exists()
    assert fetch("net", cache=cache, sources=world) == place


BY_HAND = {
    "a file of no known kind": ("notes.txt", b"hello", None, "not recognised"),
    "a checkpoint of another model under its name": ("NET", b"\x80\x02other", None, "its name says"),
    "an added file of 0 bytes": ("NET", b"", None, "0 bytes"),
    "a web page saved as the archive": ("WFLW_images.tar.gz", b"<!DOCTYPE html><html>quota", None, "web page"),
    "a name that stands for two files": ("a.tar.gz", b"x", "wflw", "stands for 2 files"),
}


@pytest.mark.parametrize("fault", [pytest.param(name, id=name.replace(" ", "-")) for name in BY_HAND])
def test_add_refuses(world, cache, tmp_path, refused, leftovers, fault) -> None:
    name, data, given, says = BY_HAND[fault]
    path = tmp_path / (world["net"].file if name == "NET" else name)
    path.write_bytes(data)
    assert says in refused(lambda: add(path, name=given, cache=cache, sources=world), fault=fault)
    assert leftovers(cache) == set()
    assert path.read_bytes() == data


def test_add_wants_a_file(world, cache, tmp_path, refused) -> None:
    assert "wflw:PATH" in refused(lambda: add(tmp_path, cache=cache, sources=world), fault="a folder given to data add")
    assert "No such file" in refused(
        lambda: add(tmp_path / "none", cache=cache, sources=world), fault="a missing file given to data add"
    )


# Where things are ------------------------------------------------------------------------------------------------


def test_the_cache_is_where_the_user_says(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("NMEBENCH_CACHE", str(tmp_path / "mine"))
    assert cache_folder() == tmp_path / "mine"
    assert cache_folder(tmp_path) == tmp_path


def test_no_home_folder(monkeypatch, refused) -> None:
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda *a, **k: Path("~/.cache/nmebench"))
    assert "NMEBENCH_CACHE" in refused(cache_folder, fault="no home folder")


def test_wflw_of_the_users_own(monkeypatch, tmp_path, refused) -> None:
    for part in ("WFLW_annotations", "WFLW_images"):
        (tmp_path / part).mkdir()
    monkeypatch.setenv("NMEBENCH_WFLW", str(tmp_path))
    assert wflw_folder() == tmp_path
    (tmp_path / "WFLW_images").rmdir()
    assert "no WFLW_images here; NMEBENCH_WFLW must name" in refused(
        wflw_folder, fault="NMEBENCH_WFLW without photographs"
    )
    monkeypatch.delenv("NMEBENCH_WFLW")
    monkeypatch.setenv("NMEBENCH_CACHE", str(tmp_path / "empty"))
    assert "nmebench data fetch wflw" in refused(wflw_folder, fault="WFLW is not there yet")


# The shipped addresses -------------------------------------------------------------------------------------------


def test_the_shipped_sources_are_whole() -> None:
    table = load_sources()
    assert set(table.groups["wflw"]) == {"wflw-annotations", "wflw-images"}
    for source in table.values():
        assert source.licence, source.name
        assert source.page.startswith("https://"), source.name
        assert source.by_hand or source.address.startswith("https://"), source.name
        if source.unpacks_to:
            assert source.found, source.name
            assert source.expects, source.name
            assert min(source.max_unpacked, source.max_files) > 0, source.name
    mmpose = [s for s in table.values() if s.url and "openmmlab" in s.url and s.url.endswith(".pth")]
    assert mmpose
    for source in mmpose:
        assert source.hash_prefix is not None
        assert source.hash_prefix in source.file


def test_what_only_a_person_can_download_is_told() -> None:
    (line,) = by_hand("wflw-hrnet")
    assert "1drv.ms" in line
    assert "nmebench data add" in line
    assert by_hand("wflw") == ()


def test_a_page_for_people_is_not_fetched(cache, refused) -> None:
    line = refused(
        lambda: fetch("wflw-hrnet", cache=cache, accept_licence=True), fault="a file that only a page for people gives"
    )
    assert "nmebench data add" in line


def test_a_date_in_a_checkpoints_name_is_no_hash() -> None:
    weights = Weights(url="https://example.org/hrnetv2_w18-20210125.pth")
    source = source_of(Card(name="x", architecture="hrnetv2-w18", weights=weights), "")
    assert source is not None
    assert source.hash_prefix is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a = [", "not TOML"),
        ("[sources.a]\nfile='a'", "max_bytes"),
        ("[sources.a]\nfile='a'\nmax_bytes=1\nlicence='x'", "one of url, drive"),
        ("[sources.a]\nfile='a/b'\nurl='http://x/'\nmax_bytes=1", "file"),
        ("[sources.a]\nfile='a'\nurl='http://x/'\nmax_bytes=1\nunpacks_to='../x'", "relative folder"),
        ("[sources.a]\nfile='a'\nurl='http://x/'\nmax_bytes=1\nurll='x'", "urll"),
        ("[groups]\ng=['b']", "names 'b'"),
    ],
)
def test_a_list_of_sources_of_ones_own(tmp_path, monkeypatch, refused, text, says) -> None:
    path = tmp_path / "mirror.toml"
    path.write_text(text)
    monkeypatch.setenv("NMEBENCH_SOURCES", str(path))
    assert says in refused(load_sources)
    monkeypatch.setenv("NMEBENCH_SOURCES", str(tmp_path / "none"))
    assert "unset NMEBENCH_SOURCES" in refused(load_sources)


def test_a_mirror_replaces_a_cards_address(tmp_path) -> None:
    path = tmp_path / "mirror.toml"
    path.write_text(
        "[sources.mmpose-hrnetv2-w18-dark]\nfile='dark-00000000.pth'\nurl='http://mirror/dark'\nmax_bytes=5\nlicence='x'\n"
    )
    table = load_sources(path)
    assert table["mmpose-hrnetv2-w18-dark"].address == "http://mirror/dark"
    assert "mmpose-hrnetv2-w18-dark" in table.groups["weights"]


def test_a_card_of_ones_own(server, play, cache, tmp_path, policy, refused):
    prefix = hashlib.sha256(WEIGHTS).hexdigest()[:8]
    url = server.on(f"/mine-{prefix}.pth", play.serve(WEIGHTS))
    card = tmp_path / "mine.toml"
    text = 'name = "mine"\narchitecture = "hrnetv2-w18"\nlicence = "for tests"\n'
    card.write_text(f'{text}weights = {{ url = "{url}" }}\n')
    line = refused(lambda: fetch(str(card), cache=cache, policy=policy))
    assert "mine: for tests" in line
    place = fetch(str(card), cache=cache, policy=policy, accept_licence=True)
    assert place == cache / "weights" / f"mine-{prefix}.pth"
    assert place.read_bytes() == WEIGHTS
    card.write_text(text)
    assert "no weights to download" in refused(lambda: fetch(str(card), cache=cache))
    card.write_text(f'{text}weights = {{ url = "https://1drv.ms/u/s!abc", file = "mine.pth" }}\n')
    assert "is a page for people" in refused(lambda: fetch(str(card), cache=cache, accept_licence=True))


def test_the_lock_file_cannot_be_read(world, cache, refused):
    (cache / LOCK_NAME).mkdir(parents=True)
    assert "can't be read" in refused(lambda: fetch("net", cache=cache, sources=world, accept_licence=True))


def test_add_says_when_the_disk_is_full(world, cache, tmp_path, refused, monkeypatch, leftovers):
    path = tmp_path / "renamed.bin"
    path.write_bytes(WEIGHTS)

    def full(source, target):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))

    monkeypatch.setattr(shutil, "copyfile", full)
    assert "No space left" in refused(lambda: add(path, cache=cache, sources=world))
    assert leftovers(cache) == set()
