"""Ours against the live mmpose on its samples of other benchmarks: boxes, crops, flip tables and NME."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from nmebench import boxes, datasets
from nmebench.geometry import crop as cropping
from nmebench.geometry import images, scheme
from nmebench.metrics.nme import pooled_nme
from nmebench.metrics.point_error import point_errors

# Our name: folder of the sample, dataset class of mmpose, mode of its metric.
SAMPLES = {
    "300w-private": ("300w", "Face300WDataset", "keypoint_distance"),
    "aflw": ("aflw", "AFLWDataset", "use_norm_item"),
    "cofw": ("cofw", "COFWDataset", "keypoint_distance"),
    "lapa": ("lapa", "LapaDataset", "keypoint_distance"),
}


@pytest.mark.parametrize(("name", "sample"), SAMPLES.items(), ids=SAMPLES)
def test_boxes_crops_and_nme_are_equal(mmpose, differences, shared: Path, name: str, sample: tuple[str, ...]) -> None:
    from mmpose.datasets import datasets as _registered  # noqa: F401 - registers the dataset classes
    from mmpose.datasets.transforms import GetBBoxCenterScale
    from mmpose.evaluation.metrics import NME
    from mmpose.registry import DATASETS

    folder, kind, norm_mode = sample
    place = shared / "benchmarks" / "mmpose_samples" / folder
    theirs = DATASETS.build(
        {
            "type": kind, "ann_file": f"test_{folder}.json", "data_root": str(place), "data_prefix": {"img": ""},
            "pipeline": [], "test_mode": True,
        }
    )  # fmt: skip
    ours = datasets.load(f"{name}:{place / f'test_{folder}.json'}")
    assert len(theirs) == len(ours)
    flip = theirs.metainfo["flip_indices"]
    assert ours.scheme.flip.tolist() == flip
    rule = boxes.create("rect" if ours.centre_scale is None else "annotation")
    found = rule(ours).for_input((256, 256))
    random = np.random.default_rng(differences.seed)
    predicted = ours.landmarks + random.normal(0, 4, ours.landmarks.shape)
    metric = NME(norm_mode=norm_mode, norm_item="bbox_size" if norm_mode == "use_norm_item" else None)
    metric.dataset_meta = theirs.metainfo
    for row in range(len(ours)):
        info = theirs.get_data_info(row)
        assert Path(info["img_path"]).name == Path(ours.images[row]).name
        np.testing.assert_array_equal(info["keypoints"][0], ours.landmarks[row].astype(np.float32))
        photograph = images.read(place / ours.images[row])
        given = GetBBoxCenterScale(padding=1.25).transform({**info, "img": photograph})
        given = mmpose.TopdownAffine(input_size=(256, 256)).transform({**given, "img": photograph})
        away = max(
            float(np.abs(given["bbox_center"][0] - found.centre[row]).max()),
            float(np.abs(given["bbox_scale"][0] - found.size[row]).max()),
        )
        differences.add(f"{name}, box", 4, away, "px")
        assert away < 1e-4  # theirs is float32
        cut = cropping.crop(photograph, given["bbox_center"][0], given["bbox_scale"][0], (256, 256))
        np.testing.assert_array_equal(cut, given["img"])
        again = cropping.crop(photograph, found.centre[row], found.size[row], (256, 256))
        differences.add(f"{name}, crop", cut.size, int(np.abs(again.astype(int) - cut.astype(int)).max()), "levels")
        metric.process({}, [_sample(info, predicted[row])])
    expected = metric.compute_metrics(metric.results)["NME"]
    ours_nme = pooled_nme(point_errors(predicted, ours.landmarks), ours.normaliser()) / 100
    differences.add(f"{name}, NME", 1, abs(float(ours_nme) - expected), "")
    assert abs(float(ours_nme) - expected) < 1e-6
    table = json.loads((place / f"test_{folder}.json").read_text())
    assert len(table["annotations"]) == len(ours)


def test_every_shared_scheme_has_mmposes_flip_table(mmpose) -> None:
    from mmpose.datasets.datasets.utils import parse_pose_metainfo

    for name, ours in {
        "300w": "ibug68",
        "aflw": "aflw19",
        "cofw": "cofw29",
        "lapa": "lapa106",
        "wflw": "wflw98",
    }.items():
        meta = parse_pose_metainfo({"from_file": f"configs/_base_/datasets/{name}.py"})
        assert scheme.load(ours).flip.tolist() == meta["flip_indices"]


def _sample(info: dict, predicted: np.ndarray) -> dict:
    """One face's prediction in the form that mmpose's metric reads."""
    return {
        "pred_instances": {"keypoints": predicted[None].astype(np.float64)},
        "gt_instances": {
            "keypoints": info["keypoints"],
            "keypoints_visible": info["keypoints_visible"],
            "bboxes": info["bbox"],
            "bbox_scales": info.get("bbox_scale", np.zeros((1, 2), np.float32)),
        },
    }
