"""Mutations of bytes, text lines, JSON and TOML. Every mutation draws from the given generator only."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

__all__ = ["Mutation", "mutate_bytes", "mutate_json", "mutate_lines", "mutate_toml", "mutate_tree"]

Mutation = Callable[[bytes, Sequence[bytes], Random], bytes]
"""``(data, all seeds of the reader, generator) -> changed data``."""

NUMBERS = (
    "0",
    "-0",
    "-1",
    "1",
    "2",
    "nan",
    "NaN",
    "inf",
    "-inf",
    "Infinity",
    "1e308",
    "1e309",
    "-1e400",
    "1e-400",
    "0x10",
    "1_0",
    "1,5",
    "٣",
    "9" * 400,
    "9" * 5000,
    "2147483648",
    "-9223372036854775809",
    "18446744073709551616",
    "1e9",
    "1.5.2",
    "+1",
    ".5",
    "5.",
    "1e",
    "0.1e1_0",
    "∞",
    "½",
    "1 ",
    "true",
    "null",
    "None",
)
TEXTS = (
    "",
    " ",
    "\t",
    "\0",
    "\x1c",
    "\x85",
    "\u2028",
    "\ufeff",
    "é",
    "e\u0301",
    "\udcff",
    "a" * 70_000,
    "../../x",
    "/etc/passwd",
    "C:\\x",
    "a\\b.jpg",
    "=1+1",
    '"',
    "'",
    ",",
    ";",
    "#",
    "<b>",
    "%s%n",
    "{}",
    "${HOME}",
    "CON",
    ".",
    "..",
    "/",
    "a/",
    "a\nb",
    "\x1b[31m",
    "x" * 300,
    "\r",
    "👩‍👩‍👧",
    "(1)",
    "1 (2).jpg",
)
INTEGERS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 2**63 - 1, 2**63, 2**64 - 1)

_NUMBER = re.compile(rb"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")


def mutate_bytes(data: bytes, seeds: Sequence[bytes], draw: Random) -> bytes:
    """Change some bytes: flips, limits of integers, cuts, repeats, insertions, splices, numbers in text."""
    found = bytearray(data)
    for _ in range(draw.choice((1, 1, 1, 2, 4, 8))):
        size = len(found)
        # Headers are at the beginning, and those of zip and parquet files at the end.
        near = min(size, 400)
        place = draw.choice((draw.randrange(near + 1), size - draw.randrange(near + 1), draw.randrange(size + 1)))
        length = draw.choice((1, 2, 4, 8, 16, draw.randint(1, 400)))
        kind = draw.randrange(11)
        if kind == 0 and place < size:
            found[place] ^= 1 << draw.randrange(8)
        elif kind == 1 and place < size:
            found[place] = draw.choice((0, 1, 0x20, 0x22, 0x2C, 0x0A, 0x7F, 0x80, 0xFF))
        elif kind == 2:
            width = draw.choice((1, 2, 4, 8))
            value = draw.choice(INTEGERS) & (1 << 8 * width) - 1
            found[place : place + width] = value.to_bytes(width, draw.choice(("little", "big")))
        elif kind == 3:
            del found[place : place + length]
        elif kind == 4:
            found[place:place] = draw.randbytes(length)
        elif kind == 5:
            found[place:place] = found[place : place + length] * draw.choice((1, 2, 50))
        elif kind == 6:
            del found[place:]
        elif kind == 7:
            other = draw.choice(seeds)
            found[place:] = other[draw.randrange(len(other) + 1) :]
        elif kind == 8:
            found[place : place + length] = bytes([draw.choice((0, 0xFF, 0x20, 0x41))]) * length
        elif kind == 9 and (numbers := list(_NUMBER.finditer(bytes(found[:100_000])))):
            match = draw.choice(numbers)
            found[match.start() : match.end()] = draw.choice(NUMBERS).encode()
        elif kind == 10:
            found[place:place] = draw.choice(TEXTS).encode("utf-8", "surrogateescape")
    return bytes(found)


def mutate_lines(data: bytes, seeds: Sequence[bytes], draw: Random) -> bytes:
    """Change the lines and fields of a list or a csv."""
    text = data.decode("utf-8", "surrogateescape")
    lines = text.split("\n")
    for _ in range(draw.choice((1, 1, 2, 3))):
        row = draw.randrange(len(lines))
        separator = "," if "," in lines[row] else " "
        fields = lines[row].split(separator)
        column = draw.choice((0, len(fields) - 1, draw.randrange(len(fields))))
        kind = draw.randrange(12)
        if kind == 0:
            fields[column] = draw.choice(NUMBERS)
        elif kind == 1:
            fields[column] = draw.choice(TEXTS)
        elif kind == 2:
            del fields[column]
        elif kind == 3:
            fields.insert(column, draw.choice((*NUMBERS, *TEXTS, "")))
        elif kind == 4:
            other = draw.randrange(len(fields))
            fields[column], fields[other] = fields[other], fields[column]
        elif kind == 5:
            fields[column] = f'"{fields[column]}' + draw.choice(('"', "", '""', '"x'))
        lines[row] = separator.join(fields)
        if kind == 6:
            del lines[row]
        elif kind == 7:
            lines[row:row] = [lines[row]] * draw.choice((1, 1, 2000))
        elif kind == 8:
            draw.shuffle(lines)
        elif kind == 9:
            lines[row] = lines[row].replace(separator, draw.choice((" ", "\t", ";", ",", ", ", "\x0b", "\u00a0")))
        elif kind == 10:
            lines[row] = draw.choice(("#", "//", "\ufeff", "\0", " ", "")) + lines[row]
        lines = lines or [""]
    text = draw.choice(("\n", "\n", "\n", "\r\n", "\r", "\x85", "\u2028")).join(lines)
    found = text.encode("utf-8", "surrogatepass") if "\udcff" not in text else text.encode("utf-8", "surrogateescape")
    return draw.choice((found, found, found, b"\xef\xbb\xbf" + found, text.encode("utf-16", "surrogatepass")))


def _value(draw: Random) -> Any:
    """A value that a reader doesn't expect."""
    simple: tuple[Any, ...] = (
        None,
        True,
        False,
        [],
        {},
        "",
        0,
        -1,
        1,
        1.5,
        1e308,
        -1e308,
        5e-324,
        float("nan"),
        float("inf"),
        10**30,
        10**400,
        2**63,
        "1",
        "nan",
        [[]],
        [None],
        {"": None},
        [1, 2, 3],
        ["a"],
        {"a": {}},
        [0.5] * 1000,
        {str(i): i for i in range(1000)},
    )
    kind = draw.randrange(8)
    if kind == 0:
        return draw.choice(TEXTS)
    if kind == 1:
        deep: Any = 1
        for _ in range(draw.choice((3, 60, 99, 101, 300))):
            deep = [deep] if draw.random() < 0.5 else {"a": deep}
        return deep
    return draw.choice(simple)


def _nodes(value: Any, found: list[tuple[Any, Any]]) -> None:
    """Collect ``(container, key)`` of every value in a tree."""
    for key, child in list(value.items() if isinstance(value, dict) else enumerate(value)):
        found.append((value, key))
        if isinstance(child, dict | list):
            _nodes(child, found)


def mutate_tree(tree: Any, draw: Random) -> Any:
    """Change values, keys and lengths of nested lists and tables."""
    for _ in range(draw.choice((1, 1, 2, 3))):
        nodes: list[tuple[Any, Any]] = []
        if isinstance(tree, dict | list):
            _nodes(tree, nodes)
        if not nodes or draw.random() < 0.02:
            return _value(draw)
        container, key = draw.choice(nodes)
        kind = draw.randrange(7)
        if kind <= 2:
            container[key] = _value(draw)
        elif kind == 3:
            del container[key]
        elif kind == 4 and isinstance(container, dict):
            container[draw.choice((*TEXTS, key + "x", key.upper()))] = container.pop(key)
        elif kind == 4:
            container[key:key] = [container[key]] * draw.choice((1, 3, 500))
        elif kind == 5:
            other, place = draw.choice(nodes)
            try:
                container[key] = json.loads(json.dumps(other[place]))
            except (LookupError, RecursionError):
                continue
        elif kind == 6 and isinstance(container[key], int | float | str):
            container[key] = draw.choice((str(container[key]), [container[key]], draw.choice(NUMBERS)))
    return tree


def mutate_json(data: bytes, seeds: Sequence[bytes], draw: Random) -> bytes:
    """Change the tree of a JSON text, or its text."""
    try:
        tree = mutate_tree(json.loads(data), draw)
        text = json.dumps(tree, ensure_ascii=draw.random() < 0.8, indent=draw.choice((None, 1)))
    except (ValueError, RecursionError):
        return mutate_bytes(data, seeds, draw)
    kind = draw.randrange(12)
    if kind == 0:
        text = draw.choice("[{") * draw.choice((99, 1000, 100_000)) + text
    elif kind == 1:
        text = text.replace(":", draw.choice((":", ": " + "9" * 5000 + ",", ":-", ":+", ":NaN,")), 1)
    elif kind == 2 and text.startswith("{"):
        text = text[:-1] + "," + text[1:]  # every key twice
    found = text.encode("utf-8", "surrogatepass")
    if kind == 3:
        return mutate_bytes(found, seeds, draw)
    if kind == 4:
        return draw.choice((b"\xef\xbb\xbf" + found, text.encode("utf-16", "surrogatepass"), found + b"\0", b""))
    return found


TOML_VALUES = (
    "nan",
    "inf",
    "-inf",
    "1e309",
    "0",
    "-1",
    "99999999999999999999",
    "9" * 5000,
    "true",
    "[]",
    "{}",
    "[[]]",
    '""',
    "''",
    '"\\u0000"',
    '"a\\nb"',
    "1979-05-27",
    "07:32:00",
    "1979-05-27T07:32:00Z",
    "0xdeadbeef",
    "0o7",
    "1_0",
    "[1, 2, 3]",
    "[256]",
    "[256, 256, 256]",
    "[0, 0]",
    "[-1, 256]",
    "[1e9, 1e9]",
    '["a", 1]',
    "{a = 1}",
    "[" * 60 + "]" * 60,
    "[" * 5000 + "]" * 5000,
    "{a=" * 90 + "1" + "}" * 90,
    '"' + "x" * 70_000 + '"',
    '"../../etc/passwd"',
    '"/dev/zero"',
    '"="',
    '"\\u2028"',
    "'''\n\n'''",
    "1.5",
    "1e-320",
    "2147483648",
)


def mutate_toml(data: bytes, seeds: Sequence[bytes], draw: Random) -> bytes:
    """Change the lines, keys and values of a TOML text."""
    lines = data.decode("utf-8", "surrogateescape").split("\n")
    for _ in range(draw.choice((1, 1, 2, 3))):
        row = draw.randrange(len(lines))
        key, equals, value = lines[row].partition("=")
        kind = draw.randrange(10)
        if kind <= 3 and equals:
            lines[row] = f"{key}= {draw.choice(TOML_VALUES)}"
        elif kind == 4:
            del lines[row]
            lines = lines or [""]
        elif kind == 5:
            lines.insert(draw.randrange(len(lines) + 1), lines[row])
        elif kind == 6 and equals:
            name = draw.choice((key.strip() + "x", key.strip() + ".a", "a." * 500 + "b", '""'))
            lines[row] = f"{name} ={value}"
        elif kind == 7 and lines[row].startswith("["):
            lines[row] = draw.choice(
                ("[a]", "[[a]]", "[" + "a." * 200 + "a]", "[ ]", f"[{lines[row]}]", "[input.size]")
            )
        elif kind == 8 and equals:
            lines[row] = f'{key}= {draw.choice(("", "[", "{"))}"{draw.choice(TEXTS)}"'
        elif kind == 9:
            other = draw.randrange(len(lines))
            lines[row], lines[other] = lines[other], lines[row]
    found = "\n".join(lines).encode("utf-8", "surrogateescape" if "\udcff" in "".join(lines) else "surrogatepass")
    return mutate_bytes(found, seeds, draw) if draw.random() < 0.1 else found
