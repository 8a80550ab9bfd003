"""`spaceland check`: sound scenes pass, each fault is found, figures are right, the command's exit code tells."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rgbd_writer import write_rgbd

from handmade import box_scene
from spaceland.cli import run
from spaceland.commands.check import check
from spaceland.errors import SceneError
from spaceland.geometry.camera import PinholeCamera
from spaceland.geometry.transforms import from_rotation_translation, invert_rigid, look_at, rotation_between
from spaceland.scenes.check import Finding, check_scene
from spaceland.scenes.check_frames import check_agreement, check_images, check_poses
from spaceland.scenes.check_geometry import check_depth_on_surface, check_gravity_and_size, check_objects, check_places
from spaceland.scenes.folder import write_scene
from spaceland.scenes.points import fuse_points
from spaceland.scenes.scene import Frame, Scene, SceneObject, Surface

CAMERA = PinholeCamera(160, 120, 130.0, 130.0, 80.0, 60.0)
POSES = [look_at(np.array([1.0 + 0.25 * k, 1.0, 1.6]), np.array([3.0, 5.0, 0.4])) for k in range(8)]
BOXES = [("chair", (2, 4, 0.5), (0.5, 0.5, 1)), ("table", (3.3, 5, 0.4), (1.2, 0.6, 0.8))]


def frozen(scene: Scene) -> Scene:
    """The same scene with its images rendered once."""
    frames = []
    for frame in scene.frames:
        color, depth = frame.color(), frame.depth() if frame.depth else None
        frames.append(replace(frame, color=lambda c=color: c, depth=None if depth is None else (lambda d=depth: d)))
    return replace(scene, frames=tuple(frames))


@pytest.fixture(scope="module")
def scene() -> Scene:
    return frozen(box_scene(BOXES, POSES, camera=CAMERA))


def found(scene: Scene, text: str, only: Callable[[Scene], list[Finding]] = check_scene) -> Finding:
    """The only finding whose text contains `text`; `only` is a single check instead of all, to save time."""
    findings = [finding for finding in only(scene) if text in finding.what]
    assert len(findings) == 1, f"{len(findings)} findings with '{text}'"
    return findings[0]


def images(scene: Scene) -> list[Finding]:
    return check_images(scene, scene.frames)[0]


def agreement(scene: Scene) -> list[Finding]:
    return check_agreement(scene, scene.frames)


def on_surface(scene: Scene) -> list[Finding]:
    return check_depth_on_surface(scene, scene.frames)


def geometry(scene: Scene) -> list[Finding]:
    return check_gravity_and_size(scene, scene.frames)


def with_frames(scene: Scene, change: Callable[[Frame], Frame], which: slice = slice(None)) -> Scene:
    frames = list(scene.frames)
    frames[which] = [change(frame) for frame in frames[which]]
    return replace(scene, frames=tuple(frames))


def test_a_sound_scene_has_no_warnings_and_right_figures(scene: Scene) -> None:
    findings = check_scene(scene)
    assert [finding for finding in findings if finding.level != "info"] == []
    texts = "\n".join(finding.what for finding in findings)
    assert "8 frames, 8 with depth, 0 with object ids" in texts
    assert "2 objects with 2 labels" in texts
    assert "room of 48.0 m2" in texts
    assert "camera path of 1.75 m, steps of 0.250 m" in texts
    assert "frames agree with each other: median |dz| = 0.00" in texts
    assert "gravity: floor at z = 0.00 m, 0.0 deg from level" in texts
    assert "100.0% of the depth lies within 5 cm" in texts
    assert "100.0% of the pixels known" in texts


def test_the_folder_and_a_points_only_scene_are_sound_too(scene: Scene, tmp_path: Path) -> None:
    from spaceland.scenes.folder import read_scene

    write_scene(scene, tmp_path / "s")
    assert all(finding.level == "info" for finding in check_scene(read_scene(tmp_path / "s"), full=True))
    points = replace(scene, surface=fuse_points(scene, voxel_m=0.03))
    assert found(points, "within 5 cm", on_surface).level == "info"


def broken_image() -> np.ndarray:
    raise SceneError("x.png is not a readable image")


def test_unreadable_images_are_errors_and_counted(scene: Scene) -> None:
    bad = with_frames(scene, lambda f: replace(f, color=broken_image), slice(0, 3))
    finding = found(bad, "colour images that cannot be read (of 8 tried)", images)
    assert (finding.level, finding.count, finding.hint) == ("error", 3, "x.png is not a readable image")
    bad = with_frames(scene, lambda f: replace(f, depth=broken_image), slice(2, 4))
    assert found(bad, "depth images that cannot be read", images).count == 2
    bad = with_frames(scene, lambda f: replace(f, object_ids=broken_image), slice(2, 4))
    assert found(bad, "object id maps that cannot be read (of 2 tried)", images).count == 2


def test_full_reads_what_the_sample_skips(scene: Scene) -> None:
    many = [replace(scene.frames[k % 8], id=f"{k:06d}") for k in range(40)]
    many[1] = replace(many[1], color=broken_image)
    long = replace(scene, frames=tuple(many))
    assert not [f for f in check_scene(long) if "cannot be read" in f.what]
    assert [f.count for f in check_scene(long, full=True) if "cannot be read" in f.what] == [1]


def test_missing_files_and_other_sizes(scene: Scene, tmp_path: Path) -> None:
    bad = with_frames(scene, lambda f: replace(f, color_path=tmp_path / "none.jpg"), slice(0, 2))
    assert found(bad, "colour files that do not exist", images).count == 2
    bad = with_frames(scene, lambda f: replace(f, color=lambda: np.zeros((10, 20, 3), np.uint8)), slice(0, 1))
    assert "20x10, camera 160x120" in found(bad, "colour images that cannot be read", images).hint
    bad = with_frames(scene, lambda f: replace(f, depth=lambda: np.ones((10, 20), np.float32)), slice(0, 1))
    assert "20x10, camera 160x120" in found(bad, "depth images that cannot be read", images).hint


def test_depth_without_values(scene: Scene) -> None:
    def empty(frame: Frame) -> Frame:
        return replace(frame, depth=lambda: np.zeros((120, 160), np.float32))

    finding = found(with_frames(scene, empty, slice(0, 2)), "depth images without any value", images)
    assert (finding.level, finding.count) == ("warn", 2)
    finding = found(with_frames(scene, empty), "depth images without any value", images)
    assert (finding.level, finding.count) == ("error", 8)


def test_mostly_unknown_depth_warns(scene: Scene) -> None:
    def sparse(frame: Frame) -> Frame:
        assert frame.depth is not None
        depth = frame.depth().copy()
        depth[:, 30:] = 0
        return replace(frame, depth=lambda: depth)

    finding = found(with_frames(scene, sparse), "of the pixels known", images)
    assert finding.level == "warn" and "depth_scale" in finding.hint


def test_poses_of_the_other_direction_disagree(scene: Scene) -> None:
    bad = replace(
        with_frames(scene, lambda f: replace(f, T_world_cam=invert_rigid(f.T_world_cam))), surface=None, room=None
    )
    finding = found(bad, "frames agree", agreement)
    assert finding.level == "error" and "pose=w2c" in finding.hint


@pytest.mark.parametrize("factor", [0.2, 0.5, 2.0, 5.0])
def test_wrong_depth_scale_disagrees(scene: Scene, factor: float) -> None:
    def scaled(frame: Frame) -> Frame:
        assert frame.depth is not None
        depth = frame.depth() * np.float32(factor)
        return replace(frame, depth=lambda: depth)

    turning = [
        look_at(np.array([3.0 + np.sin(a), 4.0 + np.cos(a), 1.5]), np.array([3.0, 4.0, 1.0]))
        for a in np.arange(0, 3, 0.2)
    ]
    around = frozen(box_scene(BOXES, turning, camera=CAMERA))
    assert found(around, "frames agree", agreement).level == "info"
    bad = replace(with_frames(around, scaled), surface=None, room=None)
    assert found(bad, "frames agree", agreement).level in ("warn", "error")
    assert found(with_frames(around, scaled), "within 5 cm of the surface", on_surface).level in ("warn", "error")


def test_jumps_and_standing_still(scene: Scene) -> None:
    def moved(frame: Frame) -> Frame:
        T = frame.T_world_cam.copy()
        T[0, 3] += 3.5
        return replace(frame, T_world_cam=T)

    finding = found(with_frames(scene, moved, slice(4, 5)), "camera jumps", check_poses)
    assert finding.count == 2 and "before frame 000004" in finding.what
    still = with_frames(scene, lambda f: replace(f, T_world_cam=POSES[0]))
    assert found(still, "all frames have the same pose", check_poses).level == "error"


def test_intrinsics_of_another_image_size(scene: Scene) -> None:
    bad = with_frames(scene, lambda f: replace(f, camera=replace(f.camera, fx=1170.0, fy=1170.0, cx=648.0, cy=484.0)))
    assert "another image size" in found(bad, "unlikely intrinsics").hint


@pytest.mark.parametrize(("tilt_deg", "level"), [(0.0, "info"), (2.0, "info"), (6.0, "warn"), (40.0, "warn")])
def test_gravity_is_measured(scene: Scene, tilt_deg: float, level: str) -> None:
    up = np.array([0.0, np.sin(np.radians(tilt_deg)), np.cos(np.radians(tilt_deg))])
    T = from_rotation_translation(rotation_between(np.array([0.0, 0.0, 1.0]), up), np.zeros(3))
    tilted = with_frames(scene, lambda f: replace(f, T_world_cam=T @ f.T_world_cam))
    assert scene.surface is not None
    surface = replace(scene.surface, vertices=scene.surface.vertices @ T[:3, :3].T)
    finding = found(replace(tilted, surface=surface, room=None, objects=()), "gravity", geometry)
    assert finding.level == level
    assert f"{tilt_deg:.1f} deg" in finding.what


@pytest.mark.parametrize("mirrored", [False, True])
def test_the_suggested_up_levels_the_folder(scene: Scene, tmp_path: Path, mirrored: bool) -> None:
    """What check suggests works as an option of the same source, in the file's own world."""
    from spaceland.scenes.sources import open_scene

    up = np.array([0.1, -0.9, -0.3])
    T = from_rotation_translation(rotation_between(np.array([0.0, 0.0, 1.0]), up), np.array([1.0, 2.0, 3.0]))
    bare = replace(scene, surface=None, room=None, objects=())
    write_rgbd(bare, tmp_path / "kitchen", "7scenes", T_file_world=T, negative_fy=mirrored)
    spec = f"rgbd:{tmp_path / 'kitchen'}"
    finding = found(open_scene(spec), "gravity", geometry)
    assert finding.level == "warn"
    suggestion = finding.hint.split()[1]
    assert suggestion.startswith("?up=")
    assert found(open_scene(spec + suggestion), "gravity", geometry).what.startswith("gravity: floor at z = ")


@pytest.mark.parametrize(
    ("factor", "text", "hint"),
    [
        (1000.0, "too large for a room", "looks like millimetres"),
        (100.0, "too large for a room", "looks like centimetres"),
        (0.001, "too small for a room", "may not be metres"),
    ],
)
def test_wrong_units_warn(scene: Scene, factor: float, text: str, hint: str) -> None:
    """A room of 6 x 8 m in millimetres is 6 x 8 km large."""
    assert scene.surface is not None
    surface = replace(scene.surface, vertices=scene.surface.vertices * factor)
    finding = found(replace(scene, surface=surface, frames=(), objects=(), room=None), text)
    assert finding.level == "warn" and hint in finding.hint


def test_a_room_of_three_kilometres_warns(scene: Scene) -> None:
    assert scene.surface is not None
    surface = replace(scene.surface, vertices=scene.surface.vertices / 8 * 3000)
    assert "3000.0" in found(replace(scene, surface=surface, frames=(), room=None), "too large for a room").what


def test_frames_in_another_world_than_the_surface(scene: Scene) -> None:
    far = with_frames(scene, lambda f: replace(f, T_world_cam=shifted(f.T_world_cam, 50.0)))
    assert found(far, "frames taken from outside the room", check_places).level == "error"
    assert found(far, "no depth pixel has surface behind it", on_surface).level == "error"
    one = with_frames(scene, lambda f: replace(f, T_world_cam=shifted(f.T_world_cam, 50.0)), slice(0, 1))
    finding = found(one, "frames taken from outside the room", check_places)
    assert (finding.level, finding.count) == ("warn", 1) and "first 000000" in finding.what


def shifted(T: np.ndarray, x: float) -> np.ndarray:
    moved = T.copy()
    moved[0, 3] += x
    return moved


def thing(scene: Scene, **changes: object) -> SceneObject:
    return replace(scene.objects[0], id=9, **changes)


def test_odd_objects(scene: Scene) -> None:
    box, points = scene.objects[0].box, scene.objects[0].points
    odd = {
        "smaller than 1 cm": thing(scene, box=replace(box, size=np.full(3, 0.001)), points=np.array([box.center])),
        "longer than 10 m": thing(scene, box=replace(box, size=np.array([20.0, 1.0, 1.0]))),
        "box misses their points": thing(scene, points=points + 2.0),
        "outside the room": thing(scene, points=points + 20.0, box=replace(box, center=box.center + 20.0)),
        "unusual characters": thing(scene, label="<img src=x onerror=alert(1)>"),
    }
    for text, item in odd.items():
        finding = found(replace(scene, objects=(*scene.objects, item)), text, check_objects)
        assert (finding.level, finding.count) == ("warn", 1) and "9 (" in finding.what
    # Without a room outline, the bounds of the surface count.
    outside = replace(scene, objects=(*scene.objects, odd["outside the room"]), room=None)
    assert found(outside, "outside the room", check_objects).count == 1


def test_what_is_missing(scene: Scene) -> None:
    empty = Scene("empty", (), (), None, None, "measured", {})
    assert found(empty, "empty scene").level == "error"
    assert found(replace(scene, frames=()), "no frames").level == "warn"
    assert found(replace(scene, objects=()), "no objects").level == "warn"
    blind = with_frames(replace(scene, surface=None), lambda f: replace(f, depth=None), slice(0, 3))
    assert found(blind, "frames without depth in a scene without surface").count == 3
    skipped = replace(scene, skipped={"frame: no pose file": 4})
    finding = found(skipped, "left out, frame: no pose file")
    assert (finding.level, finding.count) == ("warn", 4)


def test_surface_of_another_scene(scene: Scene) -> None:
    assert scene.surface is not None
    other = replace(scene.surface, vertices=scene.surface.vertices + np.array([0.0, 0.0, 0.4]))
    assert found(replace(scene, surface=other), "within 5 cm of the surface", on_surface).level in ("warn", "error")
    none: Surface = replace(scene.surface, faces=None)
    assert found(replace(scene, surface=none), "within 5 cm", on_surface).level == "info"


def test_the_next_step_works_for_the_source(
    scene: Scene, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without frames nothing can be asked; the view from above can be made."""
    monkeypatch.chdir(tmp_path)
    boxes = replace(scene, id="boxes", frames=())
    write_scene(boxes, Path("all/boxes"))
    assert check(("folder:all/boxes",)) == 0
    said = capsys.readouterr().out
    assert "generate" not in said
    step = said[said.index("Next: spaceland ") :].split()[2:]
    assert step == ["mark", "folder:all/boxes", "--frames", "0", "--out", "out/marked"]
    assert run(step) == 0 and Path("out/marked/bev.png").is_file()
    write_scene(replace(boxes, id="other"), Path("all/other"))
    assert check(("folder:all",)) == 0
    assert "mark folder:all --scene boxes --frames 0" in capsys.readouterr().out
    write_scene(scene, Path("all/good"))
    assert check(("folder:all",)) == 0
    assert "Next: spaceland generate folder:all --out" in capsys.readouterr().out


def test_command_prints_all_and_its_exit_code_tells(
    scene: Scene, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_scene(scene, tmp_path / "all" / "good")
    write_scene(replace(scene, id="bad[red]"), tmp_path / "all" / "bad")
    spec = f"folder:{tmp_path / 'all' / 'good'}"
    assert check((spec,)) == 0
    shown = capsys.readouterr().out
    assert "1 scene: 0 errors, 0 warnings" in shown and "Next: spaceland generate folder:" in shown
    (tmp_path / "all/bad/surface.ply").write_bytes(b"ply\n")
    assert check((f"folder:{tmp_path / 'all'}",)) == 1
    shown = capsys.readouterr().out
    assert "2 scenes: 1 error, 0 warnings" in shown and "bad[red]" in shown and "the scene cannot be opened" in shown
    assert "Next:" not in shown
    assert check((f"folder:{tmp_path / 'all'}",), json=True) == 1
    content = json.loads(capsys.readouterr().out)
    by_id = {entry["scene"]: entry["findings"] for entry in content["scenes"]}
    assert set(by_id) == {"bad[red]", "handmade"}
    assert by_id["bad[red]"][0]["level"] == "error" and "surface.ply" in by_id["bad[red]"][0]["hint"]
    assert set(by_id["handmade"][0]) == {"level", "what", "count", "hint"}
