"""Bounded reads of files."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nmebench.bounded_read import check_regular, parse_json, parse_toml, read_bounded, read_json, read_toml
from nmebench.errors import InputError


def test_files_up_to_the_limit_are_read(tmp_path: Path) -> None:
    file = tmp_path / "a.bin"
    file.write_bytes(b"12345")
    assert read_bounded(file, 5) == b"12345"
    with pytest.raises(InputError, match=r"^image \S+a\.bin has 5 bytes: up to 4 are read$"):
        read_bounded(file, 4, kind="image")


def test_missing_files_folders_and_bad_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.bin is missing"):
        read_bounded(tmp_path / "a.bin", 5)
    with pytest.raises(InputError, match="is a folder"):
        read_bounded(tmp_path, 5)
    with pytest.raises(InputError, match="can't be read: embedded null"):
        read_bounded(tmp_path / "a\0b", 5)
    with pytest.raises(InputError, match="can't be read: File name too long"):
        read_bounded(tmp_path / ("n" * 300), 5)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes don't exist here")
def test_named_pipes_are_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="is not a regular file"):
        read_bounded(tmp_path / "pipe", 5)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes don't exist here")
def test_pipe_that_replaces_a_file_after_its_check_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_bytes(b"1")
    status = (tmp_path / "file").stat()
    monkeypatch.setattr(Path, "stat", lambda path: status)
    with pytest.raises(InputError, match="is not a regular file"):
        read_bounded(tmp_path / "pipe", 5)


@pytest.mark.skipif(sys.platform == "win32", reason="these files don't exist on Windows")
def test_devices_and_sockets_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind("socket")
        for path in (Path("socket"), Path("/dev/zero"), Path("/dev/null")):
            with pytest.raises(InputError, match="is not a regular file"):
                read_bounded(path, 5)


@pytest.mark.skipif(not Path("/proc/self/maps").is_file(), reason="there is no /proc")
def test_file_that_is_longer_than_its_size_is_read_up_to_the_limit() -> None:
    """Files in /proc have a size of 0 and a content."""
    assert b"-" in read_bounded(Path("/proc/self/maps"), 2**24)
    with pytest.raises(InputError, match="has more than 5 bytes"):
        read_bounded(Path("/proc/self/maps"), 5)


def test_json_and_toml_are_read_with_or_without_byte_order_mark(tmp_path: Path) -> None:
    for mark in (b"", b"\xef\xbb\xbf"):
        (tmp_path / "a.json").write_bytes(mark + b'{"a": [1, 2.5]}')
        (tmp_path / "a.toml").write_bytes(mark + b"a = [1, 2.5]\r\n")
        assert read_json(tmp_path / "a.json") == {"a": [1, 2.5]}
        assert read_toml(tmp_path / "a.toml") == {"a": [1, 2.5]}


NESTED = {"lists": ("[", "]"), "tables": ('{"a":', "}")}


@pytest.mark.parametrize("levels", [101, 990, 5000, 200_000])
@pytest.mark.parametrize("kind", NESTED)
def test_deeply_nested_json_is_one_line(kind: str, levels: int) -> None:
    begin, end = NESTED[kind]
    text = begin * levels + "1" + end * levels
    with pytest.raises(InputError, match=r"^run\.json: not a json that can be read: it is nested deeper than 100 lev"):
        parse_json(text, "run.json")


@pytest.mark.parametrize("levels", [101, 300, 5000])
@pytest.mark.parametrize(("begin", "end"), [("[", "]"), ("{a=", "}")], ids=["lists", "tables"])
def test_deeply_nested_toml_is_one_line(begin: str, end: str, levels: int) -> None:
    text = "a = " + begin * levels + "1" + end * levels
    with pytest.raises(InputError, match=r"^card\.toml: not a toml that can be read: it is nested deeper than 100 lev"):
        parse_toml(text, "card.toml")


def test_dotted_toml_keys_count_as_levels() -> None:
    with pytest.raises(InputError, match="nested deeper than 100 levels"):
        parse_toml(".".join("a" * 500) + " = 1", "card.toml")


def test_values_nested_up_to_the_limit_are_read() -> None:
    assert str(parse_json("[" * 100 + "]" * 100, "a.json")).count("[") == 100
    assert "a" in parse_toml("a = " + "[" * 99 + "]" * 99, "a.toml")


@pytest.mark.parametrize(
    ("parse", "text", "message"),
    [
        pytest.param(parse_json, "9" * 5000, "can be read: Exceeds the limit", id="json integer"),
        pytest.param(parse_toml, "a = " + "9" * 5000, "can be read: Exceeds the limit", id="toml integer"),
        pytest.param(parse_json, '{"nme": NaN}', "holds NaN", id="json NaN"),
        pytest.param(parse_json, "[-Infinity]", "holds -Infinity", id="json infinity"),
        pytest.param(parse_json, "", r"a:1: not a json: Expecting value \(column 1\)", id="empty json"),
        pytest.param(parse_json, '{"a": 1', "not a json", id="json cut off"),
        pytest.param(parse_toml, "a = 1\na = 2", "not a toml: Cannot overwrite", id="toml key twice"),
        pytest.param(parse_toml, "a = 2020-13-45", "not a toml", id="toml date"),
        pytest.param(parse_toml, "a = 0x" + "f" * 5000 + "\nb =", "not a toml", id="hexadecimal integer"),
    ],
)
def test_texts_that_no_parser_reads_are_one_line(parse: object, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        parse(text, "a")  # type: ignore[operator]
    assert "\n" not in str(caught.value)


def test_nan_is_read_where_it_is_allowed() -> None:
    assert str(parse_json("[NaN, Infinity]", "a", allow_nan=True)) == "[nan, inf]"


def test_bytes_that_are_not_utf_8_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b'{\n"a": "caf\xe9"}')
    with pytest.raises(InputError, match=r"baseline \S+a\.json:2: a byte is not UTF-8"):
        read_json(tmp_path / "a.json", kind="baseline")
    assert read_json(tmp_path / "a.json", errors="surrogateescape") == {"a": "caf\udce9"}
    for encoding in ("utf-16", "utf-16-be"):
        text = "\ufeff{}" if encoding == "utf-16-be" else "{}"
        (tmp_path / "a.json").write_bytes(text.encode(encoding))
        with pytest.raises(InputError, match="is UTF-16 text: save it as UTF-8"):
            read_json(tmp_path / "a.json")


@given(st.text("[]{}\":,=a1.\n\\'", max_size=60))
def test_any_text_gives_a_value_or_one_line(text: str) -> None:
    for parse in (parse_json, parse_toml):
        message = "x"
        try:
            parse(text, "a")
        except InputError as error:
            message = str(error)
        assert message.isprintable()


def test_check_regular(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    assert check_regular(tmp_path / "a", 5) == 5
    with pytest.raises(InputError, match=r"archive .*a has 5 bytes: up to 4 are read"):
        check_regular(tmp_path / "a", 4, kind="archive")
    with pytest.raises(InputError, match="b is missing"):
        check_regular(tmp_path / "b", 5)
    with pytest.raises(InputError, match="/dev/zero is not a regular file"):
        check_regular(Path("/dev/zero"), 5)
    with pytest.raises(InputError, match="is a folder"):
        check_regular(tmp_path, 5)
    for odd in ("a\0b", "x" * 300):
        with pytest.raises(InputError, match="can't be read"):
            check_regular(tmp_path / odd, 5)
