"""Run folders: their records (run_record), reader (run_store) and writer (run_writer), and provenance."""

from nmebench.runs.run_record import CellRecord, DatasetRecord, ModelRecord, Provenance, RunRecord
from nmebench.runs.run_store import FaceTable, Run, Thumbnail

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
