"""Recordings of phone apps: each gives the frames of the room, level and with the floor at zero."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from phone_writer import T_FILE_WORLD, write_polycam, write_record3d, write_stray
from round_trip import sample_room

from spaceland.errors import SceneError, SourceError
from spaceland.geometry.transforms import invert_rigid
from spaceland.scenes.scene import Scene
from spaceland.scenes.sources import open_scene, open_source

APPS = ("record3d", "stray", "polycam")


@pytest.fixture(scope="module")
def scene() -> Scene:
    """The room with depth of half the width, as a LiDAR gives it."""
    room = sample_room()
    frames = []
    for frame in room.frames[:5]:
        assert frame.depth is not None
        half, camera = frame.depth()[1::2, 1::2].copy(), frame.camera.scaled(80, 60)
        frames.append(replace(frame, depth=lambda d=half: d, depth_camera=camera))
    return replace(room, frames=tuple(frames))


def write(app: str, scene: Scene, tmp_path: Path) -> Path:
    if app == "record3d":
        pytest.importorskip("liblzfse", reason="depth of Record3D needs the extra phone")
        return write_record3d(scene, tmp_path / "room.r3d")
    return {"stray": write_stray, "polycam": write_polycam}[app](scene, tmp_path / "room")


@pytest.mark.parametrize("app", APPS)
def test_each_app_gives_the_room(scene: Scene, tmp_path: Path, app: str) -> None:
    path = write(app, scene, tmp_path)
    source = open_source(str(path))
    assert (source.kind, list(source.ids())) == ("phone", ["room"])
    got = open_scene(str(path))
    assert got.provenance["app"] == app and got.provenance["floor_at_zero"] and len(got.frames) == 5
    T_scene_file = np.array(got.provenance["T_scene_file"])
    for frame, original in zip(got.frames, scene.frames, strict=True):
        assert np.allclose(frame.T_world_cam, T_scene_file @ T_FILE_WORLD @ original.T_world_cam, atol=1e-5)
        # The world is level, and as high as the room's own.
        assert np.allclose(frame.T_world_cam[2, 2], original.T_world_cam[2, 2], atol=1e-5)
        assert abs(frame.T_world_cam[2, 3] - (original.T_world_cam[2, 3] - scene.room.floor_z_m)) < 0.03
        assert frame.camera == original.camera and frame.depth_camera == original.depth_camera
        assert np.abs(frame.color().astype(int) - original.color()).mean() < 12
        depth, true = frame.depth(), original.depth()
        unsure = np.zeros(depth.shape, dtype=bool)
        if app != "polycam":
            unsure[:, : depth.shape[1] // 4] = True
        assert (depth[unsure] == 0).all() and np.abs(depth - true)[~unsure].max() < 1e-3


@pytest.mark.parametrize("app", ("record3d", "stray"))
def test_confidence_can_be_ignored_and_frames_thinned(scene: Scene, tmp_path: Path, app: str) -> None:
    path = write(app, scene, tmp_path)
    got = open_scene(f"phone:{path}?confidence=0&stride=2")
    assert [frame.id for frame in got.frames] == ["000000", "000002", "000004"]
    assert np.abs(got.frames[1].depth() - scene.frames[2].depth()).max() < 1e-3
    with pytest.raises(SourceError, match="expected 0"):
        open_scene(f"phone:{path}?confidence=7")
    with pytest.raises(SourceError, match="unknown option"):
        open_scene(f"phone:{path}?fps=3")


def test_older_recordings_lack_some_fields(scene: Scene, tmp_path: Path) -> None:
    stray = open_scene(str(write_stray(scene, tmp_path / "a", old=True)))
    assert len(stray.frames) == 5 and stray.frames[0].timestamp_s is None
    pytest.importorskip("liblzfse", reason="depth of Record3D needs the extra phone")
    path = write_record3d(scene, tmp_path / "b", packed=False, old=True)
    with pytest.raises(SceneError, match="no size that Record3D writes"):  # 80x60 is none
        open_scene(str(path))


def test_corrected_poses_of_polycam_are_preferred(scene: Scene, tmp_path: Path) -> None:
    got = open_scene(str(write_polycam(scene, tmp_path / "room", corrected=True)))
    heights = [frame.T_world_cam[2, 3] for frame in got.frames]
    assert got.provenance["corrected"] and max(heights) < 2.5 and got.frames[0].id == "1000"


def test_lost_poses_and_missing_parts_are_counted(scene: Scene, tmp_path: Path) -> None:
    folder = write_polycam(scene, tmp_path / "p")
    (folder / "keyframes/cameras/1010.json").unlink()
    assert open_scene(str(folder)).skipped == {"frame: no camera file": 1}
    stray = write_stray(scene, tmp_path / "s")
    lines = (stray / "odometry.csv").read_text().splitlines()
    lines[2] = lines[2].rsplit(",", 4)[0] + ", 0, 0, 0, 0"
    (stray / "odometry.csv").write_text("\n".join([*lines, lines[-1].replace("000004", "000009")]) + "\n")
    (stray / "depth/000003.png").unlink()
    got = open_scene(str(stray))
    assert len(got.frames) == 4 and got.frames_by_id["000003"].depth is None
    assert got.skipped["frame: no picture"] == 1 and got.skipped["depth: no image for a frame"] == 1
    assert sum(n for reason, n in got.skipped.items() if reason.startswith("frame: pose")) == 1


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("camera_matrix.csv", "1,2\n3,4\n", "3 rows of 3"),
        ("odometry.csv", "timestamp, frame\n1, 2\n", "9 columns"),
        ("odometry.csv", "timestamp, frame\n1, no\n", "not a table of numbers"),
        ("rgb.mp4", "no video", "rgb.mp4"),
    ],
)
def test_damaged_recordings_are_one_clear_error(
    scene: Scene, tmp_path: Path, name: str, content: str, words: str
) -> None:
    folder = write_stray(scene, tmp_path / "room")
    (folder / name).write_text(content)
    with pytest.raises(SceneError, match=words):
        open_scene(str(folder))


def test_hostile_archives_are_refused(scene: Scene, tmp_path: Path) -> None:
    pytest.importorskip("liblzfse", reason="depth of Record3D needs the extra phone")
    path = write_record3d(scene, tmp_path / "room.r3d")
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    data = json.loads(files["metadata"])
    cases = {
        "not that of Record3D": {"metadata": b"[]"},
        "no usable intrinsics": {
            "metadata": json.dumps({**data, "perFrameIntrinsicCoeffs": [[0, 0, 0, 0]] * 5}).encode()
        },
        "cannot be unpacked|bytes, expected": {"rgbd/0.depth": b"bvx-broken"},
        "not a readable image": {"rgbd/0.jpg": b"broken"},
    }
    for words, change in cases.items():
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in {**files, **change}.items():
                archive.writestr(name, content)
        with pytest.raises(SceneError, match=words):
            got = open_scene(f"phone:{path}")
            got.frames[0].color()
    (tmp_path / "empty.r3d").write_bytes(b"PK\5\6" + bytes(18))
    with pytest.raises(SceneError, match="lacks metadata"):
        open_scene(f"phone:{tmp_path / 'empty.r3d'}")
    (tmp_path / "none").mkdir()
    with pytest.raises(SourceError, match="no recording"):
        open_source(f"phone:{tmp_path / 'none'}")


def test_what_the_file_world_was_can_be_found_again(scene: Scene, tmp_path: Path) -> None:
    got = open_scene(str(write_polycam(scene, tmp_path / "room")))
    back = invert_rigid(np.array(got.provenance["T_scene_file"])) @ got.frames[2].T_world_cam
    assert np.allclose(back, T_FILE_WORLD @ scene.frames[2].T_world_cam, atol=1e-5)
