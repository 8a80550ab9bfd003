"""How sure the finder of an object is goes with it: into scenes, scene folders and objects.json of marked views."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from handmade import box_scene
from spaceland.errors import SceneError
from spaceland.files import read_json, write_json
from spaceland.objects.attach import with_objects
from spaceland.objects.types import Found, FoundObject
from spaceland.prompts import BevConfig, MarkConfig, mark_scene
from spaceland.prompts.marked import read_marked
from spaceland.scenes.folder_write import write_scene
from spaceland.scenes.scene import Scene
from spaceland.scenes.sources import open_scene

CONFIG = MarkConfig(num_frames=0, bev=BevConfig(size_px=200))


@pytest.fixture(scope="module")
def annotated() -> Scene:
    return box_scene([("chair", (2, 4, 0.5), (0.5, 0.5, 1)), ("table", (3.4, 5, 0.4), (1.2, 0.6, 0.8))], [], id="room")


@pytest.fixture(scope="module")
def found(annotated: Scene) -> Scene:
    things = [
        FoundObject(thing.id, thing.label, score, thing.points, thing.box, ())
        for thing, score in zip(annotated.objects, (0.71234, 0.5), strict=True)
    ]
    return with_objects(annotated, Found(tuple(things), {}))


def test_found_objects_carry_their_score_to_the_marked_views(found: Scene, tmp_path: Path) -> None:
    record = mark_scene(found, tmp_path, CONFIG).record
    assert [entry["score"] for entry in record["objects"]] == [0.7123, 0.5]
    assert [thing.score for thing in read_marked(tmp_path).objects] == [0.7123, 0.5]


def test_annotated_objects_have_none_and_older_files_are_read(annotated: Scene, tmp_path: Path) -> None:
    record = mark_scene(annotated, tmp_path, CONFIG).record
    assert [entry["score"] for entry in record["objects"]] == [None, None]
    older = read_json(tmp_path / "objects.json")
    for entry in older["objects"]:
        del entry["score"]
    write_json(tmp_path / "objects.json", older)
    assert [thing.score for thing in read_marked(tmp_path).objects] == [None, None]
    older["objects"][0]["score"] = "high"
    write_json(tmp_path / "objects.json", older)
    with pytest.raises(SceneError, match="run spaceland mark again"):
        read_marked(tmp_path)


def test_scene_folders_keep_scores(found: Scene, annotated: Scene, tmp_path: Path) -> None:
    for name, scene, scores in (("found", found, [0.71234, 0.5]), ("annotated", annotated, [None, None])):
        folder = tmp_path / name
        write_scene(replace(scene, id=name), folder)
        assert [thing.score for thing in open_scene(f"folder:{folder}").objects] == scores
        assert ("score" in (folder / "scene.json").read_text()) == (name == "found")
