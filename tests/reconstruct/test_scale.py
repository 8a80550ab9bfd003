"""Scale: every kind of hint gives the exact answer on a known world, and what cannot be right is refused."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

import fused_rooms as rooms
from spaceland.errors import ReconstructionError, SourceError
from spaceland.geometry.camera import PinholeCamera
from spaceland.geometry.transforms import invert_rigid, look_at, transform_points
from spaceland.reconstruct.depth_views import DepthView
from spaceland.reconstruct.scale import ScaleFix, ScaleHint, set_scale
from spaceland.reconstruct.upright import WorldFix, level_world

UNIT = 0.21
"""Units to the metre in the world of these tests."""
COLOR = PinholeCamera.from_fov(640, 480, 70.0)
DEPTH = PinholeCamera(160, 120, 130.0, 130.0, 81.0, 60.0)
EYE = np.array([2.0, 0.4, 1.5])


def _world(T: np.ndarray) -> tuple[list[DepthView], WorldFix]:
    """A 4 x 3 m room, moved by T and in small units; the first camera looks at the wall y = 3 with depth."""
    surface = rooms.joined(rooms.quad([0, 0, 0], [4, 0, 0], [0, 3, 0]), rooms.walls(4, 3, 2.5))
    poses = [look_at(EYE, np.array([2.0, 3.0, 1.2]))]
    poses += [look_at(EYE + [0.1 * k, 0, 0], np.array([2.0 + k, 3.0, 1.0])) for k in range(1, 9)]
    rays = DEPTH.pixel_rays() @ poses[0][:3, :3].T
    with np.errstate(divide="ignore"):
        wall, floor = (3.0 - EYE[1]) / rays[..., 1], -EYE[2] / rays[..., 2]
    depth = np.where((floor > 0) & (floor < wall), floor, wall) * UNIT
    depth[:, :8] = 0.0
    moved = rooms.moved_poses(poses, T, UNIT)
    views = [DepthView(f"{k:06d}", pose, COLOR, DEPTH, partial(np.copy, depth)) for k, pose in enumerate(moved)]
    return views, level_world(rooms.moved_surface(surface, T, UNIT), moved, metric=False)


@pytest.fixture(scope="module")
def world() -> tuple[list[DepthView], WorldFix]:
    return _world(rooms.random_motion(11))


def _pixel(point: list[float]) -> str:
    """Where a point of the room is in the first picture."""
    first = look_at(EYE, np.array([2.0, 3.0, 1.2]))
    (u, v), _ = COLOR.project(transform_points(invert_rigid(first), np.array(point)))
    return f"{u:.4f},{v:.4f}"


def _scale(text: str | None, world: tuple[list[DepthView], WorldFix], **more: bool) -> ScaleFix:
    hint = None if text is None else ScaleHint.parse(text)
    return set_scale(hint, *world, metric=more.get("metric", False), source="as told", extent=5 * UNIT, **{
        key: value for key, value in more.items() if key != "metric"
    })  # fmt: skip


def test_camera_height_is_exact(world: tuple[list[DepthView], WorldFix]) -> None:
    fix = _scale("camera-height=1.5", world)
    assert fix.metres_per_unit == pytest.approx(1 / UNIT, rel=1e-6)
    assert fix.metric and fix.source == "given by the user: camera-height=1.5" and not fix.warnings


def test_a_length_between_two_pixels(world: tuple[list[DepthView], WorldFix]) -> None:
    text = f"length=000000:{_pixel([1.2, 3, 1.2])}:{_pixel([2.4, 3, 1.6])}={np.hypot(1.2, 0.4)}"
    # The median over 5 x 5 pixels of a wall seen at a slant is not the depth of the middle one to the last digit.
    assert _scale(text, world).metres_per_unit == pytest.approx(1 / UNIT, rel=0.002)


def test_a_door_by_foot_and_top_needs_no_depth(world: tuple[list[DepthView], WorldFix]) -> None:
    foot, top = _pixel([2.6, 3, 0]), _pixel([2.6, 3, 2.03])
    for ends in (f"{foot}:{top}", f"{top}:{foot}"):
        assert _scale(f"door-height=000000:{ends}=2.03", world).metres_per_unit == pytest.approx(1 / UNIT, rel=1e-4)


def test_points_of_the_scene_as_it_comes_without_a_hint(world: tuple[list[DepthView], WorldFix]) -> None:
    first = _scale(None, world)
    assert not first.metric and first.source == "unknown (camera height assumed 1.5 m)"
    # The scene without a hint happens to be true to scale here, since the camera height is 1.5 m: make it 1.8 m long.
    fix = _scale("length=0,0,0.5:0,1.5,0.5=1.8", world)
    assert fix.metres_per_unit == pytest.approx(first.metres_per_unit * 1.2)
    fix = _scale("door-height=0,0,0:0.3,0.4,2=2.2", world)
    assert fix.metres_per_unit == pytest.approx(first.metres_per_unit * 1.1)


def test_the_way_of_the_camera(world: tuple[list[DepthView], WorldFix]) -> None:
    assert _scale("travel=0.8", world).metres_per_unit == pytest.approx(1 / UNIT, rel=1e-6)


def test_measured_depth_is_kept_and_the_hint_compared(world: tuple[list[DepthView], WorldFix]) -> None:
    fix = _scale(f"camera-height={1.5 * UNIT * 0.8}", world, metric=True, measured=True)
    assert fix.metres_per_unit == 1.0 and fix.metric and fix.source == "as told"
    assert fix.hint_off_percent == pytest.approx(25.0)
    assert "is kept" in fix.warnings[0]


def test_estimated_metres_give_way_to_the_user(world: tuple[list[DepthView], WorldFix]) -> None:
    assert _scale(None, world, metric=True).metres_per_unit == 1.0
    assert _scale("camera-height=1.5", world, metric=True).metres_per_unit == pytest.approx(1 / UNIT, rel=1e-6)


def test_impossible_heights_are_a_warning(world: tuple[list[DepthView], WorldFix]) -> None:
    assert "12.00 m above" in _scale("travel=6.4", world).warnings[0]


@pytest.mark.parametrize("text", ["camera-height=900", "travel=0.001"])
def test_rooms_of_no_possible_size_are_refused(text: str, world: tuple[list[DepthView], WorldFix]) -> None:
    with pytest.raises(ReconstructionError, match=r"the scene would be .* m across"):
        _scale(text, world)


def test_without_floor_heights_are_refused() -> None:
    surface = rooms.walls(4, 3, 2.5)
    poses = [look_at(EYE, np.array([2.0 + k, 3.0, 1.2])) for k in (-1, 0, 1)]
    world = (
        [DepthView(str(k), pose, COLOR, DEPTH) for k, pose in enumerate(poses)],
        level_world(surface, poses, metric=False),
    )
    for text in ("camera-height=1.5", "door-height=0:1,2:1,9=2"):
        with pytest.raises(ReconstructionError, match="no floor was seen"):
            _scale(text, world)
    fix = _scale(None, world)
    assert fix.metres_per_unit == pytest.approx(1 / UNIT) and not fix.metric and "no floor" in fix.source


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("length=nobody:10,10:20,20=1", "no picture 'nobody'"),
        ("length=000000:10,10:700,20=1", "outside the picture"),
        ("length=000000:2,240:300,240=1", "no depth around"),
        ("length=000000:300,240:300,240=1", "two different points"),
        ("length=0,0,0:0,0,0=1", "two different points"),
        ("door-height=000000:300,20:300,60=2", "foot of the door"),
        ("door-height=000000:100,470:600,60=2", "not above each other"),
    ],
)
def test_hints_that_do_not_fit_the_scene(text: str, message: str, world: tuple[list[DepthView], WorldFix]) -> None:
    with pytest.raises(ReconstructionError, match=message):
        _scale(text, world)


@pytest.mark.parametrize(
    "text",
    [
        "", "=", "camera-height", "camera-height=", "camera-height=0", "camera-height=-1", "camera-height=nan",
        "camera-height=inf", "camera-height=1e9", "camera-height=a:1,2=1", "travel=x", "height=1", "length=1.0",
        "length=a:1,2=1", "length=a:1,2:3=1", "length=a:1,2:3,4,5=1", "length=:1,2:3,4=1", "length=1,2:3,4=1",
        "length=a:1,nan:3,4=1", "length=a:1,2:3,4:5,6=1", "door-height=2.03", "length=a:1,2:3,4=1; rm -rf /", "=" * 50,
        "length=" + "9" * 400 + ":1,2:3,4=0",
    ],
)  # fmt: skip
def test_bad_texts_are_refused_with_an_example(text: str) -> None:
    with pytest.raises(SourceError, match=r"metres|write camera-height|takes a length"):
        ScaleHint.parse(text)


@pytest.mark.parametrize(
    "text",
    ["camera-height=1.45", "travel=12.5", "length=000012:320,200:410.5,205=0.8", "door-height=0,1,0:0,1,2=2.03"],
)
def test_texts_are_read_and_written(text: str) -> None:
    hint = ScaleHint.parse(f"  {text} ")
    assert hint.text == text
    assert ScaleHint.parse(hint.text) == hint
