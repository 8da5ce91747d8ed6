"""The landmark schemes that come with the package, one TOML file in ``schemes/`` each."""

from __future__ import annotations

import tomllib
from importlib import resources

from nmebench.geometry.scheme import Scheme, build

__all__ = ["AFLW19", "COFW29", "IBUG68", "LAPA106", "WFLW98"]


def _read(name: str) -> Scheme:
    text = resources.files("nmebench.geometry").joinpath("schemes", f"{name}.toml").read_text(encoding="utf-8")
    return build(tomllib.loads(text), f"{name}.toml")


WFLW98 = _read("wflw98")
IBUG68 = _read("ibug68")
COFW29 = _read("cofw29")
AFLW19 = _read("aflw19")
LAPA106 = _read("lapa106")
