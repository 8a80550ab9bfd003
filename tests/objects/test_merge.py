"""Merging: detections of many frames become things, whatever the order in which they come."""

from __future__ import annotations

import random as plain_random
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from handmade import box_scene
from spaceland.geometry.transforms import look_at
from spaceland.objects.cluster import cluster
from spaceland.objects.evidence import SeenFrame, gather
from spaceland.objects.find import find_objects
from spaceland.objects.frame_depth import DepthReader
from spaceland.objects.labels import Labels, vote
from spaceland.objects.lift import LiftConfig, lift
from spaceland.objects.merge_config import MergeConfig
from spaceland.objects.owners import owners
from spaceland.objects.simulate import true_detections
from spaceland.objects.table_top import table_top
from spaceland.objects.types import Detection, Found
from spaceland.scenes.scene import Scene

CHAIRS = [
    ("chair", (2.0, 4.0, 0.45), (0.5, 0.5, 0.9)),
    ("chair", (2.7, 4.0, 0.45), (0.5, 0.5, 0.9)),
    ("table", (4.2, 4.5, 0.70), (1.2, 0.8, 0.1)),
]
EYES = [(1.0, 1.0), (3.0, 1.0), (5.2, 1.2), (5.2, 6.8), (3.0, 7.0), (0.8, 6.5)]
Detections = dict[str, list[Detection]]


@pytest.fixture(scope="module")
def scene() -> Scene:
    poses = [look_at(np.array([x, y, 1.6]), np.array([3.0, 4.2, 0.6])) for x, y in EYES]
    return box_scene(CHAIRS, poses, with_ids=True)


@pytest.fixture(scope="module")
def perfect(scene: Scene) -> Detections:
    return untracked(true_detections(scene))


def untracked(detections: Detections) -> Detections:
    return {frame: [replace(thing, track=-1) for thing in things] for frame, things in detections.items()}


def labels_of(found: Found) -> list[str]:
    return sorted(thing.label for thing in found.objects)


def same(a: Found, b: Found) -> bool:
    return len(a.objects) == len(b.objects) and all(
        x.id == y.id and x.label == y.label and x.score == y.score and x.frames == y.frames
        and np.array_equal(x.points, y.points) and np.array_equal(x.box.center, y.box.center)
        for x, y in zip(a.objects, b.objects, strict=True)
    )  # fmt: skip


def test_every_thing_is_found_once_with_its_box(scene: Scene, perfect: Detections) -> None:
    found = find_objects(scene, perfect, name="perfect")
    assert labels_of(found) == ["chair", "chair", "table"]
    assert found.report["finder"] == "perfect" and found.report["objects"] == 3
    assert [thing.id for thing in found.objects] == [0, 1, 2]
    assert [thing.score for thing in found.objects] == sorted((t.score for t in found.objects), reverse=True)
    for thing in found.objects:
        truth = min(scene.objects, key=lambda other: float(np.linalg.norm(other.box.center - thing.box.center)))
        assert thing.label == truth.label
        assert np.abs(thing.box.center - truth.box.center).max() < 0.05
        assert np.abs(thing.box.axis_aligned().size - truth.box.axis_aligned().size).max() < 0.1
        assert set(thing.frames) <= set(scene.frames_by_id) and len(thing.frames) >= 4
        assert thing.votes == {thing.label: len(thing.frames)}
        assert 0.9 < thing.score <= 1


def test_the_order_of_frames_and_detections_changes_nothing(scene: Scene, perfect: Detections) -> None:
    first = find_objects(scene, perfect)
    shuffle = plain_random.Random(3)
    for _ in range(3):
        order = list(perfect)
        shuffle.shuffle(order)
        mixed = {frame: shuffle.sample(perfect[frame], len(perfect[frame])) for frame in order}
        assert same(first, find_objects(scene, mixed))


def test_one_wrong_label_or_lost_frame_is_outvoted(scene: Scene, perfect: Detections) -> None:
    frames = sorted(perfect)
    wrong = {**perfect, frames[0]: [replace(thing, label="lamp") for thing in perfect[frames[0]]]}
    found = find_objects(scene, wrong)
    assert labels_of(found) == ["chair", "chair", "table"]
    assert any("lamp" in thing.votes for thing in found.objects)
    fewer = {frame: perfect[frame] for frame in frames[::2]}
    assert labels_of(find_objects(scene, fewer)) == ["chair", "chair", "table"]


def test_things_side_by_side_stay_two_and_parts_of_one_join(scene: Scene, perfect: Detections) -> None:
    """A detector that sees the left half of the table in some frames and all of it in others."""
    halves: Detections = {}
    for number, (frame, things) in enumerate(sorted(perfect.items())):
        halves[frame] = []
        for thing in things:
            assert thing.mask is not None
            mask = thing.mask.copy()
            if thing.label == "table" and number % 3 == 0:
                columns = np.flatnonzero(mask.any(0))
                mask[:, int(columns.mean()) :] = False
            halves[frame].append(replace(thing, mask=mask))
    assert labels_of(find_objects(scene, halves)) == ["chair", "chair", "table"]


def test_a_wall_that_bleeds_into_one_mask_is_dropped_by_the_other_frames(scene: Scene, perfect: Detections) -> None:
    bled: Detections = dict(perfect)
    frame = sorted(perfect)[1]
    bled[frame] = []
    for thing in perfect[frame]:
        assert thing.mask is not None
        mask = thing.mask.copy()
        if thing.label == "table":
            rows, columns = np.nonzero(mask)
            mask[max(0, rows.min() - 60) : rows.max(), columns.min() : columns.max()] = True
        bled[frame].append(replace(thing, mask=mask))
    found = find_objects(scene, bled)
    table = next(thing for thing in found.objects if thing.label == "table")
    truth = scene.objects[2].box
    assert truth.contains(table.points, 0.06).all()
    assert found.report["left_out"]["point: frames show it as something else"] > 0


def test_a_false_alarm_in_one_frame_is_left_out(scene: Scene, perfect: Detections) -> None:
    frame = sorted(perfect)[0]
    mask = np.zeros((240, 320), bool)
    mask[200:235, 20:80] = True
    ghost = Detection("dog", 0.9, (20, 200, 80, 235), mask)
    found = find_objects(scene, {**perfect, frame: [*perfect[frame], ghost]})
    assert "dog" not in labels_of(found)
    assert found.report["left_out"]["object: seen in too few frames"] == 1
    kept = find_objects(scene, {**perfect, frame: [*perfect[frame], ghost]}, LiftConfig(merge=MergeConfig(min_views=1)))
    dog = next(thing for thing in kept.objects if thing.label == "dog")
    assert dog.score < 0.5 * 0.9 + 1e-9 and dog is kept.objects[-1]


def test_doubled_detections_give_one_thing(scene: Scene, perfect: Detections) -> None:
    """Double boxes of one thing in the same frames, under two names of one group."""
    doubled = {
        frame: [*things, *(replace(thing, label="desk", score=0.4) for thing in things if thing.label == "table")]
        for frame, things in perfect.items()
    }
    found = find_objects(scene, doubled)
    assert labels_of(found) == ["chair", "chair", "table"]
    # As another thing with the same points: nothing of it stays either.
    named = {
        frame: [*things, *(replace(thing, label="piano", score=0.4) for thing in things if thing.label == "table")]
        for frame, things in perfect.items()
    }
    assert labels_of(find_objects(scene, named)) == ["chair", "chair", "table"]


def test_tracks_join_what_no_frame_shows_together(scene: Scene, perfect: Detections) -> None:
    """Left and right half of the table, each seen in other frames: only the track says that they are one."""
    split: Detections = {}
    truth = scene.objects[2]
    for number, frame in enumerate(scene.frames):
        view = DepthReader(scene, width_px=640, max_depth_m=8.0, edge_m=1.0, edge_per_m=1.0).view(frame)
        split[frame.id] = []
        for thing in perfect[frame.id]:
            if thing.label != "table":
                continue
            assert thing.mask is not None
            rows, columns = np.nonzero(thing.mask)
            left = view.points(rows, columns)[:, 0] < truth.box.center[0]
            mask = np.zeros_like(thing.mask)
            chosen = left if number % 2 else ~left
            mask[rows[chosen], columns[chosen]] = True
            split[frame.id].append(replace(thing, mask=mask))
    config = LiftConfig(merge=MergeConfig(same_label=0.9, other_label=0.9, same_track=0.0))
    assert labels_of(find_objects(scene, split, config)) == ["table", "table"]
    tracked = {frame: [replace(thing, track=4) for thing in things] for frame, things in split.items()}
    assert labels_of(find_objects(scene, tracked, config)) == ["table"]


def test_boxes_without_masks_find_the_same_things(scene: Scene, perfect: Detections) -> None:
    boxes = {frame: [replace(thing, mask=None) for thing in things] for frame, things in perfect.items()}
    found = find_objects(scene, boxes)
    assert labels_of(found) == ["chair", "chair", "table"]
    for thing in found.objects:
        truth = min(scene.objects, key=lambda other: float(np.linalg.norm(other.box.center - thing.box.center)))
        assert np.linalg.norm(thing.box.center - truth.box.center) < 0.15


def test_evidence_against_a_plain_count(scene: Scene, perfect: Detections) -> None:
    reader = DepthReader(scene, width_px=640, max_depth_m=8.0, edge_m=0.03, edge_per_m=0.03)
    views = [reader.view(frame) for frame in scene.frames[:3]]
    frames = [SeenFrame.of(view) for view in views]
    lifted = [
        thing
        for view in views
        for thing in (lift(view, detection, LiftConfig(), Counter()) for detection in perfect[view.frame.id])
        if thing is not None
    ]
    index = {frame.frame_id: number for number, frame in enumerate(frames)}
    evidence = gather(lifted, frames, index, voxel_m=0.05, tolerance_m=0.03, tolerance_per_m=0.02)
    inside = (evidence.cells @ evidence.inside).toarray()
    visible = (evidence.cells @ evidence.visible).toarray()
    for a, one in enumerate(lifted):
        own = {tuple(cell) for cell in np.floor(one.points / 0.05).astype(int)}
        places = [p for p in evidence.places if tuple(np.floor(p / 0.05).astype(int)) in own]
        for number, frame in enumerate(frames):
            pixels = []
            for place in places:
                local = (place - frame.T_world_cam[:3, 3]) @ frame.T_world_cam[:3, :3]
                if local[2] <= 0.05:
                    continue
                (u, v), z = frame.camera.project(local)
                if 0 <= u < 320 and 0 <= v < 240:
                    depth = views[number].depth[int(v), int(u)]
                    if depth > 0 and abs(depth - z) <= 0.03 + 0.02 * z:
                        pixels.append((int(v), int(u)))
            assert visible[a, number] == len(pixels)
            for b, other in enumerate(lifted):
                if other.frame_id == frame.frame_id:
                    rows, columns = np.array(pixels, dtype=int).reshape(-1, 2).T
                    assert inside[a, b] == int(other.region.holds(rows, columns).sum())
    groups = cluster(lifted, evidence, MergeConfig())
    assert sorted(k for group in groups for k in group) == list(range(len(lifted)))


def test_nothing_in_nothing_out(scene: Scene) -> None:
    found = find_objects(scene, {frame.id: [] for frame in scene.frames})
    assert found.objects == () and found.report["frames"] == len(EYES)
    assert find_objects(scene, {}).objects == ()


def test_labels() -> None:
    known = Labels()
    assert known.alike("couch", "sofa") and known.alike("dragon", "dragon") and not known.alike("chair", "table")
    assert not Labels([]).alike("couch", "sofa")
    assert vote([("b", 0.5), ("a", 0.5)])[0] == "a"
    weights = [("x", w) for w in (0.1, 0.2, 0.3)] + [("y", w) for w in (0.3, 0.2, 0.1)]
    assert vote(weights)[0] == vote(reversed(weights))[0] == "x"


def test_a_point_that_two_things_claim_belongs_to_one() -> None:
    table, chair, book = np.arange(0, 100), np.arange(90, 130), np.arange(20, 30)
    votes = [np.full(100, 0.9), np.full(40, 0.6), np.full(10, 0.5)]
    kept = owners([table, chair, book], votes, 130)
    assert chair[kept[1]].tolist() == list(range(100, 130))  # boxes around the chair hold the corner from some sides
    assert kept[2].all()  # all frames show the book as table too, but it lies in the table
    assert table[kept[0]].tolist() == [k for k in range(100) if not 20 <= k < 30]
    again = owners([chair, book, table], [votes[1], votes[2], votes[0]], 130)
    assert all(np.array_equal(a, b) for a, b in zip(again, [kept[1], kept[2], kept[0]], strict=True))


def test_points_that_frames_see_through_are_dropped(scene: Scene, perfect: Detections) -> None:
    reader = DepthReader(scene, width_px=640, max_depth_m=8.0, edge_m=0.03, edge_per_m=0.03)
    view = reader.view(scene.frames[0])
    frame = SeenFrame.of(view)
    rows, columns = np.array([60, 120, 180]), np.array([100, 160, 220])
    seen = view.points(rows, columns)
    eye = scene.frames[0].T_world_cam[:3, 3]
    nearer, farther = eye + 0.7 * (seen - eye), eye + 1.3 * (seen - eye)
    visible, _, _, through = frame.look(np.concatenate([seen, nearer, farther]), 0.03, 0.02)
    assert visible.tolist() == [0, 1, 2] and through.tolist() == [3, 4, 5]
    found = find_objects(scene, perfect)
    strict = find_objects(scene, perfect, LiftConfig(merge=MergeConfig(max_through=0.0)))
    assert found.report["left_out"].get("point: frames see through it", 0) < 50
    assert sum(len(t.points) for t in strict.objects) <= sum(len(t.points) for t in found.objects)


def plate(low: tuple, high: tuple) -> np.ndarray:
    """World points on a lattice of 2 cm in a box."""
    axes = [np.arange(a, b + 1e-9, 0.02) for a, b in zip(low, high, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)


@pytest.mark.parametrize("lean", [0.0, 0.05])
def test_of_boxes_around_a_table_the_table_stays(lean: float) -> None:
    top, leg = plate((0, 0, 0.74), (2.0, 1.0, 0.74)), plate((0.04, 0.04, 0.0), (0.1, 0.1, 0.7))
    back, seat = plate((0.6, 1.12, 0.5), (1.0, 1.14, 0.95)), plate((0.6, 1.2, 0.45), (1.0, 1.5, 0.45))
    cup = plate((1.0, 0.4, 0.82), (1.06, 0.46, 0.86))
    parts = [top, leg, back, seat, cup]
    points = np.concatenate(parts)
    points[:, 2] += lean * (points[:, 0] - 1)
    found = table_top(points, 1.5, 0.0, 0.02)
    assert found is not None
    kept = np.split(found.table, np.cumsum([len(part) for part in parts])[:-1])
    assert kept[0].all() and kept[1].all() and not any(part.any() for part in kept[2:])
    assert found.top[: len(top)].all() and not found.top[len(top) + len(leg) :].any()


def test_what_has_no_top_is_no_table_unless_it_is_seen_from_below() -> None:
    wall, shelf = plate((0, 0, 0.0), (2.0, 0.0, 1.1)), plate((0, -0.14, 0.94), (2.0, 0.0, 0.94))
    assert table_top(np.concatenate([wall, shelf]), 1.5, 0.0, 0.02) is None
    top = plate((0, 0, 0.74), (2.0, 1.0, 0.74))
    assert table_top(top, 1.5, 0.3, 0.02) is not None
    assert table_top(top, 1.5, -0.6, 0.02) is None  # 1.34 m above the floor
    low = table_top(wall, 0.4, 0.0, 0.02)
    assert low is not None and low.table.all() and not low.top.any()


def test_what_boxes_call_a_chair_on_a_work_top_is_none() -> None:
    boxes = [("cabinet", (3.0, 4.5, 0.5), (1.6, 0.6, 1.0)), ("chair", (3.0, 4.5, 1.15), (0.4, 0.3, 0.3))]
    poses = [look_at(np.array([x, 1.5, 1.6]), np.array([3.0, 4.5, 1.0])) for x in (2.0, 3.0, 4.0)]
    scene = box_scene(boxes, poses, with_ids=True)
    masks = untracked(true_detections(scene))
    assert labels_of(find_objects(scene, masks)) == ["cabinet", "chair"]  # masks are believed
    guessed = {frame: [replace(thing, mask=None) for thing in things] for frame, things in masks.items()}
    found = find_objects(scene, guessed)
    assert labels_of(found) == ["cabinet"]
    assert found.report["left_out"]["object: too high above the floor"] == 1
