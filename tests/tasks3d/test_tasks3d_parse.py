"""What models write: right, nearly right, cut off, hostile."""

from __future__ import annotations

import json
import random
import time

import pytest

from spaceland.tasks3d.box9_frames import Box9
from spaceland.tasks3d.parse import MAX_BOXES, read_detections, read_grounding
from spaceland.tasks3d.prompts import detection_answer, grounding_answer

NINE = [0.1, -0.2, 2.5, 1.0, 0.4, 2.0, 0.1, 1.57, -3.0]
BOX = Box9(tuple(NINE), frame=0)
GROUNDING = grounding_answer(Box9(tuple(NINE), frame=3))
DETECTION = detection_answer(["chair", "night stand"], [BOX, BOX])
ENTRY = json.dumps({"label": "chair", "bbox_3d": NINE})


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("reply", [GROUNDING, GROUNDING.strip("`").removeprefix("json"), GROUNDING.replace("json", "")])
def test_grounding_as_asked(reply: str, strict: bool) -> None:
    reading = read_grounding(reply, 32, strict=strict)
    assert [(box.frame, box.rounded()) for box in reading.found] == [(3, NINE)] and not reading.left_out
    assert read_grounding(reply, 32, strict=strict, convention="zxy").found[0].convention == "zxy"
    assert not read_grounding(reply, 3, strict=strict).found


@pytest.mark.parametrize("strict", [False, True])
def test_detections_as_asked(strict: bool) -> None:
    reading = read_detections(DETECTION, strict=strict)
    assert [(one.label, one.box.rounded()) for one in reading.found] == [("chair", NINE), ("night stand", NINE)]
    assert read_detections("```json\n[\n\t\n]```", strict=strict).found == ()
    assert not reading.left_out and reading.found[0].box.frame == 0


@pytest.mark.parametrize(
    ("reply", "count"),
    [
        (DETECTION[:-30], 1),  # cut off within the second entry
        ("Here they are:\n" + DETECTION + "\nI hope that helps.", 2),
        ("<think>" + DETECTION + "</think>" + DETECTION, 2),
        (ENTRY + "\n" + ENTRY + ",\n" + ENTRY, 3),  # line by line
        (f"[{ENTRY},]", 1),
        (ENTRY.replace('"', "'"), 1),
        ('{"objects": [' + ENTRY + ", " + ENTRY + "]}", 2),
        (f"[{ENTRY}, {ENTRY[:-3]}", 1),
        (f"[{ENTRY}] [{ENTRY}]", 2),
    ],
)
def test_tolerant_takes_what_is_whole(reply: str, count: int) -> None:
    found = read_detections(reply).found
    assert len(found) == count and all(one.box.rounded() == NINE for one in found)
    assert not read_detections(reply, strict=True).found


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (ENTRY.replace("1.0, 0.4", "1.0, -0.4"), "a size is not positive"),
        (ENTRY.replace(", -3.0", ""), "a box is not nine numbers"),
        (ENTRY.replace("2.5", "1e999"), "a box is not nine numbers"),
        (ENTRY.replace("2.5", "true"), "a box is not nine numbers"),
        (ENTRY.replace('"chair"', "7"), "no label"),
    ],
)
def test_what_is_no_box_is_told(reply: str, reason: str) -> None:
    reading = read_detections(reply)
    assert not reading.found and reading.left_out == {reason: 1}


def test_strict_wants_exactly_the_form() -> None:
    good = json.dumps({"frame": 3, "bbox_3d": NINE})
    assert read_grounding(good, 32, strict=True).found
    for bad in (
        good + " or so", good + good, good.replace("3,", "3.0,", 1), good.replace("0.1", "NaN", 1), f"[{good}]",
        good.replace("}", ', "score": 1}'), good.replace('"frame"', '"frame": 1, "frame"'), "", "[" * 5000, "{" * 90,
    ):  # fmt: skip
        reading = read_grounding(bad, 32, strict=True)
        assert not reading.found and sum(reading.left_out.values()) == 1, bad
    assert read_detections(ENTRY, strict=True).left_out == {"not a list": 1}


def test_of_several_boxes_the_last_counts() -> None:
    first, last = ({"frame": k, "bbox_3d": NINE} for k in (1, 2))
    reading = read_grounding(f"Perhaps {json.dumps(first)}, no: {json.dumps(last)}", 32)
    assert reading.found[0].frame == 2 and reading.left_out == {"superseded by a later box": 1}
    assert read_grounding("nothing", 32).left_out == {"no bbox_3d in the reply": 1}
    assert read_grounding(json.dumps({"frame": True, "bbox_3d": NINE}), 32).left_out == {
        "frame is not one of 0 to 31": 1
    }


def test_limits() -> None:
    reading = read_detections("\n".join([ENTRY] * (MAX_BOXES + 5)))
    assert len(reading.found) == MAX_BOXES and reading.left_out == {f"beyond {MAX_BOXES} boxes": 5}


def test_code_is_text(tmp_path: object) -> None:
    code = f"__import__('pathlib').Path({str(tmp_path)!r}, 'ran').touch()"
    for reply in (code, f'{{"frame": {code}, "bbox_3d": {NINE}}}', f'{{"label": "chair", "bbox_3d": [{code}] * 9}}'):
        assert not read_grounding(reply, 32).found and not read_detections(reply).found
    assert not list(tmp_path.iterdir())  # type: ignore[attr-defined]


PIECES = (
    *"[]{}\"'`\\,:#- \n\t0", "```json", '{"bbox_3d": [', '"label": ', '"frame": 0', "1e999", "nan", "True", "null",
    "</think>", ENTRY, ENTRY[:40], "9" * 400, "\x00", "\u202e", "\ud800", "[" * 40, "(" * 40, "{" * 40, "'''",
    "__import__('os')", "1_000", "0x1f",
)  # fmt: skip


def test_fuzz() -> None:
    rng = random.Random(1)
    for _ in range(3000):
        reply = "".join(rng.choices(PIECES, k=rng.choice((0, 1, 2, 3, 5, 9, 20))))
        for strict in (False, True):
            for box in read_grounding(reply, 4, strict=strict).found:
                assert box.frame is not None and 0 <= box.frame < 4
            for one in read_detections(reply, strict=strict).found:
                assert one.label.strip() and min(one.box.values[3:6]) > 0


@pytest.mark.parametrize("piece", [*PIECES[:13], '{"bbox_3d": [', ENTRY, "[" * 40, '{"', "```json\n", "['", "\\'"])
def test_time_grows_with_the_length_only(piece: str) -> None:
    def seconds(length: int) -> float:
        reply = (piece * (length // len(piece) + 1))[:length]
        started = time.process_time()
        for strict in (False, True):
            read_grounding(reply, 32, strict=strict)
            read_detections(reply, strict=strict)
        return time.process_time() - started

    # Quadratic time would make the second one 64 times the first, and far more than the absolute bound.
    assert seconds(40_000) < max(24 * seconds(5_000), 0.5)
