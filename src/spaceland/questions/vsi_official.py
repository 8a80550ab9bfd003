"""Released VSI-Bench questions, answered anew from the boxes that VSI-Bench released too.

Worked example. Of "Measuring from the closest point of each object, what is the distance between the trash bin and the
bed (in meters)?" the types' template is known, so "trash bin" and "bed" are read; the least distance of their boxes is
1.27 m; the released answer is 1.3, and `agreement` counts it as agreeing.

Questions come as released (question_type, question, ground_truth, scene_name) or as re-packed for training
(original_question_type, problem, solution with <answer> around the answer, path). Appearance order and route plans
hang on pictures and are left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, cast

from spaceland.errors import SceneError
from spaceland.files import read_json
from spaceland.geometry.boxes import OrientedBox
from spaceland.questions import vsi_rules
from spaceland.scenes.scene import normalise_label
from spaceland.scenes.vsi import Annotation

_PATTERNS = {
    "object_counting": r"how many (?P<a>{label}) ?\(s\) are in this room\?",
    "object_size_estimation": r"what is the length of the longest dimension .* of the (?P<a>{label}), measured in .*",
    "room_size_estimation": r"what is the size of this room .*",
    "object_abs_distance": (
        r".*what is the distance between the (?P<a>{label}) and the (?P<b>{label}) \(in meters\)\?.*"
    ),
    "object_rel_distance": r".*which of these objects \(.*\) is the closest to the (?P<a>{label})\?.*",
    "object_rel_direction": (
        r"if i am standing by the (?P<a>{label}) and facing the (?P<b>{label}), is the (?P<c>{label}) to .*"
    ),
}
DISTANCE_M, LOOSE_M, LOOSE_SHARE = 0.1, 0.3, 0.2
SIZE_CM, AREA_M2 = 1.0, 0.06


@dataclass(frozen=True)
class Official:
    """A released question. `options` are without their letters; `answer` is a number, or the text of an option."""

    id: str
    type: str
    scene: str
    text: str
    options: tuple[str, ...]
    answer: str


@dataclass(frozen=True)
class Agreement:
    """How often a rule gives the released answer.

    `close` counts distances within max(0.3 m, 20 %) and equals `agreed` for all other types; `unread` counts questions
    that the rule cannot answer: a wording that is not the released template, or a thing without a single box.
    """

    type: str
    total: int = 0
    agreed: int = 0
    close: int = 0
    unread: int = 0


def read_questions(path: Path) -> list[Official]:
    """Released questions from JSON (a list) or JSONL.

    Raises:
        SceneError: the file holds something else.
    """
    if path.suffix == ".jsonl":
        import json

        try:
            entries = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
        except (OSError, ValueError) as error:
            raise SceneError(f"{path} cannot be read: {error}") from error
    else:
        entries = read_json(path)
    if not isinstance(entries, list):
        raise SceneError(f"{path} is no list of questions")
    return [_official(entry, f"{path}, question {k + 1}") for k, entry in enumerate(entries)]


def _official(entry: Any, place: str) -> Official:
    try:
        kind = str(entry.get("original_question_type") or entry["question_type"])
        text = str(entry.get("problem") or entry["question"])
        given = str(entry["solution"] if "solution" in entry else entry["ground_truth"])
        scene = str(entry.get("scene_name") or PurePosixPath(entry["path"]).stem)
        options = [re.sub(r"^\s*[A-Z]\.\s*", "", str(option)).strip() for option in entry.get("options") or ()]
        identity = str(entry.get("problem_id", entry.get("id", "")))
    except (AttributeError, KeyError, TypeError) as error:
        raise SceneError(f"{place}: type, text, answer or scene is missing ({error})") from error
    tagged = re.search(r"<answer>(.*?)</answer>", given, re.DOTALL)
    answer = (tagged.group(1) if tagged else given).strip()
    if options and re.fullmatch(r"[A-Z]", answer) and ord(answer) - ord("A") < len(options):
        answer = options[ord(answer) - ord("A")]
    return Official(identity, kind, scene, text, tuple(options), answer)


def read_labels(question: Official, labels: Iterable[str]) -> list[str] | None:
    """The categories that a question names, in order; None when it is not worded by the template of its type.

    Knowing the room's categories, "the chair and the bed and the lamp" is read rightly whatever words they hold.
    """
    kind = re.sub(r"^(object_rel_direction)_\w+$", r"\1", question.type)
    if kind not in _PATTERNS:
        return None
    known = "|".join(re.escape(label) for label in sorted(labels, key=len, reverse=True)) or r"(?!)"
    text = " ".join(question.text.lower().split())
    found = re.fullmatch(_PATTERNS[kind].replace("{label}", f"(?:{known})"), text)
    return None if found is None else [label for label in found.groups() if label is not None]


def derive(question: Official, room: Annotation) -> float | str | None:
    """The answer by the rules: a number, or the text of an option; None when the rules cannot tell."""
    labels = read_labels(question, {*room.counts, *room.boxes})
    kind = question.type
    if labels is None:
        return None
    if kind == "object_counting":
        return room.counts.get(labels[0])
    if kind == "room_size_estimation":
        return room.area_m2
    boxes = [room.boxes.get(label, ()) for label in labels]
    if not all(boxes):
        return None
    if kind == "object_abs_distance":
        return vsi_rules.least_distance_m(*boxes)
    if kind == "object_rel_distance":
        choices = {option: room.boxes.get(normalise_label(option), ()) for option in question.options}
        if not choices or not all(choices.values()):
            return None
        return vsi_rules.by_distance(boxes[0], choices)[0][1]
    # The other types are about things of which there is one; where more have boxes, the first was meant.
    first = [listed[0] for listed in boxes]
    if kind == "object_size_estimation":
        return vsi_rules.longest_side_cm(first[0])
    return _direction(kind.rsplit("_", 1)[-1], first)


def _direction(level: str, boxes: Sequence[OrientedBox]) -> str | None:
    turned = vsi_rules.turn_deg(boxes[0].center, boxes[1].center, boxes[2].center)
    if turned is None or level not in ("easy", "medium", "hard"):
        return None
    return vsi_rules.direction(turned, cast(vsi_rules.Level, level))


def agreement(rooms: Mapping[str, Annotation], questions: Iterable[Official]) -> dict[str, Agreement]:
    """How often the rules give the released answers, by type; questions on other rooms and types are left out."""
    counts: dict[str, list[int]] = {}
    for question in questions:
        kind = re.sub(r"^(object_rel_direction)_\w+$", r"\1", question.type)
        if kind not in _PATTERNS or question.scene not in rooms:
            continue
        tally = counts.setdefault(question.type, [0, 0, 0, 0])
        derived = derive(question, rooms[question.scene])
        tally[0] += 1
        if derived is None:
            tally[3] += 1
            continue
        agreed, close = _agree(kind, derived, question.answer)
        tally[1] += agreed
        tally[2] += close
    return {kind: Agreement(kind, *counts[kind]) for kind in sorted(counts)}


def _agree(kind: str, derived: float | str, answer: str) -> tuple[bool, bool]:
    """Whether an answer is the released one, and whether it is close to it."""
    if isinstance(derived, str):
        same = normalise_label(derived) == normalise_label(answer)
        return same, same
    try:
        released = float(answer)
    except ValueError:
        return False, False
    off = abs(derived - released)
    same = off <= _TOLERANCE[kind](released) + 1e-9
    loose = off <= max(LOOSE_M, LOOSE_SHARE * released) + 1e-9
    return same, loose if kind == "object_abs_distance" else same


_TOLERANCE: Mapping[str, Callable[[float], float]] = {
    "object_counting": lambda released: 0.0,
    "object_size_estimation": lambda released: SIZE_CM,
    "room_size_estimation": lambda released: AREA_M2,
    "object_abs_distance": lambda released: DISTANCE_M,
}
