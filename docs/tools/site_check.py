"""Checks the built site: no page loads anything from another host, and every public name has a documentation.

``python docs/tools/site_check.py site`` prints one line for each fault and exits with 1 if there is one.
"""

from __future__ import annotations

import argparse
import importlib
import re
from html.parser import HTMLParser
from pathlib import Path

from reference_pages import PACKAGES, definition, file_name

#: Attributes whose address a browser loads without a click.
LOADED = {("script", "src"), ("img", "src"), ("iframe", "src"), ("source", "src"), ("video", "src"), ("link", "href")}
#: Kinds of <link> that only name an address.
NAMED = {"canonical", "prev", "next", "alternate", "edit"}


class Loads(HTMLParser):
    """The addresses that a page loads, and the ids on it."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.ids: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect."""
        given = dict(attrs)
        if given.get("id"):
            self.ids.add(str(given["id"]))
        if tag == "link" and NAMED & set((given.get("rel") or "").split()):
            return
        self.addresses += [value or "" for name, value in attrs if (tag, name) in LOADED]


def faults(site: Path) -> list[str]:
    """One line for each address of another host that is loaded, and each public name that isn't documented."""
    found = []
    for page in sorted(site.rglob("*.html")):
        loads = Loads()
        loads.feed(page.read_text(encoding="utf-8"))
        found += [
            f"{page.relative_to(site)}: loads {address}"
            for address in loads.addresses
            if re.match(r"(?:https?:)?//", address)
        ]
    for style in site.rglob("*.css"):
        text = style.read_text(encoding="utf-8")
        found += [
            f"{style.relative_to(site)}: loads {u}" for u in re.findall(r"url\([\"']?((?:https?:)?//[^)]+)", text)
        ]
    for package in PACKAGES:
        page = site / "reference/api" / file_name(package).replace(".md", ".html")
        loads = Loads()
        loads.feed(page.read_text(encoding="utf-8"))
        module = importlib.import_module(package)
        for name in module.__all__:
            if f"{package}.{name}" not in loads.ids:
                found.append(f"{page.relative_to(site)}: {package}.{name} is missing")
            if not definition(module, name)[1]:
                found.append(f"{package}.{name} has no docstring")
    return found


def main() -> None:
    """Print the faults; exit with 1 if there are any."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("site", type=Path)
    found = faults(parser.parse_args().site)
    print("\n".join(found) if found else "the site is complete and loads nothing from other hosts")
    raise SystemExit(bool(found))


if __name__ == "__main__":
    main()
