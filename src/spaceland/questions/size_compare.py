"""Which of two objects is larger (`size_comparison_oo`; select, judge, sentence; single view).

Worked example. The box of a bookcase is 0.9 m x 0.4 m on the floor and 1.5 m high, that of a sofa 2.1 m x 0.9 m and
0.85 m high. Both stand whole in the image:

    height   Which one is taller? ...                   the bookcase (1.5 m against 0.85 m)
    length   Which one is longer? ...                   the sofa (2.1 m against 0.9 m, the longer horizontal sides)
    volume   Which one takes up more space? ...         the sofa (1.61 cubic metres against 0.54)

Sizes are those of the oriented boxes, whatever the image makes them look like. The larger one must beat the other by
the factor `size_ratio` (`volume_ratio` for volumes) and by `size_margin_m`, but not by more than `max_size_ratio`
(`max_volume_ratio`): that leaves out a good part of the pairs (not all) which need no image, such as a wardrobe and a
cup. For the same reason two labels are compared only a few times. Two things of one label are told apart by their
marks. Little of either thing may be hidden or cut off, and stray points may not stretch the boxes. Thin things such as
pictures are not compared by volume. A high thing may be "longer" in the eyes of some than one with a longer horizontal
side: the winner by length has the longest of all sides, too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Any

from spaceland.geometry.upright import lean_deg, length_width_height
from spaceland.questions.answers import ChoiceAnswer
from spaceland.questions.facts import Fact, TaskContext
from spaceland.questions.language import is_are, is_plural
from spaceland.questions.phrasing import Wording
from spaceland.questions.propose import Solved, fact_of
from spaceland.questions.setups import Setup, single_views
from spaceland.scenes.scene import SceneObject

MEASURES = ("height", "length", "volume")


def size_of(thing: SceneObject, measure: str) -> float:
    """Height or length of an object's box in metres, or its volume in cubic metres."""
    length, width, height = length_width_height(thing.box)
    return {"height": height, "length": length, "volume": length * width * height}[measure]


def propose_size_comparison(context: TaskContext, rng: Random) -> Iterator[Fact]:
    """Pairs of objects that differ clearly in a measure; red is the larger one as often as blue."""
    measures = [rng.choice(MEASURES) for _ in range(16)]
    asked: Counter[frozenset[str]] = Counter()
    for number, setup in enumerate(single_views(context, rng, 2)):
        ids = frozenset(pick.object_id for pick in setup.picks)
        labels = frozenset(context.label(object_id) for object_id in ids)
        if context.asked_enough(ids):
            context.reject("same objects asked about before", (setup.observer.id,), tuple(sorted(ids)))
            continue
        if asked[labels] >= context.policy.max_same_labels:
            context.reject("same labels compared before", (setup.observer.id,), tuple(sorted(ids)))
            continue
        context.looking_at = setup
        solved = _solve(context, setup, measures[number % len(measures)])
        context.looking_at = None
        if solved is not None:
            before = context.times_asked(ids)
            yield fact_of(context, "size_comparison_oo", setup, ("red", "blue"), "bbox", solved)
            asked[labels] += context.times_asked(ids) - before  # the question may have been turned down


def _solve(context: TaskContext, setup: Setup, measure: str) -> Solved | None:
    policy = context.policy
    things = [context.thing(pick.object_id) for pick in setup.picks]
    for thing, pick in zip(things, setup.picks, strict=True):
        if pick.view.truncated > policy.max_compared_truncated or pick.view.occluded > policy.max_compared_occluded:
            context.reject("not whole enough in the view", value=max(pick.view.truncated, pick.view.occluded))
            return None
        leans_deg = lean_deg(thing.box)
        if leans_deg > policy.max_box_tilt_deg:
            context.reject("its box leans", value=leans_deg)
            return None
        stray = context.views.stray_share(thing.id)
        if stray > policy.max_stray_share:
            context.reject("its box holds stray points", value=stray)
            return None
        thinnest = min(length_width_height(thing.box))
        if measure == "volume" and thinnest < policy.min_volume_side_m:
            context.reject("too thin for a volume", value=thinnest)
            return None
    red, blue = (size_of(thing, measure) for thing in things)
    ratio = policy.volume_ratio if measure == "volume" else policy.size_ratio
    margin = 0.0 if measure == "volume" else policy.size_margin_m
    small, large = sorted((red, blue))
    # Rounding noise of a moved world must not decide exact ties.
    if round(large - ratio * small, 6) < 0 or round(large - small - margin, 6) < 0:
        context.reject("too near to a tie", value=large - small)
        return None
    most = policy.max_volume_ratio if measure == "volume" else policy.max_size_ratio
    if round(large - most * small, 6) > 0:
        context.reject("one is far larger", value=large / small)
        return None
    winner = "red" if red > blue else "blue"
    longest = [max(length_width_height(thing.box)) for thing in things]
    if measure == "length" and round((longest[0] - longest[1]) * (red - blue), 6) <= 0:
        context.reject("another side is longer", value=abs(longest[0] - longest[1]))
        return None
    name = f"{context.label(setup.picks[winner == 'blue'].object_id)} ({winner} bounding box)"
    return Solved(
        ChoiceAnswer(winner, name),
        {"red_size": round(red, 4), "blue_size": round(blue, 4)},
        {
            "measure": measure,
            "unit": "m3" if measure == "volume" else "m",
            **_limits(context, measure),
            "max_box_tilt_deg": policy.max_box_tilt_deg,
            "max_stray_share": policy.max_stray_share,
        },
    )


def _limits(context: TaskContext, measure: str) -> dict[str, Any]:
    policy = context.policy
    if measure == "volume":
        return {
            "volume_ratio": policy.volume_ratio,
            "volume_limit": policy.max_volume_ratio,
            "min_volume_side_m": policy.min_volume_side_m,
        }
    return {"size_tie": [policy.size_ratio, policy.size_margin_m], "size_limit": policy.max_size_ratio}


_MORE = {
    "height": ("taller", "the greater height", "more height"),
    "length": ("longer", "the longer horizontal side", "more length"),
    "volume": ("larger", "the greater volume", "more volume"),
}
_LESS = {"height": "less tall", "length": "less long", "volume": "smaller"}
_NOTES = {
    "height": (
        "Height is the extent along the vertical of the room.",
        "Real sizes count, not sizes in the image; height goes straight up.",
        "Compare how high the two are in the room, from their lowest to their highest point.",
    ),
    "length": (
        "Length is the longer horizontal side of the box around an object.",
        "Real sizes count, not sizes in the image; take the longer horizontal side as the length.",
        "Compare the longer horizontal sides of the two, not their heights.",
    ),
    "volume": (
        "Compare the volumes of the boxes around the two.",
        "Real sizes count, not sizes in the image; volume is that of the box around an object.",
        "The volume of the upright box around an object decides.",
    ),
}


def _notes(fact: Fact) -> Sequence[str]:
    return _NOTES[fact.params["measure"]]


def _fields(fact: Fact) -> Mapping[str, str]:
    loser = "blue" if fact.answer.value == "red" else "red"
    adjective, noun, more = _MORE[fact.params["measure"]]
    winner_label = fact.labels[str(fact.answer.value)]
    return {
        "a": fact.name("red"),
        "b": fact.name("blue"),
        "winner": fact.name(str(fact.answer.value)),
        "loser": fact.name(loser),
        "is": is_are(winner_label),
        "loser_is": is_are(fact.labels[loser]),
        "has": "have" if is_plural(winner_label) else "has",
        "adjective": adjective,
        "noun": noun,
        "more": more,
        "lesser": _LESS[fact.params["measure"]],
    }


def _options(fact: Fact, place: int, rng: Random) -> list[str] | None:
    loser = "blue" if fact.answer.value == "red" else "red"
    options = [fact.name(loser)]
    options.insert(place, fact.answer.text)
    return options


def _statement(fact: Fact, truth: bool, rng: Random) -> dict[str, str]:
    """A claim about two objects in random order; false ones say the opposite."""
    first, second = rng.sample(("red", "blue"), 2)
    is_larger = fact.answer.value == first
    adjective, lesser = _MORE[fact.params["measure"]][0], _LESS[fact.params["measure"]]
    return {
        "first": fact.name(first),
        "second": fact.name(second),
        "first_is": is_are(fact.labels[first]),
        "claim": adjective if is_larger == truth else lesser,
    }


SIZE_COMPARISON = Wording(
    fields=_fields,
    stems={
        "judge": (
            "{first_is} the {first} {claim} than the {second}?",
            "somebody says that the {first} {first_is} {claim} than the {second}. Do you agree?",
            "check this statement: the {first} {first_is} {claim} than the {second}. Is it true?",
            "would a tape measure show that the {first} {first_is} {claim} than the {second}?",
            "look at the two marked objects: the {first} {first_is} {claim} than the {second}. Is that right?",
            "in reality, {first_is} the {first} {claim} than the {second}?",
        ),
        "*": (
            "which of the two is {adjective} in reality: the {a} or the {b}?",
            "compare the {a} with the {b}. Which one has {noun}?",
            "the {a} and the {b} are marked. Which of them is {adjective}?",
            "of the {a} and the {b}, which has {noun}?",
            "somebody measures the {a} and the {b}. Which one turns out to be {adjective}?",
            "between the {a} and the {b}, which one has {more}?",
        ),
    },
    notes=_notes,
    sentences=(
        "the {winner} {is} {adjective} than the {loser}.",
        "the {winner} {has} {noun}, compared with the {loser}.",
        "of the two, the {winner} {has} {more}.",
        "the {loser} {loser_is} {lesser} than the {winner}.",
        "in reality the {winner} {is} {adjective}.",
        "measured in the room, the {winner} {is} the {adjective} of the two.",
    ),
    options=_options,
    statement=_statement,
    num_options=2,
)
