"""Formats the result of a gate: lines of text, Markdown, JUnit XML."""

from __future__ import annotations

import re
from xml.etree import ElementTree  # only writes: nothing is parsed

from nmebench.gate.gate_run import GateResult, GateRow
from nmebench.printable import markdown_cell

__all__ = ["junit", "lines", "markdown"]

#: Characters that XML 1.0 can't represent.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _numbers(row: GateRow) -> str:
    """NME before and after, difference, interval and p; empty for a cell that was not compared."""
    if row.before is None or row.after is None or row.difference is None or row.p is None:
        return ""
    interval = "" if row.low is None or row.high is None else f" [{row.low:+.4f}, {row.high:+.4f}]"
    return f"{row.subset} NME {row.before:.4f} -> {row.after:.4f} %, {row.difference:+.4f}{interval}, p {row.p:.3g}"


def lines(result: GateResult) -> list[str]:
    """Return one line per cell, then the notes and the summary."""
    rows = []
    for row in result.rows:
        numbers = _numbers(row)
        rows.append(f"{row.outcome:<10}  {row.cell}  {numbers}{': ' if numbers else ''}{row.reason}")
    return [*rows, *(f"note: {note}" for note in result.notes), result.summary]


def markdown(result: GateResult) -> str:
    """Return a summary for a pull request: the result, then a table with the failed cells first."""

    def number(value: float | None, form: str) -> str:
        return "" if value is None else format(value, form)

    out = [
        f"### {'✅' if result.passed else '❌'} {markdown_cell(result.summary)}",
        "",
        "| cell | result | subset | NME before | NME now | difference (95 % interval) | p (Holm) | why |"
        if result.level == 0.95
        else f"| cell | result | subset | NME before | NME now | difference ({100 * result.level:g} % interval) "
        "| p (Holm) | why |",
        "|---|---|---|--:|--:|--:|--:|---|",
    ]
    for row in sorted(result.rows, key=lambda r: not r.failed):
        interval = "" if row.low is None or row.high is None else f" ({row.low:+.4f} to {row.high:+.4f})"
        cells = [
            markdown_cell(row.cell),
            f"**{row.outcome}**" if row.failed else row.outcome,
            row.subset if row.compared else "",
            number(row.before, ".4f"),
            number(row.after, ".4f"),
            number(row.difference, "+.4f") + interval,
            number(row.p, ".3g"),
            markdown_cell(row.reason),
        ]
        out.append(f"| {' | '.join(cells)} |")
    out += ["", *(f"- {markdown_cell(note)}" for note in result.notes)] if result.notes else []
    return "\n".join(out) + "\n"


def junit(result: GateResult) -> str:
    """Return JUnit XML with one test case per cell, and one more that fails when nothing was comparable."""
    failures = sum(row.failed for row in result.rows) + result.nothing_comparable
    suite = ElementTree.Element(
        "testsuite",
        name=f"nmebench gate on {result.dataset}",
        tests=str(len(result.rows) + result.nothing_comparable),
        failures=str(failures),
        errors="0",
        skipped="0",
    )
    for row in result.rows:
        case = ElementTree.SubElement(suite, "testcase", classname="nmebench.gate", name=_valid_xml(row.cell))
        if row.failed:
            failure = ElementTree.SubElement(case, "failure", type=row.outcome, message=_valid_xml(row.reason))
            failure.text = _valid_xml(_numbers(row))
        else:
            ElementTree.SubElement(case, "system-out").text = _valid_xml(f"{row.reason}. {_numbers(row)}".strip())
    if result.nothing_comparable:
        case = ElementTree.SubElement(suite, "testcase", classname="nmebench.gate", name="something was comparable")
        ElementTree.SubElement(case, "failure", type="nothing comparable", message=_valid_xml(result.summary))
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _valid_xml(text: str) -> str:
    """Replace the characters that XML can't represent."""
    return _NOT_XML.sub("�", text)
