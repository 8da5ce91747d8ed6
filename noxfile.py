"""The project's sessions. `nox -l` lists them; all share one environment (.nox/nmebench)."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from pathlib import Path

import nox

nox.needs_version = ">=2024.4.15"
nox.options.default_venv_backend = "none"
nox.options.sessions = ["reproduce"]

ROOT = Path(__file__).parent
ENVIRONMENT = ROOT / ".nox" / "nmebench"
TREE = ROOT / ".tree"
CONSTRAINTS = ROOT / "constraints.txt"

#: The README's generated tables: for each section the arguments of `nmebench tables`.
PUBLISHED = ("--decoder", "argmax", "--decoder", "quarter-offset", "--decoder", "dark")
README_TABLES = {
    "synthface": ("docs/results/synthface", *PUBLISHED, "--flip", "flip+shift"),
    "decoders": (
        "docs/results/synthface", "--layout", "decoders", "--flip", "none", "--floor", "docs/results/wflw-floors",
    ),
}  # fmt: skip

#: Generated tables of other pages: by document and section the arguments of `nmebench tables`.
PAGE_TABLES = {
    ("docs/decoders.md", "floors"): ("docs/results/wflw-floors", *PUBLISHED, "--flip", "none", "--model", "oracle"),
}

#: Tables of decoders and flip tests: run, document, section.
FLIP_TABLES = (
    ("docs/results/h3r-wflw-sample", "README.md", "h3r"),
    ("docs/results/h3r-wflw-sample", "docs/decoders.md", "h3r"),
    ("docs/results/h3r-wflw-sample-authors-crop", "docs/decoders.md", "h3r-authors"),
)


def _python_of(environment: Path) -> Path:
    """The interpreter of a virtual environment."""
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _environment(session: nox.Session, *extras: str) -> dict[str, str]:
    """Install the project with `extras` into the shared environment where needed; return its environment variables.

    All sessions share one environment because a CUDA build of torch takes gigabytes. The stamp of a set of extras is a
    hash of the files that decide their versions.
    """
    python = _python_of(ENVIRONMENT)
    if not python.exists():
        session.run(sys.executable, "-m", "venv", str(ENVIRONMENT), external=True)
    decided_by = b"".join((ROOT / name).read_bytes() for name in ("pyproject.toml", "constraints.txt"))
    stamp = ENVIRONMENT / f"installed-{'-'.join(sorted(extras)) or 'base'}"
    wanted = hashlib.sha256(decided_by).hexdigest()
    if not stamp.exists() or stamp.read_text() != wanted:
        target = f".[{','.join(extras)}]" if extras else "."
        session.run(
            str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
            "--constraint", str(CONSTRAINTS), "--editable", target, external=True,
        )  # fmt: skip
        stamp.write_text(wanted)
    return {"PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}", "PYTHONHASHSEED": "0"}


def _run(session: nox.Session, environment: dict[str, str], program: str, *arguments: str) -> None:
    """Run a program of the shared environment."""
    folder = environment["PATH"].partition(os.pathsep)[0]
    session.run(str(Path(folder) / program), *arguments, env=environment, external=True)


@nox.session
def reproduce(session: nox.Session) -> None:
    """Sweep the shipped networks over synthface (and WFLW, when found), report, check. `-- --help` lists options."""
    environment = _environment(session)
    _run(session, environment, "nmebench", "reproduce", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """Run the default tests: minutes on two cores. `-- ARGS` go to pytest."""
    environment = _environment(session, "test") | {"OMP_NUM_THREADS": "1"}
    workers = ["-n", "auto", "--maxprocesses", "4", "--dist", "loadscope"]
    _run(session, environment, "python", "-m", "pytest", *workers, *session.posargs)


@nox.session
def slow(session: nox.Session) -> None:
    """Run the tests that take minutes each: training from scratch, long sweeps, kills and resumes."""
    environment = _environment(session, "test")
    _run(session, environment, "python", "-m", "pytest", "-m", "slow", "--timeout", "1800", *session.posargs)


@nox.session
def browser(session: nox.Session) -> None:
    """Test the report in a real browser: needs Chromium (CHROMIUM names its program)."""
    environment = _environment(session, "test", "browser")
    _run(session, environment, "python", "-m", "pytest", "-m", "browser", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, types and layers: ruff, mypy, import-linter."""
    environment = _environment(session, "cluster", "lint")
    _run(session, environment, "ruff", "check", ".")
    _run(session, environment, "ruff", "format", "--check", ".")
    _link_tree()
    environment["PYTHONPATH"] = str(TREE)
    _run(session, environment, "mypy")
    _run(session, environment, "lint-imports")


def _link_tree() -> None:
    """Link the folders that make up the package into .tree/nmebench, for tools that read files."""
    package = TREE / "nmebench"
    shutil.rmtree(TREE, ignore_errors=True)
    package.mkdir(parents=True)
    for entry in sorted((ROOT / "harness").iterdir()):
        if entry.name != "__pycache__":
            (package / entry.name).symlink_to(entry)
    for folder in ("decoders", "models", "reports"):
        (package / folder).symlink_to(ROOT / folder)


@nox.session
def package(session: nox.Session) -> None:
    """Build sdist and wheel, install the wheel into an empty environment and use it beside other repositories' code.

    `-- --borrow` takes the dependencies from the shared environment instead of installing them (torch is gigabytes).
    """
    environment = _environment(session, "package", "test")
    dist = _build(session, environment)
    python = _installed_wheel(session, dist, borrow="--borrow" in session.posargs)
    session.log("import time of nmebench (cumulative, microseconds):")
    session.run(str(python), "-X", "importtime", "-c", "import nmebench", external=True)
    environment |= {"NMEBENCH_PACKAGE_PYTHON": str(python), "NMEBENCH_PACKAGE_DIST": str(dist)}
    _run(session, environment, "python", "-m", "pytest", "-m", "package", "tests/package")


def _build(session: nox.Session, environment: dict[str, str]) -> Path:
    """Build sdist and wheel; return their folder."""
    dist = ROOT / ".nox" / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    _run(session, environment, "python", "-m", "build", "--outdir", str(dist), str(ROOT))
    return dist


def _installed_wheel(session: nox.Session, dist: Path, *, borrow: bool) -> Path:
    """Install the wheel into an empty environment, with its dependencies or with borrowed ones; return its Python."""
    (wheel,) = dist.glob("*.whl")
    empty = ROOT / ".nox" / "package"
    shutil.rmtree(empty, ignore_errors=True)
    session.run(sys.executable, "-m", "venv", str(empty), external=True)
    python = _python_of(empty)
    pip = (str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    if borrow:
        find = "import sysconfig; print(sysconfig.get_paths()['purelib'])"
        ours, theirs = (
            str(session.run(str(program), "-c", find, silent=True, external=True)).strip()
            for program in (_python_of(ENVIRONMENT), python)
        )
        # A plain path line: the .pth file of the editable installation over there is not read.
        (Path(theirs) / "borrowed.pth").write_text(f"{ours}\n")
        session.run(*pip, "--no-deps", str(wheel), external=True)
    else:
        session.run(*pip, "--constraint", str(CONSTRAINTS), str(wheel), "pytest", external=True)
    return python


@nox.session
def release(session: nox.Session) -> None:
    """Build, check and try a release. Nothing is uploaded: the last line is the command that does it.

    `-- --dry-run` also works with uncommitted changes and without the tag. `-- --install` installs the dependencies of
    the wheel instead of borrowing those of the shared environment.
    """
    environment = _environment(session, "package", "release")
    dry = "--dry-run" in session.posargs
    _run(session, environment, "python", "docs/tools/release_check.py", *(["--dry-run"] if dry else []))
    dist = _build(session, environment)
    files = [str(file) for file in sorted(dist.iterdir())]
    _run(session, environment, "twine", "check", "--strict", *files)
    python = _installed_wheel(session, dist, borrow="--install" not in session.posargs)
    folder = session.create_tmp()
    for arguments in (
        ("--version",),
        ("data", "make", "synthface", "-o", f"{folder}/faces", "--faces", "4"),
        ("run", "--data", f"synthface:{folder}/faces", "--model", "synthface-mobilenetv3", "-o", f"{folder}/RUN"),
        ("report", f"{folder}/RUN"),
    ):
        # -I: the checkout isn't on the path.
        session.run(str(python), "-I", "-m", "nmebench", *arguments, external=True)
    shutil.rmtree(folder)
    upload = f"{_python_of(ENVIRONMENT).parent / 'twine'} upload {' '.join(files)}"
    session.log(f"dry run: nothing is missing but the tag and the upload ({upload})" if dry else f"to upload: {upload}")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation's site into site/, strictly: a broken link, or an anchor that isn't there, fails."""
    environment = _environment(session, "docs") | {"NO_MKDOCS_2_WARNING": "1"}
    _run(session, environment, "python", "docs/tools/reference_pages.py", "--check")
    _link_tree()
    _run(session, environment, "mkdocs", "build", "--strict", "--quiet", *session.posargs)
    _run(session, environment, "python", "docs/tools/site_check.py", "site")


@nox.session
def readme(session: nox.Session) -> None:
    """Regenerate the tables of the README and pages from the committed runs. `-- --check` fails when one is stale."""
    environment = _environment(session)
    tables = {("README.md", name): arguments for name, arguments in README_TABLES.items()} | PAGE_TABLES
    for (file, name), arguments in tables.items():
        block = ("--update", file, "--section", name)
        _run(session, environment, "nmebench", "tables", *arguments, *block, *session.posargs)
    for run, file, name in FLIP_TABLES:
        table = ("table", run, "--floor", "docs/results/wflw-floors", "--update", file, "--section", name)
        _run(session, environment, "python", "docs/tools/flip_table.py", *table, *session.posargs)
    table = ("table", "docs/results/encodings", "--update", "README.md", "--section", "encodings")
    _run(session, environment, "python", "docs/tools/encoding_table.py", *table, *session.posargs)


@nox.session
def gate(session: nox.Session) -> None:
    """Compare the embedded benchmark with the committed baseline; fail on an NME regression."""
    environment = _environment(session)
    _run(session, environment, "nmebench", "gate", "--embedded", *session.posargs)


@nox.session
def train(session: nox.Session) -> None:
    """Train a shipped network again: `nox -s train -- RECIPE.toml -o FOLDER`."""
    environment = _environment(session)
    _run(session, environment, "nmebench", "train", *session.posargs)


def _beside_mmpose(session: nox.Session, *arguments: str) -> None:
    """Run Python where our packages and mmpose 1.3.2 can both be imported (environment .nox/parity)."""
    environment = _environment(session, "test")
    python = ROOT / ".nox" / "parity" / "bin" / "python"
    if not python.exists():
        session.run(sys.executable, "-m", "venv", str(python.parents[1]), external=True)
        find = "import sysconfig; print(sysconfig.get_paths()['purelib'])"
        ours, theirs = (
            str(session.run(str(program), "-c", find, silent=True, external=True)).strip()
            for program in (ENVIRONMENT / "bin" / "python", python)
        )
        # Torch takes gigabytes: the parity environment also reads the packages of the shared environment.
        (Path(theirs) / "shared.pth").write_text(f"{ours}\nimport site; site.addsitedir({ours!r})\n")
        install = (str(python), "-m", "pip", "install", "--quiet", "--no-deps")
        session.run(
            *install, "mmpose==1.3.2", "mmengine==0.10.7", "mmcv-lite==2.2.0", "json_tricks", "munkres", "addict",
            "yapf", "termcolor", "six", "setuptools<81", "cython<3.3", "wheel", external=True,
        )  # fmt: skip
        # Its wheel fails with numpy 2, so it is built from source.
        source = ("--no-build-isolation", "--no-binary", "xtcocotools", "xtcocotools==1.14.3")
        session.run(*install, *source, external=True)
    environment["PYTHONPATH"] = str(ROOT / "tests" / "support")
    session.run(str(python), "-W", "ignore", *arguments, env=environment, external=True)


@nox.session
def parity(session: nox.Session) -> None:
    """Compare with live mmpose 1.3.2 on fresh seeds. `-- --update` writes the committed reference set again."""
    if "--update" in session.posargs:
        _beside_mmpose(session, "tests/support/write_reference_set.py")
    _beside_mmpose(
        session, "-m", "pytest", *([a for a in session.posargs if a != "--update"] or ["tests/parity", "-q", "-s"])
    )


@nox.session
def speed(session: nox.Session) -> None:
    """Time a complete sweep beside live mmpose's test loop and the bare forward passes: minutes, as ratios."""
    benchmark = ("--benchmark-enable", "--benchmark-only", "-m", "", "-q")
    _beside_mmpose(session, "-m", "pytest", "tests/benchmarks/test_sweep_speed.py", *benchmark, *session.posargs)


@nox.session
def fuzz(session: nox.Session) -> None:
    """Fuzz every reader of files. `-- SECONDS` sets the time per reader (default 60); Linux, Python 3.11 to 3.13."""
    environment = _environment(session, "test", "fuzz")
    seconds = session.posargs[0] if session.posargs else "60"
    _run(session, environment, "python", "tests/fuzz/fuzz.py", "--seconds", seconds)
    _run(session, environment, "python", "tests/fuzz/fuzz_readers.py", "--all", "--seconds", seconds)


@nox.session
def benchmarks(session: nox.Session) -> None:
    """Time the decoders and the stages of a sweep, as ratios in one run."""
    environment = _environment(session, "test")
    _run(
        session, environment, "python", "-m", "pytest", "tests/benchmarks", "--benchmark-enable", "--benchmark-only",
        "-m", "", *session.posargs,
    )  # fmt: skip
