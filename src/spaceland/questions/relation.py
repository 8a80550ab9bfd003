"""Where one object is relative to another (SPAR `obj_spatial_relation_oo`; select, judge, sentence; one view).

Worked example. In camera axes the lamp's centre is 0.8 m to the left of the chair's, in the world 0.6 m higher, and the
lamp is 0.9 m closer to the camera:

    image     a red box around the lamp, a blue box around the chair
    question  Where is the lamp (red box) relative to the chair (blue box), as the observer sees it? ...
              A. right, above, closer   B. left, below, farther   C. left, above, closer   D. left, above, farther
    answer    C

Three slots. Left/right is the camera's x axis, and must agree with what the picture shows. Above/below is height in the
room, not in the picture. Closer/farther is the distance to the camera, and must agree in depth. A slot is empty when
the two are clearly level on it; in between, the fact is rejected (see `policy`). All of it refers to box centres.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import permutations, product
from random import Random

import numpy as np

from spaceland.questions.answers import BELOW_ABOVE, FARTHER_CLOSER, LEFT_RIGHT, RelationAnswer
from spaceland.questions.facts import Fact, TaskContext, round_robin, shuffled, vector
from spaceland.questions.language import is_are, join_words
from spaceland.questions.marks import box_mark
from spaceland.questions.phrasing import Wording
from spaceland.questions.policy import side_of_threshold
from spaceland.scenes.scene import Frame

OPPOSITE = {
    a: b for pair in (LEFT_RIGHT, BELOW_ABOVE, FARTHER_CLOSER, ("behind", "front")) for a, b in (pair, pair[::-1])
}


def propose_relation_oo(context: TaskContext, rng: Random) -> Iterator[Fact]:
    """Ordered pairs (asked, reference) of clearly visible objects."""
    return round_robin(_in_frame(context, frame, rng) for frame in shuffled(context.scene.frames, rng))


def _in_frame(context: TaskContext, frame: Frame, rng: Random) -> Iterator[Fact]:
    policy = context.policy
    views = context.views.askable(frame.id)
    if len(views) < 2:
        context.reject("fewer than two clear objects in the view")
    for asked, other in shuffled(permutations(views, 2), rng):
        p, q = (context.center_cam(frame, view.object_id) for view in (asked, other))
        side = side_of_threshold(p[0] - q[0], policy.side_threshold_m, policy.side_margin_m)
        height_m = float((context.thing(asked.object_id).center - context.thing(other.object_id).center)[2])
        height = side_of_threshold(height_m, policy.height_threshold_m, policy.height_margin_m)
        nearer_m = float(np.linalg.norm(q) - np.linalg.norm(p))
        nearer = side_of_threshold(nearer_m, policy.range_threshold_m, policy.range_margin_m)
        if side is None or height is None or nearer is None:
            context.reject("too near to a threshold")
            continue
        bearing_gap_deg = float(np.degrees(np.arctan2(p[0], p[2]) - np.arctan2(q[0], q[2])))
        if side * bearing_gap_deg < policy.min_bearing_gap_deg * abs(side):
            context.reject("left/right differs between room and picture")
            continue
        if side == 0 and abs(bearing_gap_deg) >= policy.min_bearing_gap_deg:
            context.reject("left/right differs between room and picture")
            continue
        if nearer * (q[2] - p[2]) < 0:
            context.reject("closer/farther differs between distance and depth")
            continue
        slots = _word(side, LEFT_RIGHT), _word(height, BELOW_ABOVE), _word(nearer, FARTHER_CLOSER)
        if not any(slots):
            context.reject("level on every axis")
            continue
        width, image_height = frame.camera.width, frame.camera.height
        yield Fact(
            task="obj_spatial_relation_oo",
            frames=(frame.id,),
            objects={"red": asked.object_id, "blue": other.object_id},
            labels={"red": context.label(asked.object_id), "blue": context.label(other.object_id)},
            answer=RelationAnswer(slots),
            marks=(
                box_mark("red", asked, 0, width, image_height),
                box_mark("blue", other, 0, width, image_height),
            ),
            values={
                "right_m": vector(p - q)[0],
                "above_m": round(height_m, 4),
                "closer_m": round(nearer_m, 4),
                "bearing_gap_deg": round(bearing_gap_deg, 2),
            },
            params={
                "side": [policy.side_threshold_m, policy.side_margin_m],
                "height": [policy.height_threshold_m, policy.height_margin_m],
                "range": [policy.range_threshold_m, policy.range_margin_m],
                "height_axis": "world up",
            },
        )


def _word(sign: int, names: tuple[str, str]) -> str:
    return "" if sign == 0 else names[sign > 0]


def relation_options(
    right: tuple[str, str, str], axes: Sequence[tuple[str, str]], place: int, rng: Random
) -> list[str] | None:
    """Four different slot triples with the right one at index `place`.

    Wrong ones keep the right one's empty slots where that leaves enough of them, so that the shape of an option does
    not give it away; otherwise slots that are empty are filled in or emptied.
    """
    same_shape = [
        triple
        for triple in product(*[axis if slot else ("",) for slot, axis in zip(right, axes, strict=True)])
        if triple != right
    ]
    wrong = shuffled(same_shape, rng)[:3]
    if len(wrong) < 3:
        # Only slots whose truth is known to be empty or not are varied, so every such triple is wrong.
        other = [t for t in product(*[(*axis, "") for axis in axes]) if t != right and t not in wrong and any(t)]
        wrong += shuffled(other, rng)[: 3 - len(wrong)]
    texts = [RelationAnswer(tuple(t)).text for t in wrong]  # type: ignore[arg-type]
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


def _fields(fact: Fact) -> dict[str, str]:
    assert isinstance(fact.answer, RelationAnswer)
    a, b = f"{fact.labels['red']} (red box)", f"{fact.labels['blue']} (blue box)"
    return {"a": a, "b": b, "a_is": is_are(fact.labels["red"]), "relation": describe_oo(fact.answer.words, b)}


def _options(fact: Fact, place: int, rng: Random) -> list[str] | None:
    assert isinstance(fact.answer, RelationAnswer)
    return relation_options(fact.answer.value, (LEFT_RIGHT, BELOW_ABOVE, FARTHER_CLOSER), place, rng)


def _statement(fact: Fact, truth: bool, rng: Random) -> dict[str, str]:
    assert isinstance(fact.answer, RelationAnswer)
    word = rng.choice(fact.answer.words)
    return {"claim": describe_oo([word if truth else OPPOSITE[word]], f"{fact.labels['blue']} (blue box)")}


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
            "how {a_is} the {a} placed with respect to the {b} in this view?",
            "from where the picture was taken, what is the position of the {a} relative to the {b}?",
        ),
    },
    notes=(
        "Compare the 3D centres; above and below mean height in the room.",
        "Go by the 3D centres of both objects. Height counts from the floor, not in the picture.",
        "The centres in 3D decide, and up is the vertical of the room.",
    ),
    select_notes=(
        "Each option names left or right, above or below, closer or farther; a gap means no clear difference.",
        "Options list three things in order: left/right, above/below, closer/farther. An empty place stands for a tie.",
        "Read an option as left-right, above-below, closer-farther, with nothing written where the two are level.",
    ),
    sentences=(
        "the {a} {a_is} {relation}.",
        "seen from the camera, the {a} {a_is} {relation}.",
        "from where the picture was taken, the {a} {a_is} {relation}.",
        "to the observer, the {a} {a_is} {relation}.",
        "going by their centres, the {a} {a_is} {relation}.",
        "in this view the {a} {a_is} {relation}.",
    ),
    options=_options,
    statement=_statement,
)
