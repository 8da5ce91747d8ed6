"""``nmebench list``."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.cli.console import console, table

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="What is there: models, decoders, boxes, datasets, published rows.")


@app.command()
def models() -> None:
    """Registered networks and shipped model cards."""
    import models as networks
    from models import card as cards

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
    import decoders as registry

    body = table("decoders", "name", "options", "needs", "convention", "summary", "source")
    for name in registry.names():
        info = registry.describe(name)
        options = ", ".join(f"{key}={value}" for key, value in info.options.items())
        body.add_row(name, options or "-", ", ".join(info.needs), info.convention, info.summary, info.source)
    console().print(body)


@app.command()
def boxes() -> None:
    """Box rules."""
    from harness import boxes as rules

    body = table("box rules", "name", "summary", "source")
    for name in rules.names():
        summary, source = rules.describe(name)
        body.add_row(name, summary, source)
    console().print(body)


@app.command()
def datasets() -> None:
    """Datasets and how to name them."""
    from harness import datasets as readers

    body = table("datasets", "name", "summary")
    for name in readers.names():
        body.add_row(name, readers.describe(name))
    console().print(body)


@app.command()
def published(
    method: Annotated[str | None, typer.Option(help="Part of a method's name.")] = None,
    kind: Annotated[str | None, typer.Option(help="Whose table: authors, third-party, image.")] = None,
) -> None:
    """Published WFLW rows with their sources."""
    from harness import published as rows
    from harness.store import SUBSETS

    body = table("published WFLW rows, NME in percent", "method", "year", *SUBSETS, "FR@10", "AUC@10", "whose table", "source")
    for row in rows.filter(rows.load(), method=method, kind=kind):
        body.add_row(
            row.method,
            str(row.year or "-"),
            *(str(row.nme.get(subset, "-")) for subset in SUBSETS),
            str(row.fr10.get("test", "-")),
            str(row.auc10.get("test", "-")),
            row.source_kind,
            row.source,
        )
    console().print(body)
