"""How many objects of a kind a room holds (SPAR `obj_count`; fill, sentence; video of 32 frames).

Worked example. Four chairs are annotated, and each of them is clearly visible in at least one of the 32 frames:

    question  How many chairs can be seen in the video? Count each one once. Answer with one number.
    answer    4

A label is asked about only if every annotated object that carries it is clearly seen in one of the frames: otherwise
the video and the annotation would give different numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from spaceland.questions.answers import CountAnswer
from spaceland.questions.facts import Fact, TaskContext, shuffled
from spaceland.questions.language import capitalise, counted, is_plural, plural
from spaceland.questions.marks import to_thousand
from spaceland.questions.phrasing import Wording


def propose_count(context: TaskContext, rng: Random) -> Iterator[Fact]:
    """Every label of the scene that can be counted."""
    policy = context.policy
    frames = context.video_frames()
    if frames is None:
        return
    for label in shuffled(sorted(context.scene.label_counts), rng):
        things = [thing for thing in context.scene.objects if thing.label == label]
        if context.views.is_excluded(things[0]):
            context.reject("excluded label", objects=[thing.id for thing in things])
            continue
        if is_plural(label):
            context.reject("label names several things", objects=[thing.id for thing in things])
            continue
        if context.views.has_rival(label):
            context.reject("label is much like another one", objects=[thing.id for thing in things])
            continue
        if not policy.min_count <= len(things) <= policy.max_count:
            context.reject("count outside the limits", objects=[thing.id for thing in things], value=len(things))
            continue
        evidence = {}
        for thing in things:
            views = [context.views.askable_view(frame.id, thing.id) for frame in frames]
            best = max((view for view in views if view), key=lambda view: view.visible_px, default=None)
            if best is not None:
                camera = context.scene.frames_by_id[best.frame_id].camera
                x, y = (
                    to_thousand(best.anchor_px[0], camera.width),
                    to_thousand(best.anchor_px[1], camera.height),
                )
                evidence[str(thing.id)] = [best.frame_id, x, y]
        if len(evidence) < len(things):
            unseen = [thing.id for thing in things if str(thing.id) not in evidence]
            context.reject("one of them is never clearly seen", objects=unseen)
            continue
        yield Fact(
            task="obj_count",
            frames=tuple(frame.id for frame in frames),
            objects={f"{label} {k}": thing.id for k, thing in enumerate(things)},
            labels={"counted": label},
            answer=CountAnswer(len(things)),
            values={"seen_at": evidence},
            params={"counted": "annotated objects of the label, each seen in one of the frames"},
        )


def _fields(fact: Fact) -> dict[str, str]:
    assert isinstance(fact.answer, CountAnswer)
    count, label = fact.answer.value, fact.labels["counted"]
    return {
        "labels": plural(label),
        "Labels": capitalise(plural(label)),
        "counted": counted(label, count),
        "there_is": "there is" if count == 1 else "there are",
        "is": "is" if count == 1 else "are",
    }


COUNT = Wording(
    fields=_fields,
    stems={
        "*": (
            "how many {labels} can be seen in the video?",
            "count the {labels} in this room. How many are there?",
            "what is the number of {labels} shown in these frames?",
            "go through the frames and count the {labels}. How many did you find?",
            "how many different {labels} does the video show?",
            "in the whole video, how many {labels} appear?",
        )
    },
    notes=(
        "Count each one once, even if several frames show it.",
        "The same object in several frames counts once.",
        "Every object counts a single time.",
    ),
    sentences=(
        "{there_is} {counted} in the room.",
        "the video shows {counted}.",
        "I count {counted}.",
        "in all, {counted} {is} to be seen.",
        "going through the frames, one finds {counted}.",
        "the room holds {counted}.",
    ),
)
