"""The point mappings that come with the package, one TOML file in ``mappings/`` each."""

from __future__ import annotations

import tomllib
from importlib import resources

from nmebench.geometry.point_mapping import PointMapping, build

__all__ = ["LAPA106_TO_WFLW98", "WFLW98_TO_IBUG68"]


def _read(name: str) -> PointMapping:
    text = resources.files("nmebench.geometry").joinpath("mappings", f"{name}.toml").read_text(encoding="utf-8")
    return build(tomllib.loads(text), f"{name}.toml")


WFLW98_TO_IBUG68 = _read("wflw98-to-ibug68")
LAPA106_TO_WFLW98 = _read("lapa106-to-wflw98")
