"""Installed files are verified again, and files of the user's own are kept."""

from __future__ import annotations

import json

from nmebench.fetch import fetch
from nmebench.fetch.lockfile import LOCK_NAME


def test_changed_bytes_in_the_cache_are_refused(wflw_sources, cache, policy, refused, weights) -> None:
    path = fetch("net", cache=cache, sources=wflw_sources, policy=policy, accept_licence=True)
    path.write_bytes(weights + b"x")
    line = refused(
        lambda: fetch("net", cache=cache, sources=wflw_sources), fault="a checkpoint in the cache was changed"
    )
    assert "from its name" in line
    assert path.read_bytes() == weights + b"x"


def test_the_users_own_folder_is_kept(wflw_sources, cache, policy, refused) -> None:
    own = cache / "wflw" / "WFLW_images"
    own.mkdir(parents=True)
    (own / "a.jpg").write_bytes(b"mine")
    line = refused(
        lambda: fetch("wflw", cache=cache, sources=wflw_sources, policy=policy, accept_licence=True),
        fault="the user's own folder has the name of the data set",
    )
    assert "NMEBENCH_WFLW" in line
    assert (own / "a.jpg").read_bytes() == b"mine"


def test_a_folder_from_another_archive_than_recorded_is_refused(wflw_sources, cache, policy, refused) -> None:
    fetch("wflw", cache=cache, sources=wflw_sources, policy=policy, accept_licence=True)
    lock = json.loads((cache / LOCK_NAME).read_text())
    lock["files"]["wflw-images"]["sha256"] = "0" * 64
    (cache / LOCK_NAME).write_text(json.dumps(lock))
    assert "another WFLW_images.tar.gz" in refused(lambda: fetch("wflw", cache=cache, sources=wflw_sources))
