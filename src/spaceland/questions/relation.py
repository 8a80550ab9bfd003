"""Where an object is relative to another or to the observer (SPAR `obj_spatial_relation_oo`, `_oo_mv`, `_oc_mv`).

Worked example. In camera axes the lamp's centre is 0.8 m to the left of the chair's, in the world 0.6 m higher, and the
lamp is 0.9 m closer to the camera:

    image     a red box around the lamp, a blue box around the chair
    question  Where is the lamp (red bounding box) relative to the chair (blue bounding box), as the observer sees
              it? ...
              A. right, above, closer   B. left, below, farther   C. left, above, closer   D. left, above, farther
    answer    C

Three slots. Left/right is the camera's x axis, and must agree with what the picture shows. Above/below is height in the
room, not in the picture. Closer/farther is the distance to the camera, and must agree in depth. A slot is empty when
the two are clearly level on it; in between, the fact is rejected (see `policy`). Of two things far away, the farther
one is so by a share of its distance, too: 5.2 m and 4.8 m look alike. All of it refers to box centres.
Over several images the observer is the camera of the first one. Relative to the observer alone, the third slot says
front or behind: the sign of the depth in the first image. For a tilted camera it must be the same on the level.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from random import Random

import numpy as np

from spaceland.questions.answers import BEHIND_FRONT, BELOW_ABOVE, FARTHER_CLOSER, LEFT_RIGHT, RelationAnswer
from spaceland.questions.facts import Fact, TaskContext, shuffled, vector
from spaceland.questions.language import is_are, join_words
from spaceland.questions.phrasing import Wording
from spaceland.questions.policy import AmbiguityPolicy, side_of_threshold
from spaceland.questions.propose import Solved, proposer
from spaceland.questions.setups import Setup, multi_views, single_views
from spaceland.scenes.scene import Frame

_LEVEL = 1e-6
OPPOSITE = {
    a: b for pair in (LEFT_RIGHT, BELOW_ABOVE, FARTHER_CLOSER, ("behind", "front")) for a, b in (pair, pair[::-1])
}


def compare(context: TaskContext, observer: Frame, asked: int, other: int) -> Solved | None:
    """Where the centre of one object is relative to that of another for an observer; None when unclear.

    Left/right is checked against the bearings, closer/farther against the depths, where the observer has both ahead.
    """
    policy = context.policy
    p, q = context.center_cam(observer, asked), context.center_cam(observer, other)
    side = side_of_threshold(p[0] - q[0], policy.side_threshold_m, policy.side_margin_m)
    height_m = float((context.thing(asked).center - context.thing(other).center)[2])
    height = side_of_threshold(height_m, policy.height_threshold_m, policy.height_margin_m)
    ranges_m = float(np.linalg.norm(p)), float(np.linalg.norm(q))
    nearer_m = ranges_m[1] - ranges_m[0]
    nearer = side_of_range(policy, *ranges_m)
    if side is None or height is None or nearer is None:
        context.reject("too near to a threshold")
        return None
    bearing_gap_deg = float(np.degrees(np.arctan2(p[0], p[2]) - np.arctan2(q[0], q[2])))
    if min(p[2], q[2]) <= 0:
        context.reject("behind the observer")
        return None
    if side * bearing_gap_deg < policy.min_bearing_gap_deg * abs(side):
        context.reject("left/right differs between room and picture")
        return None
    if side == 0 and abs(bearing_gap_deg) >= policy.min_bearing_gap_deg:
        context.reject("left/right differs between room and picture")
        return None
    if nearer * (q[2] - p[2]) < 0:
        context.reject("closer/farther differs between distance and depth")
        return None
    slots = slot(side, LEFT_RIGHT), slot(height, BELOW_ABOVE), slot(nearer, FARTHER_CLOSER)
    if not any(slots):
        context.reject("level on every axis")
        return None
    return Solved(
        RelationAnswer(slots),
        {
            "right_m": vector(p - q)[0],
            "above_m": round(height_m, 4),
            "closer_m": round(nearer_m, 4),
            "bearing_gap_deg": round(bearing_gap_deg, 2),
        },
        {
            "side": [policy.side_threshold_m, policy.side_margin_m],
            "height": [policy.height_threshold_m, policy.height_margin_m],
            "range": [policy.range_threshold_m, policy.range_margin_m],
            "min_range_share": policy.min_range_share,
            "min_bearing_gap_deg": policy.min_bearing_gap_deg,
            "height_axis": "world up",
        },
    )


def side_of_range(policy: AmbiguityPolicy, asked_m: float, other_m: float) -> int | None:
    """1 where the asked thing is closer, -1 where it is farther, 0 where both are level; None when unclear.

    >>> [side_of_range(AmbiguityPolicy(), *ranges_m) for ranges_m in ((1.5, 1.9), (5.2, 4.8), (5.0, 4.96))]
    [1, None, 0]
    """
    gap_m = other_m - asked_m
    side = side_of_threshold(gap_m, policy.range_threshold_m, policy.range_margin_m)
    return None if side and round(abs(gap_m), 6) < round(policy.min_range_share * max(asked_m, other_m), 6) else side


def solve_relation_oo(context: TaskContext, setup: Setup) -> Solved | None:
    """The first pick relative to the second, for the observer of the first image."""
    asked, other = setup.picks
    return compare(context, setup.observer, asked.object_id, other.object_id)


def ahead_on_level(context: TaskContext, observer: Frame, asked: int) -> float | None:
    """Metres by which an object is ahead of a camera along its level heading; None for one that looks straight down."""
    forward = observer.T_world_cam[:2, 2]
    level = float(np.hypot(*forward))
    offset = (context.thing(asked).center - observer.T_world_cam[:3, 3])[:2]
    return float(offset @ forward) / level if level > _LEVEL else None


@dataclass(frozen=True)
class Placed:
    """Where a thing is for a camera: the three slots, and metres to the right, above, and ahead in both senses."""

    slots: tuple[str, str, str]
    right_m: float
    above_m: float
    ahead_m: float
    level_ahead_m: float


def place_for(context: TaskContext, observer: Frame, asked: int, when: str = "") -> Placed | None:
    """Where an object is for a camera; None when unclear.

    Args:
        context: The scene and the policy.
        observer: The camera.
        asked: Id of the object.
        when: What the names of the reasons begin with.
    """
    policy, local = context.policy, context.center_cam(observer, asked)
    above_m = float(context.thing(asked).center[2] - observer.T_world_cam[2, 3])
    side = side_of_threshold(float(local[0]), policy.side_threshold_m, policy.side_margin_m)
    height = side_of_threshold(above_m, policy.height_threshold_m, policy.height_margin_m)
    ahead = side_of_threshold(float(local[2]), policy.side_threshold_m, policy.side_margin_m)
    if side is None or height is None or ahead is None:
        context.reject(f"{when}too near to a threshold")
        return None
    level_m = ahead_on_level(context, observer, asked)
    if level_m is None or side_of_threshold(level_m, policy.side_threshold_m, policy.side_margin_m) != ahead:
        context.reject("front/behind depends on the tilt of the camera")
        return None
    sine = float(np.sin(np.radians(policy.min_axis_angle_deg)))
    for ahead_m in (float(local[2]), level_m):
        limit = sine * float(np.hypot(local[0], ahead_m))
        if (side != 0 and abs(local[0]) < limit) or (ahead != 0 and abs(ahead_m) < limit):
            context.reject(f"{when}too near to straight ahead or sideways")
            return None
    slots = slot(side, LEFT_RIGHT), slot(height, BELOW_ABOVE), slot(ahead, BEHIND_FRONT)
    right_m, _, ahead_m = vector(local)
    return Placed(slots, right_m, round(above_m, 4), ahead_m, round(level_m, 4) + 0.0)


def solve_relation_oc(context: TaskContext, setup: Setup) -> Solved | None:
    """Where the pick is for the observer of the first image: its x axis, height in the room, ahead or behind."""
    policy = context.policy
    placed = place_for(context, setup.observer, setup.picks[0].object_id)
    if placed is None:
        return None
    if not any(placed.slots):
        context.reject("level on every axis")
        return None
    return Solved(
        RelationAnswer(placed.slots),
        {
            "right_m": placed.right_m,
            "above_m": placed.above_m,
            "ahead_m": placed.ahead_m,
            "level_ahead_m": placed.level_ahead_m,
        },
        {
            "side": [policy.side_threshold_m, policy.side_margin_m],
            "height": [policy.height_threshold_m, policy.height_margin_m],
            "ahead": [policy.side_threshold_m, policy.side_margin_m],
            "min_axis_angle_deg": policy.min_axis_angle_deg,
            "height_axis": "world up",
        },
    )


_observed = partial(multi_views, observer=True)
propose_relation_oo = proposer("obj_spatial_relation_oo", single_views, ("red", "blue"), "bbox", solve_relation_oo)
propose_relation_oo_mv = proposer("obj_spatial_relation_oo_mv", _observed, ("red", "blue"), "bbox", solve_relation_oo)
propose_relation_oc_mv = proposer("obj_spatial_relation_oc_mv", _observed, ("red",), "bbox", solve_relation_oc)


def slot(sign: int, names: tuple[str, str]) -> str:
    """The word of a sign; empty for 0."""
    return "" if sign == 0 else names[sign > 0]


_VARIED = (4, 1, 4)
"""How often left and right, height, and the third slot are asked about, compared with each other."""


def relation_options(
    right: tuple[str, str, str], axes: Sequence[tuple[str, str]], place: int, rng: Random
) -> list[str] | None:
    """Four different slot triples with the right one at index `place`; None for a triple that tells nothing.

    Two slots vary, and the options are their four combinations: each value stands in two options, so that none is the
    one that most agree with, and every option has its mirror on either of them. Left and right are among them where
    told, as they are found by looking and not by knowing what is usual; height, which labels often tell, seldom is.
    Where a single slot is told, the second one is empty, which means known to be level: it stays so or is filled in.
    All other slots are those of the right triple.
    """
    told = [k for k in range(3) if right[k]]
    if not told:
        return None
    varied = {told[0]: axes[told[0]]}
    if len(told) > 1:
        second = rng.choices(told[1:], [_VARIED[k] for k in told[1:]])[0]
        varied[second] = axes[second]
    else:
        level = [k for k in range(3) if k != told[0]]
        second = rng.choices(level, [_VARIED[k] for k in level])[0]
        varied[second] = ("", rng.choice(axes[second]))
    combinations = product(*[varied.get(k, (right[k],)) for k in range(3)])
    wrong = shuffled((triple for triple in combinations if triple != right), rng)
    texts = [", ".join(triple) for triple in wrong]
    texts.insert(place, RelationAnswer(right).text)
    return texts


def describe_oo(words: Sequence[str], other: str) -> str:
    """ "to the left of and above the chair, and closer to the observer".

    >>> describe_oo(["left", "above", "closer"], "chair")
    'to the left of and above the chair, and closer to the observer'
    >>> describe_oo(["farther"], "chair")
    'farther from the observer than the chair'
    """
    place = {"left": "to the left of", "right": "to the right of", "above": "above", "below": "below"}
    toward = {"closer": "closer to the observer", "farther": "farther from the observer"}
    places = join_words([place[w] for w in words if w in place])
    range_words = [toward[w] for w in words if w in toward]
    if not places:
        return f"{range_words[0]} than the {other}"
    return f"{places} the {other}" + (f", and {range_words[0]}" if range_words else "")


def _fields(fact: Fact) -> Mapping[str, str]:
    assert isinstance(fact.answer, RelationAnswer)
    fields = {"a": fact.name("red"), "a_is": is_are(fact.labels["red"])}
    if "blue" in fact.labels:
        return fields | {"b": fact.name("blue"), "relation": describe_oo(fact.answer.words, fact.name("blue"))}
    return fields | {"relation": describe_oc(fact.answer.words)}


def describe_oc(words: Sequence[str]) -> str:
    """Where a thing is for an observer.

    >>> describe_oc(["left", "below", "front"]), describe_oc(["above"])
    ('to the left, below and in front', 'above')
    """
    text = {"left": "to the left", "right": "to the right", "front": "in front", "behind": "behind"}
    return join_words([text.get(word, word) for word in words])


def _options_oo(fact: Fact, place: int, rng: Random) -> list[str] | None:
    assert isinstance(fact.answer, RelationAnswer)
    return relation_options(fact.answer.value, (LEFT_RIGHT, BELOW_ABOVE, FARTHER_CLOSER), place, rng)


def options_oc(fact: Fact, place: int, rng: Random) -> list[str] | None:
    """Left/right, above/below, behind/front."""
    assert isinstance(fact.answer, RelationAnswer)
    return relation_options(fact.answer.value, (LEFT_RIGHT, BELOW_ABOVE, BEHIND_FRONT), place, rng)


def _statement(fact: Fact, truth: bool, rng: Random) -> dict[str, str]:
    assert isinstance(fact.answer, RelationAnswer)
    # Labels often tell what is above what, so that is not asked as often.
    words = fact.answer.words
    word = rng.choices(words, [_VARIED[1 if word in BELOW_ABOVE else 0] for word in words])[0]
    return {"claim": describe_oo([word if truth else OPPOSITE[word]], fact.name("blue"))}


def _notes(fact: Fact) -> Sequence[str]:
    if len(fact.frames) == 1:
        return _NOTES
    return tuple(f"{text} The first image is the observer's view." for text in _NOTES)


_NOTES = (
    "Compare the 3D centres; above and below mean height in the room.",
    "Go by the 3D centres. Height counts from the floor, not in the picture.",
    "The centres in 3D decide, and up is the vertical of the room.",
)

RELATION_OO = Wording(
    fields=_fields,
    stems={
        "judge": (
            "{a_is} the {a} {claim}?",
            "would the observer say that the {a} {a_is} {claim}?",
            "look at the two marked objects: the {a} {a_is} {claim}. Is that right?",
            "someone claims that the {a} {a_is} {claim}. Do you agree?",
            "check this statement: the {a} {a_is} {claim}. Is it true?",
            "from the camera, {a_is} the {a} {claim}?",
        ),
        "*": (
            "where {a_is} the {a} relative to the {b}, as the observer sees it?",
            "as seen from the camera, how does the place of the {a} compare with that of the {b}?",
            "tell where the {a} {a_is} in relation to the {b} from the observer's point of view.",
            "starting from the {b}, in which directions would the observer find the {a}?",
            "how {a_is} the {a} placed with respect to the {b} for the observer?",
            "from the observer's place, what is the position of the {a} relative to the {b}?",
        ),
    },
    notes=_notes,
    select_notes=(
        "Each option names left or right, above or below, closer or farther; a gap means no clear difference.",
        "Options list three things in order: left/right, above/below, closer/farther. An empty place stands for a tie.",
        "Read an option as left-right, above-below, closer-farther, with nothing written where the two are level.",
    ),
    sentences=(
        "the {a} {a_is} {relation}.",
        "seen from the camera, the {a} {a_is} {relation}.",
        "from the observer's place, the {a} {a_is} {relation}.",
        "to the observer, the {a} {a_is} {relation}.",
        "going by their centres, the {a} {a_is} {relation}.",
        "in this view the {a} {a_is} {relation}.",
    ),
    options=_options_oo,
    statement=_statement,
)

RELATION_OC = Wording(
    fields=_fields,
    stems={
        "*": (
            "where {a_is} the {a} for the observer?",
            "in which directions from the observer {a_is} the {a}?",
            "tell where the {a} {a_is} from the observer's point of view.",
            "as the observer looks ahead, where {a_is} the {a}?",
            "which way would the observer turn to find the {a}, and at what height compared with the camera?",
            "what is the position of the {a} relative to the observer?",
        ),
    },
    notes=_notes,
    select_notes=(
        "Each option names left or right, above or below, front or behind; a gap means no clear difference.",
        "Options list three things in order: left/right, above/below, front/behind. An empty place stands for a tie.",
        "Read an option as left-right, above-below, front-behind, with nothing written where there is no clear "
        "difference.",
    ),
    sentences=(
        "for the observer, the {a} {a_is} {relation}.",
        "seen from the first camera, the {a} {a_is} {relation}.",
        "from the observer's place, the {a} {a_is} {relation}.",
        "relative to the observer, the {a} {a_is} {relation}.",
        "going by the centre, the {a} {a_is} {relation}.",
        "seen from where the first image was taken, the {a} {a_is} {relation}.",
    ),
    options=options_oc,
)
