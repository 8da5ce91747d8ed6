"""Predictions that are declared to be those of a published row, and numbers that contradict each other."""

from __future__ import annotations

import json

import numpy as np
import pytest
from face_files import random_points, spiga_faces, write_spiga

from nmebench import published
from nmebench.checks import check
from nmebench.checks.reported_tables import row_table
from nmebench.datasets.readers import spiga_json
from nmebench.errors import InputError
from nmebench.scoring.store_predictions import store_predictions

DARK = ("net", "dark", "flip+shift", "landmarks")


def spiga_run(folder, shared_file, *, dataset, prediction="SPIGA", **options):
    """Write the arrays as SPIGA's own two files, in different orders, and score them."""
    with np.load(shared_file) as file:
        truth, predicted = file["gt"], file["pred"]
        images = file["image"].tolist() if "image" in file else [f"images/test/{n}.png" for n in range(len(truth))]
    order = np.random.default_rng(0).permutation(len(truth))
    write_spiga(folder / dataset / "test.json", spiga_faces(truth, images))
    write_spiga(folder / "results.json", spiga_faces(predicted[order], [images[place] for place in order]))
    return store_predictions(
        folder / "results.json",
        f"{dataset}:{folder / dataset / 'test.json'}",
        folder / "run",
        name="spiga",
        published=prediction,
        **options,
    )


def outcome(verdict):
    return {(row.table, row.metric, row.subset): row.status for row in verdict.rows}


def test_spiga_on_300w_private(shared, tmp_path):
    """SPIGA's own predictions: box-size NME, FR and AUC at 7 % of all faces and both subsets."""
    file = shared / "benchmarks" / "spiga_300wprivate.npz"
    run = spiga_run(tmp_path, file, dataset="300w-private", normaliser="box-size", thresholds=[7])
    scores = run.scores.set_index("subset")
    assert scores["nme"].round(4).to_dict() == {"test": 2.0306, "indoor": 2.0346, "outdoor": 2.0266}
    assert round(scores.loc["test", "fr7"], 4) == 0.1667
    assert round(scores.loc["test", "auc7"], 5) == 0.71003
    verdict = check(run)
    assert verdict.summary == "9 reported numbers: 9 reproduced"
    (area,) = [row for row in verdict.rows if (row.metric, row.subset) == ("auc7", "test")]
    assert area.measured == pytest.approx(0.7100850, abs=5e-7)
    assert area.reported_text == "0.71008"
    assert "histogram of 10000 bins" in area.reason
    assert "the exact area is 0.71003, and the method can differ from it by -0.00009 to +0.00032" in area.reason


def test_spiga_on_300w_public(shared, tmp_path):
    """Without the names of the photographs only the full set is known; its numbers are reproduced."""
    file = shared / "oracle" / "metrics" / "spiga_real_300wpublic.npz"
    run = spiga_run(tmp_path, file, dataset="300w", thresholds=[8])
    assert round(float(run.scores.set_index("subset").loc["test", "nme"]), 4) == 2.9937
    statuses = outcome(check(run))
    assert {key[1]: status for key, status in statuses.items() if key[2] == "test"} == {
        "nme": "reproduced",
        "fr8": "reproduced",
        "auc8": "reproduced",
    }
    assert {status for key, status in statuses.items() if key[2] != "test"} == {"not run"}


def test_all_subsets_of_300w_public_from_the_files_of_spiga(shared, tmp_path):
    """SPIGA's db_info.json has the rows of each subset: 0 to 553 are common, the others challenge (ibug)."""
    subsets = {"common": list(range(554)), "ibug": list(range(554, 689))}
    (tmp_path / "300w").mkdir()
    (tmp_path / "300w" / "db_info.json").write_text(json.dumps({"test_subsets": subsets}))
    file = shared / "oracle" / "metrics" / "spiga_real_300wpublic.npz"
    verdict = check(spiga_run(tmp_path, file, dataset="300w"))
    assert verdict.summary == "9 reported numbers: 9 reproduced"


def test_subsets_and_the_readme_of_spiga_on_300w_public(shared, tmp_path):
    """SPIGA's db_info.json: rows 0 to 553 are common, the others challenge."""
    with np.load(shared / "oracle" / "metrics" / "spiga_real_300wpublic.npz") as file:
        common = np.arange(689) < 554
        np.savez(
            tmp_path / "faces.npz",
            gt=file["gt"],
            pred=file["pred"],
            subset_common=common,
            subset_challenge=~common,
        )
    spec = tmp_path / "faces.npz"
    run = store_predictions(
        tmp_path / "faces.npz::pred", f"300w:{spec}::gt", tmp_path / "run", name="spiga", published="spiga*"
    )
    statuses = outcome(check(run))
    assert {status for (table, *_), status in statuses.items() if table == "SPIGA"} == {"reproduced"}
    readme = {key[1:]: status for key, status in statuses.items() if key[0] == "SPIGA (README)"}
    assert readme.pop(("auc8", "common")) == "not comparable", "0.44201 contradicts the row's NME"
    # The README's other AUCs differ from the results file in the fifth decimal, and so from these predictions.
    assert {readme.pop(("auc8", subset)) for subset in ("test", "challenge")} == {"deviates"}
    assert set(readme.values()) == {"reproduced"}


def test_another_normaliser_is_not_comparable(tmp_path, shared):
    file = shared / "benchmarks" / "spiga_300wprivate.npz"
    verdict = check(spiga_run(tmp_path, file, dataset="300w-private", normaliser="inter-ocular"))
    assert {(row.status, row.reason) for row in verdict.rows} == {
        (
            "not comparable",
            "normalised by inter-ocular, reported by box-size; `nmebench score RUN --normaliser box-size -o OTHER`",
        )
    }
    assert verdict.exit_code == 3


def small_run(folder, **options):
    truth = random_points(3, 68)
    images = [f"images/private/indoor/indoor_{number}.png" for number in range(3)]
    write_spiga(folder / "test.json", spiga_faces(truth, images))
    write_spiga(folder / "results.json", spiga_faces(truth + 1, images))
    return store_predictions(
        folder / "results.json", f"300w-private:{folder}/test.json", folder / "run", name="mine", **options
    )


def test_some_faces_are_not_comparable(tmp_path):
    run = small_run(tmp_path, normaliser="box-size", published="SPIGA")
    assert run.record.configuration["published"] == ["SPIGA"]
    rows = {(row.metric, row.subset): row for row in check(run).rows}
    assert rows["nme", "test"].reason == "3 of 600 faces"
    assert {row.status for row in rows.values()} == {"not comparable", "not run"}
    assert not check(run, published=False).rows


def test_nothing_is_compared_without_a_declaration(tmp_path):
    assert not check(small_run(tmp_path)).rows


def test_unknown_methods_are_refused_before_the_predictions_are_read(tmp_path):
    with pytest.raises(InputError, match="300w-private has no such row; did you mean 'SPIGA'"):
        small_run(tmp_path, published="SPIGAA")
    assert not (tmp_path / "run").exists()


def test_contradictory_numbers_are_measured_and_not_compared():
    (readme,) = [row for row in published.load("300w") if row.method == "SPIGA (README)"]
    table = row_table(readme)
    assert table.doubt("auc8", "common") == "with an NME of 2.587 % the AUC is at least 0.677"
    assert table.doubt("auc8", "test") == table.doubt("nme", "common") == ""
    lab = row_table(next(row for row in published.load("300w") if row.method == "LAB (STAR table)"))
    assert "3.413 for all faces" in lab.doubt("nme", "challenge")


def test_ids_of_the_tests_are_those_of_the_reader():
    from face_files import SPIGA_IDS

    assert spiga_json.IDS[68] == SPIGA_IDS


def test_predictions_that_are_probably_wrong_are_not_compared(tmp_path):
    """The faces are in another order: the run has a note, and its numbers neither confirm nor contradict the row."""
    truth = random_points(600, 68)
    images = [f"{'in' if place < 300 else 'out'}door_{place:03}.png" for place in range(600)]
    subsets = {"subset_indoor": np.arange(600) < 300, "subset_outdoor": np.arange(600) >= 300}
    np.savez(tmp_path / "truth.npz", landmarks=truth, images=np.array(images), **subsets)
    np.savez(tmp_path / "mine.npz", landmarks=truth[::-1])
    run = store_predictions(
        tmp_path / "mine.npz",
        f"300w-private:{tmp_path / 'truth.npz'}",
        tmp_path / "run",
        name="mine",
        normaliser="box-size",
        published="SPIGA",
    )
    verdict = check(run)
    assert {row.status for row in verdict.rows} == {"not comparable"}
    assert all(row.reason.startswith("suspect: predictions: the median NME") for row in verdict.rows)
    assert verdict.exit_code == 3
