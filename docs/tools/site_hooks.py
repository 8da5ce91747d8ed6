"""Hooks of the site (``mkdocs.yml``): pages outside ``docs``, links to source files, the contents of the API pages.

The pages are plain Markdown that also reads well without the site. Four things are done while it is built:

* the notebooks in ``docs/notebooks`` become pages, with the outputs that they store;
* ``CONTRIBUTING.md`` and ``CHANGELOG.md`` become pages, and links to them lead there;
* a link to another file outside ``docs`` becomes the file's path, because the site doesn't contain it;
* a comment ``<!-- api: nmebench.metrics -->`` becomes the documentation of each name in the module's ``__all__``.
"""

from __future__ import annotations

import importlib
import inspect
import json
import posixpath
import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

sys.path.insert(0, str(Path(__file__).parent))

from reference_pages import definition

ROOT = Path(__file__).resolve().parents[2]

#: Pages of the site that are files of the repository outside ``docs``.
OUTSIDE = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md", "README.md": "index.md"}

LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]*)\]\((?P<target>[^)#\s]+)(?P<anchor>#[^)\s]*)?\)")
API = re.compile(r"^<!-- api: (?P<module>[\w.]+) -->$", re.MULTILINE)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages outside ``docs``."""
    for source, name in OUTSIDE.items():
        if source != "README.md":
            files.append(File.generated(config, name, content=(ROOT / source).read_text(encoding="utf-8")))
    for path in sorted((ROOT / "docs/notebooks").glob("*.ipynb")):
        text = notebook(json.loads(path.read_text(encoding="utf-8")))
        files.append(File.generated(config, f"notebooks/{path.stem}.md", content=text))
    return files


def notebook(content: dict[str, Any]) -> str:
    """Return a notebook as Markdown: texts, code and stored outputs, without what went to standard error."""
    parts = []
    for cell in content["cells"]:
        source = "".join(cell["source"])
        parts.append(source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```")
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            if "image/png" in data:
                parts.append(f"![figure](data:image/png;base64,{''.join(data['image/png']).strip()})")
            elif "text/html" in data:
                parts.append(re.sub(r"(?s)<style.*?</style>|\n\s*(?=\n)", "", "".join(data["text/html"])).strip())
            elif output.get("name") != "stderr":
                text = "".join(data.get("text/plain", output.get("text", ""))).rstrip()
                parts.append(f"```text\n{text}\n```")
    return "\n\n".join(parts) + "\n"


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Rewrite the links that leave ``docs``, and insert the documentation of a module's names."""
    uri = page.file.src_uri
    source = next(
        (outside for outside, name in OUTSIDE.items() if name == uri and outside != "README.md"), f"docs/{uri}"
    )

    def link(match: re.Match[str]) -> str:
        target = match["target"]
        if "://" in target or target.startswith("mailto:"):
            return match[0]
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        if path in OUTSIDE:
            path = f"docs/{OUTSIDE[path]}"
        elif path.startswith("docs/notebooks/"):
            path = path.replace(".ipynb", ".md")
        elif not path.startswith("docs/") or path.startswith(("docs/tools/", "docs/results/")):
            return match["text"] if match["text"].strip("`") == path else f"{match['text']} (`{path}`)"
        relative = posixpath.relpath(path.removeprefix("docs/"), posixpath.dirname(uri) or ".")
        return f"[{match['text']}]({relative}{match['anchor'] or ''})"

    return API.sub(lambda match: api(match["module"]), LINK.sub(link, markdown))


def api(package: str) -> str:
    """mkdocstrings' directives for the public names of a package, each with an anchor of its public path."""
    module = importlib.import_module(package)
    found = []
    for name in sorted(module.__all__, key=str.lower):
        path, _ = definition(module, name)
        members = ""
        if inspect.ismodule(getattr(module, name)):
            members = "      members:\n" + "".join(f"        - {member}\n" for member in getattr(module, name).__all__)
        found.append(f"[](){{#{package}.{name}}}\n\n::: {path}\n    options:\n      show_root_heading: true\n{members}")
    return "\n".join(found)
