"""``nmebench list``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from nmebench.cli import verbosity
from nmebench.cli.console import console, table
from nmebench.cli.json_output import Json, document, key, print_json
from nmebench.cli.result_table import ResultTable

if TYPE_CHECKING:
    from nmebench.geometry.scheme import Scheme

__all__ = ["app"]

app = typer.Typer(
    help="List models, decoders, box rules, datasets, benchmarks, annotation formats, schemes, point mappings, "
    "normalisers, engines, recipes, downloads or published results. The sources are shown with --verbose."
    "\n\nExamples:\n  nmebench list decoders",
)

Own = Annotated[
    str | None, typer.Option("--scheme", help="Only this scheme (`nmebench list schemes`), or a TOML file of your own.")
]

#: Columns of long references, which are shown with ``--verbose``.
_SOURCES = ("source",)


def _schemes(scheme: str | None) -> list[Scheme]:
    """Return the scheme that is named, or all."""
    from nmebench.geometry import own_scheme
    from nmebench.geometry import scheme as known

    return [known.load(name) for name in known.names()] if scheme is None else [own_scheme.find(scheme)]


def _print(kind: str, *bodies: ResultTable, as_json: bool, notes: Sequence[str] = ()) -> None:
    """Print tables with their sources left out, or everything as JSON: a list of records by the title of each table.

    Args:
        kind: the name of the command.
        bodies: the tables.
        as_json: print JSON.
        notes: lines below the tables.
    """
    if as_json:
        tables = {
            key(body.title): [{key(column): text for column, text in row.items()} for row in body.records()]
            for body in bodies
        }
        print_json(document(f"list {kind}", **tables))
        return
    out = console()
    for body in bodies:
        out.print(body if verbosity.is_verbose() else body.without(_SOURCES))
    for note in notes:
        out.print(note)


@app.command()
def models(as_json: Json = False) -> None:
    """List the registered networks and the shipped model cards.

    Examples:
      nmebench list models
    """
    from nmebench import models as networks
    from nmebench.models import card as cards

    body = table("networks", "name", "summary", "source")
    for name in networks.names():
        info = networks.describe(name)
        body.add_row(name, info.summary, info.source)
    shipped = table("shipped cards", "card", "architecture", "weights", "reported for", optional=("reported for",))
    for name in cards.shipped():
        card = cards.load(name)
        weights = "none" if card.weights is None else "shipped" if isinstance(card.weights, str) else "to download"
        tables = ", ".join(f"{dataset} ({title})" for dataset, rows in card.reported.items() for title in rows)
        shipped.add_row(name, card.architecture, weights, tables or "-")
    _print("models", body, shipped, as_json=as_json)


@app.command()
def decoders(as_json: Json = False) -> None:
    """List the registered decoders, including those of plug-ins.

    Examples:
      nmebench list decoders -v
      nmebench list decoders --json
    """
    from nmebench import decoders as registry

    body = table("decoders", "name", "options", "needs", "map", "summary", "source", optional=("map", "needs"))
    for name in registry.names():
        info = registry.describe(name)
        options = ", ".join(f"{key}={option.default}" for key, option in info.options.items())
        landmark_map = info.chain.map if info.chain else "grid of the card"
        body.add_row(name, options or "-", ", ".join(info.needs), landmark_map, info.summary, info.source)
    _print("decoders", body, as_json=as_json)


@app.command()
def boxes(as_json: Json = False) -> None:
    """List the box rules.

    Examples:
      nmebench list boxes
    """
    from nmebench import boxes as rules

    body = table("box rules", "name", "summary", "source")
    for name in rules.names():
        summary, source = rules.describe(name)
        body.add_row(name, summary, source)
    _print("boxes", body, as_json=as_json)


@app.command()
def datasets(as_json: Json = False) -> None:
    """List the datasets and how to name them.

    Examples:
      nmebench list datasets
    """
    from nmebench import datasets as readers

    body = table("datasets", "name", "summary")
    for name in readers.names():
        body.add_row(name, readers.describe(name))
    _print("datasets", body, as_json=as_json)


@app.command()
def schemes(scheme: Own = None, as_json: Json = False) -> None:
    """List the landmark schemes.

    Examples:
      nmebench list schemes --scheme own.toml
    """
    body = table("landmark schemes", "name", "points", "default normaliser")
    for found in _schemes(scheme):
        body.add_row(found.name, str(found.points), found.default_normaliser)
    _print("schemes", body, as_json=as_json)


@app.command()
def benchmarks(as_json: Json = False) -> None:
    """List the benchmarks: their landmark scheme, the normaliser and thresholds that papers use, their test faces.

    Examples:
      nmebench list benchmarks
    """
    from nmebench.datasets import benchmark
    from nmebench.geometry import scheme as known

    body = table("benchmarks", "name", "title", "scheme", "normaliser", "thresholds", "test faces")
    for name in benchmark.names():
        found = benchmark.load(name)
        normaliser = found.normaliser or known.load(str(found.scheme)).default_normaliser
        thresholds = ", ".join(f"{threshold:g}" for threshold in found.thresholds)
        faces = found.counts.get("test", {}).get("test")
        body.add_row(name, found.title, str(found.scheme), normaliser, thresholds, "-" if faces is None else str(faces))
    _print("benchmarks", body, as_json=as_json)


@app.command()
def formats(as_json: Json = False) -> None:
    """List the annotation formats, for --format, and the benchmarks that come in each.

    Examples:
      nmebench list formats
    """
    from nmebench.datasets import benchmark
    from nmebench.datasets.face_file_formats import FACE_FILES
    from nmebench.datasets.formats import COFW_MAT, FORMATS

    body = table("annotation formats", "name", "benchmarks")
    loaded = [benchmark.load(name) for name in benchmark.names()]
    for form in (*FORMATS, COFW_MAT, *FACE_FILES):
        users = [
            one.name for one in loaded if form in one.files["test"] or (one.points_files and one.points_format == form)
        ]
        body.add_row(form, ", ".join(users) or "data sets of your own")
    _print("formats", body, as_json=as_json)


@app.command()
def mappings(as_json: Json = False) -> None:
    """List the point mappings, through which a network is measured on data of another landmark scheme.

    Examples:
      nmebench list mappings -v
    """
    from nmebench.geometry import point_mapping

    body = table("point mappings", "network", "data", "source")
    for name in point_mapping.names():
        found = point_mapping.load(name)
        body.add_row(found.origin.name, found.target.name, found.source)
    _print("mappings", body, as_json=as_json)


@app.command()
def normalisers(scheme: Own = None, as_json: Json = False) -> None:
    """List the normalisers of each landmark scheme, for --normaliser.

    Examples:
      nmebench list normalisers --scheme wflw98
    """
    body = table("normalisers", "scheme", "normaliser", "default", "length")
    for found in _schemes(scheme):
        for normaliser in found.normalisers:
            default = "yes" if normaliser == found.default_normaliser else ""
            body.add_row(found.name, normaliser, default, found.normalisers[normaliser].length)
    _print("normalisers", body, as_json=as_json)


@app.command()
def engines(as_json: Json = False) -> None:
    """List the engines, and those that can run on this machine.

    Examples:
      nmebench list engines
    """
    from nmebench import engines as runtimes

    body = table("engines", "name", "on this machine")
    body.add_row("auto", "yes")
    for name, usable in runtimes.available().items():
        body.add_row(name, "yes" if usable else "no")
    _print("engines", body, as_json=as_json)


@app.command()
def recipes(as_json: Json = False) -> None:
    """List the shipped training recipes, for `nmebench train`.

    Examples:
      nmebench list recipes
    """
    from nmebench.training import recipe

    body = table("training recipes", "name", "network", "trains on", "note", optional=("note",))
    for name in recipe.shipped():
        found = recipe.load(name)
        body.add_row(name, found.model, f"{found.train.faces} faces of {found.train.source}", found.note or "-")
    _print("recipes", body, as_json=as_json)


@app.command()
def downloads(as_json: Json = False) -> None:
    """List the files that `nmebench data fetch` and `data add` know, and the names of several of them.

    Examples:
      nmebench list downloads
    """
    from nmebench.fetch import load_sources

    sources = load_sources()
    body = table("downloads", "name", "file", "how")
    for source in (sources[name] for name in sorted(sources)):
        body.add_row(source.name, source.file, "by hand, then data add" if source.by_hand else "data fetch")
    groups = table("groups of downloads", "name", "files")
    for name in sorted(sources.groups):
        groups.add_row(name, ", ".join(sources.groups[name]))
    _print("downloads", body, groups, as_json=as_json)


@app.command()
def published(
    dataset: Annotated[
        str, typer.Option(help="The data set: wflw, 300w, 300w-private, cofw, cofw68, aflw or lapa.")
    ] = "wflw",
    method: Annotated[str | None, typer.Option(help="Only methods whose name contains this text.")] = None,
    kind: Annotated[
        str | None, typer.Option(help="Only tables from this kind of source: authors, third party or aggregator.")
    ] = None,
    subset: Annotated[str | None, typer.Option(help="Only rows with a value for this subset.")] = None,
    metric: Annotated[
        str | None, typer.Option(help="Only rows with a value for this metric, such as nme, fr10 or auc8.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List the published results of a data set with their sources.

    Examples:
      nmebench list published --dataset 300w --method HRNet
      nmebench list published --metric auc10 --subset pose --json
    """
    from nmebench import published as rows
    from nmebench.cli.published_table import notes, published_table

    found = rows.select(dataset=dataset, method=method, kind=kind, subset=subset, metric=metric, required=True)
    if as_json:
        fields = [row.model_dump(mode="json") for row in found]
        print_json(document("list published", dataset=dataset, rows=fields, notes=notes(dataset, found)))
        return
    _print("published", published_table(dataset, found), as_json=False, notes=notes(dataset, found))
