"""Makes the entry of a run."""

from __future__ import annotations

import hashlib
import math
import re
from pathlib import Path
from typing import Any

from nmebench.errors import InputError
from nmebench.gates.baseline import RATE_DECIMALS, faces_sha256
from nmebench.history.entry import Entry, HistoryCell, HistoryRun, Mean, check_commit, entry_name, read_entry
from nmebench.history.git import Repository
from nmebench.metric_names import NME, Metric, metric_names
from nmebench.printable import shown
from nmebench.runs.run_commit import run_commit
from nmebench.runs.run_store import Run
from nmebench.scoring import cell_settings, diverged_cells

__all__ = ["entry_of", "machine_of", "merged"]

_DECIMALS = 6


def entry_of(
    run: Run,
    *,
    repository: Repository,
    commit: str | None = None,
    time: int | None = None,
    machine: str | None = None,
    link: str | None = None,
    allow_dirty: bool = False,
) -> Entry:
    """Make the entry of a scored run.

    Args:
        run: the run, with its faces.
        repository: where the commit's time is looked up.
        commit: the commit instead of the one that the run stores.
        time: time of the commit, seconds since 1970, instead of the repository's.
        machine: name of the machine instead of the one made from its processor and system.
        link: address of the run's report: a URL, or a path relative to the folder of the history.
        allow_dirty: accept a run that was measured with uncommitted changes.

    Raises:
        InputError: the run stores no commit and none is given, it was measured with uncommitted changes, the commit's
            time isn't known, or a file of the run is missing or damaged.
    """
    found = run_commit(run.record.provenance)
    if commit is None and found is None:
        raise InputError(
            f"{shown(run.path)}: stores no commit, because no repository tracked its code; give --commit and --time"
        )
    sha = check_commit(commit) if commit is not None else found.sha if found else ""
    dirty = commit is None and bool(found and found.dirty)
    if dirty and not allow_dirty:
        raise InputError(
            f"{shown(run.path)}: was measured with uncommitted changes, so it doesn't describe the commit {sha[:10]}; "
            "commit and run again, or give --allow-dirty"
        )
    sha = repository.full(sha) or sha
    when = time if time is not None else repository.time(sha)
    if when is None:
        raise InputError(
            f"commit {sha[:12]}: not in the repository of {shown(repository.folder.resolve())}; "
            "run the command in the repository, or give --time"
        )
    return Entry(
        commit=sha, dirty=dirty, time=when, machine=machine or machine_of(run), runs=(_history_run(run, link),)
    )


def merged(folder: Path, entry: Entry) -> Entry:
    """Return the entry with the runs that its file has already.

    A run with uncommitted changes is replaced by one without, and never replaces one.

    Args:
        folder: the folder of the history.
        entry: the new entry.

    Raises:
        InputError: the file is damaged, or the new run is dirty and the file's runs are not.
    """
    path = folder / entry_name(entry.commit, entry.machine)
    if not path.is_file():
        return entry
    old = read_entry(path)
    if entry.dirty and not old.dirty:
        raise InputError(
            f"{shown(path)}: holds a run without uncommitted changes, which one with changes can't replace"
        )
    if old.dirty and not entry.dirty:
        return entry
    for run in entry.runs:
        old = old.with_run(run)
    return old


def machine_of(run: Run) -> str:
    """Return a name made from the processor and the system, with a short hash of both.

    Example:
        ``amd-epyc-9354-32-core-processor-linux-x86_64-3f2a91c0``
    """
    host = run.record.provenance.host
    text = f"{host.get('processor', '')} {host.get('system', '')}".strip() or "unknown"
    digest = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    name = re.sub(r"[^a-z0-9_]+", "-", text.lower()).strip("-_")[:60].strip("-_")
    return f"{name or 'unknown'}-{digest}"


def _history_run(run: Run, link: str | None) -> HistoryRun:
    record = run.record
    if not record.cells:
        raise InputError(f"{shown(run.path)}: the run has no cell; run a sweep first")
    rows: dict[str, dict[str, dict[str, Any]]] = {}
    for row in run.score_rows():
        rows.setdefault(str(row["cell"]), {})[str(row["subset"])] = row
    lost = diverged_cells(run)
    cells = {}
    for cell in record.cells:
        scores = {subset: row for subset, row in rows.get(cell.id, {}).items() if int(row["faces"])}
        model = run.model(cell.model)
        cells[cell.id] = HistoryCell(
            model=cell.model,
            decoder=cell.decoder,
            flip=cell.flip,
            box=cell.box,
            convention=cell.convention,
            input_size=model.input_size,
            settings=cell_settings(run, cell),
            mixed=cell.mixed,
            weights_sha256=model.weights_sha256,
            engine=model.engine,
            diverged=lost[cell.id].text if cell.id in lost else "",
            nme={s: _mean(row) for s, row in scores.items()},
            rates={
                rate: {s: round(float(row[rate]), RATE_DECIMALS[Metric.parse(rate).kind]) for s, row in scores.items()}
                for rate in metric_names(record.thresholds)
                if rate != NME
            },
        )
    return HistoryRun(
        dataset=record.dataset.name,
        scheme=record.dataset.scheme,
        normaliser=record.normaliser,
        faces=record.dataset.faces,
        faces_sha256=faces_sha256(run.faces),
        counts={name: count for name, count in record.dataset.counts.items() if count},
        nmebench=record.provenance.nmebench,
        code_sha256=record.provenance.code_sha256,
        packages=record.provenance.packages,
        link=link,
        cells=cells,
    )


def _mean(row: dict[str, Any]) -> Mean:
    low, high = (float(row[f"nme_{end}"]) for end in ("low", "high"))
    return Mean(
        nme=round(float(row["nme"]), _DECIMALS),
        low=round(low, _DECIMALS) if math.isfinite(low) else None,
        high=round(high, _DECIMALS) if math.isfinite(high) else None,
    )
