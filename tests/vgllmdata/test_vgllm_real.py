"""Real poses and boxes of ScanNet scene0000_00, as an entry of an info file."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from spaceland.geometry.box9 import corner_gap_m
from spaceland.geometry.boxes import OrientedBox
from spaceland.tasks3d.box9_frames import Box9
from spaceland.tasks3d.parse import read_grounding
from spaceland.vgllmdata.described import Described, SceneBoxes
from spaceland.vgllmdata.frames import projected_area_px2
from spaceland.vgllmdata.grounding import grounding_rows
from spaceland.vgllmdata.infos import read_sample
from spaceland.vgllmdata.rules import Rules


@pytest.mark.real
def test_targets_of_a_real_scan(real_data: Path) -> None:
    path = real_data / "scannet_scene0000" / "scene0000_00_images.json"
    if not path.is_file():
        pytest.skip(f"no {path}")
    data = json.loads(path.read_text())
    names = sorted(set(data["box_names"]))
    entry = {
        "images": [
            {"img_path": f"scannet/posed_images/scene0000_00/{name}", "cam2global": pose, "visible_instance_ids": []}
            for name, pose in zip(data["images"], data["camera_to_world"], strict=True)
        ],
        "instances": [
            {"bbox_3d": [*box, 0, 0, 0], "bbox_label_3d": names.index(name), "bbox_id": k}
            for k, (box, name) in enumerate(zip(data["boxes_aligned_center_size"], data["box_names"], strict=True))
        ],
        "axis_align_matrix": data["axis_align_matrix"],
        "cam2img": data["intrinsics"],
    }
    sample = read_sample("scene0000_00", entry, dict(enumerate(names)))
    # The principal point of the real camera is 7 pixels below the middle of its 1296 x 968 pictures.
    assert (sample.camera.width, sample.camera.height) == (1294, 981)
    shown = {
        k: [place for place, thing in sample.instances.items() if projected_area_px2(sample, view, thing.box) > 5000]
        for k, view in enumerate(sample.views)
    }
    assert all(2 <= len(places) < len(sample.instances) for places in shown.values())
    for k, places in shown.items():
        entry["images"][k]["visible_instance_ids"] = places
    sample = read_sample("scene0000_00", entry, dict(enumerate(names)))
    boxes = {str(k): np.array(box) for k, box in enumerate(data["boxes_aligned_center_size"])}
    texts = [Described("scene0000_00", key, "x", "0", "a thing.") for key in boxes]
    for convention in ("ZXY", "zxy"):
        rules = Rules(num_frames=3, samples=1, convention=convention)
        rows = list(grounding_rows(sample, texts, SceneBoxes(boxes), rules, Counter()))
        assert len(rows) == len(set().union(*shown.values()))
        for row in rows:
            (box,) = read_grounding(row["conversations"][1]["value"], 3, strict=True, convention=convention).found
            view = next(v for v in sample.views if v.path == row["images"][box.frame or 0])
            truth = boxes[row["metadata"]["object_id"]]
            world = OrientedBox(truth[:3], truth[3:], np.eye(3))
            assert corner_gap_m(box.in_world(view.T_world_cam).oriented, world) < 0.05
            # A hand-held camera looks down and rolls: the other convention is another box.
            mixed = Box9(box.values, "zxy" if convention == "ZXY" else "ZXY", box.frame)
            assert corner_gap_m(mixed.in_world(view.T_world_cam).oriented, world) > 0.05
