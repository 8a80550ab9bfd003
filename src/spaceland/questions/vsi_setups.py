"""Which things VSI-Bench's questions name: they carry no marks, so each is the only one of its label in the room.

Worked example. Of two chairs, a table, a lamp and a bed that are clearly seen in a video, the table, the lamp and the
bed can be named: "the distance between the table and the lamp".
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from spaceland.questions.facts import TaskContext
from spaceland.questions.setups import Pick, Setup, arrangements


def unique_things(context: TaskContext, rng: Random, count: int, *, alike: int = 0) -> Iterator[Setup]:
    """The frames of the video, and `count` things with a label of their own that are clear in one of them.

    The last `alike` of them may be exchanged with each other: of such arrangements one is enough. As
    `setups.unmarked_videos`, without drawing things that cannot be named.
    """
    frames = context.video_frames()
    if frames is None:
        return
    index = {frame.id: k for k, frame in enumerate(frames)}
    views = []
    for object_id, view in context.views.best_in(tuple(index)).items():
        problem = context.views.naming_problem(context.label(object_id))
        if problem:
            context.reject(problem, (view.frame_id,), (object_id,))
        else:
            views.append(view)
    if len(views) < count:
        context.reject_scene(f"fewer than {count} things with a label of their own", len(views))
        return
    seen: set[tuple[object, ...]] = set()
    for chosen in arrangements(views, count, rng):
        ids = [view.object_id for view in chosen]
        key = (*ids[: count - alike], frozenset(ids[count - alike :]))
        if key not in seen:
            seen.add(key)
            yield Setup(frames, tuple(Pick(view, index[view.frame_id]) for view in chosen))
