"""Wordings of the imagined observer: where one thing is, and where one is relative to another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random

from spaceland.questions.answers import BELOW_ABOVE, FARTHER_CLOSER, LEFT_RIGHT, RelationAnswer
from spaceland.questions.facts import Fact
from spaceland.questions.language import is_are
from spaceland.questions.phrasing import Wording
from spaceland.questions.relation import describe_oc, describe_oo, options_oc, relation_options


def _fields(fact: Fact) -> Mapping[str, str]:
    assert isinstance(fact.answer, RelationAnswer)
    fields = {role: fact.name(role) for role in fact.objects} | {"red_is": is_are(fact.labels["red"])}
    before = [word for word in fact.values["before"] if word]
    if "yellow" in fact.labels:
        other = fact.name("yellow")
        first = describe_oo(before, other) if before else ""
        return fields | {"before": first, "after": describe_oo(fact.answer.words, other)}
    return fields | {"before": describe_oc(before), "after": describe_oc(fact.answer.words)}


def _options_oo(fact: Fact, place: int, rng: Random) -> list[str] | None:
    assert isinstance(fact.answer, RelationAnswer)
    return relation_options(fact.answer.value, (LEFT_RIGHT, BELOW_ABOVE, FARTHER_CLOSER), place, rng)


def _notes(fact: Fact) -> Sequence[str]:
    if 1 < len(fact.frames) <= 3:
        return tuple(f"{text} At first the observer is the camera of the first image." for text in _NOTES)
    return _NOTES


_NOTES = (
    "Up and down follow the vertical of the room, and 3D centres stand for the objects.",
    "Use the 3D centres; height is judged along the vertical of the room.",
    "Centres in 3D count. The observer keeps upright, so above and below mean room height.",
)

_ASK_OC = (
    "an observer moves to the centre of the {green} and faces the {blue}. Where {red_is} the {red} from there?",
    "imagine standing in the middle of the {green}, looking towards the {blue}. On which side {red_is} the {red}?",
    "if you were at the centre of the {green} and turned to the {blue}, where would you find the {red}?",
    "put the observer at the centre of the {green} and let the view point to the {blue}. Where {red_is} the {red}?",
    "take the place of the {green} with your eyes on the {blue}: in which direction {red_is} the {red}?",
    "after walking to the {green} and turning to the {blue}, where does the observer have the {red}?",
)
_SELECT_OC = (
    "Each option names left or right, above or below, front or behind; a gap means no clear difference.",
    "Options list three things in order: left/right, above/below, front/behind. An empty place stands for a tie.",
    "Read an option as left-right, above-below, front-behind, with nothing written where there is no clear difference.",
)

IMAGINATION_OC = Wording(
    fields=_fields,
    stems={
        "select": _ASK_OC,
        "sentence": (
            "where {red_is} the {red} for the observer now, and where once the observer stands at the centre of the "
            "{green} facing the {blue}?",
            "say where the observer has the {red} at first, and where after moving to the middle of the {green} and "
            "turning to the {blue}.",
            "how does the place of the {red} change for an observer who goes to the centre of the {green} and looks at "
            "the {blue}?",
            "first from the camera, then from the centre of the {green} facing the {blue}: where {red_is} the {red}?",
            "compare two viewpoints, the camera and the middle of the {green} with the view towards the {blue}. Where "
            "{red_is} the {red} in each?",
            "the observer leaves the camera, goes to the {green} and faces the {blue}. Where {red_is} the {red} before "
            "that, and where afterwards?",
        ),
    },
    notes=_notes,
    select_notes=_SELECT_OC,
    sentences=(
        "before the move the observer has the {red} {before}; after it, {after}.",
        "at first the observer has the {red} {before}; after the move, {after}.",
        "initially the {red} {red_is} {before}; from the new place, {after}.",
        "seen from the camera, the {red} {red_is} {before}; seen from the {green}, {after}.",
        "the {red} {red_is} {before} at the start; then, for the observer who faces the {blue}, {after}.",
        "from the first viewpoint the {red} {red_is} {before}; from the second, {after}.",
    ),
    options=options_oc,
)

IMAGINATION_OC_VIDEO = Wording(
    fields=_fields,
    stems={"*": _ASK_OC},
    notes=_notes,
    select_notes=_SELECT_OC,
    sentences=(
        "the observer has the {red} {after}.",
        "from there the {red} {red_is} {after}.",
        "seen from the {green}, the {red} {red_is} {after}.",
        "facing the {blue}, the observer finds the {red} {after}.",
        "for somebody at the {green}, the {red} {red_is} {after}.",
        "after the move the {red} {red_is} {after}.",
    ),
    options=options_oc,
)

_ASK_OO = (
    "an observer moves to the centre of the {green} and faces the {blue}. From there, where {red_is} the {red} "
    "relative to the {yellow}?",
    "imagine standing in the middle of the {green}, looking towards the {blue}. Where {red_is} the {red} compared with "
    "the {yellow}?",
    "if you were at the centre of the {green} and turned to the {blue}, where would you find the {red} in relation to "
    "the {yellow}?",
    "put the observer at the centre of the {green} and let the view point to the {blue}. How {red_is} the {red} placed "
    "with respect to the {yellow} then?",
    "take the place of the {green} with your eyes on the {blue}: starting from the {yellow}, where {red_is} the {red}?",
    "after walking to the {green} and turning to the {blue}, where does the observer have the {red} relative to the "
    "{yellow}?",
)
_SELECT_OO = (
    "Each option names left or right, above or below, closer or farther; a gap means no clear difference.",
    "Options list three things in order: left/right, above/below, closer/farther. An empty place stands for a tie.",
    "Read an option as left-right, above-below, closer-farther, with nothing written where the two are level.",
)

IMAGINATION_OO = Wording(
    fields=_fields,
    stems={
        "select": _ASK_OO,
        "sentence": (
            "where {red_is} the {red} relative to the {yellow} for the observer now, and where once the observer "
            "stands at the centre of the {green} facing the {blue}?",
            "say where the {red} {red_is} relative to the {yellow} for the observer at first, and where after moving "
            "to the middle of the {green} and turning to the {blue}.",
            "how does the place of the {red} relative to the {yellow} change for an observer who goes to the centre of "
            "the {green} and looks at the {blue}?",
            "first from the camera, then from the centre of the {green} facing the {blue}: where {red_is} the {red} "
            "compared with the {yellow}?",
            "compare two viewpoints, the camera and the middle of the {green} with the view towards the {blue}. Where "
            "{red_is} the {red} in relation to the {yellow} in each?",
            "the observer leaves the camera, goes to the {green} and faces the {blue}. Where {red_is} the {red} "
            "relative to the {yellow} before that, and where afterwards?",
        ),
    },
    notes=_notes,
    select_notes=_SELECT_OO,
    sentences=(
        "before the move the {red} {red_is} {before}; after it, {after}.",
        "at first the {red} {red_is} {before}; after the move, {after}.",
        "initially the {red} {red_is} {before}; from the new place, {after}.",
        "seen from the camera, the {red} {red_is} {before}; seen from the {green}, {after}.",
        "the {red} {red_is} {before} at the start; then, for the observer who faces the {blue}, {after}.",
        "from the first viewpoint the {red} {red_is} {before}; from the second, {after}.",
    ),
    options=_options_oo,
)

IMAGINATION_OO_VIDEO = Wording(
    fields=_fields,
    stems={"*": _ASK_OO},
    notes=_notes,
    select_notes=_SELECT_OO,
    sentences=(
        "from there the {red} {red_is} {after}.",
        "seen from the {green}, the {red} {red_is} {after}.",
        "facing the {blue}, the observer has the {red} {after}.",
        "for somebody at the {green}, the {red} {red_is} {after}.",
        "after the move the {red} {red_is} {after}.",
        "to the observer at the new place, the {red} {red_is} {after}.",
    ),
    options=_options_oo,
)
