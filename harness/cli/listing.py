"""``nmebench list``."""

from __future__ import annotations

from typing import Annotated

import typer

from nmebench.cli.console import console, table

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="What is there: models, decoders, boxes, datasets, published rows.")


@app.command()
def models() -> None:
    """Registered networks and shipped model cards."""
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
    """Registered decoders, third-party ones too."""
    from nmebench import decoders as registry

    body = table("decoders", "name", "options", "needs", "convention", "summary", "source")
    for name in registry.names():
        info = registry.describe(name)
        options = ", ".join(f"{key}={option.default}" for key, option in info.options.items())
        body.add_row(name, options or "-", ", ".join(info.needs), info.convention, info.summary, info.source)
    console().print(body)


@app.command()
def boxes() -> None:
    """Box rules."""
    from nmebench import boxes as rules

    body = table("box rules", "name", "summary", "source")
    for name in rules.names():
        summary, source = rules.describe(name)
        body.add_row(name, summary, source)
    console().print(body)


@app.command()
def datasets() -> None:
    """Datasets and how to name them."""
    from nmebench import datasets as readers

    body = table("datasets", "name", "summary")
    for name in readers.names():
        body.add_row(name, readers.describe(name))
    console().print(body)


@app.command()
def published(
    method: Annotated[str | None, typer.Option(help="Part of a method's name.")] = None,
    kind: Annotated[str | None, typer.Option(help="Whose table it is, such as authors.")] = None,
    subset: Annotated[str | None, typer.Option(help="Only rows with a value for this subset.")] = None,
    metric: Annotated[str | None, typer.Option(help="Only rows with this metric: nme, fr10, auc10.")] = None,
) -> None:
    """Published WFLW rows with their sources."""
    from nmebench import published as rows
    from nmebench.protocol import SUBSETS

    head = ("method", "year", *SUBSETS, "FR@10", "AUC@10", "whose table", "source")
    body = table("published WFLW rows, NME in percent", *head)
    for row in rows.select(method=method, kind=kind, subset=subset, metric=metric):
        values = {str(name): value for name, value in row.nme.items()}
        rates, areas = dict(row.fr10), dict(row.auc10)
        body.add_row(
            row.method + (" (!)" if row.faults else ""),
            str(row.year or "-"),
            *(str(values.get(name, "-")) for name in SUBSETS),
            str(rates.get("test", "-")),
            str(areas.get("test", "-")),
            row.kind,
            row.source,
        )
    out = console()
    out.print(body)
    out.print("(!): the source has a known error; see its entry in harness/published/wflw.toml")
