"""Depth, given that of another object (SPAR `depth_prediction_oc|oo`, and `_mv` over several views).

Worked example. A camera at (0, 0, 1.5) looks along world y. A chair's centre is 1.6 m ahead, a lamp's 2.9 m, a box's
4.0 m:

    one object    The chair (red point) is at a depth of 1.6 m. At what depth is the lamp (blue point)? ...
    answer        2.9
    two objects   The chair (red point) is at a depth of 1.6 m. By how many metres do the depths of the lamp (blue
                  point) and the box (green point) differ? ...
    answer        1.1

Depth is the z coordinate of the object's box centre in the camera: distance along the viewing direction, not along the
line of sight (unless `Conventions.depth` says so). One depth is given because images have no scale. With several
images each depth is that in the image which shows the mark; only of two objects in the same image is one in front of
the other. As in SPAR, the difference is written without a sign; sentences say which way it goes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from spaceland.questions.answers import NumberAnswer
from spaceland.questions.facts import Fact, TaskContext
from spaceland.questions.language import is_are
from spaceland.questions.likely_numbers import options_of, places_of, usual_params
from spaceland.questions.phrasing import Wording
from spaceland.questions.propose import Solved, proposer
from spaceland.questions.setups import Pick, Setup, multi_views, single_views


def depth_m(context: TaskContext, setup: Setup, pick: Pick) -> float:
    """Depth of a pick's centre in the image that shows its mark."""
    center = context.center_cam(setup.frame_of(pick), pick.object_id)
    return float(center[2]) if context.conventions.depth == "z" else float(np.linalg.norm(center))


def _params(context: TaskContext, kind: str, value: float) -> dict[str, object]:
    conventions = context.conventions
    return {
        "measure": conventions.depth,
        "decimals": conventions.decimals,
        "min_depth_gap_m": context.policy.min_depth_gap_m,
        **usual_params(context, kind, value),
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
        {"min_depth_m": context.policy.min_depth_m, **_params(context, "depth", asked)},
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
        _params(context, "gap", abs(asked - base)),
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
        "axis": "viewing direction" if fact.params["measure"] == "z" else "line of sight",
    }
    if "green" in fact.labels:
        deeper = fact.values["depth_m"] > fact.values["base_depth_m"]
        fields |= {
            "c": fact.name("green"),
            "c_is": is_are(fact.labels["green"]),
            "more": "greater" if deeper else "smaller",
            "side": "behind" if deeper else "in front of",
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


DEPTH_OC = Wording(
    fields=_fields,
    stems={
        "*": (
            "the {a} {a_is} at a depth of {given} m. At what depth in metres {b_is} the {b}?",
            "take {given} m as the depth of the {a}. What is the depth of the {b} in metres?",
            "if the depth of the {a} is {given} m, what is the depth of the {b} in metres?",
            "one depth is known: {given} m for the {a}. Work out the depth of the {b} in metres.",
            "compared with the {a}, whose depth is {given} m, at what depth in metres {b_is} the {b}?",
            "given the {a} at a depth of {given} m, estimate the depth of the {b} in metres.",
            "knowing that the {a} {a_is} at a depth of {given} m, find the depth of the {b} in metres.",
        )
    },
    notes=_notes,
    sentences=(
        "the {b} {b_is} at a depth of about {value} m.",
        "the centre of the {b} lies at a depth of roughly {value} m.",
        "I would put the depth of the {b} at {value} m.",
        "about {value} m is the depth of the {b}.",
        "measured along the {axis}, the {b} {b_is} about {value} m away.",
        "the depth of the {b} comes to {value} m.",
    ),
    options=options_of,
    places=places_of,
)

_STEMS_OO = (
    "the {a} {a_is} at a depth of {given} m. By how many metres do the depths of the {b} and the {c} differ?",
    "take {given} m as the depth of the {a}. How much greater or smaller is the depth of the {c} than that of the {b}, "
    "in metres?",
    "if the depth of the {a} is {given} m, by how many metres do the depths of the {b} and the {c} differ?",
    "given that {given} m is the depth of the {a}, compare the {c} with the {b}: by how many metres do their depths "
    "differ?",
    "one depth is known: {given} m for the {a}. What is the difference between the depths of the {b} and the {c}, in "
    "metres?",
    "with {given} m as the depth of the {a}, find in metres by how much the depths of the {c} and the {b} differ.",
)
_SENTENCES_OO = (
    "the depth of the {c} is about {value} m {more} than that of the {b}.",
    "compared with that of the {b}, the depth of the {c} is roughly {value} m {more}.",
    "the depth of the {c} differs from that of the {b} by {value} m: it is {more}.",
    "I would say that the depth of the {c} is {value} m {more} than the depth of the {b}.",
    "by about {value} m the depth of the {c} is {more} than that of the {b}.",
    "the difference is {value} m: the depth of the {c} is {more} than the depth of the {b}.",
)
DEPTH_OO = Wording(
    fields=_fields,
    stems={
        "*": (
            *_STEMS_OO,
            "one depth is known: {given} m for the {a}. How many metres of depth lie between the {b} and the {c}?",
            "given {given} m as the depth of the {a}, how far apart in depth are the {b} and the {c}, in metres?",
        )
    },
    notes=_notes,
    sentences=(
        *_SENTENCES_OO,
        "in depth, the {c} {c_is} {value} m {side} the {b}.",
        "measured along the {axis}, the {c} {c_is} about {value} m {side} the {b}.",
    ),
    options=options_of,
    places=places_of,
)
DEPTHS_APART = Wording(
    fields=_fields, stems={"*": _STEMS_OO}, notes=_notes, sentences=_SENTENCES_OO, options=options_of, places=places_of
)
"""For two depths of different images: there is no depth between the two, and none is in front of the other."""


def _in_one_image(fact: Fact) -> bool:
    shown = {mark.color: mark.image_index for mark in fact.marks}
    return shown["blue"] == shown["green"]


DEPTH_OO_MV = replace(DEPTHS_APART, of_fact=lambda fact: DEPTH_OO if _in_one_image(fact) else DEPTHS_APART)
