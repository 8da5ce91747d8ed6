"""The files of the pages: styles and scripts from ``assets``, templates from ``templates``."""

from __future__ import annotations

from functools import cache
from importlib import resources

import jinja2
from markupsafe import Markup

from nmebench.reports.render.text import display, prose

__all__ = ["asset", "environment", "styles"]


@cache
def asset(name: str) -> str:
    """Return the text of a file in ``assets``."""
    return resources.files("nmebench.reports").joinpath("assets", name).read_text(encoding="utf-8").strip()


def styles(*names: str) -> dict[str, Markup]:
    """Return a page's styles for its template: ``light`` and ``dark`` colours, and ``css`` with the rules of all pages.

    Args:
        names: the page's own stylesheets in ``assets``.
    """
    return {
        "light": Markup(asset("theme-light.css")),  # noqa: S704 - files of this package
        "dark": Markup(asset("theme-dark.css")),  # noqa: S704
        "css": Markup("\n".join(map(asset, ("base.css", *names)))),  # noqa: S704
    }


@cache
def environment() -> jinja2.Environment:
    """Return the environment of all templates: it escapes, and refuses undefined names."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("nmebench.reports"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["display"] = display
    made.filters["prose"] = prose
    return made
