"""`sources.toml`, the weights of model cards, and lists of the user's own."""

from __future__ import annotations

import pytest

from nmebench.fetch import fetch, load_sources, manual_downloads
from nmebench.fetch.sources import source_from_card
from nmebench.models.card import Card, Weights


def test_the_shipped_sources_are_complete() -> None:
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


def test_manual_downloads_are_listed() -> None:
    (line,) = manual_downloads("wflw-hrnet")
    assert "1drv.ms" in line
    assert "nmebench data add" in line
    assert manual_downloads("wflw") == ()


def test_a_date_in_a_checkpoints_name_is_not_a_hash() -> None:
    weights = Weights(url="https://example.org/hrnetv2_w18-20210125.pth")
    source = source_from_card(Card(name="x", architecture="hrnetv2-w18", weights=weights), "")
    assert source is not None
    assert source.hash_prefix is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a = [", "not a toml"),
        ("[sources.a]\nfile='a'", "max_bytes"),
        ("[sources.a]\nfile='a'\nmax_bytes=1\nlicence='x'", "one of url, drive"),
        ("[sources.a]\nfile='a/b'\nurl='http://x/'\nmax_bytes=1", "file"),
        ("[sources.a]\nfile='a'\nurl='http://x/'\nmax_bytes=1\nunpacks_to='../x'", "relative folder"),
        ("[sources.a]\nfile='a'\nurl='http://x/'\nmax_bytes=1\nurll='x'", "urll"),
        ("[groups]\ng=['b']", "names 'b'"),
    ],
)
def test_errors_in_the_users_own_list_of_sources(tmp_path, monkeypatch, refused, text, expected) -> None:
    path = tmp_path / "mirror.toml"
    path.write_text(text)
    monkeypatch.setenv("NMEBENCH_SOURCES", str(path))
    assert expected in refused(load_sources)
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


BENCHMARKS = ("300w", "300w-private", "cofw", "cofw68", "aflw", "lapa")


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_has_a_notice_and_a_page(name, tmp_path, refused) -> None:
    """A download states the terms first; what can't be downloaded states the way to get it."""
    assert all(source.unpacks_to for source in load_sources().resolve(name))
    message = refused(lambda: fetch(name, cache=tmp_path))
    assert "--accept-licence" in message or "in a browser from https://" in message
    assert not list(tmp_path.rglob("*.zip"))


def test_weights_are_grouped_by_data_set() -> None:
    groups = load_sources().groups
    assert "mmpose-hrnetv2-w18-300w" not in groups["weights"], "`reproduce --wflw` downloads this group"
    assert groups["weights-300w"] == ("hrnetv2-w18-official-300w", "mmpose-hrnetv2-w18-300w")
    assert "mmpose-hrnetv2-w18-dark-aflw" in groups["weights-aflw"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("300w-private", "`cat 300w.zip.00? > 300w.zip` joins, then run `nmebench data add 300w.zip`"),
        ("aflw", "ask for the photographs at https://www.tugraz.at/"),
        ("weights-cofw", "download HR18-COFW.pth in a browser from https://1drv.ms/"),
    ],
)
def test_what_must_be_brought_is_named(name, words) -> None:
    assert any(words in line for line in manual_downloads(name))
    assert not manual_downloads("300w")
