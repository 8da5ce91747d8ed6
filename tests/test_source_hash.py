"""Hashes of source code: every edit changes them, and a checkout has the hash of the installed package."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nmebench.source_hash import code_hash, package_hash

ROOT = Path(__file__).resolve().parents[1]
BESIDE = ("decoders", "models", "reports")

HASHES = """
import nmebench, nmebench.source_hash as source_hash
print(nmebench.__file__)
print(source_hash.code_hash())
for name in ("nmebench", "nmebench.decoders", "nmebench.models", "nmebench.reports"):
    print(source_hash.package_hash(name))
"""


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's Python files in the layout of a wheel: decoders, models and reports inside ``nmebench``."""
    site = tmp_path_factory.mktemp("site")
    only_python = shutil.ignore_patterns("__pycache__", "weights", "assets", "templates")
    shutil.copytree(ROOT / "harness", site / "nmebench", ignore=only_python)
    for folder in BESIDE:
        shutil.copytree(ROOT / folder, site / "nmebench" / folder, ignore=only_python)
    return site


@pytest.fixture
def installed(sources: Path, tmp_path: Path) -> Path:
    """A copy of ``sources`` that a test may edit."""
    return shutil.copytree(sources, tmp_path / "site")


def hashes(site: Path | None = None) -> list[str]:
    """Hashes of the code in a fresh interpreter: of ``site``, or of this environment's package."""
    path = f"import sys; sys.path.insert(0, {str(site)!r})" if site else ""
    done = subprocess.run(
        [sys.executable, "-c", path + HASHES], cwd="/", capture_output=True, text=True, timeout=60, check=True
    )
    file, *found = done.stdout.split()
    if site:
        assert Path(file).is_relative_to(site)
    return found


def test_installed_layout_has_the_hashes_of_the_checkout(sources: Path) -> None:
    assert hashes(sources) == hashes()


@pytest.mark.parametrize(
    ("file", "measures"),
    [
        pytest.param("nmebench/files.py", True, id="top-level-module"),
        pytest.param("nmebench/geometry/__init__.py", True, id="subpackage"),
        pytest.param("nmebench/datasets/readers/__init__.py", True, id="nested-subpackage"),
        *[
            pytest.param(f"nmebench/engines/{module}.py", True, id=f"engine-{module}")
            for module in ("cuda", "folding", "interface", "model_cache", "onnxruntime", "openvino", "torch_cpu")
        ],
        pytest.param("nmebench/decoders/dark.py", True, id="decoders"),
        pytest.param("nmebench/models/__init__.py", True, id="models"),
        pytest.param("nmebench/reports/__init__.py", False, id="reports-measure-nothing"),
    ],
)
def test_an_edited_file_changes_the_hash(installed: Path, file: str, measures: bool) -> None:
    before = hashes(installed)
    with (installed / file).open("a") as source:
        source.write("# edited\n")
    after = hashes(installed)
    assert (before[0] != after[0]) is measures
    # Exactly one package has another hash: the one that holds the file.
    changed = [name for name, a, b in zip(("nmebench", *BESIDE), before[1:], after[1:], strict=True) if a != b]
    part = file.split("/")[1]
    assert changed == [part if part in BESIDE else "nmebench"]


@pytest.mark.parametrize("edit", ["add", "remove", "rename"])
def test_added_removed_and_renamed_files_change_the_hash(installed: Path, edit: str) -> None:
    package = installed / "nmebench" / "decoders"
    (package / "extra.py").write_text("")
    before = hashes(installed)
    if edit == "add":
        (package / "another.py").write_text("")
    elif edit == "remove":
        (package / "extra.py").unlink()
    else:
        # The new name sorts into the same place, so only the name itself can change the hash.
        (package / "extra.py").rename(package / "extra2.py")
    assert hashes(installed)[0] != before[0]


def test_compiled_and_data_files_do_not_change_the_hash(installed: Path) -> None:
    before = hashes(installed)
    (installed / "nmebench" / "decoders" / "notes.txt").write_text("not source")
    (installed / "nmebench" / "__pycache__").mkdir(exist_ok=True)
    (installed / "nmebench" / "__pycache__" / "x.cpython-311.pyc").write_bytes(b"")
    assert hashes(installed) == before


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("nmebench.decoder", id="misspelt"),
        pytest.param("no_such_package", id="no-such-package"),
        pytest.param("no_such_package.part", id="no-such-parent"),
        pytest.param("nmebench.files", id="a-module"),
        pytest.param("harness", id="folder-name"),
    ],
)
def test_unknown_package_is_an_error_and_never_an_empty_hash(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry not in ("", str(ROOT))])
    with pytest.raises(LookupError, match=f"'{name}' is no package with Python sources"):
        package_hash("nmebench.decoders", name)


def test_package_without_python_files_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hollow_package").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(LookupError, match="hollow_package"):
        package_hash("hollow_package")


def test_hash_is_64_hexadecimal_digits_and_does_not_depend_on_order() -> None:
    one = package_hash("nmebench.decoders", "nmebench.models")
    assert one == package_hash("nmebench.models", "nmebench.decoders")
    assert len(one) == 64
    assert set(one) <= set("0123456789abcdef")
    assert one not in {package_hash("nmebench.decoders"), package_hash("nmebench.models")}


def test_code_hash_covers_the_harness_decoders_and_models() -> None:
    assert code_hash() == package_hash("nmebench", "nmebench.decoders", "nmebench.models")
