"""What a model is asked, word for word, under every protocol of every benchmark; and which frames it is shown."""

from __future__ import annotations

from typing import Any

import pytest

from spaceland.benchmarks import find_benchmark
from spaceland.benchmarks.known import KNOWN, benchmark_module
from spaceland.evaluation.frames import policy_of

LETTER = "Answer with the option's letter from the given choices directly."
PHRASE = "Please answer the question using a single word or phrase."
SHORT = "Answer the question using a single word or phrase."
NOTE = "Note: You only need to respond with {} without providing any additional information.\n"
SELECT = "Question: Which?\nOptions:\nA. left\nB. right\nPlease select the correct answer from the options above. \n"
VG_LLM = (
    "Localize the first clear frame in the video showing the object described in the text.\n"
    "Text: The red chair.\n"
    'Output a JSON dictionary with the frame index in "frame" and its 3D bounding box in "bbox_3d" in the frame\'s '
    "coordinates.\n"
)
PROPOSAL = 'Share the ID of the object that best fits the description "the red chair".'
IDS = (
    'Are there any objects fitting the description of "the red chair"? If so, kindly provide the IDs for those objects.'
)
DETECT = (
    "Detect the 3D bounding boxes in the camera coordinate system of the first frame.\n"
    'Output a json list where each entry contains the object name in "label" and its 3D bounding box in "bbox_3d".\n'
    "The 3D bounding box format should be [x_center, y_center, z_center, x_size, y_size, z_size, yaw, roll, pitch]."
)
VIDEO = "These are frames of a video."
SITE_ASK = "Question: Which?\nOptions:\nA: left\nB: right\nGive me the answer letter directly. The best answer is:"
CHOICE: dict[str, Any] = {"id": 1, "question": "Which?", "options": ["A. left", "B. right"]}
VSI_CHOICE = CHOICE | {"question_type": "route_planning", "ground_truth": "A"}
VSI_NUMBER = {"id": 2, "question": "How many?", "question_type": "object_counting", "ground_truth": "4"}
SPAR_CHOICE = {"question": "Which?\nA. left\nB. right", "answer": "A"}
DESCRIBED = {"scene_id": "s", "object_id": "1", "ann_id": "0", "description": "the red chair."}
ASKED = {"question_id": "q", "question": "What is it?", "answers": ["a"]}
SEEN = ASKED | {"situation": "I sit.", "alternative_situation": []}
COLUMNS = {"index": 1, "question": "Which?", "A": "left", "B": "right", "category": "x", "answer": "A"}
CV = {"question": "Which?", "choices": ["left", "right"], "prompt": "Which?\n(A) left\n(B) right", "answer": "(A)"}
SPATIAL = {"question": "Which?", "choices": "A. left\nB. right"}
EMB = {"question": "Which?", "answer_options": ["left", "right"]}
STI = {"time_start": 0.5, "time_end": 4, "Question": "How far?", "Candidates": '{"A": "1 m", "B": "2 m"}'}
SITE = {"question": " Which? ", "options": ["left", "right"], "visual": ["a.jpg", "b.jpg"]}
CAPTION = {"id": "c", "pred_id": 7, "center_camera": [1, 2.346, -0.7]}
VSTI = CHOICE | {"question_type": "camera_movement_direction", "mc_answer": "A"}
LOOSE = 'Where in the room is the object of this description: "the red chair"? Answer with its axis-aligned box as '
MANY = 'Which objects in the room does the description "the red chair" mean? Answer with a JSON list'

GOLDEN: list[tuple[str, str, dict[str, Any], str]] = [
    *(("vsibench", p, VSI_CHOICE, f"{VIDEO}\nWhich?\nOptions:\nA. left\nB. right\n{LETTER}")
      for p in ("official", "lmms-eval", "strict")),
    ("vsibench", "vlmevalkit", VSI_CHOICE, f"{VIDEO}\nWhich?\nA. left\nB. right\n{LETTER}"),
    *(("vsibench", p, VSI_NUMBER, f"{VIDEO}\nHow many?\n{PHRASE}") for p in ("official", "lmms-eval", "strict")),
    ("vsibench", "vlmevalkit", VSI_NUMBER, f"{VIDEO}\nHow many?\nAnswer briefly and directly in one float number."),
    *(("sparbench", p, SPAR_CHOICE | {"task": "spatial_imagination_oo"}, f"\nWhich?\nA. left\nB. right\n\n{LETTER}")
      for p in ("official", "vlmevalkit", "strict")),
    ("sparbench", "official", SPAR_CHOICE | {"task": "position_matching"},
     "\nWhich?\nA. left\nB. right\nThe values represent the bounding box coordinates normalized to a 0-1000 scale, "
     f"with the top-left corner as the origin of the image.\n{LETTER}"),
    ("sparbench", "official", {"task": "depth_prediction_oc", "question": "How deep?", "answer": "1"},
     f"\nHow deep?\n{PHRASE}"),
    ("sparbench", "official", {"task": "view_change_infer", "question": "How?", "answer": "x"}, "\nHow?\n\n"),
    *(("scanrefer", p, DESCRIBED, VG_LLM)
      for p in ("vg-llm", "vg-llm-refined", "vg-llm-2511", "vg-llm-2511-refined")),
    *(("scanrefer", p, DESCRIBED, PROPOSAL) for p in ("chat-scene", "gpt4scene")),
    ("scanrefer", "chat-scene-location", DESCRIBED,
     'According to the given description, "the red chair," please provide the location of the object that closely '
     "matches this description."),
    *(("scanrefer", p, DESCRIBED, LOOSE + "[x, y, z, size_x, size_y, size_z]: centre and size in metres.")
      for p in ("official", "strict")),
    *(("scanrefer", p, DESCRIBED,
       'Find the object of this description in the video: "the red chair". Answer as Frame-<number>,(<x>,<y>),<depth>,'
       "(<width>,<height>,<length>): a frame that shows it (Frame-1 is the first), the place of its centre from 0 to "
       "1000 across and down, its depth and its sizes in metres.") for p in ("spar", "spar-refined")),
    *(("multi3drefer", p, DESCRIBED, IDS) for p in ("chat-scene", "gpt4scene", "strict")),
    ("multi3drefer", "gpt4scene-base", DESCRIBED,
     IDS + " Read the description carefully. If there are objects that it fits, answer Yes and their IDs in the form "
     "<OBJ012>, separated by commas; else answer No."),
    ("multi3drefer", "official", DESCRIBED,
     MANY + " of their axis-aligned boxes [x, y, z, size_x, size_y, size_z], centre and size in metres; with [] if "
     "there is none."),
    *(("embodiedscan-det", p, {"images": ["a", "b"]}, f"\n\n{DETECT}") for p in ("official", "vg-llm", "strict")),
    ("embodiedscan-det", "embodiedscan", {"images": ["a"]},
     f'\n{DETECT}\nAdd how sure you are of each entry, from 0 to 1, in "score".'),
    *(("scanqa", p, ASKED, f"What is it? {SHORT}") for p in ("official", "chat-scene", "leo", "llava-3d", "strict")),
    ("scanqa", "video-3d-llm", ASKED, "What is it? Answer the question simply."),
    *(("sqa3d", p, SEEN, f"I sit. What is it? {SHORT}")
      for p in ("official", "video-3d-llm", "chat-scene", "leo", "llava-3d", "sqa3d-llm", "strict")),
    *(("sqa3d-place", p, SEEN,
       'I sit. Where am I in the room, and which way do I look? Answer with JSON: {"position": [x, y, z], "angle_deg": '
       "turn about the z axis}, in metres from the centre of the room.") for p in ("official", "strict")),
    ("scan2cap", "video-3d-llm", CAPTION, "Given an object located at <coord> , describe the object in detail."),
    ("scan2cap", "vg-llm", CAPTION,
     "\nCarefully watch the video and describe the object located at [1.0, 2.35, -0.7] in detail."),
    *(("scan2cap", p, CAPTION,
       "Describe the appearance of the <OBJ007>, then elaborate on its positioning relative to other objects in the "
       "scene.") for p in ("official", "ll3da", "leo", "chat-scene", "strict")),
    *(("scan2cap-dense", p, {"scene_id": "s"},
       "Find all objects in the room and describe each of them: what it is, what it looks like and where it stands. "
       "Answer with a JSON list whose entries have the axis-aligned box of the object as "
       '"box": [x, y, z, size_x, size_y, size_z], centre and size in metres, its description in "caption" and how sure '
       'you are, from 0 to 1, in "confidence".') for p in ("official", "described", "strict")),
    *(("cvbench", p, CV, f"Which?\n(A) left\n(B) right\n{LETTER}")
      for p in ("official", "vlmevalkit", "strict")),
    ("cvbench", "vg-llm", CV, f"{VIDEO}\nWhich?\nOptions:\nA. left\nB. right\n{LETTER}"),
    ("cvbench", "lmms-eval", CV, NOTE.format("A, B") + "\nWhich?\n(A) left\n(B) right"),
    *(("blink", p, CV | {"sub_task": "Counting"}, "Which?\n(A) left\n(B) right")
      for p in ("official-no-judge", "vlmevalkit", "strict")),
    ("blink", "vg-llm", CV | {"sub_task": "Counting"}, f"Which?\n(A) left\n(B) right\n{LETTER}"),
    ("blink", "lmms-eval", CV | {"sub_task": "Counting"}, NOTE.format("A, B") + "Which?\n(A) left\n(B) right"),
    *(("mmsi", p, {"question": "Which?\nOptions: A: x, B: y"},
       f"Which?\nOptions: A: x, B: y\n{LETTER} Enclose the option's letter within ``.")
      for p in ("official-no-judge", "lmms-eval", "vlmevalkit", "strict")),
    *(("mindcube", p, {"question": "Which? A. x B. y"}, "Which? A. x B. y")
      for p in ("official", "lmms-eval", "vlmevalkit", "strict")),
    *(("viewspatial", p, SPATIAL, "Which?A. left\nB. right\nReply only to the corresponding option.\nAnswer:")
      for p in ("official", "strict")),
    *(("viewspatial", p, SPATIAL,
       "Question: Which?\nChoices: A. left\nB. right\nReply only to the corresponding option.\nAnswer:")
      for p in ("lmms-eval", "vlmevalkit")),
    *(("site", p, SITE, f"<image><image>\n{SITE_ASK}") for p in ("official-no-judge", "no-guess", "strict")),
    ("site", "official-no-judge", SITE | {"visual": ["a.mp4"]},
     "Select the best answer to the following multiple-choice question based on the video. Respond with only the "
     f"letter of the correct option.\n{SITE_ASK}"),
    *(("sti", p, STI, "From 0.5 s to 4 s. How far?\n(A) 1 m\n(B) 2 m\nPlease output only the option letter!")
      for p in ("official", "vlmevalkit", "strict")),
    *(("openeqa", p, ASKED, f"What is it?\n{SHORT}") for p in ("official-no-judge", "strict")),
    *(("allangles", p, COLUMNS, SELECT) for p in ("official-no-judge", "strict")),
    *(("3dsrbench", p, COLUMNS, SELECT) for p in ("official-no-judge", "plain", "lmms-eval", "strict")),
    *(("embspatial", p, EMB, NOTE.format("A, B, C, D") + "Which?\nA) left\nB) right")
      for p in ("official", "vlmevalkit", "strict")),
    *(("vstibench", p, VSTI, f"{VIDEO}\nWhich?\nOptions:\nA. left\nB. right\n{LETTER}")
      for p in ("official", "strict")),
    ("vstibench", "official", VSTI | {"question_type": "camera_displacement"}, f"{VIDEO}\nWhich?\n{PHRASE}"),
    *(("gptscore", p, ASKED, f"What is it? {SHORT}") for p in ("official-no-judge", "strict")),
]  # fmt: skip


@pytest.mark.parametrize(("name", "protocol", "row", "text"), GOLDEN, ids=lambda value: value if isinstance(value, str)
                         and len(value) < 30 else "")  # fmt: skip
def test_prompts_word_for_word(name: str, protocol: str, row: dict[str, Any], text: str) -> None:
    assert benchmark_module(name).prompt(row, protocol) == text


def test_no_protocol_is_left_out() -> None:
    named = {(name, protocol) for name, protocol, _, _ in GOLDEN}
    assert named == {(name, protocol.name) for name in KNOWN for protocol in find_benchmark(name).protocols}


def test_a_caption_needs_a_mark_or_a_place() -> None:
    """Boxes are in the room, and the words are about the first camera: no box is taken for a place."""
    for row in ({"id": "c"}, {"id": "c", "pred_box": [1, 2, 3, 1, 1, 1], "gt_box": [1, 2, 3, 1, 1, 1]}):
        with pytest.raises(KeyError, match="center_camera"):
            benchmark_module("scan2cap").prompt(row, "vg-llm")


def test_frames_belong_to_the_prompt() -> None:
    """Marks go with prompts whose replies name marks; VG LLM's labels with all four of its protocols."""
    marked = {
        (name, protocol.name)
        for name in KNOWN
        for protocol in find_benchmark(name).protocols
        if policy_of(benchmark_module(name), protocol.name).marked
    }
    assert marked == {
        ("scanrefer", "chat-scene"), ("scanrefer", "gpt4scene"),
        *(("multi3drefer", name) for name in ("chat-scene", "gpt4scene", "gpt4scene-base", "strict")),
        ("scanqa", "chat-scene"), ("sqa3d", "chat-scene"), ("scan2cap", "chat-scene"),
        ("gptscore", "official-no-judge"), ("gptscore", "strict"),
    }  # fmt: skip
    scanrefer = benchmark_module("scanrefer")
    for name in ("vg-llm", "vg-llm-refined", "vg-llm-2511", "vg-llm-2511-refined"):
        policy = policy_of(scanrefer, name)
        assert (policy.label, policy.first, policy.num, policy.long_side_px) == ("Frame-{index}: ", 0, 32, None)
    for name in ("spar", "spar-refined"):
        assert policy_of(scanrefer, name).first == 1
    for name in ("official", "strict", "chat-scene-location"):
        assert policy_of(scanrefer, name) == policy_of(scanrefer, "official")
        assert policy_of(scanrefer, name).long_side_px is None
    assert policy_of(scanrefer, "gpt4scene").long_side_px == 512
    assert policy_of(benchmark_module("scanqa"), "leo").long_side_px is None
