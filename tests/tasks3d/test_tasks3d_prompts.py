"""What is asked and answered, letter by letter."""

from __future__ import annotations

import pytest

from spaceland.benchmarks import embodiedscan_det, scanrefer
from spaceland.errors import SceneError
from spaceland.tasks3d.box9_frames import Box9
from spaceland.tasks3d.prompts import (
    captioning_answer,
    captioning_prompt,
    detection_answer,
    detection_prompt,
    grounding_answer,
    grounding_prompt,
    grounding_text,
    in_form,
    with_pictures,
)

GROUNDING = (
    "Frame-0: <image>Frame-1: <image>\n"
    "Localize the first clear frame in the video showing the object described in the text.\n"
    "Text: There is a beige wooden bookshelf. placed next to another bookshelf.\n"
    'Output a JSON dictionary with the frame index in "frame" and its 3D bounding box in "bbox_3d" in the frame\'s '
    "coordinates.\n"
)
CAPTION = (
    "<image><image><image>\nCarefully watch the video and describe the object located at [-0.89, -0.74, 2.45] in "
    "detail."
)
DETECTION = (
    "<image>\n<image>\n<image>\n<image>\n"
    "Detect the 3D bounding boxes in the camera coordinate system of the first frame.\n"
    'Output a json list where each entry contains the object name in "label" and its 3D bounding box in "bbox_3d".\n'
    "The 3D bounding box format should be [x_center, y_center, z_center, x_size, y_size, z_size, yaw, roll, pitch]."
)


def test_stored_prompts() -> None:
    text = "there is a beige wooden bookshelf. placed next to another bookshelf."
    assert grounding_prompt(text, 2) == GROUNDING
    assert captioning_prompt((-0.8949, -0.74, 2.45), 3) == CAPTION
    assert detection_prompt(4) == DETECTION
    assert captioning_prompt((-0.001, 1.0, 2.0), 1).endswith("[0.0, 1.0, 2.0] in detail.")


def test_training_and_evaluation_differ_in_line_breaks() -> None:
    assert detection_prompt(4, "train") == "<image>" * 4 + DETECTION.replace("<image>\n", "")
    assert detection_prompt(4, "eval") == "<image>" * 4 + "\n" * 4 + DETECTION.replace("<image>\n", "")
    assert captioning_prompt((-0.89, -0.74, 2.45), 3, "train") == CAPTION.replace("\n", "")
    assert captioning_prompt((-0.89, -0.74, 2.45), 3, "eval") == CAPTION
    train = grounding_prompt("the LAMP.", 2, "train")
    assert train == grounding_prompt("the LAMP.", 2, "eval")
    assert train.startswith("Frame-0: <image>Frame-1: <image>Localize") and "Text: The lamp.\n" in train
    # The rows of the benchmarks are asked with the same words.
    assert detection_prompt(4, "eval").replace("<image>", "") == embodiedscan_det.prompt(
        {"images": [""] * 4}, "official"
    )
    assert grounding_text("the LAMP.") == scanrefer.prompt({"description": "the LAMP."}, "vg-llm")
    for stored in (grounding_prompt("a chair", 3), captioning_prompt((1, 2, 3), 3), detection_prompt(3)):
        assert in_form(stored, "stored") == stored
        assert in_form(stored, "train").count("<image>") == in_form(stored, "eval").count("<image>") == 3


def test_answers() -> None:
    box = Box9((-0.63, -0.83, 2.43, 3.0, 0.59, 2.35, -2.32, 1.18, 3.05), frame=12)
    assert grounding_answer(box) == (
        '```json\n\t{"frame": 12, "bbox_3d": [-0.63, -0.83, 2.43, 3.0, 0.59, 2.35, -2.32, 1.18, 3.05]}\n```'
    )
    bag = Box9((-0.004, -0.3, 1.0, 0.26, 0.26, 0.15, 1.67, 0.96, -2.98), frame=0)
    assert detection_answer(["bag", "desk"], [bag, bag]) == (
        '```json\n[\n\t{"label": "bag", "bbox_3d": [0.0, -0.3, 1.0, 0.26, 0.26, 0.15, 1.67, 0.96, -2.98]},\n'
        '\t{"label": "desk", "bbox_3d": [0.0, -0.3, 1.0, 0.26, 0.26, 0.15, 1.67, 0.96, -2.98]}\n]```'
    )
    assert captioning_answer("a white cabinet. it is BIG.") == "A white cabinet. it is big."
    with pytest.raises(ValueError, match="camera of a frame"):
        grounding_answer(Box9((0, 0, 1, 1, 1, 1, 0, 0, 0)))


def test_pictures_take_their_places() -> None:
    content = with_pictures(grounding_prompt("the lamp", 2, "train"), [b"0", b"1"])
    assert content[:4] == ["Frame-0: ", b"0", "Frame-1: ", b"1"] and str(content[4]).startswith("Localize")
    assert with_pictures("<image><image>What?", [1, 2]) == [1, 2, "What?"]
    with pytest.raises(SceneError, match="places for 2 pictures, but 1"):
        with_pictures("<image><image>", ["a"])
