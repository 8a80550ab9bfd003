"""Depth, given that of another object (SPAR `depth_prediction_oc|oo`, and `_mv` over several views).

Worked example. A camera at (0, 0, 1.5) looks along world y. A chair's centre is 1.6 m ahead, a lamp's 2.9 m, a box's
4.0 m:

    one object    The chair (red point) is 1.6 m deep. How deep is the lamp (blue point)? ...
    answer        2.9
    two objects   The chair (red point) is 1.6 m deep. How much deeper or shallower is the box (green point) than the
                  lamp (blue point)? ...
    answer        1.1

Depth is the z coordinate of the object's box centre in the camera: distance along the viewing direction, not along the
line of sight (unless `Conventions.depth` says so). One depth is given because images have no scale. With several
images each depth is that in the image which shows the mark. As in SPAR, the difference is written without a sign;
sentences say which way it goes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from random import Random

import numpy as np

from spaceland.questions.answers import NumberAnswer
from spaceland.questions.facts import Fact, TaskContext
from spaceland.questions.language import is_are
from spaceland.questions.phrasing import Wording, number_options
from spaceland.questions.propose import Solved, proposer
from spaceland.questions.setups import Pick, Setup, multi_views, single_views


def depth_m(context: TaskContext, setup: Setup, pick: Pick) -> float:
    """Depth of a pick's centre in the image that shows its mark."""
    center = context.center_cam(setup.frame_of(pick), pick.object_id)
    return float(center[2]) if context.conventions.depth == "z" else float(np.linalg.norm(center))


def _params(context: TaskContext) -> dict[str, object]:
    conventions = context.conventions
    return {
        "measure": conventions.depth,
        "decimals": conventions.decimals,
        "min_depth_gap_m": context.policy.min_depth_gap_m,
    }


def solve_depth_oc(context: TaskContext, setup: Setup) -> Solved | None:
    """Depth of the second pick; that of the first is given."""
    given, asked = (depth_m(context, setup, pick) for pick in setup.picks)
    if abs(asked - given) < context.policy.min_depth_gap_m:
        context.reject("equal depths")
        return None
    return Solved(
        NumberAnswer(asked, "m", context.conventions.decimals),
        {"given_depth_m": round(given, 6), "depth_m": round(asked, 6)},
        _params(context),
    )


def solve_depth_oo(context: TaskContext, setup: Setup) -> Solved | None:
    """By how much the depths of the second and third pick differ; that of the first is given."""
    given, base, asked = (depth_m(context, setup, pick) for pick in setup.picks)
    if abs(asked - base) < context.policy.min_depth_gap_m:
        context.reject("equal depths")
        return None
    return Solved(
        NumberAnswer(abs(asked - base), "m", context.conventions.decimals),
        {"given_depth_m": round(given, 6), "base_depth_m": round(base, 6), "depth_m": round(asked, 6)},
        _params(context),
    )


ROLES_OC, ROLES_OO = ("red", "blue"), ("red", "blue", "green")
_several = partial(multi_views, observer=False)
propose_depth_oc = proposer("depth_prediction_oc", single_views, ROLES_OC, "point", solve_depth_oc)
propose_depth_oc_mv = proposer("depth_prediction_oc_mv", _several, ROLES_OC, "point", solve_depth_oc)
propose_depth_oo = proposer("depth_prediction_oo", single_views, ROLES_OO, "point", solve_depth_oo)
propose_depth_oo_mv = proposer("depth_prediction_oo_mv", _several, ROLES_OO, "point", solve_depth_oo)


def _fields(fact: Fact) -> Mapping[str, str]:
    fields = {
        "a": fact.name("red"),
        "b": fact.name("blue"),
        "a_is": is_are(fact.labels["red"]),
        "b_is": is_are(fact.labels["blue"]),
        "given": f"{fact.values['given_depth_m']:.{fact.params['decimals']}f}",
        "value": fact.answer.text,
    }
    if "green" in fact.labels:
        deeper = fact.values["depth_m"] > fact.values["base_depth_m"]
        fields |= {
            "c": fact.name("green"),
            "c_is": is_are(fact.labels["green"]),
            "way": "deeper" if deeper else "shallower",
            "side": "behind" if deeper else "before",
        }
    return fields


def _notes(fact: Fact) -> Sequence[str]:
    own_image = " Each depth is that in the image with the mark." if len(fact.frames) > 1 else ""
    texts = _NOTES_Z if fact.params["measure"] == "z" else _NOTES_RANGE
    return tuple(text + own_image for text in texts)


_NOTES_Z = (
    "Depth runs along the viewing direction and refers to the centre of each object in 3D.",
    "All depths are those of the 3D centres, measured along the optical axis.",
    "Measure to the middle of the object in 3D, straight along the camera's viewing direction.",
)
_NOTES_RANGE = (
    "Depth runs from the camera straight to the centre of each object in 3D.",
    "All depths are lengths of the line of sight to the 3D centres.",
    "Measure from the camera to the middle of the object in 3D.",
)


def _options(fact: Fact, place: int, rng: Random) -> list[str] | None:
    assert isinstance(fact.answer, NumberAnswer)
    return number_options(fact.answer.value, place, rng, decimals=fact.answer.decimals, low=0.1)


DEPTH_OC = Wording(
    fields=_fields,
    stems={
        "*": (
            "the {a} {a_is} {given} m deep. How deep {b_is} the {b}, in metres?",
            "take {given} m as the depth of the {a}. What is the depth of the {b} in metres?",
            "if the depth of the {a} is {given} m, what depth in metres has the {b}?",
            "one depth is known: {given} m for the {a}. Work out the depth of the {b} in metres.",
            "compared with the {a}, whose depth is {given} m, at what depth in metres {b_is} the {b}?",
            "given the {a} at a depth of {given} m, estimate how many metres deep the {b} {b_is}.",
            "knowing that the {a} {a_is} at a depth of {given} m, find the depth of the {b} in metres.",
        )
    },
    notes=_notes,
    sentences=(
        "the {b} {b_is} at a depth of about {value} m.",
        "the centre of the {b} lies roughly {value} m deep.",
        "I would put the depth of the {b} at {value} m.",
        "at about {value} m, that is how deep the {b} {b_is}.",
        "seen from the camera, the {b} {b_is} about {value} m away.",
        "the depth of the {b} comes to {value} m.",
    ),
    options=_options,
)

DEPTH_OO = Wording(
    fields=_fields,
    stems={
        "*": (
            "the {a} {a_is} {given} m deep. How much deeper or shallower {c_is} the {c} than the {b}, in metres?",
            "take {given} m as the depth of the {a}. By how many metres do the depths of the {b} and the {c} differ?",
            "if the depth of the {a} is {given} m, how many metres differ the depths of the {b} and the {c}?",
            "one depth is known: {given} m for the {a}. How many metres of depth lie between the {b} and the {c}?",
            "given that {given} m is the depth of the {a}, compare the {c} with the {b}: how many metres differ their "
            "depths?",
            "given {given} m as the depth of the {a}, how far apart in depth are the {b} and the {c}, in metres?",
        )
    },
    notes=_notes,
    sentences=(
        "the {c} {c_is} about {value} m {way} than the {b}.",
        "in depth, the {c} {c_is} {value} m {side} the {b}.",
        "compared with the {b}, the {c} {c_is} roughly {value} m {way}.",
        "the depth of the {c} differs from that of the {b} by {value} m: it is {way}.",
        "about {value} m {way}: that is the {c} against the {b}.",
        "I would say that the {c} {c_is} {value} m {way} than the {b}.",
    ),
    options=_options,
)
