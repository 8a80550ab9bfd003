"""Posed RGB-D folders: every layout gives the same scene; up, mirrored cameras, options and gaps are handled."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rgbd_writer import SCALES, write_rgbd

from handmade import box_scene
from spaceland.errors import SceneError, SourceError
from spaceland.files import encode_png
from spaceland.geometry.camera import PinholeCamera
from spaceland.geometry.raycast import RayCaster
from spaceland.geometry.transforms import from_rotation_translation, invert_rigid, look_at, rotation_between
from spaceland.scenes.rgbd import open_source, recognise
from spaceland.scenes.scene import Scene
from spaceland.scenes.sources import open_scene

POSES = [look_at(np.array([1.0 + 0.4 * k, 1.0, 1.6]), np.array([3.0, 5.0, 0.4 - 0.1 * k])) for k in range(4)]
BOXES = [("chair", (2, 4, 0.5), (0.5, 0.5, 1)), ("table", (3.3, 5, 0.4), (1.2, 0.6, 0.8))]
CAMERA = PinholeCamera(320, 240, 260.0, 262.0, 158.5, 121.5)
UP = np.array([0.02, -0.89, -0.456])
TILT = from_rotation_translation(rotation_between(np.array([0.0, 0.0, 1.0]), UP), np.array([0.3, -1.0, 2.0]))
LAYOUTS = list(SCALES)


@pytest.fixture(scope="module")
def scene() -> Scene:
    made = box_scene(BOXES, POSES, camera=CAMERA)
    # Rendered once: the same pixels are written many times.
    frames = []
    for frame in made.frames:
        assert frame.depth is not None
        color, depth = frame.color(), frame.depth()
        frames.append(replace(frame, color=lambda c=color: c, depth=lambda d=depth: d))
    return replace(made, frames=tuple(frames))


def read(folder: Path, **options: str) -> Scene:
    source = open_source(str(folder), options)
    assert len(source.ids()) == 1
    return source.open(source.ids()[0])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_frames(scene: Scene, tmp_path: Path, layout: str) -> None:
    written = write_rgbd(scene, tmp_path / "kitchen", layout, T_file_world=TILT)
    assert recognise(written.folder)
    got = read(written.folder, **written.options)
    assert (got.id, got.geometry, got.provenance["layout"], got.skipped) == ("kitchen", "measured", layout, {})
    assert [frame.id for frame in got.frames] == [f"{k:06d}" for k in range(4)]
    for frame, original, pose in zip(got.frames, scene.frames, written.poses, strict=True):
        assert np.allclose(frame.T_world_cam, pose, atol=1e-6)
        assert frame.camera == frame.depth_camera
        assert np.allclose(frame.camera.K, CAMERA.K)
        assert frame.depth is not None and original.depth is not None
        assert np.abs(frame.depth() - original.depth()).max() <= 0.5 / SCALES[layout] + 1e-6
        assert np.abs(frame.color().astype(int) - original.color()).mean() < 3


@pytest.mark.parametrize("layout", LAYOUTS)
def test_negative_fy_gives_the_same_scene(scene: Scene, tmp_path: Path, layout: str) -> None:
    """The mirrored files show the same room; after reading, poses and intrinsics are those of the unmirrored one."""
    written = write_rgbd(scene, tmp_path / "kitchen", layout, negative_fy=True)
    got = read(written.folder, **written.options)
    assert got.provenance["mirrored"] is True
    for frame, original in zip(got.frames, scene.frames, strict=True):
        assert np.allclose(frame.T_world_cam, original.T_world_cam, atol=1e-6)
        assert np.allclose(frame.camera.K, CAMERA.K)


def test_up_levels_the_world_and_puts_the_floor_at_zero(scene: Scene, tmp_path: Path) -> None:
    written = write_rgbd(scene, tmp_path / "kitchen", "7scenes", T_file_world=TILT)
    got = read(written.folder, up=",".join(str(v) for v in UP))
    assert got.provenance["floor_at_zero"] is True
    assert_level(got, scene, atol_m=0.01)
    T = np.array(got.provenance["T_scene_file"])
    for frame, pose in zip(got.frames, written.poses, strict=True):
        assert np.allclose(T @ pose, frame.T_world_cam)


def test_up_is_a_direction_of_the_file_even_when_it_is_mirrored(scene: Scene, tmp_path: Path) -> None:
    written = write_rgbd(scene, tmp_path / "kitchen", "7scenes", T_file_world=TILT, negative_fy=True)
    got = read(written.folder, up=",".join(str(v) for v in UP * [1, -1, 1]))
    assert_level(got, scene, atol_m=0.01)


def test_up_auto_finds_the_floor(scene: Scene, tmp_path: Path) -> None:
    written = write_rgbd(scene, tmp_path / "kitchen", "open3d", T_file_world=TILT)
    assert_level(read(written.folder, up="auto"), scene, atol_m=0.02)


def assert_level(got: Scene, scene: Scene, atol_m: float) -> None:
    """Equal but for a turn about z and a shift on the floor: heights and elevations must agree."""
    for frame, original in zip(got.frames, scene.frames, strict=True):
        assert frame.T_world_cam[2, 3] == pytest.approx(original.T_world_cam[2, 3], abs=atol_m)
        assert np.allclose(frame.T_world_cam[2, :3], original.T_world_cam[2, :3], atol=0.005)


def test_world_to_camera_poses(scene: Scene, tmp_path: Path) -> None:
    inverse = replace(scene, frames=tuple(replace(f, T_world_cam=invert_rigid(f.T_world_cam)) for f in scene.frames))
    got = read(write_rgbd(inverse, tmp_path / "kitchen", "replica").folder, pose="w2c")
    for frame, original in zip(got.frames, scene.frames, strict=True):
        assert np.allclose(frame.T_world_cam, original.T_world_cam)


def test_depth_and_colour_intrinsics_can_differ(scene: Scene, tmp_path: Path) -> None:
    folder = write_rgbd(scene, tmp_path / "kitchen", "7scenes").folder
    got = read(folder, fx="300", fy="301", cx="159.5", cy="119.5")
    assert got.frames[0].camera == PinholeCamera(320, 240, 300.0, 301.0, 160.0, 120.0)
    assert got.frames[0].depth_camera == CAMERA  # the file describes the depth camera there
    got = read(folder, depth_fx="310", depth_fy="310", depth_cx="159.5", depth_cy="119.5")
    assert got.frames[0].camera == CAMERA
    assert got.frames[0].depth_camera == PinholeCamera(320, 240, 310.0, 310.0, 160.0, 120.0)


def test_the_known_kinect_of_7scenes_has_another_colour_camera(scene: Scene, tmp_path: Path) -> None:
    folder = write_rgbd(scene, tmp_path / "kitchen", "7scenes").folder
    (folder / "camera-intrinsics.txt").write_text("585 0 320\n0 585 240\n0 0 1\n")
    frame = read(folder).frames[0]
    assert frame.depth_camera is not None
    assert (frame.camera.fx, frame.depth_camera.fx) == (525.0, 585.0)


def test_depth_of_another_size_shares_the_colour_intrinsics(scene: Scene, tmp_path: Path) -> None:
    folder = write_rgbd(scene, tmp_path / "kitchen", "open3d").folder
    for path in (folder / "depth").iterdir():
        path.write_bytes(encode_png(np.full((120, 160), 2000, np.uint16)))
    assert read(folder).frames[0].depth_camera == CAMERA.scaled(160, 120)


def test_bad_poses_are_counted(scene: Scene, tmp_path: Path) -> None:
    folder = write_rgbd(scene, tmp_path / "kitchen", "7scenes").folder
    (folder / "frame-000000.pose.txt").write_text("nan " * 16)
    (folder / "frame-000000.pose.txt").write_text("\n".join(["inf 0 0 1"] * 4))
    (folder / "frame-000001.pose.txt").unlink()
    (folder / "frame-000002.pose.txt").write_text("1 0 0")
    got = read(folder)
    assert [frame.id for frame in got.frames] == ["000003"]
    assert got.skipped == {
        "frame: no pose, or its file is damaged": 2,
        "frame: pose has NaN or infinite entries": 1,
    }


def test_zero_quaternions_and_times_without_pose_are_counted(scene: Scene, tmp_path: Path) -> None:
    written = write_rgbd(scene, tmp_path / "kitchen", "tum")
    lines = (written.folder / "groundtruth.txt").read_text().splitlines()
    lines[1] = lines[1].split()[0] + " 0 0 0 0 0 0 0"
    del lines[3]
    (written.folder / "groundtruth.txt").write_text("\n".join(lines))
    got = read(written.folder, **written.options)
    assert [frame.id for frame in got.frames] == ["000002", "000003"]
    assert got.frames[0].timestamp_s == 1305031002.1
    assert sum(got.skipped.values()) == 2


def test_depth_without_partner_is_counted(scene: Scene, tmp_path: Path) -> None:
    folder = write_rgbd(scene, tmp_path / "kitchen", "open3d").folder
    (folder / "depth" / "00001.png").unlink()
    got = read(folder)
    assert [frame.depth is None for frame in got.frames] == [False, True, False, False]
    assert got.skipped == {"depth: no image for a frame": 1}


def test_zero_and_saturated_depth_are_unknown(scene: Scene, tmp_path: Path) -> None:
    folder = write_rgbd(scene, tmp_path / "kitchen", "open3d").folder
    depth = np.full((240, 320), 1500, np.uint16)
    depth[0], depth[1] = 0, 65535
    (folder / "depth" / "00000.png").write_bytes(encode_png(depth))
    reader = read(folder).frames[0].depth
    assert reader is not None
    assert np.unique(reader()[:2]).tolist() == [0.0] and np.unique(reader()[2:]).tolist() == [1.5]


def test_content_key_follows_the_depth_file(scene: Scene, tmp_path: Path) -> None:
    folder = write_rgbd(scene, tmp_path / "kitchen", "open3d").folder
    before = [frame.content_key() for frame in read(folder).frames]
    (folder / "depth" / "00001.png").write_bytes((folder / "depth" / "00000.png").read_bytes())
    after = [frame.content_key() for frame in read(folder).frames]
    assert [a == b for a, b in zip(before, after, strict=True)] == [True, False, True, True]
    assert after[0] == after[1]
    assert read(folder, depth_scale="5000").frames[0].content_key() != after[0]


def test_mesh_beside_the_frames_is_the_surface(scene: Scene, tmp_path: Path) -> None:
    """Also when the world is turned: depth and mesh must still agree."""
    folder = write_rgbd(scene, tmp_path / "office0", "replica").folder
    got = read(folder, up="0,0,1")
    assert got.surface is not None and got.surface.faces is not None
    hits = RayCaster(got.surface.vertices, got.surface.faces).cast_camera(CAMERA, got.frames[2].T_world_cam)
    assert got.frames[2].depth is not None
    assert np.abs(hits.distance - got.frames[2].depth()).max() < 0.001
    assert got.surface.vertices[:, 2].min() == pytest.approx(0.0, abs=0.01)


def test_scenes_below_a_folder(scene: Scene, tmp_path: Path) -> None:
    small = replace(scene, frames=scene.frames[:1])
    for name in ("redkitchen/seq-01", "redkitchen/seq-02", "chess/seq-01"):
        write_rgbd(small, tmp_path / "data" / name, "7scenes")
    write_rgbd(small, tmp_path / "data" / "lounge", "open3d")
    assert open_source(str(tmp_path / "data"), {}).ids() == [
        "chess-seq-01",
        "lounge",
        "redkitchen-seq-01",
        "redkitchen-seq-02",
    ]
    assert open_source(str(tmp_path / "data/redkitchen"), {}).ids() == ["redkitchen-seq-01", "redkitchen-seq-02"]
    assert open_source(str(tmp_path / "data/redkitchen/seq-02"), {}).ids() == ["redkitchen-seq-02"]
    assert open_source(str(tmp_path / "data"), {"layout": "open3d"}).ids() == ["lounge"]
    assert not recognise(tmp_path / "none")


def test_intrinsics_may_lie_one_level_up(scene: Scene, tmp_path: Path) -> None:
    folder = write_rgbd(scene, tmp_path / "kitchen" / "seq-01", "7scenes").folder
    (folder / "camera-intrinsics.txt").rename(folder.parent / "camera-intrinsics.txt")
    assert read(folder.parent).frames[0].camera == CAMERA


def test_stride_and_max_frames(scene: Scene, tmp_path: Path) -> None:
    folder = write_rgbd(scene, tmp_path / "kitchen", "open3d").folder
    assert [frame.id for frame in read(folder, stride="3").frames] == ["000000", "000003"]
    assert [frame.id for frame in read(folder, max_frames="2").frames] == ["000000", "000002"]


def test_frames_keep_the_numbers_of_their_files(scene: Scene, tmp_path: Path) -> None:
    """Every second image of a trajectory: the pose is that of the number, not of the place in the list."""
    folder = write_rgbd(scene, tmp_path / "kitchen", "open3d").folder
    for number in (0, 2):
        (folder / "image" / f"{number:05d}.jpg").unlink()
        (folder / "depth" / f"{number:05d}.png").unlink()
    got = read(folder)
    assert [frame.id for frame in got.frames] == ["000001", "000003"]
    assert np.allclose(got.frames[1].T_world_cam, POSES[3])


def test_missing_intrinsics_and_scale_say_what_to_give(scene: Scene, tmp_path: Path) -> None:
    written = write_rgbd(scene, tmp_path / "kitchen", "poselist")
    with pytest.raises(SourceError, match=r"no intrinsics file.*fx=525&fy=525&cx=319\.5&cy=239\.5"):
        read(written.folder)
    options = {key: value for key, value in written.options.items() if key != "depth_scale"}
    with pytest.raises(SourceError, match="depth_scale=1000 for millimetres"):
        read(written.folder, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fov": "60"}, "unknown option fov; known are fx"),
        ({"fx": "500"}, "fy, cx, cy missing"),
        ({"depth_fx": "500", "depth_fy": "500"}, "depth_cx, depth_cy missing"),
        ({"fx": "a", "fy": "1", "cx": "1", "cy": "1"}, "fx=a is not a number"),
        ({"fx": "nan", "fy": "1", "cx": "1", "cy": "1"}, "fx=nan is not a number"),
        ({"fx": "-5", "fy": "1", "cx": "1", "cy": "1"}, "fx must be positive"),
        ({"depth_scale": "0"}, "depth_scale=0.0 must be positive"),
        ({"up": "z"}, "expected three numbers"),
        ({"up": "0,0,0"}, "expected three numbers"),
        ({"up": "0,1"}, "expected three numbers"),
        ({"stride": "-1"}, "whole number of at least 1"),
        ({"pose": "cam"}, r"expected c2w .* or w2c"),
        ({"layout": "kitti"}, "unknown layout 'kitti'; known are 7scenes"),
        ({"layout": "tum"}, "does not have layout 'tum'"),
    ],
)
def test_bad_options_say_what_is_expected(scene: Scene, tmp_path: Path, options: dict[str, str], message: str) -> None:
    folder = write_rgbd(replace(scene, frames=scene.frames[:1]), tmp_path / "kitchen", "open3d").folder
    with pytest.raises(SourceError, match=message):
        read(folder, **options)


@pytest.mark.parametrize(
    ("layout", "file", "change", "message"),
    [
        ("replica", "traj.txt", lambda t: t[: len(t) - 30], r"traj\.txt, line 4: expected 16 numbers"),
        ("replica", "../cam_params.json", lambda t: t[:20], "not valid JSON"),
        ("replica", "../cam_params.json", lambda t: "{}", "not an intrinsics file"),
        ("open3d", "trajectory.log", lambda t: t[:-30], "is it truncated"),
        ("open3d", "trajectory.log", lambda t: "a" + t, "not a trajectory of numbers"),
        ("open3d", "intrinsic.json", lambda t: t[:10], "not an intrinsics file"),
        ("tum", "groundtruth.txt", lambda t: t[: len(t) // 2], "expected 8 numbers"),
        ("poselist", "pose.txt", lambda t: "\n".join(t.splitlines()[:-1]), "3 poses for 4 images"),
        ("7scenes", "camera-intrinsics.txt", lambda t: t[:20], "not an intrinsics file"),
    ],
)
def test_damaged_text_files_are_named(
    scene: Scene, tmp_path: Path, layout: str, file: str, change: Callable[[str], str], message: str
) -> None:
    written = write_rgbd(scene, tmp_path / "data" / "kitchen", layout)
    path = written.folder / file
    path.write_text(change(path.read_text()))
    with pytest.raises(SceneError, match=message):
        read(written.folder, **written.options)


def test_truncated_and_odd_images(scene: Scene, tmp_path: Path) -> None:
    folder = write_rgbd(scene, tmp_path / "kitchen", "7scenes").folder
    depth, color = folder / "frame-000001.depth.png", folder / "frame-000002.color.png"
    depth.write_bytes(depth.read_bytes()[:200])
    Image.new("RGB", (64, 48)).save(color)
    frames = read(folder).frames
    assert frames[1].depth is not None
    with pytest.raises(SceneError, match=r"frame-000001\.depth\.png is not a readable image"):
        frames[1].depth()
    with pytest.raises(SceneError, match=r"is 64x48, but its camera is 320x240"):
        frames[2].color()
    Image.new("RGB", (320, 240)).save(depth)
    with pytest.raises(SceneError, match="not a 16-bit depth image"):
        frames[1].depth()


REAL = {
    "7scenes_redkitchen": "?up=auto",
    "3dmatch_nvblox": "?up=auto",
    "replica_office0": "",
    "icl_livingroom1": "?fx=525&fy=525&cx=319.5&cy=239.5&up=auto",
    "slambook2_rgbd5": "?fx=481.2&fy=-480&cx=319.5&cy=239.5&depth_scale=5000&up=0,1,0",
}


@pytest.mark.real
@pytest.mark.parametrize("name", REAL)
def test_real_folders_are_consistent(name: str) -> None:
    from spaceland.scenes.check import check_scene

    root = os.environ.get("SPACELAND_REAL_DATA")
    if not root or not (Path(root) / name).is_dir():
        pytest.skip(f"SPACELAND_REAL_DATA names no folder with {name}")
    findings = check_scene(open_scene(f"rgbd:{root}/{name}{REAL[name]}"))
    assert not [finding for finding in findings if finding.level == "error"]
    gravity = next(finding for finding in findings if finding.what.startswith("gravity"))
    assert gravity.level == "info" and "from level" in gravity.what
