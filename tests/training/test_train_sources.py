"""Sources: rows of ours, SPAR-7M, conversations in their forms; what cannot be shown is counted by reason."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from training_data import picture, row, talk, write_chat, write_rows

from spaceland.errors import SceneError, TrainingError
from spaceland.questions.marks import COLORS, Mark
from spaceland.training.config import DataConfig
from spaceland.training.row_file import RowFile
from spaceland.training.samples import Clip, load_sample
from spaceland.training.sources import open_source

MARK = Mark("red", "point", 1, 0, (500, 500), 0.1).to_json()


def test_rows_of_ours(tmp_path: Path) -> None:
    rows = [row(k) for k in range(4)]
    rows[1] |= {"task": "room_size", "marks": [MARK]}
    rows[2] |= {"images": [f"images/room/{k}.png" for k in range(12)], "facts": {}}
    rows[3] |= {"answer": " "}
    folder = write_rows(tmp_path / "rows", rows)
    (folder / "rows.jsonl").open("a").write('{"id": "cut')
    source = open_source(DataConfig(kind="rows", path="rows"), tmp_path)
    assert source.left_out == {"no row of ours": 1, "no JSON, or a path that leads elsewhere": 1}
    assert {key: list(numbers) for key, (numbers, _) in source.parts.items()} == {
        ("obj_count", "fill"): [0, 2], ("room_size", "fill"): [1],
    }  # fmt: skip
    assert list(source.num_pictures[:3]) == [1, 1, 12]
    plain, marked, video = (source.sample(k) for k in range(3))
    assert plain.turns[0].parts == (0, "How many chairs are there in picture 0?")
    assert video.turns[0].parts[:4] == ("Frame-1: ", 0, "Frame-2: ", 1)
    # The mark is drawn, and the camera is known: 60 degrees over 64 pixels.
    view = load_sample(marked).views[0]
    assert tuple(np.array(view.image)[24, 32]) == COLORS["red"]
    assert view.camera is not None and view.camera.fx == pytest.approx(32 / np.tan(np.radians(30)))


def test_filters_weights_and_missing_pictures(tmp_path: Path) -> None:
    rows = [row(k, format="fill" if k % 2 else "sentence") for k in range(6)]
    folder = write_rows(tmp_path / "rows", rows)
    (folder / "images/room/5.png").unlink()
    data = DataConfig(kind="rows", path="rows", weight=2.0, weights=("sentence=0.5", "obj_count=3"))
    source = open_source(data, tmp_path)
    assert source.left_out == {"missing picture": 1}
    assert {key[1]: weight for key, (_, weight) in source.parts.items()} == {"sentence": 3.0, "fill": 6.0}
    only = open_source(DataConfig(kind="rows", path="rows", formats=("fill",), limit=4), tmp_path)
    assert len(only) == 2 and only.left_out == {"another task or format than asked for": 2}
    with pytest.raises(TrainingError, match="weight 'judge' of rows matches no rows"):
        open_source(DataConfig(kind="rows", path="rows", weights=("judge=2",)), tmp_path)
    with pytest.raises(TrainingError, match="none of the 6 rows"):
        open_source(DataConfig(kind="rows", path="rows", tasks=("room_size",)), tmp_path)
    with pytest.raises(SceneError, match="no rows"):
        open_source(DataConfig(kind="rows", path="nothing"), tmp_path)


def test_conversations_in_all_forms(tmp_path: Path) -> None:
    for k in range(3):
        picture(tmp_path / f"media/{k}.png", k)
        picture(tmp_path / f"media/film/{k:03}.png", k)
    parts = [{"type": "image", "text": None}, {"type": "text", "text": "Look."}]
    rows = [
        {"id": "a", "image": "0.png", "conversations": talk("<image>\nWhat?", " A chair. ")},
        {"id": "b", "images": ["0.png", "1.png"], "conversations": talk("Two: <image> and <image>\nWell?", "Yes")},
        {"id": "c", "image": "0.png", "conversations": talk("No place", "Yes")},
        {"id": "d", "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": parts},
                                 {"role": "assistant", "content": "Ok"}], "images": ["2.png"]},
        {"id": "e", "video": "film", "conversations": talk("<video>\nWhat happens?", "Nothing")},
        {"id": "f", "conversations": talk("No picture", "Right") + talk("And now?", "Still none")},
        {"id": "g", "image": "0.png", "conversations": talk("<image><image>", "x")},
        {"id": "h", "image": "../secret.png", "conversations": talk("<image>", "x")},
        {"id": "i", "image": "9.png", "conversations": talk("<image>", "x")},
        {"id": "j", "conversations": talk("Q", "A")[:1]},
        {"id": "k", "conversations": talk("Q", "")},
        {"id": "l", "images": ["0.png"], "conversations": talk("<image>Depth?", "3"),
         "spar_info": json.dumps({"type": "distance_prediction_oc", "red_point": [[500, 500]]}),
         "cam2img": [[100, 0, 31.5, 0], [0, 100, 23.5, 0], [0, 0, 1, 0], [0, 0, 0, 1]]},
        "nonsense",
    ]  # fmt: skip
    write_chat(tmp_path / "chat.json", rows)
    data = DataConfig(kind="chat", path="chat.json", media="media", frames=2, system="Hello")
    source = open_source(data, tmp_path)
    assert source.left_out == {
        "another number of places than of pictures": 1, "paths or marks that cannot be used": 1, "missing picture": 1,
        "turns that do not alternate between question and answer": 1, "an empty answer": 1, "not a JSON object": 1,
    }  # fmt: skip
    by_id = {source.sample(k).id: source.sample(k) for k in source.parts["chat", "chat"][0]}
    one = by_id["chat:a"]
    assert [turn.role for turn in one.turns] == ["system", "user", "assistant"]
    assert one.turns[1].parts == (0, "What?") and one.turns[2].parts == ("A chair.",)
    assert by_id["chat:b"].turns[1].parts == ("Two: ", 0, " and ", 1, "Well?")
    assert by_id["chat:c"].turns[1].parts == (0, "No place")
    assert by_id["chat:d"].turns[0].parts == ("Be brief.",) and by_id["chat:d"].turns[1].parts == (0, "Look.")
    assert by_id["chat:e"].media == (Clip(tmp_path / "media/film", 2),)
    loaded = load_sample(by_id["chat:e"])
    assert [tuple(np.array(v.image)[0, 0]) for v in loaded.views] == [
        tuple(np.array(load_sample(by_id[i]).views[0].image)[0, 0]) for i in ("chat:a", "chat:d")
    ]  # first and last frame
    assert len(by_id["chat:f"].turns) == 5 and not by_id["chat:f"].media
    view = load_sample(by_id["chat:l"]).views[0]
    assert tuple(np.array(view.image)[24, 32]) == COLORS["red"]
    assert view.camera is not None and (view.camera.fx, view.camera.cx, view.camera.cy) == (100, 32, 24)


def test_spar7m_and_scanalign(tmp_path: Path) -> None:
    base = tmp_path / "spar/scannet"
    for k in range(2):
        picture(base / f"images/scene0000_00/image_color/{k}.jpg", k)
    folder = base / "qa_jsonl/train/obj_count/fill"
    folder.mkdir(parents=True)
    rows = [
        {
            "id": f"{k}",
            "image": [f"scene0000_00/image_color/{k}.jpg"],
            "conversations": talk("Frame-0: <image>\nN?", "4"),
        }
        for k in range(3)
    ]
    (folder / "fill_3.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in rows))
    source = open_source(DataConfig(kind="spar7m", path="spar"), tmp_path)
    assert len(source) == 2 and source.left_out == {"missing picture": 1}
    sample = source.sample(1)
    assert sample.turns[0].parts == (0, "N?") and sample.turns[1].parts == ("4",)
    assert sample.reference is not None and sample.reference["task"] == "obj_count"
    align = tmp_path / "align"
    align.mkdir()
    picture(align / "images/a.png", 0)
    messages = [{"role": "user", "content": "<image>Where?"}, {"role": "assistant", "content": "<OBJ001>."}]
    entry = {"id": "q", "messages": messages, "images": ["images/a.png"]}
    write_chat(align / "sharegpt_data_scanalign_32_images_3D_mark.json", [entry])
    found = open_source(DataConfig(kind="scanalign", path="align"), tmp_path)
    assert found.sample(0).turns[1].parts == ("<OBJ001>.",)
    with pytest.raises(TrainingError, match="holds no file"):
        open_source(DataConfig(kind="scanalign", path="spar"), tmp_path)


def test_row_file_reads_lines_and_arrays_alike(tmp_path: Path) -> None:
    rows = [{"k": k, "text": 'a,]\n["é' * k} for k in range(5)]
    (tmp_path / "a.json").write_text(json.dumps(rows, indent=1, ensure_ascii=False), encoding="utf-8")
    (tmp_path / "b.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n\n")
    for name in ("a.json", "b.jsonl"):
        file = RowFile(tmp_path / name)
        assert list(file) == rows and file[3] == rows[3] and len(file) == 5
    (tmp_path / "c.json").write_text(json.dumps(rows)[:-5])
    with pytest.raises(SceneError, match="truncated"):
        RowFile(tmp_path / "c.json")
    (tmp_path / "d.json").write_text("[]")
    assert len(RowFile(tmp_path / "d.json")) == 0
