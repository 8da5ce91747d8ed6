"""Writes a commented model card for an ONNX file."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from nmebench.cards.candidates import PIXEL_VALUES
from nmebench.cards.describe_output import Entry, describe_output
from nmebench.cards.inspect_onnx import OnnxFacts, inspect_onnx
from nmebench.errors import InputError
from nmebench.models.card import Card

__all__ = ["new_card"]

HEAD = """\
# Model card of {file}; docs/cards.md and docs/models.md describe every field.
# The file decides the lines without a question mark. A line with (?) is a guess: take it from the code with which the
# network was trained, or try the choices with `nmebench card probe`. Lines that begin with # are further choices.
"""


def new_card(network: Path, card: Path, name: str | None = None) -> tuple[str, list[str]]:
    """Return the text of a card for an ONNX file, and its lines that the file doesn't decide.

    Args:
        network: the ONNX file.
        card: where the card will be written; the path of the network is relative to it where the card's folder contains
            it.
        name: the network's name; None makes one of the file's name.

    Raises:
        InputError: the file can't be read, or isn't a network that a card can describe.
    """
    facts = inspect_onnx(network)
    table = describe_output(facts.outputs, facts.size, str(network))
    top = [
        Entry(f"name = {json.dumps(name or _name(network))}"),
        Entry('architecture = "onnx"'),
        Entry(f"weights = {json.dumps(_relative(network, card), ensure_ascii=False)}"),
        Entry('scheme = "..."', "of the landmarks, to measure the network on data of another one", is_choice=True),
        Entry('licence = "..."', "of the weights", is_choice=True),
        Entry('source = "..."', "where the network comes from", is_choice=True),
    ]
    reported = [
        Entry("[reported.wflw.paper]", is_choice=True),
        Entry(
            "nme = { test = 4.00 }",
            "the published values, percent; `nmebench check` compares with them",
            is_choice=True,
        ),
        Entry('source = "..."', is_choice=True),
        Entry("tolerance = 0.05", "percent points", is_choice=True),
    ]
    tables = {"": top, "[input]": _input(facts), "[output]": table.output, "[test]": [*table.test, *_TEST]}
    parts = [HEAD.format(file=network.name)]
    for title, entries in tables.items():
        parts.append((f"{title}\n" if title else "") + _lines(entries))
    parts.append(_lines(reported))
    undecided = [
        entry.text for entries in tables.values() for entry in entries if entry.is_open and not entry.is_choice
    ]
    text = "\n".join(parts)
    try:
        Card.model_validate(tomllib.loads(text))
    except (ValidationError, tomllib.TOMLDecodeError) as error:
        reason = str(error).splitlines()[-1].strip()[:200]
        raise InputError(
            f"{network} can't be described by a card: {reason}; give --name, or write the card by hand"
        ) from error
    return text, undecided


_TEST = (
    Entry("flip = true", "flip test: average with the mirrored image", is_choice=True),
    Entry("shift = true", "mmpose's shift_heatmap", is_choice=True),
)


def _name(network: Path) -> str:
    return re.sub(r"[^\w.+-]+", "-", network.stem, flags=re.ASCII).strip("-.")[:80] or "network"


def _relative(network: Path, card: Path) -> str:
    target, folder = network.resolve(), card.resolve().parent
    return str(target.relative_to(folder) if target.is_relative_to(folder) else target)


def _input(facts: OnnxFacts) -> list[Entry]:
    width, height = facts.size
    reads = f"width, height; the file reads {facts.input}"
    usual = "the file leaves the size open" if not facts.size_is_stated else ""
    entries = [Entry(f"size = [{width}, {height}]", usual or reads, is_open=bool(usual))]
    if facts.image.layout == "nhwc" or not facts.layout_is_stated:
        entries.append(
            Entry(f'layout = "{facts.image.layout}"', "" if facts.layout_is_stated else "the only one that runs")
        )
    entries += [
        Entry('box = "landmarks"', 'or "rect", "pfld", ... (`nmebench list boxes`)', is_open=True),
        Entry("padding = 1.25", "factor on the side of the box", is_open=True, is_choice=True),
        Entry('resample = "affine"', 'or "resize", "resize-area" (OpenCV), "pil-bilinear", "pil-bicubic"', True, True),
        Entry('convention = "stride"', 'or "udp", "half-pixel"', True, True),
        Entry('colour = "rgb"', 'or "bgr"', is_open=True),
    ]
    if facts.image.dtype is np.uint8:
        return [*entries, Entry("mean = [0, 0, 0]", "the file reads uint8 pixel values"), Entry("std = [1, 1, 1]")]
    for number, (values, (mean, std)) in enumerate(PIXEL_VALUES.items()):
        is_choice = values != "ImageNet"
        note = f"{values}, in 0..255" if number == 0 else values
        entries.append(Entry(f"mean = {list(mean)}", note, True, is_choice))
        entries.append(Entry(f"std = {list(std)}", note, True, is_choice))
    return sorted(entries, key=lambda entry: entry.is_choice and entry.text.startswith(("mean", "std")))


def _lines(entries: Sequence[Entry]) -> str:
    lines = []
    for entry in entries:
        text = f"# {entry.text}" if entry.is_choice else entry.text
        mark = "(?) " if entry.is_open and not entry.is_choice else ""
        comment = f"{mark}{entry.comment}".strip()
        lines.append(f"{text:<36}  # {comment}" if comment else text)
    return "\n".join(lines) + "\n"
