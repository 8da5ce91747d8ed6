"""Write ``tests/parity/reference/``: drawn faces, heatmaps and what live mmpose makes of them.

``nox -s parity -- --update`` runs this where mmpose 1.3.2 is installed. Everything that goes in is drawn by this
project (synthface faces, seeded heatmaps and weights), everything that comes out is mmpose's own code, unmodified. The
files are small enough to be committed, so that the parity tests run everywhere.
"""

from __future__ import annotations

import importlib.metadata
import json
from pathlib import Path

import cv2
import mmpose_peer
import numpy as np
import torch

from nmebench.decoders.interface import gaussians
from nmebench.synthface.attributes import Attributes
from nmebench.synthface.face import draw

FOLDER = Path(__file__).resolve().parents[1] / "parity" / "reference"
SEED = 98
KINDS = ("clean", "border", "noisy", "two-peaks", "weak", "plateau")
POINTS = 8
"""Maps of each kind."""
CHANNELS = (0, 16, 33, 60, 72, 97)
"""Heatmaps of the network that are kept."""


def main() -> None:
    """Write every file of the reference set."""
    mmpose_peer.allow_import()
    FOLDER.mkdir(parents=True, exist_ok=True)
    faces = [draw(SEED, "test", index, Attributes(*(index == place for place in range(6)))) for index in (0, 3)]
    crops = write_crops(faces)
    write_heatmaps()
    write_network(crops)
    write_nme_and_targets(faces)
    write_flip_tables()
    versions = {
        name: importlib.metadata.version(name) for name in ("mmpose", "mmengine", "mmcv-lite", "torch", "numpy")
    }
    (FOLDER / "versions.json").write_text(json.dumps(versions, indent=1) + "\n")


def _png(image: np.ndarray) -> np.ndarray:
    return cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 9])[1].ravel()


def write_crops(faces: list) -> list[np.ndarray]:
    """Crops by ``TopdownAffine``; returns the two of 256 x 256 px."""
    from mmpose.datasets.transforms import TopdownAffine
    from mmpose.structures.bbox import get_warp_matrix

    kept, crops = {}, []
    for number, face in enumerate(faces):
        low, high = face.landmarks.min(axis=0), face.landmarks.max(axis=0)
        kept[f"photograph{number}"] = _png(face.image)
        boxes = (
            ((256, 256), (low + high) / 2, (high - low).max() * 1.25),
            ((128, 128), low, (high - low).max() * 1.6),
            ((96, 128), high - 3.3, (high - low).max() * 0.9),
        )
        for place, (input_size, centre, side) in enumerate(boxes):
            size = np.array([side * input_size[0] / input_size[1], side], np.float32)
            centre = np.asarray(centre, np.float32)
            given = {
                "img": face.image, "bbox_center": centre[None], "bbox_scale": size[None],
                "bbox_rotation": np.zeros(1, np.float32), "input_size": input_size,
            }  # fmt: skip
            crop = TopdownAffine(input_size=input_size).transform(given)["img"]
            key = f"crop{number}{place}"
            kept |= {
                key: _png(crop), f"{key}_centre": centre, f"{key}_size": size, f"{key}_input": np.array(input_size),
                f"{key}_warp": get_warp_matrix(centre, size, 0.0, input_size),
            }  # fmt: skip
            if place == 0:
                crops.append(crop)
    np.savez_compressed(FOLDER / "crops.npz", **kept)
    return crops


def drawn(kind: str) -> np.ndarray:
    """``[POINTS, 64, 64]`` float32 heatmaps of one kind."""
    generator = torch.Generator().manual_seed(SEED + KINDS.index(kind))

    def uniform(low: float, high: float) -> torch.Tensor:
        return torch.rand(1, POINTS, 2, generator=generator, dtype=torch.float64) * (high - low) + low

    noise = torch.randn(1, POINTS, 64, 64, generator=generator)
    first, wide = uniform(6, 57), uniform(-1, 64)
    maps = {
        "clean": lambda: gaussians(first, 64, 64, 2.0),
        "border": lambda: gaussians(wide, 64, 64, 2.0),
        "noisy": lambda: gaussians(first, 64, 64, 2.0) + 0.02 * noise,
        "two-peaks": lambda: gaussians(first, 64, 64, 2.0) + 0.8 * gaussians(first + uniform(-6, 6), 64, 64, 2.0),
        "weak": lambda: 0.15 * gaussians(first, 64, 64, 2.0) + 0.002 * noise,
        "plateau": lambda: gaussians(first, 64, 64, 2.0).clamp_max(0.7),
    }[kind]()
    # Rounding to 1/4096 halves the file and changes nothing about the comparison: both sides read the rounded maps.
    return (torch.round(maps * 4096) / 4096)[0].numpy().astype(np.float32)


def write_heatmaps() -> None:
    """Maps of every kind, and what mmpose's functions and codecs decode from them."""
    from mmpose.codecs import MegviiHeatmap, MSRAHeatmap, UDPHeatmap
    from mmpose.codecs import utils as codecs

    sizes = {"input_size": (256, 256), "heatmap_size": (64, 64)}
    kept: dict[str, np.ndarray] = {}
    for kind in KINDS:
        maps = drawn(kind)
        peaks, scores = codecs.get_heatmap_maximum(maps)
        kept |= {
            f"{kind}/maps": maps,
            f"{kind}/scores": scores,
            f"{kind}/argmax": peaks,
            f"{kind}/quarter-offset": codecs.refine_keypoints(peaks[None].copy(), maps.copy())[0],
        }
        for kernel in (7, 11, 17):
            for name, refine in (
                ("dark", codecs.refine_keypoints_dark),
                ("dark-udp", codecs.refine_keypoints_dark_udp),
            ):
                found = refine(peaks[None].copy(), maps.copy(), blur_kernel_size=kernel)[0]
                kept[f"{kind}/{name}:kernel={kernel}"] = found
        inputs = {
            "dark": MSRAHeatmap(**sizes, sigma=2, unbiased=True, blur_kernel_size=11),
            "quarter-offset": MSRAHeatmap(**sizes, sigma=2),
            "dark-udp": UDPHeatmap(**sizes, sigma=2, blur_kernel_size=11),
            "megvii": MegviiHeatmap(**sizes, kernel_size=11),
        }
        for name, codec in inputs.items():
            kept[f"{kind}/input/{name}"] = codec.decode(maps.copy())[0].reshape(POINTS, 2)
    np.savez_compressed(FOLDER / "heatmaps.npz", **kept)


def write_network(crops: list[np.ndarray]) -> None:
    """Heatmaps of mmpose's HRNetV2-W18 with seeded weights, plain and with its flip test."""
    import mmpose.models
    from mmengine.registry import init_default_scope
    from mmpose.models.utils.tta import flip_heatmaps
    from mmpose.structures import PoseDataSample

    init_default_scope("mmpose")
    model = mmpose.models.build_pose_estimator(mmpose_peer.hrnetv2_w18()).eval()
    shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    model.load_state_dict(mmpose_peer.seeded_weights(shapes))
    images = torch.stack([torch.from_numpy(crop.transpose(2, 0, 1)) for crop in crops])
    samples = [PoseDataSample() for _ in images]
    tensor = model.data_preprocessor({"inputs": list(images), "data_samples": samples})["inputs"]
    flip = _metainfo("wflw")["flip_indices"]
    with torch.no_grad():
        plain, mirrored = (model._forward(batch) for batch in (tensor, tensor.flip(-1)))
        averaged = {
            shift: (plain + flip_heatmaps(mirrored.clone(), flip_indices=flip, shift_heatmap=shift)) * 0.5
            for shift in (False, True)
        }
    np.savez_compressed(
        FOLDER / "network.npz",
        names=np.array(list(shapes)),
        shapes=np.array([json.dumps(shape) for shape in shapes.values()]),
        channels=np.array(CHANNELS),
        inputs=tensor[:, :, ::16, ::16].numpy(),
        plain=plain[:, CHANNELS].numpy(),
        flip=averaged[False][:, CHANNELS].numpy(),
        flip_shift=averaged[True][:, CHANNELS].numpy(),
    )


def write_nme_and_targets(faces: list) -> None:
    """mmpose's NME of shifted landmarks, with and without a mask, and its target heatmaps for some landmarks."""
    from mmpose.codecs import MSRAHeatmap
    from mmpose.evaluation.functional import keypoint_nme

    random = np.random.RandomState(SEED)
    truth = np.stack([face.landmarks for face in faces] * 5)
    landmarks = truth + random.standard_normal(truth.shape) * 3
    mask = random.uniform(size=truth.shape[:2]) < 0.9
    lengths = np.linalg.norm(truth[:, 60] - truth[:, 72], axis=-1)
    norm = np.tile(lengths[:, None], (1, 2))
    inputs = random.uniform(0, 255, (1, POINTS, 2)).astype(np.float32)
    codec = MSRAHeatmap(input_size=(256, 256), heatmap_size=(64, 64), sigma=2, unbiased=True)
    encoded = codec.encode(inputs, np.ones((1, POINTS), np.float32))
    np.savez_compressed(
        FOLDER / "nme.npz",
        truth=truth,
        landmarks=landmarks,
        mask=mask,
        interocular=lengths,
        masked=keypoint_nme(landmarks, truth, mask, norm),
        all=keypoint_nme(landmarks, truth, np.ones_like(mask), norm),
        each=np.array([keypoint_nme(p[None], t[None], np.ones((1, 98), bool), n[None])
                       for p, t, n in zip(landmarks, truth, norm, strict=True)]),
        target_landmarks=inputs[0],
        target_heatmaps=encoded["heatmaps"],
    )  # fmt: skip


def _metainfo(name: str) -> dict:
    from mmpose.datasets.datasets.utils import parse_pose_metainfo

    return parse_pose_metainfo({"from_file": f"configs/_base_/datasets/{name}.py"})


def write_flip_tables() -> None:
    """The flip permutations of mmpose's dataset descriptions."""
    tables = {
        ours: [int(i) for i in _metainfo(theirs)["flip_indices"]]
        for ours, theirs in (("wflw98", "wflw"), ("ibug68", "300w"))
    }
    (FOLDER / "flip.json").write_text(json.dumps(tables) + "\n")


if __name__ == "__main__":
    main()
