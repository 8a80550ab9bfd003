"""Rows of a scan against facts that are known without them."""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from spaceland.benchmarks import find_benchmark, scan2cap, score_benchmark
from spaceland.geometry.box9 import corner_gap_m
from spaceland.geometry.boxes import OrientedBox
from spaceland.geometry.transforms import invert_rigid, look_at, transform_points
from spaceland.tasks3d.box9_frames import Box9
from spaceland.tasks3d.parse import read_detections, read_grounding
from spaceland.tasks3d.prompts import captioning_prompt, detection_prompt, grounding_prompt
from spaceland.tasks3d.refine import GroundingItem, grounding_figures
from spaceland.vgllmdata.captioning import captioning_rows
from spaceland.vgllmdata.described import Described, SceneBoxes
from spaceland.vgllmdata.detection import detection_rows, windows_of
from spaceland.vgllmdata.grounding import grounding_rows, match_instance
from spaceland.vgllmdata.infos import Sample
from spaceland.vgllmdata.rules import Rules

SCENE = "scene0042_00"


def truth(published: Any) -> SceneBoxes:
    things = published.rooms[SCENE].objects
    boxes = {str(thing.id): np.concatenate([thing.aabb.center, thing.aabb.size]) for thing in things}
    return SceneBoxes(boxes, np.array([box + [0.05, 0.05, 0.05, 0, 0, 0] for box in boxes.values()]))


def described(published: Any) -> list[Described]:
    names = ("scene_id", "object_id", "object_name", "ann_id", "description")
    return [Described(*(row[name] for name in names)) for row in published.described if row["scene_id"] == SCENE]


def pose_of(sample: Sample, image: str) -> np.ndarray:
    return next(view.T_world_cam for view in sample.views if view.path == image)


@pytest.mark.parametrize("convention", ["ZXY", "zxy"])
def test_grounding_targets_are_the_boxes_in_the_world(published: Any, convention: Any) -> None:
    sample, boxes, texts, left_out = published.sample(), truth(published), described(published), Counter()
    rows = list(grounding_rows(sample, texts, boxes, Rules(convention=convention), left_out))
    assert left_out["the object is not in the scan"] == 1
    ids = Counter((row["metadata"]["object_id"], row["metadata"]["ann_id"]) for row in rows)
    assert set(ids.values()) <= {1, 2} and len(rows) > 8
    for row in rows:
        human, gpt = row["conversations"]
        assert len(row["images"]) == len(set(row["images"])) == 32
        text = next(
            t for t in texts if t.object_id == row["metadata"]["object_id"] and t.ann_id == row["metadata"]["ann_id"]
        )
        assert human == {"value": grounding_prompt(text.description, 32), "from": "human"}
        reading = read_grounding(gpt["value"], 32, strict=True, convention=convention)
        (box,) = reading.found
        assert box.frame == row["target"]["frame"] and box.rounded() == row["target"]["bbox_3d"]
        there = pose_of(sample, row["images"][box.frame])
        aabb = boxes.objects[text.object_id]
        world = OrientedBox(aabb[:3], aabb[3:], np.eye(3))
        # Texts have two decimals.
        assert corner_gap_m(box.in_world(there).oriented, world) < 0.04
        assert row["gt_bbox"] == [*map(float, aabb), 0.0, 0.0, 0.0] and "cam2img" not in row
        instance, iou = match_instance(sample, aabb)  # type: ignore[misc]
        assert iou >= 0.5
        assert instance in next(view.visible for view in sample.views if view.path == row["images"][box.frame])


def test_grounding_rows_of_one_description_show_other_frames(published: Any) -> None:
    sample, texts = published.sample(), described(published)
    rows = list(grounding_rows(sample, texts, truth(published), Rules(), Counter()))
    assert len({tuple(row["images"]) for row in rows}) > 0.5 * len(rows)
    # A row hangs on nothing but the seed and what it is about.
    alone = list(grounding_rows(sample, texts[6:7], truth(published), Rules(), Counter()))
    assert all(row in rows for row in alone)
    again = list(grounding_rows(sample, texts, truth(published), Rules(seed=1), Counter()))
    assert [row["images"] for row in again] != [row["images"] for row in rows]


def test_matches_and_reasons(by_hand: Any) -> None:
    eye = look_at(np.array([0.0, -4.0, 1.0]), np.array([0.0, 0.0, 1.0]))
    cube = [0.0, 0.0, 0.5, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0]
    half = [0.0, 0.0, 0.5, 1.0, 1.0, 2.2, 0.0, 0.0, 0.0]
    sample = by_hand([eye, eye], [[1], []], [("thing", half), ("thing", cube)])
    assert match_instance(sample, np.array(cube[:6])) == (1, 1.0)
    one = Described("scene0000_00", "5", "thing", "0", "a thing.")
    left_out: Counter[str] = Counter()

    def rows(box: list[float], **rules: Any) -> list[dict[str, Any]]:
        boxes = SceneBoxes({"5": np.array(box)})
        return list(grounding_rows(sample, [one], boxes, Rules(num_frames=2, **rules), left_out))

    made = rows(cube[:6])
    assert [row["target"]["frame"] for row in made] == [row["images"].index(sample.views[0].path) for row in made]
    assert not rows([9.0, 0, 0.5, 1, 1, 1]) and not rows([0.0, 0.0, 0.5, 1.0, 1.0, 0.3])
    assert left_out == {"no instance overlaps the object by 0.5": 2}
    # Its instance is the first one now, which no frame lists.
    assert not rows(half[:6]) and left_out["no frame shows the object (a row)"] == 2


def test_captions_are_about_places_in_the_first_camera(published: Any) -> None:
    sample, boxes, texts, left_out = published.sample(), truth(published), described(published), Counter()
    rows = list(captioning_rows(sample, texts, boxes, Rules(), left_out))
    assert len(rows) == len(texts) - 1 and left_out == {"the object is not in the scan": 1}
    for row, text in zip(rows, texts, strict=False):
        center = transform_points(invert_rigid(pose_of(sample, row["images"][0])), boxes.objects[text.object_id][:3])
        assert row["conversations"][0]["value"] == captioning_prompt(center.tolist(), 32)
        assert row["conversations"][1]["value"] == text.description.capitalize()
        assert row["iou"] == 1.0 and row["input_box"] == row["gt_box"]


def test_captions_of_val_are_about_proposals(published: Any) -> None:
    sample, boxes, texts = published.sample(), truth(published), described(published)
    rows = list(captioning_rows(sample, texts, boxes, Rules(split="val"), Counter()))
    assert len(rows) == len(published.rooms[SCENE].objects)
    for row in rows:
        a, b = np.array(row["input_box"]), np.array(row["gt_box"])
        assert len(row["annotations"]) == 2 and len(row["cam2global"]) == 32
        shared = np.prod(np.maximum(a[3:] - np.abs(a[:3] - b[:3]), 0))
        if np.allclose(a[3:], b[3:]) and np.allclose(a[:3] - b[:3], 0.05):  # its own proposal is the best
            assert row["iou"] == pytest.approx(shared / (2 * np.prod(a[3:]) - shared), abs=1e-6)
    scored = find_benchmark("scan2cap")
    assert scored.adapt is not None and all(scored.problem_of(scored.adapt(row)) is None for row in rows)
    for row in rows:
        center = transform_points(invert_rigid(pose_of(sample, row["images"][0])), np.array(row["input_box"][:3]))
        wanted = captioning_prompt(center.tolist(), 32, "eval").replace("<image>", "")
        assert scan2cap.prompt(row, "vg-llm") == wanted and wanted.startswith("\nCarefully")
    left_out: Counter[str] = Counter()
    assert not list(captioning_rows(sample, texts, SceneBoxes(boxes.objects), Rules(split="val"), left_out))
    assert left_out["the scan has no proposals"] == len(rows)


def test_val_rows_are_scored_as_they_are(published: Any) -> None:
    """The right box, taken from the row's own cameras, is right; in the other convention it mostly is not."""
    sample, boxes, texts = published.sample(), truth(published), described(published)
    rows = list(grounding_rows(sample, texts, boxes, Rules(split="val"), Counter()))
    assert all(row["conversations"][1]["value"] == "" and row["target"] is None for row in rows)
    assert len(rows) == len(texts) - 1
    items, replies = [], {"ZXY": [], "zxy": []}
    for row in rows:
        poses = [np.array(row["axis_align_matrix"]) @ np.array(pose) for pose in row["cam2global"]]
        assert np.allclose(poses[3], pose_of(sample, row["images"][3]))
        items.append(GroundingItem(np.stack(poses), Box9(tuple(row["gt_bbox"])).oriented))
        for convention, given in replies.items():
            box = Box9(tuple(row["gt_bbox"]), convention).in_camera(poses[3], 3)  # type: ignore[arg-type]
            given.append(json.dumps({"frame": 3, "bbox_3d": list(box.values)}))
    benchmark = find_benchmark("scanrefer")
    assert benchmark.adapt is not None
    ids = [benchmark.row_id(benchmark.adapt(row)) for row in rows]
    scored = score_benchmark("scanrefer", rows, dict(zip(ids, replies["ZXY"], strict=True)), protocol="vg-llm-2511")
    assert scored.overall == pytest.approx(100) and ids[0] == f"{SCENE}|{texts[0].object_id}|0"
    assert grounding_figures(items, replies["ZXY"]).raw.mean_iou > 0.99
    assert grounding_figures(items, replies["zxy"]).raw.mean_iou < 0.9
    assert grounding_figures(items, replies["zxy"], convention="zxy").raw.mean_iou > 0.99


def test_windows() -> None:
    assert windows_of([10 * k for k in range(12)], 4, 3) == [(0, 3, 6, 9), (1, 4, 7, 10), (2, 5, 8, 11)]
    assert windows_of([10 * k for k in range(9)], 4, 3) == [] == windows_of([], 4, 3)
    # A frame is missing: no window reaches over the gap.
    numbers = [10 * k for k in range(30) if k != 12]
    windows = windows_of(numbers, 4, 3)
    assert len(windows) == 3 + 8 and all(numbers[w[3]] - numbers[w[0]] == 90 for w in windows)
    assert windows_of([0, 10, 20], 1, 3) == [(0,), (1,), (2,)]


def test_detection_of_a_scan_by_hand(by_hand: Any) -> None:
    poses = [look_at(np.array([0.1 * k, -4.0, 1.2]), np.array([0.0, 0.0, 0.8])) for k in range(4)]
    boxes = [
        ("table", [0.0, 0.0, 0.4, 1.2, 0.8, 0.75, 0.3, 0.0, 0.0]),
        ("wall", [0.0, 2.0, 1.0, 5.0, 0.1, 2.5, 0.0, 0.0, 0.0]),
        ("chair", [1.0, 0.0, 0.5, 0.5, 0.5, 1.0, -0.7, 0.0, 0.0]),
        ("object", [0.5, 0.0, 0.5, 0.1, 0.1, 0.1, 0.0, 0.0, 0.0]),
        ("lamp", [-1.0, 0.5, 1.5, 0.3, 0.3, 0.4, 0.0, 0.0, 0.0]),
        ("cup", [0.0, 0.0, 0.8, 0.1, 0.1, 0.1, 0.0, 0.0, 0.0]),
    ]
    visible = [[2, 1], [0, 2, 3], [], [4, 0]]
    sample = by_hand(poses, visible, boxes)
    (row,) = detection_rows(sample, Rules(base_interval=1), Counter())
    assert [box["label"] for box in row["boxes"]] == ["chair", "table", "lamp"]  # first appearance, each once
    human, gpt = row["conversations"]
    assert human == {"from": "human", "value": detection_prompt(4)}
    assert row["images"] == [f"scannet/posed_images/scene0000_00/{k:05d}.jpg" for k in (0, 10, 20, 30)]
    found = read_detections(gpt["value"], strict=True).found
    for one, told, place in zip(found, row["boxes"], (2, 0, 4), strict=True):
        assert (one.label, one.box.rounded()) == (told["label"], [round(v, 2) + 0.0 for v in told["bbox_3d"]])
        assert corner_gap_m(one.box.in_world(poses[0]).oriented, sample.instances[place].box) < 0.03


def test_detection_golden(by_hand: Any) -> None:
    """A camera whose axes are those of the world: numbers stay what they are."""
    boxes = [("chair", [0.5, 0.0, 3.0, 0.4, 0.5, 1.0, 0.5, 0.0, 0.0])]
    sample = by_hand([np.eye(4)], [[0]], boxes)
    (row,) = detection_rows(sample, Rules(window_frames=1, split="val"), Counter())
    assert row["conversations"][1]["value"] == (
        '```json\n[\n\t{"label": "chair", "bbox_3d": [0.5, 0.0, 3.0, 0.4, 0.5, 1.0, 0.5, 0.0, 0.0]}\n]```'
    )
    assert set(row) == {"conversations", "images", "boxes", "cam2img", "cam2global", "axis_align_matrix"}


def test_windows_of_val_are_drawn_and_scored(published: Any) -> None:
    left_out: Counter[str] = Counter()
    sample = published.sample()
    rows = list(detection_rows(sample, Rules(split="val"), left_out))
    assert len(rows) == 10 and left_out == {"windows that were not drawn": 72 - 9 - 10}
    assert len(list(detection_rows(sample, Rules(), Counter()))) == 72 - 9
    six = list(detection_rows(sample, Rules(split="val", window_frames=6), Counter()))
    assert all(len(row["images"]) == 6 for row in six)
    for row in rows:
        numbers = [int(path[-9:-4]) for path in row["images"]]
        assert [b - a for a, b in pairwise(numbers)] == [30, 30, 30]
    for k, row in enumerate(rows):
        row["id"] = str(k)
    benchmark = find_benchmark("embodiedscan-det")
    replies = {benchmark.row_id(row): row["conversations"][1]["value"] for row in rows}
    result = score_benchmark("embodiedscan-det", rows, replies, protocol="strict")
    assert result.overall is not None and result.overall > 95


def test_scans_without_frames_or_windows(by_hand: Any) -> None:
    sample = by_hand([], [], [("chair", [0.5, 0.0, 3.0, 0.4, 0.5, 1.0, 0.5, 0.0, 0.0])])
    one, boxes = Described("scene0000_00", "5", "x", "0", "a x."), SceneBoxes({"5": np.ones(6)})
    left_out: Counter[str] = Counter()
    for make in (grounding_rows, captioning_rows):
        assert not list(make(sample, [one], boxes, Rules(), left_out))
    assert not list(detection_rows(sample, Rules(), left_out))
    assert left_out == {"the scan has no frames": 2, "scans too short for a window": 1}
