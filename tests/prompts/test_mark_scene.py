"""The whole way: a scene becomes pictures, objects.json and prompt.json."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from handmade import box_scene
from spaceland.cli import run
from spaceland.errors import OutputError, SceneError
from spaceland.geometry.transforms import look_at
from spaceland.prompts import BevMap, MarkConfig, mark_scene
from spaceland.prompts.selection import mark_numbers
from spaceland.scenes.scene import Scene

BOXES = [
    ("table", (3.0, 4.0, 0.375), (1.6, 0.9, 0.75)),
    ("cup", (3.3, 4.2, 0.81), (0.12, 0.12, 0.12)),
    ("footrest", (3.0, 4.0, 0.15), (0.4, 0.4, 0.3)),  # inside the table's cuboid: nobody sees it
    ("bed", (1.0, 1.2, 0.25), (1.6, 2.0, 0.5)),
    ("wardrobe", (5.6, 6.0, 1.1), (0.6, 1.8, 2.2)),
    ("wall", (3.0, 7.9, 1.5), (2.0, 0.1, 3.0)),
]


def _room(num_frames: int = 12) -> Scene:
    poses = [
        look_at(np.array([3 + 2 * np.cos(a), 4 + 2.5 * np.sin(a), 1.5]), np.array([3 - np.cos(a), 4 - np.sin(a), 0.5]))
        for a in np.linspace(0, 6, num_frames)
    ]
    return box_scene(BOXES, poses, with_ids=True)


@pytest.fixture(scope="module")
def room() -> Scene:
    return _room()


@pytest.fixture(scope="module")
def marked(room: Scene, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("marked")
    mark_scene(room, out, MarkConfig(question="How far is 3 from 4?", table=True))
    return out


def test_every_disc_lies_on_its_object_and_no_unseen_object_has_one(marked: Path, room: Scene) -> None:
    record = json.loads((marked / "objects.json").read_text())
    seen_somewhere = set()
    for frame in record["frames"]:
        source = room.frames_by_id[frame["id"]]
        assert source.object_ids is not None
        exact = source.object_ids()
        discs = {
            entry["id"]: place["pixel"]
            for entry in record["objects"]
            for place in entry["frames"]
            if place["frame"] == frame["id"]
        }
        assert sorted(discs) == frame["marks"]
        for object_id, (u, v) in discs.items():
            assert exact[int(v), int(u)] == object_id
            assert 10 <= u <= 310 and 10 <= v <= 230
        assert set(discs) <= set(np.unique(exact))
        seen_somewhere |= set(discs)
    assert {0, 3, 4} <= seen_somewhere
    assert 2 not in seen_somewhere and 2 not in {entry["id"] for entry in record["objects"]}
    assert record["skipped"]["on no picture"] == 1
    assert record["skipped"]["not markable"] == 1  # the wall


def test_bev_pixels_lead_back_to_the_objects(marked: Path) -> None:
    record = json.loads((marked / "objects.json").read_text())
    bev_map = BevMap.from_json(record["bev"])
    for entry in record["objects"]:
        pixel = entry["bev_leader_to"] or entry["bev_pixel"]
        xy = bev_map.pixel_to_world(np.array(pixel))
        _, center, size = BOXES[entry["id"]]
        assert (np.abs(xy - center[:2]) <= np.array(size[:2]) / 2).all()
        np.testing.assert_allclose(entry["center_m"], center, atol=1e-4)
        np.testing.assert_allclose(entry["size_m"], size, atol=1e-4)
    by_id = {entry["id"]: entry for entry in record["objects"]}
    middle = bev_map.world_to_pixel(np.array([1.0, 1.2]))
    assert np.abs(np.array(by_id[3]["bev_pixel"]) - middle).max() <= 0.51


def test_visible_fraction_is_stored(marked: Path) -> None:
    record = json.loads((marked / "objects.json").read_text())
    shares = [place["visible_fraction"] for entry in record["objects"] for place in entry["frames"]]
    assert shares and all(share is not None and 0 < share <= 1 for share in shares)


def test_prompt_names_pictures_that_exist_and_the_scale(marked: Path) -> None:
    record = json.loads((marked / "objects.json").read_text())
    (message,) = json.loads((marked / "prompt.json").read_text())
    assert message["role"] == "user"
    images = [part["image"] for part in message["content"] if part["type"] == "image"]
    assert images == ["bev.png"] + [frame["image"] for frame in record["frames"]]
    for path, size in zip(images, [record["bev"], *record["frames"]], strict=True):
        with Image.open(marked / path) as image:
            assert image.size == (size["width"], size["height"])
    text = message["content"][-1]["text"]
    assert message["content"][-1]["type"] == "text"
    for piece in (
        "9 pictures",
        "Image 1 is a bird's-eye view",
        "Images 2 to 9",
        f"{record['bev']['metres_per_px']:.4f} metres",
        "x axis points to the right",
        "same number is the same object",
        "3: bed, centre (1.00, 1.20, 0.25), size 1.60 x 2.00 x 0.50",
    ):
        assert piece in text
    assert text.endswith("How far is 3 from 4?")
    assert "{" not in text and "None" not in text


def test_same_bytes_each_run(marked: Path, tmp_path: Path) -> None:
    mark_scene(_room(), tmp_path, MarkConfig(question="How far is 3 from 4?", table=True))
    names = sorted(str(path.relative_to(marked)) for path in marked.rglob("*") if path.is_file())
    assert names == sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    for name in names:
        assert (marked / name).read_bytes() == (tmp_path / name).read_bytes(), name
    assert str(tmp_path) not in (tmp_path / "objects.json").read_text()


def test_fewer_frames_leave_none_behind(room: Scene, tmp_path: Path) -> None:
    mark_scene(room, tmp_path, MarkConfig(num_frames=6))
    (tmp_path / "frames" / "mine.jpg").write_bytes(b"the user's")
    mark_scene(room, tmp_path, MarkConfig(num_frames=2))
    assert sorted(path.name for path in (tmp_path / "frames").iterdir()) == ["000000.jpg", "000006.jpg", "mine.jpg"]


def test_only_wanted_labels(room: Scene, tmp_path: Path) -> None:
    result = mark_scene(room, tmp_path, MarkConfig(num_frames=0, labels=("bed", "cup")))
    assert [entry["label"] for entry in result.record["objects"]] == ["cup", "bed"]
    with pytest.raises(SceneError, match="no object labelled sofa; its labels are: bed, cup"):
        mark_scene(room, tmp_path, MarkConfig(labels=("sofa",)))


def test_no_objects_is_said_honestly(room: Scene, tmp_path: Path) -> None:
    result = mark_scene(replace(room, objects=()), tmp_path, MarkConfig(num_frames=1))
    assert result.record["objects"] == []
    assert "No object is numbered." in result.prompt[0]["content"][-1]["text"]
    assert "Image 2 is a frame" in result.prompt[0]["content"][-1]["text"]


def test_large_ids_get_small_numbers(room: Scene) -> None:
    far = [replace(thing, id=thing.id + 998) for thing in room.objects]
    assert mark_numbers(room.objects) == {k: k for k in range(6)}
    assert mark_numbers(far) == {k + 998: k for k in range(6)}
    assert mark_numbers([]) == {}


def test_estimated_geometry_is_said(room: Scene, tmp_path: Path) -> None:
    result = mark_scene(replace(room, geometry="estimated"), tmp_path, MarkConfig(num_frames=0))
    text = result.prompt[0]["content"][-1]["text"]
    assert "approximate" in text and "1 picture of" in text


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(OutputError, match="unknown style 'crayon'; styles are: gpt4scene, ringed"):
        MarkConfig(style="crayon")
    with pytest.raises(OutputError, match="negative"):
        MarkConfig(num_frames=-1)


def test_command_says_what_it_wrote(
    room: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("spaceland.pipeline.run.open_scene", lambda spec, scene_id: room)
    assert run(["mark", "rooms:1", "--out", str(tmp_path), "--frames", "2", "--size", "400", "--labels", "Bed"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "cut 1.90 m above the floor (rule: cameras)" in printed
    assert "not marked by choice of labels: 5" in printed
    assert "Wrote" in printed and "Next: " in printed
    assert max(Image.open(tmp_path / "bev.png").size) <= 400
    assert run(["mark", "rooms:1", "--out", str(tmp_path), "--labels", "zebra"]) == 2


def test_an_object_label_is_not_terminal_markup(
    room: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = replace(room.objects[3], label="[bold red]bed[/x]")
    monkeypatch.setattr("spaceland.pipeline.run.open_scene", lambda spec, scene_id: replace(room, objects=(odd,)))
    assert run(["mark", "rooms:1", "--out", str(tmp_path), "--frames", "0", "--size", "400"]) == 0
    assert "[bold red]bed[/x]" in capsys.readouterr().out
