"""The whole set on generated rooms: pictures, conversations, counts; and the real rows at hand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spaceland.errors import OutputError, SourceError
from spaceland.objects.types import Found, FoundObject
from spaceland.prompts import BevConfig, MarkConfig
from spaceland.scanalign.annotations import Annotation, read_scanqa
from spaceland.scanalign.build import AlignConfig, Built, build
from spaceland.scanalign.naming import setting_name
from spaceland.scanalign.proposals import Overlaps
from spaceland.scanalign.samples import Rules, make_samples
from spaceland.scenes.scene import Scene, SceneObject
from spaceland.scenes.sources import Source, open_source

MARK = MarkConfig(num_frames=2, bev=BevConfig(size_px=300))
NAME = setting_name(MARK)


@pytest.fixture(scope="module")
def rooms() -> Source:
    return open_source("rooms:1-2?width=160&height=120")


def described(scene: Scene) -> list[SceneObject]:
    """The two things of a room that the rows are about."""
    return [thing for thing in scene.objects if thing.label not in ("door", "window")][:2]


def annotations(source: Source) -> dict[str, list[Annotation]]:
    """Rows about the first two things of each room, as annotators would have written them."""
    rows: dict[str, list[Annotation]] = {name: [] for name in ("scanqa", "scanrefer", "scan2cap", "multi3drefer")}
    for scene_id in source.ids():
        things = described(source.open(scene_id))
        for thing in things:
            key = f"{scene_id}|{thing.id}|0"
            row = Annotation(key, scene_id, (f"this is a {thing.label}. it stands there.",), (), (thing.id,))
            rows["scanrefer"].append(row)
            rows["scan2cap"].append(row)
        rows["scanqa"].append(Annotation(f"q-{scene_id}", scene_id, ("What stands there?",), (things[0].label,)))
        both = tuple(sorted(thing.id for thing in things))
        rows["multi3drefer"].append(Annotation(f"m-{scene_id}", scene_id, ("things there.",), (), both, "mt"))
        rows["multi3drefer"].append(Annotation(f"n-{scene_id}", scene_id, ("a dragon.",), (), (), "zt_w_d"))
    return rows


@pytest.fixture(scope="module")
def room() -> Source:
    return open_source("rooms:2?width=160&height=120")


def made(source: Source, out: Path, config: AlignConfig, finder: object = None) -> Built:
    return build(source, annotations(source), out, config, finder)  # type: ignore[arg-type]


def test_training_set(rooms: Source, tmp_path: Path) -> None:
    built = made(rooms, tmp_path, AlignConfig(mark=MARK))
    assert built.counts == {"scanqa": 2, "scanrefer": 4, "scan2cap": 4, "multi3drefer": 4} and not built.broken
    rows = json.loads((tmp_path / f"sharegpt_data_scanalign_{NAME}.json").read_text())
    info = json.loads((tmp_path / "dataset_info.json").read_text())
    assert list(info) == [f"sharegpt_data_scanalign_{NAME}"] and len(rows) == 14
    for row in rows:
        user, assistant = row["messages"]
        assert (user["role"], assistant["role"]) == ("user", "assistant")
        assert user["content"].count("<image>") == len(row["images"]) == 3
        assert row["images"][0].endswith("bev.png") and all((tmp_path / image).is_file() for image in row["images"])
    # Numbers in the text are those in the pictures: ground truth stands for itself.
    for row in (row for row in rows if row["id"].startswith("scanrefer")):
        scene_id, object_id, _ = row["id"].removeprefix("scanrefer-").split("|")
        record = json.loads((built.images / scene_id / "objects.json").read_text())
        assert row["messages"][1]["content"] == f"<OBJ{int(object_id):03d}>."
        assert int(object_id) in {entry["mark"] for entry in record["objects"]}
    counts = json.loads((tmp_path / "counts.json").read_text())[f"train_{NAME}"]
    assert counts["paper"]["scanqa"] == 26138 and counts["scenes"] == 2
    # A second run keeps the pictures.
    bev = built.images / rooms.ids()[0] / "bev.png"
    before = bev.stat().st_mtime_ns
    made(rooms, tmp_path, AlignConfig(mark=MARK, rules=Rules(seed=3)))
    assert bev.stat().st_mtime_ns == before


class Halves:
    """A finder that sees every object, but the first of the two things only by half."""

    name = "halves"

    def find(self, scene: Scene, progress: object = None) -> Found:
        found = []
        for k, thing in enumerate(scene.objects):
            points = thing.points
            if thing is described(scene)[0]:
                middle = np.median(points[:, 0])
                points = points[points[:, 0] <= middle]
            found.append(FoundObject(k, thing.label, 1.0, points, thing.box, ()))
        return Found(tuple(found), {"finder": self.name})


@pytest.mark.heavy
def test_switches_and_proposals(room: Source, tmp_path: Path) -> None:
    plain = MarkConfig(num_frames=2, bev=None, marks=False)
    built = made(room, tmp_path / "plain", AlignConfig(mark=plain, layout="conversations"))
    rows = json.loads((tmp_path / "plain/sharegpt_data_scanalign_2_images_nomark.json").read_text())
    assert len(rows) == sum(built.counts.values()) and len(rows[0]["images"]) == 2
    assert [turn["from"] for turn in rows[0]["conversations"]] == ["human", "gpt"]
    found = made(room, tmp_path / "found", AlignConfig(mark=MARK, rules=Rules(min_iou=0.75)), Halves())
    left = sum((Counter(reasons) for reasons in found.left_out.values()), Counter())
    assert set(left) == {"no proposal fits well enough"} and 0 < found.counts["scanrefer"] < 2


@pytest.mark.heavy
def test_pictures_follow_the_proposals(room: Source, tmp_path: Path) -> None:
    class Backwards(Halves):
        def find(self, scene: Scene, progress: object = None) -> Found:
            found = super().find(scene).objects
            return Found(tuple(replace(thing, id=len(found) - 1 - thing.id) for thing in found), {})

    def numbers(finder: Halves) -> dict[int, list[float]]:
        built = made(room, tmp_path, AlignConfig(mark=MARK), finder)
        record = json.loads((built.images / room.ids()[0] / "objects.json").read_text())
        return {entry["mark"]: entry["center_m"] for entry in record["objects"]}

    first, second = numbers(Halves()), numbers(Backwards())
    assert first != second and numbers(Halves()) == first


def test_evaluation_files(room: Source, tmp_path: Path) -> None:
    name = setting_name(MARK, "halves")
    built = made(room, tmp_path, AlignConfig(mark=MARK, rules=Rules(training=False, min_iou=0.99)), Halves())
    assert {path.name for path in built.files} >= {
        f"scanqa_val_{name}.json", f"scanrefer_val_{name}.json", "counts.json",
    }  # fmt: skip
    rows = json.loads((tmp_path / f"multi3drefer_val_{name}.json").read_text())
    assert [row["qid"] for row in rows] == [0, 1] and {row["eval_type"] for row in rows} == {"mt", "zt_w_d"}
    assert all({"scene_id", "obj_id", "pred_id", "prompt", "ref_captions"} <= set(row) for row in rows)
    refer = json.loads((tmp_path / f"scanrefer_val_{name}.json").read_text())
    assert len(refer) == 2 and min(row["iou"] for row in refer) < 0.9


def tree(folder: Path) -> dict[str, bytes]:
    """The files of a set, less the seconds that its stages took."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "stage.json"
    }


@pytest.mark.heavy
def test_settings_live_side_by_side(room: Source, tmp_path: Path) -> None:
    rows: dict[str, Sequence[Annotation]] = {"scanqa": annotations(room)["scanqa"]}
    plain = replace(MARK, num_frames=1, bev=None)
    looks = [
        replace(plain, num_frames=2, marks=False),
        replace(plain, drop_share=0.5),
        replace(plain, mark_size_px=60, model_long_side_px=128),
    ]
    for mark in looks:
        build(room, rows, tmp_path / "one", AlignConfig(mark=mark))
    info = json.loads((tmp_path / "one/dataset_info.json").read_text())
    assert sorted(info) == [f"sharegpt_data_scanalign_{setting_name(mark)}" for mark in sorted(looks, key=setting_name)]
    assert len(json.loads((tmp_path / "one/counts.json").read_text())) == len(looks)
    for mark in looks:
        train = json.loads((tmp_path / "one" / f"sharegpt_data_scanalign_{setting_name(mark)}.json").read_text())
        first = tmp_path / "one" / train[0]["images"][0]
        record = json.loads((first.parents[1] / "objects.json").read_text())
        assert record["config"]["marks"] == mark.marks and len(record["frames"]) == mark.num_frames
        assert record["config"]["drop_share"] == mark.drop_share and bool(record["objects"]) == mark.marks
        assert all((tmp_path / "one" / image).is_file() for row in train for image in row["images"])
        if mark.model_long_side_px:
            assert max(Image.open(first).size) == 128
    # Any order, and any of them made again, gives the same bytes.
    for mark in [*looks[::-1], looks[1]]:
        build(room, rows, tmp_path / "two", AlignConfig(mark=mark))
    assert tree(tmp_path / "one") == tree(tmp_path / "two")


def test_names_of_settings() -> None:
    base = MarkConfig(num_frames=32)
    many = replace(base, drop_share=0.3, seed=2, mark_size_px=30, model_long_side_px=512)
    assert setting_name(many, "mask3d") == "32_images_3D_mark_drop30_seed2_size30_img512_mask3d"
    others = [replace(base, style="som"), replace(base, bev=BevConfig(projection="perspective"))]
    names = [setting_name(mark) for mark in (base, *others)]
    assert names[0] == "32_images_3D_mark" and len(set(names)) == 3
    assert all(name.startswith("32_images_3D_mark_") for name in names[1:])


def test_a_damaged_list_of_sets_is_not_replaced(room: Source, tmp_path: Path) -> None:
    (tmp_path / "dataset_info.json").write_text("[]")
    rows: dict[str, Sequence[Annotation]] = {"scanqa": annotations(room)["scanqa"]}
    config = AlignConfig(mark=replace(MARK, num_frames=1, bev=None, marks=False))
    with pytest.raises(OutputError, match="no JSON object by names of sets"):
        build(room, rows, tmp_path, config)
    (tmp_path / "dataset_info.json").write_text('{"mine": {"file_name": "mine.json"}}')
    build(room, rows, tmp_path, config)
    assert json.loads((tmp_path / "dataset_info.json").read_text())["mine"] == {"file_name": "mine.json"}


def test_rows_of_other_scenes(room: Source, tmp_path: Path) -> None:
    rows: dict[str, Sequence[Annotation]] = {"scanqa": [Annotation("q", "scene0000_00", ("What?",), ("a",))]}
    with pytest.raises(SourceError, match="none of the 1 annotated scenes"):
        build(room, rows, tmp_path, AlignConfig(mark=MARK))


def test_command(room: Source, tmp_path: Path) -> None:
    scene_id = room.ids()[0]
    rows = [{"scene_id": scene_id, "question_id": "q0", "question": "What is there?", "answers": ["a bed", "bed"]}]
    (tmp_path / "qa.json").write_text(json.dumps(rows))
    spec = "rooms:2?width=160&height=120"
    command = [sys.executable, "-m", "spaceland", "scanalign", spec, "--out", str(tmp_path / "out"), "--frames", "2"]
    asked = [*command, "--scanqa", str(tmp_path / "qa.json")]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr
    assert "26,138" in done.stdout and "Next: look at the pictures" in done.stdout
    found = json.loads((tmp_path / "out/sharegpt_data_scanalign_2_images_3D_mark.json").read_text())
    assert [row["messages"][1]["content"] for row in found] == ["A bed.", "Bed."]
    switches = ["--no-bev", "--drop", "0.3", "--mark-size", "50", "--long-side", "128", "--seed", "1"]
    done = subprocess.run(
        [*command, *switches, "--scanqa", str(tmp_path / "qa.json")], capture_output=True, text=True, timeout=180
    )
    name = "2_images_mark_drop30_seed1_size50_img128"
    assert f"images/{name}" in done.stdout.replace("\n", ""), done.stderr
    assert f"sharegpt_data_scanalign_{name}" in json.loads((tmp_path / "out/dataset_info.json").read_text())
    bad = subprocess.run(command, capture_output=True, text=True, timeout=180)
    assert bad.returncode == 2 and "no annotations given" in bad.stderr
    bad = subprocess.run([*command, "--scanqa", str(tmp_path / "no.json")], capture_output=True, text=True, timeout=180)
    assert bad.returncode == 2 and "missing file" in bad.stderr


@pytest.mark.real
def test_real_rows_of_scanqa() -> None:
    path = Path(os.environ.get("SPACELAND_REAL_DATA", "")) / "ScanQA_v1.0_val.json"
    if not os.environ.get("SPACELAND_REAL_DATA") or not path.is_file():
        pytest.skip("set SPACELAND_REAL_DATA to a folder with ScanQA_v1.0_val.json (CONTRIBUTING.md)")
    rows = read_scanqa(path)
    assert len(rows) == 4675 and len({row.scene for row in rows}) == 71
    empty = {row.scene: Overlaps.of([], {}) for row in rows}
    left_out: Counter[str] = Counter()
    val = list(make_samples("scanqa", rows, empty, Rules(training=False), left_out))
    assert len(val) == 4675 and not left_out
    assert all(
        sample.answer[:1] == sample.answer[:1].upper() and sample.answer.endswith((".", "!", "?")) for sample in val
    )
    train = list(make_samples("scanqa", rows, empty, Rules(), left_out))
    expected = sum(1 + sum(a != b for a, b in zip(row.answers, row.answers[1:], strict=False)) for row in rows)
    assert len(train) == expected and len({sample.id for sample in train}) == expected
