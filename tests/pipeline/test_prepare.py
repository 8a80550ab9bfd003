"""The stages together: posed depth becomes a level scene with objects, and a second run keeps everything."""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "scenes"))  # the writer of RGB-D folders
from rgbd_writer import write_rgbd

from spaceland.errors import ReconstructionError, SourceError
from spaceland.files import encode_png, write_bytes, write_json
from spaceland.geometry.transforms import from_rotation_translation, rotation_between
from spaceland.pipeline.config import PipelineConfig
from spaceland.pipeline.run import prepare
from spaceland.scenes.folder_write import write_scene
from spaceland.scenes.scene import NO_OBJECT, Scene
from spaceland.scenes.sources import open_scene

UP = np.array([0.1, -0.85, -0.5])
TILT = from_rotation_translation(rotation_between(np.array([0.0, 0.0, 1.0]), UP), np.array([0.3, -1.0, 2.0]))


@pytest.fixture(scope="module")
def room() -> Scene:
    scene = open_scene("rooms:3?width=160&height=120&frames=32")
    frames = []
    for frame in scene.frames:
        assert frame.depth is not None and frame.object_ids is not None
        made = (frame.color(), frame.depth(), frame.object_ids())
        color, depth, ids = ((lambda value=value: value) for value in made)
        frames.append(replace(frame, color=color, depth=depth, object_ids=ids))
    return replace(scene, frames=tuple(frames))


@pytest.fixture(scope="module")
def recording(room: Scene, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The room as a tilted RGB-D recording, and its ids as masks that a user might have."""
    pytest.importorskip("open3d", reason="fusing needs the extra recon", exc_type=ImportError)
    base = tmp_path_factory.mktemp("recording")
    written = write_rgbd(room, base / "kitchen", "open3d", T_file_world=TILT)
    for k, frame in enumerate(room.frames):
        assert frame.object_ids is not None
        ids = frame.object_ids()
        write_bytes(base / f"masks/{k:06d}.png", encode_png(np.where(ids == NO_OBJECT, 0, ids + 1).astype(np.uint16)))
    write_json(base / "masks/labels.json", {str(thing.id + 1): thing.label for thing in room.objects})
    yield str(written.folder), base / "masks"


def test_a_tilted_recording_becomes_a_level_scene_with_the_users_objects(
    room: Scene, recording: tuple[str, Path], tmp_path: Path
) -> None:
    source, masks = recording
    lines: list[str] = []
    config = PipelineConfig(objects=f"masks:{masks}")
    made = prepare(source, tmp_path, config, say=lines.append)
    assert [stage.name for stage in made.stages] == ["scene", "objects"]
    assert [line.split(":")[0] for line in lines if not line.startswith("note")] == ["scene", "objects"]
    scene = made.scene
    assert scene.geometry == "measured" and scene.surface is not None and len(scene.surface.vertices) > 1000
    # Level: cameras are as high above the floor as they were, and look as far up or down.
    for frame, original in zip(scene.frames, room.frames, strict=True):
        assert room.room is not None
        assert abs(frame.T_world_cam[2, 3] - (original.T_world_cam[2, 3] - room.room.floor_z_m)) < 0.04
        assert abs(frame.T_world_cam[2, 2] - original.T_world_cam[2, 2]) < 0.02
    # Objects that many frames show are found, with their label.
    seen = {
        thing.id
        for thing in room.objects
        if sum((frame.object_ids() == thing.id).sum() > 60 for frame in room.frames) >= 8
    }
    found = [thing.label for thing in scene.objects]
    wanted = [thing.label for thing in room.objects if thing.id in seen]
    missed = [label for label in wanted if label not in found]
    assert len(wanted) >= 5 and len(missed) <= len(wanted) // 5, (wanted, found)

    again = prepare(source, tmp_path, config)
    assert not any(stage.made_now for stage in again.stages)
    assert [thing.label for thing in again.scene.objects] == found
    redone = prepare(source, tmp_path, config, redo="objects")
    assert [stage.made_now for stage in redone.stages] == [False, True]
    longer = prepare(source, tmp_path, replace(config, max_frames=20))
    assert [stage.made_now for stage in longer.stages] == [True, True] and len(longer.scene.frames) == 20


def test_what_is_a_scene_already_passes_through(room: Scene, tmp_path: Path) -> None:
    write_scene(replace(room, frames=room.frames[:2]), tmp_path / "scenes/room")
    made = prepare(f"folder:{tmp_path / 'scenes'}", tmp_path / "work")
    assert made.stages == () and len(made.scene.objects) == len(room.objects) and not made.notes
    assert not (tmp_path / "work").exists()


def test_without_objects_and_without_a_finder(recording: tuple[str, Path], tmp_path: Path) -> None:
    made = prepare(recording[0], tmp_path, PipelineConfig(objects="none", max_frames=8))
    assert [stage.name for stage in made.stages] == ["scene"] and made.scene.objects == ()


def test_a_source_that_is_nothing(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="does not exist"):
        prepare(str(tmp_path / "nothing"), tmp_path / "work")
    with pytest.raises(SourceError, match="nothing"):
        prepare(str(tmp_path / "nothing.mp4"), tmp_path / "work")


def test_a_work_folder_is_a_source(recording: tuple[str, Path], tmp_path: Path) -> None:
    source, masks = recording
    made = prepare(source, tmp_path / "work", PipelineConfig(objects=f"masks:{masks}"))
    for spec in (str(tmp_path / "work"), f"work:{tmp_path / 'work'}"):
        scene = open_scene(spec)
        assert scene.id == made.scene.id and len(scene.objects) == len(made.scene.objects) > 0
    passed = prepare(str(tmp_path / "work"), tmp_path / "other")
    assert passed.stages == () and len(passed.scene.objects) == len(scene.objects)
    # A scene of an earlier capture beside it is not chosen from, and objects that are no longer wanted do not stay.
    shutil.copytree(tmp_path / "work/scene" / made.scene.id, tmp_path / "work/scene/another")
    assert open_scene(str(tmp_path / "work")).id == made.scene.id
    prepare(source, tmp_path / "work", PipelineConfig(objects="none"))
    assert open_scene(str(tmp_path / "work")).objects == ()
    for name in (made.scene.id, "another"):
        shutil.rmtree(tmp_path / "work/scene" / name)
    with pytest.raises(SourceError, match="has lost its scene"):
        open_scene(f"work:{tmp_path / 'work'}")
    (tmp_path / "work/scene/stage.json").unlink()
    with pytest.raises(SourceError, match="no finished scene"):
        open_scene(f"work:{tmp_path / 'work'}")


def test_objects_of_a_scene_that_is_made_anew_do_not_stay(recording: tuple[str, Path], tmp_path: Path) -> None:
    source, masks = recording
    steps: list[tuple[str, int]] = []

    @contextlib.contextmanager
    def bars(label: str, total: int) -> Iterator[Callable[[int, str], None]]:
        count = [0]

        def advance(number: int, note: str) -> None:
            count[0] += number
            if label == "objects" and stop:
                raise KeyboardInterrupt

        yield advance
        steps.append((label, total - count[0]))

    stop = False
    config = PipelineConfig(objects=f"masks:{masks}", max_frames=12)
    prepare(source, tmp_path, config, bars=bars)
    assert ("scene", 0) in steps  # the bar ends where it says
    stop = True
    with pytest.raises(KeyboardInterrupt):
        prepare(source, tmp_path, replace(config, max_frames=10), bars=bars)
    scene = open_scene(str(tmp_path))
    assert len(scene.frames) == 10 and scene.objects == ()


def test_pictures_that_are_left_out_are_told(tmp_path: Path) -> None:
    for module in ("cv2", "pycolmap", "open3d"):
        pytest.importorskip(module, reason="reconstruction needs the extra recon")
    rng = np.random.default_rng(0)
    for k in range(4):
        picture = rng.integers(0, 255, (48, 64, 3)).astype(np.uint8)
        write_bytes(tmp_path / f"photos/{k}.png", encode_png(picture))
    write_bytes(tmp_path / "photos/IMG_1.heic", b"no jpg")
    lines: list[str] = []
    for _ in range(2):  # the second time the keyframes are kept
        lines.clear()
        with pytest.raises(ReconstructionError):
            prepare(str(tmp_path / "photos"), tmp_path / "work", say=lines.append)
        assert lines[0].startswith("keyframes: 4 of 4 pictures chosen")
        assert lines[1] == "note: left out: 1 heic pictures (save them as jpg)"
