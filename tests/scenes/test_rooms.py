"""Sample rooms as scenes: same bytes for the same seed, exact depth and ids, and every object in view."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import cKDTree

from spaceland.errors import SourceError
from spaceland.geometry.raycast import RayCaster
from spaceland.geometry.transforms import transform_points
from spaceland.scenes.rooms import build_room, open_source, recognise
from spaceland.scenes.scene import NO_OBJECT, Scene
from spaceland.scenes.sources import open_scene

SEEDS = range(1, 7)
_SMALL = (160, 120)


@cache
def scene_of(seed: int) -> Scene:
    return build_room(seed, width=320, height=240)


def digest(scene: Scene) -> str:
    """Of everything in a scene; one picture stands for all."""
    value = hashlib.sha256()
    assert scene.surface is not None and scene.room is not None
    arrays = [f.T_world_cam for f in scene.frames]
    arrays += [a for o in scene.objects for a in (o.points, o.box.center, o.box.rotation, o.box.size)]
    arrays += [scene.surface.vertices, scene.surface.colors, scene.surface.object_ids, scene.room.floor_polygon]
    frame = scene.frames[7]
    assert frame.depth is not None and frame.object_ids is not None
    arrays += [frame.color(), frame.depth(), frame.object_ids()]
    for array in arrays:
        value.update(np.ascontiguousarray(array).tobytes())
    value.update(repr([(o.id, o.label) for o in scene.objects]).encode())
    return value.hexdigest()


def test_locations() -> None:
    assert open_source("7", {}).ids() == ["room0007"]
    assert open_source("1-4", {}).ids() == ["room0001", "room0002", "room0003", "room0004"]
    assert open_source("1,3,9", {}).ids() == ["room0001", "room0003", "room0009"]
    assert open_source("2-3,3,12345", {}).ids() == ["room0002", "room0003", "room12345"]
    assert not recognise(Path("rooms"))


@pytest.mark.parametrize("location", ["", "a", "4-2", "1,,2", "-3", "1-99999999999", "1.5", "0-999999999"])
def test_bad_locations_are_explained(location: str) -> None:
    with pytest.raises(SourceError, match="rooms"):
        open_source(location, {})


@pytest.mark.parametrize(
    "options", [{"frames": "31"}, {"frames": "301"}, {"width": "x"}, {"height": "0"}, {"fps": "3"}]
)
def test_bad_options_are_explained(options: dict[str, str]) -> None:
    with pytest.raises(SourceError, match="rooms"):
        open_source("1", options)


def test_only_rooms_of_the_source_open() -> None:
    with pytest.raises(SourceError, match="room0002"):
        open_source("1", {}).open("room0002")


def test_the_specification_reaches_the_room() -> None:
    scene = open_scene("rooms:7?frames=40&width=160&height=120")
    assert scene.id == "room0007" and scene.geometry == "generated" and len(scene.frames) == 40
    assert scene.frames[39].id == "000039"
    assert scene.frames[0].color().shape == (120, 160, 3)
    assert scene.provenance["seed"] == 7


@pytest.mark.heavy
def test_same_seed_same_bytes_even_in_another_process() -> None:
    first = digest(build_room(7, width=_SMALL[0], height=_SMALL[1]))
    assert first != digest(build_room(14, width=_SMALL[0], height=_SMALL[1]))
    code = (
        "from test_rooms import build_room, digest\n"
        f"print(digest(build_room(7, width={_SMALL[0]}, height={_SMALL[1]})))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "5", "PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.strip() == first


def test_more_frames_leave_the_room_alone() -> None:
    few, many = build_room(7, 32, *_SMALL), build_room(7, 125, *_SMALL)
    assert [o.label for o in few.objects] == [o.label for o in many.objects]
    np.testing.assert_allclose(few.frames[0].T_world_cam, many.frames[0].T_world_cam)
    np.testing.assert_allclose(few.frames[31].T_world_cam, many.frames[124].T_world_cam)
    keys = {frame.content_key() for frame in (*few.frames, *many.frames)}
    assert len(keys) == 32 + 125


@pytest.mark.parametrize("seed", SEEDS)
def test_every_object_is_well_in_view(seed: int) -> None:
    scene = scene_of(seed)
    views: Counter[int] = Counter()
    for frame in scene.frames:
        assert frame.object_ids is not None
        ids = frame.object_ids()
        found, pixels = np.unique(ids[ids >= 0], return_counts=True)
        centre_rays = RayTest(scene, frame)
        for number, count in zip(found.tolist(), pixels.tolist(), strict=True):
            if 4 * count >= 400 and centre_rays.shown(number) > 0.5:  # a quarter of the pixels of 640x480
                views[number] += 1
    weak = {f"{o.label} {o.id}": views[o.id] for o in scene.objects if views[o.id] < 2}
    assert weak == {}


class RayTest:
    """Which share of an object's points a frame sees unhidden, by rays on the scene's own surface."""

    def __init__(self, scene: Scene, frame) -> None:
        self.scene, self.frame = scene, frame
        self.caster, self.owner = surface_rays(scene)

    def shown(self, number: int) -> float:
        points = self.scene.objects_by_id[number].points
        points = points[:: max(1, len(points) // 60)]
        eye = self.frame.T_world_cam[:3, 3]
        local = (points - eye) @ self.frame.T_world_cam[:3, :3]
        pixels, _ = self.frame.camera.project(local)
        points = points[self.frame.camera.contains(np.nan_to_num(pixels, nan=-1.0))]
        if len(points) == 0:
            return 0.0
        face = self.caster.cast(eye, points - eye).face
        return float((self.owner[face] == number).mean())


@cache
def surface_rays(scene: Scene) -> tuple[RayCaster, np.ndarray]:
    surface = scene.surface
    assert surface is not None and surface.faces is not None and surface.object_ids is not None
    return RayCaster(surface.vertices, surface.faces), np.append(surface.object_ids[surface.faces[:, 0]], NO_OBJECT)


@pytest.mark.parametrize("seed", [1, 5])
def test_depth_ids_boxes_and_surface_agree(seed: int) -> None:
    scene = scene_of(seed)
    caster, owner = surface_rays(scene)
    for frame in scene.frames[::9]:
        assert frame.depth is not None and frame.object_ids is not None
        depth, ids = frame.depth(), frame.object_ids()
        assert depth.dtype == np.float32 and ids.dtype == np.int32
        assert depth.shape == ids.shape == (240, 320) and (depth > 0).all()
        points = transform_points(frame.T_world_cam, frame.camera.unproject(frame.camera.pixel_centers(), depth))
        for thing in scene.objects:
            assert thing.box.contains(points[ids == thing.id], 0.005).all(), thing.label
        hits = caster.cast_camera(frame.camera, frame.T_world_cam)
        assert (np.abs(hits.distance - depth) < 0.01).mean() > 0.995
        assert (owner[hits.face] == ids).mean() > 0.99


@pytest.mark.parametrize("seed", SEEDS)
def test_objects_know_their_shape(seed: int) -> None:
    scene = scene_of(seed)
    surface = scene.surface
    assert surface is not None and surface.object_ids is not None and surface.colors is not None
    assert len(surface.vertices) < 300_000 and surface.colors.shape == surface.vertices.shape
    assert set(np.unique(surface.object_ids)) == {NO_OBJECT, *(o.id for o in scene.objects)}
    for thing in scene.objects:
        assert thing.faces is not None
        local = thing.box.to_box_frame(thing.points)
        np.testing.assert_allclose(local.max(0) - local.min(0), thing.box.size, atol=1e-6)  # the box fits exactly
        corners = thing.points[thing.faces]
        area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
        middles = corners[np.argsort(area)[-20:]].mean(1)  # even the largest triangles have points nearby
        assert cKDTree(thing.points).query(middles)[0].max() < 0.06, thing.label
        if thing.front_world is not None:
            np.testing.assert_allclose(thing.front_world, -thing.box.rotation[:, 1], atol=1e-9)
            assert abs(thing.front_world[2]) < 1e-9
    fronts = {o.label: o.front_world is not None for o in scene.objects}
    assert all(fronts[label] for label in ("chair", "sofa", "bed", "desk", "tv", "cabinet") if label in fronts)
    assert not any(fronts[label] for label in ("plant", "ball", "table", "cup", "table lamp") if label in fronts)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_camera_is_held_by_a_walking_person(seed: int) -> None:
    scene = scene_of(seed)
    poses = np.stack([frame.T_world_cam for frame in scene.frames])
    assert ((poses[:, 2, 3] > 1.3) & (poses[:, 2, 3] < 1.7)).all()
    assert np.degrees(np.arcsin(np.abs(poses[:, 2, 0]))).max() < 3.0  # the right axis is level: little roll
    turned = np.einsum("fji,fjk->fik", poses[:-1, :3, :3], poses[1:, :3, :3])
    angles = np.degrees(np.arccos(np.clip((np.trace(turned, axis1=1, axis2=2) - 1) / 2, -1, 1)))
    steps = np.linalg.norm(np.diff(poses[:, :3, 3], axis=0), axis=1)
    assert angles.max() < 35 and steps.max() < 0.8
    assert np.ptp(poses[:, :2, 3], axis=0).max() > 0.5
    points = np.concatenate([o.points for o in scene.objects])
    nearest = min(float(np.linalg.norm(points - eye, axis=1).min()) for eye in poses[:, :3, 3])
    assert nearest > 0.3
    fov = 2 * np.degrees(np.arctan(scene.frames[0].camera.cx / scene.frames[0].camera.fx))
    assert 60 <= fov <= 66
    times = [frame.timestamp_s for frame in scene.frames]
    assert times == sorted(times)


def test_rooms_are_turned_in_the_world_and_measured_there() -> None:
    turns = set()
    for seed in SEEDS:
        room = scene_of(seed).room
        assert room is not None and room.height_m is not None and 2.4 < room.height_m < 2.9
        x, y = room.floor_polygon.T
        assert room.area_m2 == pytest.approx(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y) / 2)
        edge = room.floor_polygon[1] - room.floor_polygon[0]
        turns.add(round(np.degrees(np.arctan2(edge[1], edge[0])) % 90))
    assert len(turns) > 3


def test_one_ray_cast_gives_colour_depth_and_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = build_room(7, 32, *_SMALL)
    casts = []
    original = RayCaster.cast_camera
    monkeypatch.setattr(RayCaster, "cast_camera", lambda *a: casts.append(1) or original(*a))
    frame = scene.frames[3]
    assert frame.depth is not None and frame.object_ids is not None
    picture, depth, ids = frame.color(), frame.depth(), frame.object_ids()
    assert len(casts) == 1
    assert picture.dtype == np.uint8 and picture.std() > 15  # not a blank picture
    depth[:] = 0  # what is handed out is the caller's
    assert (frame.depth() > 0).all() and (frame.object_ids() == ids).all()
