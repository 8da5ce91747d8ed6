"""Tests of the published rows of all data sets: names, units, relations between numbers, made by the importer."""

from __future__ import annotations

from decimal import Decimal

import import_benchmark_rows as importer
import pytest

from nmebench import boxes, decoders, published
from nmebench.checks.auc_methods import AUC_METHODS
from nmebench.checks.rounded_value import rounded_values
from nmebench.datasets import benchmark
from nmebench.errors import InputError
from nmebench.metric_names import NME, Metric
from nmebench.published import rows
from nmebench.published.disagreements import disagreements
from nmebench.published.relations import contradictions

BENCHMARKS = ("300w", "300w-private", "aflw", "cofw", "cofw68", "lapa")


def row(dataset: str, method: str, normaliser: str | None = None) -> published.PublishedRow:
    (found,) = [
        r for r in published.load(dataset) if r.method == method and normaliser in (None, r.protocol.normaliser)
    ]
    return found


def numbers(entry: published.PublishedRow):
    return [(name, subset, value) for name in (NME, *entry.rates) for subset, value in entry.values(name).items()]


def test_every_data_set_has_a_file_of_its_own_rows():
    assert sorted(path.stem for path in rows.FOLDER.glob("*.toml")) == sorted(("wflw", *BENCHMARKS))
    for dataset in ("wflw", *BENCHMARKS):
        found = rows.read(rows.FOLDER / f"{dataset}.toml")
        assert {entry.dataset for entry in found} == {dataset}
        names = [(entry.method, entry.protocol.normaliser, entry.source) for entry in found]
        assert len(names) == len(set(names))
        assert tuple(found) == published.load(dataset)


@pytest.mark.parametrize("dataset", BENCHMARKS)
def test_names_are_those_of_the_benchmark(dataset):
    definition = benchmark.load(dataset)
    subsets = {*definition.expected("test"), importer.UNSTATED}
    for entry in published.load(dataset):
        protocol = entry.protocol
        assert "@" in entry.source.partition(":")[0], entry.method  # the repository at a commit
        assert {subset for _, subset, _ in numbers(entry)} <= subsets, entry.method
        assert protocol.normaliser in {None, *definition.landmark_scheme.normalisers}, entry.method
        assert protocol.box is None or protocol.box in boxes.names()
        assert protocol.decoder is None or decoders.from_spec(protocol.decoder)
        assert protocol.auc_method is None or protocol.auc_method in AUC_METHODS


@pytest.mark.parametrize("dataset", BENCHMARKS)
def test_failure_rates_are_whole_numbers_of_faces(dataset):
    faces = benchmark.load(dataset).expected("test")
    for entry in published.load(dataset):
        for metric in (name for name in entry.rates if Metric.parse(name).kind == "fr"):
            for subset, value in rounded_values(metric, entry.values(metric)).items():
                expected = 0 if "whole number" in entry.doubt(metric, subset) else 1
                assert len(value.counts(faces[subset])) == expected, (entry.method, metric, subset, str(value))


def test_contradictory_numbers_are_marked_in_every_row_and_no_others():
    """The marks in the files are what the relations give; the next test names all of them."""
    for entry in published.load():
        counts = benchmark.load(entry.dataset).expected("test")
        assert entry.suspect == contradictions(entry, counts), (entry.dataset, entry.method)


def test_the_contradictions_that_are_known():
    found = {
        (entry.dataset, entry.method, key): reason
        for entry in published.load()
        for key, reason in entry.suspect.items()
    }
    lab = "2.98 (common) and 5.19 (challenge) give 3.413 for all faces, not 3.49"
    assert found == {
        ("wflw", "AWing", "auc10.expression"): "with an NME of 4.58 % the AUC is at least 0.542",
        ("wflw", "AWing", "auc10.makeup"): "with an NME of 4.27 % the AUC is at least 0.572",
        ("300w", "SPIGA (README)", "auc8.common"): "with an NME of 2.587 % the AUC is at least 0.677",
        ("300w", "LAB (STAR table)", "nme"): lab,
        ("300w", "LAB (ADNet table)", "nme"): lab,
        ("300w", "LAB (HIH table)", "nme"): lab,
        ("300w", "AVS + SAN (STAR table)", "nme"): (
            "3.21 (common) and 6.46 (challenge) give 3.847 for all faces, not 3.86"
        ),
        ("300w", "CPM+SBR (ADNet table)", "nme"): (
            "3.28 (common) and 7.58 (challenge) give 4.123 for all faces, not 4.10"
        ),
        ("300w-private", "SPIGA (README)", "auc7.outdoor"): "with an NME of 2.027 % the AUC is at least 0.710",
        ("cofw", "RCPR (ADNet table)", "fr10.test"): "20.00 % is not a whole number of 507 faces",
        ("cofw", "DCFE (ADNet table)", "auc10.test"): "with an NME of 5.27 % the AUC is at least 0.472",
    }


def test_one_unit_whatever_the_source_prints():
    """NME and FR are percent, AUC is a fraction, and no digit is lost."""
    spiga = row("300w-private", "SPIGA")
    assert spiga.values("auc7")["test"] == Decimal("0.7100849804168183")  # the source prints 71.00849804168183
    assert spiga.nme["test"] == Decimal("2.030598939445185")
    log = row("aflw", "FaRL-B ep64 (reproduction log), last epoch 50", "annotated-box")
    assert log.values("fr7")["test"] == Decimal("0.15959872321021917")  # the log has the fraction, 7 of 4386 faces
    assert log.nme["test"] == Decimal("1.3912215713382692")
    for entry in published.load():
        for metric, subset, value in numbers(entry):
            if Metric.parse(metric).kind == "nme":
                assert value > Decimal("0.5"), (entry.method, subset, value)  # a fraction would be below


@pytest.mark.parametrize(
    ("dataset", "prefix", "values"),
    [
        pytest.param(
            "300w", "eea53406", {"common": "2.86 2.92", "challenge": "5.45 5.64", "test": "3.37 3.45"}, id="300w"
        ),
        pytest.param("300w-private", "eea53406", {"test": "3.97 4.10"}, id="private"),
        pytest.param("cofw", "49243ab8", {"test": "3.40 3.48"}, id="cofw"),
        pytest.param("aflw", "219606c0", {"test": "1.34 1.35", "frontal": "1.20 1.19"}, id="aflw-dark"),
    ],
)
def test_tables_of_one_checkpoint_that_disagree(dataset, prefix, values):
    found = [one for one in disagreements(published.load(dataset)) if one.sha256_prefix == prefix]
    printed = {one.subset: " ".join(map(str, dict.fromkeys(one.values.values()))) for one in found}
    assert printed == values


def test_the_boxes_of_aflw_are_square():
    """FaRL logs the NME by the side and by the diagonal of the same box."""
    logs = [entry for entry in published.load("aflw") if "log)" in entry.method]
    by_side, by_diagonal = (
        {
            (entry.method, subset): value
            for entry in logs
            if entry.protocol.normaliser == name
            for subset, value in entry.nme.items()
        }
        for name in ("annotated-box", "annotated-box-diagonal")
    )
    assert by_side.keys() == by_diagonal.keys()
    assert len(by_side) == 16
    for key, value in by_side.items():
        assert float(value / by_diagonal[key]) == pytest.approx(2**0.5, rel=1e-5)


def test_plain_aflw_tables_agree():
    assert not [one for one in disagreements(published.load("aflw")) if one.sha256_prefix == "f2bbc62b"]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        pytest.param("spiga", ["SPIGA"], id="case"),
        pytest.param("SPIGA*", ["SPIGA (README)", "SPIGA"], id="pattern"),
        pytest.param("HRNetV2-W18 official", ["HRNetV2-W18 official"], id="exact"),
    ],
)
def test_methods_by_name(name, found):
    assert published.methods(name, "300w") == found


def test_unknown_methods_and_data_sets_are_refused():
    with pytest.raises(InputError, match=r"300w has no such row; did you mean 'SPIGA'\?"):
        published.methods("SPIGGA", "300w")
    with pytest.raises(InputError, match="no published rows are known for synthface"):
        published.methods("SPIGA", "synthface")
    with pytest.raises(InputError, match="dataset '300v': no such dataset"):
        published.select(dataset="300v")
    with pytest.raises(InputError, match="subset 'pose': no such subset"):
        published.select(dataset="300w", subset="pose")


def test_importer_makes_the_committed_files(shared):
    found = importer.import_rows(shared / "reference" / "published_other.csv")
    assert sorted(found) == sorted(BENCHMARKS)
    for dataset, made in found.items():
        text = importer.to_toml(benchmark.load(dataset).title, made)
        assert text == (rows.FOLDER / f"{dataset}.toml").read_text(encoding="utf-8"), dataset


LINE = {
    "method": "net",
    "year": "2020",
    "backbone": "",
    "input": "256x256",
    "decoder": "",
    "flip": "no",
    "benchmark": "300-W",
    "subset": "full",
    "metric": "NME",
    "normaliser": "inter-ocular",
    "threshold": "",
    "value": "3.10",
    "source": "a/b@1234567:README.md",
    "source_kind": "authors",
    "notes": "",
}


def survey(folder, *changes):
    import csv

    path = folder / "survey.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(LINE))
        writer.writeheader()
        writer.writerows({**LINE, **change} for change in changes)
    return path


def test_lines_become_rows_by_data_set_normaliser_and_input(tmp_path):
    path = survey(
        tmp_path,
        {},
        {"subset": "challenge", "value": "5.00"},
        {"subset": "private", "value": "4.00"},
        {"normaliser": "inter-pupil", "value": "4.30"},
        {"metric": "AUC", "threshold": "8", "value": "62.5"},
        {"metric": "NME_P90", "value": "4.6"},  # nmebench has no percentiles
        {"benchmark": "MERL-RAV", "value": "1.5"},  # nor this benchmark
    )
    found = importer.import_rows(path)
    assert [(r.protocol.normaliser, dict(r.nme)) for r in found["300w"]] == [
        ("inter-ocular", {"test": Decimal("3.10"), "challenge": Decimal("5.00")}),
        ("inter-pupil", {"test": Decimal("4.30")}),
    ]
    assert found["300w"][0].values("auc8") == {"test": Decimal("0.625")}
    assert [dict(r.nme) for r in found["300w-private"]] == [{"test": Decimal("4.00")}]
    twice = importer.import_rows(survey(tmp_path, {}, {"input": "128x128", "value": "3.90"}))["300w"]
    assert [(r.method, str(r.nme["test"])) for r in twice] == [("net 256x256", "3.10"), ("net 128x128", "3.90")]
    with pytest.raises(InputError, match="net has two values of nme for test"):
        importer.import_rows(survey(tmp_path, {}, {"value": "3.20"}))
    with pytest.raises(InputError, match=r"net: nme\.test"):
        importer.import_rows(survey(tmp_path, {"value": "310"}))


def test_a_page_in_percent_and_a_log_in_fractions_give_the_same_row(tmp_path):
    log = {"source": "a/b@1234567:logs/eval.tsv"}
    (entry,) = importer.import_rows(
        survey(
            tmp_path,
            {**log, "value": "0.031"},
            {**log, "metric": "FR", "threshold": "8", "value": "0.007256894"},
            {**log, "metric": "AUC", "threshold": "8", "value": "0.6125"},
        )
    )["300w"]
    assert (entry.nme["test"], entry.values("fr8")["test"]) == (Decimal("3.1"), Decimal("0.7256894"))
    assert entry.values("auc8")["test"] == Decimal("0.6125")
    assert entry.medium == "log"
