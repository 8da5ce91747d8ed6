"""Help texts that name every value of an option; the tests compare them with the registries.

The registries themselves would load torch and OpenCV before ``--help`` is printed.
"""

from __future__ import annotations

from typing import Final

__all__ = ["BOX", "DATA", "DECODER", "ENGINE", "FORMAT", "MODEL", "NORMALISER", "SCHEME", "THRESHOLD"]

NORMALISER: Final = (
    "inter-ocular, inter-pupil, box-size, box-diagonal, box-height, annotated-box, annotated-box-size or "
    "annotated-box-diagonal, where the landmark scheme has it (`nmebench list normalisers`); by default the one that "
    "the data set's papers use."
)

SCHEME: Final = (
    "Landmark scheme, by name (`nmebench list schemes`) or as a TOML file of your own, for datasets without one: "
    "landmarks:FILE and python:FILE."
)

THRESHOLD: Final = (
    "Threshold of FR and AUC in percent, such as 8; repeatable. By default those that the data set's papers print."
)

FORMAT: Final = "Annotation format (`nmebench list formats`), needed when it can't be detected."

BOX: Final = "`nmebench list boxes`"

DECODER: Final = "`nmebench list decoders`"

MODEL: Final = "`nmebench list models`"

DATA: Final = "`nmebench list datasets`"

ENGINE: Final = "auto, torch, openvino, onnxruntime or cuda"
