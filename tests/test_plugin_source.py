"""The sources of plug-ins: every edit of a file that a plug-in uses changes them, and nothing else does."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from nmebench.decoders.dark import Dark
from nmebench.errors import InputError
from nmebench.plugin_source import PluginSource, folder_source, plugin_sources

NAMES = ("plugged", "plugged_constants", "plugged_dependency", "plugged_helper")

Import = Callable[..., Any]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder on ``sys.path``."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    _forget()


def _forget() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] in NAMES]:
        del sys.modules[name]
    importlib.invalidate_caches()


def _write(folder: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)


def _install(site: Path, name: str, files: dict[str, str], *, version: str = "1.0", requires: str = "") -> None:
    """Write a distribution as pip installs it."""
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    metadata += f"Requires-Dist: {requires}\n" if requires else ""
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    record = "".join(f"{file},sha256={hash(content)},{len(content)}\n" for file, content in files.items())
    _write(site, {**files, f"{info}/METADATA": metadata, f"{info}/RECORD": record + f"{info}/METADATA,,\n"})


def _sources(attribute: str = "Net", module: str = "plugged") -> tuple[PluginSource, ...]:
    _forget()
    return plugin_sources([getattr(importlib.import_module(module), attribute)])


def _identity() -> list[list[object]]:
    return [source.identity for source in _sources()]


PACKAGE = {
    "plugged/__init__.py": "from plugged.network import Net\n",
    "plugged/network.py": "from plugged_constants import GAIN\n\nfrom . import helper\n\n\nclass Net:\n    pass\n",
    "plugged/helper.py": "X = 1\n",
    "plugged/table.json": "[1]",
    "plugged_constants.py": "GAIN = 1\n",
}


@pytest.mark.parametrize("file", PACKAGE)
@pytest.mark.parametrize("install", ["distribution", "editable", "none"])
def test_every_file_counts(site: Path, tmp_path: Path, file: str, install: str) -> None:
    folder = site
    if install == "distribution":
        _install(site, "plugged-net", PACKAGE)
    elif install == "none":
        _write(site, PACKAGE)
    else:
        folder = tmp_path / "project"
        _install_editable(site, folder)
    before = _identity()
    assert before == _identity()
    (folder / file).write_text((folder / file).read_text() + " \n")
    assert before != _identity()


def _install_editable(site: Path, project: Path) -> None:
    """Install a project as ``pip install -e`` does."""
    _write(project, PACKAGE)
    _install(site, "plugged-net", {"plugged_net.pth": str(project)})
    link = {"dir_info": {"editable": True}, "url": project.as_uri()}
    _write(site, {"plugged_net-1.0.dist-info/direct_url.json": json.dumps(link)})
    sys.path.insert(1, str(project))  # monkeypatch restores sys.path


def test_identity_has_names_versions_and_no_path(site: Path, tmp_path: Path) -> None:
    _install(site, "plugged-net", PACKAGE)
    (source,) = _sources()
    assert (source.name, source.distribution, source.version) == ("plugged-net", "plugged-net", "1.0")
    assert set(source.files) == set(PACKAGE)
    assert str(tmp_path) not in json.dumps(source.identity)


def test_identity_does_not_depend_on_the_folder(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _install(site, "plugged-net", PACKAGE)
    before = _identity()
    moved = site.rename(tmp_path / "moved")
    monkeypatch.setattr(sys, "path", [str(moved), *sys.path])
    assert _identity() == before


@pytest.mark.parametrize("install", ["distribution", "editable"])
def test_version_of_the_distribution_counts(site: Path, tmp_path: Path, install: str) -> None:
    if install == "distribution":
        _install(site, "plugged-net", PACKAGE)
    else:
        _install_editable(site, tmp_path / "project")
    before = _identity()
    metadata = site / "plugged_net-1.0.dist-info/METADATA"
    metadata.write_text(metadata.read_text().replace("Version: 1.0", "Version: 1.1"))
    assert _identity() != before


@pytest.mark.parametrize("name", ["required", "imported only"])
@pytest.mark.parametrize("change", ["version", "another build of the same version", "nothing"])
def test_dependencies_count(site: Path, name: str, change: str) -> None:
    requires = "Plugged_Dependency[extra]>=1; python_version>'3'" if name == "required" else ""
    imports = "import os, plugged_dependency\n" if name == "imported only" else ""
    package = {**PACKAGE, "plugged/helper.py": imports}
    _install(site, "plugged-net", package, requires=requires)
    _install(site, "plugged-dependency", {"plugged_dependency.py": "X = 1\n"})
    before = _identity()
    info = site / "plugged_dependency-1.0.dist-info"
    if change == "version":
        (info / "METADATA").write_text((info / "METADATA").read_text().replace("1.0", "1.1"))
    elif change != "nothing":
        (info / "RECORD").write_text((info / "RECORD").read_text().replace("sha256=", "sha256=0"))
    assert (_identity() != before) is (change != "nothing")


def test_editable_dependency_is_followed(site: Path, tmp_path: Path) -> None:
    _install_editable(site, tmp_path / "project")
    other = tmp_path / "other"
    other.mkdir()
    sys.path.insert(1, str(other))
    _write(other, {"plugged_helper.py": "X = 1\n"})
    _write(tmp_path / "project", {"plugged/helper.py": "def late():\n    from plugged_helper import X\n    return X\n"})
    before = _identity()
    assert [source[0] for source in before] == ["plugged-net", "plugged_helper"]
    _write(other, {"plugged_helper.py": "X = 2\n"})
    assert _identity() != before


def test_single_module_without_a_distribution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, site: Path) -> None:
    folder = tmp_path / "scripts"
    _write(folder, {"plugged.py": "import plugged_helper\n\n\nclass Net: pass\n", "plugged_helper.py": "X = 1\n"})
    _write(folder, {"runs/other.py": "", "notes.txt": "", ".hidden/x.py": ""})
    monkeypatch.syspath_prepend(str(folder))
    before = _identity()
    _write(folder, {"runs/other.py": "# edited\n", "notes.txt": "edited", ".hidden/x.py": "# edited\n"})
    assert _identity() == before
    _write(folder, {"plugged_helper.py": "X = 2\n"})
    assert _identity() != before


def test_module_dropped_into_site_packages_takes_no_neighbours(site: Path) -> None:
    _write(site, {"plugged.py": "class Net: pass\n", "unrelated.py": ""})
    before = _identity()
    _write(site, {"unrelated.py": "# edited\n"})
    assert _identity() == before


def test_environments_caches_and_bytecode_in_a_project_do_not_count(site: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    _install_editable(site, project)
    before = _identity()
    _write(
        project,
        {
            "venv/pyvenv.cfg": "", "venv/lib/x.py": "", ".git/x.py": "", "plugged/__pycache__/x.pyc": "",
            "plugged/__pycache__/x.py": "", "runs/run.json": "{}", "README.md": "edited", "plugged/.lock": "",
        },
    )  # fmt: skip
    assert _identity() == before
    _write(project, {"tools/extra.py": ""})
    assert _identity() != before


def test_installed_file_that_is_missing_changes_the_source(site: Path) -> None:
    _install(site, "plugged-net", PACKAGE)
    before = _identity()
    (site / "plugged/table.json").unlink()
    assert _identity() != before


def test_this_project_and_torch_have_no_plugin_source() -> None:
    from nmebench.models.timm_heatmap import hrnet_small

    assert plugin_sources([Dark, hrnet_small, torch.nn.Conv2d, dict]) == ()


def test_class_without_a_file_is_an_error() -> None:
    code = (
        "from nmebench.plugin_source import plugin_sources\n"
        "class Typed: pass\n"
        "try:\n    plugin_sources([Typed])\nexcept ValueError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == ("<class '__main__.Typed'> has no source file; define it in a module that can be imported\n")
    names: dict[str, Any] = {"__name__": "no_such_module"}
    exec("class Typed: pass", names)
    with pytest.raises(InputError, match="has no source file"):
        plugin_sources([names["Typed"]])


def test_source_of_a_script(tmp_path: Path) -> None:
    """A class of the script that runs belongs to the script's folder."""
    code = (
        "from nmebench.plugin_source import plugin_sources\nclass Typed: pass\n"
        "(source,) = plugin_sources([Typed])\nprint(sorted(source.files))\n"
    )
    _write(tmp_path, {"script.py": code, "helper.py": ""})
    done = subprocess.run(
        [sys.executable, tmp_path / "script.py"], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "['helper.py', 'script.py']\n"


def test_source_of_a_folder(tmp_path: Path) -> None:
    assert folder_source(tmp_path) is None
    found = {"a.py", "package/__init__.py", "package/x.py"}
    _write(tmp_path, dict.fromkeys([*found, "runs/y.py", ".nox/__init__.py"], ""))
    source = folder_source(tmp_path)
    assert source is not None
    assert set(source.files) == found


def test_module_in_the_checkout_of_this_project_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An editable nmebench owns its packages, not every file of the user's in the same folder."""
    site, checkout = tmp_path / "site-packages", tmp_path / "checkout"
    _write(checkout, {"plugged.py": "class Net: pass\n"})
    _install(site, "nmebench", {"nmebench.pth": str(checkout)})
    link = {"dir_info": {"editable": True}, "url": checkout.as_uri()}
    _write(site, {"nmebench-1.0.dist-info/direct_url.json": json.dumps(link)})
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(sys, "path", [str(checkout), str(site), *sys.path])
    before = _identity()
    assert [source[0] for source in before] == ["plugged"]
    _write(checkout, {"plugged.py": "class Net: x = 1\n"})
    assert _identity() != before
    _forget()


def test_module_named_like_one_of_the_standard_library_counts(tmp_path: Path) -> None:
    """In another process, because this one may have imported the standard one."""
    code = "import sys\nfrom nmebench.plugin_source import plugin_sources\n"
    code += "from chunk import Net\nprint([source.name for source in plugin_sources([Net])])\n"
    _write(tmp_path, {"chunk.py": "class Net: pass\n", "script.py": code})
    done = subprocess.run(
        [sys.executable, tmp_path / "script.py"], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "['chunk']\n"
