"""Makes the ids of a part of a page unique, so that a page can have the same part for several runs."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

__all__ = ["with_prefix"]

_TAG = re.compile(r"<[a-zA-Z][^<>]*>")
_REFERENCE = re.compile(r'\s(id|for|name|aria-labelledby|aria-describedby|aria-controls)="([^"]*)"')


def with_prefix(part: Markup, prefix: str, name: str = "") -> Markup:
    """Put a prefix before every id of a part, and before every reference to one.

    Regions are landmarks of a page, whose labels must differ too: they begin with the name of the part.

    Texts of a part are escaped, so they hold no tags and no quotation marks that end an attribute.

    Args:
        part: HTML whose references are all to ids of its own.
        prefix: the prefix; empty changes nothing.
        name: the part in words.

    Example:
        >>> print(with_prefix(Markup('<label for="x">id="x"</label><input id="x"><a href="#x">'), "wflw."))
        <label for="wflw.x">id="x"</label><input id="wflw.x"><a href="#wflw.x">
    """
    if not prefix:
        return part

    def changed(match: re.Match[str]) -> str:
        tag = _REFERENCE.sub(lambda m: f' {m[1]}="{" ".join(prefix + name for name in m[2].split())}"', match[0])
        if ' role="region"' in tag:
            tag = tag.replace(' aria-label="', f' aria-label="{escape(name)}: ')
        return tag.replace(' href="#', f' href="#{prefix}').replace("url(#", f"url(#{prefix}")

    return Markup(_TAG.sub(changed, part))  # noqa: S704 - only ids of escaped markup are changed
