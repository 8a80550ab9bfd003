"""What every source goes through: bad frames and objects are left out and counted, contradictions refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from handmade import box_scene
from spaceland.errors import SceneError, SourceError
from spaceland.geometry.transforms import look_at
from spaceland.scenes.scene import Scene, Surface, make_scene, normalise_label
from spaceland.scenes.sources import open_scene, open_source, parse_spec

POSES = [look_at(np.array([2.0, 1.0, 1.5]), np.array([2.0 + x, 4.0, 0.5])) for x in (0.0, 0.5, 1.0)]


@pytest.fixture(scope="module")
def scene() -> Scene:
    return box_scene([("chair", (2, 4, 0.5), (0.5, 0.5, 1)), ("table", (3, 5, 0.4), (1.2, 0.6, 0.8))], POSES)


def rebuilt(scene: Scene, **changes: Any) -> Scene:
    parts = {
        name: getattr(scene, name)
        for name in ("id", "frames", "objects", "surface", "room", "geometry", "provenance", "skipped")
    }
    return make_scene(**{**parts, **changes})


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda T: np.full((4, 4), np.nan), "frame: pose has NaN or infinite entries"),
        (lambda T: np.where(np.eye(4) == 1, np.inf, T), "frame: pose has NaN or infinite entries"),
        (lambda T: T * 2, "frame: last row of pose is [0.0, 0.0, 0.0, 2.0], expected 0 0 0 1"),
        (lambda T: T @ np.diag([1.0, 2.0, 1.0, 1.0]), "frame: rotation is not orthonormal"),
        (lambda T: T @ np.diag([-1.0, 1.0, 1.0, 1.0]), "frame: rotation is a mirror image"),
    ],
)
def test_impossible_poses_are_left_out_and_counted(scene: Scene, change: Any, reason: str) -> None:
    bad = replace(scene.frames[1], T_world_cam=change(scene.frames[1].T_world_cam))
    result = rebuilt(scene, frames=[scene.frames[0], bad, scene.frames[2]])
    assert [frame.id for frame in result.frames] == ["000000", "000002"]
    assert dict(result.skipped) == {reason: 1}


def test_useless_objects_are_left_out_and_counted(scene: Scene) -> None:
    chair, table = scene.objects
    empty = replace(chair, id=7, points=np.zeros((0, 3)))
    unnamed = replace(chair, id=8, label="")
    broken = replace(chair, id=9, points=np.full((3, 3), np.nan))
    result = rebuilt(scene, objects=[chair, empty, table, unnamed, broken])
    assert [thing.id for thing in result.objects] == [0, 1]
    assert dict(result.skipped) == {
        "object: NaN or infinite points": 1,
        "object: empty label": 1,
        "object: no points": 1,
    }


def test_contradictions_are_refused(scene: Scene) -> None:
    chair, table = scene.objects
    with pytest.raises(SceneError, match="duplicate object ids 0"):
        rebuilt(scene, objects=[chair, table, replace(table, id=0)])
    with pytest.raises(SceneError, match="duplicate frame ids 000001"):
        rebuilt(scene, frames=[*scene.frames, scene.frames[1]])
    with pytest.raises(SceneError, match="negative"):
        rebuilt(scene, objects=[replace(chair, id=-1)])
    with pytest.raises(SceneError, match=r"faces name vertices 0\.\.9, but there are 3"):
        rebuilt(scene, surface=Surface(np.zeros((3, 3)), faces=np.array([[0, 1, 9]])))
    with pytest.raises(SceneError, match="NaN or infinite vertices"):
        rebuilt(scene, surface=Surface(np.array([[np.inf, 0, 0]])))


def test_labels_are_normalised() -> None:
    assert normalise_label("  Office\tChair\n") == "office chair"
    assert normalise_label("trash_can") == "trash can"
    assert len(normalise_label("x" * 1000)) == 80
    assert normalise_label("\x00\x1b[31m") == "[31m"


def test_specifications() -> None:
    assert parse_spec("/data/x") == ("", "/data/x", {})
    assert parse_spec("rooms:1-4?frames=64") == ("rooms", "1-4", {"frames": "64"})
    with pytest.raises(SourceError, match=r"unknown source kind 'romos'.*kinds are: rooms"):
        parse_spec("romos:1")
    with pytest.raises(SourceError, match=r"option 'frames' .* has no value"):
        parse_spec("rooms:1?frames")
    with pytest.raises(SourceError, match="does not exist"):
        open_source("no/such/folder")


def test_one_scene_of_several_must_be_named() -> None:
    with pytest.raises(SourceError, match=r"holds 3 scenes; choose one of: room0001, room0002, room0003"):
        open_scene("rooms:1-3")
    with pytest.raises(SourceError, match=r"no scene .kitchen. in .rooms:1."):
        open_scene("rooms:1", "kitchen")
    assert open_scene("rooms:1-3?width=96&height=72", "room0002").id == "room0002"
