"""The faces of a run as a readable table."""

from __future__ import annotations

import pandas as pd

from nmebench.runs.face_table import FaceTable

__all__ = ["faces_frame"]


def faces_frame(faces: FaceTable, *, landmarks: bool = False) -> pd.DataFrame:
    """Return one row per face.

    Args:
        faces: the N faces.
        landmarks: add the ground truth as the columns ``x0``, ``y0``, ``x1``, ... (image px), which
            :func:`nmebench.evaluate` reads; NaN where a landmark is not labelled.

    Returns:
        ``face`` (position), ``image``, ``line`` (of the annotation file), ``normaliser`` (image px), ``box_x``,
        ``box_y`` (centre), ``box_width``, ``box_height`` (image px) of the first box rule, and a bool column
        ``subset_NAME`` per subset.
    """
    columns: dict[str, object] = {
        "face": range(len(faces)),
        "image": list(faces.image),
        "line": faces.line,
        "normaliser": faces.normaliser,
        "box_x": faces.centre[:, 0],
        "box_y": faces.centre[:, 1],
        "box_width": faces.size[:, 0],
        "box_height": faces.size[:, 1],
        **{f"subset_{name}": mask for name, mask in faces.subsets.items()},
    }
    if landmarks:
        for point in range(faces.landmarks.shape[1]):
            columns |= {f"x{point}": faces.landmarks[:, point, 0], f"y{point}": faces.landmarks[:, point, 1]}
    return pd.DataFrame(columns)
