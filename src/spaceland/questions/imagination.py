"""Where an object would be for an observer who moved (SPAR `spatial_imagination_oc`; select, sentence; one view).

Worked example. Seen from above, with world x to the right and y up the page, the table's centre is at (2, 3), the
door's at (2, 5) and the plant's at (3, 4); the plant's centre is as high as the table's. Standing at the table and
facing the door means looking along +y; the plant is 1 m to the right and 1 m ahead:

    image     a green box (stand here), a blue box (face this), a red box (asked)
    question  An observer moves to the centre of the table (green box) and faces the door (blue box). Where ... is the
              plant (red box)? ...  A. left, , front   B. right, , front   C. right, , behind   D. left, , behind
    answer    B

Left/right and front/behind lie in the floor plane; above/below is height in the room against the green object's centre.
Moving the blue object by d turns the view by up to d / |green - blue|, which moves the red one sideways by its own
distance times that angle. The margin of the policy is widened by this lever arm.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations
from random import Random

import numpy as np

from spaceland.questions.answers import BEHIND_FRONT, BELOW_ABOVE, LEFT_RIGHT, RelationAnswer
from spaceland.questions.facts import Fact, TaskContext, round_robin, shuffled
from spaceland.questions.language import is_are, join_words
from spaceland.questions.marks import box_mark
from spaceland.questions.phrasing import Wording
from spaceland.questions.policy import side_of_threshold
from spaceland.questions.relation import relation_options
from spaceland.scenes.scene import Frame


def propose_imagination_oc(context: TaskContext, rng: Random) -> Iterator[Fact]:
    """Triples (stand, face, asked) of clearly visible objects."""
    return round_robin(_in_frame(context, frame, rng) for frame in shuffled(context.scene.frames, rng))


def _in_frame(context: TaskContext, frame: Frame, rng: Random) -> Iterator[Fact]:
    policy = context.policy
    views = context.views.askable(frame.id)
    if len(views) < 3:
        context.reject("fewer than three clear objects in the view")
    for stand, face, asked in shuffled(permutations(views, 3), rng):
        centers = [context.thing(view.object_id).center for view in (stand, face, asked)]
        after = _after_move(context, *centers)
        before = _from_camera(context, frame, centers[2])
        if after is None or before is None:
            continue
        slots, right_m, ahead_m = after
        width, height = frame.camera.width, frame.camera.height
        yield Fact(
            task="spatial_imagination_oc",
            frames=(frame.id,),
            objects={"green": stand.object_id, "blue": face.object_id, "red": asked.object_id},
            labels={
                "green": context.label(stand.object_id),
                "blue": context.label(face.object_id),
                "red": context.label(asked.object_id),
            },
            answer=RelationAnswer(slots),
            marks=(
                box_mark("green", stand, 0, width, height),
                box_mark("blue", face, 0, width, height),
                box_mark("red", asked, 0, width, height),
            ),
            values={
                "before": list(before),
                "right_m": round(right_m, 4),
                "ahead_m": round(ahead_m, 4),
                "above_m": round(float(centers[2][2] - centers[0][2]), 4),
            },
            params={
                "plane": [policy.imagined_threshold_m, policy.imagined_margin_m],
                "height": [policy.height_threshold_m, policy.height_margin_m],
                "before_side": [policy.side_threshold_m, policy.side_margin_m],
                "height_axis": "world up",
            },
        )


def _after_move(
    context: TaskContext, stand: np.ndarray, face: np.ndarray, asked: np.ndarray
) -> tuple[tuple[str, str, str], float, float] | None:
    """Slots, metres to the right and metres ahead, for the observer at `stand` facing `face`; None when unclear."""
    policy = context.policy
    facing, offset = (face - stand)[:2], (asked - stand)[:2]
    facing_m, offset_m = float(np.linalg.norm(facing)), float(np.linalg.norm(offset))
    if facing_m < policy.min_facing_distance_m:
        context.reject("faced object too near to face it")
        return None
    if offset_m < policy.min_imagined_distance_m:
        context.reject("asked object too near to the imagined place")
        return None
    forward = facing / facing_m
    ahead_m = float(offset @ forward)
    right_m = float(offset @ np.array([forward[1], -forward[0]]))
    margin_m = policy.imagined_margin_m * (1 + offset_m / facing_m)
    if margin_m >= policy.imagined_threshold_m:
        # No room for "clearly level": only values beyond the margin are clear.
        side = _beyond(right_m, policy.imagined_threshold_m + margin_m)
        front = _beyond(ahead_m, policy.imagined_threshold_m + margin_m)
    else:
        side = side_of_threshold(right_m, policy.imagined_threshold_m, margin_m)
        front = side_of_threshold(ahead_m, policy.imagined_threshold_m, margin_m)
    height = side_of_threshold(float((asked - stand)[2]), policy.height_threshold_m, policy.height_margin_m)
    if side is None or front is None or height is None:
        context.reject("too near to a threshold")
        return None
    limit = np.sin(np.radians(policy.min_axis_angle_deg))
    if (side != 0 and abs(right_m) < limit * offset_m) or (front != 0 and abs(ahead_m) < limit * offset_m):
        context.reject("too near to straight ahead or sideways")
        return None
    return (_word(side, LEFT_RIGHT), _word(height, BELOW_ABOVE), _word(front, BEHIND_FRONT)), right_m, ahead_m


def _from_camera(context: TaskContext, frame: Frame, asked: np.ndarray) -> tuple[str, str, str] | None:
    """Slots before the move: relative to the camera's axis and height. What the camera sees is in front of it."""
    policy = context.policy
    rotation, origin = frame.T_world_cam[:3, :3], frame.T_world_cam[:3, 3]
    side = side_of_threshold(float((asked - origin) @ rotation[:, 0]), policy.side_threshold_m, policy.side_margin_m)
    height = side_of_threshold(float((asked - origin)[2]), policy.height_threshold_m, policy.height_margin_m)
    if side is None or height is None:
        context.reject("place before the move too near to a threshold")
        return None
    return _word(side, LEFT_RIGHT), _word(height, BELOW_ABOVE), "front"


def _beyond(value: float, limit: float) -> int | None:
    return (1 if value > 0 else -1) if abs(value) >= limit else None


def _word(sign: int, names: tuple[str, str]) -> str:
    return "" if sign == 0 else names[sign > 0]


def describe_oc(words: list[str]) -> str:
    """Where a thing is for an observer.

    >>> describe_oc(["left", "below", "front"]), describe_oc(["above"])
    ('to the left, below and in front', 'above')
    """
    text = {"left": "to the left", "right": "to the right", "front": "in front", "behind": "behind"}
    return join_words([text.get(word, word) for word in words])


def _fields(fact: Fact) -> dict[str, str]:
    assert isinstance(fact.answer, RelationAnswer)
    return {
        "red": f"{fact.labels['red']} (red box)",
        "blue": f"{fact.labels['blue']} (blue box)",
        "green": f"{fact.labels['green']} (green box)",
        "red_is": is_are(fact.labels["red"]),
        "before": describe_oc([word for word in fact.values["before"] if word]),
        "after": describe_oc(fact.answer.words),
    }


def _options(fact: Fact, place: int, rng: Random) -> list[str] | None:
    assert isinstance(fact.answer, RelationAnswer)
    return relation_options(fact.answer.value, (LEFT_RIGHT, BELOW_ABOVE, BEHIND_FRONT), place, rng)


IMAGINATION_OC = Wording(
    fields=_fields,
    stems={
        "select": (
            "an observer moves to the centre of the {green} and faces the {blue}. Where {red_is} the {red} from there?",
            "imagine standing in the middle of the {green}, looking towards the {blue}. On which side {red_is} "
            "the {red}?",
            "if you were at the centre of the {green} and turned to the {blue}, where would you find the {red}?",
            "put the observer at the centre of the {green} and let the view point to the {blue}. Where {red_is} "
            "the {red} then?",
            "take the place of the {green} with your eyes on the {blue}: in which direction {red_is} the {red}?",
            "after walking to the {green} and turning to the {blue}, where does the observer have the {red}?",
        ),
        "sentence": (
            "where {red_is} the {red} for the observer now, and where once the observer stands at the centre of "
            "the {green} "
            "facing the {blue}?",
            "say where the observer sees the {red} at first, and where it is after moving to the middle of the "
            "{green} and "
            "turning to the {blue}.",
            "how does the place of the {red} change for an observer who goes to the centre of the {green} and "
            "looks at the "
            "{blue}?",
            "first from the camera, then from the centre of the {green} facing the {blue}: where {red_is} the {red}?",
            "compare two viewpoints, the camera and the middle of the {green} with the view towards the {blue}. Where "
            "{red_is} the {red} in each?",
            "the observer leaves the camera, goes to the {green} and faces the {blue}. Where was the {red} "
            "before, and where "
            "{red_is} it afterwards?",
        ),
    },
    notes=(
        "Up and down follow the vertical of the room, and 3D centres stand for the objects.",
        "Use the 3D centres; height is judged along the vertical of the room, against the observer's own.",
        "Centres in 3D count. The observer keeps upright, so above and below mean room height.",
    ),
    select_notes=(
        "Each option names left or right, above or below, front or behind; a gap means no clear difference.",
        "Options list three things in order: left/right, above/below, front/behind. An empty place stands for a tie.",
        "Read an option as left-right, above-below, front-behind, with nothing written where there is no clear "
        "difference.",
    ),
    sentences=(
        "before the move the observer has the {red} {before}; after it, {after}.",
        "at first the observer has the {red} {before}; after the move it is {after}.",
        "initially the {red} {red_is} {before}; from the new place the direction is {after}.",
        "seen from the camera, the {red} {red_is} {before}; seen from the {green}, {after}.",
        "the {red} {red_is} {before} at the start; then, facing the {blue}, the observer has it {after}.",
        "from the first viewpoint the {red} {red_is} {before}; from the second it is {after}.",
    ),
    options=_options,
)
