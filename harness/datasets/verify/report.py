"""What a check of a dataset's folder found."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

__all__ = ["Collector", "Report", "ServedProtocol", "Severity", "VerifyFinding"]

Severity = Literal["error", "warning", "note"]
"""``error``: numbers would be wrong or the file can't be used; ``warning``: other readers may stumble, or a person
should look; ``note``: a fact, no defect."""

LISTED = 50
"""Findings of one kind that are listed for a file; the rest is counted."""


@dataclass(frozen=True)
class VerifyFinding:
    """One thing that is wrong, or worth knowing."""

    severity: Severity
    code: str
    """A short name of the kind of finding, stable across versions."""
    file: str
    """Relative to the dataset's folder."""
    line: int | None
    """1-based line of a list or csv, or position in a json; None for the whole file."""
    message: str

    @property
    def where(self) -> str:
        """``file:line``, or the file alone."""
        return self.file if self.line is None else f"{self.file}:{self.line}"


@dataclass(frozen=True)
class ServedProtocol:
    """Something that is published about WFLW, and whether these files can serve it."""

    name: str
    served: bool
    reason: str


@dataclass(frozen=True)
class Report:
    """All that was found."""

    path: str
    files: dict[str, str]
    """Annotation files that were checked, and their format."""
    facts: dict[str, int]
    """Counts worth knowing: faces, images, faces that reach beyond their photograph, ..."""
    findings: tuple[VerifyFinding, ...]
    protocols: tuple[ServedProtocol, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong: no error and no warning."""
        return all(finding.severity == "note" for finding in self.findings)

    @property
    def errors(self) -> int:
        """How many findings are errors."""
        return sum(finding.severity == "error" for finding in self.findings)

    @property
    def exit_code(self) -> int:
        """What a command that prints this should exit with: 0 when nothing is wrong, else 1."""
        return 0 if self.ok else 1

    @property
    def summary(self) -> str:
        """Counts, and what the files can serve, one line each."""
        tally = Counter(finding.severity for finding in self.findings)
        facts = ", ".join(f"{count} {name}" for name, count in self.facts.items())
        lines = [
            f"{self.path}: {tally['error']} errors, {tally['warning']} warnings in {len(self.files)} files; {facts}"
        ]
        lines += [
            f"  {'serves' if protocol.served else 'cannot serve'}: {protocol.name}"
            + ("" if protocol.served else f" ({protocol.reason})")
            for protocol in self.protocols
        ]
        return "\n".join(lines)

    def to_json(self) -> str:
        """The report as a json, indented."""
        return json.dumps(self.as_dict(), indent=2, ensure_ascii=False)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for a json."""
        return {**asdict(self), "ok": self.ok, "errors": self.errors}


@dataclass
class Collector:
    """Gathers findings while the checks run."""

    findings: list[VerifyFinding] = field(default_factory=list)
    facts: Counter[str] = field(default_factory=Counter)

    def add(self, severity: Severity, code: str, file: str, line: int | None, message: str) -> None:
        """One finding."""
        self.findings.append(VerifyFinding(severity, code, file, line, message))

    def each(self, severity: Severity, code: str, file: str, found: Iterable[tuple[int, str]]) -> None:
        """One finding a line, up to LISTED, and one that counts the rest."""
        pairs = list(found)
        for line, message in pairs[:LISTED]:
            self.add(severity, code, file, line, message)
        if len(pairs) > LISTED:
            self.add(severity, code, file, None, f"and {len(pairs) - LISTED} more lines of this kind")
