"""The installed wheel: its contents, and that it does not affect other repositories.

Each test of ``TestBesideOtherCode`` is a situation in which an earlier layout, with ``models`` and ``decoders`` as
top-level packages, broke a user's repository.
"""

from __future__ import annotations

import re
import tarfile
import zipfile
from pathlib import Path

import pytest

from nmebench.source_hash import code_hash

pytestmark = pytest.mark.package

OWN = "import nmebench.models, nmebench.decoders; assert 'dark' in nmebench.decoders.names(); "


class TestBesideOtherCode:
    def test_their_scripts_import_their_own_models(self, repository: Path, run) -> None:
        """A folder ``models/`` without ``__init__.py``: a namespace package, which any installed one would hide."""
        script = repository / "train.py"
        script.write_text(OWN + "from models.net import NAME; print(NAME)\n")
        assert run(script, cwd=repository).stdout == "their network\n"

    def test_python_m_pytest_with_a_folder_decoders(self, repository: Path, run) -> None:
        (repository / "test_theirs.py").write_text(
            "import decoders\n\ndef test_it():\n    assert decoders.NAME == 'their decoder'\n"
        )
        assert "1 passed" in run("-m", "pytest", "-q", cwd=repository).stdout

    def test_pytest_with_a_package_models(self, repository: Path, run) -> None:
        """``pytest`` rather than ``python -m pytest``, which puts the current folder on the path only by rootdir."""
        (repository / "models/__init__.py").write_text("")
        (repository / "tests").mkdir()
        (repository / "tests/test_theirs.py").write_text(
            "import models.net, nmebench.models\n\n"
            "def test_it():\n    assert models.net.NAME == 'their network'\n"
            "    assert nmebench.models.names()\n"
        )
        (repository / "conftest.py").write_text("")
        code = "import sys, pytest; sys.path.pop(0); sys.exit(pytest.main(['-q', '-p', 'no:cacheprovider']))"
        assert "1 passed" in run("-c", code, cwd=repository).stdout

    def test_the_command_line_in_their_folder(self, repository: Path, run) -> None:
        assert re.fullmatch(r"nmebench \d+\.\d+\.\d+\S*\n", run("-m", "nmebench", "--version", cwd=repository).stdout)
        assert "quarter-offset" in run("-m", "nmebench", "list", "decoders", cwd=repository).stdout
        code = "from nmebench.__main__ import main; raise SystemExit(main(['list', 'boxes']))"
        assert "pfld" in run("-c", code, cwd=repository).stdout

    def test_another_distribution_with_packages_models_and_decoders(
        self, repository: Path, neighbour: Path, dist: Path, run, tmp_path: Path
    ) -> None:
        """Both work, in either order of installation, and uninstalling one leaves the other complete."""
        pip = ("-m", "pip", "--disable-pip-version-check", "--quiet")
        theirs = "import models, decoders; assert models.NAME == decoders.NAME == 'the neighbour'; "
        (wheel,) = dist.glob("*.whl")
        run(*pip, "install", "--no-deps", "--no-index", neighbour, cwd=tmp_path)
        try:
            run("-c", OWN + theirs, cwd=tmp_path)
            run(*pip, "install", "--no-deps", "--no-index", "--force-reinstall", wheel, cwd=tmp_path)
            run("-c", OWN + theirs, cwd=tmp_path)
        finally:
            run(*pip, "uninstall", "--yes", "neighbour", cwd=tmp_path)
        assert complete(run, tmp_path) == "complete\n"
        run("-c", OWN, cwd=tmp_path)


def complete(run, folder: Path) -> str:
    """``complete`` where every file that the installation recorded is there with its recorded size."""
    code = """
        import importlib.metadata as metadata
        files = metadata.distribution("nmebench").files
        missing = [str(f) for f in files if not f.locate().is_file() or f.size not in (None, f.locate().stat().st_size)]
        print(missing or "complete")
    """
    return run("-c", "\n".join(line.strip() for line in code.strip().splitlines()), cwd=folder).stdout


class TestContents:
    def test_the_wheel_has_one_top_level_package(self, dist: Path) -> None:
        (wheel,) = dist.glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            names = archive.namelist()
        tops = {name.split("/")[0] for name in names}
        assert {top for top in tops if not top.endswith(".dist-info")} == {"nmebench"}
        assert not any(name.startswith(("nmebench/tests", "nmebench/docs")) for name in names)
        assert "nmebench/py.typed" in names

    def test_the_wheel_has_every_source_and_data_file_of_the_checkout(self, dist: Path) -> None:
        root = Path(__file__).resolve().parents[2]
        wanted = set()
        for folder in ("harness", "decoders", "models", "reports"):
            for file in (root / folder).rglob("*"):
                if file.is_file() and "__pycache__" not in file.parts:
                    inside = file.relative_to(root / folder).as_posix()
                    wanted.add(f"nmebench/{inside}" if folder == "harness" else f"nmebench/{folder}/{inside}")
        (wheel,) = dist.glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            packed = {name for name in archive.namelist() if name.startswith("nmebench/")}
        assert packed == wanted

    def test_the_sdist_builds_the_wheel(self, dist: Path) -> None:
        """``python -m build`` makes the wheel from the sdist; here: the sdist has what a user needs to do it too."""
        (sdist,) = dist.glob("*.tar.gz")
        with tarfile.open(sdist) as archive:
            names = {name.partition("/")[2] for name in archive.getnames()}
        assert {"pyproject.toml", "README.md", "LICENSE", "harness/__init__.py", "decoders/dark.py"} <= names

    def test_nothing_heavy_is_imported_with_the_package(self, run, tmp_path: Path) -> None:
        """``import nmebench`` costs next to nothing; `nox -s package` prints what ``-X importtime`` says."""
        heavy = "{'numpy', 'torch', 'pandas', 'matplotlib', 'timm', 'cv2', 'pyarrow', 'pydantic'}"
        code = f"import nmebench, sys; print(sorted({heavy} & set(sys.modules)))"
        assert run("-c", code, cwd=tmp_path).stdout == "[]\n"

    def test_the_pytest_plugin_is_not_loaded_by_itself(self, run, tmp_path: Path) -> None:
        (tmp_path / "test_it.py").write_text(
            "import sys\n\ndef test_it():\n    assert not any(m.startswith('nmebench') for m in sys.modules)\n"
        )
        assert "1 passed" in run("-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=tmp_path).stdout

    def test_the_installed_code_has_the_hash_of_the_checkout(self, run, tmp_path: Path) -> None:
        found = run("-c", "from nmebench.source_hash import code_hash; print(code_hash())", cwd=tmp_path).stdout.strip()
        assert found == code_hash()


def test_a_short_sweep(repository: Path, run, tmp_path: Path) -> None:
    """Draw faces, run a shipped network, score, report and check, in a folder with ``models/`` and ``decoders/``."""
    faces, out = tmp_path / "faces", tmp_path / "run"
    nmebench = ("-m", "nmebench")
    run(*nmebench, "data", "make", "synthface", "--faces", "8", "--workers", "1", "-o", faces, cwd=repository)
    run(
        *nmebench, "run", "--data", f"synthface:{faces}", "--model", "synthface-mobilenetv3", "--decoder", "argmax",
        "--decoder", "dark", "--engine", "torch", "-o", out, cwd=repository,
    )  # fmt: skip
    scores = (out / "scores.csv").read_text().splitlines()
    assert len(scores) > 2
    run(*nmebench, "report", out, cwd=repository)
    assert (out / "report.html").stat().st_size > 10_000
    assert run(*nmebench, "check", out, cwd=repository, code=None).returncode in (0, 3)
    assert "passed" in run(*nmebench, "contract", "argmax", cwd=repository).stdout
