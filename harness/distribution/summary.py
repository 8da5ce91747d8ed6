"""The work of all workers of a sweep: for ``run.json``, ``timings.json`` and the counts of ranges."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Any

from nmebench.bounded_read import read_json
from nmebench.distribution.assignment import Range
from nmebench.distribution.messages import RangeReply, WorkerFacts
from nmebench.files import write_atomically
from nmebench.sweep.clock import Clocks
from nmebench.sweep.execute import WORKERS_FILE, Filled
from nmebench.sweep.plan import Plan

__all__ = ["Summary"]


class Summary:
    """Adds up the ranges of a sweep. The machines are stored in the work folder, so that a resumed sweep keeps them."""

    def __init__(self, plan: Plan, work: Path) -> None:
        """Read the machines of an earlier process.

        Args:
            plan: the sweep.
            work: its work folder.
        """
        self.lost_ranges = 0
        """Attempts that failed."""
        self._plan, self._file = plan, work / WORKERS_FILE
        self._filled = Filled()
        self._records: list[dict[str, Any]] = list(read_json(self._file)) if self._file.is_file() else []
        self._unsaved = False
        self._processes: set[str] = set()
        self._counts: Counter[str] = Counter()
        self._stages: Counter[str] = Counter()

    def __enter__(self) -> Summary:
        """Return itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """Store the machines, also where the sweep ends with an error."""
        self.save()

    def add(self, facts: WorkerFacts, done: Range, check: int | None, reply: RangeReply) -> None:
        """Count a range whose results are stored."""
        name = self._plan.networks[done.network].built.card.name
        record = self._record(facts)
        record["processes"] += facts.process not in self._processes
        self._processes.add(facts.process)
        record["ranges"] += 1
        record["faces"] += done.faces
        record["compared"] += check is not None
        difference = json.loads(reply.first_batch).get("engine_difference")
        if difference is not None:
            before = record["engine_differences"].get(name, 0.0)
            record["engine_differences"][name] = max(before, difference)
        self._unsaved = True
        self._counts.update(ranges=1, batches=len(done.batches), compared=int(check is not None))
        clocks = self._filled.clocks.setdefault(name, Clocks())
        for stage, seconds in reply.workers.items():
            clocks.workers.spend(stage, seconds)
        self._stages.update(reply.stages)
        for cell, seconds in reply.cells.items():
            self._filled.cell_seconds[cell] = round(self._filled.cell_seconds.get(cell, 0.0) + seconds, 4)

    def save(self) -> None:
        """Store the machines, if a range was added since."""
        if self._unsaved:
            write_atomically(self._file, json.dumps(self._records))
            self._unsaved = False

    def _record(self, facts: WorkerFacts) -> dict[str, Any]:
        for record in self._records:
            if record["host"] == facts.host and record["arithmetic"] == dict(facts.arithmetic):
                return record
        record = {
            "host": facts.host,
            "arithmetic": dict(facts.arithmetic),
            "processes": 0,
            "ranges": 0,
            "faces": 0,
            "compared": 0,
            "engine_differences": {},
        }
        self._records.append(record)
        return record

    def filled(self) -> Filled:
        """Return the times and counts of this process."""
        self._filled.summary = {
            "workers": len(self._processes),
            "ranges": self._counts["ranges"],
            "batches": self._counts["batches"],
            "compared_batches": self._counts["compared"],
            "lost_ranges": self.lost_ranges,
            "stages": {stage: round(seconds, 4) for stage, seconds in sorted(self._stages.items())},
        }
        return self._filled
