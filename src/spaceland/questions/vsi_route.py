"""Which turns to take on a way through the room (VSI-Bench `route_planning`; select; video of 32 frames, no marks).

Worked example. You start at the door, facing the sofa straight ahead; the desk is to the right of the sofa, and the
shelf is to the left of somebody who walks from the sofa to the desk:

    question  A robot starts at the door and faces the sofa. It is to reach the shelf and has these steps: 1. Go forward
              until you reach the sofa. 2. [turn] 3. Go forward until you reach the desk. 4. [turn] 5. Go forward until
              you reach the shelf. ...
    options   A. Turn Left, Turn Left   B. Turn Right, Turn Left   C. Turn Right, Turn Back   D. Turn Back, Turn Left
    answer    B

A step "go forward until" is a straight way over free floor towards the middle of a thing, up to a stop in front of it
(`ground`); where nothing else is in between, the thing is reached and no other. All things stand on the floor and are
the only ones of their label. A route has one to three turns, as those of VSI-Bench mostly have, each clearly to the
left, to the right or back; either the first step goes to the thing that is faced, or it is a turn. With one turn there
are three options, with more of them four.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise, product
from random import Random
from typing import Literal

import numpy as np

from spaceland.questions import vsi_rules
from spaceland.questions.answers import WordsAnswer
from spaceland.questions.facts import Fact, TaskContext, shuffled, vector
from spaceland.questions.ground import IN_THE_WAY_M, Ground
from spaceland.questions.phrasing import Wording
from spaceland.questions.policy import AmbiguityPolicy
from spaceland.questions.setups import arrangements
from spaceland.questions.vsi_ways import Walker
from spaceland.scenes.floor import FoundFloor, floor_of
from spaceland.scenes.scene import Frame, SceneObject

ROLES = ("red", "blue", "green", "yellow", "purple")
"""Where the route starts, what is faced, and where each turn leads; the last of them is the end."""
Form = Literal["straight", "turn"]
_TURNS = {"left": "Turn Left", "right": "Turn Right", "back": "Turn Back"}
_FORMS: tuple[Form, ...] = ("straight", "turn")
_NUM_TURNS = (1, 2, 2, 3)
"""How many turns routes have, as often as they stand here."""
_PER_START = 2
"""Routes with the same start and view."""


def propose_vsi_route(context: TaskContext, rng: Random) -> Iterator[Fact]:
    """Routes between things that stand on the floor and are clearly seen."""
    frames = context.video_frames()
    if frames is None:
        return
    floor = floor_of(context.scene)
    if floor.room is None or not floor.room.has_outline:
        context.reject(f"floor unknown: {floor.problem or 'no outline'}")
        return
    walker = Walker(Ground.of(floor.room, context.scene.objects), context.policy)
    things = _landmarks(context, walker, frames)
    for start, facing in arrangements(things, 2, rng):
        place = walker.first_place(start, facing)
        if place is None:
            context.reject("nowhere to stand", objects=(start.id, facing.id))
            continue
        others = [thing for thing in things if thing not in (start, facing)]
        for form, turns in zip(shuffled(_FORMS, rng), rng.sample(_NUM_TURNS, _PER_START), strict=True):
            for way in _ways(context, walker, place, start, facing, shuffled(others, rng), form, turns):
                things_of_way = (start, facing, *way.reached)
                if context.asked_enough(frozenset(thing.id for thing in things_of_way)):
                    context.reject("same objects asked about before")
                    continue
                yield _fact(context, frames, floor, things_of_way, way)
                break


@dataclass(frozen=True, eq=False)
class _Way:
    """A way that is clear: the things that its turns lead to, its places, and its turns to the left."""

    form: Form
    reached: list[SceneObject]
    places: list[np.ndarray]
    turns: list[float]


def _landmarks(context: TaskContext, walker: Walker, frames: Sequence[Frame]) -> list[SceneObject]:
    """Things on the floor that are clearly seen and have a label of their own."""
    things = []
    for object_id in context.views.best_in(tuple(frame.id for frame in frames)):
        thing = context.thing(object_id)
        if context.scene.label_counts[thing.label] > 1:
            context.reject("label is not unique", objects=(object_id,))
        elif walker.ground.lifts_m.get(object_id, np.inf) > context.policy.max_route_lift_m:
            context.reject("does not stand on the floor", objects=(object_id,))
        else:
            things.append(thing)
    return things


def _ways(
    context: TaskContext,
    walker: Walker,
    place: np.ndarray,
    start: SceneObject,
    facing: SceneObject,
    others: list[SceneObject],
    form: Form,
    turns: int,
) -> Iterator[_Way]:
    """Ways of a form and of so many turns from a place, over some of the other things."""
    heading, places, at = facing.center[:2] - place, [place], start
    if form == "straight":
        stop = walker.leg(place, facing)
        if stop is None:
            context.reject("no free way", objects=(facing.id,))
            return
        places, at = [place, stop], facing

    def onward(way: _Way, heading: np.ndarray, before: SceneObject, at: SceneObject) -> Iterator[_Way]:
        for thing in others:
            if thing in way.reached:
                continue
            view = [before, at if way.reached else facing, thing]
            step = _turn_and_go(context, walker, way.places[-1], heading, view, at)
            if step is None:
                continue
            longer = _Way(form, [*way.reached, thing], [*way.places, step[1]], [*way.turns, step[0]])
            words = [turn_word(turn, context.policy, context.policy.route_margin_deg) for turn in longer.turns]
            if words.count("back") > 1:
                context.reject("leads back twice", objects=(thing.id,))
                continue
            if len(longer.turns) < turns:
                yield from onward(longer, step[1] - way.places[-1], at, thing)
            elif round(float(np.hypot(*(step[1] - place))), 6) < context.policy.min_route_leg_m:
                context.reject("ends where it starts", objects=(thing.id,))
            else:
                yield longer

    yield from onward(_Way(form, [], places, []), heading, start, at)


def _turn_and_go(
    context: TaskContext,
    walker: Walker,
    place: np.ndarray,
    heading: np.ndarray,
    way: Sequence[SceneObject],
    at: SceneObject,
) -> tuple[float, np.ndarray] | None:
    """By how many degrees one turns left towards the last thing of `way`, and where one stops in front of it.

    `way` starts with two things whose middles give the view roughly, and `at` is where one is: readers who do not know
    the exact places must find the same turn.
    """
    thing = way[-1]
    turn = vsi_rules.turn_deg(place, place + heading, thing.center[:2])
    word = turn_word(turn, context.policy, context.policy.route_margin_deg)
    if turn is None or word is None:
        context.reject("no clear turn", objects=(thing.id,), value=turn)
        return None
    middle, view = at.center[:2], way[1].center[:2] - way[0].center[:2]
    if turn_word(vsi_rules.turn_deg(middle, middle + view, thing.center[:2]), context.policy, 0.0) != word:
        context.reject("the turn depends on where exactly one stands", objects=(thing.id,), value=turn)
        return None
    stop = walker.leg(place, thing)
    if stop is None:
        context.reject("no free way", objects=(thing.id,))
        return None
    return turn, stop


def turn_word(turn_left: float | None, policy: AmbiguityPolicy, margin_deg: float) -> str | None:
    """The word "left", "right" or "back" for a turn; None for what is no turn, or too near to a threshold.

    >>> [turn_word(deg, AmbiguityPolicy(), 10.0) for deg in (25.0, 60.0, -120.0, -135.0, 160.0)]
    [None, 'left', 'right', None, 'back']
    """
    if turn_left is None:
        return None
    size = round(abs(turn_left), 6)
    if size >= policy.route_back_deg + margin_deg:
        return "back"
    if policy.route_turn_deg + margin_deg <= size <= policy.route_back_deg - margin_deg:
        return "left" if turn_left > 0 else "right"
    return None


def _fact(
    context: TaskContext, frames: Sequence[Frame], floor: FoundFloor, things: Sequence[SceneObject], way: _Way
) -> Fact:
    policy = context.policy
    words = [turn_word(turn, policy, policy.route_margin_deg) for turn in way.turns]
    return Fact(
        task="vsi_route_planning",
        frames=tuple(frame.id for frame in frames),
        objects={role: thing.id for role, thing in zip(ROLES, things, strict=False)},
        labels={role: thing.label for role, thing in zip(ROLES, things, strict=False)},
        answer=WordsAnswer(tuple(_TURNS[word] for word in words if word is not None)),
        values={
            "places_m": [vector(place) for place in way.places],
            "turns_left_deg": [round(turn, 4) for turn in way.turns],
            "legs_m": [round(float(np.hypot(*(b - a))), 4) for a, b in pairwise(way.places)],
        },
        params={
            "form": way.form,
            "route_stop_m": policy.route_stop_m,
            "route_body_m": policy.route_body_m,
            "max_route_lift_m": policy.max_route_lift_m,
            "min_route_leg_m": policy.min_route_leg_m,
            "in_the_way_m": list(IN_THE_WAY_M),
            "route_turn": [policy.route_turn_deg, policy.route_margin_deg],
            "route_back": [policy.route_back_deg, policy.route_margin_deg],
            **floor.params,
        },
    )


def _fields(fact: Fact) -> dict[str, str]:
    labels = list(fact.labels.values())
    steps = [f"Go forward until you reach the {labels[1]}."] if fact.params["form"] == "straight" else []
    for label in labels[2:]:
        steps += ["[turn]", f"Go forward until you reach the {label}."]
    listed = " ".join(f"{k}. {step}" for k, step in enumerate(steps, 1))
    return {"start": labels[0], "facing": labels[1], "end": labels[-1], "steps": listed}


def _options(fact: Fact, place: int, rng: Random) -> list[str] | None:
    assert isinstance(fact.answer, WordsAnswer)
    turns, right = len(fact.answer.value), fact.answer.text
    # Few ways lead back more than once, and those are not asked about: no option may tell by that what is wrong.
    all_turns = [words for words in product(_TURNS.values(), repeat=turns) if words.count(_TURNS["back"]) <= 1]
    others = [", ".join(words) for words in all_turns if words != fact.answer.value]
    num_options = 3 if turns == 1 else 4
    if place >= num_options:
        return None
    wrong = rng.sample(others, num_options - 1)
    return [*wrong[:place], right, *wrong[place:]]


def _notes(asked: Sequence[str], fact: Fact) -> Sequence[str]:
    """What is asked, and from where on a turn counts as one back."""
    back_deg = fact.params["route_back"][0]
    return [f"{text} A turn of {back_deg:g} degrees or more is a turn back." for text in asked]


_SEVERAL_TURNS = Wording(
    fields=_fields,
    stems={
        "*": (
            "a robot starts at the {start} and faces the {facing}. It is to reach the {end} by these steps: {steps}",
            "you stand beside the {start}, looking at the {facing}, and want to get to the {end}. The way is: {steps}",
            "a way leads from the {start}, facing the {facing}, to the {end}: {steps}",
            "begin at the {start} and look towards the {facing}. To arrive at the {end}, follow this plan: {steps}",
            "somebody next to the {start} faces the {facing} and asks for the way to the {end}. You say: {steps}",
            "from the {start}, turned to the {facing} at first, a cleaning robot drives to the {end} so: {steps}",
        )
    },
    notes=partial(
        _notes,
        (
            "Which turns belong in the places marked [turn]: left, right or back?",
            "The turns are left out. Each [turn] is a turn to the left, to the right, or back: which are they?",
            "Fill in every place marked [turn] with a turn left, right or back.",
        ),
    ),
    sentences=(),
    options=_options,
)
_ONE_TURN = replace(
    _SEVERAL_TURNS,
    notes=partial(
        _notes,
        (
            "Which turn belongs in the place marked [turn]: left, right or back?",
            "The turn is left out. Is it a turn to the left, to the right, or back?",
            "Fill in the place marked [turn] with a turn left, right or back.",
        ),
    ),
    tails={
        "select": (
            "Answer with the letter of the right option.",
            "Choose one of the options and give its letter.",
            "Give nothing but the letter of the right option.",
            "Reply with A, B or C only.",
            "Pick the option that fits and answer with its letter.",
            "Give the letter of the one correct option.",
        )
    },
    num_options=3,
)
VSI_ROUTE = replace(
    _SEVERAL_TURNS, of_fact=lambda fact: _ONE_TURN if len(fact.values["turns_left_deg"]) == 1 else _SEVERAL_TURNS
)
