"""The ScanNet++ reader on a sample room in that layout: phone and photos, all forms of its files, and damaged ones."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from dataset_room import (
    CAMERA,
    assert_boxes,
    assert_pictures,
    assert_points,
    assert_seen_where_they_are,
    look,
    millimetres,
    picture,
    poses,
    sample_room,
)
from scannetpp_writer import EVERY, FISHEYE, PHONE_LENS, depth_bin, write_dslr, write_iphone, write_scene

from spaceland.errors import SceneError, SourceError
from spaceland.scenes.depth_bin import lz4_block, read_depth_bin
from spaceland.scenes.lens import Lens
from spaceland.scenes.mp4 import frame_times, video_frame, video_size
from spaceland.scenes.scannetpp import open_source, recognise
from spaceland.scenes.scene import Scene
from spaceland.scenes.sources import open_scene

ID = "0a5c013435"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_scene(tmp_path_factory.mktemp("scannetpp") / "data" / ID)
    write_iphone(folder, depth="png")
    return folder


@pytest.fixture
def scene_folder(template: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return shutil.copytree(template, tmp_path / "data" / ID)


def read(folder: Path, **options: str) -> Scene:
    return open_source(str(folder), options).open(ID)


def test_everything_comes_back(template: Path) -> None:
    scene = open_scene(f"scannetpp:{template.parent.parent}")
    assert_pictures(scene, CAMERA, (256, 192), color_error=4)
    assert_boxes(scene, list(sample_room().objects))
    assert_points(scene)
    assert_seen_where_they_are(scene)
    assert scene.surface is not None and sample_room().surface is not None
    assert np.array_equal(scene.surface.object_ids, sample_room().surface.object_ids)
    assert (scene.id, scene.geometry, scene.skipped) == (ID, "measured", {})
    assert [frame.id for frame in scene.frames] == [f"{k * EVERY:06d}" for k in range(8)]
    assert [frame.timestamp_s for frame in scene.frames] == [100.0 + k for k in range(8)]
    assert {key: scene.provenance[key] for key in ("room", "stream", "poses")} == {
        "room": ID,
        "stream": "iphone",
        "poses": "arkit",
    }
    assert len({frame.content_key() for frame in scene.frames}) == 8


@pytest.mark.parametrize("form", ["deflate", "lz4", "stream"])
def test_forms_of_depth_bin(form: str, tmp_path: Path) -> None:
    images = [picture(k % 8, CAMERA.scaled(256, 192))[1] for k in range(3 if form == "lz4" else 70)]
    path = tmp_path / "depth.bin"
    path.write_bytes(depth_bin(images, form))
    for k in [len(images) - 1, 0, 2, len(images) - 2, 1]:  # in no order
        assert np.abs(read_depth_bin(path, k) - images[k]).max() < 0.0006
    with pytest.raises(SceneError, match="may be truncated"):
        read_depth_bin(path, len(images))
    cut = tmp_path / "cut.bin"
    cut.write_bytes(path.read_bytes()[:-20000])
    assert np.abs(read_depth_bin(cut, 0) - images[0]).max() < 0.0006
    with pytest.raises(SceneError, match="truncated"):
        read_depth_bin(cut, len(images) - 1)


def test_lz4_copies_may_overlap() -> None:
    assert lz4_block(bytes([0x14, ord("a"), 1, 0, 0x10, ord("b")]), 10) == b"a" * 9 + b"b"
    for damaged in (b"", b"\x14a\x05\x00\x10b", b"\xf0\xff", b"\x14a\x01\x00\x10b"[:-1]):
        with pytest.raises(ValueError, match=r"bytes|early|before"):
            lz4_block(damaged, 10)


def test_colmap_poses_and_a_bent_lens(scene_folder: Path) -> None:
    """COLMAP wins where it is there; colour and depth of its lens come back straight."""
    shutil.rmtree(scene_folder / "iphone")
    write_iphone(scene_folder, depth="lz4", colmap=True)
    scene = read(scene_folder)
    assert scene.provenance["poses"] == "colmap"
    assert_straight(scene, PHONE_LENS)
    assert_seen_where_they_are(scene)
    for k, frame in enumerate(scene.frames):
        assert frame.depth is not None and frame.depth_camera is not None
        want = picture(k, frame.depth_camera)[1]
        assert np.median(np.abs(frame.depth() - want)) < 0.01
    # The same pictures read as if they were straight would be off.
    assert read(scene_folder, poses="arkit").frames[0].camera == CAMERA


def assert_straight(scene: Scene, lens: Lens) -> None:
    camera = lens.pinhole()
    for k, frame in enumerate(scene.frames):
        assert np.allclose(frame.T_world_cam, poses()[k], atol=1e-6) and frame.camera == camera
        assert frame.color_path is None
        want = look(poses()[k], camera.pixel_rays()[..., :2])[0]
        assert np.median(np.abs(frame.color().astype(int) - want)) < 4


@pytest.mark.parametrize("colmap", [True, False], ids=["colmap", "nerfstudio"])
@pytest.mark.parametrize("undistorted", [True, False], ids=["undistorted", "fisheye"])
def test_dslr(scene_folder: Path, undistorted: bool, colmap: bool) -> None:
    write_dslr(scene_folder, undistorted=undistorted, colmap=colmap)
    scene = read(scene_folder, stream="dslr")
    assert [frame.id for frame in scene.frames][:2] == ["DSC00001", "DSC00002"] and scene.skipped == {}
    assert scene.provenance["poses"] == ("colmap" if colmap else "nerfstudio")
    if undistorted:
        assert_pictures(scene, CAMERA, None, color_error=4)
    else:
        assert all(frame.depth is None for frame in scene.frames)
        assert_straight(scene, FISHEYE)


def test_bad_and_unregistered_photos_are_counted(scene_folder: Path) -> None:
    write_dslr(scene_folder, colmap=True)
    path = scene_folder / "dslr" / "nerfstudio" / "transforms.json"
    content = json.loads(path.read_text())
    content["frames"][0]["is_bad"] = True
    content["frames"].append({**content["frames"][1], "file_path": "DSC09999.JPG"})
    path.write_text(json.dumps(content))
    (scene_folder / "dslr" / "resized_images" / "DSC00003.JPG").unlink()
    scene = read(scene_folder, stream="dslr")
    assert len(scene.frames) == 6
    assert scene.skipped == {
        "frame: marked as bad (is_bad)": 1,
        "frame: no colour image": 1,
        "frame: no pose in colmap/images.txt": 1,
    }


def test_video(scene_folder: Path) -> None:
    """Frames of rgb.mp4 are found by their number; those that the video does not reach are counted."""
    shutil.rmtree(scene_folder / "iphone" / "rgb")
    with av.open(str(scene_folder / "iphone" / "rgb.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=60)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 160, 120, "yuv420p", 8_000_000
        for number in range(6 * EVERY + 3):
            image = picture(number // EVERY, CAMERA)[0] if number % EVERY == 0 else np.full((120, 160, 3), 99, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    scene = read(scene_folder)
    assert scene.skipped == {"frame: no colour image": 1} and len(scene.frames) == 7
    for k in (5, 0, 3):
        difference = np.abs(scene.frames[k].color().astype(int) - picture(k, CAMERA)[0])
        assert np.median(difference) < 8
    path = scene_folder / "iphone" / "rgb.mp4"
    path.write_bytes(path.read_bytes()[:2000])
    shutil.copy(path, path.with_name("other.mp4"))
    path.unlink()
    path.with_name("other.mp4").rename(scene_folder.parent / "rgb.mp4")
    moved = shutil.copytree(scene_folder, scene_folder.parent / "moved" / ID)
    shutil.copy(scene_folder.parent / "rgb.mp4", moved / "iphone" / "rgb.mp4")
    with pytest.raises(SceneError, match="not a readable video"):
        read(moved)


def test_frames_between_key_frames(tmp_path: Path) -> None:
    """A slow fade has key frames far apart; each frame must still be found by its number."""
    path = tmp_path / "fade.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=60)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = 64, 48, "yuv420p", 12
        stream.bit_rate = 4_000_000
        for number in range(40):
            image = np.full((48, 64, 3), 20 + 5 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    assert len(frame_times(path)) == 40 and video_size(path) == (64, 48)
    for number in (39, 0, 7, 23, 12):
        assert video_frame(path, number).mean() == pytest.approx(20 + 5 * number, abs=2)
    with pytest.raises(SceneError, match="40 frames, but frame 40"):
        video_frame(path, 40)
    with pytest.raises(SceneError, match="missing file"):
        video_frame(tmp_path / "none.mp4", 0)


def test_a_scale_in_aligned_poses_is_divided_out(scene_folder: Path) -> None:
    shutil.rmtree(scene_folder / "iphone")
    write_iphone(scene_folder, scale=1.07)
    assert_pictures(read(scene_folder), CAMERA, (256, 192), color_error=4)


def test_what_is_missing_is_named(scene_folder: Path) -> None:
    shutil.rmtree(scene_folder / "iphone" / "depth")
    scene = read(scene_folder)
    assert len(scene.frames) == 8 and scene.frames[0].depth is None
    assert scene.skipped == {"depth: no iphone/depth image for a frame; colour and mesh still work": 8}
    (scene_folder / "scans" / "segments.json").unlink()
    shutil.rmtree(scene_folder / "iphone" / "rgb")
    scene = read(scene_folder)
    assert scene.frames == () and scene.objects == () and scene.surface is not None
    assert sorted(scene.skipped) == [
        "frames: no iphone/rgb.mp4 and no iphone/rgb; mesh and objects still work",
        "objects: no scans/segments.json; frames and mesh still work",
    ]
    assert "frames: no dslr/resized_images" in str(read(scene_folder, stream="dslr").skipped)
    (scene_folder / "scans" / "mesh_aligned_0.05.ply").unlink()
    assert read(scene_folder).surface is None


def test_lost_poses_are_counted(scene_folder: Path) -> None:
    path = scene_folder / "iphone" / "pose_intrinsic_imu.json"
    content = json.loads(path.read_text())
    content["frame_000000"]["aligned_pose"][0][3] = float("nan")
    content["frame_000010"]["aligned_pose"] = [[float("-inf")] * 4] * 4
    path.write_text(json.dumps(content))
    scene = read(scene_folder)
    assert len(scene.frames) == 6 and scene.skipped == {"frame: pose has NaN or infinite entries": 2}


def _cut(path: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        data = (folder / path).read_bytes()
        (folder / path).write_bytes(data[: len(data) // 2])

    return damage


def _other_mesh(folder: Path) -> None:
    (folder / "scans" / "segments.json").write_text(json.dumps({"segIndices": [1, 2, 3]}))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_cut("scans/mesh_aligned_0.05.ply"), "truncated"),
        (_cut("scans/segments.json"), "not valid JSON"),
        (_cut("scans/segments_anno.json"), "not valid JSON"),
        (_cut("iphone/pose_intrinsic_imu.json"), "not valid JSON"),
        (_other_mesh, "segments for 3 vertices"),
    ],
)
def test_damaged_files_are_one_clear_error(scene_folder: Path, damage: Callable[[Path], None], message: str) -> None:
    damage(scene_folder)
    with pytest.raises(SceneError, match=message):
        read(scene_folder)


def test_damaged_images_and_colmap_files(scene_folder: Path) -> None:
    _cut("iphone/depth/frame_000000.png")(scene_folder)
    frame = read(scene_folder).frames[0]
    assert frame.depth is not None
    with pytest.raises(SceneError, match="not a readable image"):
        frame.depth()
    write_dslr(scene_folder)
    (scene_folder / "dslr" / "colmap" / "images.txt").write_text("# images\n1 1 0 0 0 0.5\n\n")
    with pytest.raises(SceneError, match=r"images\.txt, line 2"):
        read(scene_folder, stream="dslr")
    (scene_folder / "dslr" / "colmap" / "cameras.txt").write_text("1 FOV 10 10 5 5 5 5 0.1\n")
    with pytest.raises(SceneError, match="FOV"):
        read(scene_folder, stream="dslr")


def test_source(template: Path, tmp_path: Path) -> None:
    for place in (template, template.parent, template.parent.parent):
        assert recognise(place) and open_source(str(place), {}).ids() == [ID]
    assert not recognise(tmp_path)
    with pytest.raises(SourceError, match="no scene in"):
        open_source(str(tmp_path), {})
    with pytest.raises(SourceError, match="no scene 'x'"):
        open_source(str(template), {}).open("x")
    for bad in ({"stream": "phone"}, {"poses": "imu"}, {"stride": "0"}, {"every": "2"}):
        with pytest.raises(SourceError, match="scannetpp"):
            open_source(str(template), bad)
    assert [frame.id for frame in read(template, stride="2", max_frames="2").frames] == ["000000", "000040"]


def test_depth_of_millimetres_is_exact(template: Path) -> None:
    frame = read(template).frames[0]
    assert frame.depth is not None
    want = (millimetres(picture(0, CAMERA.scaled(256, 192))[1]) / 1000).astype(np.float32)
    assert np.array_equal(frame.depth(), want)
