"""The words of a card for flip tests and empty maps, and weights that are downloaded by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from nmebench.fetch.sources import source_from_card
from nmebench.models import card
from nmebench.models.card_output import Output
from nmebench.models.errors import CardError
from nmebench.protocol import FLIPS

START = 'name = "x"\narchitecture = "hrnetv2-w18"\n'
TABLE = '[reported.wflw.paper]\nnme = { test = 9.0 }\nsource = "a test"\ntolerance = 0.01\n'


def loaded(folder: Path, text: str) -> card.Card:
    file = folder / "x.toml"
    file.write_text(START + text)
    return card.load(file)


@pytest.mark.parametrize("word", FLIPS)
def test_a_card_can_name_every_flip_test(tmp_path: Path, word: str) -> None:
    found = loaded(tmp_path, f'[test]\ndecoder = "dark"\nflip = "{word}"\n{TABLE}')
    assert [protocol.flip for protocol in found.protocols("wflw").values()] == [word]


@pytest.mark.parametrize("word", FLIPS)
def test_a_table_can_name_another_flip_test(tmp_path: Path, word: str) -> None:
    found = loaded(tmp_path, f'[test]\nflip = true\nshift = true\n{TABLE}flip = "{word}"\n')
    assert found.protocols("wflw")["paper"].flip == word


@pytest.mark.parametrize(
    ("test", "table", "expected"),
    [
        ("flip = true\nshift = true", "", "flip+shift"),
        ("flip = true", "", "flip"),
        ("flip = false", "", "none"),
        ("flip = true\nshift = true", "shift = false", "flip"),
        ('flip = "flip-coords"', "flip = true\nshift = true", "flip+shift"),
        ('flip = "flip-coords"', "flip = false", "none"),
    ],
)
def test_the_switches_of_mmpose_keep_their_meaning(tmp_path: Path, test: str, table: str, expected: str) -> None:
    assert loaded(tmp_path, f"[test]\n{test}\n{TABLE}{table}\n").protocols("wflw")["paper"].flip == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[test]\nflip = "flip-coords"\nshift = true', "flip = 'flip-coords' names the flip test; leave out shift"),
        (f'[test]\nflip = true\n{TABLE}flip = "flip"\nshift = true', "flip = 'flip' names the flip test"),
        (f'[test]\nflip = "flip+align"\n{TABLE}shift = true', "'paper': a shift, but test.flip = 'flip+align'"),
        ('[test]\nflip = "coords"', "test.flip"),
        ('[output]\nempty = "max<0"', "output.empty"),
        ('[output]\nempty = "max<=nan"', "output.empty"),
        ('[output]\nkind = "landmarks"\nunit = "input-px"\nempty = "never"', "empty applies to heatmaps and simcc"),
        ('[weights]\npage = "https://example.org/"', "page needs file"),
        ('[weights]\npage = "https://example.org/"\nurl = "https://example.org/a.pth"\nfile = "a.pth"', "one of path"),
    ],
)
def test_contradictions_are_one_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(CardError) as error:
        loaded(tmp_path, text)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("rule", "largest"), [("max<=0", 0.0), ("max<=0.05", 0.05), ("max<=-3.5", -3.5), ("max<=1e-3", 1e-3)]
)
def test_the_largest_maximum_of_an_empty_map(rule: str, largest: float) -> None:
    assert Output(empty=rule).largest_empty == largest


def test_a_page_gives_a_download_by_hand() -> None:
    source = source_from_card(card.load("h3r-mobilenetv2-256"), "")
    assert source is not None
    assert source.by_hand
    assert source.url is None
    assert source.hash_prefix == "b7e0b470"
    assert "nmebench data add" in source.manual_way
    assert "https://github.com/baoshengyu/H3R" in source.manual_way
