"""Single figures of object views on hand-made rooms in which they can be worked out, and what must not change them."""

from dataclasses import replace

import numpy as np
import pytest
from visibility_reference import FURNITURE, POSES, furnished, moved, relabelled, with_depth, without_depth

from handmade import CAMERA, box_scene
from spaceland.errors import SceneError
from spaceland.geometry.camera import PinholeCamera
from spaceland.geometry.transforms import look_at
from spaceland.scenes.scene import NO_OBJECT, Scene
from spaceland.visibility import MapMaker, ObjectView, SceneVisibility, VisibilityConfig, scene_visibility

EYE = np.array([3.0, 1.0, 1.0])
AHEAD = look_at(EYE, np.array([3.0, 7.0, 1.0]))  # level, along +y: u grows with x, v grows downwards


def one_view(scene: Scene, object_id: int = 0) -> ObjectView:
    view = scene_visibility(scene).view("000000", object_id)
    assert view is not None
    return view


def test_a_box_ahead_has_the_size_that_a_pencil_gives() -> None:
    """Front side 1 m x 1 m at 3 m, 260 px focal length: 86.7 px square around the middle of the picture."""
    view = one_view(box_scene([("box", (3, 4.5, 1.0), (1, 1, 1))], [AHEAD], with_ids=True))
    assert view.visible_px == pytest.approx((260 / 3) ** 2, rel=0.03)
    assert view.box_px == pytest.approx((160 - 43.3, 120 - 43.3, 160 + 43.3, 120 + 43.3), abs=1)
    assert view.visible_fraction > 0.98 and view.truncated == 0 and view.occluded < 0.02
    assert view.anchor_px == pytest.approx((160, 120), abs=1)
    assert view.anchor_clearance_px == pytest.approx(43.3, abs=1.5)
    assert view.anchor_depth_m == pytest.approx(3.0, abs=1e-3)
    assert view.center_px == pytest.approx((160, 120)) and view.center_depth_m == pytest.approx(3.5)


def test_figures_are_in_pixels_of_the_colour_image() -> None:
    small = one_view(box_scene([("box", (3, 4.5, 1.2), (1, 1, 1))], [AHEAD], with_ids=True))
    large = one_view(
        box_scene([("box", (3, 4.5, 1.2), (1, 1, 1))], [AHEAD], with_ids=True, camera=CAMERA.scaled(960, 720))
    )
    assert large.visible_px == pytest.approx(9 * small.visible_px, rel=0.02)
    assert np.array(large.box_px) / 3 == pytest.approx(np.array(small.box_px), abs=1)
    assert np.array(large.anchor_px) / 3 == pytest.approx(np.array(small.anchor_px), abs=1)
    assert large.anchor_clearance_px == pytest.approx(3 * small.anchor_clearance_px, abs=3)


@pytest.mark.parametrize(("x", "outside"), [(3.0, 0.0), (4.86, 0.5), (4.61, 0.25), (5.11, 0.75)])
def test_truncated_is_the_share_beyond_the_border(x: float, outside: float) -> None:
    """The border is 160 / 260 * 3 m = 1.846 m to the right of the camera; a thin plate 1 m wide stands across it."""
    view = one_view(box_scene([("plate", (x, 4.0, 1.0), (1, 0.01, 1))], [AHEAD], with_ids=True, room_size=(7, 8, 3)))
    assert view.truncated == pytest.approx(outside, abs=0.04)
    assert view.visible_fraction == pytest.approx(1 - outside, abs=0.04)
    assert view.occluded < 0.02
    if outside:
        assert view.box_px[2] == 320


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 0.75])
def test_occluded_is_the_share_behind_something(share: float) -> None:
    """Two thin plates, the one in front at half the distance and half the size: it hides a share from the left."""
    left = 3.0 - 0.5 + share - 0.5  # of the shadow at the far plate, whose left edge is at 2.5 m
    plates = [("far", (3, 5, 1), (1, 0.01, 1)), ("near", (3 + (left + 0.0 - 3) / 2, 3, 1), (0.5, 0.01, 0.6))]
    view = one_view(box_scene(plates, [AHEAD], with_ids=True))
    assert view.occluded == pytest.approx(share, abs=0.04)
    assert view.visible_fraction == pytest.approx(1 - share, abs=0.04)
    assert view.truncated == 0


@pytest.mark.parametrize("depth", [True, False])
def test_geometry_without_annotation_hides_too(depth: bool) -> None:
    boxes = [("chair", (3, 5, 0.9), (0.8, 0.4, 0.8)), ("nameless", (3, 3, 0.9), (1.2, 0.4, 1.4))]
    for side, hidden in ((3.0, 1.0), (3.0 + 0.6, 0.0)):
        boxes[1] = ("nameless", (side + (0.4 if hidden == 0 else 0), 3, 0.9), (1.2, 0.4, 1.4))
        scene = relabelled(box_scene(boxes, [AHEAD], with_depth=depth), {1: NO_OBJECT})
        seen = scene_visibility(scene).view("000000", 0)
        if hidden:
            assert seen is None
        else:
            assert seen is not None and seen.occluded < 0.03


def test_a_box_partly_behind_the_camera() -> None:
    """A long board runs from behind the camera to 4 m ahead: seen, cut off, every figure finite or NaN as stated."""
    view = one_view(box_scene([("board", (3.0, 2.0, 0.4), (0.4, 3.6, 0.1))], [AHEAD], with_ids=True))
    assert 0 < view.visible_fraction < 0.6 and 0.4 < view.truncated < 1
    assert view.visible_fraction + view.truncated <= 1.001
    assert view.box_px[3] == 240 and view.anchor_depth_m > 0
    behind = one_view(box_scene([("board", (3.0, 0.9, 0.4), (0.4, 3.4, 0.1))], [AHEAD], with_ids=True))
    assert np.isnan(behind.center_depth_m) and np.isnan(behind.center_px).all()


def ring(with_ids: bool) -> Scene:
    """A picture frame of four bars, open in the middle, before a cabinet that shows through."""
    bars = [
        ("frame", (2.55, 4, 1.0), (0.1, 0.05, 1.0)),
        ("frame", (3.45, 4, 1.0), (0.1, 0.05, 1.0)),
        ("frame", (3.0, 4, 1.45), (0.8, 0.05, 0.1)),
        ("frame", (3.0, 4, 0.55), (0.8, 0.05, 0.1)),
        ("cabinet", (3.0, 5, 1.0), (2.0, 0.4, 1.9)),
    ]
    return relabelled(box_scene(bars, [AHEAD], with_ids=with_ids), {1: 0, 2: 0, 3: 0, 4: 1})


@pytest.mark.parametrize("with_ids", [True, False])
def test_anchor_of_a_ring_lies_in_the_band(with_ids: bool) -> None:
    scene = ring(with_ids)
    view = one_view(scene)
    u, v = view.anchor_px
    x, z = 3 + (u - 160) / 260 * view.anchor_depth_m, 1 - (v - 120) / 260 * view.anchor_depth_m
    assert max(abs(x - 3), abs(z - 1)) == pytest.approx(0.45, abs=0.05)
    assert view.anchor_depth_m == pytest.approx(2.975, abs=0.01)
    assert view.visible_fraction > 0.95  # the hole is not part of the projection
    behind = one_view(scene, 1)
    assert behind.occluded == pytest.approx(0.15, abs=0.1)


def test_anchors_never_lie_on_another_object() -> None:
    scene = furnished(with_ids=True)
    truth = {frame.id: frame.object_ids() for frame in scene.frames if frame.object_ids}
    sensor = replace(scene, frames=tuple(replace(frame, object_ids=None) for frame in scene.frames))
    for source in (scene, sensor, without_depth(scene)):
        views = scene_visibility(source).views
        assert len(views) > 15
        for view in views:
            u, v = view.anchor_px
            assert truth[view.frame_id][int(v), int(u)] == view.object_id


def test_holes_in_the_depth_are_neither_visible_nor_occluded() -> None:
    def without_left_half(depth: np.ndarray) -> np.ndarray:
        return np.where(np.arange(depth.shape[1])[None] < 160, 0, depth).astype(np.float32)

    scene = box_scene([("box", (3, 4.5, 1.0), (1, 1, 1))], [AHEAD])
    view = one_view(with_depth(scene, CAMERA, without_left_half))
    assert view.visible_fraction == pytest.approx(0.5, abs=0.03)
    assert view.occluded < 0.02 and view.truncated == 0
    assert view.box_px[0] == 160 and view.anchor_px[0] > 160


def test_depth_that_is_nan_infinite_or_negative_counts_as_missing() -> None:
    scene = box_scene([("box", (3, 4.5, 1.0), (1, 1, 1))], [AHEAD])
    for bad in (np.nan, np.inf, -1.0):
        assert scene_visibility(with_depth(scene, CAMERA, lambda d, bad=bad: np.full_like(d, bad))).views == ()


def test_id_map_over_missing_depth() -> None:
    """The id map still tells what is visible; the anchor goes where there is depth, and is NaN where there is none."""
    scene = box_scene([("box", (3, 4.5, 1.0), (1, 1, 1))], [AHEAD], with_ids=True)
    frame = scene.frames[0]
    for missing, expected in ((slice(0, 160), 3.0), (slice(None), np.nan)):
        depth = frame.depth().copy()
        depth[:, missing] = 0
        holey = replace(scene, frames=(replace(frame, depth=lambda depth=depth: depth),))
        view = one_view(holey)
        assert view.visible_fraction > 0.98
        assert view.anchor_depth_m == pytest.approx(expected, abs=0.01, nan_ok=True)


def test_depth_camera_of_other_size_and_field_of_view() -> None:
    """A coarser, wider depth camera sees what the colour camera sees; a narrower one leaves the rim unknown."""
    scene = furnished(camera=CAMERA.scaled(640, 480), with_ids=True)
    truth = scene_visibility(scene)
    wide = scene_visibility(with_depth(scene, PinholeCamera(500, 400, 330.0, 340.0, 245.0, 205.0)))
    compared = 0
    for view in truth.views:
        if view.visible_px > 1600 and view.visible_fraction > 0.2:
            other = wide.view(view.frame_id, view.object_id)
            assert other is not None
            assert other.visible_px == pytest.approx(view.visible_px, rel=0.1)
            assert other.visible_fraction == pytest.approx(view.visible_fraction, abs=0.06)
            compared += 1
    assert compared > 10
    narrow = with_depth(scene, PinholeCamera(200, 150, 300.0, 300.0, 100.0, 75.0))
    depth = MapMaker(narrow, VisibilityConfig()).maps(narrow.frames[0]).depth
    assert (depth[:, :70] == 0).all() and (depth[:, -70:] == 0).all() and (depth[100:140, 100:220] > 0).all()


def flags(seen: SceneVisibility, reference: SceneVisibility) -> dict[tuple[str, int], tuple[bool, bool, bool]]:
    """Seen at all, hidden to a notable part, cut off to a notable part: for clear cases of the reference only."""
    table = {}
    for view in reference.views:
        if view.visible_px >= 400 and min(abs(view.occluded - 0.2), abs(view.truncated - 0.2)) > 0.06:
            other = seen.view(view.frame_id, view.object_id)
            table[view.frame_id, view.object_id] = (
                other is not None,
                other is not None and other.occluded > 0.2,
                other is not None and other.truncated > 0.2,
            )
    return table


def test_noise_within_the_tolerance_changes_no_flag() -> None:
    scene = furnished()
    config = VisibilityConfig()
    rng = np.random.default_rng(3)
    noisy = with_depth(
        scene, CAMERA, lambda d: (d + 0.5 * config.tolerance_at(d) * rng.uniform(-1, 1, d.shape)).astype(np.float32)
    )
    clean = scene_visibility(scene)
    expected = flags(clean, clean)
    assert len(expected) >= 12
    assert flags(scene_visibility(noisy), clean) == expected


def test_moving_the_world_changes_nothing() -> None:
    """Rotated by 30 degrees about the vertical and moved by a million metres, as a survey would place it."""
    angle = np.radians(30)
    T = np.eye(4)
    T[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    T[:3, 3] = [5e5, 1e6, -40.0]
    scene = furnished()
    scene = replace(scene, frames=scene.frames[:3])
    before, after = scene_visibility(scene), scene_visibility(moved(scene, T))
    for view in before.views:
        if view.visible_px >= 400:
            other = after.view(view.frame_id, view.object_id)
            assert other is not None
            assert other.visible_px == pytest.approx(view.visible_px, rel=0.05)
            assert other.visible_fraction == pytest.approx(view.visible_fraction, abs=0.05)
            assert other.truncated == pytest.approx(view.truncated, abs=0.03)
            assert other.center_px == pytest.approx(view.center_px, abs=0.01)
            assert other.box_px == pytest.approx(view.box_px, abs=4)
    assert np.abs(before.overlap - after.overlap).max() < 0.03


def test_a_mirrored_room_gives_mirrored_views() -> None:
    """Left and right swapped at x = 3 m: boxes and anchors swap in the picture, all shares stay."""

    def mirrored(pose: np.ndarray) -> np.ndarray:
        flip = np.diag([-1.0, 1.0, 1.0, 1.0])
        T = flip @ pose @ flip
        T[0, 3] = 6.0 - pose[0, 3]
        return T

    there = [(label, (6 - x, y, z), size) for label, (x, y, z), size in FURNITURE]
    plain = scene_visibility(box_scene(FURNITURE, POSES, with_ids=True))
    swapped = scene_visibility(box_scene(there, [mirrored(pose) for pose in POSES], with_ids=True))
    assert len(plain.views) == len(swapped.views) > 15
    for view in plain.views:
        other = swapped.view(view.frame_id, view.object_id)
        assert other is not None
        x0, y0, x1, y1 = view.box_px
        assert other.box_px == pytest.approx((320 - x1, y0, 320 - x0, y1), abs=1)
        assert other.anchor_clearance_px == pytest.approx(view.anchor_clearance_px, abs=0.5)
        assert other.anchor_px == pytest.approx((320 - view.anchor_px[0], view.anchor_px[1]), abs=1.01)
        assert other.visible_px == pytest.approx(view.visible_px, rel=0.02)
        for key in ("visible_fraction", "truncated", "occluded"):
            assert getattr(other, key) == pytest.approx(getattr(view, key), abs=0.03)


def test_no_objects_no_surface_no_depth() -> None:
    scene = furnished()
    assert scene_visibility(replace(scene, objects=())).views == ()
    assert scene_visibility(replace(scene, frames=())).overlap.shape == (0, 0)
    assert len(scene_visibility(replace(scene, surface=None)).views) > 15
    with pytest.raises(SceneError, match="no depth image and no surface"):
        scene_visibility(replace(without_depth(scene), surface=None))


def test_the_smallest_views_are_left_out() -> None:
    scene = furnished(with_ids=True)
    every = scene_visibility(scene, VisibilityConfig(min_visible_px=1))
    large = scene_visibility(scene, VisibilityConfig(min_visible_px=500))
    assert {v.object_id for v in large.views} < {v.object_id for v in every.views}
    assert min(v.visible_px for v in large.views) >= 500
    assert [v for v in every.views if v.visible_px >= 500] == list(large.views)
