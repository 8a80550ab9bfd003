"""In which frames of a video an object can be seen (SPAR `obj_frame_locate`; sentence; video of 32 frames).

Worked example. The lamp has a red box in Frame-5. It is clearly seen in frames 4, 5, 6 and 19 and nothing of it in all
others:

    question  The lamp (red bounding box in Frame-5) is in view in some of the frames. Which ones? ...
    answer    The lamp (red bounding box in Frame-5) can be seen in Frame-4, Frame-5, Frame-6 and Frame-19.

Seen means that a good part of the object, or a large area of it, is visible; not seen, that next to nothing is. A video
in which the object is neither in even one frame (a corner of it at the image border, say) is not asked about.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

from spaceland.questions.answers import FramesAnswer
from spaceland.questions.facts import Fact, TaskContext, shuffled
from spaceland.questions.language import is_are, join_words
from spaceland.questions.marks import box_mark
from spaceland.questions.phrasing import Wording
from spaceland.scenes.scene import Frame
from spaceland.visibility.types import ObjectView


def is_seen(context: TaskContext, frame: Frame, view: ObjectView | None) -> bool | None:
    """Whether a frame clearly shows an object (True), clearly does not (False), or neither (None)."""
    if view is None:
        return False
    policy = context.policy
    share = view.visible_px / (frame.camera.width * frame.camera.height)
    if share < policy.unseen_area_share:
        return False
    if view.contradicted > policy.max_contradicted or share < policy.min_area_share:
        return None
    if share >= policy.seen_large_share or view.visible_fraction >= policy.seen_fraction:
        return True
    return None


def seen_params(context: TaskContext) -> dict[str, float]:
    """The limits of `is_seen`, for `params`."""
    policy = context.policy
    return {
        "min_area_share": policy.min_area_share,
        "seen_fraction": policy.seen_fraction,
        "seen_large_share": policy.seen_large_share,
        "unseen_area_share": policy.unseen_area_share,
    }


def propose_frames_seen(context: TaskContext, rng: Random) -> Iterator[Fact]:
    """Every object that some frames clearly show and all others clearly do not."""
    frames = context.video_frames()
    if frames is None:
        return
    best = context.views.best_in(tuple(frame.id for frame in frames))
    for object_id in shuffled(best, rng):
        fact = _of_object(context, frames, best[object_id])
        if fact is not None:
            yield fact


def _of_object(context: TaskContext, frames: Sequence[Frame], marked: ObjectView) -> Fact | None:
    policy, object_id = context.policy, marked.object_id
    numbers = []
    for number, frame in enumerate(frames, 1):
        seen = is_seen(context, frame, context.views.visibility.view(frame.id, object_id))
        if seen is None:
            context.reject("neither seen nor unseen in a frame", (frame.id,), (object_id,))
            return None
        if seen:
            numbers.append(number)
    if len(numbers) < policy.min_seen_frames:
        context.reject("seen in too few frames", (marked.frame_id,), (object_id,), len(numbers))
        return None
    if len(frames) - len(numbers) < policy.min_unseen_frames:
        context.reject("seen in almost all frames", (marked.frame_id,), (object_id,), len(numbers))
        return None
    place = next(k for k, frame in enumerate(frames) if frame.id == marked.frame_id)
    camera = frames[place].camera
    return Fact(
        task="obj_frame_locate",
        frames=tuple(frame.id for frame in frames),
        objects={"red": object_id},
        labels={"red": context.label(object_id)},
        answer=FramesAnswer(tuple(numbers)),
        marks=(box_mark("red", marked, place, camera.width, camera.height),),
        params=seen_params(context),
    )


def _fields(fact: Fact) -> dict[str, str]:
    assert isinstance(fact.answer, FramesAnswer)
    return {
        "a": fact.name("red"),
        "a_is": is_are(fact.labels["red"]),
        "frames": join_words([f"Frame-{number}" for number in fact.answer.value]),
    }


FRAMES_SEEN = Wording(
    fields=_fields,
    stems={
        "*": (
            "the {a} {a_is} in view in some of the frames. Which ones?",
            "in which frames of the video can the {a} be seen?",
            "list all frames that show the {a}.",
            "go through the video and name every frame in which the {a} {a_is} visible.",
            "which of the frames show the {a}?",
            "when {a_is} the {a} in view? Name all the frames.",
            "find the {a} in the other frames as well: in which of them can one see the very same thing?",
        )
    },
    notes=(
        "Frames are counted from one. Frames that hide it or leave it outside do not count.",
        "Count frames from one; others of its kind do not matter.",
        "The frame with the box belongs to the list, and numbers start at one.",
    ),
    sentences=(
        "the {a} can be seen in {frames}.",
        "one sees the {a} in {frames}.",
        "{frames} show the {a}.",
        "the {a} {a_is} in view in {frames}.",
        "the video shows the {a} in {frames} and in no other frame.",
        "going through the video, one finds the {a} in {frames}.",
    ),
)
