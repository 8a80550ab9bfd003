"""Lifting detections in hand-made rooms: which points are kept can be worked out with a pencil."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from handmade import CAMERA, box_scene
from spaceland.errors import SceneError
from spaceland.geometry.boxes import OrientedBox
from spaceland.geometry.camera import PinholeCamera
from spaceland.geometry.transforms import look_at
from spaceland.objects.backdrop import backdrop
from spaceland.objects.cells import cell_keys, cell_means, lumps
from spaceland.objects.find import find_objects
from spaceland.objects.fit_box import fit_box
from spaceland.objects.frame_depth import DepthReader, FrameDepth
from spaceland.objects.lift import LiftConfig, Region, lift
from spaceland.objects.types import Detection
from spaceland.scenes.scene import Scene

CONFIG = LiftConfig()
TABLE = ("table", (3.0, 4.0, 0.7), (1.2, 0.8, 0.1))
CUPBOARD = ("cupboard", (3.0, 7.75, 1.0), (1.0, 0.5, 2.0))


def reader(scene: Scene, width_px: int = 640) -> DepthReader:
    return DepthReader(scene, width_px=width_px, max_depth_m=8.0, edge_m=0.03, edge_per_m=0.03)


def scene_of(*boxes: tuple, eye: tuple = (3.0, 1.2, 1.6), target: tuple = (3.0, 4.0, 0.7), **more: bool) -> Scene:
    return box_scene(boxes, [look_at(np.array(eye), np.array(target))], with_ids=True, **more)


def seen(scene: Scene, number: int) -> tuple[FrameDepth, Detection]:
    """The first frame's depth, and the perfect detection of an object."""
    frame = scene.frames[0]
    assert frame.object_ids is not None
    mask = frame.object_ids() == number
    rows, columns = np.nonzero(mask)
    box = (columns.min(), rows.min(), columns.max() + 1.0, rows.max() + 1.0)
    return reader(scene).view(frame), Detection(scene.objects[number].label, 0.8, box, mask)


def off_surface(points: np.ndarray, box: OrientedBox) -> np.ndarray:
    """Distance of points to the surface of a box."""
    local = np.abs(box.to_box_frame(points)) - box.size / 2
    outside = np.linalg.norm(np.maximum(local, 0), axis=1)
    return np.where(local.max(1) > 0, outside, -local.max(1))


def test_points_of_a_mask_lie_on_the_thing() -> None:
    scene = scene_of(TABLE, CUPBOARD)
    for number in (0, 1):
        view, detection = seen(scene, number)
        counts: Counter[str] = Counter()
        found = lift(view, detection, CONFIG, counts)
        assert found is not None and len(found.points) > 500
        assert off_surface(found.points, scene.objects[number].box).max() < 0.005
        assert counts["pixel: rim of the mask"] > 0


def test_a_mask_that_bleeds_onto_the_wall_gives_no_points_there() -> None:
    scene = scene_of(CUPBOARD, eye=(3.0, 2.0, 1.5), target=(3.0, 7.0, 1.0))
    view, detection = seen(scene, 0)
    assert detection.mask is not None
    wide = detection.mask.copy()
    for shift in range(1, 5):  # four pixels over the left and right border, onto the wall half a metre behind
        wide |= np.roll(detection.mask, shift, 1) | np.roll(detection.mask, -shift, 1)
    found = lift(view, replace(detection, mask=wide), CONFIG, Counter())
    assert found is not None
    off = off_surface(found.points, scene.objects[0].box)
    assert np.percentile(off, 99.5) < 0.001 and off.max() < 0.1  # a pixel of floor at its foot, none of the wall
    # The region keeps the rim, and what bled: other frames will tell.
    assert found.region.inside.sum() == wide.sum()


@pytest.mark.parametrize("floor_known", [True, False])
def test_a_box_around_a_table_holds_no_floor_and_no_wall(floor_known: bool) -> None:
    scene = scene_of(TABLE, eye=(3.0, 1.5, 2.0))
    view, detection = seen(scene, 0)
    x0, y0, x1, y1 = detection.box_px
    loose = replace(detection, mask=None, box_px=(x0 - 12, y0 - 12, x1 + 12, y1 + 40))
    counts: Counter[str] = Counter()
    found = lift(view, loose, CONFIG, counts, 0.0 if floor_known else None)
    assert found is not None and len(found.points) > 500
    assert off_surface(found.points, scene.objects[0].box).max() < 0.03
    assert counts["pixel: on what lies behind"] > 1000
    box = fit_box(found.points)
    assert np.abs(box.size[:2] - [1.2, 0.8]).max() < 0.08


def test_a_box_around_a_cup_holds_no_table_top() -> None:
    cup = ("cup", (3.0, 4.0, 0.80), (0.10, 0.10, 0.10))
    scene = scene_of(TABLE, cup, eye=(3.0, 2.8, 1.5), target=(3.0, 4.0, 0.75))
    view, detection = seen(scene, 1)
    x0, y0, x1, y1 = detection.box_px
    found = lift(view, replace(detection, mask=None, box_px=(x0 - 4, y0 - 4, x1 + 4, y1 + 4)), CONFIG, Counter(), 0.0)
    assert found is not None
    assert off_surface(found.points, scene.objects[1].box).max() < 0.03
    assert found.points[:, 2].min() > 0.75 + 0.02


def test_a_flat_thing_in_a_box_keeps_its_pixels() -> None:
    rug = ("rug", (3.0, 4.0, 0.005), (1.6, 1.0, 0.01))
    scene = scene_of(rug, eye=(3.0, 2.0, 1.7), target=(3.0, 4.0, 0.0))
    view, detection = seen(scene, 0)
    counts: Counter[str] = Counter()
    found = lift(view, replace(detection, mask=None), CONFIG, counts, 0.0)
    assert found is not None and counts["detection: flat on what lies behind it"] == 1
    # All of the floor in the box: nothing tells where on it the rug ends.
    size = np.ptp(found.points, axis=0)
    assert 1.5 < size[0] < 2.3 and 0.9 < size[1] < 1.1 and size[2] < 0.03


def test_of_two_things_in_a_box_the_near_one_in_the_middle_is_lifted() -> None:
    near, far = ("chair", (3.0, 3.2, 0.5), (0.5, 0.4, 1.0)), ("chair", (3.0, 6.0, 0.8), (2.0, 0.4, 1.6))
    scene = scene_of(near, far, eye=(3.0, 1.0, 1.5), target=(3.0, 4.0, 0.7))
    view, detection = seen(scene, 0)
    found = lift(view, replace(detection, mask=None), CONFIG, Counter(), 0.0)
    assert found is not None
    assert off_surface(found.points, scene.objects[0].box).max() < 0.03


def test_depth_of_another_camera_is_looked_up_through_both() -> None:
    """Depth from a wider camera at the same pose, as phones and the RedKitchen have it."""
    scene = scene_of(TABLE)
    frame = scene.frames[0]
    wide = PinholeCamera(256, 192, 150.0, 150.0, 125.0, 99.0)
    wide_scene = box_scene([TABLE], [frame.T_world_cam], camera=wide)
    other = replace(frame, depth=wide_scene.frames[0].depth, depth_camera=wide)
    view = reader(scene).view(other)
    _, detection = seen(scene, 0)
    found = lift(view, detection, CONFIG, Counter())
    assert found is not None
    assert off_surface(found.points, scene.objects[0].box).max() < 0.005
    mapped = view.color_box((0.0, 0.0, float(CAMERA.width), float(CAMERA.height)))
    assert mapped[0] == pytest.approx((0 - CAMERA.cx) / CAMERA.fx * 150.0 + 125.0)
    assert mapped[3] == pytest.approx((240 - CAMERA.cy) / CAMERA.fy * 150.0 + 99.0)


def test_thinned_depth_unprojects_to_the_same_places() -> None:
    scene = scene_of(TABLE)
    full, thin = (reader(scene, width).view(scene.frames[0]) for width in (640, 100))
    assert thin.depth.shape == (60, 80)
    rows, columns = np.nonzero(thin.depth > 0)
    assert np.allclose(thin.points(rows, columns), full.points(rows * 4 + 2, columns * 4 + 2), atol=1e-9)


def test_without_depth_it_is_cast_from_the_mesh() -> None:
    scene = scene_of(TABLE, with_depth=False)
    view, detection = seen(scene, 0)
    found = lift(view, detection, CONFIG, Counter())
    assert found is not None
    assert off_surface(found.points, scene.objects[0].box).max() < 0.01


def test_no_depth_and_no_surface_is_one_clear_error() -> None:
    scene = replace(scene_of(TABLE, with_depth=False), surface=None)
    with pytest.raises(SceneError, match="no depth image and no surface"):
        find_objects(scene, {scene.frames[0].id: []})


def test_bad_detections_are_counted_or_refused() -> None:
    scene = scene_of(TABLE)
    view, detection = seen(scene, 0)
    counts: Counter[str] = Counter()
    assert lift(view, replace(detection, mask=np.zeros((240, 320), bool)), CONFIG, counts) is None
    assert lift(view, replace(detection, mask=None, box_px=(-90.0, -50.0, -10.0, -5.0)), CONFIG, counts) is None
    assert lift(view, replace(detection, mask=None, box_px=(50.0, 50.0, 50.0, 90.0)), CONFIG, counts) is None
    blind = replace(view, depth=np.zeros_like(view.depth))
    assert lift(blind, detection, CONFIG, counts) is None
    assert lift(blind, replace(detection, mask=None), CONFIG, counts) is None
    assert counts["detection: its mask is empty or outside the depth image"] == 1
    assert counts["detection: its box is empty or outside the depth image"] == 2
    assert counts["detection: too few pixels with depth"] == 2
    frame_id = scene.frames[0].id
    with pytest.raises(SceneError, match="finite"):
        find_objects(scene, {frame_id: [replace(detection, score=float("nan"))]})
    with pytest.raises(SceneError, match="does not have"):
        find_objects(scene, {"000099": []})


def test_nan_and_infinite_depth_count_as_unknown() -> None:
    scene = scene_of(TABLE)
    frame = scene.frames[0]
    assert frame.depth is not None
    broken = np.asarray(frame.depth()).copy()
    broken[::2], broken[1::4] = np.nan, np.inf
    view = reader(scene).view(replace(frame, depth=lambda: broken))
    assert np.isfinite(view.depth).all() and (view.depth[::2] == 0).all()
    found = lift(view, seen(scene, 0)[1], CONFIG, Counter())
    assert found is not None and np.isfinite(found.points).all()


def test_backdrop_needs_a_plane_that_goes_on_and_has_nothing_behind() -> None:
    random = np.random.default_rng(1)
    eye = np.array([0.0, 0.0, 2.0])
    floor = np.column_stack([random.uniform(-2, 2, (900, 2)), np.zeros(900)])
    around = np.abs(floor[:, :2]).max(1) > 1
    top = np.column_stack([random.uniform(-1, 1, (600, 2)), np.full(600, 0.7)])
    found = backdrop(floor[around], np.concatenate([floor[~around], top]), eye, 0.03, 0.2)
    assert found[: (~around).sum()].all() and not found[(~around).sum() :].any()
    # The same plane with points behind it is no backdrop, unless it is nearly all that the ring shows.
    below = top - [0, 0, 1.4]
    inside = np.concatenate([floor[~around], top, below])
    assert backdrop(floor[around], inside, eye, 0.03, 0.2)[: (~around).sum()].all()
    scattered = np.column_stack([random.uniform(1.2, 2, (around.sum(), 2)), random.uniform(-1.5, 1.5, around.sum())])
    assert not backdrop(np.concatenate([floor[around], scattered]), inside, eye, 0.03, 0.2).any()
    assert not backdrop(floor[:10], top, eye, 0.03, 0.2).any()


def test_cells_and_lumps_against_plain_ways() -> None:
    random = np.random.default_rng(0)
    points = random.normal(0, 1, (500, 3))
    keys, sums, counts = cell_means(points, 0.5)
    plain: dict[tuple, list[np.ndarray]] = {}
    for point in points:
        plain.setdefault(tuple(np.floor(point / 0.5).astype(int)), []).append(point)
    assert len(keys) == len(plain) and counts.sum() == 500
    cells = sorted(plain)  # keys order cells by x, then y, then z
    assert np.allclose(sums, [np.sum(plain[cell], axis=0) for cell in cells])
    assert (np.diff(keys) > 0).all()
    assert len(set(cell_keys(np.array([[0.1, 0.1, -0.1], [0.1, 0.1, 0.1]]), 0.5).tolist())) == 2
    line = np.concatenate([np.linspace(0, 1, 30), np.linspace(1.3, 2, 20)])
    assert np.bincount(lumps(np.column_stack([line, line * 0, line * 0]), 0.1)).tolist() == [30, 20]
    assert len(lumps(np.zeros((0, 3)), 0.1)) == 0


def test_regions_hold_their_pixels() -> None:
    region = Region(2, 3, 4, np.array([[True, False], [False, True]]))
    rows, columns = np.array([8, 11, 8, 12, 7, 15]), np.array([12, 15, 16, 16, 12, 19])
    assert region.holds(rows, columns).tolist() == [True, True, False, True, False, True]


@pytest.mark.parametrize("turn_deg", [0.0, 20.0, 77.0])
def test_a_box_around_two_sides_of_a_cuboid_is_the_cuboid(turn_deg: float) -> None:
    s, t = np.meshgrid(np.linspace(0, 1, 40), np.linspace(0, 1, 40))
    front = np.stack([1.2 * s.ravel(), 0 * s.ravel(), 2 * t.ravel()], -1)
    side = np.stack([0 * s.ravel(), 0.8 * s.ravel(), 2 * t.ravel()], -1)
    angle = np.radians(turn_deg)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    points = np.concatenate([front, side]) @ turn.T
    box = fit_box(points)
    assert np.allclose(box.size, [1.2, 0.8, 2.0], atol=0.02)
    assert np.allclose(box.center, turn @ [0.6, 0.4, 1.0], atol=0.02)


def test_thin_boxes_grow_away_from_the_camera() -> None:
    picture = np.stack(np.meshgrid(np.linspace(0, 0.6, 20), [5.0], np.linspace(1, 1.4, 20)), -1).reshape(-1, 3)
    box = fit_box(picture, np.array([0.0, 1.0, 1.5]), 0.04)
    low, high = box.corners().min(0), box.corners().max(0)
    assert np.allclose(low, [0, 5.0, 1.0], atol=1e-6) and np.allclose(high, [0.6, 5.04, 1.4], atol=1e-6)
    point = fit_box(np.zeros((1, 3)), np.array([0.0, 0.0, 2.0]), 0.04)
    assert np.allclose(point.size, 0.04)


def test_a_cup_at_the_edge_of_a_table_holds_no_table_top() -> None:
    """Behind the edge floor and wall are seen, so the top has something behind it and is not all around."""
    cup = ("cup", (3.0, 4.32, 0.80), (0.10, 0.10, 0.10))
    scene = scene_of(TABLE, cup, eye=(3.0, 3.2, 1.25), target=(3.0, 4.32, 0.78))
    view, detection = seen(scene, 1)
    x0, y0, x1, y1 = detection.box_px
    loose = replace(detection, mask=None, box_px=(x0 - 8, y0 - 8, x1 + 8, y1 + 8))
    found = lift(view, loose, CONFIG, Counter(), 0.0)
    assert found is not None and found.points[:, 2].min() > 0.75 + 0.02
    assert off_surface(found.points, scene.objects[1].box).max() < 0.03


def test_sides_of_a_box_leave_out_the_share_that_is_asked_for() -> None:
    random = np.random.default_rng(3)
    points = np.concatenate([random.uniform(0, 1, (2000, 3)) * [2, 1, 0.5], [[2.6, 0.5, 0.2], [1.0, 0.5, 1.4]]])
    assert fit_box(points).size.max() > 2.5
    assert np.allclose(fit_box(points, outside_percent=0.5).size, [2, 1, 0.5], atol=0.06)
