"""Floor areas measured on surfaces: true within a few per cent, or refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from handmade import cuboid_mesh
from spaceland.geometry import polygons
from spaceland.scenes.floor import FloorSettings, floor_of, floor_of_surface
from spaceland.scenes.floor_grid import trace
from spaceland.scenes.ply import read_ply
from spaceland.scenes.scene import Surface
from spaceland.scenes.sources import open_scene

L_ROOM = np.array([[0.0, 0], [6, 0], [6, 4], [3, 4], [3, 7], [0, 7]])


def grid_points(low: tuple[float, ...], high: tuple[float, ...], step: float) -> np.ndarray:
    axes = [np.arange(a, b + 1e-9, step) if b > a else np.array([a]) for a, b in zip(low, high, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)


def scan(outline: np.ndarray, furniture: list[tuple[float, ...]], step: float = 0.03, walls: bool = True) -> np.ndarray:
    """Points on floor, walls and furniture (x0, y0, x1, y1, height) as a scanner sees them: none below furniture."""
    low, high = outline.min(0), outline.max(0)
    floor = grid_points((*low, 0.0), (*high, 0.0), step)
    floor = floor[polygons.contains(outline, floor[:, :2] * (1 - 1e-9) + 1e-10)]
    parts = []
    for x0, y0, x1, y1, height in furniture:
        hidden = (floor[:, 0] > x0) & (floor[:, 0] < x1) & (floor[:, 1] > y0) & (floor[:, 1] < y1)
        floor = floor[~hidden]
        parts.append(grid_points((x0, y0, height), (x1, y1, height), step))
        parts += [grid_points((x, y0, 0), (x, y1, height), step) for x in (x0, x1)]
        parts += [grid_points((x0, y, 0), (x1, y, height), step) for y in (y0, y1)]
    if walls:
        for a, b in zip(outline, np.roll(outline, -1, axis=0), strict=True):
            steps = np.linspace(0, 1, max(2, int(np.hypot(*(b - a)) / step)))[:, None]
            line = a + steps * (b - a)
            parts += [np.column_stack([line, np.full(len(line), z)]) for z in np.arange(0, 2.5, step)]
    return np.concatenate([floor, *parts])


def turned(points: np.ndarray, deg: float) -> np.ndarray:
    c, s = np.cos(np.radians(deg)), np.sin(np.radians(deg))
    return points @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1.0]]) + [12.0, -7.0, 1.3]


@pytest.mark.parametrize("seed", [5, 8, *(pytest.param(k, marks=pytest.mark.heavy) for k in (1, 2, 3, 4, 6, 7))])
def test_sample_rooms_without_their_outline(seed: int) -> None:
    scene = open_scene(f"rooms:{seed}")
    assert scene.room is not None
    found = floor_of(replace(scene, room=None))
    assert found.room is not None, found.problem
    assert found.room.area_m2 == pytest.approx(scene.room.area_m2, rel=0.05)
    assert found.room.floor_z_m == pytest.approx(scene.room.floor_z_m, abs=0.01)
    assert found.params["floor"] == "measured on the surface"
    assert floor_of(scene).room is scene.room and floor_of(scene).params == {"floor": "given by the source"}


@pytest.mark.parametrize("deg", [0.0, 33.0])
@pytest.mark.parametrize("noise_m", [0.0, 0.01])
def test_furniture_on_two_fifths_of_the_floor(deg: float, noise_m: float) -> None:
    # 11.7 m2 of 33 m2 in the middle and along the walls; the carpet hides nothing from the measure.
    furniture = [
        (0.0, 0.0, 2.0, 2.2, 0.5),
        (3.5, 0.0, 6.0, 1.0, 0.9),
        (4.0, 2.0, 5.5, 3.6, 0.7),
        (0.3, 4.0, 2.1, 6.6, 0.4),
    ]
    covered = sum((x1 - x0) * (y1 - y0) for x0, y0, x1, y1, _ in furniture)
    assert covered > 0.4 * polygons.area(L_ROOM)
    points = turned(scan(L_ROOM, furniture), deg)
    points = points + np.random.default_rng(0).normal(0, noise_m, points.shape)
    found = floor_of_surface(Surface(points))
    assert found.room is not None, found.problem
    assert found.room.area_m2 == pytest.approx(33.0, rel=0.05)
    assert found.room.area_m2 == pytest.approx(polygons.area(found.room.floor_polygon))
    assert found.seen_share < 0.75


def test_a_mesh_in_coarse_triangles_is_as_good_as_points() -> None:
    walls, faces = cuboid_mesh((2.5, 2.0, 1.25), (5.0, 4.0, 2.5), cells=1)
    found = floor_of_surface(Surface(walls, None, faces))
    assert found.room is not None
    assert found.room.area_m2 == pytest.approx(20.0, rel=0.01)
    assert found.room.floor_z_m == pytest.approx(0.0, abs=1e-6)
    assert len(found.room.floor_polygon) == 4


def test_strays_and_a_ceiling_do_not_count() -> None:
    stray = grid_points((6.0, 1.0, 0.5), (9.0, 1.1, 0.5), 0.03)  # seen through a slit
    ceiling = grid_points((-1.0, -1.0, 2.5), (7.0, 8.0, 2.5), 0.05)
    far = grid_points((11.0, 0.0, 0.0), (12.0, 1.0, 0.0), 0.03)
    found = floor_of_surface(Surface(np.concatenate([scan(L_ROOM, []), stray, ceiling, far])))
    assert found.room is not None, found.problem
    assert found.room.area_m2 == pytest.approx(33.0, rel=0.05)


def test_what_is_unsure_is_refused() -> None:
    whole = scan(L_ROOM, [])
    assert floor_of_surface(None).problem == "no surface"
    assert floor_of_surface(Surface(whole[:40])).room is None
    assert floor_of_surface(Surface(scan(L_ROOM, [], walls=False))).problem == "outline without walls"
    # A quarter of the room was never looked at.
    beyond = (whole[:, 0] > 2.5) & (whole[:, 1] < 2.5)
    assert floor_of_surface(Surface(whole[~beyond])).room is None
    # Hardly any floor is seen below a field of boxes.
    boxes = [(0.05 + x, 0.05 + y, 0.93 + x, 0.93 + y, 0.6) for x in range(6) for y in range(7) if x < 3 or y < 4]
    assert floor_of_surface(Surface(scan(L_ROOM, boxes)), FloorSettings(min_seen_share=0.5)).problem == (
        "floor seen too little"
    )


def test_a_hole_that_nothing_explains_is_refused() -> None:
    points = scan(L_ROOM, [])
    hole = (np.abs(points[:, 0] - 2.0) < 1.4) & (np.abs(points[:, 1] - 2.5) < 1.4) & (points[:, 2] < 0.01)
    assert floor_of_surface(Surface(points[~hole])).problem == "parts of the floor unknown"


def test_an_outline_runs_once_around() -> None:
    mask = np.zeros((9, 7), dtype=bool)
    mask[1:8, 1:4] = True
    mask[1:4, 1:7] = True
    corners = trace(mask)
    assert len(corners) in (6, 7) and polygons.area(corners) == pytest.approx(6 * 2 + 2 * 3 + 0.5)
    assert trace(np.ones((1, 1), dtype=bool)).shape == (1, 2)


@pytest.mark.real
def test_two_scans_of_a_real_room_agree(real_data: Path) -> None:
    areas = []
    for scan_id in ("scene0000_00", "scene0000_01"):
        with np.load(real_data / "scannet_scene0000" / f"{scan_id}.npz") as arrays:
            found = floor_of_surface(Surface(arrays["xyz"].astype(float)))
        assert found.room is not None, found.problem
        areas.append(found.room.area_m2)
    assert areas[0] == pytest.approx(areas[1], rel=0.03)
    mesh = read_ply(real_data / "replica_office0" / "office0_mesh.ply")
    office = floor_of_surface(Surface(mesh.vertices, None, mesh.faces))
    assert office.room is not None and office.room.area_m2 == pytest.approx(18.1, rel=0.05)
