"""Help texts that name every value of an option; the tests compare them with the registries.

The registries themselves would load torch and OpenCV before ``--help`` is printed.
"""

from __future__ import annotations

from typing import Final

__all__ = ["ENGINE", "NORMALISER"]

NORMALISER: Final = (
    "inter-ocular, inter-pupil, box-size, box-diagonal, box-height or annotated-box, where the landmark scheme has it "
    "(`nmebench list normalisers`); by default the scheme's own default."
)

ENGINE: Final = "auto, torch, openvino, onnxruntime or cuda"
