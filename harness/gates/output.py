"""Formats the result of a gate: lines of text, Markdown, JUnit XML."""

from __future__ import annotations

import re
from xml.etree import ElementTree  # only writes: nothing is parsed

from nmebench.gates.result import GateResult, GateRow, SubsetChange
from nmebench.printable import markdown_cell, shown

__all__ = ["junit", "lines", "markdown"]

#: Characters that XML 1.0 can't represent.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _change(change: SubsetChange) -> str:
    interval = "" if change.low is None or change.high is None else f" [{change.low:+.4f}, {change.high:+.4f}]"
    return (
        f"{change.subset} NME {change.before:.4f} -> {change.after:.4f} %, "
        f"{change.difference:+.4f}{interval}, p {change.p:.3g}"
    )


def _numbers(row: GateRow) -> str:
    """The changes of ``test`` and of the worst subset; empty for a cell that was not compared."""
    parts = [_change(row.test)] if row.test else []
    if row.worst:
        parts.append(f"worst subset {_change(row.worst)}")
    return "; ".join(parts)


def lines(result: GateResult) -> list[str]:
    """Return one line per cell, then the notes, the commits of both sides and the summary."""
    rows = []
    for row in result.rows:
        numbers = _numbers(row)
        rows.append(f"{row.outcome:<10}  {row.cell}  {numbers}{': ' if numbers else ''}{row.reason}")
    notes = (f"note: {note}" for note in result.notes)
    return [shown(line) for line in (*rows, *notes, f"commits: {result.commits}", result.summary)]


def markdown(result: GateResult) -> str:
    """Return a summary for a pull request: the result, the commits, then a table with the failed cells first."""
    level = f"{100 * result.level:g}"
    out = [
        f"### {'✅' if result.passed else '❌'} {markdown_cell(result.summary)}",
        "",
        markdown_cell(shown(result.commits[0].upper() + result.commits[1:])) + ".",
        "",
    ]
    if result.has_baseline:
        head = [
            "cell",
            "result",
            f"test: NME before → now ({level} % interval of the difference), p",
            "worst subset",
            "why",
        ]
    else:
        head = ["cell", "result", "limits"]
    out += [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for row in sorted(result.rows, key=lambda r: not r.failed):
        cells = [markdown_cell(row.cell), f"**{row.outcome}**" if row.failed else row.outcome]
        if result.has_baseline:
            cells += [_markdown_change(row.test, row), _markdown_change(row.worst, row)]
        out.append(f"| {' | '.join([*cells, markdown_cell(row.reason)])} |")
    out += ["", *(f"- {markdown_cell(note)}" for note in result.notes)] if result.notes else []
    if result.limits and result.has_baseline:
        out += ["", f"Limits: {', '.join(markdown_cell(shown(limit)) for limit in result.limits)}."]
    return "\n".join(out) + "\n"


def _markdown_change(change: SubsetChange | None, row: GateRow) -> str:
    if change is None:
        return ""
    interval = "" if change.low is None or change.high is None else f" ({change.low:+.4f} to {change.high:+.4f})"
    name = "" if change.subset == "test" else f"{change.subset}: "
    difference = f"{change.difference:+.4f}"
    if row.failed and change.subset == row.subset:
        difference = f"**{difference}**"
    return f"{name}{change.before:.4f} → {change.after:.4f}, {difference}{interval}, p {change.p:.3g}"


def junit(*results: GateResult) -> str:
    """Return JUnit XML with one test case per cell, and one more that fails when nothing was comparable.

    Args:
        results: one per run; each becomes a test suite.
    """
    root = ElementTree.Element("testsuites")
    root.extend(_suite(result) for result in results)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _suite(result: GateResult) -> ElementTree.Element:
    failures = sum(row.failed for row in result.rows) + result.nothing_comparable
    suite = ElementTree.Element(
        "testsuite",
        name=f"nmebench gate on {result.dataset}",
        tests=str(len(result.rows) + result.nothing_comparable),
        failures=str(failures),
        errors="0",
        skipped="0",
    )
    properties = ElementTree.SubElement(suite, "properties")
    ElementTree.SubElement(properties, "property", name="commits", value=_valid_xml(result.commits))
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
    return suite


def _valid_xml(text: str) -> str:
    """Replace the characters that XML can't represent."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
