"""In which order kinds of things come into view (SPAR `appearance_order`; fill, sentence; video of 32 frames).

Worked example. The first frame that clearly shows a lamp is the 2nd, for a chair it is the 7th, for a table the 12th
and for a shelf the 20th; no earlier frame shows even a little of one:

    question  In what order do the table, the lamp, the shelf and the chair come into view? ...
    answer    lamp, chair, table, shelf

All objects of a label count, and the first of them to be seen decides. Things may come in over the image border: then
`max_glimpse_frames` right before may show a little of it (neither seen nor unseen, see `frames_seen`). A label of which
earlier frames show a little has no clear beginning and is left out. Two labels are told apart when the first one is
clearly seen `min_appearance_gap` frames before anything of the second is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from random import Random

from spaceland.questions.answers import OrderAnswer
from spaceland.questions.facts import Fact, TaskContext
from spaceland.questions.frames_seen import is_seen, seen_params
from spaceland.questions.language import join_words
from spaceland.questions.phrasing import Wording
from spaceland.questions.setups import arrangements
from spaceland.scenes.scene import Frame

ROLES = ("red", "blue", "green", "yellow")
"""Names of the places in the question; nothing is marked."""


@dataclass(frozen=True)
class Appearance:
    """The first frame (counted from 1) that clearly shows a label, and the largest object of that label in it.

    `glimpse` is the first frame that shows even a little of it.
    """

    label: str
    number: int
    object_id: int
    glimpse: int


def appearances(context: TaskContext, frames: Sequence[Frame]) -> list[Appearance]:
    """Labels with a clear first appearance, by label."""
    found = []
    by_label: dict[str, list[int]] = {}
    for thing in context.scene.objects:
        by_label.setdefault(thing.label, []).append(thing.id)
    for label in sorted(by_label):
        if context.views.is_excluded(context.thing(by_label[label][0])):
            context.reject("excluded label", objects=by_label[label])
        elif "," in label:
            context.reject("label holds a comma", objects=by_label[label])
        else:
            first = _first(context, frames, by_label[label])
            if first is not None:
                found.append(Appearance(label, *first))
    return found


def _first(context: TaskContext, frames: Sequence[Frame], object_ids: Sequence[int]) -> tuple[int, int, int] | None:
    """Number of the first frame that shows one of some objects, which it shows most of, and the first glimpse."""
    glimpse = 0
    for number, frame in enumerate(frames, 1):
        views = [context.views.visibility.view(frame.id, object_id) for object_id in object_ids]
        states = [(is_seen(context, frame, view), view) for view in views]
        clear = [view for seen, view in states if seen and view is not None]
        if clear:
            largest = max(clear, key=lambda view: (view.visible_px, -view.object_id))
            if glimpse and number - glimpse > context.policy.max_glimpse_frames:
                context.reject("a glimpse long before it is clearly seen", (frame.id,), (largest.object_id,))
                return None
            return number, largest.object_id, glimpse or number
        if any(seen is None for seen, _ in states):
            glimpse = glimpse or number
    context.reject("never clearly seen", objects=object_ids)
    return None


def propose_order(context: TaskContext, rng: Random) -> Iterator[Fact]:
    """Four labels that first appear well after one another."""
    frames = context.video_frames()
    if frames is None:
        return
    gap = context.policy.min_appearance_gap
    asked: set[frozenset[str]] = set()
    for chosen in arrangements(appearances(context, frames), len(ROLES), rng):
        labels = frozenset(one.label for one in chosen)
        if labels in asked:
            continue
        asked.add(labels)
        in_order = sorted(chosen, key=lambda one: one.number)
        if any(b.glimpse - a.number < gap for a, b in pairwise(in_order)):
            context.reject("first appearances too near to each other", objects=[one.object_id for one in in_order])
            continue
        yield Fact(
            task="appearance_order",
            frames=tuple(frame.id for frame in frames),
            objects={role: one.object_id for role, one in zip(ROLES, chosen, strict=True)},
            labels={role: one.label for role, one in zip(ROLES, chosen, strict=True)},
            answer=OrderAnswer(tuple(one.label for one in in_order)),
            values={"first_frames": [one.number for one in chosen]},
            params={
                **seen_params(context),
                "min_appearance_gap": gap,
                "max_glimpse_frames": context.policy.max_glimpse_frames,
            },
        )


def _fields(fact: Fact) -> dict[str, str]:
    numbers = dict(zip(ROLES, fact.values["first_frames"], strict=True))
    names = [f"the {fact.labels[role]}" for role in sorted(ROLES, key=lambda role: numbers[role])]
    return {
        "things": join_words([f"the {fact.labels[role]}" for role in ROLES]),
        "in_order": join_words(names),
        "steps": ", then ".join(names),
        "first": names[0],
        "rest": ", next ".join(names[1:]),
        "second": names[1],
        "third": names[2],
        "last": names[3],
    }


ORDER = Wording(
    fields=_fields,
    stems={
        "*": (
            "in what order do {things} come into view?",
            "put {things} in the order in which the video first shows them.",
            "four kinds of things can be seen: {things}. Which comes first, and which ones after it?",
            "sort {things} by the time at which they are first seen.",
            "watch for {things}. In what order do they turn up?",
            "what is the order of first appearance of {things}?",
        )
    },
    notes=(
        "Where there are several of a kind, the first to be seen counts.",
        "A kind begins with the first of its things that is seen.",
        "Of several things of one kind, only the earliest matters.",
    ),
    tails={
        "fill": (
            "Answer with the four names, parted by commas.",
            "Reply with the names only, in order, with commas between them.",
            "Write the four names in order, separated by commas.",
            "Give just the list of names, first to last, with commas.",
            "List the names from first to last with commas and nothing else.",
            "The four names in order, with commas, are enough.",
        )
    },
    sentences=(
        "they come into view in this order: {in_order}.",
        "the order is {in_order}.",
        "one sees first {steps}.",
        "the video begins with {first}; next {rest}.",
        "one after the other, there come {in_order}.",
        "at first {first} can be seen, after that {second}, later {third}, and at last {last}.",
    ),
)
