"""Distance between two objects (SPAR `distance_prediction_oo`; fill, select, sentence; one view).

Worked example. Box centres at (1, 2, 0.5) and (1, 4, 2) in world metres are sqrt(2^2 + 1.5^2) = 2.5 m apart:

    image     a red point on the chair, a blue point on the picture
    question  How many metres are there between the chair (red point) and the picture (blue point)? ...
    answer    2.5

The straight line joins the centres of the two boxes, as in SPAR; nothing on the way matters.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations
from random import Random

import numpy as np

from spaceland.questions.answers import NumberAnswer
from spaceland.questions.facts import Fact, TaskContext, round_robin, shuffled
from spaceland.questions.marks import point_mark
from spaceland.questions.phrasing import Wording, number_options
from spaceland.scenes.scene import Frame


def propose_distance_oo(context: TaskContext, rng: Random) -> Iterator[Fact]:
    """Pairs of clearly visible objects; which is red is chance."""
    return round_robin(_in_frame(context, frame, rng) for frame in shuffled(context.scene.frames, rng))


def _in_frame(context: TaskContext, frame: Frame, rng: Random) -> Iterator[Fact]:
    views = context.views.askable(frame.id)
    if len(views) < 2:
        context.reject("fewer than two clear objects in the view")
    asked: set[frozenset[int]] = set()
    for a, b in shuffled(permutations(views, 2), rng):
        pair = frozenset((a.object_id, b.object_id))
        if pair in asked:
            continue
        asked.add(pair)
        distance = float(np.linalg.norm(context.thing(a.object_id).center - context.thing(b.object_id).center))
        if distance < context.policy.min_distance_m:
            context.reject("centres almost coincide")
            continue
        width, height = frame.camera.width, frame.camera.height
        yield Fact(
            task="distance_prediction_oo",
            frames=(frame.id,),
            objects={"red": a.object_id, "blue": b.object_id},
            labels={"red": context.label(a.object_id), "blue": context.label(b.object_id)},
            answer=NumberAnswer(distance, "m"),
            marks=(point_mark("red", a, 0, width, height), point_mark("blue", b, 0, width, height)),
            values={"distance_m": round(distance, 6)},
            params={"measure": "between box centres", "min_distance_m": context.policy.min_distance_m},
        )


def _fields(fact: Fact) -> dict[str, str]:
    return {
        "a": f"{fact.labels['red']} (red point)",
        "b": f"{fact.labels['blue']} (blue point)",
        "value": fact.answer.text,
    }


def _options(fact: Fact, place: int, rng: Random) -> list[str] | None:
    assert isinstance(fact.answer, NumberAnswer)
    return number_options(fact.answer.value, place, rng, low=0.1)


DISTANCE_OO = Wording(
    fields=_fields,
    stems={
        "*": (
            "how many metres are there between the {a} and the {b}?",
            "how far apart are the {a} and the {b}, in metres?",
            "what is the straight-line distance in metres from the {a} to the {b}?",
            "find the distance between the {a} and the {b} in metres.",
            "in a straight line, how many metres lie between the {a} and the {b}?",
            "estimate in metres how far the {b} and the {a} are from each other.",
            "a tape measure runs from the {a} to the {b}. How many metres does it show?",
        )
    },
    notes=(
        "Measure from centre to centre in 3D.",
        "The distance is that of the 3D centres of the two objects.",
        "Take the middle of each object in 3D as its place.",
    ),
    sentences=(
        "the {a} and the {b} are about {value} m apart.",
        "it is roughly {value} m from the {a} to the {b}.",
        "the distance between the {a} and the {b} is about {value} m.",
        "between the centres of the {a} and the {b} there are {value} m.",
        "a straight line from the {a} to the {b} would be about {value} m long.",
        "I estimate {value} m between the {a} and the {b}.",
    ),
    options=_options,
)
