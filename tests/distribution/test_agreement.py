"""The facts in which a worker must agree with the driver."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nmebench.distribution import agreement, worker
from nmebench.distribution.agreement import difference, network_facts, process_facts
from nmebench.distribution.assignment import Range
from nmebench.distribution.messages import RangeRequest, Refusal
from nmebench.distribution.requests import Requests
from nmebench.distribution.stored_batches import StoredBatches
from nmebench.sweep.execute import Prepared


@pytest.fixture
def request_of_one(prepared: Prepared, tmp_path: object) -> RangeRequest:
    """The request for the first batch."""
    stored = [StoredBatches(prepared.plan, 0, tmp_path)]  # type: ignore[arg-type]
    return Requests(prepared.plan, stored).request(Range(0, (0,), 4), process_facts(1).process, None)


def test_equal_facts_have_no_difference(prepared: Prepared) -> None:
    facts = network_facts(prepared.plan, prepared.plan.networks[0])
    assert difference(facts, network_facts(prepared.plan, prepared.plan.networks[0])) is None
    assert all(isinstance(value, str) for value in facts.values())


@pytest.mark.parametrize(
    "name",
    [
        "the faces",
        "the boxes of landmarks",
        "the card of oracle",
        "the batch size",
        "the engine",
        "the code of the decoder dark",
    ],
)
def test_a_worker_refuses_a_request_for_other_inputs(request_of_one: RangeRequest, name: str) -> None:
    assert name in request_of_one.facts
    changed = replace(request_of_one, facts={**request_of_one.facts, name: "another"})
    refusal = worker.compute_range(changed)
    assert isinstance(refusal, Refusal)
    assert refusal.reason.startswith(f"has {name} ")
    assert refusal.reason.endswith(", and the driver another")


def test_a_worker_that_cannot_find_the_data_says_so(request_of_one: RangeRequest) -> None:
    configuration = request_of_one.configuration.replace('"synthface"', '"wflw:/nowhere"')
    refusal = worker.compute_range(replace(request_of_one, configuration=configuration))
    assert isinstance(refusal, Refusal)
    assert refusal.reason.startswith("can't plan the sweep: ")
    assert "/nowhere" in refusal.reason


def test_a_restarted_worker_gives_no_results(request_of_one: RangeRequest) -> None:
    refusal = worker.compute_range(replace(request_of_one, process="0123"))
    assert refusal == Refusal("was restarted", restarted=True)


def test_the_environment_that_changes_sums_is_part_of_the_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    before = process_facts(2).arithmetic
    assert process_facts(2).arithmetic == before
    assert process_facts(1).arithmetic != before
    monkeypatch.setenv("MKL_NUM_THREADS", "1")
    assert process_facts(2).arithmetic == before
    monkeypatch.setenv("DNNL_MAX_CPU_ISA", "AVX2")
    assert process_facts(2).arithmetic != before


def test_the_engine_is_the_one_that_auto_selects(prepared: Prepared, monkeypatch: pytest.MonkeyPatch) -> None:
    here = network_facts(prepared.plan, prepared.plan.networks[0])
    monkeypatch.setattr(agreement.engines, "selected", lambda _: "cuda")
    there = network_facts(prepared.plan, prepared.plan.networks[0])
    assert difference(here, there) == f"has the engine cuda, and the driver {here['the engine']}"
