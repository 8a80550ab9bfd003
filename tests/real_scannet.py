"""Turns the npz copy of a ScanNet scan (vertices, instances, a few posed images) into ScanNet's own layout.

For trying the reader on a real scan: `convert(source_folder, out_folder)` reads `scene0000_00.npz`, its
`scene0000_00_images.json` and the images beside it, and writes `out_folder/scene0000_00`. There are no faces and no
depth. The vertices are axis-aligned already, while the stored poses are not, so the vertices go back to the raw world
and the alignment matrix goes into the scan's text file, as ScanNet has it.

    python tests/real_scannet.py /data/scannet_scene0000 /data/converted
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np

from spaceland.geometry.transforms import invert_rigid, transform_points
from spaceland.scenes.ply import write_ply


def convert(source: Path, out: Path, scan: str = "scene0000_00") -> Path:
    """Write the scan in ScanNet's layout and return its folder."""
    data, images = np.load(source / f"{scan}.npz"), json.loads((source / f"{scan}_images.json").read_text())
    folder = out / scan
    for name in ("color", "pose", "intrinsic"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    T_align = np.array(images["axis_align_matrix"])
    raw = transform_points(invert_rigid(T_align), data["xyz"].astype(float))
    write_ply(folder / f"{scan}_vh_clean_2.ply", raw, data["rgb"])
    segments = data["instance"].astype(int)
    (folder / f"{scan}_vh_clean_2.0.010000.segs.json").write_text(json.dumps({"segIndices": segments.tolist()}))
    groups = []
    named = named_instances(data["xyz"], segments, images)
    named += other_instances(segments, data["nyu40"].astype(int), {instance for _, instance in named})
    for k, (label, instance) in enumerate(named):
        groups.append({"id": k, "objectId": k, "segments": [int(instance)], "label": label})
    (folder / f"{scan}.aggregation.json").write_text(json.dumps({"sceneId": f"scannet.{scan}", "segGroups": groups}))
    align = " ".join(repr(float(v)) for v in T_align.ravel())
    (folder / f"{scan}.txt").write_text(f"axisAlignment = {align}\ncolorWidth = 1296\ncolorHeight = 968\n")
    np.savetxt(folder / "intrinsic" / "intrinsic_color.txt", images["intrinsics"], fmt="%.6f")
    for name, pose in zip(images["images"], images["camera_to_world"], strict=True):
        number = int(Path(name).stem)
        shutil.copyfile(source / name, folder / "color" / f"{number}.jpg")
        np.savetxt(folder / "pose" / f"{number}.txt", pose, fmt="%.6f")
    return folder


def named_instances(xyz: np.ndarray, instance: np.ndarray, images: dict) -> list[tuple[str, int]]:
    """(label, instance) for each named box: the instance whose extent is the box."""
    ids = np.unique(instance)
    extents = {int(k): np.concatenate([xyz[instance == k].min(0), xyz[instance == k].max(0)]) for k in ids}
    pairs = []
    for label, box in zip(images[_labels_key(images)], images["boxes_aligned_center_size"], strict=True):
        center, size = np.array(box[:3]), np.array(box[3:6])
        wanted = np.concatenate([center - size / 2, center + size / 2])
        best = min(extents, key=lambda k: float(np.abs(extents[k] - wanted).max()))
        off = float(np.abs(extents[best] - wanted).max())
        if off > 0.02:
            raise ValueError(f"no instance has the extent of the {label} at {center}; the nearest is {off:.3f} m off")
        pairs.append((label, best))
    return pairs


# NYU40 classes of things that the 18 benchmark boxes leave out; structure and "other" classes have no one object.
NYU40_THINGS = {15: "shelves", 17: "dresser", 18: "pillow", 19: "mirror", 23: "books", 25: "tv", 27: "towel", 29: "box",
                30: "whiteboard", 32: "nightstand", 35: "lamp", 36: "bathtub", 37: "bag"}  # fmt: skip


def other_instances(instance: np.ndarray, nyu40: np.ndarray, taken: set[int]) -> list[tuple[str, int]]:
    """(class name, instance) of the instances without a box that are one thing of a known class."""
    found = []
    for k in np.unique(instance[instance > 0]).tolist():
        name = NYU40_THINGS.get(int(np.bincount(nyu40[instance == k]).argmax()))
        if name and k not in taken:
            found.append((name, k))
    return found


def _labels_key(images: dict) -> str:
    count = len(images["boxes_aligned_center_size"])
    return next(k for k, v in images.items() if isinstance(v, list) and len(v) == count and isinstance(v[0], str))


if __name__ == "__main__":
    print(convert(Path(sys.argv[1]), Path(sys.argv[2])))
