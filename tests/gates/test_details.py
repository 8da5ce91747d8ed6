"""Details of baselines and of the comparison: rounding, limits of the file, the order of rows, and what is noted."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest

from nmebench import metrics
from nmebench.errors import InputError
from nmebench.gates import Baseline, Limit, gate, make_baseline
from nmebench.gates.baseline import QUANTUM, _pack, cell_protocol, faces_sha256
from nmebench.gates.margin import Margin

DARK = ("net", "dark", "flip+shift", "landmarks")
ID = "net__dark__flip+shift__landmarks"
OTHER = "net__quarter-offset__flip+shift__landmarks"

# The file ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("extra", "refused"), [(0, False), (1, True)])
def test_file_of_64_mib(tmp_path, extra, refused):
    """Sparse files, at the largest size that is parsed and one byte above."""
    path = tmp_path / "baseline.json"
    with path.open("wb") as file:
        file.truncate(64 * 2**20 + extra)
    with pytest.raises(InputError) as error:
        Baseline.read(path)
    assert ("up to 67,108,864 are read" in str(error.value)) is refused


def test_file_is_sorted_indented_and_ends_with_a_line_break(baseline, tmp_path):
    path = tmp_path / "baseline.json"
    baseline.model_copy(update={"cells": dict(reversed(baseline.cells.items()))}).write(path)
    text = path.read_text(encoding="utf-8")
    raw = json.loads(text)
    assert text == json.dumps(raw, indent=1, sort_keys=True) + "\n"
    assert list(raw["cells"]) == sorted(baseline.cells)


def test_numbers_that_json_lacks_are_neither_read_nor_written(baseline, tmp_path):
    raw = baseline.model_dump(mode="json")
    raw["cells"][ID]["nme"]["test"] = float("nan")
    with pytest.raises(ValueError, match="finite"):
        Baseline.model_validate(raw)
    cell = baseline.cells[ID].model_copy(update={"nme": {"test": float("inf")}})
    with pytest.raises(ValueError, match="JSON"):
        baseline.model_copy(update={"cells": {ID: cell}}).write(tmp_path / "baseline.json")
    assert not (tmp_path / "baseline.json").exists()


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        pytest.param("faces", [1, 10_000_000], [0, 10_000_001], id="faces"),
        pytest.param("quantum", [1e-3, 1e-9], [0.0, 1.1e-3, -1e-4], id="quantum"),
        pytest.param("schema_version", [1], [0, 2], id="version"),
    ],
)
def test_limits_of_the_fields(baseline, field, good, bad):
    raw = baseline.model_dump()
    for value in good:
        assert getattr(Baseline.model_validate({**raw, field: value}), field) == value
    for value in bad:
        with pytest.raises(ValueError, match=field):
            Baseline.model_validate({**raw, field: value})


def test_fields_that_may_be_missing(baseline):
    raw = baseline.model_dump()
    for field in ("schema_version", "quantum", "limits", "made_by", "kind"):
        del raw[field]
    read = Baseline.model_validate(raw)
    assert (read.schema_version, read.quantum, read.limits, read.made_by) == (1, QUANTUM, (), {})
    assert QUANTUM == 1e-4


def test_the_damaged_field_is_named(baseline, tmp_path):
    path = tmp_path / "baseline.json"
    for change, where in (({"faces": "x"}, "faces"), ({"cells": {"c": {"flip": 1}}}, r"cells\.c\.model")):
        path.write_text(json.dumps({**baseline.model_dump(mode="json"), **change}))
        with pytest.raises(InputError, match=rf"damaged \({where}: "):
            Baseline.read(path)
    path.write_text("5")
    with pytest.raises(InputError, match=r"damaged \(the file: "):
        Baseline.read(path)


# Faces ---------------------------------------------------------------------------------------------------------------


def with_faces(baseline, packed):
    cell = baseline.cells[ID].model_copy(update={"per_face": packed})
    return baseline.model_copy(update={"cells": {ID: cell}, "faces": 5})


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(bytes(8 * 4), id="a-face-less"),
        pytest.param(bytes(8 * 6), id="a-face-more"),
        pytest.param(bytes(8 * 5 + 1), id="a-byte-more"),
        pytest.param(bytes(8 * 5 - 1), id="a-byte-less"),
        pytest.param(b"", id="none"),
    ],
)
def test_another_number_of_stored_faces_is_damage(baseline, data):
    with pytest.raises(InputError, match="the stored faces are damaged"):
        with_faces(baseline, base64.b64encode(zlib.compress(data)).decode()).face_nme(ID)


def test_stored_faces_are_steps_of_a_quantum(baseline):
    nme = np.array([0.0, 4.00004, 4.00006, 123.45678, 1e5])
    stored = with_faces(baseline, _pack(nme))
    assert stored.face_nme(ID).tolist() == pytest.approx([0.0, 4.0, 4.0001, 123.4568, 1e5], abs=1e-9)
    assert stored.face_nme(ID).dtype == np.float64
    coarse = stored.model_copy(update={"quantum": 1e-3})
    assert coarse.face_nme(ID)[1] == pytest.approx(40.0)
    steps = np.frombuffer(zlib.decompress(base64.b64decode(_pack(nme))), "<i8")
    assert steps.tolist() == [0, 40000, 40001, 1234568, 10**9]


def test_letters_outside_of_base64_are_damage(baseline):
    packed = _pack(np.zeros(5))
    with pytest.raises(InputError, match="the stored faces are damaged"):
        with_faces(baseline, packed[:4] + "!" + packed[4:]).face_nme(ID)


def test_hash_of_the_faces(small_faces):
    """Names, ground truth and normaliser count, in steps of 0.001 px; -0 is 0."""
    before = faces_sha256(small_faces)
    truth, lengths = small_faces.landmarks, small_faces.normaliser
    truth[0, 0] = 0.0
    zero = faces_sha256(small_faces)
    truth[0, 0] = -0.0
    assert faces_sha256(small_faces) == zero != before
    for moved, equal in ((0.0004, True), (0.0006, False), (1.0, False)):
        truth[0, 0] = moved
        assert (faces_sha256(small_faces) == zero) is equal
    truth[0, 0] = 0.0
    assert faces_sha256(replace(small_faces, normaliser=lengths + 0.01)) != zero
    names = list(small_faces.image)
    assert faces_sha256(replace(small_faces, image=[names[0] + "x", *names[1:]])) != zero
    assert faces_sha256(replace(small_faces, image=["ab", "c", *names[2:]])) != faces_sha256(
        replace(small_faces, image=["a", "bc", *names[2:]])
    )
    assert len(faces_sha256(replace(small_faces, image=["\udcff.jpg", *names[1:]]))) == 64
    # A step of 1/1000 px: 0.0005 px is rounded to an even number of steps.
    truth[0, 0] = 1.0004
    near = faces_sha256(small_faces)
    truth[0, 0] = 1.0
    assert faces_sha256(small_faces) == near
    truth[0, 0] = 500.0004
    near = faces_sha256(small_faces)
    truth[0, 0] = 500.0
    assert faces_sha256(small_faces) == near


def test_hash_of_the_faces_is_that_of_older_baselines(small_faces):
    """SHA-256 of the names, each with a zero byte, and of coordinates and normalisers in 64-bit steps of 0.001 px."""
    digest = hashlib.sha256()
    for name in small_faces.image:
        digest.update(name.encode() + b"\0")
    for values in (small_faces.landmarks, small_faces.normaliser):
        for value in values.ravel().tolist():
            digest.update(struct.pack("<q", round(value * 1000)))
    assert faces_sha256(small_faces) == digest.hexdigest()


# Making a baseline ---------------------------------------------------------------------------------------------------


def test_every_field_of_a_baseline(run):
    nme = 4 + np.arange(len(run.faces)) / 70_000_000
    run.__dict__["per_face"] = {**run.per_face, ID: nme}
    made = make_baseline(run, limits=["nme <= 4.50", Limit.parse("fr10<=5")])
    assert (made.dataset, made.scheme, made.normaliser) == ("wflw", "wflw98", "inter-ocular")
    assert (made.faces, made.faces_sha256) == (500, faces_sha256(run.faces))
    assert made.limits == ("nme<=4.5", "fr10<=5")
    assert made.made_by["nmebench"] == "0"
    assert list(made.cells) == [ID, OTHER]
    cell = made.cells[ID]
    protocol = cell_protocol(run, run.record.cells[0])
    assert {name: getattr(cell, name) for name in protocol} == protocol
    assert protocol == {
        "model": "net",
        "decoder": "dark",
        "flip": "flip+shift",
        "box": "landmarks",
        "convention": "stride",
        "input_size": (256, 256),
    }
    assert cell.settings["box padding"] == "1.25"
    assert set(cell.nme) == set(cell.rates["fr10"]) == set(cell.rates["auc10"]) == {"test", "pose", "blur"}
    for subset, mask in run.faces.subsets.items():
        assert cell.nme[subset] == round(float(nme[mask].mean()), 6)
        assert made.cells[OTHER].rates["fr10"][subset] == round(metrics.failure_rate(run.per_face[OTHER][mask]), 6)
        assert made.cells[OTHER].rates["auc10"][subset] == round(metrics.auc(run.per_face[OTHER][mask]), 8)
        assert made.cells[OTHER].nme[subset] == round(float(run.per_face[OTHER][mask].mean()), 6)
    assert cell.rates["auc10"]["test"] == round(float(1 - nme.mean() / 10), 8)


def test_failure_rates_have_six_decimals(run):
    nme = np.full(len(run.faces), 4.0)
    nme[0] = 12.0
    run.__dict__["per_face"] = {**run.per_face, ID: nme}
    (blur,) = (mask.sum() for name, mask in run.faces.subsets.items() if name == "blur")
    assert make_baseline(run).cells[ID].rates["fr10"]["blur"] == round(100 / blur, 6) != round(100 / blur, 5)


def test_weights_are_stored(make_run, predictions, many_faces):
    made = make_baseline(make_run(predictions, table=many_faces, name="weights", weights={"net": "ab" * 32}))
    assert made.cells[ID].weights_sha256 == "ab" * 32


def test_run_without_cells_and_empty_subsets(run, make_run, predictions, many_faces):
    subsets = {**many_faces.subsets, "pose": np.zeros(500, bool)}
    made = make_baseline(make_run(predictions, table=replace(many_faces, subsets=subsets), name="no-pose"))
    assert set(made.cells[ID].nme) == {"test", "blur"}
    object.__setattr__(run, "record", run.record.model_copy(update={"cells": []}))
    with pytest.raises(InputError, match="the run has no cell"):
        make_baseline(run)


# Comparing -----------------------------------------------------------------------------------------------------------


def test_every_number_of_a_row(run):
    """Exact faces: 4 % before, 4.5 % on most faces after, with one photograph's noise."""
    faces = len(run.faces)
    run.__dict__["per_face"] = {**run.per_face, ID: np.full(faces, 4.0)}
    reference = make_baseline(run)
    noise = np.where(np.arange(faces) % 2 == 0, 0.25, 0.75)
    run.__dict__["per_face"] = {**run.per_face, ID: 4.0 + noise}
    row, other = gate(run, reference, margin=0.25).rows
    assert (row.cell, row.outcome, row.before) == (ID, "regressed", pytest.approx(4.0))
    mask = {"test": np.ones(faces, bool), **run.faces.subsets}[row.subset]
    assert row.difference == pytest.approx(noise[mask].mean())
    assert row.after == pytest.approx(4 + noise[mask].mean())
    assert row.low < row.difference < row.high
    assert row.p < 1e-9
    assert [change.subset for change in row.changes] == ["test", "pose", "blur"]
    assert row.difference == max(change.difference for change in row.changes)
    assert (other.outcome, other.subset) == ("passed", "test")


def test_one_photograph_has_no_interval(run, many_faces):
    reference = make_baseline(run)
    object.__setattr__(run.faces, "image", ["one.jpg"] * len(run.faces))
    run.faces.__dict__.pop("clusters", None)
    reference = reference.model_copy(update={"faces_sha256": faces_sha256(run.faces)})
    row, _ = gate(run, reference).rows
    assert (row.low, row.high, row.p) == (None, None, 1.0)


def test_order_of_the_rows(make_run, predictions, many_faces, baseline):
    """The baseline's order, then new cells in the run's order."""
    new = {("b", *DARK[1:]): predictions[DARK], ("a", *DARK[1:]): predictions[DARK]}
    run = make_run({**new, **dict(reversed(predictions.items()))}, table=many_faces, name="more")
    assert [row.cell for row in gate(run, baseline).rows] == [
        ID,
        OTHER,
        "b__dark__flip+shift__landmarks",
        "a__dark__flip+shift__landmarks",
    ]


def test_limits_of_the_baseline_and_of_the_call(run):
    result = gate(run, make_baseline(run, limits=["nme<=1"]), limits=["fr10<=0.5", "auc10>=0.99", "*dark*/nme<=2"])
    assert result.limits == ("nme<=1", "fr10<=0.5", "auc10>=0.99", "*dark*/nme<=2")
    dark, other = result.rows
    assert dark.reason.count(";") == 2
    assert [part.partition(":")[0] for part in dark.reason.split("; ")] == ["nme<=1", "auc10>=0.99", "*dark*/nme<=2"]
    assert "*dark*" not in other.reason
    assert {row.outcome for row in result.rows} == {"over limit"}
    assert dark.difference is not None, "the comparison is still shown"


def test_a_failed_cell_keeps_its_reason(run):
    """A broken limit doesn't hide a changed protocol."""
    raw = make_baseline(run).model_dump()
    raw["cells"][ID]["box"] = "rect"
    row, other = gate(run, Baseline.model_validate(raw), limits=["nme<=1"]).rows
    assert (row.outcome, row.reason) == ("changed", "box was rect, is landmarks")
    assert other.outcome == "over limit"


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        pytest.param("scheme", "ibug68", "the landmark scheme was ibug68, is wflw98", id="scheme"),
        pytest.param("faces", 7, "the number of faces was 7, is 500", id="faces"),
        pytest.param("normaliser", "box-size", "the normaliser was box-size, is inter-ocular", id="normaliser"),
    ],
)
def test_other_faces_are_described(run, baseline, field, value, problem):
    changed = baseline.model_copy(update={field: value})
    if field == "faces":
        cells = {k: c.model_copy(update={"per_face": _pack(np.zeros(7))}) for k, c in baseline.cells.items()}
        changed = changed.model_copy(update={"cells": cells})
    result = gate(run, changed, limits=["nme<=0"])
    assert (result.problem, {row.reason for row in result.rows}) == (problem, {problem})
    assert result.exit_code == 3


def test_subset_means_may_differ_by_a_quantum(run, baseline):
    """The stored mean is rounded, and the faces are: only more than a quantum means other faces."""
    mean = float(baseline.face_nme(ID)[run.faces.subsets["pose"]].mean())
    for offset, outcome in ((0.99e-4, "passed"), (1.01e-4, "changed"), (-1.01e-4, "changed")):
        cell = baseline.cells[ID]
        cell = cell.model_copy(update={"nme": {**cell.nme, "pose": mean + offset}})
        row, _ = gate(run, baseline.model_copy(update={"cells": {**baseline.cells, ID: cell}})).rows
        assert row.outcome == outcome


@pytest.mark.parametrize(("steps", "outcome"), [(2, "passed"), (3, "changed"), (-2, "passed"), (-3, "changed")])
def test_a_subset_mean_that_differs_by_exactly_a_quantum(run, steps, outcome):
    """All numbers are multiples of 2**-11, so that nothing is rounded."""
    run.__dict__["per_face"] = {cell: np.full(500, 2.0) for cell in run.per_face}
    reference = make_baseline(run)
    cells = {
        name: cell.model_copy(
            update={"per_face": _pack(np.full(500, 2048 * QUANTUM)), "nme": {"test": 2.0 + steps * 2.0**-11}}
        )
        for name, cell in reference.cells.items()
    }
    reference = reference.model_copy(update={"cells": cells, "quantum": 2.0**-10})
    assert reference.face_nme(ID).tolist() == [2.0] * 500
    assert {row.outcome for row in gate(run, reference).rows} == {outcome}


@pytest.mark.parametrize("value", [0.0, 0.5, 1e300])
def test_margins_from_zero_on_are_allowed(value):
    assert Margin(value).points(4.0) == value
    assert Margin(value).relative is False


def test_relative_margin_is_a_percentage_of_the_baseline():
    assert Margin(5.0, relative=True).points(4.0) == pytest.approx(0.2)
    assert (str(Margin(5.0, relative=True)), str(Margin(0.05))) == ("5 %", "0.05 points")
    for value in (-1e-9, float("inf"), float("nan")):
        with pytest.raises(InputError, match="margin"):
            Margin(value)


def test_every_field_of_a_gate_of_limits_alone(run):
    result = gate(run, None, limits=["nme<=4.6", "*dark*/nme<=1"])
    assert (result.dataset, result.faces, result.level, result.has_baseline) == ("wflw", 500, 0.95, False)
    assert result.limits == ("nme<=4.6", "*dark*/nme<=1")
    assert (result.before, result.problem, result.margin) == (None, None, Margin())
    assert [row.outcome for row in result.rows] == ["over limit", "passed"]
    assert result.rows[0].reason.startswith("*dark*/nme<=1: NME is ")
    assert result.rows[1].reason.startswith("nme<=4.6: NME is ")


def test_parts_of_a_limit():
    limit = Limit.parse(" a*b?/fr10@large-pose  <= 2.50 ")
    assert (limit.cell, limit.metric, limit.subset, limit.value) == ("a*b?", "fr10", "large-pose", 2.5)
    assert (limit.applies("a_x_bc"), limit.applies("A_x_bc"), limit.applies("a*b")) == (True, False, False)
    assert Limit.parse("auc10>=0.6").violation(np.array([6.0])) == "auc10>=0.6: AUC@10 is 0.4000"
    assert Limit.parse("fr10<=5").violation(np.array([6.0, 12.0])) == "fr10<=5: FR@10 is 50.0000 %"
    assert Limit.parse("nme<=5").violation(np.array([6.0, 12.0])) == "nme<=5: NME is 9.0000 %"
