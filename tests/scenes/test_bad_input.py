"""Damaged, hostile and impossible scene folders: one clear error or a count. See `test_bad_arrays` for their arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from damaged_folder import edit, lay_out, sound_scene

from spaceland.commands.check import check
from spaceland.errors import SceneError
from spaceland.files import encode_png
from spaceland.scenes.check import check_scene
from spaceland.scenes.folder import read_scene, write_scene
from spaceland.scenes.scene import Scene

HOSTILE = "<script>alert('x')</script> [bold red]ignore previous instructions[/] \x1b[31m\x00\u202e"


@pytest.fixture(scope="module")
def scene() -> Scene:
    return sound_scene()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A scene folder that a test may damage."""
    return lay_out(tmp_path / "room")


# Truncated files


@pytest.mark.parametrize("keep", [0, 1, 0.5, 0.98])
@pytest.mark.parametrize("name", ["scene.json", "surface.ply", "objects.npz"])
def test_truncated_scene_files_are_named(folder: Path, name: str, keep: float) -> None:
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data[: int(len(data) * keep) if keep != 1 else 1])
    with pytest.raises(SceneError, match=name.replace(".", r"\.")):
        read_scene(folder)


@pytest.mark.parametrize("name", ["scene.json", "surface.ply", "objects.npz"])
def test_missing_scene_files_are_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(SceneError, match=f"missing file: .*{name}"):
        read_scene(folder)


@pytest.mark.parametrize("keep", [0.0, 0.3, 0.9])
def test_truncated_images_are_named(folder: Path, keep: float) -> None:
    for name in ("color/000000.jpg", "depth/000000.png", "object_ids/000000.png"):
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: int(len(data) * keep)])
    frame = read_scene(folder).frames[0]
    for reader, name in ((frame.color, "color"), (frame.depth, "depth"), (frame.object_ids, "object_ids")):
        assert reader is not None
        with pytest.raises(SceneError, match=rf"{name}/000000\.\w+ is not a readable image"):
            reader()


def test_missing_image_is_named(folder: Path) -> None:
    (folder / "depth/000001.png").unlink()
    reader = read_scene(folder).frames[1].depth
    assert reader is not None
    with pytest.raises(SceneError, match=r"missing file: .*000001\.png"):
        reader()


# Poses, objects, units


def test_missing_nan_and_infinite_poses_are_counted(folder: Path) -> None:
    def change(content: dict[str, Any]) -> None:
        del content["frames"][0]["T_world_cam"]
        content["frames"][1]["T_world_cam"][0][3] = float("inf")
        content["frames"][2]["T_world_cam"][1][1] = float("nan")

    edit(folder, change)
    scene = read_scene(folder)
    assert scene.frames == ()
    assert scene.skipped == {"frame: no pose": 1, "frame: pose has NaN or infinite entries": 2}
    assert any(finding.what == "no frames" for finding in check_scene(scene))


def test_pose_that_is_no_rotation_is_counted(folder: Path) -> None:
    edit(folder, lambda c: c["frames"][0].update(T_world_cam=(np.eye(4) * 2).tolist()))
    edit(folder, lambda c: c["frames"][1].update(T_world_cam=np.diag([1.0, 1.0, -1.0, 1.0]).tolist()))
    scene = read_scene(folder)
    assert len(scene.frames) == 1 and sum(scene.skipped.values()) == 2


def test_all_zero_depth_is_an_error_of_check(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in (folder / "depth").iterdir():
        path.write_bytes(encode_png(np.zeros((120, 160), np.uint16)))
    assert check((f"folder:{folder}",), json=True) == 1
    assert "depth images without any value" in capsys.readouterr().out


def test_object_without_points_is_counted(folder: Path) -> None:
    edit(folder, lambda c: c["objects"].append({**c["objects"][0], "id": 7}))
    scene = read_scene(folder)
    assert [thing.id for thing in scene.objects] == [0, 1]
    assert scene.skipped == {"object: no points": 1}
    assert any("left out, object: no points" in finding.what for finding in check_scene(scene))


@pytest.mark.parametrize("key", ["frames", "objects"])
def test_duplicate_ids_are_refused(folder: Path, key: str) -> None:
    edit(folder, lambda c: c[key].append(c[key][0]))
    with pytest.raises(SceneError, match=f"duplicate {key[:-1]} ids 0"):
        read_scene(folder)


def test_room_of_three_kilometres_warns(folder: Path, scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    """Millimetres taken for metres: it can be opened, and check says what it looks like."""
    assert scene.surface is not None
    wrong = replace(scene, id="mm", surface=replace(scene.surface, vertices=scene.surface.vertices * 400), frames=())
    write_scene(wrong, folder.parent / "mm")
    assert check((f"folder:{folder.parent / 'mm'}",), json=True) == 0
    shown = capsys.readouterr().out
    assert "3200.0" in shown and "looks like millimetres" in shown


# Text and names


def test_hostile_label_is_kept_as_text(
    scene: Scene, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from spaceland.scenes.scene import normalise_label

    monkeypatch.setenv("COLUMNS", "300")
    label = normalise_label(HOSTILE)
    assert "\x1b" not in label and "\x00" not in label and "\u202e" not in label
    bad = replace(scene, objects=(replace(scene.objects[0], label=label, raw_label=HOSTILE), scene.objects[1]))
    write_scene(bad, tmp_path / "s")
    back = read_scene(tmp_path / "s")
    assert (back.objects[0].label, back.objects[0].raw_label) == (label, HOSTILE)
    assert check((f"folder:{tmp_path / 's'}",)) == 0
    shown = capsys.readouterr().out
    assert "labels with unusual characters" in shown and "\x1b" not in shown
    assert "<script>alert('x')</script>" in shown


def test_labels_with_control_characters_do_not_reach_the_terminal(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A scene.json written by others may hold a label that was never normalised."""
    edit(folder, lambda c: c["objects"][0].update(label="chair\x1b[2J\x07[link=file:///etc]"))
    assert check((f"folder:{folder}",)) == 0
    shown = capsys.readouterr().out
    assert "\x1b" not in shown and "\x07" not in shown


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "/etc/passwd",
        "color/../../x.png",
        "..",
        "",
        "..\\..\\x.png",
        "C:\\x.png",
        "file:///etc/passwd",
    ],
)
@pytest.mark.parametrize("key", ["color", "depth", "object_ids", "surface", "objects_file"])
def test_paths_out_of_the_folder_are_refused(folder: Path, key: str, name: str) -> None:
    def change(content: dict[str, Any]) -> None:
        (content if key in content else content["frames"][1])[key] = name

    edit(folder, change)
    with pytest.raises(SceneError, match="leads out of the scene folder"):
        read_scene(folder)


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".hidden"])
def test_ids_that_are_no_file_names_are_refused(folder: Path, name: str) -> None:
    edit(folder, lambda c: c["frames"][0].update(id=name))
    with pytest.raises(SceneError, match="cannot be a file name"):
        read_scene(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(schema=99), "schema 99 is newer than 1; update spaceland"),
        (lambda c: c.update(schema="1"), "'schema' is '1', expected a whole number"),
        (lambda c: c.update(units="feet"), "units are 'feet', expected 'metre'"),
        (lambda c: c.update(geometry="guessed"), "geometry is 'guessed'"),
        (lambda c: c.pop("id"), "'id' is missing"),
        (lambda c: c.update(id="../x"), "cannot be a file name"),
        (lambda c: c.update(skipped={"frame": "many"}), "'skipped' holds counts that are no whole numbers"),
        (lambda c: c.update(frames={}), "'frames' is .* expected a list"),
        (lambda c: c.update(frames=[1]), r"frames\[0\]: expected a JSON object, found int"),
        (lambda c: c.update(provenance=None), "'provenance' is 'None', expected an object"),
        (lambda c: c["frames"][1].pop("camera"), r"frames\[1\]: 'camera' is missing"),
        (lambda c: c["frames"][1]["camera"].update(fx="500"), r"frames\[1\]: camera: 'fx' is '500', expected a number"),
        (lambda c: c["frames"][1]["camera"].update(fx=-5), "focal lengths positive"),
        (lambda c: c["frames"][1]["camera"].update(fx=float("nan")), "must be finite"),
        (lambda c: c["frames"][1]["camera"].update(width=10**9), "image size 1000000000x120 is outside"),
        (lambda c: c["frames"][1]["camera"].update(height=0), "image size 160x0 is outside"),
        (lambda c: c["frames"][1]["camera"].update(height=True), "'height' is 'True', expected a whole number"),
        (lambda c: c["frames"][1].update(T_world_cam=[[1, 0], [0, 1]]), r"'T_world_cam' is not an array .* \[4, 4\]"),
        (lambda c: c["frames"][1].update(T_world_cam="eye"), "'T_world_cam' is not an array"),
        (lambda c: c["frames"][1].update(T_world_cam=[[1, 2, 3, 4], [1]]), "'T_world_cam' is not an array"),
        (lambda c: c["frames"][1].update(depth_scale=0), "'depth_scale' is 0.0, expected a positive number"),
        (lambda c: c["frames"][1].update(depth=5), "'depth' is '5', expected text"),
        (lambda c: c["objects"][0].update(id="0"), r"objects\[0\]: 'id' is '0', expected a whole number"),
        (lambda c: c["objects"][0].update(id=-3), "object id -3 is negative"),
        (lambda c: c["objects"][0].update(label=None), "'label' is 'None', expected text"),
        (lambda c: c["objects"][0].pop("box"), "'box' is missing"),
        (lambda c: c["objects"][0]["box"].update(size=[1, -1, 1]), "must not be negative"),
        (lambda c: c["objects"][0]["box"].update(center=[1, float("inf"), 1]), "NaN or infinite"),
        (lambda c: c["objects"][0]["box"].update(rotation=[[2, 0, 0], [0, 1, 0], [0, 0, 1]]), "not orthonormal"),
        (lambda c: c["room"].update(floor_polygon=[1, 2, 3]), "'floor_polygon' is not an array"),
    ],
)
def test_wrong_fields_are_named(folder: Path, change: Callable[[dict[str, Any]], Any], message: str) -> None:
    edit(folder, change)
    with pytest.raises(SceneError, match=message):
        read_scene(folder)


@pytest.mark.parametrize("content", ["[]", "null", '"text"', "{}", "[" * 50])
def test_json_of_another_shape(folder: Path, content: str) -> None:
    (folder / "scene.json").write_text(content)
    with pytest.raises(SceneError, match=r"scene\.json"):
        read_scene(folder)
