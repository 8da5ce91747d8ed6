"""Writes the generated reference pages: the command line, and the public names of every documented package.

``python docs/tools/reference_pages.py`` writes ``docs/reference/cli.md`` and ``docs/reference/api/*.md`` again;
``--check`` writes nothing and fails when a page is not current.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import inspect
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import typer
from typer.cli import get_docs_for_click

from nmebench.cli.entry import app
from nmebench.files import write_atomically

REFERENCE = Path(__file__).resolve().parents[1] / "reference"

#: The documented packages, in the order of the contents: the public interface of nmebench.
PACKAGES = (
    "nmebench",
    "nmebench.metrics",
    "nmebench.testing",
    "nmebench.runs",
    "nmebench.checks",
    "nmebench.gates",
    "nmebench.comparisons",
    "nmebench.history",
    "nmebench.reports",
    "nmebench.statistics",
    "nmebench.published",
    "nmebench.sweep",
    "nmebench.decoders",
    "nmebench.decoders.interface",
    "nmebench.models",
    "nmebench.datasets",
    "nmebench.boxes",
    "nmebench.geometry",
)

CLI_HEAD = """# Command line

`python docs/tools/reference_pages.py` makes this page from the commands themselves. `nmebench COMMAND --help` prints
the same texts. The [exit codes](exit-codes.md) are on a page of their own.
"""

API_HEAD = """# Python API

A name is public if one of these packages has it in its `__all__`. All other names may change without notice.
`python docs/tools/reference_pages.py` makes these pages from the docstrings; [scores in Python](../../python.md) shows
how to use them.

| package | purpose |
|---|---|
"""


def cli_page() -> str:
    """Return the page of the command line."""
    command: Any = typer.main.get_command(app)
    text = get_docs_for_click(obj=command, ctx=typer.Context(command, info_name="nmebench"), name="nmebench")
    text = text.split("\n", 1)[1].strip()
    # typer shortens the help of commands to 45 characters; the first sentence is complete.
    helps = dict(_commands(command, "nmebench"))
    blocks = []
    for block in re.split(r"(?m)^(?=## |### )", text):
        title = match[1] if (match := re.match(r"#+ `(.+)`", block)) else "nmebench"
        blocks.append(_with_code(re.sub(r"(?m)^\* `([\w-]+)`: .*\.\.\.$", _complete(helps, title), block)))
    lines = (line.rstrip() for line in "".join(blocks).splitlines())
    return CLI_HEAD + "\n" + re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"


def _commands(command: Any, name: str) -> list[tuple[str, str]]:
    """Return the first sentence of the help of every command, by its complete name."""
    found = []
    for word, child in getattr(command, "commands", {}).items():
        sentence = " ".join((child.help or "").split("\n\n")[0].replace("\b", "").split())
        found.append((f"{name} {word}", sentence))
        found += _commands(child, f"{name} {word}")
    return found


def _complete(helps: dict[str, str], title: str) -> Any:
    return lambda match: f"* `{match[1]}`: {helps[f'{title} {match[1]}']}"


def _with_code(block: str) -> str:
    """Make the examples of a help text a block of code."""

    def fenced(match: re.Match[str]) -> str:
        commands = "\n".join(line.strip() for line in match[1].splitlines())
        return f"**Examples**:\n\n```sh\n{commands}\n```\n"

    return re.sub(r"(?m)^\x08?\n?Examples:\n((?:  .+\n?)+)", fenced, block)


def definition(module: ModuleType, name: str) -> tuple[str, str]:
    """Return the complete path at which a public name is defined, and its docstring (empty without one).

    A function may have the name of its module (``nmebench.metrics.auc``), so the path of the package is ambiguous. The
    docstring of a constant is the string below its assignment.
    """
    value = getattr(module, name)
    if inspect.ismodule(value):
        return value.__name__, inspect.getdoc(value) or ""
    if inspect.isclass(value) or inspect.isroutine(inspect.unwrap(value)):
        plain = inspect.unwrap(value)
        return f"{plain.__module__}.{plain.__qualname__}", inspect.getdoc(value) or ""
    body = ast.parse(inspect.getsource(module)).body
    for node, following in zip(body, [*body[1:], ast.Pass()], strict=True):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            value = following.value if isinstance(following, ast.Expr) else None
            return f"{module.__name__}.{name}", str(value.value) if isinstance(value, ast.Constant) else ""
        if isinstance(node, ast.ImportFrom) and node.module and name in {alias.name for alias in node.names}:
            return definition(importlib.import_module(node.module), name)
    return f"{module.__name__}.{name}", ""


def first_sentence(text: str) -> str:
    """Return the first sentence of a docstring as one line of Markdown."""
    text = text.split("\n\n")[0]
    text = re.sub(r":\w+:`~?(?:[\w.]+\.)?(\w+)`", r"`\1`", text).replace("``", "`")
    line = " ".join(text.split()).replace("|", "\\|")
    return match[0] if (match := re.match(r".*?\.(?= |$)", line)) else line


def kind(value: Any) -> str:
    """Return what a public name is: class, function, module or constant."""
    if inspect.isclass(value):
        return "class"
    return (
        "module" if inspect.ismodule(value) else "function" if inspect.isroutine(inspect.unwrap(value)) else "constant"
    )


def file_name(package: str) -> str:
    """Return the page of a package, in ``docs/reference/api``."""
    return f"{package.removeprefix('nmebench.').replace('.', '-')}.md"


def api_page(package: str) -> str:
    """Return the page of a package: its docstring's first paragraph and a table of its names."""
    module = importlib.import_module(package)
    rows = []
    for name in sorted(module.__all__, key=str.lower):
        value = getattr(module, name)
        rows.append(f"| `{name}` | {kind(value)} | {first_sentence(definition(module, name)[1])} |")
    intro = re.sub(r":\w+:`~?([\w.]+)`", r"`\1`", (module.__doc__ or "").split("\n\n")[0]).replace("``", "`")
    table = "\n".join(["| name | kind | purpose |", "|---|---|---|", *rows])
    return f"# {package}\n\n{intro}\n\n{table}\n\n<!-- api: {package} -->\n"


def pages() -> dict[Path, str]:
    """Return every generated page by its path."""
    rows = [
        f"| [`{package}`]({file_name(package)}) | {first_sentence(importlib.import_module(package).__doc__ or '')} |"
        for package in PACKAGES
    ]
    api = REFERENCE / "api"
    return {
        REFERENCE / "cli.md": cli_page(),
        api / "index.md": API_HEAD + "\n".join(rows) + "\n",
        **{api / file_name(package): api_page(package) for package in PACKAGES},
    }


def main() -> None:
    """Write the pages, or check them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a page is not current")
    check = parser.parse_args().check
    stale = [path for path, text in pages().items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    for path in stale:
        if check:
            print(f"{path}: not current; run python docs/tools/reference_pages.py")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, pages()[path].encode())
            print(f"wrote {path}")
    raise SystemExit(bool(check and stale))


if __name__ == "__main__":
    main()
