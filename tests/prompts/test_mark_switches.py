"""Which marks are drawn and how pictures are laid out, on a generated room with exact ids."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spaceland.cli import run
from spaceland.errors import SceneError
from spaceland.prompts import BevConfig, MarkConfig, label_occurs, map_from_json, mark_scene
from spaceland.prompts.marks import digit_height_px
from spaceland.prompts.selection import Selection, select_objects
from spaceland.prompts.styles import STYLES
from spaceland.scenes.scene import Frame, Scene
from spaceland.scenes.sources import open_scene

SMALL_BEV = BevConfig(size_px=400)


def _kept(frame: Frame) -> Frame:
    """The frame with its pictures kept, so that each is rendered once for all tests."""
    assert frame.depth is not None and frame.object_ids is not None
    return replace(frame, color=cache(frame.color), depth=cache(frame.depth), object_ids=cache(frame.object_ids))


@pytest.fixture(scope="module")
def room() -> Scene:
    scene = open_scene("rooms:4")
    return replace(scene, frames=tuple(_kept(frame) for frame in scene.frames[:24:6]))


def _discs(record: dict, frame_id: str) -> dict[int, dict]:
    return {e["id"]: p for e in record["objects"] for p in e["frames"] if p["frame"] == frame_id}


@pytest.mark.parametrize(
    ("style", "projection"),
    [
        ("gpt4scene", "orthographic"),
        ("ringed", "perspective"),
        ("som", "perspective"),
        ("box", "orthographic"),
        ("outline", "perspective"),
    ],
)
def test_marks_keep_the_rules_in_every_style(room: Scene, tmp_path: Path, style: str, projection: str) -> None:
    """On its object, inside the picture, on no other mark, and none for what is not seen."""
    bev = replace(SMALL_BEV, projection=projection)
    frames = len(room.frames) if style == "gpt4scene" else 2
    result = mark_scene(room, tmp_path, MarkConfig(style=style, bev=bev, num_frames=frames))
    record = result.record
    for entry in record["frames"]:
        source = room.frames_by_id[entry["id"]]
        assert source.object_ids is not None
        exact = source.object_ids()
        discs = _discs(record, entry["id"])
        assert sorted(discs) == entry["marks"] and set(discs) <= set(np.unique(exact))
        for object_id, place in discs.items():
            u, v = place.get("leader_to") or place["pixel"]
            assert exact[int(v), int(u)] == object_id
            u, v = place["pixel"]
            assert 20 <= u <= entry["width"] - 20 and 20 <= v <= entry["height"] - 20
        for a, b in combinations(discs.values(), 2):
            assert np.hypot(*np.subtract(a["pixel"], b["pixel"])) >= 40
    assert result.bev is not None
    radius = 0.036 * max(result.bev.shape) / 2
    for mark in result.bev_marks.marks:
        u, v = mark.target_px or mark.center_px
        assert result.bev.object_ids[int(v), int(u)] == mark.object_id
        assert radius <= mark.center_px[0] <= result.bev.shape[1] - radius
        assert radius <= mark.center_px[1] <= result.bev.strip_top_px - radius
    for a, b in combinations(result.bev_marks.marks, 2):
        assert np.hypot(*np.subtract(a.center_px, b.center_px)) >= 2 * radius
    words = result.prompt[0]["content"][-1]["text"]
    assert ("in perspective" in words) == (projection == "perspective")
    assert ("discs" in words) == (style in ("gpt4scene", "ringed"))


def test_perspective_pixels_lead_back_to_the_objects(room: Scene, tmp_path: Path) -> None:
    mark_scene(room, tmp_path, MarkConfig(num_frames=0, bev=replace(SMALL_BEV, projection="perspective")))
    record = json.loads((tmp_path / "objects.json").read_text())
    view = map_from_json(record["bev"])
    marked = [entry for entry in record["objects"] if entry["bev_pixel"]]
    assert len(marked) > 10
    for entry in marked:
        box = room.objects_by_id[entry["id"]].aabb
        pixel = np.array(entry["bev_leader_to"] or entry["bev_pixel"])
        # The line of sight passes through the object's box.
        heights = np.linspace(box.minimum[2], box.maximum[2], 50)
        xy = view.pixel_to_world(np.broadcast_to(pixel, (50, 2)), heights)
        assert ((xy >= box.minimum[:2] - 0.02) & (xy <= box.maximum[:2] + 0.02)).all(1).any()
    assert record["bev"]["scale_bar"] is None
    assert record["bev"]["fov_deg"] == 60 and record["bev"]["camera_height_m"] > 4


def test_same_bytes_each_run(room: Scene, tmp_path: Path) -> None:
    bev = replace(SMALL_BEV, projection="perspective", camera_path=True, grid_m=1.0)
    config = MarkConfig(bev=bev, style="som", layout="grid", model_long_side_px=800, num_frames=2)
    for name in ("a", "b"):
        mark_scene(room, tmp_path / name, config)
    names = sorted(str(p.relative_to(tmp_path / "a")) for p in (tmp_path / "a").rglob("*") if p.is_file())
    assert len(names) == 4 + 2
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name


def test_an_object_has_one_colour_on_all_pictures(room: Scene, tmp_path: Path) -> None:
    config = MarkConfig(style="som", bev=None, num_frames=2)
    result = mark_scene(room, tmp_path, config)
    for entry in result.record["objects"]:
        fill, _ = STYLES["som"].colors(entry["mark"])
        for place in entry["frames"]:
            with Image.open(tmp_path / "frames" / f"{place['frame']}.jpg") as image:
                u, v = (int(c) for c in place["pixel"])
                patch = np.asarray(image)[v - 12 : v + 13, u - 12 : u + 13].reshape(-1, 3).astype(int)
            assert np.abs(patch - fill).sum(1).min() < 40


@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 1.0])
def test_a_share_of_the_marks_is_dropped(room: Scene, share: float) -> None:
    def select(seed: int) -> Selection:
        return select_objects(room, labels=(), room_labels=(), only=(), query=None, drop_share=share, seed=seed)

    chosen = select(3)
    assert len(chosen.dropped) == round(share * len(room.objects))
    assert sorted([*chosen.dropped, *chosen.numbers.values()]) == [thing.id for thing in room.objects]
    assert select(3) == chosen
    if 0 < share < 1:
        assert select(4).dropped != chosen.dropped


def test_dropped_marks_are_the_same_on_all_pictures(room: Scene, tmp_path: Path) -> None:
    full = mark_scene(room, tmp_path, MarkConfig(num_frames=2, bev=SMALL_BEV)).record
    result = mark_scene(room, tmp_path, MarkConfig(num_frames=2, bev=SMALL_BEV, drop_share=0.3, seed=3)).record
    dropped = set(result["left_out"]["dropped"])
    shown = {number for frame in result["frames"] for number in frame["marks"]}
    shown |= {entry["mark"] for entry in result["objects"] if entry["bev_pixel"]}
    assert dropped and not shown & dropped
    assert {e["mark"] for e in full["objects"]} - dropped == {e["mark"] for e in result["objects"]}


def test_only_some_numbers(room: Scene, tmp_path: Path) -> None:
    result = mark_scene(room, tmp_path, MarkConfig(num_frames=0, bev=SMALL_BEV, only=(0, 3, 5)))
    assert {e["mark"] for e in result.record["objects"]} <= {0, 3, 5}
    assert result.record["skipped"]["not listed"] == len(room.objects) - 3
    with pytest.raises(SceneError, match="no object with number 88; its numbers are: 0, 1, 2"):
        mark_scene(room, tmp_path, MarkConfig(only=(3, 88)))


def test_marks_of_what_a_question_names(room: Scene, tmp_path: Path) -> None:
    asked = MarkConfig(num_frames=0, bev=SMALL_BEV, query="How many CHAIRS stand at the dining table, near doors?")
    result = mark_scene(room, tmp_path, asked).record
    assert result["query_labels"] == sorted(
        label for label in room.label_counts if label_occurs(label, asked.query or "")
    )
    assert {"chair", "door"} <= set(result["query_labels"])
    assert {e["label"] for e in result["objects"]} <= set(result["query_labels"])
    assert result["skipped"]["not asked about"] == sum(t.label not in result["query_labels"] for t in room.objects)
    nothing = mark_scene(room, tmp_path, MarkConfig(num_frames=0, bev=SMALL_BEV, query="Where can I read?")).record
    assert nothing["query_labels"] == [] and len(nothing["objects"]) > 10


@pytest.mark.parametrize(
    ("label", "text", "occurs"),
    [
        ("chair", "the chairs", True),
        ("chair", "a chairman", False),
        ("office chair", "my office-chairs", True),
        ("office chair", "the chair of my office", False),
        ("curtains", "a curtain", True),
        ("bookshelf", "two bookshelves", True),
        ("box", "Boxes!", True),
        ("lens", "some lenses", True),
        ("glass", "glasses", True),
        ("bus", "buses", True),
        ("city map", "maps of cities", False),
        ("battery", "batteries", True),
        ("tv", "the TV's stand", True),
        ("???", "what???", False),
        ("chair", "", False),
        (".*", "anything", False),
    ],
)
def test_labels_in_text(label: str, text: str, occurs: bool) -> None:
    assert label_occurs(label, text) is occurs


def test_no_marks_leaves_the_pictures_alone(room: Scene, tmp_path: Path) -> None:
    result = mark_scene(room, tmp_path, MarkConfig(num_frames=1, bev=SMALL_BEV, marks=False, style="som"))
    assert result.record["objects"] == [] and result.bev is not None
    assert "No object is numbered." in result.prompt[0]["content"][-1]["text"]
    with Image.open(tmp_path / "bev.png") as image:
        np.testing.assert_array_equal(np.asarray(image), result.bev.image)
    with Image.open(tmp_path / "frames" / f"{room.frames[0].id}.jpg") as image:
        assert np.abs(np.asarray(image).astype(int) - room.frames[0].color()).mean() < 3


def test_no_bev_leaves_no_old_one_behind(room: Scene, tmp_path: Path) -> None:
    mark_scene(room, tmp_path, MarkConfig(num_frames=1, bev=SMALL_BEV, layout="grid"))
    assert (tmp_path / "bev.png").exists() and (tmp_path / "frames_grid.jpg").exists()
    result = mark_scene(room, tmp_path, MarkConfig(num_frames=2, bev=None))
    assert not (tmp_path / "bev.png").exists() and not (tmp_path / "frames_grid.jpg").exists()
    assert result.bev is None and result.record["bev"] is None
    text = result.prompt[0]["content"][-1]["text"]
    assert text.startswith("You see 2 pictures") and "Images 1 to 2 are frames" in text and "bird" not in text
    assert all(entry["bev_pixel"] is None for entry in result.record["objects"])
    with pytest.raises(SceneError, match="no frames and no bird's-eye view"):
        mark_scene(replace(room, frames=()), tmp_path, MarkConfig(bev=None))


@pytest.mark.parametrize("long_side", [None, 1000])
def test_frames_in_one_picture(room: Scene, tmp_path: Path, long_side: int | None) -> None:
    config = MarkConfig(bev=SMALL_BEV, layout="grid", model_long_side_px=long_side)
    record = mark_scene(room, tmp_path, config).record
    grid = record["grid"]
    assert (grid["columns"], grid["rows"]) == (4, 1)
    assert [tile["caption"] for tile in grid["tiles"]] == ["Img 1", "Img 2", "Img 3", "Img 4"]
    with Image.open(tmp_path / "frames_grid.jpg") as image:
        assert image.size == (grid["width"], grid["height"])
        assert long_side is None or 0.97 * long_side < max(image.size) <= long_side
        whole = np.asarray(image).astype(int)
    for tile, frame in zip(grid["tiles"], record["frames"], strict=True):
        left, top, right, bottom = tile["box_px"]
        assert (right - left, bottom - top) == (frame["width"], frame["height"]) and tile["frame"] == frame["id"]
        with Image.open(tmp_path / frame["image"]) as image:
            single = np.asarray(image).astype(int)
        assert np.abs(whole[top:bottom, left:right] - single).mean() < 2
        caption = whole[top - 14 : top, left:right]
        assert (caption < 100).all(-1).sum() > 20 and (caption > 250).all(-1).mean() > 0.5
    (message,) = json.loads((tmp_path / "prompt.json").read_text())
    assert [p["image"] for p in message["content"][:-1]] == ["bev.png", "frames_grid.jpg"]
    assert "Img 1 to Img 4" in message["content"][-1]["text"]
    assert "2 pictures" in message["content"][-1]["text"]


@pytest.mark.parametrize(("style", "long_side"), [("gpt4scene", 128), ("som", 256), ("gpt4scene", 512)])
def test_digits_are_readable_at_the_models_size(room: Scene, tmp_path: Path, style: str, long_side: int) -> None:
    config = MarkConfig(num_frames=2, style=style, model_long_side_px=long_side, bev=SMALL_BEV)
    result = mark_scene(room, tmp_path, config)
    marks = [m for placed in (*result.frame_marks, result.bev_marks) for m in placed.marks]
    assert marks and min(digit_height_px(m.number, m.diameter_px, STYLES[style]) for m in marks) >= 8
    for entry in result.record["frames"]:
        source = room.frames_by_id[entry["id"]]
        assert source.object_ids is not None
        exact = source.object_ids()
        assert (entry["width"], entry["height"]) == (long_side, round(480 / 640 * long_side))
        with Image.open(tmp_path / entry["image"]) as image:
            assert image.size == (entry["width"], entry["height"])
        assert entry["intrinsics"][0] == pytest.approx(source.camera.fx * long_side / 640, abs=1e-4)
        for object_id, place in _discs(result.record, entry["id"]).items():
            u, v = np.array(place.get("leader_to") or place["pixel"]) * 640 / long_side
            assert exact[int(v), int(u)] == object_id
    assert max(result.record["bev"]["width"], result.record["bev"]["height"]) <= long_side


def test_mark_size_is_that_of_640_px(room: Scene, tmp_path: Path) -> None:
    result = mark_scene(room, tmp_path, MarkConfig(num_frames=1, bev=SMALL_BEV, mark_size_px=30))
    assert {m.diameter_px for placed in result.frame_marks for m in placed.marks} == {30.0}
    assert result.bev is not None
    expected = 0.75 * 0.036 * max(result.bev.shape)
    assert [m.diameter_px for m in result.bev_marks.marks] == pytest.approx([expected] * len(result.bev_marks.marks))


@pytest.mark.heavy
def test_command_has_all_switches(
    room: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("spaceland.scenes.sources.open_scene", lambda spec, scene_id: room)
    out = str(tmp_path)
    words = "--bev perspective --style outline --layout grid --frames 2 --size 300 --long-side 600 --mark-size 45"
    words += " --drop 0.25 --seed 1 --camera-path --grid 1 --fill-holes 0.2 --fov-deg 70 --camera-height-m 9"
    assert run(["mark", "rooms:4", "--out", out, *words.split(), "--query", "chairs or tables?"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    for piece in ("camera 9.00 m above it, 70 degrees", "holes up to 0.2 m", "the query names chair", "dropped: "):
        assert piece in printed
    assert run(["mark", "rooms:4", "--out", out, "--bev", "none", "--no-marks", "--frames", "1"]) == 0
    assert not (tmp_path / "bev.png").exists()
    assert run(["mark", "rooms:4", "--out", out, "--frames", "0", "--size", "300", "--only", "3", "4", "5"]) == 0
    x, y = room.objects_by_id[3].center[:2]
    area = [f"{c:.2f}" for c in (x - 1, y - 1, x + 1, y + 1)]
    assert run(["mark", "rooms:4", "--out", out, "--frames", "0", "--size", "300", "--crop", *area]) == 0
    assert run(["mark", "rooms:4", "--out", out, "--frames", "0", "--size", "300", "--crop-to", "3"]) == 0
    capsys.readouterr()
    assert run(["mark", "rooms:4", "--out", out, "--frames", "0", "--bev", "none"]) == 2
    assert run(["mark", "rooms:4", "--out", out, "--only", "999"]) == 2
    assert "no object with number 999" in capsys.readouterr().err
