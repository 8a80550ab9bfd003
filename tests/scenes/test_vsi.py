"""VSI-Bench's descriptions of rooms become scenes of boxes with an area and no frames."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from spaceland.errors import SceneError, SourceError
from spaceland.scenes.folder import open_source as open_folder
from spaceland.scenes.folder_write import write_scene
from spaceland.scenes.sources import open_scene, open_source


def obb(center: list[float], size: list[float], turn_deg: float = 0.0) -> dict:
    c, s = np.cos(np.radians(turn_deg)), np.sin(np.radians(turn_deg))
    axes = [c, s, 0.0, -s, c, 0.0, 0.0, 0.0, 1.0]
    return {"centroid": center, "axesLengths": size, "normalizedAxes": axes}


ROOM = {
    "dataset": "scannet",
    "room_size": 17.25,
    "room_center": [2.0, 2.5, 1.2],
    "object_counts": {"Trash  Bin": 2, "bed": 1, "printer": 3},
    "object_bbox": {
        "Trash  Bin": [obb([1.0, 1.0, 0.2], [0.3, 0.3, 0.4]), obb([3.0, 1.0, 0.2], [0.3, 0.3, 0.4])],
        "bed": [obb([2.0, 4.0, 0.5], [2.0, 1.0, 0.8], 30.0)],
        "printer": [obb([0.5, 4.0, 1.0], [0.5, 0.4, 0.3])],
    },
}


def meta(folder: Path, rooms: dict, name: str = "scannet_meta_info_val.json") -> Path:
    path = folder / name
    path.write_text(json.dumps(rooms))
    return path


def test_a_room_has_its_boxes_and_its_area(tmp_path: Path) -> None:
    path = meta(tmp_path, {"scene0001_00": ROOM})
    for spec in (f"vsi:{path}", str(path), f"vsi:{tmp_path}", str(tmp_path)):
        scene = open_scene(spec)
        assert scene.id == "scene0001_00"
        assert dict(scene.label_counts) == {"trash bin": 2, "bed": 1, "printer": 1}
    bed = next(thing for thing in scene.objects if thing.label == "bed")
    corner = [2.0 + np.cos(np.pi / 6), 4.0 + np.sin(np.pi / 6), 0.5]  # the middle of its short side
    assert bed.box.contains(np.array(corner) - 1e-3 * np.array([np.cos(np.pi / 6), np.sin(np.pi / 6), 0]))
    assert not bed.box.contains(np.array(corner) + [0.01, 0.01, 0])
    assert scene.room is not None and scene.room.area_m2 == 17.25 and not scene.room.has_outline
    assert scene.room.floor_z_m == pytest.approx(0.0)
    assert scene.frames == () and scene.surface is None
    assert scene.provenance["object_counts"] == {"trash bin": 2, "bed": 1, "printer": 3}
    assert scene.skipped == {"label: as many boxes as it has differ from its count": 1}


def test_damaged_entries_are_counted_and_left_out(tmp_path: Path) -> None:
    boxes = {"lamp": [{"centroid": [0, 0, 0]}, obb([0, 0, 1], [float("nan"), 1, 1]), obb([0, 0, 1], [1, 1, 1])], "x": 3}
    room = {"room_size": "big", "object_bbox": boxes, "object_counts": {"lamp": "one", "rug": True}}
    scene = open_scene(f"vsi:{meta(tmp_path, {'a': room, 'b': {}})}", "a")
    assert [thing.label for thing in scene.objects] == ["lamp"] and scene.room is None
    assert scene.skipped["object box: missing or damaged"] == 2
    assert scene.skipped["object count: not a whole number"] == 2
    assert open_scene(f"vsi:{tmp_path}", "b").objects == ()


def test_an_area_without_outline_survives_the_scene_folder(tmp_path: Path) -> None:
    scene = open_scene(f"vsi:{meta(tmp_path, {'a': ROOM})}")
    write_scene(scene, tmp_path / "scenes" / "a")
    again = open_folder(str(tmp_path / "scenes"), {}).open("a")
    assert again.room is not None and again.room.area_m2 == 17.25 and not again.room.has_outline


def test_what_is_no_such_file_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no file at"):
        open_source(f"vsi:{tmp_path}")
    with pytest.raises(SceneError, match="no table of scenes"):
        open_source(f"vsi:{meta(tmp_path, [1])}")  # type: ignore[arg-type]
    meta(tmp_path, {"a": ROOM})
    with pytest.raises(SourceError, match="unknown option"):
        open_source(f"vsi:{tmp_path}?frames=3")
    meta(tmp_path, {"a": ROOM}, "other_meta_info_train.json")
    with pytest.raises(SourceError, match="in two files"):
        open_source(f"vsi:{tmp_path}")
    with pytest.raises(SourceError, match="no scene 'z'"):
        open_source(f"vsi:{tmp_path / 'other_meta_info_train.json'}").open("z")


@pytest.mark.real
def test_real_rooms_open(real_data: Path) -> None:
    source = open_source(f"vsi:{real_data / 'vsibench'}")
    scenes = [source.open(scene_id) for scene_id in source.ids()]
    assert len(scenes) == 88 and sum(len(scene.objects) for scene in scenes) > 1000
    assert all(scene.room is not None for scene in scenes)
