"""Structured3D: a sample room in the dataset's layout must come back, and what is broken must be said."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from round_trip import assert_boxes, assert_frames, assert_objects_on_their_depth, sample_room
from structured3d_writer import NUMBERS, ROOM, SCENE_ID, write_structured3d

from spaceland.errors import SceneError, SourceError
from spaceland.scenes.scene import NO_OBJECT, Scene
from spaceland.scenes.sources import open_scene
from spaceland.scenes.structured3d import open_source, read_room, read_view, recognise
from spaceland.scenes.structured3d_room import NYU40

ORDER = list(range(8))


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_structured3d(sample_room(), tmp_path_factory.mktemp("structured3d"))


@pytest.fixture
def scene_folder(template: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return shutil.copytree(template, tmp_path / "Structured3D" / template.name)


def position(scene_folder: Path, number: int) -> Path:
    return scene_folder / "2D_rendering" / ROOM / "perspective" / "full" / str(number)


def read(scene_folder: Path, **options: str) -> Scene:
    return open_source(str(scene_folder), options).open(SCENE_ID)


def seen(room: Scene) -> set[int]:
    return {int(k) for frame in room.frames if frame.object_ids for k in np.unique(frame.object_ids()) if k >= 0}


def test_everything_comes_back(template: Path) -> None:
    room = sample_room()
    scene = open_scene(f"structured3d:{template.parent}")
    assert (scene.id, scene.geometry) == (SCENE_ID, "generated")
    assert [frame.id for frame in scene.frames] == [f"{k:06d}" for k in range(8)]
    assert_frames(scene, room, depth_step_m=0.001, color_atol=0, order=ORDER)
    id_of = {k: k + 7 for k in seen(room)}
    assert_boxes(scene, room, id_of)
    assert_objects_on_their_depth(scene, room, id_of, ORDER)
    for k, object_id in id_of.items():
        assert scene.objects_by_id[object_id].label == NYU40[NUMBERS.get(room.objects_by_id[k].label, 40) - 1]
    for got, want in zip(scene.frames, room.frames, strict=True):
        assert got.object_ids is not None and want.object_ids is not None
        ids = want.object_ids()
        assert np.array_equal(got.object_ids(), np.where(ids < 0, NO_OBJECT, ids + 7))


def test_floor_outline_and_area(template: Path) -> None:
    room, scene = sample_room().room, read(template)
    assert room is not None and scene.room is not None and scene.room.height_m == pytest.approx(room.height_m)
    assert scene.room.area_m2 == pytest.approx(room.area_m2)
    assert scene.room.floor_z_m == pytest.approx(room.floor_z_m)
    distance = np.linalg.norm(scene.room.floor_polygon[:, None] - room.floor_polygon[None], axis=-1)
    assert distance.min(0).max() < 1e-9 and len(scene.room.floor_polygon) == len(room.floor_polygon)
    assert scene.provenance["room_type"] == "bedroom"


def test_it_says_that_it_is_no_video(template: Path) -> None:
    assert read(template).provenance["is_video"] is False
    assert all(frame.timestamp_s is None for frame in read(template).frames)


def test_places_and_options(scene_folder: Path, tmp_path: Path) -> None:
    for location in (tmp_path, scene_folder.parent, scene_folder):
        assert recognise(location) and open_source(str(location), {}).ids() == [SCENE_ID]
    assert not recognise(scene_folder / "2D_rendering")
    assert [f.id for f in read(scene_folder, stride="4").frames] == ["000000", "000004"]
    assert len(read(scene_folder, max_frames="3").frames) == 3
    with pytest.raises(SourceError, match=r"no room with pictures.*perspective/empty"):
        open_source(str(scene_folder), {"config": "empty"})
    with pytest.raises(SceneError, match=r"no picture is named rgb_warmlight\.png"):
        read(scene_folder, light="warmlight")
    for bad in ({"config": "bare"}, {"light": "dim"}, {"unit": "room"}, {"stride": "0"}):
        with pytest.raises(SourceError, match="structured3d"):
            open_source(str(scene_folder), bad)
    with pytest.raises(SourceError, match="no scene 'scene_00042_room_1'"):
        open_scene(f"structured3d:{scene_folder}", "scene_00042_room_1")
    with pytest.raises(SourceError, match="no room 'x'"):
        open_source(str(scene_folder), {}).open("x")
    with pytest.raises(SourceError, match="not a folder"):
        open_source(str(tmp_path / "nowhere"), {})


def test_a_camera_that_looks_along_its_view_vector(tmp_path: Path) -> None:
    """Eye at (1, 2, 1.5) m looking along +y with z up: right is +x, and 45 degrees reach the border."""
    path = tmp_path / "camera_pose.txt"
    path.write_text(f"1000 2000 1500 0 1 0 0 0 1 {np.pi / 4} {np.pi / 6} 1")
    view = read_view(path, 640, 480)
    assert view is not None
    camera, T = view
    assert np.allclose(T[:3], [[1, 0, 0, 1], [0, 0, 1, 2], [0, -1, 0, 1.5]])
    assert np.allclose([camera.fx, camera.fy, camera.cx, camera.cy], [320, 240 * 3**0.5, 320, 240])


def test_broken_pictures_are_counted(scene_folder: Path) -> None:
    pose = position(scene_folder, 0) / "camera_pose.txt"
    pose.write_text(pose.read_text().replace(pose.read_text().split()[0], "nan", 1))
    (position(scene_folder, 1) / "camera_pose.txt").write_text("1 2 3")
    (position(scene_folder, 2) / "camera_pose.txt").unlink()
    (position(scene_folder, 3) / "rgb_rawlight.png").unlink()
    (position(scene_folder, 4) / "depth.png").unlink()
    (position(scene_folder, 5) / "semantic.png").unlink()
    (position(scene_folder, 6) / "camera_pose.txt").write_text("0 0 0 0 0 1 0 0 1 0.7 0.5 1")  # view along up
    scene = read(scene_folder)
    assert [frame.id for frame in scene.frames] == ["000004", "000005", "000007"]
    assert scene.frames[0].depth is None
    expected = {
        "frame: pose has NaN or infinite entries": 1,
        "frame: camera_pose.txt is damaged": 2,
        "frame: no camera_pose.txt": 1,
        "frame: no rgb_rawlight.png": 1,
        "depth: no image for a frame": 1,
        "labels: no semantic.png for a frame": 1,
    }
    assert expected.items() <= scene.skipped.items()


def test_missing_annotation_is_left_out(scene_folder: Path) -> None:
    (scene_folder / "bbox_3d.json").unlink()
    (scene_folder / "annotation_3d.json").unlink()
    scene = read(scene_folder)
    assert (scene.objects, scene.room) == ((), None)
    assert scene.skipped == {"objects: no bbox_3d.json": 1, "room: no annotation_3d.json": 1}


def test_unseen_boxes_bad_boxes_and_open_outlines_are_counted(scene_folder: Path) -> None:
    boxes = json.loads((scene_folder / "bbox_3d.json").read_text())
    seen_ids = sorted(k + 7 for k in seen(sample_room()))
    center = next(box["centroid"] for box in boxes if box["ID"] == seen_ids[0])
    next(box for box in boxes if box["ID"] == seen_ids[1])["basis"][0] = [1, 1, 1]
    boxes = [box for box in boxes if box["ID"] != seen_ids[2]]
    boxes.append({"ID": 900, "basis": np.eye(3).tolist(), "coeffs": [1, 1, 1], "centroid": center})
    boxes.append({"ID": 901, "basis": np.eye(3).tolist(), "coeffs": [1, 1, 1], "centroid": [9e5, 0, 0]})  # elsewhere
    (scene_folder / "bbox_3d.json").write_text(json.dumps(boxes))
    scene = read(scene_folder)
    assert scene.skipped["box: not finite or not rectangular"] == 1
    assert scene.skipped["object: in a picture, but without a usable box in bbox_3d.json"] == 2
    assert scene.skipped["object: in no picture of the room, so without a label"] >= 1
    annotation = json.loads((scene_folder / "annotation_3d.json").read_text())
    annotation["planeLineMatrix"][0][annotation["planeLineMatrix"][0].index(1)] = 0
    (scene_folder / "annotation_3d.json").write_text(json.dumps(annotation))
    scene = read(scene_folder)
    assert scene.room is None and scene.skipped["room: no closed outline of the floor"] == 1


@pytest.mark.parametrize("name", ["bbox_3d.json", "annotation_3d.json"])
def test_damaged_json_is_one_error(scene_folder: Path, name: str) -> None:
    path = scene_folder / name
    text = path.read_text()
    path.write_text(text[: len(text) // 2])
    with pytest.raises(SceneError, match=f"{name}.*truncated"):
        read(scene_folder)
    for other in ("[1, 2]", '{"semantics": 3}', "[]"):
        path.write_text(other)
        if (name, other) != ("bbox_3d.json", "[]"):  # a flat without furniture
            with pytest.raises(SceneError, match=name):
                read(scene_folder)


@pytest.mark.parametrize("name", ["rgb_rawlight.png", "depth.png", "instance.png", "semantic.png"])
def test_truncated_images_are_one_error(scene_folder: Path, name: str) -> None:
    path = position(scene_folder, 0) / name
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(SceneError, match=f"{name}.*truncated"):
        frame = read(scene_folder).frames[0]
        frame.color()


def test_labels_in_plain_colours_are_refused(scene_folder: Path) -> None:
    path = position(scene_folder, 0) / "semantic.png"
    Image.open(path).convert("RGB").save(path)
    with pytest.raises(SceneError, match="mode RGB"):
        read(scene_folder)


def test_read_room_takes_the_folder_of_a_room(scene_folder: Path) -> None:
    assert read_room(scene_folder / "2D_rendering" / ROOM).id == SCENE_ID
