"""The published files about two sample rooms, in their exact layouts, and scans made by hand."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "scenes"))

from embodiedscan_writer import info, instances, write_pickle

from scannet_writer import T_ALIGN, opencv_matrix, write_scannet
from spaceland.geometry.transforms import invert_rigid, transform_points
from spaceland.scenes.scene import Scene
from spaceland.scenes.sources import open_scene
from spaceland.vgllmdata.infos import Sample, read_sample

NUM_FRAMES = 72, 48
SCENES = ("scene0042_00", "scene0043_00")


@dataclass(frozen=True)
class Published:
    """Folder with embodiedscan/, ScanRefer_filtered_{train,val}.json, proposals.json and scans/; the rooms and the
    entries of the info file by scan, and the names of its labels."""

    root: Path
    rooms: dict[str, Scene]
    entries: dict[str, dict[str, Any]]
    names: dict[int, str]

    @property
    def described(self) -> list[dict[str, Any]]:
        return json.loads((self.root / "ScanRefer_filtered_train.json").read_text())

    def sample(self, scene: str = SCENES[0]) -> Sample:
        return read_sample(scene, self.entries[scene], self.names)


def categories(room: Scene) -> dict[str, int]:
    return info(room, [])["metainfo"]["categories"]


def sample_entry(room: Scene, scene: str) -> dict[str, Any]:
    """A ScanNet sample of an info file; the pictures themselves are never opened."""
    images = []
    centers = np.array([thing.box.center for thing in room.objects])
    for number, frame in enumerate(room.frames):
        # What a frame lists as visible is taken as it is: here every box whose centre is in the picture.
        pixels, _ = frame.camera.project(transform_points(invert_rigid(frame.T_world_cam), centers))
        name = f"scannet/posed_images/{scene}/{number * 10:05d}"
        images.append(
            {
                "img_path": f"{name}.jpg",
                "depth_path": f"{name}.png",
                "cam2global": invert_rigid(T_ALIGN) @ frame.T_world_cam,
                "visible_instance_ids": np.flatnonzero(frame.camera.contains(pixels)).tolist(),
            }
        )
    return {
        "sample_idx": f"scannet/{scene}",
        "images": images,
        "instances": instances(room),
        "axis_align_matrix": T_ALIGN,
        "cam2img": opencv_matrix(room.frames[0].camera),
    }


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Published:
    root = tmp_path_factory.mktemp("published")
    rooms = {
        scene: open_scene(f"rooms:{seed}?width=80&height=64&frames={count}")
        for scene, seed, count in zip(SCENES, (2, 3), NUM_FRAMES, strict=True)
    }
    names = sorted({thing.label for room in rooms.values() for thing in room.objects})
    entries = {}
    for scene, room in rooms.items():
        write_scannet(room, root / "scans" / scene, images=False)
        entry = sample_entry(room, scene)
        own = categories(room)
        numbers = {number: names.index(name) + 1 for name, number in own.items()}
        for one in entry["instances"]:
            one["bbox_label_3d"] = numbers[one["bbox_label_3d"]]
        entries[scene] = entry
    other = {**entries[SCENES[0]], "sample_idx": "3rscan/4acaebcc"}
    table = {"categories": {name: k for k, name in enumerate(names, 1)}, "DATASET": "EmbodiedScan"}
    (root / "embodiedscan").mkdir()
    for split in ("train", "val"):
        content = {"metainfo": table, "data_list": [other, *reversed(entries.values())]}
        write_pickle(root / "embodiedscan" / f"embodiedscan_infos_{split}.pkl", content)
    rows, boxes = [], {}
    for scene, room in rooms.items():
        for thing in room.objects:
            for ann_id in range(2):
                text = f"this is a {thing.label}. it stands in the room, number {ann_id}."
                rows.append(
                    {
                        "scene_id": scene,
                        "object_id": str(thing.id),
                        "object_name": thing.label.replace(" ", "_"),
                        "ann_id": str(ann_id),
                        "description": text,
                        "token": text.replace(".", " .").split(),
                    }
                )
        # Proposals: every object, a hand's breadth beside where it is.
        boxes[f"scannet/{scene}"] = [[*(thing.aabb.center + 0.05), *thing.aabb.size] for thing in room.objects]
    rows.append({**rows[0], "scene_id": "scene0999_00"})
    rows.append({**rows[0], "object_id": "999", "ann_id": "7"})
    for split in ("train", "val"):
        (root / f"ScanRefer_filtered_{split}.json").write_text(json.dumps(rows))
    (root / "proposals.json").write_text(json.dumps(boxes))
    return Published(root, rooms, entries, dict(enumerate(names, 1)))


def make_sample(
    poses: list[np.ndarray],
    visible: list[list[int]],
    boxes: list[tuple[str, list[float]]],
    numbers: list[int] | None = None,
) -> Sample:
    """A scan made by hand: 100 x 100 pictures, focal length 100, no axis alignment."""
    labels = sorted({label for label, _ in boxes})
    entry = {
        "sample_idx": "scannet/scene0000_00",
        "images": [
            {
                "img_path": f"scannet/posed_images/scene0000_00/{n:05d}.jpg",
                "cam2global": pose,
                "visible_instance_ids": ids,
            }
            for n, pose, ids in zip(numbers or [10 * k for k in range(len(poses))], poses, visible, strict=True)
        ],
        "instances": [
            {"bbox_3d": nine, "bbox_label_3d": labels.index(label) + 1, "bbox_id": k}
            for k, (label, nine) in enumerate(boxes)
        ],
        "axis_align_matrix": np.eye(4),
        "cam2img": np.array([[100.0, 0, 49.5, 0], [0, 100, 49.5, 0], [0, 0, 1, 0], [0, 0, 0, 1]]),
    }
    return read_sample("scene0000_00", entry, dict(enumerate(labels, 1)))


@pytest.fixture(scope="session")
def by_hand() -> Any:
    """`make_sample`, for tests."""
    return make_sample
