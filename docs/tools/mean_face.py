"""Compare the mean drawn face with WFLW's mean face, landmark by landmark.

``python docs/tools/mean_face.py SYNTHFACE_DIR WFLW_LANDMARKS.npz OUT.svg`` draws the figure and prints
the table. The second file holds WFLW's test landmarks as `keypoints98` [n, 98, 2] (NaN where unknown).
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nmebench.geometry import scheme
from nmebench.synthface.template import Array


@dataclass(frozen=True)
class Comparison:
    """Two mean faces in one frame, with WFLW's outer eye corners at (-50, 0) and (50, 0)."""

    wflw: Array
    synthface: Array
    """[98, 2]"""

    @property
    def distance(self) -> Array:
        """[98] percent of WFLW's distance between the outer eye corners."""
        distance: Array = np.sqrt(np.square(self.wflw - self.synthface).sum(axis=1))
        return distance


def compare(synthface: Array, wflw: Array) -> Comparison:
    """Generalised Procrustes means of both sets [n, 98, 2], aligned by a similarity transform."""
    target = _upright(mean_shape(wflw))
    return Comparison(target, onto(mean_shape(synthface), target))


def mean_shape(faces: Array, rounds: int = 10) -> Array:
    """``[98, 2]`` the mean of faces that are scaled to unit size and rotated onto the mean."""
    shapes = faces - faces.mean(axis=1, keepdims=True)
    shapes = shapes / np.sqrt(np.square(shapes).sum(axis=(1, 2), keepdims=True))
    plane = shapes[..., 0] + 1j * shapes[..., 1]
    mean = plane[0]
    for _ in range(rounds):
        turn = (plane.conj() * mean).sum(axis=1)
        plane = plane * (turn / np.abs(turn))[:, None]
        mean = plane.mean(axis=0)
        mean = mean / np.sqrt(np.square(np.abs(mean)).sum())
    return np.stack([mean.real, mean.imag], axis=1)


def frontal(faces: Array) -> Array:
    """Select faces whose nose tip is within 6 % of the eye distance from the middle between the eyes."""
    eyes = faces[:, 72] - faces[:, 60]
    along = ((faces[:, 54] - faces[:, 60]) * eyes).sum(axis=1) / np.square(eyes).sum(axis=1)
    chosen: Array = faces[np.abs(along - 0.5) < 0.06]
    return chosen


def onto(shape: Array, target: Array) -> Array:
    """Translate, rotate and scale a shape to fit the target best (least squares)."""
    a, b = shape - shape.mean(axis=0), target - target.mean(axis=0)
    plane, aim = a[:, 0] + 1j * a[:, 1], b[:, 0] + 1j * b[:, 1]
    plane = plane * (plane.conj() * aim).sum() / np.square(np.abs(plane)).sum()
    laid: Array = np.stack([plane.real, plane.imag], axis=1) + target.mean(axis=0)
    return laid


def _upright(shape: Array) -> Array:
    plane = shape[:, 0] + 1j * shape[:, 1]
    plane = (plane - (plane[60] + plane[72]) / 2.0) / (plane[72] - plane[60]) * 100.0
    return np.stack([plane.real, plane.imag], axis=1)


def table(comparisons: dict[str, Comparison]) -> str:
    """A Markdown table of the mean and largest distance of each group of landmarks, in percent."""
    groups = scheme.load("wflw98").groups
    lines = ["| landmarks | " + " | ".join(f"{name}: mean | largest" for name in comparisons) + " |"]
    lines.append("|---|" + "---:|---:|" * len(comparisons))
    for group, points in {**groups, "all": tuple(range(98))}.items():
        cells = []
        for comparison in comparisons.values():
            distance = comparison.distance[list(points)]
            worst = points[int(np.argmax(distance))]
            cells += [f"{distance.mean():.2f}", f"{distance.max():.2f} (point {worst})"]
        lines.append(f"| {group} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def figure(comparisons: dict[str, Comparison], path: Path) -> None:
    """Draw both faces of each comparison, with the distance of every landmark as the size of a dot."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.hashsalt": "synthface", "svg.fonttype": "none"}):
        canvas = Figure(figsize=(10.5, 3.9 * len(comparisons)), layout="constrained")
        axes = canvas.subplots(len(comparisons), 3, squeeze=False)
        for row, (name, comparison) in zip(axes, comparisons.items(), strict=True):
            distance = comparison.distance
            row[0].scatter(*comparison.wflw.T, s=9, c="tab:blue")
            row[0].set_title(f"WFLW, {name}")
            row[1].scatter(*comparison.synthface.T, s=9, c="tab:orange")
            row[1].set_title(f"synthface, {name}")
            row[2].scatter(*comparison.wflw.T, s=9, c="tab:blue", label="WFLW")
            row[2].scatter(*comparison.synthface.T, s=9, c="tab:orange", label="synthface")
            for index in np.argsort(distance)[-6:]:
                row[2].annotate(f"{index}: {distance[index]:.1f} %", comparison.synthface[index], fontsize=6.5)
            row[2].set_title(f"mean distance {distance.mean():.2f} % of the eye distance")
            row[2].legend(loc="lower left", fontsize=7)
            for axis in row:
                axis.set_xlim(-95, 95)
                axis.set_ylim(140, -50)
                axis.set_aspect("equal")
        canvas.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def read_landmarks(root: Path) -> Array:
    """Read landmarks ``[n, 98, 2]`` from the full test list of a data set."""
    listed = root / "WFLW_annotations/list_98pt_rect_attr_train_test/list_98pt_rect_attr_test.txt"
    return np.loadtxt(listed, usecols=range(196), ndmin=2).reshape(-1, 98, 2)


def main(root: Path, geometry: Path, out: Path) -> None:
    """Compare a data set on disk with WFLW's landmarks."""
    drawn = read_landmarks(root)
    with np.load(geometry) as held:
        real = held["keypoints98"].astype(float)
    real = real[np.isfinite(real).all(axis=(1, 2))]
    comparisons = {"all poses": compare(drawn, real), "frontal": compare(frontal(drawn), frontal(real))}
    figure(comparisons, out)
    sys.stdout.write(table(comparisons) + "\n")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]))
