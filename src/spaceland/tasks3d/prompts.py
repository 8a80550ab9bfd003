"""Prompts and answers of VG LLM's three tasks, word for word and line break for line break.

The words are those of the benchmarks (`benchmarks.scanrefer`, `scan2cap`, `embodiedscan_det`); here they get their
places for pictures. One `<image>` stands for each picture. Three forms are in use, since training and evaluation of the
released models differ:

    stored  as released rows have it
    train   "<image>\\n" has become "<image>": what the models saw in training
    eval    all pictures first, then the text without "<image>", its line breaks kept: a detection prompt begins with as
            many empty lines as there are pictures, a caption prompt with one. Grounding is the same as in training.

>>> captioning_prompt((0.891, -0.7, 2.5), 2, "train")
'<image><image>Carefully watch the video and describe the object located at [0.89, -0.7, 2.5] in detail.'
>>> detection_prompt(2, "eval")[:58]
'<image><image>\\n\\nDetect the 3D bounding boxes in the camera'
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Literal, TypeVar

from spaceland.benchmarks import embodiedscan_det, scan2cap, scanrefer
from spaceland.errors import SceneError
from spaceland.questions.answers_boxes import FrameBoxAnswer, two_decimals
from spaceland.tasks3d.box9_frames import Box9

Task = Literal["grounding", "captioning", "detection"]
Form = Literal["stored", "train", "eval"]
IMAGE = "<image>"
SYSTEM_PROMPT = "You are a helpful assistant."
MAX_NEW_TOKENS: dict[Task, int] = {"grounding": 100, "captioning": 100, "detection": 2000}
"""Of the published evaluation."""
_Picture = TypeVar("_Picture")


def grounding_prompt(description: str, num_frames: int, form: Form = "stored") -> str:
    """Frames are named Frame-0, Frame-1, ...; the description gets a capital letter as Python's `capitalize` does it,
    small letters behind it included."""
    names = "".join(f"Frame-{k}: {IMAGE}" for k in range(num_frames))
    return in_form(f"{names}\n{grounding_text(description)}", "stored" if form == "stored" else "train")


def grounding_text(description: str) -> str:
    """The prompt without pictures, as released rows keep it under `prompt`."""
    return scanrefer.PROMPTS["vg-llm"].replace("{description}", description.capitalize())


def grounding_answer(box: Box9) -> str:
    """The frame and the box in its camera.

    >>> grounding_answer(Box9((-0.63, -0.83, 2.43, 3.0, 0.59, 2.35, -2.32, 1.18, 3.05), frame=12)).splitlines()[1]
    '\\t{"frame": 12, "bbox_3d": [-0.63, -0.83, 2.43, 3.0, 0.59, 2.35, -2.32, 1.18, 3.05]}'

    Raises:
        ValueError: the box is in the world.
    """
    if box.frame is None:
        raise ValueError("an answer needs a box in the camera of a frame")
    return FrameBoxAnswer(box.frame, box.values).text


def captioning_prompt(center_m: Sequence[float], num_frames: int, form: Form = "stored") -> str:
    """`center_m` is the centre of the box in the camera of the first frame."""
    x, y, z = two_decimals(center_m)
    text = scan2cap.PROMPTS["vg-llm"].format(x=x, y=y, z=z)
    return in_form(f"{IMAGE * num_frames}\n{text}", form)


def captioning_answer(description: str) -> str:
    """The description with a capital letter."""
    return description.capitalize()


def detection_prompt(num_frames: int, form: Form = "stored") -> str:
    """All boxes are wanted in the camera of the first frame."""
    return in_form(f"{IMAGE}\n" * num_frames + embodiedscan_det.PROMPTS["vg-llm"], form)


def detection_answer(labels: Sequence[str], boxes: Sequence[Box9]) -> str:
    """One line for each object. Unlike our own rows' answers it has no line break before the last fence.

    >>> detection_answer(["bag"], [Box9((0, -0.3, 1, 0.26, 0.26, 0.15, 1.67, 0.96, -2.98), frame=0)])[-19:]
    ' 0.96, -2.98]}\\n]```'
    """
    lines = [json.dumps({"label": label, "bbox_3d": box.rounded()}) for label, box in zip(labels, boxes, strict=True)]
    return "```json\n[\n\t" + ",\n\t".join(lines) + "\n]```"


def in_form(stored: str, form: Form) -> str:
    """A stored prompt of any task as training or evaluation has it; see the module.

    Evaluation of grounding is the one exception, see `grounding_prompt`: it is recognised by its names of frames.

    >>> in_form("<image>\\n<image>\\nWhat?", "train"), in_form("<image>\\n<image>\\nWhat?", "eval")
    ('<image><image>What?', '<image><image>\\n\\nWhat?')
    """
    if form == "stored":
        return stored
    if form == "train" or stored.startswith("Frame-0: "):
        return stored.replace(f"{IMAGE}\n", IMAGE)
    return IMAGE * stored.count(IMAGE) + stored.replace(IMAGE, "")


def with_pictures(prompt: str, pictures: Sequence[_Picture]) -> list[str | _Picture]:
    """A prompt as the content of a chat message: texts and pictures in order.

    >>> with_pictures("Frame-0: <image>Where?", ["a.jpg"])
    ['Frame-0: ', 'a.jpg', 'Where?']

    Raises:
        SceneError: the text has places for another number of pictures.
    """
    texts = prompt.split(IMAGE)
    if len(texts) != len(pictures) + 1:
        raise SceneError(f"a prompt has places for {len(texts) - 1} pictures, but {len(pictures)} are given")
    content: list[str | _Picture] = []
    for k, text in enumerate(texts):
        if text:
            content.append(text)
        if k < len(pictures):
            content.append(pictures[k])
    return content
