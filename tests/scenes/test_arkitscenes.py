"""The ARKitScenes reader on a sample room in the 3dod and raw layouts."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from arkitscenes_writer import DEPTH_SIZE, START_S, STEP_S, trajectory_line, write_video
from dataset_room import CAMERA, assert_boxes, assert_pictures, assert_seen_where_they_are, poses, sample_room

from spaceland.errors import SceneError, SourceError
from spaceland.scenes.arkitscenes import open_source, recognise
from spaceland.scenes.scene import Scene
from spaceland.scenes.sources import open_scene
from spaceland.scenes.timed_poses import pose_at, read_trajectory

ID = "41254925"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("arkit")
    (root / "3dod_train_val_splits.csv").write_text(f"visit_id,video_id,fold\n421007.0,{ID},Training\nNA,1,Training\n")
    return write_video(root / "3dod" / "Training" / ID)


@pytest.fixture
def video(template: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return shutil.copytree(template, tmp_path / ID)


def read(folder: Path, **options: str) -> Scene:
    return open_source(str(folder), options).open(ID)


def assert_objects(scene: Scene) -> None:
    """Boxes and labels as they are; points are the mesh's vertices in the box, mostly the object's own."""
    wanted = list(sample_room().objects)
    assert_boxes(scene, wanted)
    own = scene.surface.object_ids if scene.surface is not None else None
    true = sample_room().surface
    assert own is not None and true is not None and true.object_ids is not None
    for thing in scene.objects:
        assert thing.box.contains(thing.points, 0.011).all()
    labelled = true.object_ids >= 0
    assert (own[labelled] == true.object_ids[labelled]).mean() > 0.85


def test_everything_comes_back(template: Path) -> None:
    root = template.parents[2]
    scene = open_scene(f"arkitscenes:{root}")
    assert_pictures(scene, CAMERA, DEPTH_SIZE, color_error=0.01)
    assert_objects(scene)
    assert_seen_where_they_are(scene)
    assert (scene.id, scene.geometry, scene.skipped) == (ID, "measured", {})
    assert (scene.provenance["room"], scene.provenance["sky_direction"]) == ("421007", "up")
    assert [frame.timestamp_s for frame in scene.frames] == pytest.approx([START_S + STEP_S * k for k in range(8)])
    assert len({frame.content_key() for frame in scene.frames}) == 8


def test_pictures_on_their_side_are_stood_up(tmp_path: Path) -> None:
    folder = write_video(tmp_path / ID, sideways=True)
    scene = read(folder)
    assert scene.provenance["sky_direction"] == "right"
    assert_pictures(scene, CAMERA, DEPTH_SIZE, color_error=0.01)
    assert all(frame.color_path is None for frame in scene.frames)
    stored = read(folder, upright="no")
    assert stored.frames[0].color().shape == (160, 120, 3) and stored.frames[0].color_path is not None
    for each in (scene, stored):
        assert_seen_where_they_are(each)
    assert scene.frames[0].content_key() != stored.frames[0].content_key()


def test_raw_layout_and_other_images(tmp_path: Path) -> None:
    folder = write_video(tmp_path / "raw" / "Validation" / ID, raw=True, images="vga_wide")
    scene = open_source(str(tmp_path / "raw"), {"images": "vga_wide"}).open(ID)
    assert_pictures(scene, CAMERA, DEPTH_SIZE, color_error=0.01)
    assert scene.provenance["room"] is None
    assert "frames: no lowres_wide/" in str(read(folder).skipped)


def test_poses_between_two_times(video: Path) -> None:
    """Pictures half-way between two poses get the pose half-way; far from any pose they are counted."""
    inner = video / f"{ID}_frames"
    for folder in ("lowres_wide", "lowres_depth", "lowres_wide_intrinsics"):
        for file in (inner / folder).iterdir():
            number = (
                float(file.stem.rpartition("_")[2]) if file.suffix == ".png" else float(file.name[len(ID) + 1 : -7])
            )
            file.rename(file.with_name(f"{ID}_{number + STEP_S / 2:.3f}{file.suffix}"))
    scene = read(video)
    assert len(scene.frames) == 7 and scene.skipped == {"frame: no pose near its time": 1}
    a, b, between = poses()[0], poses()[1], scene.frames[0].T_world_cam
    assert np.allclose(between[:3, 3], (a[:3, 3] + b[:3, 3]) / 2, atol=5e-3)
    half = between[:3, :3] @ a[:3, :3].T  # half the turn, done twice, is the whole turn
    assert np.allclose(half @ half @ a[:3, :3], b[:3, :3], atol=0.02)


def test_trajectory_by_hand(tmp_path: Path) -> None:
    """The camera stands at (1, 2, 3) and has turned 90 degrees about z: world to camera is the inverse."""
    path = tmp_path / "lowres_wide.traj"
    turn = np.array([[0.0, -1, 0, 1], [1, 0, 0, 2], [0, 0, 1, 3], [0, 0, 0, 1]])
    path.write_text(trajectory_line(5.0, turn) + "5.1 0 0 nan 0 0 0\n" + trajectory_line(6.0, np.eye(4)))
    assert float(path.read_text().split()[3]) == pytest.approx(-np.pi / 2)
    times, found = read_trajectory(path)
    assert np.allclose(found[0], turn) and np.isnan(found[1]).all()
    assert np.allclose(pose_at(5.001, times, found), turn)
    assert np.isnan(pose_at(5.05, times, found)).all()
    assert pose_at(5.5, times, found) is None and pose_at(4.9, times, found) is None


def test_what_is_missing_is_named(video: Path) -> None:
    inner = video / f"{ID}_frames"
    shutil.rmtree(inner / "lowres_depth")
    (video / f"{ID}_3dod_annotation.json").rename(video / "kept.json")
    scene = read(video)
    assert scene.objects == () and all(frame.depth is None for frame in scene.frames)
    assert sorted(scene.skipped) == [
        "depth: no lowres_depth/; colour and mesh still work",
        f"objects: no {ID}_3dod_annotation.json; frames and mesh still work",
    ]
    shutil.rmtree(inner / "lowres_wide")
    assert "frames: no lowres_wide/" in str(read(video).skipped)
    (video / f"{ID}_3dod_mesh.ply").unlink()
    assert read(video).surface is None


def test_without_mesh_points_come_from_depth(video: Path) -> None:
    (video / f"{ID}_3dod_mesh.ply").unlink()
    scene = read(video)
    assert scene.surface is None and len(scene.objects) >= 6
    assert all(thing.box.contains(thing.points, 0.011).all() for thing in scene.objects)


def test_lost_poses_are_counted(video: Path) -> None:
    path = video / f"{ID}_frames" / "lowres_wide.traj"
    lines = path.read_text().splitlines()
    lines[2] = lines[2].split()[0] + " nan 0 0 0 0 0"
    lines[3] = lines[3].split()[0] + " 0 0 0 inf 0 0"
    path.write_text("\n".join(lines))
    scene = read(video)
    assert len(scene.frames) == 6 and scene.skipped == {"frame: pose has NaN or infinite entries": 2}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (f"{ID}_3dod_mesh.ply", "truncated"),
        (f"{ID}_3dod_annotation.json", "not valid JSON"),
        (f"{ID}_frames/lowres_wide.traj", "not a trajectory"),
        (f"{ID}_frames/lowres_wide_intrinsics/{ID}_{START_S:.3f}.pincam", "not 'width height"),
    ],
)
def test_truncated_files_are_one_clear_error(video: Path, name: str, message: str) -> None:
    data = (video / name).read_bytes()
    (video / name).write_bytes(data[: len(data) // 2].rsplit(b" ", 1)[0])
    with pytest.raises(SceneError, match=message):
        read(video)


def test_truncated_depth_and_damaged_boxes(video: Path) -> None:
    path = next((video / f"{ID}_frames" / "lowres_depth").iterdir())
    path.write_bytes(path.read_bytes()[:500])
    broken = [frame for frame in read(video).frames if frame.depth is not None]
    with pytest.raises(SceneError, match="not a readable image"):
        [frame.depth() for frame in broken if frame.depth is not None]
    annotation = video / f"{ID}_3dod_annotation.json"
    annotation.write_text(annotation.read_text().replace('"axesLengths": [', '"axesLengths": [1, ', 1))
    scene = read(video)
    assert len(scene.objects) == len(sample_room().objects) - 1
    assert scene.skipped == {"object box: missing or damaged": 1}


def test_source(template: Path, tmp_path: Path) -> None:
    for place in (template, template.parent, template.parents[1], template.parents[2]):
        assert recognise(place) and open_source(str(place), {}).ids() == [ID]
    assert not recognise(tmp_path)
    with pytest.raises(SourceError, match="no video in"):
        open_source(str(tmp_path), {})
    with pytest.raises(SourceError, match="no video 'x'"):
        open_source(str(template), {}).open("x")
    for bad in ({"images": "tall"}, {"upright": "maybe"}, {"stride": "0"}, {"every": "2"}):
        with pytest.raises(SourceError, match="arkitscenes"):
            open_source(str(template), bad)
    for kind in ("3dod", "raw"):
        folder = tmp_path / kind / "Training" / ID
        folder.mkdir(parents=True)
        (folder / "lowres_wide.traj").touch()
    with pytest.raises(SourceError, match="twice"):
        open_source(str(tmp_path), {})
    assert len(read(template, stride="3").frames) == 3
