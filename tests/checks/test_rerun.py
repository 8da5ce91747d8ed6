"""Planted protocol errors are found end to end, with real photographs, a real network and real reruns.

The network has random weights. Its errors are large, but every protocol gives different numbers, which is enough for
the search for the cause.
"""

from __future__ import annotations

import json
import textwrap

import pytest

from nmebench.checks import check, explain, make_rerun
from nmebench.runs.run_store import Run
from nmebench.sweep import SweepConfiguration, execute

SUBSETS = ("test", "pose", "blur", "occlusion")
FACES = 8

CARD = """
    name = "random"
    architecture = "hrnetv2-w18"
    weights = "{weights}"
    options = {{ fusion = "{fusion}" }}
    [input]
    size = [128, 128]
    colour = "{colour}"
    [test]
    decoder = "quarter-offset"
    flip = true
    shift = {shift}
    [reported.wflw.right]
    nme = {{ {nme} }}
    source = "the same network under the right protocol"
    tolerance = 0.001
    """


def sweep(shared, folder, nme, *, fusion="bilinear", colour="rgb", shift="true", padding=None) -> Run:
    """Measure with a protocol; the record claims a complete set, so that the numbers are comparable."""
    folder.mkdir(exist_ok=True)
    card = folder / "card.toml"
    weights = shared / "oracle" / "model" / "hrnetv2_w18_wflw_mm0.pth"
    values = ", ".join(f"{subset} = {value:.4f}" for subset, value in nme.items())
    text = CARD.format(weights=weights, fusion=fusion, colour=colour, shift=shift, nme=values)
    card.write_text(textwrap.dedent(text))
    configuration = SweepConfiguration(
        data=f"wflw:{shared / 'wflw-sample' / 'WFLW_annotations'}",
        models=({"card": str(card)},),
        box_padding=padding,
        limit=FACES,
        batch_size=FACES,
        engine="torch",
        threads=1,
        pictures=False,
    )
    out = folder / "run"
    run = execute(configuration, out)
    raw = json.loads((out / "run.json").read_text())
    raw["dataset"]["expected"] = raw["dataset"]["counts"]
    (out / "run.json").write_text(json.dumps(raw))
    assert run.record.dataset.faces == FACES
    return Run.open(out)


@pytest.fixture(scope="module")
def right(shared, tmp_path_factory):
    """NME by subset with the right protocol."""
    run = sweep(shared, tmp_path_factory.mktemp("right") / "run", {"test": 1.0})
    scores = run.scores.set_index("subset")["nme"]
    return {subset: float(scores[subset]) for subset in SUBSETS if subset in scores}


@pytest.mark.slow
def test_other_padding_of_the_table_is_the_first_cause(shared, tmp_path):
    """The table was made with a padding of 1.2, which its card can't state; the run uses the default."""
    paper = sweep(shared, tmp_path / "paper", {"test": 1.0}, padding=1.2)
    scores = paper.scores.set_index("subset")["nme"]
    nme = {subset: float(scores[subset]) for subset in SUBSETS if subset in scores}
    assert check(sweep(shared, tmp_path / "with-1.2", nme, padding=1.2)).rows[0].status == "not comparable"
    run = sweep(shared, tmp_path / "run", nme)
    verdict = check(run)
    assert verdict.exit_code == 1
    row = next(row for row in explain(run, verdict, make_rerun(run)).rows if row.subset == "test")
    assert row.causes[0].cause == "box padding", [f.detail for f in row.causes]
    assert row.causes[0].explains


@pytest.mark.slow
@pytest.mark.parametrize(
    ("planted", "cause"),
    [
        pytest.param({}, None, id="nothing"),
        pytest.param({"colour": "bgr"}, "colour order", id="bgr-for-rgb"),
        pytest.param({"shift": "false"}, "flip shift", id="no-flip-shift"),
        pytest.param({"fusion": "nearest"}, "bilinear fusion", id="nearest-fusion"),
    ],
)
def test_planted_error_deviates_and_is_the_first_cause(shared, tmp_path, right, planted, cause):
    run = sweep(shared, tmp_path / "planted", right, **planted)
    verdict = check(run)
    if cause is None:
        assert verdict.exit_code == 0, verdict.rows
        return
    assert verdict.exit_code == 1
    row = next(row for row in explain(run, verdict, make_rerun(run)).rows if row.subset == "test")
    assert row.causes[0].cause == cause, [f.detail for f in row.causes]
    assert row.causes[0].explains
