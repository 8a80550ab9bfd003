"""Crop, filled holes, grid and camera path of the bird's-eye view."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from handmade import box_scene
from spaceland.errors import SceneError
from spaceland.geometry.transforms import look_at
from spaceland.prompts import BevConfig, render_bev
from spaceland.prompts.holes import fill_holes
from spaceland.prompts.overlays import GRID_COLOR, PATH_COLOR
from spaceland.prompts.raster import TopLayers
from spaceland.scenes.scene import NO_OBJECT, Scene

BOXES = [("table", (3.0, 4.0, 0.375), (1.6, 0.9, 0.75)), ("bed", (1.0, 1.2, 0.25), (1.6, 2.0, 0.5))]
POSES = [look_at(np.array([1 + k, 6 - 0.5 * k, 1.5]), np.array([2.0 + k, 3.0, 0.5])) for k in range(4)]
PLAIN = BevConfig(size_px=400, relief=0, wall_line_px=0)
PROJECTIONS = ("orthographic", "perspective")


@pytest.fixture(scope="module")
def room() -> Scene:
    return box_scene(BOXES, POSES)


@pytest.mark.parametrize("projection", PROJECTIONS)
def test_crop_to_an_area_shows_that_area(room: Scene, projection: str) -> None:
    bev = render_bev(room, replace(PLAIN, projection=projection, crop_m=(2.0, 3.0, 4.0, 5.0)))
    corners = bev.map.pixel_to_world(np.array([[0.0, bev.strip_top_px], [bev.shape[1], 0.0]]))
    assert (corners[0] <= [2.0, 3.0]).all() and (corners[1] >= [4.0, 5.0]).all()
    slack = 0.02 if projection == "orthographic" else 0.9
    assert (corners[0] >= [2.0 - slack, 3.0 - slack]).all() and (corners[1] <= [4.0 + slack, 5.0 + slack]).all()
    assert 0 in bev.object_ids and (1 in bev.object_ids) == (projection == "perspective" and corners[0][1] < 2.2)
    if projection == "orthographic":
        x0, x1, _ = bev.bar_px or (0, 0, 0)
        assert x1 - x0 == pytest.approx(bev.bar_length_m / bev.map.metres_per_px, abs=0.5)
        assert x1 < bev.shape[1]


def test_crop_to_objects_holds_them_whole(room: Scene) -> None:
    whole = render_bev(room, PLAIN)
    bev = render_bev(room, replace(PLAIN, crop_to=(0,)))
    seen, before = ((one.object_ids == 0).sum() * one.map.metres_per_px**2 for one in (bev, whole))
    assert seen == pytest.approx(1.6 * 0.9, rel=0.01) == pytest.approx(before, rel=0.03)
    assert bev.map.metres_per_px < 0.5 * whole.map.metres_per_px
    with pytest.raises(SceneError, match="no object 7 to crop to; its objects are: 0, 1"):
        render_bev(room, replace(PLAIN, crop_to=(7,)))
    with pytest.raises(SceneError, match=r"nothing was seen in the area.*reaches from x 0\.00, y 0\.00 to x 6\.00"):
        render_bev(room, replace(PLAIN, crop_m=(20.0, 20.0, 22.0, 22.0)))


def _layers(height_m: np.ndarray) -> TopLayers:
    color = np.where(np.isnan(height_m)[..., None], 255.0, 40.0 + 100 * np.nan_to_num(height_m)[..., None])
    color = np.repeat(color, 3, axis=2).astype(np.float32)
    return TopLayers(color, height_m.astype(np.float32), np.where(height_m > 0.5, 3, NO_OBJECT).astype(np.int32))


def test_only_small_holes_are_filled_and_from_their_own_height() -> None:
    z = np.zeros((120, 120))
    z[:, :20] = np.nan  # ground outside: touches the border
    z[20:40, 60:80] = 1.0  # a cupboard
    z[20:32, 48:60] = np.nan  # 0.12 m hole of the floor beside it
    z[70:110, 60:100] = np.nan  # 0.4 m hole
    z[25:28, 65:68] = np.nan  # a speck on the cupboard
    layers = _layers(z)
    found = fill_holes(layers, 0.01, 0.15)
    assert (found.num_filled, found.num_left) == (2, 1)
    assert found.filled[20:32, 48:60].all() and found.filled[25:28, 65:68].all() and found.filled.sum() == 144 + 9
    assert (found.layers.height_m[20:32, 48:60] == 0).all() and (found.layers.height_m[25:28, 65:68] == 1).all()
    np.testing.assert_allclose(found.layers.color[20:32, 48:60], 40, atol=0.01)  # no colour of the cupboard
    assert (found.layers.object_ids[found.filled] == NO_OBJECT).all()
    np.testing.assert_array_equal(found.layers.color[~found.filled], layers.color[~found.filled])
    assert np.isnan(found.layers.height_m[70:110, 60:100]).all()
    nothing = fill_holes(layers, 0.01, 0.01)
    assert not nothing.filled.any() and nothing.num_left == 3


def test_holes_of_a_scan_are_filled_on_wish_alone(room: Scene) -> None:
    surface = room.surface
    assert surface is not None and surface.faces is not None
    middle = surface.vertices[surface.faces].mean(1)
    hole = (np.abs(middle[:, 2]) < 0.01) & (np.hypot(middle[:, 0] - 4.5, middle[:, 1] - 6.5) < 0.4)
    assert hole.any()
    torn = replace(room, surface=replace(surface, faces=surface.faces[~hole]))
    left, filled = render_bev(torn, PLAIN), render_bev(torn, replace(PLAIN, fill_holes_m=3.0))
    # Where the geometry was estimated from pictures, small holes are filled by default.
    guessed = replace(torn, geometry="estimated")
    assert (left.config.fill_holes_m, render_bev(guessed, PLAIN).config.fill_holes_m) == (0.0, 0.3)
    assert render_bev(guessed, replace(PLAIN, fill_holes_m=0.0)).config.fill_holes_m == 0.0
    u, v = left.map.world_to_pixel(middle[hole].mean(0)).astype(int)
    assert np.isnan(left.height_m[v, u]) and not left.filled.any() and left.holes == (0, 0)
    assert filled.filled[v, u] and filled.height_m[v, u] == pytest.approx(0, abs=1e-6) and filled.holes == (1, 0)


@pytest.mark.parametrize("projection", PROJECTIONS)
def test_camera_path_lies_where_the_cameras_are(room: Scene, projection: str) -> None:
    config = replace(PLAIN, projection=projection, camera_path=True)
    bev = render_bev(room, config, shown=room.frames[1:3])
    for k, frame in enumerate(room.frames):
        u, v = bev.map.world_to_pixel(frame.T_world_cam[:3, 3])
        color = bev.image[int(v), int(u)].astype(int)
        distance = np.abs(color - PATH_COLOR).sum()
        assert distance < (30 if k in (1, 2) else 260), k  # pins are solid, the line is translucent
        blue = color[2] - color[0]
        assert blue > 40
    # The tip of a pin points where the camera looks.
    u, v = bev.map.world_to_pixel(room.frames[1].T_world_cam[:3, 3])
    forward = room.frames[1].T_world_cam[:2, 2] / np.linalg.norm(room.frames[1].T_world_cam[:2, 2])
    ahead, behind = ([int(u + s * 6 * forward[0]), int(v - s * 6 * forward[1])] for s in (1, -1))
    assert np.abs(bev.image[ahead[1], ahead[0]].astype(int) - PATH_COLOR).sum() < 60
    assert np.abs(bev.image[behind[1], behind[0]].astype(int) - PATH_COLOR).sum() > 60


def test_cameras_outside_the_scan_are_shown_too(room: Scene) -> None:
    far = replace(room, frames=(replace(room.frames[0], T_world_cam=look_at(np.array([9.0, 4, 1.5]), np.zeros(3))),))
    for projection in PROJECTIONS:
        bev = render_bev(far, replace(PLAIN, projection=projection, camera_path=True))
        u, v = bev.map.world_to_pixel(np.array([9.0, 4.0, 1.5]))
        assert 0 <= u < bev.shape[1] and 0 <= v < bev.strip_top_px


@pytest.mark.parametrize("projection", PROJECTIONS)
def test_grid_lines_lie_at_whole_steps(room: Scene, projection: str) -> None:
    config = replace(PLAIN, projection=projection)
    plain, grid = render_bev(room, config), render_bev(room, replace(config, grid_m=0.5))
    for x in np.arange(0.5, 6, 0.5):
        u, v = plain.map.world_to_pixel(np.array([x, 6.25, 0.0])).astype(int)
        row_plain, row_grid = (one.image[v, u - 2 : u + 3].astype(int) for one in (plain, grid))
        change = np.abs(row_plain - row_grid).sum(1)
        assert change.argmax() in (1, 2, 3) and change.max() > 30
        off = np.abs(row_grid[change.argmax()] - GRID_COLOR).sum()
        assert off < np.abs(row_plain[change.argmax()] - GRID_COLOR).sum()
    if projection == "perspective":  # the bed hides the floor's grid
        on_bed = (plain.object_ids == 1) & (plain.height_m > 0.13)
        np.testing.assert_array_equal(plain.image[on_bed], grid.image[on_bed])
    with pytest.raises(SceneError, match="larger --grid"):
        render_bev(room, replace(config, grid_m=0.01))
