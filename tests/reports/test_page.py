"""The page: self-contained, deterministic, small, fast to make, and safe with hostile names."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import resource
import shutil
import time
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from nmebench import reports
from nmebench.errors import InputError
from nmebench.gates import make_baseline
from nmebench.runs.run_store import Run


@pytest.fixture(scope="module")
def text(small_run: Run) -> str:
    return reports.html(small_run)


class _Tags(HTMLParser):
    """Collects the start tags with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_nothing_is_loaded_from_outside(text: str) -> None:
    for tag, attributes in _Tags(text).tags:
        for name in ("src", "href", "xlink:href", "action", "srcset", "poster", "data"):
            value = attributes.get(name) or ""
            linked = tag == "a" and value.startswith("https://")
            assert linked or not value or value.startswith(("#", "data:")), (tag, name, value)
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)


def test_policy_allows_only_the_page_script(text: str) -> None:
    policy = next(a["content"] for t, a in _Tags(text).tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    script = text[text.rindex("<script>") + len("<script>") : text.rindex("</script>")]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}';" in policy
    assert "unsafe-inline" not in policy.partition("script-src")[2].partition(";")[0]


def test_ids_are_unique_and_references_resolve(text: str) -> None:
    tags = _Tags(text).tags
    ids = [a["id"] for _, a in tags if a.get("id")]
    assert len(ids) == len(set(ids))
    for tag, attributes in tags:
        for name in ("aria-labelledby", "for"):
            for reference in (attributes.get(name) or "").split():
                assert reference in ids, (tag, name, reference)
        if tag == "a" and (attributes.get("href") or "").startswith("#"):
            assert (attributes["href"] or "")[1:] in ids


def test_two_renders_have_the_same_bytes(small_run: Run, text: str) -> None:
    assert reports.html(Run.open(small_run.path)) == text


def test_folder_machine_and_times_do_not_change_the_bytes(small_run: Run, text: str, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere"
    shutil.copytree(small_run.path, copy)
    record = json.loads((copy / "run.json").read_text())
    record["provenance"]["host"] = {"processor": "another"}
    record["provenance"]["command"][-1] = str(copy)
    (copy / "run.json").write_text(json.dumps(record))
    (copy / "timings.json").write_text('{"stages": {"decode": 99.0}}')
    assert reports.html(Run.open(copy)) == text


def test_script_data_cannot_end_its_element(text: str) -> None:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text)
    assert found is not None
    data = json.loads(found[1])
    assert len(data["cells"]) == 24
    assert "<" not in found[1]


def test_write_is_atomic_and_returns_the_path(small_run: Run, tmp_path: Path, text: str) -> None:
    out = tmp_path / "report.html"
    out.write_text("old")
    assert reports.write(small_run, out) == out
    assert out.read_text(encoding="utf-8") == text
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_unwritable_output_is_a_one_line_error(small_run: Run, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't be written") as caught:
        reports.write(small_run, tmp_path / "missing" / "report.html")
    assert "\n" not in str(caught.value)


def test_unscored_run_is_refused(make_report_run: Callable[..., Run], tmp_path: Path) -> None:
    run = make_report_run(tmp_path / "run", models=("net",), decoders=("argmax",), flips=("none",), faces=10)
    (run.path / "scores.csv").unlink()
    with pytest.raises(InputError, match="nmebench score"):
        reports.write(Run.open(run.path), tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"models": ("net",), "decoders": ("direct",), "flips": ("none",), "faces": 10}, id="one cell"),
        pytest.param({"models": (), "faces": 10}, id="no cells"),
        pytest.param({"models": ("net",), "decoders": ("dark",), "faces": 1}, id="one face"),
        pytest.param(
            {"models": tuple(f"net{i}" for i in range(18)), "decoders": ("dark",), "faces": 12}, id="many colours"
        ),
    ],
)
def test_unusual_runs_render(make_report_run: Callable[..., Run], tmp_path: Path, options: dict[str, Any]) -> None:
    text = reports.html(make_report_run(tmp_path / "run", with_verdict=False, **options))
    assert "nmebench check RUN" in text
    assert text.endswith("</html>\n")


def test_hostile_text_is_escaped(make_report_run: Callable[..., Run], tmp_path: Path) -> None:
    attack = "</script><script>alert(1)</script>"
    names = [f"{attack}‮א🙂\udcff\x00{i}.jpg" for i in range(20)]
    run = make_report_run(
        tmp_path / "run",
        models=(attack, '"><img src=x onerror=alert(1)>', "$\\frac{"),
        decoders=("argmax", f"dark:{attack}"),
        faces=20,
        image_names=names,
        card={"licence": attack, "source": f"'\"{attack}", "input": {attack: attack}},
        title=attack,
        not_run=[attack],
        normaliser=attack,
    )
    text = reports.html(run)
    tags = _Tags(text).tags
    assert sum(tag == "script" for tag, _ in tags) == 2
    assert not any(tag == "img" for tag, _ in tags)
    assert not any(name.startswith("on") for _, attributes in tags for name in attributes)
    text.encode("utf-8")
    assert "\\xff" in text


@pytest.mark.slow
def test_large_run_makes_a_small_page(make_report_run: Callable[..., Run], tmp_path: Path) -> None:
    run = make_report_run(tmp_path / "run", models=("net-a", "net-b"), faces=2500, side=256)
    assert len(run.record.cells) == 40
    start = time.process_time()
    out = reports.write(Run.open(run.path), tmp_path / "report.html", baseline=make_baseline(run))
    print(f"{time.process_time() - start:.1f} s of processor time, {out.stat().st_size} bytes")  # noqa: T201
    assert out.stat().st_size < 4_000_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 2_000_000  # KiB
