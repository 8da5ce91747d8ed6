"""The page ``docs/mutation.md``: the table of all stored results, and the survivors."""

from __future__ import annotations

import fnmatch
import tomllib
from pathlib import Path
from typing import Any

from checkout_copy import ROOT

__all__ = ["EQUIVALENT", "page", "shortened", "write_page"]

PAGE = ROOT / "docs" / "mutation.md"

EQUIVALENT = Path(__file__).with_name("equivalent_mutants.toml")
"""The survivors that no test can find, with the reason."""


def write_page(results: dict[str, list[dict[str, Any]]]) -> None:
    """Replace the results in ``docs/mutation.md``.

    Args:
        results: the stored results of each package.
    """
    # Imported here: the tests of mutants are forked from this process, and must import the copy's package.
    from nmebench.reports.tables import replace_block

    equivalent = tomllib.loads(EQUIVALENT.read_text(encoding="utf-8")).get("mutant", [])
    text = PAGE.read_text(encoding="utf-8")
    new = replace_block(text, "results", f"\n{page(results, equivalent)}\n\n", PAGE.name)
    PAGE.write_text(new, encoding="utf-8")


def page(results: dict[str, list[dict[str, Any]]], equivalent: list[dict[str, str]]) -> str:
    """Return the table of the results and the list of survivors, as Markdown."""
    table = [
        "| package | mutants | seed | tested | killed | equivalent | survived | score |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    listed: list[str] = []
    for name, runs in results.items():
        for run in runs:
            reasons = [reason(survivor, equivalent) for survivor in run["survivors"]]
            same = sum(r is not None for r in reasons)
            alive = len(reasons) - same
            killed = run["tested"] - len(reasons)
            score = 100 * killed / (run["tested"] - same) if run["tested"] > same else 100.0
            table.append(
                f"| `{name}` | {run['mutants']} | {run['seed']} | {run['tested']} | {killed} | {same} | {alive} | "
                f"{score:.0f} % |"
            )
            for survivor, why in zip(run["survivors"], reasons, strict=True):
                before, after = shortened(*(survivor[text].replace("`", "'") for text in ("before", "after")))
                place = f"`{survivor['file']}`, `{survivor['function']}`"
                later = (
                    "A test that was written afterwards finds it."
                    if survivor.get("found_later")
                    else "No test finds it."
                )
                line = f"* {place}: `{before}` became `{after}`. {why or later}"
                if line not in listed:
                    listed.append(line)
    return "\n".join([*table, "", "### Survivors", "", *listed])


def reason(survivor: dict[str, Any], equivalent: list[dict[str, str]]) -> str | None:
    """Return why no test can find a mutant; None when nothing is known."""
    for entry in equivalent:
        place = (survivor["file"], entry["file"]), (survivor["function"], entry.get("function", "*"))
        texts = (survivor["before"], entry.get("before", "")), (survivor["after"], entry.get("after", ""))
        if all(fnmatch.fnmatchcase(*pair) for pair in place) and all(part in text for text, part in texts):
            return entry["reason"]
    return None


def shortened(before: str, after: str, around: int = 50) -> tuple[str, str]:
    """Return both texts without what is far from their difference."""
    start = max(_equal(before, after) - around, 0)
    end = max(_equal(before[::-1], after[::-1]) - around, 0)
    dots = ("..." if start else "", "..." if end else "")
    first, second = (f"{dots[0]}{text[start : len(text) - end]}{dots[1]}" for text in (before, after))
    return first, second


def _equal(first: str, second: str) -> int:
    """The number of characters with which both texts begin."""
    pairs = enumerate(zip(first, second, strict=False))
    return next((index for index, (a, b) in pairs if a != b), min(len(first), len(second)))
