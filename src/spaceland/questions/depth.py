"""Depth of one object, given that of another (SPAR `depth_prediction_oc`; fill, select, sentence; one view).

Worked example. A camera at (0, 0, 1.5) looks along world y. A chair's centre is 1.6 m ahead, a lamp's 2.9 m:

    image     a red point on the chair, a blue point on the lamp
    question  The chair (red point) is 1.6 m deep. How deep is the lamp (blue point)? ... Answer with one number.
    answer    2.9

Depth is the z coordinate of the object's box centre in the camera: distance along the viewing direction, not along the
line of sight. One depth is given because a single image has no scale.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations
from random import Random

from spaceland.questions.answers import NumberAnswer
from spaceland.questions.facts import Fact, TaskContext, round_robin, shuffled
from spaceland.questions.language import is_are
from spaceland.questions.marks import point_mark
from spaceland.questions.phrasing import Wording, number_options
from spaceland.scenes.scene import Frame


def propose_depth_oc(context: TaskContext, rng: Random) -> Iterator[Fact]:
    """Ordered pairs of clearly visible objects; the first one's depth is given."""
    return round_robin(_in_frame(context, frame, rng) for frame in shuffled(context.scene.frames, rng))


def _in_frame(context: TaskContext, frame: Frame, rng: Random) -> Iterator[Fact]:
    views = context.views.askable(frame.id)
    if len(views) < 2:
        context.reject("fewer than two clear objects in the view")
    for given, asked in shuffled(permutations(views, 2), rng):
        depth_given = float(context.center_cam(frame, given.object_id)[2])
        depth_asked = float(context.center_cam(frame, asked.object_id)[2])
        if abs(depth_asked - depth_given) < context.policy.min_depth_gap_m:
            context.reject("equal depths")
            continue
        width, height = frame.camera.width, frame.camera.height
        yield Fact(
            task="depth_prediction_oc",
            frames=(frame.id,),
            objects={"red": given.object_id, "blue": asked.object_id},
            labels={"red": context.label(given.object_id), "blue": context.label(asked.object_id)},
            answer=NumberAnswer(depth_asked, "m"),
            marks=(point_mark("red", given, 0, width, height), point_mark("blue", asked, 0, width, height)),
            values={"given_depth_m": round(depth_given, 6), "depth_m": round(depth_asked, 6)},
            params={
                "measure": "z of the box centre in the camera",
                "min_depth_gap_m": context.policy.min_depth_gap_m,
            },
        )


def _fields(fact: Fact) -> dict[str, str]:
    return {
        "a": f"{fact.labels['red']} (red point)",
        "b": f"{fact.labels['blue']} (blue point)",
        "a_is": is_are(fact.labels["red"]),
        "b_is": is_are(fact.labels["blue"]),
        "given": f"{fact.values['given_depth_m']:.1f}",
        "value": fact.answer.text,
    }


def _options(fact: Fact, place: int, rng: Random) -> list[str] | None:
    assert isinstance(fact.answer, NumberAnswer)
    return number_options(fact.answer.value, place, rng, low=0.2)


DEPTH_OC = Wording(
    fields=_fields,
    stems={
        "*": (
            "the {a} {a_is} {given} m deep in this image. How deep {b_is} the {b}, in metres?",
            "take {given} m as the depth of the {a}. What is the depth of the {b} in metres?",
            "if the depth of the {a} is {given} m, what depth in metres has the {b}?",
            "one depth is known: {given} m for the {a}. Work out the depth of the {b} in metres.",
            "compared with the {a}, whose depth is {given} m, at what depth in metres {b_is} the {b}?",
            "given the {a} at a depth of {given} m, estimate how many metres deep the {b} {b_is}.",
            "knowing that the {a} {a_is} at a depth of {given} m, find the depth of the {b} in metres.",
        )
    },
    notes=(
        "Depth runs along the viewing direction and refers to the centre of each object in 3D.",
        "Both depths are those of the 3D centres, measured along the optical axis.",
        "Measure to the middle of the object in 3D, straight along the camera's viewing direction.",
    ),
    sentences=(
        "the {b} {b_is} at a depth of about {value} m.",
        "the centre of the {b} lies roughly {value} m deep.",
        "I would put the depth of the {b} at {value} m.",
        "at about {value} m, that is how deep the {b} {b_is}.",
        "measured along the viewing direction, the {b} {b_is} about {value} m away.",
        "the depth of the {b} comes to {value} m.",
    ),
    options=_options,
)
