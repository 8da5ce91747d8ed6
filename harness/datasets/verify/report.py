"""The findings of a check and their report."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from nmebench.printable import counted

__all__ = ["Collector", "Report", "ServedProtocol", "Severity", "VerifyFinding"]

Severity = Literal["error", "warning", "note"]
"""The severity of a finding.

``error``: numbers would be wrong or the file can't be used. ``warning``: other readers may fail, or a person should
look. ``note``: a fact, not a defect.
"""

MAX_LISTED = 50
"""Findings of one kind that are listed per file; the others are counted."""


@dataclass(frozen=True)
class VerifyFinding:
    """One finding: something wrong, or worth knowing."""

    severity: Severity
    code: str
    """A short name of the kind of finding, stable across versions."""
    file: str
    """Relative to the dataset's folder."""
    line: int | None
    """1-based line of a list or csv, or position in a json; None for the file in general."""
    message: str

    @property
    def where(self) -> str:
        """``file:line``, or the file alone where there is no line."""
        return self.file if self.line is None else f"{self.file}:{self.line}"


@dataclass(frozen=True)
class ServedProtocol:
    """A published protocol, and whether the files can serve it."""

    name: str
    served: bool
    reason: str
    """The reason against it, or ``yes``."""


@dataclass(frozen=True)
class Report:
    """The result of all checks."""

    path: str
    files: dict[str, str]
    """The annotation files that were checked, and their formats."""
    facts: dict[str, int]
    """Counts: faces, images, faces that reach beyond their photograph, ..."""
    findings: tuple[VerifyFinding, ...]
    protocols: tuple[ServedProtocol, ...]

    @property
    def ok(self) -> bool:
        """True when there is no error and no warning."""
        return all(finding.severity == "note" for finding in self.findings)

    @property
    def errors(self) -> int:
        """The number of errors."""
        return sum(finding.severity == "error" for finding in self.findings)

    @property
    def exit_code(self) -> int:
        """The exit code of a command that prints this: 0 without errors and warnings, else 1."""
        return 0 if self.ok else 1

    @property
    def summary(self) -> str:
        """The counts and the protocols that the files can serve, one line each."""
        tally = Counter(finding.severity for finding in self.findings)
        facts = ", ".join(f"{count} {name}" for name, count in self.facts.items())
        lines = [
            f"{self.path}: {counted(tally['error'], 'error')}, {counted(tally['warning'], 'warning')} in "
            f"{counted(len(self.files), 'file')}; {facts}"
        ]
        lines += [
            f"  {'serves' if protocol.served else 'cannot serve'}: {protocol.name}"
            + ("" if protocol.served else f" ({protocol.reason})")
            for protocol in self.protocols
        ]
        return "\n".join(lines)

    def to_json(self) -> str:
        """Return the report as indented JSON."""
        return json.dumps(self.as_dict(), indent=2, ensure_ascii=False)

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain values."""
        return {**asdict(self), "ok": self.ok, "errors": self.errors}


@dataclass
class Collector:
    """Collects findings while the checks run."""

    findings: list[VerifyFinding] = field(default_factory=list)
    facts: Counter[str] = field(default_factory=Counter)

    def add(self, severity: Severity, code: str, file: str, line: int | None, message: str) -> None:
        """Add one finding."""
        self.findings.append(VerifyFinding(severity, code, file, line, message))

    def add_lines(self, severity: Severity, code: str, file: str, found: Iterable[tuple[int, str]]) -> None:
        """Add one finding per (line, message), up to MAX_LISTED, and one that counts the others."""
        pairs = list(found)
        for line, message in pairs[:MAX_LISTED]:
            self.add(severity, code, file, line, message)
        if len(pairs) > MAX_LISTED:
            self.add(severity, code, file, None, f"and {len(pairs) - MAX_LISTED} more lines of this kind")
