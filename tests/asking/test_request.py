"""What is sent: pictures in order and size, words of each task, and the exact text of the released model."""

from __future__ import annotations

import io
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spaceland.asking.answer import read_answer
from spaceland.asking.evidence import write_evidence
from spaceland.asking.layout import RELEASED, LayoutConfig, arrange
from spaceland.asking.request import AskConfig, build_request, show_request
from spaceland.asking.situation import Situation, free_number
from spaceland.asking.templates import FINETUNED, TASKS, ZERO_SHOT, read_templates
from spaceland.chat.pictures import read_rgb
from spaceland.chat.types import Picture, Reply
from spaceland.errors import ChatError, SceneError
from spaceland.files import write_json
from spaceland.prompts.marked import MarkedFolder, is_marked_folder, read_marked
from spaceland.prompts.messages import object_table
from spaceland.viewer.answer_page import write_answer_page

TUNED = AskConfig(templates=FINETUNED, layout=RELEASED)


def words(marked: MarkedFolder, text: str, config: AskConfig) -> str:
    last = build_request(marked, text, config).messages[-1].content[-1]
    assert isinstance(last, str)
    return last


def test_released_model_gets_its_exact_text(marked: MarkedFolder) -> None:
    request = build_request(marked, "What is next to the sofa?", TUNED)
    system, user = request.messages
    assert (system.role, list(system.content)) == ("system", ["You are a helpful assistant."])
    assert user.role == "user" and all(isinstance(part, Picture) for part in user.content[:-1])
    assert user.content[-1] == "What is next to the sofa? Answer the question using a single word or phrase."
    assert request.shown.pictures[0].name == "bev.png" and len(request.shown.pictures) == 5
    situated = AskConfig(
        task="situated", templates=FINETUNED, layout=RELEASED, situation=Situation(text="I am facing a door.")
    )
    assert words(marked, "What is behind me?", situated) == (
        "I am facing a door. What is behind me? Answer the question using a single word or phrase."
    )


def test_released_sizes_are_cut_and_nearest(marked: MarkedFolder) -> None:
    for picture, path in zip(
        arrange(marked, RELEASED).pictures, [marked.bev.path, *(f.path for f in marked.frames)], strict=True
    ):
        image = read_rgb(path)
        height, width = image.shape[:2]
        factor = 512 / max(width, height) if max(width, height) > 512 else 1
        assert (picture.width, picture.height) == (int(width * factor), int(height * factor))
    small = arrange(marked, LayoutConfig(kind="gpt4scene", bev_px=100, frame_px=64)).pictures[0]
    colors = {tuple(c) for c in np.array(Image.open(io.BytesIO(small.data))).reshape(-1, 3)}
    assert colors <= {tuple(c) for c in read_rgb(marked.bev.path).reshape(-1, 3)}  # nearest mixes no colours


def test_layouts(marked: MarkedFolder) -> None:
    images = arrange(marked, LayoutConfig(kind="images", frame_px=160))
    # Pictures of frames carry their intrinsics, in pixels of what is sent; other pictures have none.
    assert images.pictures[0].K is None
    for picture, frame in zip(images.pictures[1:], marked.frames, strict=True):
        shares = np.array([picture.width, picture.height] * 2) / ([frame.width, frame.height] * 2)
        assert picture.K is not None
        np.testing.assert_allclose(picture.K, shares * frame.intrinsics)
    assert [p.name for p in images.pictures] == ["bev.png", *(f"frames/{f.path.name}" for f in marked.frames)]
    assert (images.bev_image, images.frame_images, images.grid_image) == (1, (2, 3, 4, 5), None)
    grid = arrange(marked, LayoutConfig(kind="grid", tile_px=160))
    assert [p.name for p in grid.pictures] == ["frames.jpg", "bev.png"]
    assert (grid.grid_image, grid.bev_image) == (1, 2)
    sheet = grid.pictures[0]
    assert sheet.width > 4 * 160 and 120 < sheet.height < 2 * 120  # one row of four tiles
    frames = arrange(marked, LayoutConfig(bev=False))
    assert frames.bev_image is None and len(frames.pictures) == 4
    with pytest.raises(ChatError, match="at least one"):
        arrange(marked, LayoutConfig(bev=False, frames=False))


@pytest.mark.parametrize("kind", ["images", "grid"])
@pytest.mark.parametrize("task", TASKS)
def test_every_task_explains_asks_and_tells_the_form(marked: MarkedFolder, task: str, kind: str) -> None:
    config = AskConfig(
        task=task,  # type: ignore[arg-type]
        layout=LayoutConfig(kind=kind),  # type: ignore[arg-type]
        marks=(0, 1) if task in ("caption", "distance") else (),
        situation=Situation(at_m=(2.0, 3.0), facing_deg=90) if task == "situated" else None,
        table=True,
    )
    text = words(marked, "" if config.marks else "the red chair", config)
    assert "bird's-eye view" in text and "metre" in text and "same number is the same object" in text
    assert "x axis points to the right" in text and "Numbered objects" in text
    assert not re.search(r"\{[a-z]+\}", text)  # every slot is filled
    # The example id is none that exists, so that a model that repeats it names nothing.
    used = {f"<OBJ{thing.mark:03d}>" for thing in marked.objects}
    assert not set(re.findall(r"<OBJ\d{3}>", text.split("\n\n")[-1])) & used


def test_the_map_in_words_is_the_map(marked: MarkedFolder) -> None:
    half = LayoutConfig(bev_px=200)
    text = words(marked, "?", AskConfig(layout=half))
    corner = re.search(r"at x = (-?[\d.]+), y = (-?[\d.]+)\. One pixel is ([\d.]+) m", text)
    assert corner
    x, y, scale = (float(value) for value in corner.groups())
    shown = arrange(marked, half)
    for thing in marked.objects:
        # From the words alone a reader finds each object in the picture that was sent.
        u, v = (thing.box.center[0] - x) / scale, (y - thing.box.center[1]) / scale
        expected = marked.bev.map.world_to_pixel(thing.box.center) * shown.bev_scale
        assert np.abs(np.array([u, v]) - expected).max() < 2.5


def test_a_request_explains_as_the_prompt_of_the_same_pictures(marked: MarkedFolder) -> None:
    (message,) = json.loads((marked.folder / "prompt.json").read_text())
    whole = LayoutConfig(bev_px=4000, frame_px=4000)
    text = words(marked, "why?", AskConfig(layout=whole, table=True))
    assert text.startswith(message["content"][-1]["text"] + "\n\nNumbered objects")
    table = object_table(marked).replace("0: chair,", "<OBJ000> chair,")
    assert table.splitlines()[1] == text.split("\n\n")[1].splitlines()[1]


def test_pictures_are_explained_in_their_order(marked: MarkedFolder) -> None:
    grid = words(marked, "why?", AskConfig(layout=LayoutConfig(kind="grid"))).splitlines()
    assert grid[0] == "You see 2 pictures of one room."
    assert grid[1].startswith("Image 1 shows 4 frames in a grid") and grid[2].startswith("Image 2 is a bird's-eye")
    frames = words(marked, "why?", AskConfig(layout=LayoutConfig(bev=False))).splitlines()
    assert frames[1].startswith("Images 1 to 4 are frames") and "bird" not in "".join(frames)
    bev = words(marked, "why?", AskConfig(layout=LayoutConfig(frames=False))).splitlines()
    assert bev[0] == "You see 1 picture of one room." and bev[1].startswith("Image 1 is a bird's-eye")


def test_situations(marked: MarkedFolder) -> None:
    def said(situation: Situation) -> str:
        return words(marked, "what is left?", AskConfig(task="situated", situation=situation))

    text = said(Situation(at_m=(2.0, 4.0), facing_deg=-90))
    assert "x = 2.00 m, y = 4.00 m" in text and "270 degrees" in text and "towards -y" in text
    u, v = marked.bev.map.world_to_pixel(np.array([2.0, 4.0, 0.0]))
    assert f"(pixel {u:.0f} from the left and {v:.0f} from the top of Image 1)" in text
    assert "stands at <OBJ001> and faces <OBJ002>" in said(Situation(at_mark=1, facing_mark=2))
    assert "towards +x and +y" in said(Situation(facing_deg=45))
    with pytest.raises(ChatError, match="outside"):
        said(Situation(at_m=(200.0, 4.0)))
    with pytest.raises(ChatError, match="no object carries the number 77"):
        said(Situation(at_mark=77))
    with pytest.raises(ChatError, match="--situation"):
        words(marked, "what is left?", AskConfig(task="situated"))


def test_what_is_missing_is_named(marked: MarkedFolder) -> None:
    for task, says in (("caption", "--marks A"), ("distance", "--marks A B"), ("qa", "needs a text")):
        with pytest.raises(ChatError, match=re.escape(says)):
            words(marked, "", AskConfig(task=task))  # type: ignore[arg-type]
    with pytest.raises(ChatError, match=r"numbers are: 0 \(chair\)"):
        words(marked, "", AskConfig(task="caption", marks=(55,)))


def test_braces_and_backslashes_in_questions_stay(marked: MarkedFolder) -> None:
    hostile = r"{object} {0.__class__} %s \1 {question}"
    assert hostile in words(marked, hostile, AskConfig())


def test_templates_of_ones_own(marked: MarkedFolder, tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    path.write_text(json.dumps({"system": "Hi.", "questions": {"qa": "Q: {question}"}, "answers": {"qa": "A:"}}))
    own = read_templates(path, ZERO_SHOT)
    request = build_request(marked, "why?", AskConfig(templates=own))
    assert request.messages[0].content == ("Hi.",)
    assert str(request.messages[1].content[-1]).endswith("Q: why?\n\nA:")
    assert own.questions["count"] == ZERO_SHOT.questions["count"]
    for bad in ('{"sytem": "x"}', '{"questions": {"quiz": "x"}}', '{"answers": {"qa": 3}}', '{"answers": []}', "[]"):
        path.write_text(bad)
        with pytest.raises(ChatError, match=r"t\.json"):
            read_templates(path, ZERO_SHOT)


def test_dry_run_shows_everything(marked: MarkedFolder) -> None:
    request = build_request(marked, "why?", AskConfig())
    shown = show_request(request.messages)
    for picture in request.shown.pictures:
        assert f"{picture.name}, {picture.width} x {picture.height} px" in shown
    assert "--- system ---" in shown and "Question: why?" in shown


def test_what_was_drawn_on_the_view_is_told(marked: MarkedFolder, tmp_path: Path) -> None:
    data = json.loads((marked.folder / "objects.json").read_text())
    plain = read_marked(marked.folder).bev
    assert not (plain.cropped or plain.filled or plain.camera_path) and plain.grid_m is None
    data["config"]["bev"] |= {"crop_m": [0, 0, 4, 4], "grid_m": 0.5, "camera_path": True}
    shutil.copytree(marked.folder, tmp_path / "marked")
    write_json(tmp_path / "marked/objects.json", data)
    text = words(read_marked(tmp_path / "marked"), "why?", AskConfig())
    assert "a bird's-eye view of a part of the room" in text and "the whole room" not in text
    assert "a grid with 0.5 metres between lines" in text and "The blue line is the way of the camera" in text


def test_sentences_end_once(marked: MarkedFolder) -> None:
    def last(text: str, **more: object) -> str:
        return build_request(marked, text, AskConfig(**more)).question  # type: ignore[arg-type]

    assert last("chairs.", task="count").startswith("How many chairs are")
    assert last("Is it on the right?", templates=replace(ZERO_SHOT, questions={"qa": "Tell me: {question}."})) == (
        "Tell me: Is it on the right?"
    )
    for said in ("I sit on the bed", "I sit on the bed."):
        question = last("What is left?", task="situated", templates=FINETUNED, situation=Situation(text=said))
        assert question == "I sit on the bed. What is left?"


def test_free_number() -> None:
    assert free_number([]) == 245 and free_number([245]) == 999 and free_number([245, 999]) == 998


@pytest.mark.parametrize(
    ("key", "value"),
    [("frames", [{"image": "../../etc/passwd.jpg"}]), ("objects", [{}]), ("objects", 3), ("bev", {}),
     ("scene", None), ("frames", [{"id": "a", "image": "frames/../x.jpg"}])],
)  # fmt: skip
def test_broken_records(marked: MarkedFolder, tmp_path: Path, key: str, value: object) -> None:
    data = json.loads((marked.folder / "objects.json").read_text())
    if key == "scene":
        del data["scene"]
    else:
        data[key] = value
    (tmp_path / "objects.json").write_text(json.dumps(data))
    with pytest.raises(SceneError, match="run spaceland mark again"):
        read_marked(tmp_path)


def test_views_without_a_birds_eye_view_can_be_asked(marked: MarkedFolder, tmp_path: Path) -> None:
    shutil.copytree(marked.folder / "frames", tmp_path / "frames")
    data = json.loads((marked.folder / "objects.json").read_text())
    write_json(tmp_path / "objects.json", {**data, "bev": None})
    write_json(tmp_path / "prompt.json", [])
    assert is_marked_folder(tmp_path)
    bare = read_marked(tmp_path)
    situation = Situation(at_m=(2.0, 3.0), facing_deg=90.0)
    request = build_request(bare, "What is left of me?", AskConfig(task="situated", situation=situation))
    assert [picture.name for picture in request.shown.pictures] == [f"frames/{f.path.name}" for f in bare.frames]
    assert "bird" not in show_request(request.messages) and "x = 2.00 m, y = 3.00 m and" in request.question
    with pytest.raises(SceneError, match="without a bird's-eye view"):
        _ = bare.bev
    answer = read_answer(request, Reply(text="<OBJ000>", model="m"), bare)
    evidence = write_evidence(tmp_path / "out", bare, answer)
    assert evidence.pictures and all(picture.frame for picture in evidence.pictures)
    assert "<html" in write_answer_page(evidence).read_text()
