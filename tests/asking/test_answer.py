"""From a reply to evidence: what is written, what is lit, and that hostile words stay words."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from spaceland.asking.answer import ask, read_answer
from spaceland.asking.evidence import project_box, write_evidence
from spaceland.asking.request import AskConfig, build_request
from spaceland.asking.templates import Task
from spaceland.chat.pictures import read_rgb
from spaceland.chat.types import Reply
from spaceland.prompts.marked import MarkedFolder
from spaceland.viewer.answer_page import write_answer_page


def answered(marked: MarkedFolder, text: str, task: Task = "qa", finish: str = "stop"):
    marks = (0, 1) if task in ("caption", "distance") else ()
    request = build_request(marked, "" if marks else "something", AskConfig(task=task, marks=marks))
    return read_answer(request, Reply(text, "m", finish), marked)


def test_readings(marked: MarkedFolder) -> None:
    def read(text: str, task: Task) -> tuple[tuple[int, ...], float | None, str]:
        answer = answered(marked, text, task)
        return answer.marks, answer.number, answer.verdict

    assert read("On the chair <OBJ003>.", "qa") == ((3,), None, "objects")
    assert read("3", "ground") == ((3,), None, "objects")
    assert read("<OBJ003>, <OBJ000>", "ground") == ((3,), None, "objects")
    assert read("0, 3", "ground-all") == ((0, 3), None, "objects")
    assert read("none", "ground") == ((), None, "none")
    assert read("<OBJ050>", "ground") == ((), None, "unknown objects")
    assert read("2: <OBJ000>, <OBJ003>", "count") == ((0, 3), 2.0, "objects")
    assert read("two metres", "distance") == ((), None, "no object named")
    assert read("about 150 cm", "distance") == ((), 1.5, "number")
    assert read("blue", "qa") == ((), None, "no object named")


class Says:
    """A model that always says the same."""

    name = "says"

    def __init__(self, text: str) -> None:
        self.text = text

    def complete(self, messages: object, generation: object) -> Reply:
        return Reply(self.text, "says", "stop", {"prompt_tokens": 7})


def test_evidence_holds_boxes_in_metres_and_lights_the_object(marked: MarkedFolder, tmp_path: Path) -> None:
    request = build_request(marked, "Where can I sit?", AskConfig())
    evidence = write_evidence(
        tmp_path, marked, ask(Says("On <OBJ000>; see also <OBJ044>."), request, marked), text="Where?"
    )
    record = json.loads((tmp_path / "answer.json").read_text())
    assert (
        record["understood"] == "objects"
        and record["unknown_ids"] == ["44"]
        and record["usage"] == {"prompt_tokens": 7}
    )
    (thing,) = record["objects"]
    assert thing["label"] == "chair" and np.allclose(thing["center_m"], (2, 4, 0.5), atol=0.02)
    assert np.allclose(sorted(thing["size_m"]), (0.5, 0.5, 1), atol=0.05)
    seen = marked.by_mark[0].frame_px
    assert [p.frame for p in evidence.pictures] == ["", *(f.id for f in marked.frames if f.id in seen)]
    for picture in evidence.pictures:
        lit = read_rgb(tmp_path / picture.path).astype(int)
        frame = next((f for f in marked.frames if f.id == picture.frame), None)
        before = read_rgb(frame.path if frame else marked.bev.path).astype(int)
        place = seen[frame.id] if frame else marked.by_mark[0].bev_px
        assert place is not None
        column, row = int(place[0]), int(place[1])
        patch = np.s_[row - 2 : row + 3, column - 2 : column + 3]
        assert np.abs(lit[patch] - before[patch]).mean() < 12  # the object keeps its light
        assert lit[:8, :8].mean() < 0.6 * before[:8, :8].mean() + 6  # a corner of the picture loses it


def test_box_lines_hold_the_disc_and_survive_cameras_inside(marked: MarkedFolder) -> None:
    frame = marked.frames[0]
    for thing in marked.objects:
        if frame.id in thing.frame_px:
            lines = project_box(thing, frame)
            low, high = lines.reshape(-1, 2).min(0), lines.reshape(-1, 2).max(0)
            assert (low <= thing.frame_px[frame.id]).all() and (thing.frame_px[frame.id] <= high).all()
    inside = marked.objects[0]
    pose = frame.T_world_cam.copy()
    pose[:3, 3] = inside.box.center
    from dataclasses import replace

    lines = project_box(inside, replace(frame, T_world_cam=pose))
    assert np.isfinite(lines).all() and 0 < len(lines) < 12
    pose = pose.copy()
    pose[:3, 3] = inside.box.center + 5 * pose[:3, 2]
    assert len(project_box(inside, replace(frame, T_world_cam=pose))) == 0  # behind the camera


def test_no_object_no_pictures_and_old_ones_go(marked: MarkedFolder, tmp_path: Path) -> None:
    write_evidence(tmp_path, marked, answered(marked, "object 0"))
    assert list((tmp_path / "evidence").iterdir())
    evidence = write_evidence(tmp_path, marked, answered(marked, "none", "ground"))
    assert not evidence.pictures and not list((tmp_path / "evidence").iterdir())
    assert json.loads((tmp_path / "answer.json").read_text())["says_none"]
    page = write_answer_page(evidence).read_text()
    assert "says that there is no such object" in page


@pytest.mark.parametrize("finish", ["stop", "length"])
def test_page_is_whole_and_hostile_words_stay_words(marked: MarkedFolder, tmp_path: Path, finish: str) -> None:
    attack = '<img src=x onerror=alert(1)><script>alert(2)</script>" \u202e <OBJ002> object 1'
    evidence = write_evidence(tmp_path, marked, answered(marked, attack, finish=finish), text=attack)
    page = write_answer_page(evidence).read_text()
    assert "<script" not in page and "<img src=x" not in page and "\u202e" not in page
    assert "&lt;script&gt;alert(2)" in page and "&lt;script&gt;lamp" in page
    assert page.count("data:image/") == len(evidence.pictures) and "http://" not in page and str(tmp_path) not in page
    assert ("cut off" in page) == (finish == "length")
