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

from spaceland.errors import SourceError
from spaceland.objects.types import Found, FoundObject
from spaceland.prompts import BevConfig, MarkConfig
from spaceland.scanalign.annotations import Annotation, read_scanqa
from spaceland.scanalign.build import AlignConfig, Built, build
from spaceland.scanalign.proposals import Overlaps
from spaceland.scanalign.samples import Rules, make_samples
from spaceland.scenes.scene import Scene, SceneObject
from spaceland.scenes.sources import Source, open_source

MARK = MarkConfig(num_frames=2, bev=BevConfig(size_px=300))


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
    rows = json.loads((tmp_path / "sharegpt_data_scanalign_2_images_3D_mark.json").read_text())
    info = json.loads((tmp_path / "dataset_info.json").read_text())
    assert list(info) == ["sharegpt_data_scanalign_2_images_3D_mark"] and len(rows) == 14
    for row in rows:
        user, assistant = row["messages"]
        assert (user["role"], assistant["role"]) == ("user", "assistant")
        assert user["content"].count("<image>") == len(row["images"]) == 3
        assert row["images"][0].endswith("bev.png") and all((tmp_path / image).is_file() for image in row["images"])
    # Numbers in the text are those in the pictures: ground truth stands for itself.
    for row in (row for row in rows if row["id"].startswith("scanrefer")):
        scene_id, object_id, _ = row["id"].removeprefix("scanrefer-").split("|")
        record = json.loads((tmp_path / "images" / scene_id / "objects.json").read_text())
        assert row["messages"][1]["content"] == f"<OBJ{int(object_id):03d}>."
        assert int(object_id) in {entry["mark"] for entry in record["objects"]}
    counts = json.loads((tmp_path / "counts.json").read_text())
    assert counts["paper"]["scanqa"] == 26138 and counts["scenes"] == 2
    # A second run keeps the pictures.
    bev = tmp_path / "images" / rooms.ids()[0] / "bev.png"
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
        made(room, tmp_path, AlignConfig(mark=MARK), finder)
        record = json.loads((tmp_path / "images" / room.ids()[0] / "objects.json").read_text())
        return {entry["mark"]: entry["center_m"] for entry in record["objects"]}

    first, second = numbers(Halves()), numbers(Backwards())
    assert first != second and numbers(Halves()) == first


def test_evaluation_files(room: Source, tmp_path: Path) -> None:
    built = made(room, tmp_path, AlignConfig(mark=MARK, rules=Rules(training=False, min_iou=0.99)), Halves())
    assert {path.name for path in built.files} >= {"scanqa_val.json", "scanrefer_val.json", "counts.json"}
    rows = json.loads((tmp_path / "multi3drefer_val.json").read_text())
    assert [row["qid"] for row in rows] == [0, 1] and {row["eval_type"] for row in rows} == {"mt", "zt_w_d"}
    assert all({"scene_id", "obj_id", "pred_id", "prompt", "ref_captions"} <= set(row) for row in rows)
    refer = json.loads((tmp_path / "scanrefer_val.json").read_text())
    assert len(refer) == 2 and min(row["iou"] for row in refer) < 0.9


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
    done = subprocess.run([*command, "--scanqa", str(tmp_path / "qa.json")], capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stderr
    assert "26,138" in done.stdout and "Next: look at the pictures" in done.stdout
    found = json.loads((tmp_path / "out/sharegpt_data_scanalign_2_images_3D_mark.json").read_text())
    assert [row["messages"][1]["content"] for row in found] == ["A bed.", "Bed."]
    bad = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert bad.returncode == 2 and "no annotations given" in bad.stderr
    bad = subprocess.run([*command, "--scanqa", str(tmp_path / "no.json")], capture_output=True, text=True, timeout=60)
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
