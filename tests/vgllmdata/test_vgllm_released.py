"""VG LLM's JSON: read in all its kinds, taken over as a dataset, and written from rows of ours."""

from __future__ import annotations

import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from spaceland.cli import run
from spaceland.datasets.rows import read_rows
from spaceland.errors import SceneError, SourceError
from spaceland.exchange.dataset import Dataset
from spaceland.geometry.box9 import corner_gap_m, rotation_from_euler
from spaceland.questions.marks import COLORS
from spaceland.tasks3d.box9_frames import Box9
from spaceland.tasks3d.parse import read_detections, read_grounding
from spaceland.tasks3d.prompts import (
    captioning_prompt,
    detection_answer,
    detection_prompt,
    grounding_answer,
    grounding_prompt,
)
from spaceland.vgllmdata.adopt import adopt_released, plain_question
from spaceland.vgllmdata.export import export_vgllm
from spaceland.vgllmdata.released import ReleasedRow, count_rows, frames_of, read_released, split_share, video_frames

NINE = [0.1, -0.2, 2.5, 1.0, 0.4, 2.0, 0.1, 1.57, -3.0]
GROUNDING_ANSWER = '```json\n\t{"frame": 1, "bbox_3d": [0.1, -0.2, 2.5, 1.0, 0.4, 2.0, 0.1, 1.57, -3.0]}\n```'
DETECTION_ANSWER = '```json\n[\n\t{"label": "chair", "bbox_3d": [0.1, -0.2, 2.5, 1.0, 0.4, 2.0, 0.1, 1.57, -3.0]}\n]```'


def talk(question: str, answer: str) -> list[dict[str, str]]:
    return [{"from": "human", "value": question}, {"from": "gpt", "value": answer}]


def scans(count: int) -> list[str]:
    return [f"scannet/posed_images/scene0007_00/{k * 10:05d}.jpg" for k in range(count)]


ROWS: list[dict[str, Any]] = [
    {
        "images": scans(2),
        "conversations": talk(grounding_prompt("a chair.", 2), GROUNDING_ANSWER),
        "metadata": {"dataset": "scanrefer", "question_type": "unique", "ann_id": "0", "object_id": "3"},
        "target": {"frame": 1, "bbox_3d": NINE},
        "gt_bbox": [0, 0, 1, 1, 1, 1, 0, 0, 0],
        "prompt": "Localize ...",
    },
    {
        "images": scans(3),
        "conversations": talk(captioning_prompt((1, 2, 3), 3), "A brown chair."),
        "input_box": [0, 0, 1, 1, 1, 1],
        "gt_box": [0, 0, 1, 1, 1, 1],
        "iou": 1,
        "metadata": {"dataset": "scan2cap", "ann_id": "0", "object_id": "3"},
    },
    {
        "conversations": talk(detection_prompt(4), DETECTION_ANSWER),
        "images": scans(4),
        "boxes": [{"bbox_3d": NINE, "label": "chair"}],
    },
    {
        "id": "spar_1",
        "conversations": talk("<image>\n<image>\nHow far? A. 1 B. 2 C. 3 D. 4", "B"),
        "images": [f"spar/scannet/images/scene0008_00/image_color/{k}.jpg" for k in (1, 2)],
        "spar_info": json.dumps(
            {
                "type": "distance_prediction_oo_mv",
                "red_point": [[500, 500]],
                "blue_point": [[250, 100]],
                "point_img_idx": [[0, 1]],
            }
        ),
    },
    {"id": "v_1", "conversations": talk("<video>\nWhat happens?", "A dog runs."), "video": "llava_hound/frames/v_1"},
    {"id": "text", "conversations": talk("How many legs has a cat?", "Four.")},
]


def write_media(root: Path) -> Path:
    for row in ROWS:
        for k, name in enumerate(row.get("images", [])):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((120, 160, 3), 40 * k, dtype=np.uint8)).save(root / name)
    folder = root / "llava_hound/frames/v_1"
    folder.mkdir(parents=True)
    for k in range(20):
        Image.new("RGB", (16, 12)).save(folder / f"{k:03d}.jpeg")
    return root


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mixed.json"
    path.write_text(json.dumps(ROWS, indent=2))
    return path


def rows_of(path: Path, **options: Any) -> list[ReleasedRow]:
    rows = list(read_released(path, **options))
    assert not any(isinstance(row, str) for row in rows), rows
    return rows  # type: ignore[return-value]


def test_kinds(file: Path) -> None:
    rows = rows_of(file)
    assert [row.kind for row in rows] == ["grounding", "captioning", "detection", "spar", "video", "chat"]
    assert [row.number for row in rows] == list(range(6)) and rows[0].fields["target"]["frame"] == 1
    assert [row.scene for row in rows[:5]] == ["scene0007_00"] * 3 + ["scene0008_00", "v_1"]
    assert rows[3].task == "distance_prediction_oo_mv"
    assert [(mark.color, mark.xy, mark.image_index) for mark in rows[3].marks] == [
        ("red", (500, 500), 0),
        ("blue", (250, 100), 1),
    ]
    lines = file.with_suffix(".jsonl")
    lines.write_text("\n".join(json.dumps(row) for row in ROWS) + "\n\n")
    assert rows_of(lines) == rows and count_rows(lines) == count_rows(file) == 6
    assert len(rows_of(file, limit=2)) == 2


def test_texts_as_training_and_evaluation_have_them(file: Path) -> None:
    rows = rows_of(file)
    assert rows[2].turns_in("train")[0][1] == detection_prompt(4, "train")
    assert rows[2].turns_in("eval")[0][1] == detection_prompt(4, "eval")
    assert rows[0].turns_in("eval")[0][1] == grounding_prompt("a chair.", 2, "eval")
    assert rows[1].turns_in("train")[1] == ("assistant", "A brown chair.")
    assert rows[4].turns_in("train", num_frames=3)[0][1] == "<image><image><image>\nWhat happens?".replace(
        "<image>\n", "<image>"
    )


def test_shares(tmp_path: Path) -> None:
    path = tmp_path / "spar_7m.jsonl"
    path.write_text("".join(json.dumps({**ROWS[5], "id": str(k)}) + "\n" for k in range(1000)))
    named, percent = split_share(f"{path}%3")
    assert (named, percent) == (path, 3)
    few = [row.number for row in rows_of(path, percent=3)]
    assert len(few) == 30 and few == sorted(set(few)) and few == [row.number for row in rows_of(path, percent=3)]
    assert few != [row.number for row in rows_of(path, percent=3, seed=1)]
    assert len(rows_of(path, percent=100)) == 1000 and max(few) > 800 and min(few) < 200
    with pytest.raises(SourceError, match="must be 1 to 100"):
        rows_of(path, percent=0)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (5, "not an object"),
        ({"conversations": talk("<image>What?", "A.")}, "another number of images"),
        ({"conversations": [{"from": "human", "value": "What?"}]}, "no question and answer"),
        ({"conversations": [{"from": "dog", "value": "What?"}]}, "no question and answer"),
        ({**ROWS[3], "spar_info": "{"}, "spar_info: JSONDecodeError"),
        ({**ROWS[3], "spar_info": '{"type": "x", "red_point": [[5000, 1]]}'}, "outside 0 to 1000"),
        ({**ROWS[3], "spar_info": "[" * 100000}, "spar_info: "),
        ({**ROWS[3], "images": 5}, "images are no list"),
    ],
)
def test_rows_that_are_no_good_are_told(row: Any, reason: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps([row]))
    (told,) = read_released(tmp_path / "a.json")
    assert isinstance(told, str) and reason in told


@pytest.mark.parametrize("path", ["../x.jpg", "/etc/passwd", "a/../../b.jpg", "a\\b.jpg"])
def test_paths_stay_below(path: str, tmp_path: Path) -> None:
    for row in ({**ROWS[3], "images": [path, path]}, {**ROWS[4], "video": path}):
        (tmp_path / "a.json").write_text(json.dumps([row]))
        with pytest.raises(SceneError, match="is refused"):
            list(read_released(tmp_path / "a.json"))


@pytest.mark.parametrize("text", ["", "{}", "[", '[{"a": 1}', "[1 2", "[nan", "[" * 100000])
def test_damaged_files(text: str, tmp_path: Path) -> None:
    for name in ("a.json", "a.jsonl"):
        (tmp_path / name).write_text(text)
        try:
            rows = list(read_released(tmp_path / name))
        except (SceneError, SourceError) as error:
            assert name in str(error)
        else:
            assert name == "a.jsonl" and all(isinstance(row, str) for row in rows)
    with pytest.raises(SceneError, match="cannot read"):
        list(read_released(tmp_path / "no.json"))


def test_frames_of_videos(tmp_path: Path) -> None:
    assert video_frames(0) == [] and video_frames(1) == [0] and video_frames(2) == [0, 1]
    for total in range(4, 60):
        places = video_frames(total)
        assert 4 <= len(places) <= 8 and places[0] == 0 and places[-1] == total - 1
        assert len(places) == min(max(round(total / 2), 4), 8)
    root = write_media(tmp_path)
    names = [path.name for path in frames_of(root / "llava_hound/frames/v_1")]
    assert len(names) == 8 and names[0] == "000.jpeg" and names[-1] == "019.jpeg"


def test_taken_over_as_a_dataset(file: Path, tmp_path: Path) -> None:
    media, out = write_media(tmp_path / "media"), tmp_path / "rows"
    result = adopt_released(file, out, media=media)
    assert result.missing_images == 0 and result.tally.left_out == {"no images": 1}
    rows = {row["task"]: row for row in read_rows(out / "rows.jsonl")}
    assert set(rows) == {
        "grounding_box", "captioning", "detection_window", "distance_prediction_oo_mv", "video_chat"
    }  # fmt: skip
    assert (
        rows["grounding_box"]["facts"]["value"] == [1, *NINE] and "Text: A chair." in rows["grounding_box"]["question"]
    )
    assert rows["detection_window"]["facts"]["value"] == [{"label": "chair", "bbox_3d": NINE}]
    spar = rows["distance_prediction_oo_mv"]
    assert spar["format"] == "select" and spar["options"] == ["1", "2", "3", "4"] and spar["answer"] == "B"
    assert len(rows["video_chat"]["images"]) == 8
    # Marks are drawn where they are meant, on pictures of their own size.
    drawn = Dataset(out).drawn_bytes(spar, 0)
    picture = np.asarray(Image.open(io.BytesIO(drawn)))
    assert picture.shape == (120, 160, 3) and np.abs(picture[60, 80].astype(int) - COLORS["red"]).max() < 40
    info = json.loads((out / "info.json").read_text())
    assert info["rows"] == 5 and info["left_out"] == {"no images": 1}


def test_old_angles_become_new_ones(tmp_path: Path, capsys: Any) -> None:
    """Three pieces of furniture, seen by a camera that looks down and rolls, written as VG LLM did at first."""
    camera = np.eye(4)
    camera[:3, :3] = rotation_from_euler(np.array([0.2, -2.0, 0.3]))
    boxes = [Box9((1, 2, 0.5, 1, 0.5, 1, yaw, 0, 0)).in_camera(camera, 0) for yaw in (0.0, 0.7, 2.2)]
    old = [box.to("zxy") for box in boxes]
    labels = ["chair", "desk", "bed"]
    det = {**ROWS[2], "conversations": talk(detection_prompt(4), detection_answer(labels, old))}
    ground = {**ROWS[0], "conversations": talk(grounding_prompt("a chair.", 2), grounding_answer(old[0]))}
    path = tmp_path / "old.json"
    path.write_text(json.dumps([det, ground]))
    assert adopt_released(path, tmp_path / "unread").conventions == {"zxy": 1}
    assert run(["vgllm-data", str(path), "--out", str(tmp_path / "wrong")]) == 0
    assert "add --convention zxy?" in capsys.readouterr().out
    adopt_released(path, tmp_path / "rows", convention="zxy")
    rows = {row["task"]: row for row in read_rows(tmp_path / "rows" / "rows.jsonl")}
    found = read_detections(rows["detection_window"]["answer"], strict=True).found
    for one, told, box in zip(found, rows["detection_window"]["facts"]["value"], boxes, strict=True):
        assert corner_gap_m(one.box.oriented, box.oriented) < 0.03
        assert corner_gap_m(Box9(tuple(told["bbox_3d"])).oriented, box.oriented) < 0.03
    (one,) = read_grounding(rows["grounding_box"]["answer"], 2, strict=True).found
    assert corner_gap_m(one.oriented, boxes[0].oriented) < 0.03


def test_without_media_videos_are_left_out(file: Path, tmp_path: Path) -> None:
    result = adopt_released(file, tmp_path / "rows")
    assert result.tally.total == 4
    assert result.tally.left_out == {"no images": 1, "a video whose folder of frames is not there (--media)": 1}


def test_evaluation_files_have_no_answers(tmp_path: Path) -> None:
    row = {**ROWS[0], "conversations": talk(grounding_prompt("a chair.", 2), "")}
    (tmp_path / "a.json").write_text(json.dumps([row]))
    with pytest.raises(SourceError, match=r"no row of ours \(1 no answer: a row of an evaluation file\)"):
        adopt_released(tmp_path / "a.json", tmp_path / "rows")
    assert not (tmp_path / "rows").exists()


def test_there_and_back(file: Path, tmp_path: Path) -> None:
    """Taken over and written again, prompts and answers are what they were."""
    adopt_released(file, tmp_path / "rows", media=write_media(tmp_path / "media"))
    tally = export_vgllm(tmp_path / "rows", tmp_path / "out")
    assert tally.total == 3
    for k, task in enumerate(("grounding", "captioning", "detection")):
        (row,) = rows_of(tmp_path / "out" / "train" / f"{task}.json")
        assert row.kind == task
        assert [{"from": "human" if r == "user" else "gpt", "value": t} for r, t in row.turns] == ROWS[k][
            "conversations"
        ]
        assert all((tmp_path / "out" / "media" / image).is_file() for image in row.images)


def test_plain_questions() -> None:
    assert plain_question("<image>\n<image>\nWhat?") == "What?"
    assert plain_question("Compare <image> with <image>.") == "Compare  with ."
    assert plain_question("What?") == "What?"


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("generated") / "rooms"
    line = [
        "generate",
        "rooms:2?width=120&height=90&frames=36",
        "--out",
        str(out),
        "--per-scene",
        "4",
        "--workers",
        "1",
    ]
    assert run([*line, "--tasks", "grounding_box", "detection_window", "depth_prediction_oc"]) == 0
    return out


@pytest.mark.parametrize("convention", ["ZXY", "zxy"])
def test_our_rows_in_its_form(generated: Path, convention: Any, tmp_path: Path) -> None:
    tally = export_vgllm(generated, tmp_path / "out", convention=convention)
    ours = {row["id"]: row for row in read_rows(generated / "rows.jsonl")}
    assert sum(tally.left_out.values()) == Counter(row["task"] for row in ours.values())["depth_prediction_oc"]
    rows = [row for path in sorted((tmp_path / "out" / "train").iterdir()) for row in rows_of(path)]
    assert {row.kind for row in rows} == {"grounding", "detection"} and len(rows) == tally.total
    for row in rows:
        source = ours[row.fields["metadata"]["id"]]
        value, answer = source["facts"]["value"], row.turns[1][1]
        assert all((tmp_path / "out" / "media" / image).is_file() for image in row.images)
        if row.kind == "grounding":
            (box,) = read_grounding(answer, len(row.images), strict=True, convention=convention).found
            label = source["facts"]["labels"]["red"]
            assert row.turns[0][1] == grounding_prompt(f"the {label}.", len(row.images)) and box.frame == value[0]
            assert np.allclose(box.to("ZXY").values[:6], value[1:7], atol=0.006)
        else:
            found = read_detections(answer, strict=True, convention=convention).found
            assert [one.label for one in found] == [one["label"] for one in value]
            assert row.turns[0][1] == detection_prompt(len(row.images))
            for one, told in zip(found, value, strict=True):
                assert np.allclose(one.box.values[:6], told["bbox_3d"][:6], atol=0.006)


def test_own_words(generated: Path, tmp_path: Path) -> None:
    export_vgllm(generated, tmp_path / "out", wording="own")
    ours = {row["id"]: row for row in read_rows(generated / "rows.jsonl")}
    for row in rows_of(tmp_path / "out/train/detection.json"):
        assert row.turns[0][1] == "<image>\n" * 4 + ours[row.fields["metadata"]["id"]]["question"]


def test_command(file: Path, generated: Path, tmp_path: Path, capsys: Any) -> None:
    media = write_media(tmp_path / "media")
    line = ["vgllm-data", str(file), "--media", str(media)]
    assert run([*line, "--out", str(tmp_path / "rows")]) == 0
    assert "5 rows:" in capsys.readouterr().out
    assert run([*line, "--dry-run"]) == 0
    assert "1 grounding" in capsys.readouterr().out
    assert run(["vgllm-data", f"{file}%50", "--out", str(tmp_path / "half")]) == 0
    assert run(["vgllm-data", str(generated), "--out", str(tmp_path / "vgllm")]) == 0
    assert "annotation_path" in capsys.readouterr().out
    assert run(["vgllm-data", str(file), "--scans", "rooms:1", "--out", str(tmp_path / "x")]) == 2
    assert "are for building" in capsys.readouterr().err
    empty = tmp_path / "depth.jsonl"
    empty.write_text("")
    assert run(["vgllm-data", str(tmp_path / "nowhere"), "--out", str(tmp_path / "x")]) == 2
    assert "no embodiedscan_infos_train.pkl" in capsys.readouterr().err


def test_only_the_first_of_several_questions_is_taken_and_that_is_said(tmp_path: Path, capsys: Any) -> None:
    talks = [
        talk("<image>\nWhat is it?", "A chair.") + talk("And this?", "A desk."),
        talk("<image>\nWhere is it?", "Here."),
    ]
    path = tmp_path / "talks.json"
    path.write_text(json.dumps([{"conversations": one, "images": ["a/0.jpg"]} for one in talks]))
    assert run(["vgllm-data", str(path), "--out", str(tmp_path / "rows")]) == 0
    assert "note: several questions in 1 rows" in capsys.readouterr().out
    rows = list(read_rows(tmp_path / "rows" / "rows.jsonl"))
    assert [(row["question"], row["answer"]) for row in rows] == [
        ("What is it?", "A chair."),
        ("Where is it?", "Here."),
    ]
