"""The bird's-eye view against places worked out by hand."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handmade import box_scene, cuboid_mesh
from spaceland.errors import SceneError
from spaceland.geometry.transforms import look_at
from spaceland.prompts import BevConfig, BevMap, render_bev
from spaceland.prompts.ceiling import join_segments, slice_triangles
from spaceland.scenes.scene import NO_OBJECT, Scene, Surface, make_scene

BOXES = [
    ("table", (3.0, 4.0, 0.375), (1.6, 0.9, 0.75)),
    ("cup", (3.2, 4.1, 0.8), (0.1, 0.1, 0.1)),
    ("bed", (1.0, 1.2, 0.25), (1.6, 2.0, 0.5)),
    ("wardrobe", (5.6, 6.0, 1.1), (0.6, 1.8, 2.2)),
    ("ceiling lamp", (3.0, 4.0, 2.7), (0.4, 0.4, 0.3)),
]
POSES = [look_at(np.array([5.0, 4.0, 1.5]), np.array([2.0, 3.0, 0.5]))]


@pytest.fixture(scope="module")
def room() -> Scene:
    return box_scene(BOXES, POSES)


def _as_points(scene: Scene, spacing_m: float) -> Scene:
    """The same room as a cloud of points on a lattice, with owners."""
    vertices, ids = [], []
    for k, (_, center, size) in enumerate([*BOXES, ("room", (3.0, 4.0, 1.5), (6.0, 8.0, 3.0))]):
        points, _ = cuboid_mesh(center, size, cells=int(np.ceil(max(size) / spacing_m)))
        vertices.append(points)
        ids.append(np.full(len(points), k if k < len(BOXES) else NO_OBJECT, dtype=np.int32))
    colors = np.full((sum(map(len, vertices)), 3), 120, dtype=np.uint8)
    surface = Surface(np.concatenate(vertices), colors, None, np.concatenate(ids))
    objects = [replace(thing, faces=None) for thing in scene.objects]
    return replace(scene, surface=surface, objects=tuple(objects))


@given(
    st.floats(0.001, 0.05),
    st.tuples(st.floats(-50, 50), st.floats(-50, 50)),
    st.tuples(st.floats(-60, 60), st.floats(-60, 60)),
)
def test_map_and_back(scale: float, origin: tuple[float, float], place: tuple[float, float]) -> None:
    bev_map = BevMap(scale, origin)
    stored = BevMap.from_json(json.loads(json.dumps(bev_map.to_json())))
    assert stored == bev_map
    world = np.array(place)
    np.testing.assert_allclose(stored.pixel_to_world(bev_map.world_to_pixel(world)), world, atol=1e-9)


def test_x_is_right_and_y_is_up(room: Scene) -> None:
    u0, v0 = render_bev(room).map.world_to_pixel(np.array([2.0, 3.0, 9.0]))
    bev_map = render_bev(room).map
    u1, v1 = bev_map.world_to_pixel(np.array([3.0, 4.0, -9.0]))
    assert u1 - u0 == pytest.approx(1 / bev_map.metres_per_px)
    assert v0 - v1 == pytest.approx(1 / bev_map.metres_per_px)


def test_every_pixel_shows_what_stands_there(room: Scene) -> None:
    """Seen from above, a cuboid is the rectangle of its footprint: exactly the pixels whose centres lie in it."""
    bev = render_bev(room)
    height, width = bev.shape
    centers = np.stack(np.meshgrid(np.arange(width) + 0.5, np.arange(bev.strip_top_px) + 0.5), -1)
    x, y = np.moveaxis(bev.map.pixel_to_world(centers), -1, 0)
    expected = np.full((height, width), NO_OBJECT)
    top = np.full((height, width), np.nan)
    on_floor = np.zeros((height, width), dtype=bool)
    on_floor[: bev.strip_top_px] = (np.abs(x - 3) < 3) & (np.abs(y - 4) < 4)
    top[on_floor] = 0
    for k in (0, 1, 2, 3):  # the cup is on the table and drawn after it; the lamp hangs above the cut
        _, center, size = BOXES[k]
        inside = (np.abs(x - center[0]) < size[0] / 2) & (np.abs(y - center[1]) < size[1] / 2)
        expected[: bev.strip_top_px][inside] = k
        top[: bev.strip_top_px][inside] = center[2] + size[2] / 2
    np.testing.assert_array_equal(bev.object_ids, expected)
    np.testing.assert_allclose(bev.height_m, top, atol=1e-5)


def test_ground_is_white_where_nothing_is(room: Scene) -> None:
    bev = render_bev(room, BevConfig(wall_line_px=0))
    empty = np.isnan(bev.height_m[: bev.strip_top_px])
    assert empty.any()
    # One pixel at the room's edge mixes floor and ground.
    away = empty & ~np.roll(~empty, 1, 0) & ~np.roll(~empty, -1, 0) & ~np.roll(~empty, 1, 1) & ~np.roll(~empty, -1, 1)
    assert (bev.image[: bev.strip_top_px][away] == 255).all()
    assert (bev.image[: bev.strip_top_px][~empty] < 255).any(-1).all()


def test_flat_areas_keep_their_colour(room: Scene) -> None:
    bev = render_bev(room, BevConfig(relief=0))
    assert room.surface is not None and room.surface.colors is not None and room.surface.object_ids is not None
    for k in (0, 2):
        color = room.surface.colors[room.surface.object_ids == k][0]
        u, v = bev.map.world_to_pixel(np.asarray(BOXES[k][1]) + [0.3, -0.2, 0]).astype(int)
        assert (bev.image[v, u] == color).all()


@pytest.mark.parametrize("size", [400, 1024])
def test_scale_bar_is_one_metre(room: Scene, size: int) -> None:
    bev = render_bev(room, BevConfig(size_px=size))
    x0, x1, y = bev.bar_px
    assert bev.bar_length_m == 1.0
    assert x1 - x0 == pytest.approx(1.0 / bev.map.metres_per_px, abs=0.5)
    dark = (bev.image[y] < 100).all(-1)
    assert dark[x0:x1].all() and not dark[x0 - 1] and not dark[x1]
    assert max(bev.shape) <= size and max(bev.shape) > 0.97 * size
    assert y > bev.strip_top_px


def test_a_large_hall_has_a_longer_bar() -> None:
    hall = box_scene([("table", (30, 40, 0.4), (2, 2, 0.8))], POSES, room_size=(60.0, 80.0, 6.0))
    assert render_bev(hall, BevConfig(size_px=400)).bar_length_m == 5.0


def test_ceiling_goes_and_lamps_with_it(room: Scene) -> None:
    bev = render_bev(room)
    assert (bev.cut.rule, bev.cut.z_m) == ("cameras", pytest.approx(1.9))
    assert bev.hanging == (4,)
    assert np.nanmax(bev.height_m) == pytest.approx(2.2, abs=1e-5)  # the wardrobe is taller than the cut and stays


def test_ceiling_is_found_without_cameras_and_without_labels(room: Scene) -> None:
    for scene in (room, _as_points(room, 0.08)):
        scene = replace(scene, frames=(), objects=(), room=None)
        assert scene.surface is not None
        bare = replace(scene, surface=replace(scene.surface, object_ids=None))
        bev = render_bev(bare, BevConfig(size_px=300))
        assert bev.cut.rule == "layer"
        # The lamp's underside at 2.55 m is much too small to be taken for the ceiling at 3 m.
        assert 2.5 < bev.cut.limit_m < 3.0
        u, v = bev.map.world_to_pixel(np.array([1.5, 6.0])).astype(int)
        assert bev.height_m[v, u] == pytest.approx(0, abs=1e-5)


def test_given_ceiling_height_counts_from_the_floor(room: Scene) -> None:
    assert render_bev(room, BevConfig(ceiling_height_m=2.95)).cut.z_m == pytest.approx(2.95)
    whole = render_bev(room, BevConfig(ceiling_height_m=9.0))
    assert np.nanmax(whole.height_m) == pytest.approx(3.0)
    lifted = replace(room, room=replace(room.room, floor_z_m=-1.0))  # type: ignore[type-var]
    assert render_bev(lifted, BevConfig(ceiling_height_m=2.95)).cut.z_m == pytest.approx(1.95)


def test_nothing_below_the_cut_is_an_error(room: Scene) -> None:
    empty = replace(room, objects=())
    with pytest.raises(SceneError, match="--ceiling-height-m"):
        render_bev(empty, BevConfig(ceiling_height_m=-1.0))


def test_walls_are_thin_lines(room: Scene) -> None:
    bev = render_bev(room, BevConfig(relief=0))
    row = bev.strip_top_px // 2
    dark = np.flatnonzero((bev.image[row] < 80).all(-1))
    left = bev.map.world_to_pixel(np.array([0.0, 0.0]))[0]
    right = bev.map.world_to_pixel(np.array([6.0, 0.0]))[0]
    for wall in (left, right):
        near = dark[np.abs(dark + 0.5 - wall) < 10]
        assert 2 <= len(near) <= 4
        assert near.mean() + 0.5 == pytest.approx(wall, abs=0.6)
    assert all(min(abs(c + 0.5 - left), abs(c + 0.5 - right)) < 10 for c in dark)


def test_points_fill_the_picture_like_the_mesh_does(room: Scene) -> None:
    mesh, cloud = render_bev(room), render_bev(_as_points(room, 0.03))
    assert cloud.surface_kind == "points"
    x, y = np.meshgrid(np.arange(0.1, 5.9, 0.05), np.arange(0.1, 7.9, 0.05))
    places = np.stack([x.ravel(), y.ravel()], -1)

    def look(bev, image):
        u, v = bev.map.world_to_pixel(places).astype(int).T
        return image[v, u]

    assert not np.isnan(look(cloud, cloud.height_m)).any()
    same = look(mesh, mesh.object_ids) == look(cloud, cloud.object_ids)
    assert same.mean() > 0.97  # discs reach a centimetre or two over edges
    outside = cloud.map.world_to_pixel(np.array([-0.2, 4.0])).astype(int)
    assert np.isnan(cloud.height_m[outside[1], outside[0]])


def test_objects_are_recognised_on_a_surface_that_does_not_name_them(room: Scene) -> None:
    assert room.surface is not None
    unnamed = replace(room, surface=replace(room.surface, object_ids=None))
    np.testing.assert_array_equal(render_bev(unnamed).object_ids, render_bev(room).object_ids)


def test_depth_images_serve_where_there_is_no_surface() -> None:
    camera_ring = [
        look_at(np.array([3 + 2.5 * np.cos(a), 4 + 3 * np.sin(a), 1.6]), np.array([3.0, 4.0, 0.3]))
        for a in np.linspace(0, 5.5, 6)
    ]
    scene = replace(box_scene(BOXES[:1], camera_ring), surface=None)
    bev = render_bev(scene, BevConfig(size_px=400))
    assert bev.surface_kind == "fused depth"
    u, v = bev.map.world_to_pixel(np.array([3.0, 4.0])).astype(int)
    assert bev.height_m[v, u] == pytest.approx(0.75, abs=0.02)
    assert bev.object_ids[v, u] == 0


def test_object_points_serve_where_there_is_nothing_else(room: Scene) -> None:
    bev = render_bev(replace(room, surface=None, frames=()), BevConfig(size_px=300))
    assert bev.surface_kind == "object points"
    u, v = bev.map.world_to_pixel(np.array([1.0, 1.2])).astype(int)
    assert bev.object_ids[v, u] == 2


def test_an_empty_scene_is_an_error_that_says_what_to_add() -> None:
    empty = make_scene(id="void", frames=[], objects=[], surface=None, room=None, geometry="measured", provenance={})
    with pytest.raises(SceneError, match=r"void has no surface.*add a mesh"):
        render_bev(empty)
    with pytest.raises(SceneError, match="128"):
        BevConfig(size_px=20)


def test_stray_specks_do_not_shrink_the_room(room: Scene) -> None:
    surface = room.surface
    assert surface is not None and surface.faces is not None
    speck = np.array([[40.0, 40.0, 0.5], [40.02, 40.0, 0.5], [40.0, 40.02, 0.5]])
    n = len(surface.vertices)
    assert surface.colors is not None and surface.object_ids is not None
    spotted = Surface(
        np.concatenate([surface.vertices, speck]),
        np.concatenate([surface.colors, np.zeros((3, 3), np.uint8)]),
        np.concatenate([surface.faces, [[n, n + 1, n + 2]]]),
        np.concatenate([surface.object_ids, np.full(3, NO_OBJECT)]),
    )
    assert render_bev(replace(room, surface=spotted)).map == render_bev(room).map


def test_slices_of_a_wall_become_one_line() -> None:
    vertices, faces = cuboid_mesh((0.0, 0.0, 1.0), (4.0, 2.0, 2.0), cells=7)
    pieces = slice_triangles(vertices[faces], 1.234)
    assert np.linalg.norm(pieces[:, 1] - pieces[:, 0], axis=1).sum() == pytest.approx(12.0)
    lines = join_segments(pieces)
    assert len(lines) == 4
    lengths = np.sort(np.linalg.norm(lines[:, 1] - lines[:, 0], axis=1))
    np.testing.assert_allclose(lengths, [2, 2, 4, 4], atol=1e-6)
    assert np.abs(lines).max(axis=(0, 1)) == pytest.approx([2.0, 1.0])
    assert len(join_segments(np.zeros((0, 2, 2)))) == 0
