"""Checks that everything that names the version of a release agrees; ``nox -s release`` runs it.

``pyproject.toml`` has the version. ``CITATION.cff`` repeats it, ``CHANGELOG.md`` has a dated section for it, and the
tag ``vVERSION`` is that of the released commit. ``--dry-run`` leaves out the tag and uncommitted changes.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]


def problems(root: Path) -> list[str]:
    """One line for each file that disagrees with the version of ``pyproject.toml``."""
    version = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    found = []
    citation = yaml.safe_load((root / "CITATION.cff").read_text(encoding="utf-8"))["version"]
    if citation != version:
        found.append(f"CITATION.cff: version {citation}, pyproject.toml has {version}")
    changelog = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    sections = re.findall(r"(?m)^## \[([^\]]+)\](.*)$", changelog)
    names = [name for name, _ in sections]
    if version not in names:
        found.append(f"CHANGELOG.md: no section [{version}]; sections: {', '.join(names)}")
    else:
        if not re.fullmatch(r" - \d{4}-\d\d-\d\d", dict(sections)[version]):
            found.append(f"CHANGELOG.md: [{version}] has no date; write: ## [{version}] - YYYY-MM-DD")
        if names[:2] != ["Unreleased", version]:
            found.append(f"CHANGELOG.md: the first sections must be [Unreleased] and [{version}]")
        elif changelog.split("## [Unreleased]")[1].split("## [")[0].strip():
            found.append(f"CHANGELOG.md: [Unreleased] isn't empty; its entries belong into [{version}]")
    return found


def git_problems(root: Path) -> list[str]:
    """Uncommitted changes, and a tag that is missing or that of another commit."""
    version = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False)
        return done.stdout.strip()

    found = [f"uncommitted: {line}" for line in git("status", "--porcelain").splitlines()]
    tagged, head = git("rev-parse", "--verify", "--quiet", f"v{version}^{{commit}}"), git("rev-parse", "HEAD")
    if not tagged:
        found.append(f"no tag v{version}; write: git tag -a v{version} -m 'nmebench {version}'")
    elif tagged != head:
        found.append(f"tag v{version} is {tagged[:10]}, the checkout is {head[:10]}")
    return found


def main() -> None:
    """Print the problems; exit with 1 if there are any."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--dry-run", action="store_true", help="leave out the tag and uncommitted changes")
    dry = parser.parse_args().dry_run
    found = problems(ROOT) + ([] if dry else git_problems(ROOT))
    print("\n".join(found) if found else "version, citation and changelog agree")
    raise SystemExit(bool(found))


if __name__ == "__main__":
    main()
