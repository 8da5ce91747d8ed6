"""``nmebench list``."""

from __future__ import annotations

from typing import Annotated

import typer

from nmebench.cli.console import console, table

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="List models, decoders, box rules, datasets or published results.")


@app.command()
def models() -> None:
    """List the registered networks and the shipped model cards."""
    from nmebench import models as networks
    from nmebench.models import card as cards

    body = table("networks", "name", "summary", "source")
    for name in networks.names():
        info = networks.describe(name)
        body.add_row(name, info.summary, info.source)
    out = console()
    out.print(body)
    body = table("shipped cards", "card", "architecture", "weights", "reported for")
    for name in cards.shipped():
        card = cards.load(name)
        weights = "none" if card.weights is None else "shipped" if isinstance(card.weights, str) else "to download"
        tables = ", ".join(f"{dataset} ({title})" for dataset, rows in card.reported.items() for title in rows)
        body.add_row(name, card.architecture, weights, tables or "-")
    out.print(body)


@app.command()
def decoders() -> None:
    """List the registered decoders, including those of plug-ins."""
    from nmebench import decoders as registry

    body = table("decoders", "name", "options", "needs", "map", "summary", "source")
    for name in registry.names():
        info = registry.describe(name)
        options = ", ".join(f"{key}={option.default}" for key, option in info.options.items())
        landmark_map = info.chain.map if info.chain else "grid of the card"
        body.add_row(name, options or "-", ", ".join(info.needs), landmark_map, info.summary, info.source)
    console().print(body)


@app.command()
def boxes() -> None:
    """List the box rules."""
    from nmebench import boxes as rules

    body = table("box rules", "name", "summary", "source")
    for name in rules.names():
        summary, source = rules.describe(name)
        body.add_row(name, summary, source)
    console().print(body)


@app.command()
def datasets() -> None:
    """List the datasets and how to name them."""
    from nmebench import datasets as readers

    body = table("datasets", "name", "summary")
    for name in readers.names():
        body.add_row(name, readers.describe(name))
    console().print(body)


@app.command()
def published(
    method: Annotated[str | None, typer.Option(help="Only methods whose name contains this text.")] = None,
    kind: Annotated[
        str | None, typer.Option(help="Only tables from this kind of source: authors, third party or aggregator.")
    ] = None,
    subset: Annotated[str | None, typer.Option(help="Only rows with a value for this subset.")] = None,
    metric: Annotated[
        str | None, typer.Option(help="Only rows with a value for this metric: nme, fr10 or auc10.")
    ] = None,
) -> None:
    """List published WFLW results with their sources."""
    from nmebench import published as rows
    from nmebench.protocol import SUBSETS
    from nmebench.published.rows import FILE

    head = ("method", "year", *SUBSETS, "FR@10", "AUC@10", "table by", "source")
    body = table("published WFLW rows, NME in percent", *head)
    for row in rows.select(method=method, kind=kind, subset=subset, metric=metric):
        body.add_row(
            row.method + (" (!)" if row.faults else ""),
            str(row.year or "-"),
            *(str(row.nme.get(name, "-")) for name in SUBSETS),
            str(row.fr10.get("test", "-")),
            str(row.auc10.get("test", "-")),
            row.kind,
            row.source,
        )
    out = console()
    out.print(body)
    out.print(f"(!): the source has a known error, described in {FILE}")
