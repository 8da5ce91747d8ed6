"""``nmebench tables``."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from nmebench.cli.console import console
from nmebench.cli.json_output import Json, document, print_json
from nmebench.protocol import FLIPS

if TYPE_CHECKING:
    from nmebench.reports.tables import Selection, Table, Value

__all__ = ["command"]

_Word = TypeVar("_Word", bound=str)

_LARGEST_DOCUMENT = 16 * 2**20
_MOST_DIFFERENCES = 40


def command(
    run: Annotated[
        Path, typer.Argument(help="Folder of the run; of a sweep over several data sets, to print all of its tables.")
    ],
    form: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="md, latex or csv. By default md; on a terminal that is too narrow for it, a table that fits.",
        ),
    ] = None,
    layout: Annotated[
        str, typer.Option(help="subsets: a row per cell, a column per subset; decoders: a row per decoder.")
    ] = "subsets",
    metric: Annotated[str, typer.Option(help="nme, or fr or auc at a threshold of the run, such as fr10.")] = "nme",
    model: Annotated[
        list[str] | None, typer.Option(help="Networks of the run, in this order; patterns; repeatable.")
    ] = None,
    decoder: Annotated[
        list[str] | None, typer.Option(help="Decoders of the run, in this order; patterns; repeatable.")
    ] = None,
    flip: Annotated[
        list[str] | None, typer.Option(help=f"Flip tests of the run: {', '.join(FLIPS)}; repeatable.")
    ] = None,
    box: Annotated[list[str] | None, typer.Option(help="Box rules of the run; repeatable.")] = None,
    cell: Annotated[list[str] | None, typer.Option(help="Cell ids, in this order; patterns; repeatable.")] = None,
    subset: Annotated[list[str] | None, typer.Option(help="Subsets, in this order; repeatable.")] = None,
    column: Annotated[
        list[str] | None, typer.Option(help="Columns of text: network, decoder, flip, box; repeatable.")
    ] = None,
    intervals: Annotated[str, typer.Option(help="95 % intervals: none, first (column of numbers) or all.")] = "first",
    decimals: Annotated[int | None, typer.Option(help="Decimals of every number.")] = None,
    floor: Annotated[
        Path | None, typer.Option(help="With --layout decoders: a run of the oracle, as the last column.")
    ] = None,
    source: Annotated[
        bool, typer.Option("--source/--no-source", help="Add a line on the data and the versions.")
    ] = True,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Write the table to this file.")] = None,
    update: Annotated[
        Path | None, typer.Option(help="Put the table between the markers <!-- nmebench:SECTION --> of this file.")
    ] = None,
    section: Annotated[str, typer.Option(help="With --update: the name in the markers.")] = "results",
    check: Annotated[
        bool, typer.Option("--check", help="With --update: write nothing; exit with 1 if the block is stale.")
    ] = False,
    as_json: Json = False,
) -> int:
    """Print the scores of a run as a table, or keep the table of a README up to date. Exit code 1: stale.

    Examples:
      nmebench tables RUN
      nmebench tables RUN --layout decoders --flip none --format latex -o table.tex
      nmebench tables RUN --update README.md --section results
      nmebench tables RUN --update README.md --section results --check
    """
    from nmebench.cli.outputs import check_output
    from nmebench.errors import InputError
    from nmebench.files import write_atomically
    from nmebench.metric_names import Metric
    from nmebench.printable import markdown_cell
    from nmebench.reports import tables
    from nmebench.reports.tables.layouts import INTERVALS
    from nmebench.runs.run_store import Run
    from nmebench.runs.sweep_folder import SweepFolder, is_sweep

    wanted = _one_of("--format", form or "md", tables.FORMATS)
    if check and update is None:
        raise InputError("--check: needs --update FILE, the file whose block it checks")
    if out is not None and update is not None:
        raise InputError("give either --out or --update")
    if update is not None and wanted == "csv":
        raise InputError("--update: a csv file has no markers; write it with -o FILE, or give --format md or latex")
    check_output(out, "--out")
    options = tables.TableOptions(
        _one_of("--layout", layout, tables.LAYOUTS),
        Metric.parse(metric).name,
        _selection(model, decoder, flip, box, cell, subset),
        tuple(column or ()),
        _one_of("--intervals", intervals, INTERVALS),
        decimals,
    )
    floor_run = None if floor is None else Run.open(floor)
    if is_sweep(run) and update is None and out is None and wanted == "md":
        made = {
            folder: tables.make_table(opened, options, floor=floor_run)
            for folder, opened in SweepFolder.open(run).runs.items()
        }
        if as_json:
            print_json(document("tables of a sweep", runs={folder: _as_json(one) for folder, one in made.items()}))
            return 0
        for folder, table in made.items():
            text = f"### {markdown_cell(folder)}\n\n{tables.render(table, wanted, link='', source=source)}"
            _print(table, text + "\n", form, source=source, title=folder)
        return 0
    table = tables.make_table(Run.open(run), options, floor=floor_run)
    text = tables.render(table, wanted, link=_link(run, update or out), source=source)
    if update is not None:
        return _update(update, section, text, check=check, as_json=as_json)
    if out is not None:
        write_atomically(out, text)
    if as_json:
        print_json(document("tables", file=out, **_as_json(table)))
    elif out is not None:
        console().print(f"table: {out}")
    else:
        _print(table, text, form, source=source)
    return 0


def _as_json(table: Table) -> dict[str, Any]:
    """A table as plain data: its columns, and a list of texts and numbers by row."""

    def cell(value: str | Value) -> Any:
        if isinstance(value, str):
            return value
        return {"value": value.value, "low": value.low, "high": value.high, "text": value.text}

    columns = [column.name for column in table.columns]
    return {"columns": columns, "rows": [[cell(value) for value in row] for row in table.rows], "source": table.source}


def _print(table: Table, text: str, form: str | None, *, source: bool, title: str = "") -> None:
    """Print the text of a table, or one that fits a narrow terminal if no format was asked for."""
    from nmebench.cli.result_table import ResultTable

    out = console()
    if form is not None or out.fits(text):
        typer.echo(text, nl=False)
        return
    body = ResultTable(title, tuple(column.name for column in table.columns))
    for row in table.rows:
        body.add_row(*(value if isinstance(value, str) else _with_interval(value) for value in row))
    out.print(body)
    if source:
        out.print(table.source)


def _with_interval(value: Value) -> str:
    ends = value.interval
    return value.text if ends is None else f"{value.text} [{ends[0]}, {ends[1]}]"


def _one_of(option: str, word: str, allowed: tuple[_Word, ...]) -> _Word:
    from nmebench.errors import InputError
    from nmebench.printable import shown
    from nmebench.suggest import unknown

    for known in allowed:
        if word == known:
            return known
    raise InputError(f"{option}: {unknown('value', shown(word), allowed)}")


def _selection(*patterns: list[str] | None) -> Selection:
    from nmebench.reports.tables import Selection

    return Selection(*(tuple(part or ()) for part in patterns))


def _link(run: Path, document: Path | None) -> str:
    """The path of the run's scores from the document's folder; empty without a document or a path below its folder."""
    from nmebench.reports.tables import scores_link

    link = "" if document is None else scores_link(run, document)
    return "" if link.startswith("..") else link


def _update(file: Path, section: str, text: str, *, check: bool, as_json: bool) -> int:
    """Replace the block of a document, or check it; nothing else in the file changes."""
    from nmebench.bounded_read import read_bounded
    from nmebench.errors import InputError
    from nmebench.files import write_atomically
    from nmebench.printable import shown
    from nmebench.reports import tables

    if not file.exists():
        raise InputError(
            f"document {shown(file)} is missing: create it with the lines <!-- nmebench:{section} --> and "
            f"<!-- /nmebench:{section} -->, and the table is put between them"
        )
    raw = read_bounded(file, _LARGEST_DOCUMENT, kind="document")
    try:
        document = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        number = raw[: error.start].count(b"\n") + 1
        raise InputError(f"document {shown(file)}:{number}: a byte is not UTF-8: save the file as UTF-8") from error
    present = tables.block_content(document, section, shown(file))
    if present == text:
        _print_update(file, section, "is up to date", as_json)
        return 0
    if check:
        changes = difflib.unified_diff(present.splitlines(), text.splitlines(), "stored", "from the run", lineterm="")
        for position, line in enumerate(() if as_json else changes):
            if position == _MOST_DIFFERENCES:
                typer.echo("...")
                break
            typer.echo(shown(line))
        _print_update(file, section, "is stale; run the same command without --check", as_json)
        return 1
    new = tables.replace_block(document, section, text, shown(file))
    write_atomically(file.resolve(), new.encode("utf-8"))
    _print_update(file, section, "was updated", as_json)
    return 0


def _print_update(file: Path, section: str, state: str, as_json: bool) -> None:
    """Print the state of a section: up to date, stale or updated."""
    if as_json:
        print_json(document("tables --update", file=file, section=section, state=state.partition(";")[0]))
    else:
        console().print(f"{file}: the section {section} {state}")
