"""``nmebench card``."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nmebench.cli.console import console, table
from nmebench.cli.json_output import Json, document, print_json
from nmebench.cli.option_help import DATA, ENGINE, FORMAT, SCHEME
from nmebench.errors import InputError

if TYPE_CHECKING:
    from nmebench.cards.probe import Probe

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True,
    help="Write a model card for a file, or search the settings that no file tells.\n\nExamples:\n"
    "  nmebench card new net.onnx -o card.toml",
)

GUESS = (
    "A setting that was chosen on test faces is a guess about the preprocessing, not a result: confirm it in the code "
    "with which the network was trained."
)


@app.command()
def new(
    network: Annotated[Path, typer.Argument(help="ONNX file.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Card to write (TOML); an existing file is not replaced.")],
    name: Annotated[str | None, typer.Option(help="Name of the network; by default from the file's name.")] = None,
    as_json: Json = False,
) -> int:
    """Inspect an ONNX file and write a commented model card.

    Examples:
      nmebench card new net.onnx -o card.toml
    """
    from nmebench.cards.new_card import new_card
    from nmebench.cli.outputs import check_output
    from nmebench.files import write_atomically

    _refuse_existing(out)
    check_output(out, "--out")
    text, undecided = new_card(network, out, name)
    _refuse_existing(out)
    write_atomically(out, text)
    if as_json:
        print_json(document("card new", card=out, undecided=list(undecided)))
        return 0
    lines = console()
    lines.print(f"card: {out}")
    if undecided:
        lines.print(f"the file doesn't decide: {'; '.join(undecided)}")
        lines.print(f"try the choices: nmebench card probe {out} --data wflw:PATH")
    return 0


@app.command()
def probe(
    card: Annotated[str, typer.Argument(help="Model card: path, or name (`nmebench list models`).")],
    data: Annotated[str, typer.Option(help=f"Dataset with photographs, such as wflw:PATH ({DATA}).")],
    limit: Annotated[int, typer.Option(min=2, help="Number of faces, from the start of the list.")] = 50,
    weights: Annotated[Path | None, typer.Option(help="Weights file instead of the card's.")] = None,
    data_format: Annotated[str | None, typer.Option("--format", help=FORMAT)] = None,
    scheme: Annotated[str | None, typer.Option(help=SCHEME)] = None,
    engine: Annotated[str, typer.Option(help=f"{ENGINE}.")] = "auto",
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Write the best settings as a new card (a proposal).")
    ] = None,
    as_json: Json = False,
) -> int:
    """Search colour order, range, box, crop and output settings of a card on some faces.

    Examples:
      nmebench card probe card.toml --data wflw:PATH --limit 50 -o best.toml
    """
    from nmebench import datasets, engines, models
    from nmebench.cards.probe import probe as search
    from nmebench.cards.proposal import proposal
    from nmebench.cli.outputs import check_output
    from nmebench.files import write_atomically

    if out is not None:
        _refuse_existing(out)
    check_output(out, "--out")
    engines.check_spec(engine)
    given = models.card.load(card)
    dataset = datasets.load(data, format=data_format, limit=limit, scheme=scheme)
    built = models.build(given, weights=weights)
    found = search(built, dataset, engine=engine, progress=_show)
    if not as_json:
        _print(found, dataset.spec)
        console().print(GUESS)
    if out is not None:
        _refuse_existing(out)
        write_atomically(out, proposal(given, found, dataset.spec, out))
        if not as_json:
            console().print(f"card: {out}")
    if as_json:
        print_json(_as_json(found, dataset.spec, out))
    return 0


def _as_json(found: Probe, data: str, card: Path | None) -> dict[str, Any]:
    """The settings that were tried: NME in percent, differences in percent points."""
    tried = [
        {
            "setting": row.stage,
            "value": row.value,
            "nme": row.nme,
            "chosen": row.chosen,
            "difference": None if row.difference is None else asdict(row.difference),
        }
        for row in found.tried
    ]
    numbers = {"nme_before": found.before, "nme_after": found.after, "passes": found.passes, "rounds": found.rounds}
    return document("card probe", data=data, faces=found.faces, tried=tried, **numbers, card=card, note=GUESS)


def _show(stage: str) -> None:
    sys.stderr.write(f"{stage}\n")


def _print(found: Probe, data: str) -> None:
    body = table(f"{found.faces} faces of {data}, NME in percent", "setting", "value", "NME", "difference")
    for row in found.tried:
        if row.chosen:
            note = "chosen"
        elif row.difference is None:
            note = ""
        else:
            one = row.difference
            same = "" if one.low > 0 or one.high < 0 else " (no significant difference)"
            note = f"{one.difference:+.3f} [{one.low:+.3f}, {one.high:+.3f}]{same}"
        body.add_row(row.stage, row.value, f"{row.nme:.3f}", note)
    out = console()
    out.print(body)
    given = "can't be read" if found.before != found.before else f"{found.before:.3f}"
    out.print(
        f"NME with the card as given: {given}; with the chosen settings: {found.after:.3f}; "
        f"{found.passes} forward passes of one face, {found.rounds} rounds"
    )


def _refuse_existing(path: Path) -> None:
    if path.exists():
        raise InputError(f"{path} exists, and a card is never replaced: give another name, or remove it")
