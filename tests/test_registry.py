"""The registry of plug-ins: built-in names, entry points, clashes and broken plug-ins."""

from __future__ import annotations

import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

from nmebench.errors import InputError
from nmebench.registry import Registry

GROUP = "nmebench.tests.shapes"
TABLE = {"square": "fractions:Fraction", "circle": "not_imported_yet:Circle"}


class ShapeError(InputError):
    """The registry's own error class."""


@pytest.fixture
def registry() -> Registry:
    return Registry("shape", TABLE, group=GROUP, error=ShapeError)


Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """A function that puts a distribution with the given entry points, and its module, on the path."""

    def add(distribution: str, *, module: str = "", source: str = "", group: str = GROUP, **entries: str) -> None:
        folder = tmp_path / f"site-{distribution}"
        metadata = folder / f"{distribution}-1.2.dist-info"
        metadata.mkdir(parents=True)
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n")
        lines = "\n".join(f"{name} = {target}" for name, target in entries.items())
        (metadata / "entry_points.txt").write_text(f"[{group}]\n{lines}\n")
        if module:
            (folder / f"{module}.py").write_text(source)
            monkeypatch.delitem(sys.modules, module, raising=False)
        monkeypatch.syspath_prepend(folder)

    return add


def message(registry: Registry, name: str) -> str:
    """The error of ``load``, which is one line and of the registry's own class."""
    with pytest.raises(ShapeError) as caught:
        registry.load(name)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_builtin_name_loads_its_target(registry: Registry) -> None:
    loaded = registry.load("square")
    assert (loaded.value, loaded.target, loaded.origin) == (Fraction, "fractions:Fraction", "built-in")


def test_names_are_the_table_in_its_order_then_plugins_by_name(registry: Registry, install: Install) -> None:
    install("zoo", zebra="zoo:Zebra", antelope="zoo:Antelope")
    assert registry.names() == ["square", "circle", "antelope", "zebra"]
    assert "zebra" in registry
    assert "square" in registry
    assert "cube" not in registry


def test_plugin_loads_and_names_its_distribution(registry: Registry, install: Install) -> None:
    install("shapely-made", module="shapely_made", source="class Triangle: pass\n", triangle="shapely_made:Triangle")
    loaded = registry.load("triangle")
    assert loaded.value.__name__ == "Triangle"
    assert (loaded.target, loaded.origin) == ("shapely_made:Triangle", "shapely-made 1.2")


def test_plugins_of_other_groups_are_not_listed(registry: Registry, install: Install) -> None:
    install("elsewhere", group="nmebench.tests.colours", red="elsewhere:Red")
    assert registry.names() == ["square", "circle"]


def test_registry_without_a_group_takes_no_plugins(install: Install) -> None:
    install("zoo", zebra="zoo:Zebra")
    assert Registry("shape", TABLE, group=None).names() == ["square", "circle"]


def test_plugin_with_a_builtin_name_is_refused_and_hides_neither(registry: Registry, install: Install) -> None:
    install("impostor", square="impostor:Square")
    assert registry.names() == ["square", "circle"]
    assert message(registry, "square") == (
        "shape 'square' is built in, and impostor 1.2 registers the same name; rename that entry point or uninstall it"
    )


def test_name_of_two_plugins_is_refused_and_both_are_named(registry: Registry, install: Install) -> None:
    install("first", oval="first:Oval")
    install("second", oval="second:Oval")
    assert registry.names() == ["square", "circle", "oval"]
    found = message(registry, "oval")
    assert "first 1.2" in found
    assert "second 1.2" in found
    assert found.endswith("; uninstall all but one")


def test_unknown_name_suggests_the_nearest_and_lists_all(registry: Registry, install: Install) -> None:
    install("zoo", zebra="zoo:Zebra")
    assert message(registry, "squre") == (
        "unknown shape 'squre'; did you mean 'square'? (known: square, circle, zebra)"
    )
    assert "did you mean 'zebra'" in message(registry, "zbra")


@pytest.mark.parametrize(
    ("source", "target", "reason"),
    [
        pytest.param("import no_such_module\n", "shaky:Oval", "ModuleNotFoundError", id="missing-dependency"),
        pytest.param("raise OSError('libshape.so\\nsecond line')\n", "shaky:Oval", "OSError: libshape.so", id="crash"),
        pytest.param("", "shaky:Oval", "AttributeError", id="missing-class"),
        pytest.param("class Oval(:\n", "shaky:Oval", "SyntaxError", id="syntax-error"),
        pytest.param("", "absent_module:Oval", "ModuleNotFoundError", id="missing-module"),
    ],
)
def test_broken_plugin_is_reported_with_its_distribution(
    registry: Registry, install: Install, source: str, target: str, reason: str
) -> None:
    install("shaky", module="shaky", source=source, oval=target)
    assert "oval" in registry.names()
    found = message(registry, "oval")
    assert found.startswith(f"shape 'oval' of shaky 1.2 can't be loaded from {target}: {reason}")
    assert registry.load("square").value is Fraction


def test_cause_of_a_broken_plugin_is_kept(registry: Registry, install: Install) -> None:
    install("shaky", module="shaky", source="raise OSError('libshape.so')\n", oval="shaky:Oval")
    with pytest.raises(ShapeError) as caught:
        registry.load("oval")
    assert isinstance(caught.value.__cause__, OSError)


def test_nothing_is_imported_before_load(registry: Registry, install: Install) -> None:
    install("lazy", module="lazy_shape", source="class Oval: pass\n", oval="lazy_shape:Oval")
    assert "oval" in registry.names()
    assert "oval" in registry
    registry.load("square")
    assert "lazy_shape" not in sys.modules
    assert "not_imported_yet" not in sys.modules
    registry.load("oval")
    assert "lazy_shape" in sys.modules


def test_builtin_import_errors_are_not_hidden(registry: Registry) -> None:
    """A built-in module that can't be imported is a broken installation, not a user's error."""
    with pytest.raises(ModuleNotFoundError, match="not_imported_yet"):
        registry.load("circle")


def test_distribution_on_the_path_twice_counts_once(
    registry: Registry, install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("twice", module="twice", source="class Oval: pass\n", oval="twice:Oval")
    monkeypatch.syspath_prepend(tmp_path / "site-twice")
    assert registry.load("oval").origin == "twice 1.2"


def test_table_is_read_only_and_a_copy() -> None:
    table = dict(TABLE)
    registry = Registry("shape", table, group=None)
    table["cube"] = "fractions:Fraction"
    assert "cube" not in registry
    with pytest.raises(TypeError):
        registry.table["cube"] = "fractions:Fraction"  # type: ignore[index]
