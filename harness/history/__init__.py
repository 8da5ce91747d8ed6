"""The history of a repository's results: one small file per commit and machine, series over commits, and their steps.

:func:`entry_of` makes the entry of a run, :func:`write_entry` writes it, :func:`read_entries` reads a folder,
:func:`trend` builds the series and finds their steps, and :func:`bisect` describes the steps of a cell.
"""

from __future__ import annotations

from nmebench.history.bisect import bisect
from nmebench.history.collect import entry_of, merged
from nmebench.history.entry import Entry, HistoryCell, HistoryRun, Mean, check_machine, read_entries, write_entry
from nmebench.history.git import Repository
from nmebench.history.steps import Step, find_steps
from nmebench.history.trend import Point, Series, SeriesStep, Trend, causes_of, trend

__all__ = [
    "Entry",
    "HistoryCell",
    "HistoryRun",
    "Mean",
    "Point",
    "Repository",
    "Series",
    "SeriesStep",
    "Step",
    "Trend",
    "bisect",
    "causes_of",
    "check_machine",
    "entry_of",
    "find_steps",
    "merged",
    "read_entries",
    "trend",
    "write_entry",
]
