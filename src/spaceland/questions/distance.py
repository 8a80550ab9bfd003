"""Distance to the observer and between two objects (SPAR `distance_prediction_oc|oo`, `_mv`, `_video`).

Worked example. Box centres at (1, 2, 0.5) and (1, 4, 2) in world metres are sqrt(2^2 + 1.5^2) = 2.5 m apart; from a
camera at (1, 0, 0.5) the first one is 2.0 m away:

    two objects  How many metres are there between the chair (red point) and the picture (blue point)? ...      2.5
    observer     How far from the observer is the chair (red point), in metres? ...                             2.0

The straight line joins the centres of the two boxes, as in SPAR, or their nearest points where `Conventions.distance`
is "surface"; nothing on the way matters. With several images "the camera" would be any of theirs: there the text speaks
of the observer alone, and says that the observer is the camera of the first image.
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
from spaceland.questions.setups import Setup, multi_views, single_views, videos


def between_m(context: TaskContext, a: int, b: int) -> float:
    """Distance of two objects under the conventions in force."""
    if context.conventions.distance == "surface":
        return context.views.surface_distance_m(a, b)
    return float(np.linalg.norm(context.thing(a).center - context.thing(b).center))


def _solved(context: TaskContext, kind: str, distance: float) -> Solved | None:
    if distance < context.policy.min_distance_m:
        context.reject("too near to each other")
        return None
    return Solved(
        NumberAnswer(distance, "m", context.conventions.decimals),
        {"distance_m": round(distance, 6)},
        {
            "measure": context.conventions.distance,
            "decimals": context.conventions.decimals,
            "min_distance_m": context.policy.min_distance_m,
            **usual_params(context, kind, distance),
        },
    )


def solve_distance_oo(context: TaskContext, setup: Setup) -> Solved | None:
    """Distance of the two picks."""
    a, b = setup.picks
    kind = "pair in view" if len(setup.frames) == 1 else "pair"
    return _solved(context, kind, between_m(context, a.object_id, b.object_id))


def solve_distance_oc(context: TaskContext, setup: Setup) -> Solved | None:
    """Distance of the pick from the camera of the first image."""
    distances = context.views.observer_distances_m(setup.observer, context.conventions.distance)
    kind = "observer" if len(setup.frames) == 1 else "anywhere"
    return _solved(context, kind, distances[setup.picks[0].object_id])


_several = partial(multi_views, observer=False)
_observed = partial(multi_views, observer=True)
propose_distance_oc = proposer("distance_prediction_oc", single_views, ("red",), "point", solve_distance_oc)
propose_distance_oc_mv = proposer("distance_prediction_oc_mv", _observed, ("red",), "point", solve_distance_oc)
_pair = ("red", "blue")
_between = partial(proposer, roles=("red", "blue"), shape="point", solve=solve_distance_oo, ordered=False)
propose_distance_oo = _between("distance_prediction_oo", single_views)
propose_distance_oo_mv = _between("distance_prediction_oo_mv", _several)
propose_distance_oo_video = _between("distance_prediction_oo_video", videos)


def _fields(fact: Fact) -> Mapping[str, str]:
    eye = "camera" if len(fact.frames) == 1 else "observer"
    fields = {"a": fact.name("red"), "a_is": is_are(fact.labels["red"]), "value": fact.answer.text, "eye": eye}
    if "blue" in fact.labels:
        fields["b"] = fact.name("blue")
    return fields


def _notes_oo(fact: Fact) -> Sequence[str]:
    return _NOTES_OO_CENTER if fact.params["measure"] == "center" else _NOTES_OO_SURFACE


def _notes_oc(fact: Fact) -> Sequence[str]:
    texts = _NOTES_OC_CENTER if fact.params["measure"] == "center" else _NOTES_OC_SURFACE
    if len(fact.frames) == 1:
        return texts
    return tuple(f"{text} The observer is the camera of the first image." for text in texts)


_NOTES_OO_CENTER = (
    "Measure from centre to centre in 3D.",
    "The distance is that of the 3D centres of the two objects.",
    "Take the middle of each object in 3D as its place.",
)
_NOTES_OO_SURFACE = (
    "Measure between the nearest points of the two objects.",
    "The distance is that of the closest points of their surfaces.",
    "Take the shortest way from the surface of one to that of the other.",
)
_NOTES_OC_CENTER = (
    "Measure from the {eye} to the centre of the object in 3D.",
    "The distance is that between the {eye} and the 3D centre of the object.",
    "Take the middle of the object in 3D as its place.",
)
_NOTES_OC_SURFACE = (
    "Measure from the {eye} to the nearest point of the object.",
    "The distance is that between the {eye} and the closest point of its surface.",
    "Take the shortest way from the {eye} to the object.",
)


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
    notes=_notes_oo,
    sentences=(
        "the {a} and the {b} are about {value} m apart.",
        "it is roughly {value} m from the {a} to the {b}.",
        "the distance between the {a} and the {b} is about {value} m.",
        "between the {a} and the {b} there are {value} m.",
        "a straight line from the {a} to the {b} would be about {value} m long.",
        "I estimate {value} m between the {a} and the {b}.",
    ),
    options=options_of,
    places=places_of,
)

DISTANCE_OC = Wording(
    fields=_fields,
    stems={
        "*": (
            "how far from the observer {a_is} the {a}, in metres?",
            "how many metres are there between the camera and the {a}?",
            "what is the straight-line distance in metres from the observer to the {a}?",
            "find the distance of the {a} from the camera in metres.",
            "in a straight line, how many metres away from the observer {a_is} the {a}?",
            "estimate in metres how far the {a} {a_is} from the camera.",
        )
    },
    notes=_notes_oc,
    sentences=(
        "the {a} {a_is} about {value} m from the observer.",
        "it is roughly {value} m from the camera to the {a}.",
        "the distance of the {a} from the observer is about {value} m.",
        "between the camera and the {a} there are {value} m.",
        "a straight line from the observer to the {a} would be about {value} m long.",
        "I estimate {value} m to the {a}.",
    ),
    options=options_of,
    places=places_of,
)

DISTANCE_OC_MV = replace(
    DISTANCE_OC,
    stems={
        "*": (
            "how far from the observer {a_is} the {a}, in metres?",
            "how many metres are there between the observer and the {a}?",
            "what is the straight-line distance in metres from the observer to the {a}?",
            "find the distance of the {a} from the observer in metres.",
            "in a straight line, how many metres away from the observer {a_is} the {a}?",
            "estimate in metres how far the {a} {a_is} from the observer.",
        )
    },
    sentences=(
        "the {a} {a_is} about {value} m from the observer.",
        "it is roughly {value} m from the observer to the {a}.",
        "the distance of the {a} from the observer is about {value} m.",
        "between the observer and the {a} there are {value} m.",
        "a straight line from the observer to the {a} would be about {value} m long.",
        "I estimate {value} m from the observer to the {a}.",
    ),
)
"""Over two or three images."""
