"""EmbodiedScan: info files over the images of a sample room must come back, and what is broken must be said."""

from __future__ import annotations

import copy
import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from embodiedscan_writer import info, threerscan_sample, write_embodiedscan, write_pickle
from round_trip import assert_boxes, assert_frames, assert_objects_on_their_depth, off_center_room

from spaceland.errors import SceneError, SourceError
from spaceland.scenes.embodiedscan import open_source, recognise
from spaceland.scenes.embodiedscan_boxes import box_from_nine
from spaceland.scenes.scene import Scene
from spaceland.scenes.sources import open_scene

SCANNET, MATTERPORT = "scannet_scene0042_00", "matterport3d_17DRP5sb8fy_region0"
ORDER = list(range(8))
ID_OF = {thing.id: thing.id + 100 for thing in off_center_room().objects}
NO_POINTS = "object: no points of its own, its box stands for its shape"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_embodiedscan(off_center_room(), tmp_path_factory.mktemp("embodiedscan")).parent


@pytest.fixture
def content(root: Path) -> dict[str, Any]:
    """What the info file over ScanNet holds; a test may change it."""
    return copy.deepcopy(pickle.loads((root / "embodiedscan_infos_train.pkl").read_bytes()))


def read(content: dict[str, Any], root: Path, tmp_path: Path, **options: str) -> Scene:
    """The first sample of changed content, over the images of `root`."""
    write_pickle(tmp_path / "changed.pkl", content)
    source = open_source(str(tmp_path / "changed.pkl"), {"images": str(root), **options})
    return source.open(source.ids()[0])


@pytest.mark.parametrize(("scene_id", "step_m"), [(SCANNET, 0.001), (MATTERPORT, 0.00025)])
def test_everything_comes_back(root: Path, scene_id: str, step_m: float) -> None:
    room, scene = off_center_room(), open_scene(f"embodiedscan:{root}", scene_id)
    assert (scene.id, scene.geometry, scene.room, scene.surface) == (scene_id, "measured", None, None)
    assert set(scene.skipped) <= {NO_POINTS}
    assert_frames(scene, room, depth_step_m=step_m, color_atol=4, order=ORDER)
    assert_boxes(scene, room, ID_OF)
    assert_objects_on_their_depth(scene, room, ID_OF, ORDER)
    assert [thing.label for thing in scene.objects] == [thing.label for thing in room.objects]
    assert scene.provenance["is_video"] is (scene_id == SCANNET)


@pytest.mark.parametrize("depth_suffix", [".pgm", ".png"])
def test_pictures_on_their_side_are_turned_upright(tmp_path: Path, depth_suffix: str) -> None:
    room = off_center_room()
    sample = threerscan_sample(room, tmp_path, depth_suffix)
    write_pickle(tmp_path / "embodiedscan_infos_train.pkl", info(room, [sample]))
    (scene_id,) = open_source(str(tmp_path), {}).ids()
    scene = open_source(str(tmp_path), {}).open(scene_id)
    assert_frames(scene, room, depth_step_m=0.001, color_atol=4, order=ORDER)
    assert_boxes(scene, room, ID_OF)
    assert_objects_on_their_depth(scene, room, ID_OF, ORDER)
    assert (scene.provenance["sky_direction"], scene.provenance["upright"]) == ("right", True)
    assert [frame.color_path for frame in scene.frames] == [None] * 8

    stored = open_source(str(tmp_path), {"upright": "no"}).open(scene_id)
    frame, want = stored.frames[0], room.frames[0]
    assert frame.color().shape[:2] == (want.camera.width, want.camera.height)
    assert np.allclose(frame.T_world_cam, sample["images"][0]["cam2global"])
    for turned, lying in zip(scene.objects, stored.objects, strict=True):
        assert np.array_equal(turned.points, lying.points)
    assert stored.provenance["sky_direction"] == "right"


def test_upright_pictures_stay(root: Path) -> None:
    for scene_id in (SCANNET, MATTERPORT):
        scene = open_scene(f"embodiedscan:{root}", scene_id)
        assert scene.provenance["sky_direction"] == "up"
        assert all(frame.color_path is not None for frame in scene.frames)


def test_depth_camera_has_its_own_size(root: Path) -> None:
    frame = open_scene(f"embodiedscan:{root}", SCANNET).frames[0]
    assert frame.depth_camera is not None and (frame.depth_camera.width, frame.depth_camera.height) == (75, 48)
    assert [f.id for f in open_scene(f"embodiedscan:{root}", SCANNET).frames[:2]] == ["00000", "00010"]


def test_points_come_from_depth_of_visible_objects(root: Path, content: dict[str, Any], tmp_path: Path) -> None:
    room, scene = off_center_room(), open_scene(f"embodiedscan:{root}", MATTERPORT)
    for k in ID_OF:
        thing, want = scene.objects_by_id[ID_OF[k]], room.objects_by_id[k]
        if thing.faces is None:  # from depth: near the real surface
            assert thing.box.contains(thing.points, 1e-6).all()
            some = thing.points[:: max(1, len(thing.points) // 200)]
            distance = np.linalg.norm(some[:, None] - want.points[None], axis=-1).min(1)
            assert np.median(distance) < 0.05
    boxes = open_source(str(root), {"points": "box"}).open(SCANNET)
    assert boxes.skipped == {} and all(len(thing.points) == 8 for thing in boxes.objects)
    assert np.allclose(boxes.objects[0].points, boxes.objects[0].box.corners())
    for image in content["data_list"][0]["images"]:
        image["visible_instance_ids"] = []
    assert read(content, root, tmp_path).skipped[NO_POINTS] == len(ID_OF)


def test_euler_order_of_nine_numbers() -> None:
    """Angles about z, x and y of the box itself, in this order, worked out by hand."""
    a, b, c = 0.4, -0.7, 1.1
    Rz = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    Rx = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    Ry = np.array([[np.cos(c), 0, np.sin(c)], [0, 1, 0], [-np.sin(c), 0, np.cos(c)]])
    box = box_from_nine([1, 2, 3, 0.4, 0.6, 0.8, a, b, c])
    assert np.allclose(box.rotation, Rz @ Rx @ Ry)
    corner = np.array([1, 2, 3]) + Rz @ Rx @ Ry @ np.array([0.2, 0.3, 0.4])
    assert np.allclose(box.corners()[7], corner)
    for bad in ([1] * 8, [np.nan] * 9, [0, 0, 0, -1, 1, 1, 0, 0, 0]):
        with pytest.raises(ValueError):
            box_from_nine(bad)


def test_places_and_options(root: Path, tmp_path: Path) -> None:
    assert open_source(str(root), {}).ids() == [SCANNET, MATTERPORT]
    assert open_source(str(root), {"split": "val"}).ids() == [MATTERPORT]
    assert open_source(str(root), {"dataset": "scannet"}).ids() == [SCANNET]
    assert open_source(str(root / "embodiedscan_infos_val.pkl"), {}).ids() == [MATTERPORT]
    assert recognise(root) and recognise(root / "embodiedscan_infos_val.pkl") and not recognise(root / "scannet")
    assert [f.id for f in open_source(str(root), {"stride": "4"}).open(SCANNET).frames] == ["00000", "00040"]
    shutil.copy(root / "embodiedscan_infos_train.pkl", tmp_path)
    with pytest.raises(SceneError, match=r"none of its 8 images is there.*images=PATH"):
        open_source(str(tmp_path), {}).open(SCANNET)
    assert len(open_source(str(tmp_path), {"images": str(root)}).open(SCANNET).frames) == 8
    bad = [{"split": "all"}, {"points": "x"}, {"images": str(tmp_path / "no")}, {"dataset": "x"}, {"depth_frames": "0"}]
    for options in (*bad, {"unit": "x"}, {"upright": "x"}):
        with pytest.raises(SourceError, match="embodiedscan"):
            open_source(str(root), options)
    with pytest.raises(SourceError, match=r"no embodiedscan_infos_<split>\.pkl \(train\)"):
        open_source(str(root / "scannet"), {"split": "train"})
    with pytest.raises(SourceError, match="no sample 'x'"):
        open_source(str(root), {}).open("x")
    with pytest.raises(SourceError, match="no scene 'x'"):
        open_scene(f"embodiedscan:{root}", "x")
    shutil.copy(root / "embodiedscan_infos_train.pkl", tmp_path / "embodiedscan_infos_val.pkl")
    with pytest.raises(SourceError, match=f"both hold {SCANNET}"):
        open_source(str(tmp_path), {})


def test_lost_poses_and_missing_images_are_counted(root: Path, content: dict[str, Any], tmp_path: Path) -> None:
    images = content["data_list"][0]["images"]
    images[0]["cam2global"][0, 0] = np.inf
    images[1]["img_path"] = "scannet/posed_images/scene0042_00/none.jpg"
    images[2]["depth_path"] = "scannet/posed_images/scene0042_00/none.png"
    scene = read(content, root, tmp_path)
    assert [frame.id for frame in scene.frames] == [f"{k:05d}" for k in range(20, 80, 10)]
    expected = {
        "depth: no image for a frame": 1,
        "frame: no image file": 1,
        "frame: pose has NaN or infinite entries": 1,
    }
    assert expected.items() <= scene.skipped.items()


def test_odd_instances_are_counted(root: Path, content: dict[str, Any], tmp_path: Path) -> None:
    sample = content["data_list"][0]
    sample["instances"][0]["bbox_3d"][4] = -1.0
    sample["instances"][1]["bbox_label_3d"] = 999
    sample["instances"][2]["bbox_id"] = sample["instances"][3]["bbox_id"]
    scene = read(content, root, tmp_path)
    assert [thing.id for thing in scene.objects] == list(range(2, len(ID_OF)))  # places, as ids are not unique
    assert scene.skipped["object: its box is not nine finite numbers with a positive size"] == 1
    assert scene.skipped["object: unknown label number"] == 1


def test_a_split_without_instances(root: Path, content: dict[str, Any], tmp_path: Path) -> None:
    sample = content["data_list"][0]
    del sample["instances"], sample["axis_align_matrix"], sample["depth_cam2img"]
    for image in sample["images"]:
        del image["visible_instance_ids"]
    scene = read(content, root, tmp_path)
    assert (len(scene.frames), scene.objects) == (8, ())
    assert scene.skipped == {"objects: the file has none for this sample": 1}
    assert scene.frames[0].depth_camera == scene.frames[0].camera.scaled(75, 48)


def test_damaged_samples_are_one_error(root: Path, content: dict[str, Any], tmp_path: Path) -> None:
    def broken(**changes: object) -> dict[str, Any]:
        made = copy.deepcopy(content)
        made["data_list"][0].update(changes)
        return made

    for made in (
        broken(images=7),
        broken(images=[{}]),
        broken(images=[{"img_path": "scannet/posed_images/scene0042_00/00000.jpg"}], cam2img=np.eye(2)),
        broken(axis_align_matrix=[1, 2]),
        broken(instances=[{"bbox_3d": [0] * 9}]),
        broken(instances=["x"]),
    ):
        with pytest.raises(SceneError, match="does not follow the layout of EmbodiedScan"):
            read(made, root, tmp_path)
    for other in ([], {"metainfo": {}}, {"metainfo": {"categories": ["a"]}, "data_list": []}, 3):
        write_pickle(tmp_path / "other.pkl", other)
        with pytest.raises(SceneError, match="is it an EmbodiedScan info file"):
            open_source(str(tmp_path / "other.pkl"), {})


def test_truncated_and_hostile_files_are_refused(root: Path, tmp_path: Path) -> None:
    data = (root / "embodiedscan_infos_train.pkl").read_bytes()
    path = tmp_path / "embodiedscan_infos_train.pkl"
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(SceneError, match="truncated"):
        open_source(str(path), {})
    mark = tmp_path / "mark"

    class Hostile:
        def __reduce__(self) -> tuple:
            return os.system, (f"touch {mark}",)

    write_pickle(path, {"metainfo": {"categories": {}}, "data_list": [Hostile()]})
    with pytest.raises(SceneError, match="could run code"):
        open_source(str(path), {})
    assert not mark.exists()


def test_truncated_images_are_one_error(root: Path, content: dict[str, Any], tmp_path: Path) -> None:
    for name in ("00000.jpg", "00000.png"):
        copied = tmp_path / name
        shutil.copytree(root / "scannet", copied / "scannet")
        path = copied / "scannet" / "posed_images" / "scene0042_00" / name
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        with pytest.raises(SceneError, match=f"{name}.*truncated"):
            read(content, copied, tmp_path).frames[0].color()
