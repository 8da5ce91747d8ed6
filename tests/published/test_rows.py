"""Tests of the published WFLW rows: complete, plausible, made by the importer, known errors marked."""

from __future__ import annotations

import csv
import re
from decimal import Decimal

import import_published as importer
import pytest

from nmebench import published
from nmebench.boxes import names as boxes
from nmebench.checks.rounded_value import rounded_values
from nmebench.errors import InputError
from nmebench.protocol import SUBSETS
from nmebench.published import rows

COUNTS = dict(zip(SUBSETS, (2500, 326, 314, 698, 206, 736, 773), strict=True))


def row(method: str) -> published.PublishedRow:
    (found,) = [r for r in published.load("wflw") if r.method == method]
    return found


def test_methods_are_unique_and_sources_given():
    methods = [r.method for r in published.load("wflw")]
    assert len(methods) == len(set(methods)) == 90
    assert all(r.source for r in published.load("wflw"))


def test_printed_decimals_are_kept():
    assert str(row("mmpose HRNetV2-W18 DARK (0.x table)").nme["expression"]) == "4.30"
    assert str(row("SLPT 6 layers").values("fr10")["test"]) == "2.760"


@pytest.mark.parametrize("entry", published.load("wflw"), ids=lambda r: r.method)
def test_failure_rates_are_whole_numbers_of_faces(entry):
    for subset, value in rounded_values("fr10", entry.values("fr10")).items():
        assert len(value.counts(COUNTS[subset])) == 1


@pytest.mark.parametrize("entry", published.load("wflw"), ids=lambda r: r.method)
def test_nme_of_all_faces_is_between_the_subsets(entry):
    if len(entry.nme) == 7 and not entry.method.startswith("DCFE"):  # its cells are copied from another row
        assert min(entry.nme.values()) < entry.nme["test"] < max(entry.nme.values())
    if entry.protocol.box:
        assert entry.protocol.box in boxes()


@pytest.mark.parametrize(
    ("method", "words"),
    [
        pytest.param("LAB", "6.12", id="ADNet-prints-another-blur"),
        pytest.param("DCFE (third-party)", "DVLN", id="copied-cells"),
        pytest.param("HIH_B", "illumination", id="order-of-subsets"),
        pytest.param("Wing (as in the AWing table)", "exchanged", id="exchanged-auc"),
        pytest.param("mmpose projects/skps (1.x)", "3.94", id="text-and-table"),
        pytest.param("SPIGA", "third decimal", id="two-auc"),
    ],
)
def test_known_errors_are_marked(method, words):
    assert any(words in fault for fault in row(method).faults)


def test_both_mmpose_tables_of_each_checkpoint_are_included():
    prefixes = [r.sha256_prefix for r in published.select(dataset="wflw", method="mmpose hrnet*")]
    assert sorted(prefixes) == sorted(2 * ["3f8e0c2c", "2bf032a6", "5af5055c"])
    assert row("mmpose HRNetV2-W18 DARK (1.x table)").protocol.flip == "flip+shift"
    assert row("HRNetV2-W18 official").protocol.decoder == "official-hrnet"


@pytest.mark.parametrize(
    ("conditions", "count"),
    [
        pytest.param({}, 90, id="all"),
        pytest.param({"method": "farl"}, 8, id="part-of-a-name"),
        pytest.param({"kind": "aggregator"}, 2, id="kind"),
        pytest.param({"medium": "log", "kind": "authors"}, 10, id="medium"),
        pytest.param({"metric": "auc10", "subset": "pose"}, 18, id="metric-and-subset"),
    ],
)
def test_select(conditions, count):
    assert len(published.select(dataset="wflw", **conditions)) == count


def test_subsets_are_those_of_wflw():
    assert {subset for r in published.load("wflw") for v in (r.nme, *r.rates.values()) for subset in v} == set(SUBSETS)


def test_select_refuses_unknown_values():
    with pytest.raises(InputError, match=r"kind 'own': no such kind, allowed: authors"):
        published.select(kind="own")


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        pytest.param(
            {"method": "SPIGO"},
            "method 'SPIGO': no published row of wflw has it; did you mean 'SPIGA'? (known: mmpose,",
            id="method",
        ),
        pytest.param(
            {"metric": "auc77", "subset": "pose"},
            "metric 'auc77': no published row of wflw has it; did you mean 'auc10'? (known: nme, fr10, auc10)",
            id="metric",
        ),
        pytest.param(
            {"method": "SPIGA", "kind": "aggregator"},
            "no published row of wflw has method 'SPIGA', kind 'aggregator' together; leave one of them out",
            id="together",
        ),
        pytest.param({"dataset": "lapa", "kind": "aggregator"}, "of lapa has it (known: authors)", id="kind"),
    ],
)
def test_conditions_that_no_row_meets(conditions, message):
    with pytest.raises(InputError, match=re.escape(message)):
        published.select(**{"dataset": "wflw", **conditions}, required=True)
    assert published.select(**{"dataset": "wflw", **conditions}) == []


def test_importer_makes_the_committed_file(shared):
    survey = shared / "reference" / "published.csv"
    assert importer.to_toml(importer.import_rows(survey)) == rows.FILE.read_text(encoding="utf-8")
    with survey.open(encoding="utf-8", newline="") as file:
        numbers = [
            (line["method"], Decimal(value))
            for line in csv.DictReader(file)
            for column, value in line.items()
            if value and column.startswith(("nme_", "fr10_", "auc10_"))
        ]
    stored = [(r.method, v) for r in published.load("wflw") for m in (r.nme, *r.rates.values()) for v in m.values()]
    assert sorted(stored) == sorted(numbers)


def test_survey_round_trip(tmp_path):
    columns = ["method", "year", "backbone", "input_size", "decoder_or_loss"]
    columns += [f"{m}_{c}" for m in ("nme", "fr10", "auc10") for c in importer.SUBSET_COLUMNS.values()]
    columns += ["checkpoint_url", "sha_prefix", "source", "source_kind", "verified"]
    line = dict.fromkeys(columns, "") | {
        "method": 'A "quoted" \\ näme',
        "input_size": "256x128",
        "nme_test": "4.30",
        "auc10_blur": "0.50",
        "source": "here",
        "source_kind": "third-party-image",
        "verified": "looked up",
    }
    survey = tmp_path / "survey.csv"
    with survey.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerow(line)
    made = importer.import_rows(survey)
    path = tmp_path / "rows.toml"
    path.write_text(importer.to_toml(made), encoding="utf-8")
    assert rows.read(path) == tuple(made)
    assert made[0].input_size == (256, 128)
    assert (made[0].kind, made[0].medium) == ("third party", "image")
    survey.write_text(survey.read_text(encoding="utf-8").replace("4.30", "430"), encoding="utf-8")
    with pytest.raises(InputError, match=r"line 2, nme.test"):
        importer.import_rows(survey)


def test_numbers_without_quotes_are_refused(tmp_path):
    path = tmp_path / "rows.toml"
    path.write_text(rows.FILE.read_text(encoding="utf-8").replace('"3.98"', "3.98", 1), encoding="utf-8")
    with pytest.raises(InputError, match="as printed"):
        rows.read(path)


def test_shipped_cards_report_the_published_numbers():
    """The table of a card and the published row of the same source have the same numbers."""
    from nmebench.models import card as cards

    compared = 0
    for name in cards.shipped():
        card = cards.load(name)
        for table in card.reported.get("wflw", {}).values():
            of_source = [row for row in published.load("wflw") if row.source == table.source]
            if len(of_source) > 1:  # a page with several networks
                of_source = [row for row in of_source if row.sha256_prefix == card.weights.hash_prefix]
            for found in of_source[-1:]:
                assert {s: float(v) for s, v in found.nme.items()} == dict(table.nme), (name, table.source)
                compared += 1
    assert compared >= 10
