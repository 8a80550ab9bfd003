"""The stages together: posed depth becomes a level scene with objects, and a second run keeps everything."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spaceland.cli import run
from spaceland.errors import ReconstructionError, SourceError
from spaceland.files import encode_png, write_bytes
from spaceland.pipeline.config import PipelineConfig
from spaceland.pipeline.run import prepare
from spaceland.scenes.folder_write import write_scene
from spaceland.scenes.scene import Scene
from spaceland.scenes.sources import open_scene


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
    fewer = prepare(source, tmp_path, replace(config, max_frames=6))
    assert [stage.made_now for stage in fewer.stages] == [True, True] and len(fewer.scene.frames) == 6


def test_what_is_a_scene_already_passes_through(room: Scene, tmp_path: Path) -> None:
    write_scene(replace(room, frames=room.frames[:2]), tmp_path / "scenes/room")
    made = prepare(f"folder:{tmp_path / 'scenes'}", tmp_path / "work")
    assert made.stages == () and len(made.scene.objects) == len(room.objects) and not made.notes
    assert not (tmp_path / "work").exists()


def test_options_that_change_nothing_are_named(room: Scene, tmp_path: Path) -> None:
    write_scene(replace(room, frames=room.frames[:2]), tmp_path / "scenes/room")
    config = PipelineConfig(keyframes=20, focal_px=500.0, depth="mono:x", scale="camera-height=2", find=("chair",))
    made = prepare(f"folder:{tmp_path / 'scenes'}", tmp_path / "work", config)
    assert made.notes == (
        "--keyframes, --focal-px, --depth are not used: the source has poses of its own",
        "--scale is not used: the scene is taken as it is",
        "--find is not used: the source has objects; --objects detector looks for others",
    )


@pytest.mark.parametrize(("metric", "unit"), [(True, "m"), (False, "unit unknown")])
def test_the_table_says_whether_the_unit_is_a_metre(
    metric: bool, unit: str, room: Scene, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scene = replace(room, frames=room.frames[:2], provenance={"reconstruction": {"metric": metric}})
    write_scene(scene, tmp_path / "scenes/room")
    assert run(["reconstruct", f"folder:{tmp_path / 'scenes'}", "--out", str(tmp_path / "work")]) == 0
    said = capsys.readouterr().out
    assert f"centre ({unit})" in said and f"size ({unit})" in said
    assert run(["mark", f"folder:{tmp_path / 'scenes'}", "--out", str(tmp_path / "marked"), "--size", "200"]) == 0
    assert ("the scale is unknown" in capsys.readouterr().out) != metric


def test_without_objects_and_without_a_finder(
    recording: tuple[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = prepare(recording[0], tmp_path, PipelineConfig(objects="none", max_frames=5, keyframe_method="sharp"))
    assert [stage.name for stage in made.stages] == ["scene"] and made.scene.objects == ()
    assert made.notes[0] == "--keyframe-method is not used: the source has poses of its own"
    arguments = ["reconstruct", recording[0], "--out", str(tmp_path), "--objects", "none", "--max-frames", "5"]
    assert run(arguments) == 0 and f"Next: spaceland view {tmp_path}" in capsys.readouterr().out


def test_a_source_that_is_nothing(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="does not exist"):
        prepare(str(tmp_path / "nothing"), tmp_path / "work")
    with pytest.raises(SourceError, match="nothing"):
        prepare(str(tmp_path / "nothing.mp4"), tmp_path / "work")


def test_a_work_folder_is_a_source(recording: tuple[str, Path], tmp_path: Path) -> None:
    source, masks = recording
    made = prepare(source, tmp_path / "work", PipelineConfig(objects=f"masks:{masks}", max_frames=6))
    for spec in (str(tmp_path / "work"), f"work:{tmp_path / 'work'}"):
        scene = open_scene(spec)
        assert scene.id == made.scene.id and len(scene.objects) == len(made.scene.objects) > 0
    passed = prepare(str(tmp_path / "work"), tmp_path / "other")
    assert passed.stages == () and len(passed.scene.objects) == len(scene.objects)
    # A scene of an earlier capture beside it is not chosen from, and objects that are no fewer wanted do not stay.
    shutil.copytree(tmp_path / "work/scene" / made.scene.id, tmp_path / "work/scene/another")
    assert open_scene(str(tmp_path / "work")).id == made.scene.id
    prepare(source, tmp_path / "work", PipelineConfig(objects="none", max_frames=6))
    assert open_scene(str(tmp_path / "work")).objects == ()
    for name in (made.scene.id, "another"):
        shutil.rmtree(tmp_path / "work/scene" / name)
    with pytest.raises(SourceError, match="has lost its scene"):
        open_scene(f"work:{tmp_path / 'work'}")
    (tmp_path / "work/scene/stage.json").unlink()
    with pytest.raises(SourceError, match="no finished scene"):
        open_scene(f"work:{tmp_path / 'work'}")


@pytest.mark.heavy
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
    config = PipelineConfig(objects=f"masks:{masks}", max_frames=6)
    prepare(source, tmp_path, config, bars=bars)
    assert ("scene", 0) in steps  # the bar ends where it says
    stop = True
    with pytest.raises(KeyboardInterrupt):
        prepare(source, tmp_path, replace(config, max_frames=5), bars=bars)
    scene = open_scene(str(tmp_path))
    assert len(scene.frames) == 5 and scene.objects == ()


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
