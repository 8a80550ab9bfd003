"""How large an object is (SPAR `spatial_volume_infer`; fill, sentence; single view).

Worked example. The oriented box of a table is 1.20 m by 0.60 m on the floor and 0.75 m high, and no part of the table
is hidden or beyond the border of the image:

    question  The table (red bounding box) is to be measured. How many centimetres are its length, width and height? ...
    answer    120, 60, 75

Height is the extent along the vertical of the room. Length and width are the two sides of the box on the floor, the
longer one being the length, so nobody has to know what the front of the object is. Written are whole centimetres.

A size cannot be told from a part of the object: all eight corners of its box lie inside the image, and hardly anything
hides it. A box that leans has no height in this sense, and a thing that is too thin has no size in centimetres. Nor
does a box tell the size when a few stray points of the annotation stretch it (see `geometry.stray`).
"""

from __future__ import annotations

from collections.abc import Mapping

from spaceland.geometry.upright import lean_deg, length_width_height
from spaceland.questions.answers import SizeAnswer
from spaceland.questions.facts import Fact, TaskContext
from spaceland.questions.language import is_are
from spaceland.questions.phrasing import Wording
from spaceland.questions.propose import Solved, proposer
from spaceland.questions.setups import Setup, single_views


def solve_size(context: TaskContext, setup: Setup) -> Solved | None:
    """Size of the pick's box."""
    policy, view, frame = context.policy, setup.picks[0].view, setup.observer
    if view.truncated > policy.max_size_truncated or view.occluded > policy.max_size_occluded:
        context.reject("not whole in the view", value=max(view.truncated, view.occluded))
        return None
    box = context.thing(view.object_id).box
    size, tilt_deg = length_width_height(box), lean_deg(box)
    if tilt_deg > policy.max_box_tilt_deg:
        context.reject("its box leans", value=tilt_deg)
        return None
    if min(size) < policy.min_size_m:
        context.reject("too thin to be measured", value=min(size))
        return None
    stray = context.views.stray_share(view.object_id)
    if stray > policy.max_stray_share:
        context.reject("its box holds stray points", value=stray)
        return None
    rotation, origin = frame.T_world_cam[:3, :3], frame.T_world_cam[:3, 3]
    corners, _ = frame.camera.project((box.corners() - origin) @ rotation)
    if not frame.camera.contains(corners).all():
        context.reject("its box reaches beyond the image")
        return None
    length, width, height = (100 * side for side in size)
    return Solved(
        SizeAnswer((length, width, height)),
        {"tilt_deg": round(tilt_deg, 2)},
        {
            "max_box_tilt_deg": policy.max_box_tilt_deg,
            "min_size_m": policy.min_size_m,
            "max_stray_share": policy.max_stray_share,
            "height_axis": "vertical",
            "length": "longer horizontal side",
        },
    )


propose_size = proposer("spatial_volume_infer", single_views, ("red",), "bbox", solve_size)


def _fields(fact: Fact) -> Mapping[str, str]:
    assert isinstance(fact.answer, SizeAnswer)
    length, width, height = fact.answer.whole_cm
    return {
        "a": fact.name("red"),
        "a_is": is_are(fact.labels["red"]),
        "length": str(length),
        "width": str(width),
        "height": str(height),
    }


SIZE = Wording(
    fields=_fields,
    stems={
        "*": (
            "the {a} {a_is} to be measured. How many centimetres are the length, the width and the height?",
            "what are the length, width and height of the {a} in centimetres?",
            "estimate how long, how wide and how high the {a} {a_is}, in centimetres.",
            "give the length, the width and the height of the {a} in centimetres.",
            "a carton is to fit exactly around the {a}. Which length, width and height in centimetres does it need?",
            "judge the size of the {a}: length, width and height in centimetres.",
            "how many centimetres does the {a} measure in length, width and height?",
        )
    },
    notes=(
        "Height is vertical; of the two horizontal sides the longer one is the length.",
        "The length is the longer horizontal side, the width the shorter one, and the height goes straight up.",
        "Take the upright box around it: its longer horizontal side, its shorter one, and how high it is.",
    ),
    tails={
        "fill": (
            "Answer with three whole numbers: length, width, height.",
            "Give length, width and height as three whole numbers with commas between them.",
            "Reply with the three whole numbers only, in the order length, width, height.",
            "Write just the length, the width and the height, separated by commas.",
            "State three whole numbers in this order: length, width, height.",
            "Three whole numbers are enough: length first, then width, then height.",
        )
    },
    sentences=(
        "the {a} {a_is} about {length} cm long, {width} cm wide and {height} cm high.",
        "the length of the {a} is about {length} cm, the width {width} cm and the height {height} cm.",
        "I estimate the {a} at {length} cm in length, {width} cm in width and {height} cm in height.",
        "a length of {length} cm, a width of {width} cm and a height of {height} cm: that is the size of the {a}.",
        "about {length} cm long, {width} cm wide and {height} cm high: that is how large the {a} {a_is}.",
        "the {a} would fit into a carton {length} cm long, {width} cm wide and {height} cm high.",
    ),
)
