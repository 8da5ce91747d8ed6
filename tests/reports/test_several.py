"""One page of several runs: a part for each, unique ids, the thresholds of each data set, and the command line."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from markupsafe import Markup

from nmebench import reports, scoring
from nmebench.__main__ import main
from nmebench.errors import InputError
from nmebench.gates import make_baseline
from nmebench.reports.render.prefixed import with_prefix
from nmebench.reports.sections import gallery
from nmebench.reports.view import RunView
from nmebench.runs.run_store import Run


class _Tags(HTMLParser):
    """Collects the start tags with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def changed_copy(run: Run, folder: Path, **changes: object) -> Run:
    """A copy of a run with other fields of ``run.json``, scored again."""
    shutil.copytree(run.path, folder)
    record = json.loads((folder / "run.json").read_text())
    dataset = changes.pop("dataset", {})
    record["dataset"] |= dataset  # type: ignore[operator]
    (folder / "run.json").write_text(json.dumps(record | changes))
    (folder / "verdict.json").unlink(missing_ok=True)
    copy = Run.open(folder)
    scoring.score(copy, resamples=50)
    return copy


@pytest.fixture(scope="module")
def runs(make_report_run: Callable[..., Run], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """A run of WFLW, and one of another data set with a threshold of 8 %."""
    folder = tmp_path_factory.mktemp("runs")
    run = make_report_run(folder / "wflw", models=("net",), decoders=("argmax", "dark"), faces=20)
    dataset = {"name": "300w", "coverage": "20 of 689 faces", "expected": {"test": 689}}
    return {"wflw": run, "300w": changed_copy(run, folder / "300w", thresholds=[8.0], dataset=dataset)}


@pytest.fixture(scope="module")
def text(runs: dict[str, Run]) -> str:
    return reports.several_html(runs)


def part(text: str, name: str) -> str:
    """The part of one run."""
    found = re.search(rf'<section id="{re.escape(name)}\.run".*?(?=<section id="[^"]+\.run"|</main>)', text, re.DOTALL)
    assert found is not None
    return found[0]


def test_ids_are_unique_and_references_resolve(text: str) -> None:
    tags = _Tags(text).tags
    ids = [str(a["id"]) for _, a in tags if a.get("id")]
    assert len(ids) == len(set(ids))
    for tag, attributes in tags:
        for name in ("aria-labelledby", "aria-describedby", "for"):
            for reference in (attributes.get(name) or "").split():
                assert reference in ids, (tag, name, reference)
        if tag == "a" and (attributes.get("href") or "").startswith("#"):
            assert (attributes["href"] or "")[1:] in ids
    used = set(re.findall(r"url\(#([^)]+)\)", text))
    assert used
    assert used <= set(ids)


def test_choices_of_one_run_do_not_change_those_of_another(text: str) -> None:
    names = {a["name"] for tag, a in _Tags(text).tags if tag == "input" and a.get("type") == "radio"}
    assert names == {"wflw.kind", "300w.kind", "wflw.metric", "300w.metric"}


def test_each_run_has_the_sections_of_its_own_page(text: str, runs: dict[str, Run]) -> None:
    for name, run in runs.items():
        alone = re.findall(r'<section id="([^"]+)"', reports.html(run))
        assert re.findall(rf'<section id="{name}\.([^"]+)"', text) == ["run", *alone]


def test_each_part_has_the_thresholds_of_its_data_set(text: str) -> None:
    assert "FR@10" in part(text, "wflw")
    assert "FR@8" not in part(text, "wflw")
    assert "AUC@8" in part(text, "300w")
    assert "FR@10" not in part(text, "300w")
    overview = text[text.index('id="overview"') : text.index('id="wflw.run"')]
    assert "at 10 %" in overview
    assert "at 8 %" in overview


def test_the_first_screen_answers_for_each_run(text: str) -> None:
    overview = text[text.index('id="overview"') : text.index('id="wflw.run"')]
    assert overview.count('class="answer ') == 2
    assert 'href="#wflw.reported"' in overview
    assert 'href="#300w.reported"' in overview
    assert "20 of 689 faces" in overview
    assert "Not checked" in overview  # the copy has no verdict


def test_two_renders_have_the_same_bytes(runs: dict[str, Run], text: str) -> None:
    assert reports.several_html({name: Run.open(run.path) for name, run in runs.items()}) == text


def test_pictures_and_predictions_of_all_runs_share_one_budget(text: str, runs: dict[str, Run]) -> None:
    assert len(text) < 1.5e6
    whole, part = (gallery.section(RunView(runs["wflw"]), share=share) for share in (1, 60))
    assert whole is not None
    assert part is not None
    assert 0 < part.pictures < whole.pictures
    assert 0 < part.faces < whole.faces


def test_a_baseline_belongs_to_its_run(runs: dict[str, Run]) -> None:
    page = reports.several_html(
        runs, baselines={"300w": make_baseline(runs["300w"])}, baseline_name="old", pictures=False
    )
    assert 'id="300w.change"' in page
    assert 'id="wflw.change"' not in page
    assert "old" in part(page, "300w")


def test_names_of_runs_are_escaped(runs: dict[str, Run]) -> None:
    page = reports.several_html(dict(zip(('<b>"x', "y"), runs.values(), strict=True)), pictures=False)
    assert "<b>" not in page
    assert '"x.' not in page


def test_the_number_of_runs_is_bounded(runs: dict[str, Run]) -> None:
    with pytest.raises(InputError, match="a report of 0 runs: give 1 to 12"):
        reports.several_html({})
    with pytest.raises(InputError, match="a report of 13 runs"):
        reports.several_html({str(number): runs["wflw"] for number in range(13)})


def test_only_ids_and_references_get_the_prefix() -> None:
    given = Markup(
        '<svg aria-labelledby="a b"><title id="a">t</title><desc id="b">d</desc><g clip-path="url(#c)"/></svg>'
        '<a href="#a" data-show="1 2" title="id=&#34;x&#34;">id="x" href="#y"</a><a href="data:text/csv,#z">z</a>'
    )
    expected = (
        '<svg aria-labelledby="p.a p.b"><title id="p.a">t</title><desc id="p.b">d</desc>'
        '<g clip-path="url(#p.c)"/></svg>'
        '<a href="#p.a" data-show="1 2" title="id=&#34;x&#34;">id="x" href="#y"</a><a href="data:text/csv,#z">z</a>'
    )
    region = with_prefix(Markup('<div role="region" aria-label="Scores">'), "p.", '"net" & co')
    assert region == '<div role="region" aria-label="&#34;net&#34; &amp; co: Scores">'
    assert with_prefix(given, "p.") == expected
    assert with_prefix(given, "") == given


@pytest.fixture
def sweep(runs: dict[str, Run], tmp_path: Path) -> Path:
    """A sweep's folder with both runs."""
    for name, run in runs.items():
        shutil.copytree(run.path, tmp_path / "sweep" / name)
    entries = [{"folder": name, "data": f"{name}:somewhere", "dataset": name} for name in runs]
    (tmp_path / "sweep/sweep.json").write_text(json.dumps({"title": "Both", "runs": entries}))
    return tmp_path / "sweep"


def test_the_command_writes_one_page_of_a_sweep(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(sweep), "--no-pictures"]) == 0
    page = (sweep / "report.html").read_text()
    assert "<title>Both – nmebench report</title>" in page
    assert 'id="300w.scores"' in page
    assert main(["report", str(sweep), "--baseline", str(sweep), "--no-pictures"]) == 0
    assert 'id="300w.change"' in (sweep / "report.html").read_text()


def test_the_command_writes_one_page_of_given_runs(
    sweep: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [str(sweep / "wflw"), str(sweep / "300w")]
    page = tmp_path / "page.html"
    assert main(["report", *given]) == 2
    assert "name it with -o FILE.html" in capsys.readouterr().err
    assert main(["report", *given, "-o", str(page), "--no-pictures"]) == 0
    assert re.findall(r'<section id="([^"]+)\.run"', page.read_text()) == ["wflw", "300w"]
    assert main(["report", given[0], given[0], "-o", str(page)]) == 2
    assert "is given twice" in capsys.readouterr().err
    assert main(["report", *given, "-o", str(page), "--baseline", given[0]]) == 2
    assert "write their pages one at a time" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda sweep: shutil.rmtree(sweep / "300w"), "no run here"),
        (lambda sweep: (sweep / "sweep.json").write_text("{}"), "damaged"),
        (lambda sweep: (sweep / "300w/scores.csv").unlink(), "scores.csv"),
    ],
)
def test_a_damaged_sweep_gives_one_line_and_no_page(
    sweep: Path, capsys: pytest.CaptureFixture[str], change: Callable[[Path], object], message: str
) -> None:
    change(sweep)
    assert main(["report", str(sweep)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error
    assert not (sweep / "report.html").exists()
