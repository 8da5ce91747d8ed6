"""Verifying a spec: parts that are missing, formats under another name, and boxes, in all benchmarks."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from plausible_files import csv_rows, plausible, write_csv, write_photographs, write_points

from nmebench import datasets
from nmebench.datasets.verify import verify
from nmebench.datasets.write_faces import write
from nmebench.errors import InputError


def test_a_missing_part_is_named(tmp_path: Path) -> None:
    """300-W without LFPW and iBUG: the parts are named, not just counted."""
    write_points(tmp_path / "helen/testset", plausible("ibug68"))
    report = verify(f"300w:{tmp_path}")
    found = {finding.code: finding.message for finding in report.findings}
    assert [f.message for f in report.findings if f.code == "folder-missing"] == [
        "none of them is in lfpw/testset: that part is missing",
        "none of them is in ibug: that part is missing",
    ]
    assert found["subset-missing"] == "there is no subset challenge: no photograph is in ibug/"
    assert found["partial"] == "12 of 689 faces (common 12 of 554): no published number can be compared"
    notes = datasets.load(f"300w:{tmp_path}").notes
    assert "there is no .pts file in lfpw/testset" in notes


def test_the_other_place_of_a_folder_is_enough(tmp_path: Path) -> None:
    for folder in ("01_Indoor", "02_Outdoor"):
        write_points(tmp_path / folder, plausible("ibug68", seed=len(folder)))
    assert {finding.code for finding in verify(f"300w-private:{tmp_path}").findings} == {"partial"}


def test_a_path_alone_is_wflws_and_another_benchmark_is_named(tmp_path: Path) -> None:
    write_points(tmp_path / "helen/testset", plausible("ibug68"))
    with pytest.raises(InputError, match=rf"it holds files of 300w: write 300w:{tmp_path}"):
        verify(tmp_path)
    with pytest.raises(InputError, match="does not exist; unknown dataset '300v'; did you mean '300w'"):
        verify(f"300v:{tmp_path}")


def test_a_file_of_another_format_under_a_usual_name_is_found(tiny: Any) -> None:
    shutil.copy(tiny.csv, tiny.json)
    report = verify(f"wflw:{tiny.root}")
    assert [(f.file, f.message) for f in report.findings if f.code == "format-name"] == [
        (
            "mmpose/face_landmarks_wflw_test.json",
            "the file has the name of the format mmpose-json and the content of hrnet-csv",
        )
    ]


def test_the_list_of_a_subset_does_not_pass_for_the_test_set(tmp_path: Path) -> None:
    """Planted fault: AFLW's frontal list was read as the test set where the test set's list was missing."""
    file = tmp_path / "face_landmarks_aflw_test_frontal.csv"
    write_csv(file, csv_rows(plausible("aflw19"), own_box=1.3))
    with pytest.raises(InputError, match="does not hold a AFLW annotation file"):
        datasets.load(f"aflw:{tmp_path}")
    assert len(datasets.load(f"aflw:{file}")) == 12


def test_box_sizes_that_contradict_the_scale_are_found(tmp_path: Path) -> None:
    """AFLW's NME is divided by the box."""
    rows = csv_rows(plausible("aflw19"), own_box=1.3)
    rows[4][2] = f"{float(rows[4][2]) * 2:.1f}"
    write_csv(tmp_path / "face_landmarks_aflw_test.csv", rows)
    found = [f for f in verify(f"aflw:{tmp_path}").findings if f.code == "box-size"]
    assert [f.line for f in found] == [5]


def test_a_box_away_from_its_face_is_found(tmp_path: Path) -> None:
    rows = csv_rows(plausible("aflw19"), own_box=1.3)
    rows[4][3] = str(float(rows[4][3]) + 500)
    write_csv(tmp_path / "face_landmarks_aflw_test.csv", rows)
    assert [f.line for f in verify(f"aflw:{tmp_path}").findings if f.code == "box-away"] == [5]


@pytest.mark.parametrize("name", ["300w", "cofw", "aflw", "lapa"])
def test_mmposes_samples_have_no_finding(shared: Path, name: str) -> None:
    spec = {"300w": "300w-private"}.get(name, name)
    report = verify(f"{spec}:{shared / 'benchmarks/mmpose_samples' / name}")
    # Two faces have neither all subsets nor all faces.
    assert {finding.code for finding in report.findings} <= {"partial", "subset-missing"}
    assert report.facts["images"] == 2


def test_drawn_faces_and_arrays_are_checked(tmp_path: Path) -> None:
    truth = plausible("ibug68").landmarks
    np.savez(tmp_path / "truth.npz", gt=truth, subset_odd=np.arange(12) % 2 == 1)
    report = verify(f"landmarks:{tmp_path / 'truth.npz'}::gt")
    assert report.findings == ()
    assert report.facts == {"faces": 12}
    found = verify(f"300w-private:{tmp_path / 'truth.npz'}::gt").findings
    assert [(finding.code, finding.severity) for finding in found] == [("partial", "note")]


def _five(folder: Path, second: int) -> str:
    """Five points of one's own, whose normaliser ends at the landmark ``second``."""
    rng = np.random.default_rng(0)
    face = np.array([[30.0, 40.0], [60.0, 40.0], [45.0, 55.0], [33.0, 70.0], [57.0, 70.0]])
    faces = [
        {"image": f"{number}.jpg", "landmarks": (face + rng.normal(0, 2, (5, 2)) + number).tolist()}
        for number in range(12)
    ]
    (folder / "five.json").write_text(json.dumps({"faces": faces}))
    (folder / "five.toml").write_text(
        'name = "five"\ntitle = "Five"\n[scheme]\nname = "five5"\npoints = 5\ndefault_normaliser = "eyes"\n'
        "flip = { pairs = [[0, 1], [3, 4]] }\ngroups = { eyes = [0, 1], nose = [2, 2], mouth = [3, 4] }\n"
        f'normalisers.eyes = {{ kind = "distance", first = [0], second = [{second}], source = "ours" }}\n'
        '[files.test]\nfaces-json = "five.json"\n'
    )
    write_photographs(folder / "images", [f"{number}.jpg" for number in range(12)])
    return f"benchmark:{folder / 'five.toml'}"


def test_points_of_ones_own_are_checked(tmp_path: Path) -> None:
    assert verify(_five(tmp_path, 1)).findings == ()
    found = verify(_five(tmp_path, 2)).findings
    assert [finding.code for finding in found] == ["normaliser-points"]
    assert found[0].message == (
        "eyes is measured between the landmarks 0 and 2, which the flip does not exchange: are they the points of the "
        "protocol?"
    )


def test_a_single_file_of_any_name_is_checked(tmp_path: Path) -> None:
    write_csv(tmp_path / "mine.csv", csv_rows(plausible("ibug68")))
    found = {finding.code for finding in verify(f"300w:{tmp_path / 'mine.csv'}").findings}
    assert found == {"partial", "subset-missing", "no-photographs"}


def test_python_code_that_makes_faces_is_checked(tmp_path: Path) -> None:
    content = plausible("ibug68")
    faces = [
        {"image": f"{name}.jpg", "landmarks": face}
        for name, face in zip(content.names, content.landmarks.tolist(), strict=True)
    ]
    (tmp_path / "faces.json").write_text(json.dumps(faces))
    (tmp_path / "make.py").write_text(
        "import json\n\n\ndef right(path):\n    return {'scheme': 'ibug68', 'faces': json.loads(path.read_text())}\n"
        "\n\ndef swapped(path):\n    made = right(path)\n    for face in made['faces']:\n"
        "        face['landmarks'] = [pair[::-1] for pair in face['landmarks']]\n    return made\n"
    )
    report = verify(f"python:{tmp_path / 'make.py'}:right::{tmp_path / 'faces.json'}")
    assert {finding.code for finding in report.findings} <= {"reader"}  # there are no photographs
    swapped = verify(f"python:{tmp_path / 'make.py'}:swapped::{tmp_path / 'faces.json'}")
    assert "mirrored" in {finding.code for finding in swapped.findings}


def test_a_scheme_of_ones_own_names_the_landmarks_of_arrays(tmp_path: Path) -> None:
    _five(tmp_path, 1)
    table = (tmp_path / "five.toml").read_text().partition("[scheme]\n")[2].partition("[files")[0]
    (tmp_path / "scheme.toml").write_text(table)
    faces = json.loads((tmp_path / "five.json").read_text())["faces"]
    landmarks = np.array([face["landmarks"] for face in faces])
    np.savez(tmp_path / "truth.npz", landmarks=landmarks, swapped=landmarks[..., ::-1])
    scheme = str(tmp_path / "scheme.toml")
    assert verify(f"landmarks:{tmp_path / 'truth.npz'}", scheme=scheme).findings == ()
    swapped = verify(f"landmarks:{tmp_path / 'truth.npz'}::swapped", scheme=scheme).findings
    assert [finding.code for finding in swapped] == ["mirrored"]
    write_csv(tmp_path / "mine.csv", csv_rows(plausible("ibug68")))
    with pytest.raises(InputError, match="scheme"):
        verify(f"300w:{tmp_path / 'mine.csv'}", scheme=scheme)


def test_no_published_number_belongs_to_a_data_set_of_ones_own(tiny: Any, tmp_path: Path) -> None:
    definition = write(datasets.load(f"wflw:{tiny.root}"), tmp_path, "mine", arrays=True)
    for place in ("", f"::{tmp_path / 'mine.npz'}"):
        protocols = verify(f"benchmark:{definition}{place}").protocols
        reasons = [one.reason for one in protocols if one.name.startswith("published values")]
        assert len(reasons) == 2
        assert all("no published values are known" in reason for reason in reasons)
