"""The GitHub action: its definition, and its steps run one by one in a repository that is not this one."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
STEPS: list[dict[str, Any]] = ACTION["runs"]["steps"]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
_EXPRESSION = re.compile(r"\$\{\{\s*(.+?)\s*\}\}")


class TestDefinition:
    """Properties that a reader of the file would check."""

    @pytest.mark.parametrize("step", [s for s in STEPS if "run" in s], ids=lambda s: s["name"])
    def test_scripts_hold_no_expression(self, step):
        """An input inside a script could run commands; as a variable of the environment it is only a text."""
        assert "${{" not in step["run"]
        assert step["shell"] == "bash"

    @pytest.mark.parametrize("step", [s for s in STEPS if "run" in s], ids=lambda s: s["name"])
    def test_scripts_have_valid_syntax(self, step):
        done = subprocess.run(["bash", "-n"], input=step["run"], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")

    def test_every_input_is_used_and_described(self):
        used = set(re.findall(r"inputs\.([\w-]+)", (ROOT / "action.yml").read_text(encoding="utf-8")))
        assert used == set(ACTION["inputs"])
        assert all(item["description"].endswith(".") and "default" in item for item in ACTION["inputs"].values())

    def test_nothing_is_installed_by_name(self):
        (install,) = [s["run"] for s in STEPS if "pip install" in s.get("run", "")]
        assert '"$ACTION_PATH"' in install
        assert not re.search(r"pip install[^\n]*\bnmebench\b", install)

    @pytest.mark.parametrize("file", [ROOT / "action.yml", *WORKFLOWS], ids=lambda f: f.name)
    def test_other_actions_are_pinned(self, file):
        """A commit, with its version behind it."""
        for line in file.read_text(encoding="utf-8").splitlines():
            if "uses:" in line:
                assert re.search(r"uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line), line

    @pytest.mark.parametrize("file", WORKFLOWS, ids=lambda f: f.name)
    def test_workflows_may_only_read(self, file):
        workflow = yaml.safe_load(file.read_text(encoding="utf-8"))
        assert workflow["permissions"] == {"contents": "read"}
        assert not any("permissions" in job for job in workflow["jobs"].values())

    def test_the_snippets_of_the_documentation_name_inputs_of_the_action(self):
        page = (ROOT / "docs" / "gate.md").read_text(encoding="utf-8")
        found = 0
        for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL):
            workflow = yaml.safe_load(block)
            for job in (workflow.get("jobs") or {}).values() if isinstance(workflow, dict) else ():
                for step in job["steps"]:
                    if "/nmebench@" in step.get("uses", ""):
                        found += 1
                        assert set(step.get("with", {})) <= set(ACTION["inputs"])
                    assert "pip install nmebench" not in step.get("run", "")
        assert found >= 2


class Runner:
    """Runs the steps of the action as a runner does: expressions replaced, outputs and the summary in files."""

    def __init__(self, folder: Path, environment: dict[str, str], inputs: Mapping[str, str]) -> None:
        self.folder = folder
        self.shared = environment
        self.environment = dict(environment)
        self.inputs = {name: str(item["default"]) for name, item in ACTION["inputs"].items()} | dict(inputs)
        self.github = {
            "action_path": self.environment["ACTION_COPY"], "server_url": "https://example.org",
            "repository": "owner/name", "run_id": "7",
        }  # fmt: skip
        self.outputs: dict[str, dict[str, str]] = {}
        self.failed = False
        self.logs: dict[str, str] = {}
        self.summary = folder.parent / "summary.md"
        self.summary.write_text("")

    def value(self, expression: str) -> str:
        if expression.startswith("inputs."):
            return self.inputs[expression.removeprefix("inputs.")]
        if expression.startswith("github."):
            return self.github[expression.removeprefix("github.")]
        match = re.fullmatch(r"steps\.([\w-]+)\.outputs\.([\w-]+)", expression)
        assert match, expression
        return self.outputs.get(match[1], {}).get(match[2], "")

    def condition(self, text: str) -> bool:
        parts = [part.strip() for part in text.split("&&")]
        always = "always()" in parts
        for part in parts:
            if part != "always()":
                left, _, right = part.partition(" != ")
                if self.value(left) == right.strip("'"):
                    return False
        return always or not self.failed

    def run(self) -> int:
        """Run all steps; return 0, or the exit code of the first that failed."""
        first = 0
        for step in STEPS:
            if not self.condition(step["if"]) if "if" in step else self.failed:
                continue
            installs = "pip install" in step.get("run", "")
            if "uses" in step or (installs and "INSTALLED" in self.shared):
                continue
            code = self._run(step)
            if code and not first:
                first, self.failed = code, True
            if installs and not code:
                self.shared["INSTALLED"] = "yes"  # later runs use the same environment
        return first

    def _run(self, step: Mapping[str, Any]) -> int:
        output = self.folder.parent / "output.txt"
        output.write_text("")
        own = {name: _EXPRESSION.sub(lambda m: self.value(m[1]), text) for name, text in step.get("env", {}).items()}
        environment = {
            **self.environment,
            **own,
            "GITHUB_OUTPUT": str(output),
            "GITHUB_STEP_SUMMARY": str(self.summary),
        }
        command = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step["run"]]
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)
        self.logs[step["name"]] = done.stdout + done.stderr
        print(f"--- {step['name']}: exit code {done.returncode}\n{self.logs[step['name']]}")  # noqa: T201
        self.outputs[step.get("id", step["name"])] = dict(
            line.split("=", 1) for line in output.read_text().splitlines() if "=" in line
        )
        return done.returncode


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A virtual environment that borrows the dependencies, and a copy of the project as the checkout of the action."""
    folder = tmp_path_factory.mktemp("runner")
    copy = folder / "action"
    for name in ("harness", "decoders", "models", "reports"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "constraints.txt", "action.yml"):
        shutil.copy(ROOT / name, copy / name)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    (site,) = (folder / "venv" / "lib").glob("python*/site-packages")
    (site / "borrowed.pth").write_text(f"{sysconfig.get_paths()['purelib']}\n")
    home = folder / "home"
    home.mkdir()
    return {
        "ACTION_COPY": str(copy),
        "HOME": str(home),
        "OMP_NUM_THREADS": "1",
        "PATH": f"{folder / 'venv' / 'bin'}:{os.environ['PATH']}",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_SYSTEM": "/dev/null",
    }


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A git repository with its own package ``models``, a model card, a small WFLW folder and a sweep."""
    folder = tmp_path / "their-project"
    (folder / "models").mkdir(parents=True)
    (folder / "models" / "__init__.py").write_text("raise RuntimeError('this is not the package of nmebench')\n")
    weights = ROOT / "models" / "weights" / "synthface-mobilenetv3.safetensors"
    shutil.copy(weights, folder / "models" / "net.safetensors")
    (folder / "models" / "net.toml").write_text(
        'name = "their-net"\narchitecture = "heatmap-mobilenetv3"\nweights = "net.safetensors"\n'
        '[test]\ndecoder = "dark"\n'
    )
    (folder / "sweep.toml").write_text(
        'data = "wflw:data/WFLW"\nmodels = ["models/net.toml"]\ndecoders = ["argmax", "dark"]\nflip = ["none"]\n'
    )
    _small_wflw(folder / "data" / "WFLW")
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "a network")
    return folder


def _small_wflw(root: Path) -> None:
    annotations = root / "WFLW_annotations" / "list_98pt_rect_attr_train_test" / "list_98pt_rect_attr_test.txt"
    annotations.parent.mkdir(parents=True)
    (root / "WFLW_images" / "a").mkdir(parents=True)
    rng = np.random.default_rng(0)
    lines = []
    for face in range(6):
        name = f"a/{face}.jpg"
        pixels = rng.integers(0, 255, (150, 160, 3), np.uint8)
        cv2.imwrite(str(root / "WFLW_images" / name), cv2.GaussianBlur(pixels, (9, 9), 0))
        points = rng.uniform(30, 110, (98, 2))
        attributes = [(face >> bit) & 1 for bit in range(6)]
        numbers = [*(f"{v:.6f}" for v in points.ravel()), "28", "27", "115", "113", *map(str, attributes), name]
        lines.append(" ".join(numbers))
    annotations.write_text("\n".join(lines) + "\n")


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def act(environment: dict[str, str], repository: Path) -> Callable[..., Runner]:
    """A function that runs the action in the repository with some inputs."""

    def make(**inputs: str) -> Runner:
        named = {name.replace("_", "-"): value for name, value in inputs.items()}
        given = {"pip-arguments": "--no-deps --no-build-isolation", **named}
        return Runner(repository, environment, given)

    return make


@pytest.mark.slow
def test_steps_in_another_repository(act: Callable[..., Runner], repository: Path) -> None:
    """Without a baseline, with limits, with a baseline of its own, and with a regression."""
    measured = act(sweep="sweep.toml")
    assert measured.run() == 0, measured.logs
    assert (repository / "nmebench-out" / "report.html").is_file()
    assert "| their-net | dark |" in measured.summary.read_text()

    limited = act(run="nmebench-out/run", limits="nme<=1000\nnme@pose<=0.001\n")
    assert limited.run() == 1
    summary = limited.summary.read_text()
    assert summary.startswith("### ❌ gate failed: ")
    assert "nme@pose\\<=0.001: NME is " in summary

    cli = [str(Path(act().environment["PATH"].split(":")[0]) / "nmebench"), "gate", "nmebench-out/run"]
    update = [*cli, "--baseline", "baseline.json", "--update"]
    subprocess.run(update, cwd=repository, env=act().environment, check=True, capture_output=True)
    git(repository, "add", "baseline.json")
    git(repository, "commit", "-q", "-m", "a baseline")

    passed = act(sweep="sweep.toml", baseline="baseline.json", margin="1%", history="history", output="out dir")
    assert passed.run() == 0, passed.logs
    summary = passed.summary.read_text()
    print(summary)  # noqa: T201
    head = git(repository, "rev-parse", "HEAD")
    assert "### ✅ gate passed: 2 cells compared on 6 faces of wflw, margin 1 %" in summary
    assert f"run {head[:10]}." in summary, "the commit is that of their repository"
    assert "worst subset" in summary
    assert "<summary>Scores</summary>" in summary
    assert (repository / "out dir" / "history.html").is_file()
    assert [file.name for file in (repository / "history").iterdir()] == [f"{head[:12]}-ci.json"]
    assert f"https://example.org/owner/name/commit/{head}" in (repository / "out dir" / "history.html").read_text()

    changed = (repository / "sweep.toml").read_text().replace('"dark"]', '"top-k"]')
    (repository / "sweep.toml").write_text(changed)
    missing = act(sweep="sweep.toml", baseline="baseline.json")
    assert missing.run() == 1
    assert "**missing**" in missing.summary.read_text()


@pytest.mark.slow
@pytest.mark.parametrize("inputs", [{}, {"sweep": "sweep.toml", "run": "x"}], ids=["neither", "both"])
def test_one_of_sweep_and_run(act: Callable[..., Runner], inputs: dict[str, str]) -> None:
    runner = act(**inputs)
    assert runner.run() == 2
    assert "::error::nmebench: give one of the inputs" in runner.logs["Measure"]
    assert runner.summary.read_text() == ""


@pytest.mark.slow
def test_an_input_is_never_a_command(act: Callable[..., Runner], repository: Path) -> None:
    attack = "$(touch stolen); `touch stolen`; \"; touch stolen; '"
    runner = act(sweep=attack, baseline=attack, limits=attack, margin=attack, output="out; touch stolen")
    assert runner.run() == 2
    assert not list(repository.rglob("stolen"))
