"""An extension of griffe for the site: docstrings of this project as Markdown.

Docstrings have Google style with the section ``Example:`` and reStructuredText's roles. Griffe knows ``Examples:``, and
Markdown has no roles.
"""

from __future__ import annotations

import re
from typing import Any

import griffe

ROLE = re.compile(r":(?:func|class|meth|data|attr|mod):`(?P<short>~?)(?P<path>[\w.]+)`")


class ProjectDocstrings(griffe.Extension):
    """Rewrite every docstring before it is parsed."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Replace roles by code, and name the section of examples as griffe expects it."""
        if obj.docstring:
            obj.docstring.value = markdown(obj.docstring.value)


def markdown(text: str) -> str:
    """Return a docstring with code instead of roles, and with the section ``Examples:``."""
    text = re.sub(r"(?m)^Example:$", "Examples:", text)
    return ROLE.sub(lambda match: f"`{match['path'].rpartition('.')[2] if match['short'] else match['path']}`", text)
