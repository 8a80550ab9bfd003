"""All things of some kinds as boxes in three dimensions (`detection`, `detection_window`; fill).

Worked example. An image shows a chair 1.0 m to the left, 0.5 m below and 2.6 m ahead of the camera, 2.8 m away as the
crow flies, and a lamp farther away. Its answer has the nearest one first, by this straight distance from the camera to
the centre; boxes are nine numbers in the axes of the camera, in the form that VG LLM is trained on (see `grounding`):

    detection         [{"label": "chair", "bbox_3d": [-1.0, 0.5, 2.6, ...]}, {"label": "lamp", "bbox_3d": [...]}]

Four frames of a video, a second apart, show chair and lamp, and then, as the camera turns to the left, a sofa that was
beside it at first. All boxes are in the axes of the first frame's camera, in the order in which things come into view:

    detection_window  [..., {"label": "sofa", "bbox_3d": [-2.1, 0.6, 0.0, ...]}]

The labels that are to be found are named: those of which every instance is clear (for a window: in one of its frames at
least), or not to be seen at all. Beside a "sink cabinet" nobody is asked for a "cabinet", nor for the "sink cabinet".
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from random import Random
from typing import Any

from spaceland.geometry.box9 import box9_in_camera
from spaceland.questions.answers import BoxListAnswer
from spaceland.questions.facts import Fact, TaskContext, shuffled
from spaceland.questions.frames_seen import is_seen, seen_params
from spaceland.questions.grounding import BOX9_PARAMS, BOX_NOTES
from spaceland.questions.language import may_mean
from spaceland.questions.marks import to_thousand
from spaceland.questions.phrasing import Wording
from spaceland.questions.policy import AmbiguityPolicy
from spaceland.scenes.scene import Frame
from spaceland.visibility.types import ObjectView

_SAME_TIME_S = 1e-6


def propose_detection(context: TaskContext, rng: Random) -> Iterator[Fact]:
    """Every frame, with the labels whose instances in it are all clear."""
    params = {"order": "nearest centre first, straight", "unseen_area_share": context.policy.unseen_area_share}
    for frame in shuffled(context.scene.frames, rng):
        fact = _fact(context, "detection", (frame,), params)
        if fact is not None:
            yield fact


def propose_detection_window(context: TaskContext, rng: Random) -> Iterator[Fact]:
    """Every window of a video, with the labels whose instances are all clear in one of its frames."""
    policy, frames = context.policy, context.scene.frames
    if not context.scene.is_video:
        context.reject_scene("photographs, no video")
        return
    if len(frames) < policy.window_frames:
        context.reject_scene(f"fewer than {policy.window_frames} frames", len(frames))
        return
    times = frame_times(frames)
    params = {"order": "first seen first, then nearest centre first, straight", **seen_params(context)}
    params |= {"window_frames": policy.window_frames, "window_step_s": policy.window_step_s}
    params |= {"max_window_gap_s": policy.max_window_gap_s, "window_stride": policy.window_stride}
    for start in shuffled(range(len(frames)), rng):
        places = window_from(start, len(frames), times, policy)
        if places is None:
            continue
        window = tuple(frames[k] for k in places)
        gap_s = 0.0 if times is None else max(times[b] - times[a] for a, b in pairwise(places))
        if round(gap_s - policy.max_window_gap_s, 6) > 0:
            context.reject("frames too far apart in time", [frame.id for frame in window], value=gap_s)
            continue
        fact = _fact(context, "detection_window", window, params)
        if fact is not None:
            yield fact


def frame_times(frames: Sequence[Frame]) -> list[float] | None:
    """Times of all frames in seconds; None where some have none, or they do not grow from frame to frame."""
    times = [frame.timestamp_s for frame in frames if frame.timestamp_s is not None]
    return times if len(times) == len(frames) and all(a < b for a, b in pairwise(times)) else None


def window_from(
    start: int, num_frames: int, times: Sequence[float] | None, policy: AmbiguityPolicy
) -> tuple[int, ...] | None:
    """Places of a window's frames; None where the video ends before.

    With times each frame is the one nearest to a step after the one before, of those more than half a step after it; of
    two equally near the earlier.

    >>> window_from(0, 9, [0.0, 0.4, 0.8, 1.2, 1.6, 2.0, 2.4, 2.8, 3.2], AmbiguityPolicy())
    (0, 2, 4, 6)
    >>> window_from(1, 12, None, AmbiguityPolicy())
    (1, 4, 7, 10)
    """
    places = [start]
    while len(places) < policy.window_frames:
        k = places[-1]
        if times is None:
            k += policy.window_stride
        else:
            # A frame nearer than half a step is as good as the same one.
            least, wanted = (times[k] + share * policy.window_step_s for share in (0.5, 1.0))
            k = bisect_left(times, wanted - _SAME_TIME_S, k + 1)
            before = k - 1 > places[-1] and times[k - 1] > least + _SAME_TIME_S
            if before and (k == num_frames or wanted - times[k - 1] <= times[k] - wanted + _SAME_TIME_S):
                k -= 1
        if k >= num_frames:
            return None
        places.append(k)
    return tuple(places)


def _fact(context: TaskContext, task: str, frames: tuple[Frame, ...], params: Mapping[str, Any]) -> Fact | None:
    """What is found in some frames, in the camera of the first one."""
    policy, ids = context.policy, tuple(frame.id for frame in frames)
    found = _clear_instances(context, frames)
    if not policy.min_detected <= len(found) <= policy.max_detected:
        few_or_many = "few" if len(found) < policy.min_detected else "many"
        context.reject(f"too {few_or_many} things to detect", ids, value=len(found))
        return None
    seen_at = {}
    for view in found:
        camera = context.scene.frames_by_id[view.frame_id].camera
        x, y = to_thousand(view.anchor_px[0], camera.width), to_thousand(view.anchor_px[1], camera.height)
        seen_at[str(view.object_id)] = [view.frame_id, x, y]
    things = [context.thing(view.object_id) for view in found]
    boxes = tuple(tuple(float(v) for v in box9_in_camera(thing.box, frames[0].T_world_cam)) for thing in things)
    return Fact(
        task=task,
        frames=ids,
        objects={f"object {k}": thing.id for k, thing in enumerate(things)},
        labels={f"object {k}": thing.label for k, thing in enumerate(things)},
        answer=BoxListAnswer(tuple(thing.label for thing in things), boxes),
        values={"seen_at": seen_at},
        params={**BOX9_PARAMS, **params},
    )


def _clear_instances(context: TaskContext, frames: Sequence[Frame]) -> list[ObjectView]:
    """The first view of everything that is clear in one of the frames, without labels of which something unclear shows.

    They come frame by frame, in each the one first whose centre is nearest to that frame's camera. Unclear is also what
    picture and scan do not agree about in any of the frames: nobody knows when it comes into view.
    """
    shown = {(frame.id, view.object_id) for frame in frames for view in context.views.askable(frame.id)}
    clear = {object_id for _, object_id in shown}
    first: dict[int, tuple[int, float, ObjectView]] = {}
    unclear: dict[str, int] = {}
    for number, frame in enumerate(frames):
        far_m = context.views.observer_distances_m(frame, "center")
        for view in context.views.visibility.in_frame(frame.id):
            if (frame.id, view.object_id) not in shown and is_seen(context, frame, view) is False:
                continue
            if view.object_id not in clear or view.contradicted > context.policy.max_contradicted:
                unclear.setdefault(context.label(view.object_id), view.object_id)
            first.setdefault(view.object_id, (number, round(far_m[view.object_id], 6), view))
    # A "sink cabinet" may be taken for a "cabinet" too, be it clear or not, and the other way round.
    shown_as = {context.label(object_id): object_id for object_id in sorted(first, reverse=True)}
    dropped = set(unclear)
    for label in sorted({context.label(object_id) for object_id in clear}):
        rival = next((object_id for other, object_id in sorted(shown_as.items()) if may_mean(label, other)), None)
        if label in unclear:
            context.reject("another of that label is not clear", [frame.id for frame in frames], (unclear[label],))
        elif rival is not None:
            shown_ids = (shown_as[label], rival)
            context.reject("label is much like another one", [frame.id for frame in frames], shown_ids)
            dropped.add(label)
    left = [key for object_id, key in first.items() if object_id in clear and context.label(object_id) not in dropped]
    return [view for _, _, view in sorted(left, key=lambda key: (key[0], key[1], key[2].object_id))]


def asked_labels(labels: Mapping[str, str]) -> str:
    """Labels in quotes, each once, in alphabetical order.

    >>> asked_labels({"object 0": "sofa", "object 1": "lamp", "object 2": "sofa"})
    '"lamp", "sofa"'
    """
    return ", ".join(json.dumps(label, ensure_ascii=False) for label in sorted(set(labels.values())))


def _label_fields(fact: Fact) -> Mapping[str, str]:
    return {"labels": asked_labels(fact.labels)}


_TAILS = {
    "fill": (
        'Answer with a JSON list whose entries have the label under "label" and the nine numbers under "bbox_3d".',
        'Reply in JSON: a list with one entry for each object, its name in "label", its box in "bbox_3d".',
        'Write a JSON list of objects with the keys "label" and "bbox_3d".',
        'Give a JSON list; every entry holds "label" (text) and "bbox_3d" (nine numbers).',
        'As output, a JSON list is expected, one line for each object with "label" and "bbox_3d".',
        'Return a JSON list of entries that have a "label" and a "bbox_3d" with two decimals.',
    )
}

_IMAGE_NOTES = (
    "Start with the nearest object, by the straight distance from the camera to its centre.",
    "List them from near to far, by the straight distance from the camera to the centre of each.",
    "The order is that of the straight distance from the camera to the centre of a box, the nearest first.",
)

DETECTION = Wording(
    fields=_label_fields,
    stems={
        "*": (
            "find everything in the image that is one of these: {labels}.",
            "detect all objects of these kinds in 3D: {labels}.",
            "where in space is each of the following, as many as the image shows? {labels}.",
            "list the 3D boxes of all visible things with one of these labels: {labels}.",
            "put a 3D box around every instance of these: {labels}.",
            "which objects of these kinds does the image show, and which space do they take up? {labels}.",
        )
    },
    sentences=(),
    notes=tuple(f"{box} {order}" for box, order in zip(BOX_NOTES, _IMAGE_NOTES, strict=True)),
    tails=_TAILS,
)

_WINDOW_NOTES = (
    "The camera is that of the first image for all of them; what only later images show may lie beside its view or "
    "behind it. List things in the order in which they come into view, and those that come with the same image by "
    "the straight distance from the camera of that image to the centre, the nearest first.",
    "Use the first image's camera for every box, also for things that it does not see because they are beside or "
    "behind it (then z may be negative). The order is that of first appearance, image by image; things that the "
    "same image brings go from near to far, by the straight distance from its camera to the centre of each.",
    "All boxes belong to the camera of the first image, even those of things outside its view or behind it. Go through "
    "the images in turn, and name what is new in each, nearest first by the straight distance from the camera of that "
    "image to the centre.",
)

DETECTION_WINDOW = Wording(
    fields=_label_fields,
    stems={
        "*": (
            "these images follow each other in a video. Find everything in them that is one of these: {labels}.",
            "detect all objects of these kinds that at least one of the images shows: {labels}.",
            "the camera moves on from image to image. Where in space is each of the following that comes into view? "
            "{labels}.",
            "give every thing that the short video shows and that has one of these labels a 3D box, and only one: "
            "{labels}.",
            "put a 3D box around each instance of these, whichever of the images shows it: {labels}.",
            "taken together, which objects of these kinds do the images show, and what space do they fill? {labels}.",
        )
    },
    sentences=(),
    notes=tuple(f"{box} {order}" for box, order in zip(BOX_NOTES, _WINDOW_NOTES, strict=True)),
    tails=_TAILS,
)
