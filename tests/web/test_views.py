"""The files behind the page, on a room of boxes whose answers are known."""

from __future__ import annotations

import gzip
import json
import time
from pathlib import Path

import numpy as np
import pytest
from web_help import ask
from web_help import serving as serving_page

from chat_server import fail, reply, serving
from handmade import box_scene
from spaceland.geometry.transforms import look_at
from spaceland.prompts import MarkConfig, mark_scene
from spaceland.scenes.scene import NO_OBJECT
from spaceland.viewer.live_surface import ShownSurface, merge_cells, shown_surface
from spaceland.web import Desk
from spaceland.web.jobs import Question
from spaceland.web.results import file_of, result_of
from spaceland.web.views import to_numbers, write_views
from spaceland.web.work import Models, preview

BOXES = [("table", (2.0, 4.0, 0.4), (1.2, 0.8, 0.8)), ("<b>chair</b>", (4.0, 4.0, 0.5), (0.5, 0.5, 1.0))]


@pytest.fixture(scope="module")
def scene():
    eyes = [np.array([3.0, 0.8, 1.6]), np.array([3.4, 0.8, 1.6]), np.array([3.8, 0.9, 1.6])]
    return box_scene(BOXES, [look_at(eye, np.array([3.0, 4.0, 0.5])) for eye in eyes], with_ids=True)


@pytest.fixture(scope="module")
def folder(scene, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("job")
    config = MarkConfig(num_frames=2)
    marked = mark_scene(scene, made / "marked", config)
    steps: list[int] = []
    write_views(scene, marked, config, made / "view", ("a note",), lambda n, note: steps.append(n))
    assert sum(steps) == 3
    return made


def unpack(folder: Path, name: str) -> bytes:
    found = file_of(folder, name)
    assert found is not None and found[1:] == ("application/octet-stream", True)
    return gzip.decompress(found[0])


def test_every_disc_lies_on_its_number(folder: Path) -> None:
    result = result_of(folder)
    maps = {entry["name"]: entry for entry in result["view"]["maps"]}
    assert set(maps) == {"bev", "0", "1"}
    checked = 0
    for thing in result["objects"]:
        places = {"bev": (thing["bev_pixel"], result["bev"])}
        places |= {k: (place, result["frames"][int(k)]) for k, place in thing["frames"].items()}
        for name, (place, size) in places.items():
            shape = maps[name]["height"], maps[name]["width"]
            ids = np.frombuffer(unpack(folder, f"ids_{name}"), "<u2").reshape(shape)
            u, v = place[0] / size["width"] * shape[1], place[1] / size["height"] * shape[0]
            assert ids[int(v), int(u)] == thing["mark"] + 1
            checked += 1
    assert checked == 6, "two objects on the view and on two frames"


def test_the_room_is_packed_as_told(folder: Path, scene) -> None:
    size, data = result_of(folder)["view"]["room"], unpack(folder, "room")
    n, m = size["vertices"], size["faces"]
    assert len(data) == 12 * n + 12 * m + 2 * n + 3 * n
    positions = np.frombuffer(data, "<f4", 3 * n).reshape(-1, 3)
    faces = np.frombuffer(data, "<u4", 3 * m, 12 * n).reshape(-1, 3)
    numbers = np.frombuffer(data, "<u2", n, 12 * n + 12 * m)
    assert faces.max() < n and set(numbers) == {0, 1, 2}
    for k, (_, center, extent) in enumerate(BOXES):
        own = positions[numbers == k + 1]
        assert np.allclose(own.min(0), np.array(center) - np.array(extent) / 2, atol=1e-5)
        assert np.allclose(own.max(0), np.array(center) + np.array(extent) / 2, atol=1e-5)
    assert positions[:, 2].max() < 2.9, "the ceiling is gone"


def test_pictures_by_their_place(folder: Path) -> None:
    for name, start in (("bev", b"\x89PNG"), ("frame_0", b"\xff\xd8"), ("frame_1", b"\xff\xd8")):
        found = file_of(folder, name)
        assert found is not None and found[0].startswith(start) and not found[2]
    assert file_of(folder, "frame_2") is None and file_of(folder, "ids_2") is None
    result = json.dumps(result_of(folder), allow_nan=False)
    assert "<b>chair</b>" in result, "labels go out as they are; the page puts them in as text"


def test_a_second_run_gives_the_same_bytes(folder: Path, scene, tmp_path: Path) -> None:
    config = MarkConfig(num_frames=2)
    write_views(scene, mark_scene(scene, tmp_path / "marked", config), config, tmp_path / "view", ("a note",))
    for path in (folder / "view").iterdir():
        assert path.read_bytes() == (tmp_path / "view" / path.name).read_bytes()


def test_numbers_of_ids() -> None:
    ids = np.array([[NO_OBJECT, 7, 3], [900, 3, 8]])
    assert to_numbers(ids, {7: 0, 3: 12}).tolist() == [[0, 1, 13], [0, 13, 0]]
    assert to_numbers(ids, {}).tolist() == [[0, 0, 0], [0, 0, 0]]


def test_merging_keeps_objects_apart_and_the_shape(scene) -> None:
    full = shown_surface(scene, max_faces=10**9)
    few = shown_surface(scene, max_faces=2000)
    assert full.faces is not None and few.faces is not None
    assert 400 < len(few.faces) <= 2000 < len(full.faces)
    assert set(few.object_ids) == set(full.object_ids)
    for k in (0, 1):
        grown = few.vertices[few.object_ids == k]
        exact = full.vertices[full.object_ids == k]
        assert np.abs(grown.min(0) - exact.min(0)).max() < 0.25 and np.abs(grown.max(0) - exact.max(0)).max() < 0.25
    # Of two vertices in one cell, owned by one thing: their mean, and no triangle without area.
    two = ShownSurface(
        np.array([[0, 0, 0], [0.01, 0, 0], [1, 0, 0], [0, 1, 0]]),
        np.array([[0, 0, 0], [100, 0, 0], [9, 9, 9], [9, 9, 9]], np.uint8),
        np.array([5, 5, 5, 6]),
        np.array([[0, 1, 2], [0, 2, 3], [1, 2, 3]]),
    )
    merged = merge_cells(two, 0.1)
    assert merged.faces is not None and len(merged.vertices) == 3 and len(merged.faces) == 1
    assert np.allclose(merged.vertices.min(0), 0) and merged.colors.tolist().count([50, 0, 0]) == 1


def test_a_question_is_answered_in_the_line(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "jobs").mkdir()
    home = tmp_path / "jobs" / "0123456789ab"
    home.mkdir()
    for part in ("marked", "view"):
        (home / part).symlink_to(folder / part)
    order = {"source": "rooms:1", "title": "boxes"}
    (home / "job.json").write_text(json.dumps({"order": order, "state": "done"}))
    with serving(reply("On <OBJ001>, not on <OBJ077>."), fail(400, "too many pictures")) as log:
        name = f"openai:fake@{log.url}"
        with serving_page(Desk(tmp_path, Models((name,)))) as server:
            body = {"job": home.name, "text": "Where can I sit?", "task": "qa", "model": name}
            assert ask(server, "POST", "/ask", body)[1] == {"question": 1}
            done = answered(server, 1)
            assert done["state"] == "done" and done["record"]["unknown_ids"] == ["77"]
            assert [thing["label"] for thing in done["record"]["objects"]] == ["<b>chair</b>"]
            assert (home / "answers" / "0001" / "answer.html").is_file()
            assert ask(server, "POST", "/ask", body)[1] == {"question": 2}
            assert "too many pictures" in answered(server, 2)["error"]
            assert ask(server, "POST", "/ask", {**body, "task": "scream"})[1] == {"question": 3}
            assert "unknown task" in answered(server, 3)["error"]
            status, shown, _ = ask(server, "POST", "/preview", {**body, "model": ""})
            assert status == 200 and "Where can I sit?" in shown["text"] and "[Image 1:" in shown["text"]
        assert len(log.bodies) == 2, "a preview sends nothing"
    again = Desk(tmp_path)
    assert [q.state for q in again.jobs[home.name].questions] == ["done", "failed", "failed"]
    again.close()


def answered(server, number: int) -> dict:
    ends = time.monotonic() + 60
    while True:
        (job,) = ask(server, "GET", "/state")[1]["jobs"]
        entry = next(q for q in job["questions"] if q["id"] == number)
        if entry["state"] in ("done", "failed"):
            return entry
        assert time.monotonic() < ends, entry
        time.sleep(0.02)


def test_caption_needs_a_number(folder: Path) -> None:
    text, guess = preview(Question(id=0, text="", task="caption", model="", marks=(1,)), folder)
    assert "<OBJ001>" in text and guess.input_tokens > 100
