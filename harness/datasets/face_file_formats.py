"""The formats with one file per face, by name. A new one is a reader in ``readers/`` and one line here."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from nmebench.datasets.readers.cofw68_mat import COFW68_MAT
from nmebench.datasets.readers.face_files import FaceFiles
from nmebench.datasets.readers.lapa_txt import LAPA_TXT
from nmebench.datasets.readers.pts import PTS

__all__ = ["FACE_FILES"]

FACE_FILES: Mapping[str, FaceFiles] = MappingProxyType({"pts": PTS, "lapa-txt": LAPA_TXT, "cofw68-mat": COFW68_MAT})
