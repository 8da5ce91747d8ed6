"""The cache folder and the WFLW folder."""

from __future__ import annotations

from pathlib import Path

import platformdirs

from nmebench.paths import cache_folder, wflw_folder


def test_the_cache_folder_can_be_set(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("NMEBENCH_CACHE", str(tmp_path / "mine"))
    assert cache_folder() == tmp_path / "mine"
    assert cache_folder(tmp_path) == tmp_path


def test_no_home_folder(monkeypatch, refused) -> None:
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda *a, **k: Path("~/.cache/nmebench"))
    assert "NMEBENCH_CACHE" in refused(cache_folder, fault="no home folder")


def test_the_users_own_wflw_folder(monkeypatch, tmp_path, refused) -> None:
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
