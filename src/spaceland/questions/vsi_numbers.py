"""VSI-Bench's four questions that are answered by a number (fill; video of 32 frames, no marks).

    vsi_object_counting           how many of a kind, at least two      "4"
    vsi_object_size_estimation    longest side of a box, centimetres    "221"
    vsi_room_size_estimation      floor area, square metres             "24.6"
    vsi_object_abs_distance       between the nearest points, metres    "1.3"

Worked example. The only bed has a box of 1.60 x 2.21 x 0.85 m, the only lamp stands 1.27 m away from it:

    size      How many centimetres does the bed measure along its longest side? ...                  221
    distance  How many metres of space are there between the bed and the lamp at the least? ...      1.3

As in VSI-Bench things are named by their labels, of which the room has one each. The conventions of this package about
distances and decimals do not apply: units and decimals are VSI-Bench's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from random import Random

from spaceland.questions import vsi_rules
from spaceland.questions.answers import CountAnswer, NumberAnswer
from spaceland.questions.counting import propose_count
from spaceland.questions.facts import Fact, TaskContext
from spaceland.questions.language import is_plural, plural
from spaceland.questions.phrasing import Wording
from spaceland.questions.propose import Solved, proposer
from spaceland.questions.room import propose_room_size
from spaceland.questions.setups import Setup
from spaceland.questions.vsi_setups import unique_things

_UNDECIDED = 0.001
"""As a share of the last written digit."""


def propose_vsi_count(context: TaskContext, rng: Random) -> Iterator[Fact]:
    """Kinds of which there are two or more, each of them clearly seen."""
    for fact in propose_count(context, rng):
        assert isinstance(fact.answer, CountAnswer)
        if fact.answer.value < context.policy.vsi_min_count:
            context.reject("count outside the limits", fact.frames, tuple(fact.objects.values()), fact.answer.value)
            continue
        yield replace(fact, task="vsi_object_counting")


def propose_vsi_room_size(context: TaskContext, rng: Random) -> Iterator[Fact]:
    """One fact for each scene with a known floor."""
    for fact in propose_room_size(context, rng):
        assert isinstance(fact.answer, NumberAnswer)
        params = {**fact.params, "decimals": 1}
        yield replace(fact, task="vsi_room_size_estimation", answer=replace(fact.answer, decimals=1), params=params)


def _solve_size(context: TaskContext, setup: Setup) -> Solved | None:
    box = context.thing(setup.picks[0].object_id).box
    longest = vsi_rules.longest_side_cm(box)
    if longest < 100 * context.policy.vsi_min_size_m:
        context.reject("too small to be measured")
        return None
    if _between_two(longest, 1.0):
        context.reject("between two rounded numbers")
        return None
    stray = context.views.stray_share(setup.picks[0].object_id)
    if stray > context.policy.max_stray_share:
        context.reject("its box holds stray points", value=stray)
        return None
    params = {"measure": "longest side of the box", "decimals": 0, "vsi_min_size_m": context.policy.vsi_min_size_m}
    params["max_stray_share"] = context.policy.max_stray_share
    return Solved(NumberAnswer(longest, "cm", 0), {"longest_side_cm": round(longest, 6)}, params)


def _solve_distance(context: TaskContext, setup: Setup) -> Solved | None:
    a, b = setup.picks
    # The scene's table of box distances: the same as `vsi_rules.least_distance_m`, for all pairs at once.
    distance = context.views.surface_distance_m(a.object_id, b.object_id)
    if distance < context.policy.vsi_min_distance_m:
        context.reject("too near to each other")
        return None
    if _between_two(distance, 0.1):
        context.reject("between two rounded numbers")
        return None
    params = {"measure": "surface", "decimals": 1, "vsi_min_distance_m": context.policy.vsi_min_distance_m}
    return Solved(NumberAnswer(distance, "m", 1), {"distance_m": round(distance, 6)}, params)


def _between_two(value: float, step: float) -> bool:
    """Whether a value is so near the middle of two written numbers that either could be written."""
    return abs(value / step % 1 - 0.5) < _UNDECIDED


propose_vsi_size = proposer("vsi_object_size_estimation", unique_things, ("red",), None, _solve_size)
propose_vsi_distance = proposer(
    "vsi_object_abs_distance", unique_things, ("red", "blue"), None, _solve_distance, ordered=False
)


def _count_fields(fact: Fact) -> dict[str, str]:
    return {"labels": plural(fact.labels["counted"])}


def _names(fact: Fact) -> dict[str, str]:
    fields = {"a": fact.labels["red"], "a_does": "do" if is_plural(fact.labels["red"]) else "does"}
    fields["a_measure"] = "measure" if is_plural(fact.labels["red"]) else "measures"
    if "blue" in fact.labels:
        fields["b"] = fact.labels["blue"]
    return fields


VSI_COUNT = Wording(
    fields=_count_fields,
    stems={
        "*": (
            "how many {labels} does the room of this video hold?",
            "how many {labels} stand, lie or hang in this room?",
            "what is the number of {labels} in the room?",
            "having seen the whole room, how many {labels} did you count?",
            "how many different {labels} are there in this room?",
            "the camera goes through a room. How many {labels} are in it?",
        )
    },
    notes=(
        "Count each one once.",
        "One that comes into view again is not counted again.",
        "Every one counts a single time, however many frames show it.",
    ),
    sentences=(),
)
VSI_SIZE = Wording(
    fields=_names,
    stems={
        "*": (
            "how many centimetres {a_does} the {a} measure along the longest side?",
            "give the largest dimension of the {a} in centimetres.",
            "take length, width and height of the {a}. How long is the longest of the three, in centimetres?",
            "the {a} would just fit into a box. How long is the longest edge of that box, in centimetres?",
            "in centimetres, what is the greatest extent of the {a} in length, width or height?",
            "estimate how many centimetres the {a} {a_measure} in the direction of the greatest extent.",
        )
    },
    notes=(
        "Whichever is the largest counts, be it length, width or height.",
        "It does not matter whether this is the length, the width or the height.",
        "Think of the smallest box around it.",
    ),
    sentences=(),
)
VSI_ROOM_SIZE = Wording(
    fields=lambda fact: {},
    stems={
        "*": (
            "how many square metres does this room have?",
            "what is the area of the room in the video, in square metres?",
            "estimate in square metres how large this room is.",
            "give the size of the space shown, in square metres.",
            "the video shows a room. What is its floor area in square metres?",
            "how big is this room, measured in square metres of floor?",
        )
    },
    notes=(
        "If the video shows several rooms, give their area together.",
        "All rooms that can be seen count together.",
        "Should there be more than one room, add them up.",
    ),
    sentences=(),
)
VSI_DISTANCE = Wording(
    fields=_names,
    stems={
        "*": (
            "how many metres of space are there between the {a} and the {b} at the least?",
            "from the nearest point of the {a} to the nearest point of the {b}, how many metres is it?",
            "how far is the {a} from the {b}, in metres?",
            "what is the shortest distance between the {a} and the {b} in metres?",
            "give the distance in metres that separates the {a} from the {b}.",
            "a string is stretched from the {a} to the {b}, as short as possible. How many metres long is it?",
        )
    },
    notes=(
        "Measure between the closest points of the smallest boxes around them.",
        "What counts are the closest points of the boxes around them, not the centres.",
        "Take the gap between the smallest boxes around them.",
    ),
    sentences=(),
)
