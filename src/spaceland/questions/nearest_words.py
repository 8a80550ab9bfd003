"""Wordings of `nearest`: which object is closest or farthest, to another object or to the observer.

Words for "near" and "far" are used for the asked direction alone, so that a reader of the text (the verifier is one)
can tell which way it goes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random

from spaceland.questions.answers import BoxAnswer, ChoiceAnswer, FoundAnswer
from spaceland.questions.facts import Fact, shuffled
from spaceland.questions.language import is_are, join_words
from spaceland.questions.phrasing import LETTERS, Wording

_MAX_OPTION_IOU = 0.4


def _fields_oo(fact: Fact) -> Mapping[str, str]:
    assert isinstance(fact.answer, ChoiceAnswer)
    near, pair = fact.values["asks"] == "closest", len(fact.objects) == 3
    names = [f"the {fact.name(role)}" for role in fact.objects if role != "red"]
    return {
        "ref": fact.name("red"),
        "all_of": join_words(names),
        "any_of": f"{', '.join(names[:-1])} or {names[-1]}",
        # Nobody is among two.
        "among": "between" if pair else "among",
        "most": ("closer to" if near else "farther from") if pair else ("closest to" if near else "farthest from"),
        "found": fact.name(fact.answer.value),
        "found_is": is_are(fact.labels[fact.answer.value]),
    }


def _notes_oo(fact: Fact) -> Sequence[str]:
    return _CENTERS if fact.params["measure"] == "center" else _SURFACES


_CENTERS = (
    "Distances run from centre to centre in 3D.",
    "Go by the 3D centres of the objects.",
    "The middle of each object in 3D counts as its place.",
)
_SURFACES = (
    "Distances run between the surfaces of the objects, along the shortest line.",
    "Go by the shortest gap between the objects, not by their centres.",
    "The gap between two surfaces counts as the distance.",
)


def _options_oo(fact: Fact, place: int, rng: Random) -> list[str] | None:
    assert isinstance(fact.answer, ChoiceAnswer)
    wrong = shuffled([fact.name(role) for role in fact.objects if role not in ("red", fact.answer.value)], rng)
    return [*wrong[:place], fact.answer.text, *wrong[place:]]


_STEMS_OO = (
    "which one is {most} the {ref}: {any_of}?",
    "of {all_of}, which one is {most} the {ref}?",
    "compare {all_of}. Which one is {most} the {ref}?",
    "is it {any_of} that is {most} the {ref}?",
    "decide between {all_of}: which one is {most} the {ref}?",
    "{among} {all_of}, find the one that is {most} the {ref}.",
    "take {all_of}: which of them is {most} the {ref}?",
)
_TAILS_OO = (
    "Answer with the object and its mark, written as in the question.",
    "Reply with the name of that object and, in brackets, its mark.",
    "Give the object with its mark in brackets and nothing else.",
    "Write only the object and the mark in brackets behind it.",
    "State the object just as the question calls it.",
    "Name the object together with its mark, as above.",
)
_SENTENCES_OO = (
    "the {found} {found_is} {most} the {ref}.",
    "it is the {found} that {found_is} {most} the {ref}.",
    "of these, the {found} {found_is} {most} the {ref}.",
    "going by distance, the {found} {found_is} {most} the {ref}.",
    "I would say that the {found} {found_is} {most} the {ref}.",
    "measured in a straight line, the {found} {found_is} {most} the {ref}.",
)
NEAREST_OO = Wording(
    fields=_fields_oo,
    stems={"*": _STEMS_OO},
    notes=_notes_oo,
    tails={"fill": _TAILS_OO},
    sentences=_SENTENCES_OO,
    options=_options_oo,
    num_options=2,
)
NEAREST_OO_VIDEO = replace(NEAREST_OO, num_options=len(LETTERS))


def _fields_oc(fact: Fact) -> Mapping[str, str]:
    assert isinstance(fact.answer, FoundAnswer)
    return {
        "most": "closest to" if fact.values["asks"] == "closest" else "farthest from",
        "label": fact.labels["found"],
        "is": is_are(fact.labels["found"]),
        "place": fact.answer.place,
        "box": BoxAnswer(fact.answer.box).text,
    }


def _notes_oc(fact: Fact) -> Sequence[str]:
    eye = "camera" if len(fact.frames) == 1 else "observer"
    measured = (
        f"Distances run from the {eye} to the centre of each object in 3D."
        if fact.params["measure"] == "center"
        else f"Distances run from the {eye} to the surface of each object, along the shortest line."
    )
    where = "" if len(fact.frames) == 1 else " The observer is the camera of the first image."
    return tuple(f"{measured}{where} {text}" for text in _BOXES)


_BOXES = (
    "Walls, floor, ceiling, doors, windows and rugs do not count. A box is [left, top, right, bottom], from 0 to 1000 "
    "across the width and down the height of the image.",
    "Leave out walls, floor, ceiling, doors, windows and rugs. Boxes are written [x1, y1, x2, y2] on a scale of 0 to "
    "1000, with 0, 0 at the top left.",
    "Parts of the building (walls, floor, ceiling, doors, windows) and rugs are no answer. A box around the visible "
    "part is [left, top, right, bottom] with 1000, 1000 at the bottom right corner of the image.",
)


def _options_oc(fact: Fact, place: int, rng: Random) -> list[str] | None:
    """The answer and other objects with their boxes; no two boxes of an image are nearly the same."""
    assert isinstance(fact.answer, FoundAnswer)
    chosen: list[tuple[str, Sequence[int]]] = [(fact.answer.place, fact.answer.box)]
    many = len(fact.frames) > 1
    for name, box in shuffled(fact.values["other_boxes"], rng):
        same_image = [other for known, other in chosen if not many or known == name]
        if len(chosen) < 4 and all(_iou(box, other) < _MAX_OPTION_IOU for other in same_image):
            chosen.append((name, box))
    if len(chosen) < 4:
        return None
    wrong = [f"{name}, {BoxAnswer((box[0], box[1], box[2], box[3])).text}" for name, box in chosen[1:]]
    return [*wrong[:place], fact.answer.text, *wrong[place:]]


def _iou(a: Sequence[int], b: Sequence[int]) -> float:
    shared = max(0, min(a[2], b[2]) - max(a[0], b[0])) * max(0, min(a[3], b[3]) - max(a[1], b[1]))
    areas = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return shared / (areas - shared) if areas > shared else 0.0


NEAREST_OC = Wording(
    fields=_fields_oc,
    stems={
        "*": (
            "which of the objects in the image is {most} the observer?",
            "what object that can be seen here is {most} the camera?",
            "find the object that is {most} the observer, and say where it is in the image.",
            "look at everything in the image. Which object is {most} the camera?",
            "of all the objects in this view, which one is {most} the observer?",
            "one thing in this image is {most} the camera. Which one?",
        )
    },
    notes=_notes_oc,
    tails={
        "fill": (
            "Answer with its name and its box: name, [x1, y1, x2, y2].",
            "Give the name of the object, a comma and the box around it.",
            "Reply in the form name, [left, top, right, bottom].",
            "Write only the object and its box, with a comma between them.",
            "State name and box, like this: name, [x1, y1, x2, y2].",
            "Name and box are enough: name, [left, top, right, bottom].",
        )
    },
    sentences=(
        "the {label} at {box} {is} {most} the observer.",
        "of all objects, the {label} at {box} {is} {most} the observer.",
        "the object that is {most} the camera is the {label} at {box}.",
        "seen from the camera, the {label} at {box} {is} {most} it.",
        "I would point to the {label} at {box}: that is what is {most} the observer.",
        "in this view the {label} at {box} {is} {most} the camera.",
    ),
    options=_options_oc,
)
NEAREST_OC_MV = Wording(
    fields=_fields_oc,
    stems={
        "*": (
            "all images together: which object that can be seen is {most} the observer? Name the image and the box.",
            "which of the objects in these images is {most} the observer? Say in which image it is, and where.",
            "look through all images. Find the object that is {most} the observer and give its image and box.",
            "the images show one room. In which image, and where in it, is the object that is {most} the observer?",
            "of everything that these images show, what is {most} the observer? Point to it by image and box.",
            "choose the object that is {most} the observer among all that the images show. Which image has it, and "
            "where?",
        )
    },
    notes=_notes_oc,
    tails={
        "fill": (
            'Answer in the form "the ... image, [x1, y1, x2, y2]" with first, second or third.',
            'Reply with image and box only: "the (first, second, third) image, [left, top, right, bottom]".',
            'Write "the", which image it is, "image", a comma and the box.',
            'Give which image and the box, like this: "the ... image, [x1, y1, x2, y2]".',
            "State the image (the first, second or third image), a comma, and the box.",
            'Only image and box, please, in the form "the ... image, [left, top, right, bottom]".',
        )
    },
    sentences=(
        "the {label} in {place} at {box} {is} {most} the observer.",
        "of all objects, the {label} in {place} at {box} {is} {most} the observer.",
        "look at {box} in {place}: the {label} there {is} {most} the observer.",
        "the object that is {most} the observer is the {label} in {place} at {box}.",
        "it is in {place} at {box}: the {label} {is} {most} the observer.",
        "among all that is shown, the {label} at {box} in {place} {is} {most} the observer.",
    ),
    options=_options_oc,
)
