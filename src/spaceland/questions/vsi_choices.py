"""VSI-Bench's questions with options (select; video of 32 frames, no marks), apart from route plans.

    vsi_object_rel_distance            which of four things is nearest to a fifth
    vsi_object_rel_direction_easy      left or right
    vsi_object_rel_direction_medium    left, right or back (a turn of 135 degrees or more)
    vsi_object_rel_direction_hard      front-left, front-right, back-left or back-right
    vsi_obj_appearance_order           which of four orders is that of first appearance

Worked example. You stand at the chair and face the table straight north; the lamp is to the south-west, so you would
turn 135 + 20 degrees to the left to face it:

    medium  Standing at the chair and facing the table, in which direction do you find the lamp? ...
            A. right   B. back   C. left                                                                    B

Directions within `min_axis_angle_deg` of a turn with another answer are not asked about, nor things beside which
somebody would stand too near; the nearest thing is at least `vsi_min_distance_m` away and beats the next one by
`tie_margin_m` and by `tie_ratio`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import permutations
from random import Random

import numpy as np

from spaceland.questions import vsi_rules
from spaceland.questions.answers import ChoiceAnswer, OrderAnswer, WordsAnswer
from spaceland.questions.facts import Fact, TaskContext, shuffled
from spaceland.questions.language import is_are, join_words
from spaceland.questions.order import ROLES, propose_order
from spaceland.questions.phrasing import Wording
from spaceland.questions.propose import Solved, proposer
from spaceland.questions.setups import Setup
from spaceland.questions.vsi_setups import unique_things

CHOICES = ("blue", "green", "yellow", "purple")
"""Roles of the four things of which one is nearest to the red one."""


def _solve_nearest(context: TaskContext, setup: Setup) -> Solved | None:
    policy = context.policy
    target, *others = (pick.object_id for pick in setup.picks)
    labels = [context.label(object_id) for object_id in others]
    if any("," in label for label in labels):
        context.reject("label holds a comma")
        return None
    distances = [context.views.surface_distance_m(target, object_id) for object_id in others]
    nearest, second = sorted(distances)[:2]
    if nearest < policy.vsi_min_distance_m:
        # What touches it, or stands on it, is found without measuring anything.
        context.reject("too near to each other", value=nearest)
        return None
    # Rounded, so that the noise of a moved world does not decide exact ties.
    gaps = second - nearest - policy.tie_margin_m, second - nearest * policy.tie_ratio
    if min(round(gap, 6) for gap in gaps) < 0:
        context.reject("two are about as near")
        return None
    best = distances.index(nearest)
    return Solved(
        ChoiceAnswer(CHOICES[best], labels[best]),
        {"distances_m": [round(distance, 6) for distance in distances]},
        {
            "measure": "surface",
            "tie": [policy.tie_margin_m, policy.tie_ratio],
            "vsi_min_distance_m": policy.vsi_min_distance_m,
        },
    )


def _solve_direction(context: TaskContext, setup: Setup, level: vsi_rules.Level) -> Solved | None:
    policy = context.policy
    standing, facing, asked = (context.thing(pick.object_id).center for pick in setup.picks)
    if np.hypot(*(facing - standing)[:2]) < policy.min_facing_distance_m:
        context.reject("faced object too near")
        return None
    if np.hypot(*(asked - standing)[:2]) < policy.min_imagined_distance_m:
        context.reject("asked object too near")
        return None
    turned = vsi_rules.turn_deg(standing, facing, asked)
    if turned is None or round(vsi_rules.edge_gap_deg(turned, level), 6) < policy.min_axis_angle_deg:
        context.reject("direction unclear")
        return None
    return Solved(
        WordsAnswer((vsi_rules.direction(turned, level),)),
        {"turn_left_deg": round(turned, 6)},
        {
            "level": level,
            "min_axis_angle_deg": policy.min_axis_angle_deg,
            "min_facing_distance_m": policy.min_facing_distance_m,
            "min_imagined_distance_m": policy.min_imagined_distance_m,
        },
    )


_one_of_four = partial(unique_things, alike=len(CHOICES))
propose_vsi_nearest = proposer("vsi_object_rel_distance", _one_of_four, ("red", *CHOICES), None, _solve_nearest)


def _direction(level: vsi_rules.Level) -> Callable[[TaskContext, Random], Iterator[Fact]]:
    solve = partial(_solve_direction, level=level)
    # Stand at green, face blue, where is red: as the imagined observers of this package.
    return proposer(f"vsi_object_rel_direction_{level}", unique_things, ("green", "blue", "red"), None, solve)


propose_vsi_direction_easy = _direction("easy")
propose_vsi_direction_medium = _direction("medium")
propose_vsi_direction_hard = _direction("hard")


def propose_vsi_order(context: TaskContext, rng: Random) -> Iterator[Fact]:
    """As `appearance_order`."""
    for fact in propose_order(context, rng):
        yield replace(fact, task="vsi_obj_appearance_order")


def _placed(right: str, wrong: list[str], place: int) -> list[str] | None:
    options = [*wrong[:place], right, *wrong[place:]]
    return options if len(set(options)) == len(options) else None


def _nearest_options(fact: Fact, place: int, rng: Random) -> list[str] | None:
    labels = [fact.labels[role] for role in CHOICES]
    right = fact.answer.text
    return _placed(right, shuffled([label for label in labels if label != right], rng), place)


def _direction_options(fact: Fact, place: int, rng: Random) -> list[str] | None:
    words = vsi_rules.direction_words(fact.params["level"])
    right = fact.answer.text
    return _placed(right, shuffled([word for word in words if word != right], rng), place)


def _order_options(fact: Fact, place: int, rng: Random) -> list[str] | None:
    assert isinstance(fact.answer, OrderAnswer)
    right = fact.answer.value
    wrong = [order for order in permutations(right) if order != right]
    return _placed(fact.answer.text, [", ".join(order) for order in rng.sample(wrong, 3)], place)


def _nearest_fields(fact: Fact) -> dict[str, str]:
    things = [f"the {fact.labels[role]}" for role in CHOICES]
    return {"a": fact.labels["red"], "a_is": is_are(fact.labels["red"]), "things": join_words(things)}


def _direction_fields(fact: Fact) -> dict[str, str]:
    red = fact.labels["red"]
    return {"red": red, "green": fact.labels["green"], "blue": fact.labels["blue"], "red_is": is_are(red)}


def _order_fields(fact: Fact) -> dict[str, str]:
    return {"things": join_words([f"the {fact.labels[role]}" for role in ROLES])}


VSI_NEAREST = Wording(
    fields=_nearest_fields,
    stems={
        "*": (
            "of {things}, which one is nearest to the {a}?",
            "which of these has the shortest way to the {a}: {things}?",
            "compare {things}. Which of them is closest to the {a}?",
            "four things to choose from: {things}. Which is the least distance away from the {a}?",
            "among {things}, find the one with the smallest gap to the {a}.",
            "out of {things}, what is found closest to the {a}?",
        )
    },
    notes=(
        "Measure between the closest points of the smallest boxes around them.",
        "What counts is the gap between the boxes around them, not that between centres.",
        "Take the gaps between the smallest boxes around them.",
    ),
    sentences=(),
    options=_nearest_options,
)
_DIRECTION_STEMS = (
    "you stand in the middle of the {green} and are facing the {blue}. Where {red_is} the {red} from there?",
    "standing at the centre of the {green} and facing the {blue}, in which direction do you find the {red}?",
    "imagine a walk to the middle of the {green}, and a view towards the {blue}. On which side {red_is} the {red}?",
    "if you take the place of the {green} with your eyes on the {blue}, where would the {red} be?",
    "with your place at the centre of the {green} and facing the {blue}: where {red_is} the {red}?",
    "from the centre of the {green} you look at the {blue}. Where {red_is} the {red}?",
)
_TWO_TAILS = (
    "Answer with the letter of the right option.",
    "Choose one of the options and give its letter.",
    "Give nothing but the letter of the right option.",
    "Which option is right? Give the letter.",
    "Pick the option that fits and answer with its letter.",
    "Give the letter of the one correct option.",
)


def _direction_wording(notes: tuple[str, ...], num_options: int) -> Wording:
    return Wording(
        fields=_direction_fields,
        stems={"*": _DIRECTION_STEMS},
        notes=notes,
        tails={"select": _TWO_TAILS},
        sentences=(),
        options=_direction_options,
        num_options=num_options,
    )


VSI_DIRECTION_EASY = _direction_wording(
    (
        "Only the side matters, seen from above.",
        "Tell the side only.",
        "Think of a plan of the room: which side is it?",
    ),
    2,
)
VSI_DIRECTION_MEDIUM = _direction_wording(
    (
        "What takes you a turn of 135 degrees or more to face is at the back.",
        "Back means that you have to turn by at least 135 degrees.",
        "Anything that is 135 degrees or more away from straight ahead counts as back.",
    ),
    3,
)
VSI_DIRECTION_HARD = _direction_wording(
    (
        "The four answers are the quarters of a plan with your place in the middle and your view straight up.",
        "Cut the plan into four quarters, along your view and across it, through your place.",
        "Each answer is a quarter of the circle around you, and your view parts the two in front.",
    ),
    4,
)
VSI_ORDER = Wording(
    fields=_order_fields,
    stems={
        "*": (
            "in which order does the video show {things} for the first time?",
            "{things}: which is seen first, and which next?",
            "what is the order in which {things} are first seen?",
            "which option lists {things} as they turn up in the video?",
            "by first appearance in the video, how do {things} follow each other?",
            "going through the frames, in what order does one meet {things}?",
        )
    },
    notes=(
        "Of several of a kind the first to be seen counts.",
        "A kind begins with the first of its things that is seen.",
        "Where there are several of a kind, only the earliest matters.",
    ),
    sentences=(),
    options=_order_options,
)
