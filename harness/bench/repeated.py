"""A data set of any length that repeats the faces of another one, to measure the growth of time and memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nmebench.datasets.dataset import Dataset
from nmebench.errors import InputError
from nmebench.protocol import ATTRIBUTES

__all__ = ["repeated"]


def repeated(dataset: Dataset, faces: int, folder: Path) -> str:
    """Write a WFLW folder of ``faces`` faces that repeats those of ``dataset``, and return its spec.

    Every repetition names the folder of photographs through its own link, so that photographs are read again for each
    repetition, as in a data set without repetitions.

    Args:
        dataset: faces with photographs and 98 landmarks.
        faces: number of faces to write.
        folder: a new folder.

    Raises:
        InputError: ``dataset`` has no photographs or other landmarks, or ``folder`` exists.
    """
    if dataset.image_root is None or dataset.landmarks.shape[1] != 98:
        raise InputError(
            f"{dataset.spec}: only faces with photographs and 98 landmarks can be repeated; give wflw:PATH"
        )
    try:
        folder.mkdir(parents=True)
    except FileExistsError as error:
        raise InputError(f"{folder}: exists; give a new folder for the repeated faces") from error
    photographs = folder / "WFLW_images"
    photographs.mkdir()
    lines = []
    for face in range(faces):
        turn, row = divmod(face, len(dataset))
        if row == 0:
            (photographs / str(turn)).symlink_to(dataset.image_root.resolve(), target_is_directory=True)
        points = dataset.landmarks[row]
        rect = (
            [*np.floor(points.min(axis=0)), *np.ceil(points.max(axis=0))] if dataset.rect is None else dataset.rect[row]
        )
        attributes = (int(dataset.subsets[name][row]) if name in dataset.subsets else 0 for name in ATTRIBUTES)
        numbers = [*(f"{value:.6f}" for value in points.ravel()), *(str(round(float(side))) for side in rect)]
        lines.append(" ".join([*numbers, *map(str, attributes), f"{turn}/{dataset.images[row]}"]))
    listing = folder / "WFLW_annotations" / "list_98pt_rect_attr_train_test" / "list_98pt_rect_attr_test.txt"
    listing.parent.mkdir(parents=True)
    listing.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return f"wflw:{folder}"
