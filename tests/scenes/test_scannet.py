"""The ScanNet reader on a hand-made room in ScanNet's own layout: everything must come back where it was."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from handmade import box_scene
from real_scannet import convert
from scannet_writer import T_ALIGN, depth_mm, opencv_matrix, write_annotation, write_matrix, write_scannet
from spaceland.errors import SceneError, SourceError
from spaceland.geometry.camera import PinholeCamera
from spaceland.geometry.raycast import RayCaster
from spaceland.geometry.transforms import look_at
from spaceland.scenes.scannet import open_source, read_scan, recognise
from spaceland.scenes.scene import Scene

POSES = [look_at(np.array([1.0 + 0.3 * k, 1.0, 1.6]), np.array([3.0, 5.0, 0.4])) for k in range(6)]
BOXES = [("Office Chair", (2, 4, 0.5), (0.5, 0.5, 1)), ("table", (3.3, 5, 0.4), (1.2, 0.6, 0.8))]
DEPTH_CAMERA = PinholeCamera(160, 120, 140.0, 141.0, 81.0, 58.5)


@pytest.fixture(scope="module")
def scene() -> Scene:
    """Like a scan: depth of another size and other intrinsics than colour."""
    made = box_scene(BOXES, POSES, camera=PinholeCamera(320, 240, 260.0, 262.0, 158.25, 121.0))
    assert made.surface is not None and made.surface.faces is not None
    caster = RayCaster(made.surface.vertices, made.surface.faces)

    def depth(pose: np.ndarray) -> Callable[[], np.ndarray]:
        return lambda: caster.cast_camera(DEPTH_CAMERA, pose).distance

    frames = [replace(f, depth=depth(f.T_world_cam), depth_camera=DEPTH_CAMERA, object_ids=None) for f in made.frames]
    return replace(made, frames=tuple(frames))


@pytest.fixture(scope="module")
def template(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scannet(scene, tmp_path_factory.mktemp("template") / "scene0042_00")


@pytest.fixture
def scan(template: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return shutil.copytree(template, tmp_path / "scans" / "scene0042_00")


def assert_frames(read: Scene, scene: Scene, *, pose_atol: float) -> None:
    assert len(read.frames) == len(scene.frames)
    for k, (got, want) in enumerate(zip(read.frames, scene.frames, strict=True)):
        assert got.id == f"{k:06d}"
        assert np.allclose(got.T_world_cam, want.T_world_cam, atol=pose_atol)
        for camera, original in ((got.camera, want.camera), (got.depth_camera, DEPTH_CAMERA)):
            assert camera is not None and (camera.width, camera.height) == (original.width, original.height)
            assert np.allclose(camera.K, original.K, atol=pose_atol * 100)
        assert got.depth is not None and want.depth is not None
        assert np.array_equal(got.depth(), (depth_mm(want) / 1000).astype(np.float32))
        assert np.abs(got.color().astype(int) - want.color()).mean() < 3


def assert_geometry(read: Scene, scene: Scene) -> None:
    assert read.surface is not None and scene.surface is not None
    assert np.allclose(read.surface.vertices, scene.surface.vertices, atol=1e-5)
    assert np.array_equal(read.surface.faces, scene.surface.faces)
    assert np.array_equal(read.surface.object_ids, scene.surface.object_ids)
    assert np.array_equal(read.surface.colors, scene.surface.colors)
    assert [(o.id, o.label, o.raw_label) for o in read.objects] == [
        (0, "office chair", "Office Chair"),
        (1, "table", "table"),
    ]
    for got, want in zip(read.objects, scene.objects, strict=True):
        assert np.allclose(got.points, want.points, atol=1e-5)
        assert np.array_equal(got.faces, want.faces)
        assert np.allclose(got.aabb.size, want.aabb.size, atol=1e-4)
        assert np.allclose(got.box.center, want.box.center, atol=1e-4)


def test_everything_comes_back(scan: Path, scene: Scene) -> None:
    read = open_source(str(scan.parent.parent), {}).open("scene0042_00")
    assert_frames(read, scene, pose_atol=1e-9)
    assert_geometry(read, scene)
    assert (read.id, read.geometry, read.skipped) == ("scene0042_00", "measured", {})
    assert read.provenance["axis_alignment"] == T_ALIGN.tolist()


def test_sens_gives_the_same_as_the_folders(scene: Scene, template: Path, tmp_path: Path) -> None:
    folders = read_scan(template)
    stream = read_scan(write_scannet(scene, tmp_path / "b" / "scene0042_00", sens=True, images=False))
    assert_frames(stream, scene, pose_atol=1e-6)
    assert_geometry(stream, scene)
    for a, b in zip(folders.frames, stream.frames, strict=True):
        assert np.array_equal(a.color(), b.color())
        assert a.depth is not None and b.depth is not None and np.array_equal(a.depth(), b.depth())
    assert [frame.timestamp_s for frame in stream.frames] == pytest.approx([0.033 * k for k in range(6)])
    keys = [frame.content_key() for frame in stream.frames]
    assert len(set(keys)) == len(keys)


def test_source_lists_scans(scan: Path, tmp_path: Path) -> None:
    shutil.copytree(scan, scan.parent / "scene0001_00")
    (scan.parent / "notes").mkdir()
    assert open_source(str(tmp_path), {}).ids() == ["scene0001_00", "scene0042_00"]
    assert open_source(str(scan.parent), {}).ids() == ["scene0001_00", "scene0042_00"]
    assert open_source(str(scan), {}).ids() == ["scene0042_00"]
    assert recognise(scan) and recognise(tmp_path) and not recognise(scan.parent / "notes")
    with pytest.raises(SourceError, match="no scan in"):
        open_source(str(scan.parent / "notes"), {})


def test_stride_and_max_frames(scan: Path) -> None:
    def ids(**options: str) -> list[str]:
        return [frame.id for frame in open_source(str(scan), options).open("scene0042_00").frames]

    assert ids(stride="2") == ["000000", "000002", "000004"]
    assert ids(max_frames="3") == ["000000", "000002", "000004"]
    assert ids(stride="4", max_frames="5") == ["000000", "000004"]
    for bad in ({"stride": "0"}, {"max_frames": "x"}, {"every": "2"}):
        with pytest.raises(SourceError, match="scannet"):
            open_source(str(scan), bad)


def test_lost_missing_and_damaged_poses_are_counted(scan: Path) -> None:
    write_matrix(scan / "pose" / "0.txt", np.full((4, 4), -np.inf))
    write_matrix(scan / "pose" / "1.txt", np.full((4, 4), np.nan))
    (scan / "pose" / "2.txt").unlink()
    (scan / "pose" / "3.txt").write_text("1 0 0 0\n0 1 0")
    read = read_scan(scan)
    assert [frame.id for frame in read.frames] == ["000004", "000005"]
    assert read.skipped == {
        "frame: no pose file": 1,
        "frame: pose file is damaged": 1,
        "frame: pose has NaN or infinite entries": 2,
    }


def test_points_only_mesh(scene: Scene, tmp_path: Path) -> None:
    read = read_scan(write_scannet(scene, tmp_path / "scene0042_00", with_faces=False))
    assert read.surface is not None and read.surface.faces is None
    assert [thing.faces for thing in read.objects] == [None, None]
    assert np.allclose(read.objects[1].points, scene.objects[1].points, atol=1e-5)


def test_what_is_missing_is_left_out(scan: Path) -> None:
    (scan / "scene0042_00.aggregation.json").rename(scan / "scene0042_00_vh_clean.aggregation.json")
    assert len(read_scan(scan).objects) == 2
    shutil.rmtree(scan / "depth")
    assert all(frame.depth is None and frame.depth_camera is None for frame in read_scan(scan).frames)
    next(scan.glob("*.segs.json")).unlink()
    read = read_scan(scan)
    assert (read.objects, read.skipped) == ((), {"objects: no segs.json": 1})
    next(scan.glob("*.ply")).unlink()
    assert read_scan(scan).skipped == {"surface: no _vh_clean_2.ply": 1}
    (scan / "scene0042_00.txt").unlink()
    assert read_scan(scan).provenance["axis_alignment"] is None


def test_mesh_alone_is_a_scene_without_frames(scan: Path) -> None:
    for name in ("color", "depth", "pose", "intrinsic"):
        shutil.rmtree(scan / name)
    read = read_scan(scan)
    assert read.frames == () and len(read.objects) == 2


def test_intrinsics_in_the_scan_folder_and_for_larger_images(scan: Path, scene: Scene) -> None:
    """Small exports keep the intrinsics of the full images; <scan>.txt tells their size."""
    for which in ("color", "depth"):
        (scan / "intrinsic" / f"intrinsic_{which}.txt").rename(scan / f"intrinsics_{which}.txt")
    full = scene.frames[0].camera.scaled(1280, 960)
    write_matrix(scan / "intrinsics_color.txt", opencv_matrix(full))
    text = (scan / "scene0042_00.txt").read_text()
    text = text.replace("colorWidth = 320", "colorWidth = 1280").replace("colorHeight = 240", "colorHeight = 960")
    (scan / "scene0042_00.txt").write_text(text)
    assert np.allclose(read_scan(scan).frames[0].camera.K, scene.frames[0].camera.K)


def test_intrinsics_from_the_scan_text(scan: Path, scene: Scene) -> None:
    camera = scene.frames[0].camera
    shutil.rmtree(scan / "intrinsic")
    with pytest.raises(SceneError, match=r"no intrinsic/intrinsic_color\.txt"):
        read_scan(scan)
    with (scan / "scene0042_00.txt").open("a") as stream:
        stream.write(f"fx_color = {camera.fx}\nfy_color = {camera.fy}\n")
        stream.write(f"mx_color = {camera.cx - 0.5}\nmy_color = {camera.cy - 0.5}\n")
    read = read_scan(scan)
    assert read.frames[0].camera == camera
    assert read.frames[0].depth_camera == camera.scaled(160, 120)
    assert "no depth intrinsics" in str(read.provenance["depth_camera"])


def test_annotation_of_another_mesh_is_refused(scan: Path) -> None:
    path = next(scan.glob("*.segs.json"))
    path.write_text(json.dumps({"segIndices": [1, 2, 3]}))
    with pytest.raises(SceneError, match="segments for 3 vertices, but the mesh has"):
        read_scan(scan)


def test_shared_and_unknown_segments_are_counted(scan: Path, scene: Scene) -> None:
    path = scan / "scene0042_00.aggregation.json"
    content = json.loads(path.read_text())
    content["segGroups"][1]["segments"] += [100, 999999]
    path.write_text(json.dumps(content))
    read = read_scan(scan)
    assert read.skipped["segment: not in the mesh"] == 1
    assert read.skipped["vertex: in two objects, counted for the first"] > 0
    assert read.surface is not None and scene.surface is not None
    assert np.array_equal(read.surface.object_ids, scene.surface.object_ids)


def test_object_without_points_is_counted(scan: Path, scene: Scene) -> None:
    write_annotation(replace(scene, objects=(*scene.objects, replace(scene.objects[0], id=5))), scan)
    read = read_scan(scan)
    assert len(read.objects) == 2
    assert read.skipped == {"object: no points": 1, "segment: not in the mesh": 2}


@pytest.mark.real
def test_real_scan_has_the_named_boxes(tmp_path: Path) -> None:
    root = os.environ.get("SPACELAND_REAL_DATA")
    if not root or not (Path(root) / "scannet_scene0000").is_dir():
        pytest.skip("SPACELAND_REAL_DATA names no folder with scannet_scene0000")
    source = Path(root) / "scannet_scene0000"
    read = read_scan(convert(source, tmp_path))
    images = json.loads((source / "scene0000_00_images.json").read_text())
    assert [frame.id for frame in read.frames] == ["000000", "000011", "000102"]
    assert read.skipped == {}
    # The named boxes come first; after them the converter puts the other things that have a NYU40 class.
    named = images["boxes_aligned_center_size"]
    assert len(named) == 27
    for thing, box in zip(read.objects, named, strict=False):
        assert np.allclose(np.concatenate([thing.aabb.center, thing.aabb.size]), box[:6], atol=0.01)
    T = np.array(images["axis_align_matrix"]) @ np.array(images["camera_to_world"][1])
    assert np.allclose(read.frames[1].T_world_cam, T, atol=1e-5)


def test_labels_that_annotators_run_together_are_spelled_as_others_do(tmp_path: Path) -> None:
    """A bin is a "garbage bin" in every scan; `raw_label` keeps the word of the annotation."""
    boxes = [("garbagebin", (2.0, 4.0, 0.5), (0.6, 0.6, 1.0)), ("Refridgerator", (4.0, 4.0, 0.9), (0.7, 0.7, 1.8))]
    pose = look_at(np.array([3.0, 1.0, 1.5]), np.array([3.0, 5.0, 1.2]))
    folder = write_scannet(box_scene(boxes, [pose]), tmp_path / "scene0001_00")
    read = [(thing.label, thing.raw_label) for thing in read_scan(folder).objects]
    assert read == [("garbage bin", "garbagebin"), ("refrigerator", "Refridgerator")]
