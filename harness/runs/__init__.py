"""Run folders: records (run_record), reader (run_store), files (run_files), writer (run_writer), and provenance."""

from nmebench.runs.face_table import FaceTable
from nmebench.runs.run_record import CellRecord, DatasetRecord, ModelRecord, Provenance, RunRecord
from nmebench.runs.run_store import Run
from nmebench.runs.thumbnail import Thumbnail

__all__ = [
    "CellRecord",
    "DatasetRecord",
    "FaceTable",
    "ModelRecord",
    "Provenance",
    "Run",
    "RunRecord",
    "Thumbnail",
]
