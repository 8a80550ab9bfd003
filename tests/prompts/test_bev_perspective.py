"""The bird's-eye view in perspective against rays and boxes worked out by hand."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handmade import box_scene
from spaceland.errors import SceneError
from spaceland.geometry.transforms import look_at
from spaceland.prompts import Bev, BevConfig, BevMap, PerspectiveMap, map_from_json, render_bev
from spaceland.prompts.clip import clip_below
from spaceland.scenes.scene import NO_OBJECT, Scene, Surface

BOXES = [
    ("table", (3.0, 4.0, 0.375), (1.6, 0.9, 0.75)),
    ("cup", (3.2, 4.1, 0.8), (0.1, 0.1, 0.1)),
    ("bed", (1.0, 1.2, 0.25), (1.6, 2.0, 0.5)),
    ("wardrobe", (5.6, 6.0, 1.1), (0.6, 1.8, 2.2)),
    ("ceiling lamp", (3.0, 4.0, 2.7), (0.4, 0.4, 0.3)),
]
POSES = [look_at(np.array([5.0, 4.0, 1.5]), np.array([2.0, 3.0, 0.5]))]
CONFIG = BevConfig(projection="perspective", size_px=400)
place = st.tuples(st.floats(-60, 60), st.floats(-60, 60))


@pytest.fixture(scope="module")
def room() -> Scene:
    return box_scene(BOXES, POSES)


@pytest.fixture(scope="module")
def bev(room: Scene) -> Bev:
    return render_bev(room, CONFIG)


def _view(bev: Bev) -> PerspectiveMap:
    assert isinstance(bev.map, PerspectiveMap)
    return bev.map


def _pixels(bev: Bev) -> np.ndarray:
    height, width = bev.shape
    return np.stack(np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5), -1)


@given(place, st.floats(2, 30), st.floats(100, 3000), st.floats(-3, 1), place)
def test_map_and_back_at_any_height(
    eye: tuple[float, float], height: float, focal: float, z: float, point: tuple[float, float]
) -> None:
    view = PerspectiveMap((*eye, height), focal, (320.0, 240.0), -1.0)
    stored = map_from_json(json.loads(json.dumps(view.to_json())))
    assert stored == view
    pixel = stored.world_to_pixel(np.array([*point, z]))
    np.testing.assert_allclose(stored.pixel_to_world(pixel, z), point, atol=1e-7)
    np.testing.assert_allclose(stored.pixel_to_world(stored.world_to_pixel(np.array(point))), point, atol=1e-7)
    on_floor = stored.world_to_pixel(np.array([*point, -1.0]))
    np.testing.assert_allclose(on_floor, stored.world_to_pixel(np.array(point)), atol=1e-9)


def test_each_map_reads_back_as_its_own_kind() -> None:
    flat = BevMap(0.01, (1.0, 2.0))
    assert map_from_json(flat.to_json()) == flat
    assert np.isnan(PerspectiveMap((0, 0, 3), 100, (0, 0), 0).world_to_pixel(np.array([1.0, 1.0, 3.0]))).all()


def test_every_pixel_shows_what_its_ray_meets_first(room: Scene, bev: Bev) -> None:
    view = _view(bev)
    eye = np.array(view.camera_m)
    pixels = _pixels(bev)
    rays = np.concatenate([view.pixel_to_world(pixels, eye[2] - 1.0), np.full((*bev.shape, 1), eye[2] - 1.0)], -1) - eye
    nearest, expected = np.full(bev.shape, np.inf), np.full(bev.shape, NO_OBJECT)
    for k in (0, 1, 2, 3):  # the lamp hangs above the cut
        _, center, size = BOXES[k]
        with np.errstate(divide="ignore"):  # rays straight down meet upright planes nowhere
            first, second = ((np.array(center) + s * np.array(size) / 2 - eye) / rays for s in (-1, 1))
        enter, leave = np.minimum(first, second).max(-1), np.maximum(first, second).min(-1)
        closer = (enter < leave) & (enter < nearest)
        nearest[closer], expected[closer] = enter[closer], k
    assert (bev.object_ids == expected).mean() > 0.9999  # a ray along an edge may go either way
    same = (bev.object_ids == expected) & (expected != NO_OBJECT)
    np.testing.assert_allclose(bev.height_m[same], (eye[2] - nearest)[same], atol=1e-3)
    # Pixel and height lead to a place of the room: inside the footprint of what the pixel shows.
    for k in (0, 2, 3):
        seen = bev.object_ids == k
        xy = view.pixel_to_world(pixels[seen], bev.height_m[seen])
        _, center, size = BOXES[k]
        assert (np.abs(xy - center[:2]) <= np.array(size[:2]) / 2 + 0.01).all()


def test_camera_stands_as_low_as_shows_the_whole_room(room: Scene, bev: Bev) -> None:
    view = _view(bev)
    width, height = bev.shape[1], bev.shape[0]
    assert max(bev.shape) == 400 and bev.strip_top_px == height and bev.bar_px is None
    assert view.camera_m[:2] == pytest.approx((3.0, 4.0))
    assert 2 * np.degrees(np.arctan(200 / view.focal_px)) == pytest.approx(60, abs=1e-3)
    tops = np.array([[x, y, 1.9] for x in (0, 6) for y in (0, 8)])
    corners = view.world_to_pixel(tops)
    assert (corners >= 0).all() and (corners <= [width, height]).all()
    assert np.abs(corners - [width / 2, height / 2]).max() > 0.9 * 200
    # Walls splay outward: their inner faces are seen between the floor's edge and their upper edge.
    u, v = view.world_to_pixel(np.array([0.0, 5.0, 1.0])).astype(int)
    assert bev.object_ids[v, u] == NO_OBJECT and bev.height_m[v, u] == pytest.approx(1.0, abs=0.03)


def test_walls_end_straight_at_the_cut(room: Scene, bev: Bev) -> None:
    assert (bev.cut.rule, bev.cut.z_m, bev.hanging) == ("cameras", pytest.approx(1.9), (4,))
    structure = bev.height_m[bev.object_ids == NO_OBJECT]
    assert np.nanmax(structure) <= 1.9 + 1e-4
    for end in ([0.0, 2.0], [6.0, 3.0], [2.0, 0.0], [2.0, 8.0]):
        u, v = _view(bev).world_to_pixel(np.array([*end, 1.87])).astype(int)
        around = bev.height_m[max(v - 1, 0) : v + 2, max(u - 1, 0) : u + 2]
        assert np.nanmax(around) == pytest.approx(1.87, abs=0.05)
    empty = np.isnan(bev.height_m)
    assert empty[0].all() and empty[:, 0].all()


def test_given_height_and_angle_are_kept(room: Scene) -> None:
    bev = render_bev(room, replace(CONFIG, camera_height_m=20.0, fov_deg=40.0))
    view = _view(bev)
    assert view.camera_m[2] == 20.0
    assert bev.map.metres_per_px == pytest.approx(20 * np.tan(np.radians(20)) / 200, rel=1e-4)


def test_points_look_like_the_mesh(room: Scene, bev: Bev) -> None:
    """Points spread at random over the same surface leave no gaps on the floor and give nearly the same owners."""
    rng = np.random.default_rng(0)
    surface = room.surface
    assert surface is not None and surface.faces is not None and surface.object_ids is not None
    corners = surface.vertices[surface.faces]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    face = rng.choice(len(area), 150_000, p=area / area.sum())
    a, b = rng.random((2, len(face), 1))
    a, b = np.where(a + b > 1, 1 - a, a), np.where(a + b > 1, 1 - b, b)
    points = corners[face, 0] * (1 - a - b) + corners[face, 1] * a + corners[face, 2] * b
    owner = surface.object_ids[surface.faces[face, 0]]
    cloud = replace(room, surface=Surface(points, np.full(points.shape, 120, np.uint8), None, owner))
    other = render_bev(cloud, CONFIG)
    assert other.surface_kind == "points"
    x, y = np.meshgrid(np.arange(0.3, 5.7, 0.05), np.arange(0.3, 7.7, 0.05))
    floor = np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], -1)

    def look(one: Bev, image: np.ndarray) -> np.ndarray:
        u, v = one.map.world_to_pixel(floor).astype(int).T
        return image[v, u]

    assert not np.isnan(look(other, other.height_m)).any()
    assert (look(other, other.object_ids) == look(bev, bev.object_ids)).mean() > 0.97


def test_clipping_keeps_the_area_below() -> None:
    rng = np.random.default_rng(1)
    vertices = rng.uniform(-1, 1, (120, 3))
    faces = np.arange(120).reshape(40, 3)
    colors = rng.integers(0, 255, (120, 3)).astype(np.uint8)
    surface = Surface(vertices, colors, faces, np.repeat(np.arange(40), 3))
    cut, origin = clip_below(surface, np.ones(40, dtype=bool), 0.2)
    assert cut.faces is not None and cut.object_ids is not None and cut.colors is not None
    assert cut.vertices[cut.faces][..., 2].max() <= 0.2 + 1e-12
    assert len(cut.colors) == len(cut.vertices) == len(origin)
    fine = rng.random((4000, 2))
    fine = np.where(fine.sum(1, keepdims=True) > 1, 1 - fine, fine)
    for k in range(40):
        a, b, c = vertices[faces[k]]
        below = (a + fine[:, :1] * (b - a) + fine[:, 1:] * (c - a))[:, 2] <= 0.2
        whole = np.linalg.norm(np.cross(b - a, c - a)) / 2
        parts = cut.vertices[cut.faces[(cut.object_ids[cut.faces] == k).all(1)]]
        area = np.linalg.norm(np.cross(parts[:, 1] - parts[:, 0], parts[:, 2] - parts[:, 0]), axis=1).sum() / 2
        assert area == pytest.approx(whole * below.mean(), abs=0.03 * whole + 1e-9)
    untouched, _ = clip_below(surface, np.zeros(40, dtype=bool), 0.2)
    assert untouched.faces is not None
    np.testing.assert_array_equal(untouched.faces, faces)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"projection": "fisheye"}, "unknown projection 'fisheye'; projections are: orthographic, perspective"),
        ({"fov_deg": 179.0}, "5 to 150"),
        ({"camera_height_m": float("nan")}, "0.1 to 1000"),
        ({"crop_m": (0.0, 0.0, 0.0, 1.0)}, "least x, least y"),
        ({"crop_m": (0.0, 0.0, 1.0, float("inf"))}, "least x, least y"),
        ({"crop_m": (0.0, 0.0, 1.0, 1.0), "crop_to": (1,)}, "not both"),
        ({"fill_holes_m": -1.0}, "0 \\(off\\) to 5"),
        ({"grid_m": 0.0}, "0.01 to 100"),
    ],
)
def test_wrong_settings_are_refused(wrong: dict, message: str) -> None:
    with pytest.raises(SceneError, match=message):
        BevConfig(**wrong)
