"""The run folder: its records, its reader and writer, and the provenance of a run."""

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
