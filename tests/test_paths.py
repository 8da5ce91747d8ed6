"""Folders of this machine: the cache, downloaded weights and WFLW."""

from __future__ import annotations

import re
from pathlib import Path

import platformdirs
import pytest

from nmebench.errors import InputError
from nmebench.paths import cache_folder, weights_folder, wflw_folder


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests do not depend on the developer's variables."""
    monkeypatch.delenv("NMEBENCH_CACHE", raising=False)
    monkeypatch.delenv("NMEBENCH_WFLW", raising=False)


def make_wflw(root: Path) -> Path:
    """Create the two folders of WFLW in ``root``."""
    for part in ("WFLW_annotations", "WFLW_images"):
        (root / part).mkdir(parents=True)
    return root


def test_cache_folder_prefers_the_argument_to_the_variable_to_the_users_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cache_folder() == platformdirs.user_cache_path("nmebench").absolute()
    monkeypatch.setenv("NMEBENCH_CACHE", str(tmp_path / "variable"))
    assert cache_folder() == tmp_path / "variable"
    assert cache_folder(tmp_path / "argument") == tmp_path / "argument"


def test_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NMEBENCH_CACHE", "")
    assert cache_folder() == platformdirs.user_cache_path("nmebench").absolute()


def test_relative_folders_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NMEBENCH_CACHE", "here")
    assert cache_folder() == tmp_path / "here"
    assert cache_folder(Path("there")) == tmp_path / "there"
    assert not (tmp_path / "here").exists()


def test_user_without_a_home_folder_is_told_to_set_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda _: Path("~/.cache/nmebench"))
    with pytest.raises(InputError, match="set NMEBENCH_CACHE to a writable folder"):
        cache_folder()


def test_weights_are_in_the_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert weights_folder(tmp_path) == tmp_path / "weights"
    monkeypatch.setenv("NMEBENCH_CACHE", str(tmp_path / "variable"))
    assert weights_folder() == tmp_path / "variable" / "weights"


def test_wflw_is_the_users_own_copy_or_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = make_wflw(tmp_path / "own")
    cached = make_wflw(tmp_path / "cache" / "wflw")
    monkeypatch.setenv("NMEBENCH_CACHE", str(tmp_path / "cache"))
    assert wflw_folder() == cached
    monkeypatch.setenv("NMEBENCH_WFLW", str(own))
    assert wflw_folder() == own
    assert wflw_folder(tmp_path / "cache") == cached


@pytest.mark.parametrize("missing", ["WFLW_annotations", "WFLW_images"])
def test_missing_part_of_the_cached_wflw_names_the_commands(tmp_path: Path, missing: str) -> None:
    (make_wflw(tmp_path / "wflw") / missing).rmdir()
    with pytest.raises(InputError, match=re.escape(f"{tmp_path / 'wflw'}: no {missing} here; ")) as caught:
        wflw_folder(tmp_path)
    for command in ("nmebench data fetch wflw --accept-licence", "nmebench data add ARCHIVE", "NMEBENCH_WFLW"):
        assert command in str(caught.value)


def test_missing_part_of_the_users_own_copy_names_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NMEBENCH_WFLW", str(tmp_path / "two\nlines"))
    with pytest.raises(InputError) as caught:
        wflw_folder()
    assert str(caught.value) == (
        f"{tmp_path}/two\\nlines: no WFLW_annotations here; NMEBENCH_WFLW must name the folder that holds "
        "WFLW_annotations and WFLW_images"
    )


def test_a_file_in_place_of_a_folder_is_missing(tmp_path: Path) -> None:
    (make_wflw(tmp_path / "wflw") / "WFLW_images").rmdir()
    (tmp_path / "wflw" / "WFLW_images").write_text("")
    with pytest.raises(InputError, match="no WFLW_images here"):
        wflw_folder(tmp_path)
