"""Which object is closest or farthest (SPAR `distance_infer_center_oc|oo`, their `_mv`, and `_oo_video`).

Worked example. A camera at (3, 1, 1.5) sees a chair, a lamp and a box whose centres are 2.8 m, 4.0 m and 5.0 m away
from it; the lamp's centre is 2.4 m from the chair's and 1.7 m from the box's:

    observer  Which of the objects in the image is closest to the observer? ...   chair, [180, 512, 310, 790]
    object    Which one is closer to the lamp (red point): the chair (green point) or the box (blue point)? ...
              A. chair (green point)   B. box (blue point)                          B

The winner must beat every rival clearly: by `tie_margin_m` metres and by the factor `tie_ratio`, else nobody is asked.
Between objects none may beat it by the gap between the boxes, by however little: many people go by what they see
between two things, not by their centres. For the observer nothing is marked, so everything that can be seen in one of
the images is a rival, also what may not be asked about itself because too little of it shows. Only parts of the
building and rugs, which few scenes annotate, never take part (`BUILDING_LABELS`), and the question says so. The answer
must be clear to see in one image and, with several images, be seen in no other one, and so must the wrong options; in a
single image its label must be the only one of its kind. Distances follow `Conventions.distance`; with several images
the observer is the camera of the first one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from random import Random
from zlib import crc32

from spaceland.questions.answers import ChoiceAnswer, FoundAnswer
from spaceland.questions.distance import between_m
from spaceland.questions.facts import Fact, TaskContext, image_name, image_phrase, round_robin, shuffled
from spaceland.questions.marks import box_to_thousand
from spaceland.questions.propose import Solved, proposer
from spaceland.questions.setups import Pick, Setup, multi_views, round_robin_lazily, single_views, videos
from spaceland.questions.viewsets import view_sets
from spaceland.scenes.scene import Frame

BUILDING_LABELS = frozenset(
    (
        *("wall", "floor", "ceiling", "ceil", "door", "doorframe", "door frame", "window", "room", "otherstructure"),
        *("rug", "carpet", "mat"),
    )
)
"""Parts of the building and rugs take no part in questions about the observer, whatever the policy leaves out."""
ASKS = ("closest", "farthest")
MAX_OTHERS = 12
"""Wrong options that a fact keeps at most."""
_MIN_CANDIDATES = 3


def is_clear(context: TaskContext, winner_m: float, rival_m: float, asks: str) -> bool:
    """Whether a distance is smaller (for "farthest" larger) than another by the margin and by the ratio."""
    less, more = (winner_m, rival_m) if asks == "closest" else (rival_m, winner_m)
    policy = context.policy
    # Rounding noise of a moved world must not decide exact ties.
    return round(more - less - policy.tie_margin_m, 6) >= 0 and round(more - less * policy.tie_ratio, 6) >= 0


def winner_and_next(context: TaskContext, distances: Mapping[int, float], asks: str) -> tuple[int, int] | None:
    """Keys of the closest (farthest) of at least two distances and of the next one; None when it is no clear winner."""
    ordered = sorted(distances, key=distances.__getitem__, reverse=asks == "farthest")
    first, second = ordered[:2]
    if not is_clear(context, distances[first], distances[second], asks):
        context.reject("too near to a tie", value=abs(distances[first] - distances[second]))
        return None
    return first, second


def _params(context: TaskContext) -> dict[str, object]:
    return {
        "measure": context.conventions.distance,
        "tie": [context.policy.tie_margin_m, context.policy.tie_ratio],
    }


# Between objects: the first pick is the reference, the others are candidates.

ROLES_OO = ("red", "green", "blue")
ROLES_VIDEO = ("red", "blue", "green", "yellow", "purple")


def _solve_oo(context: TaskContext, setup: Setup, roles: Sequence[str]) -> Solved | None:
    reference, *candidates = setup.picks
    ids = [pick.object_id for pick in setup.picks]
    # One direction for each choice of objects, so that the two questions about it are not answered by exclusion.
    asks = ASKS[crc32(repr(([frame.id for frame in setup.frames], ids)).encode()) & 1]
    distances = {k: between_m(context, reference.object_id, pick.object_id) for k, pick in enumerate(candidates)}
    found = winner_and_next(context, distances, asks)
    if found is None:
        return None
    # A long sofa's centre may be far away while its arm is next to the thing: people go by the gap they see.
    gaps = [context.views.surface_distance_m(reference.object_id, pick.object_id) for pick in candidates]
    sign = 1 if asks == "closest" else -1
    by_gap = min(sign * gap for gap in gaps)
    if round(sign * gaps[found[0]] - by_gap, 6) > 0:
        context.reject("centres and gaps disagree", value=abs(gaps[found[0]] - sign * by_gap))
        return None
    best, role = candidates[found[0]], roles[found[0] + 1]
    name = named(context, setup, best, role)
    return Solved(
        ChoiceAnswer(role, name),
        {"asks": asks, "distances_m": [round(distance, 6) for distance in distances.values()]},
        _params(context),
    )


def named(context: TaskContext, setup: Setup, pick: Pick, role: str) -> str:
    """A marked object as `Fact.name` calls it."""
    return f"{context.label(pick.object_id)} ({role} point{image_phrase(pick.image, len(setup.frames))})"


_oo = partial(proposer, roles=ROLES_OO, shape="point", solve=partial(_solve_oo, roles=ROLES_OO))
propose_nearest_oo = _oo("distance_infer_center_oo", single_views)
propose_nearest_oo_mv = _oo("distance_infer_center_oo_mv", partial(multi_views, observer=False))
propose_nearest_oo_video = proposer(
    "distance_infer_center_oo_video", videos, ROLES_VIDEO, "point", partial(_solve_oo, roles=ROLES_VIDEO)
)


# For the observer: everything that is seen is a rival.


def propose_nearest_oc(context: TaskContext, rng: Random) -> Iterator[Fact]:
    """The closest and the farthest object of every frame."""
    alone = ((frame,) for frame in shuffled(context.scene.frames, rng))
    return round_robin(_of_observer(context, "distance_infer_center_oc", one, frozenset(), rng) for one in alone)


def propose_nearest_oc_mv(context: TaskContext, rng: Random) -> Iterator[Fact]:
    """The closest and the farthest object of sets of two or three images."""
    return round_robin_lazily(
        _of_observer(context, "distance_infer_center_oc_mv", frames, joints, rng)
        for frames, joints in view_sets(context, rng)
    )


def _of_observer(
    context: TaskContext, task: str, frames: tuple[Frame, ...], joints: frozenset[int], rng: Random
) -> Iterator[Fact]:
    ids = [frame.id for frame in frames]
    seen_in = [context.views.things_in(frame_id, BUILDING_LABELS) for frame_id in ids]
    clear_in = [context.views.clear_in(frame_id) & seen for frame_id, seen in zip(ids, seen_in, strict=True)]
    if len(frozenset().union(*clear_in)) < _MIN_CANDIDATES:
        context.reject("fewer than three clear objects", ids)
        return
    # Every image but the observer's and a joint shows something clearly that no other image shows.
    for k in range(1, len(frames)):
        if k not in joints and clear_in[k] <= frozenset().union(*seen_in[:k], *seen_in[k + 1 :]):
            context.reject("an image would not be needed", ids)
            return
    known = context.views.observer_distances_m(frames[0], context.conventions.distance)
    distances = {object_id: known[object_id] for object_id in sorted(frozenset().union(*seen_in))}
    for asks in shuffled(ASKS, rng):
        found = winner_and_next(context, distances, asks)
        if found is None:
            continue
        winner, runner_up = found
        reason = _answer_problem(context, frames, seen_in, clear_in, winner)
        if reason:
            context.reject(reason, ids, [winner])
            continue
        clear = _clear_picks(context, frames, clear_in)
        pick = clear[winner][0]
        yield Fact(
            task=task,
            frames=tuple(ids),
            objects={"found": winner, "runner_up": runner_up},
            labels={"found": context.label(winner), "runner_up": context.label(runner_up)},
            answer=FoundAnswer(pick.image, _place(context, frames, pick), _box(frames, pick)),
            values={
                "asks": asks,
                "distance_m": round(distances[winner], 6),
                "runner_up_m": round(distances[runner_up], 6),
                "other_boxes": _others(context, frames, clear, seen_in, winner),
            },
            params={**_params(context), "box": "around the visible part", "not_counted": sorted(BUILDING_LABELS)},
        )


def _answer_problem(
    context: TaskContext,
    frames: Sequence[Frame],
    seen_in: Sequence[frozenset[int]],
    clear_in: Sequence[frozenset[int]],
    winner: int,
) -> str | None:
    """Why the winner cannot be the answer: it must be clear in one image, and nothing else may be meant by it."""
    if sum(winner in seen for seen in seen_in) > 1:
        return "seen in several images"
    if not any(winner in clear for clear in clear_in):
        return "the answer is not clearly visible"
    if len(frames) == 1 and _labels_in(context, frames[0]).count(context.label(winner)) > 1:
        return "another object of that label in the view"
    return None


def _labels_in(context: TaskContext, frame: Frame) -> list[str]:
    return [context.label(view.object_id) for view in context.views.visibility.in_frame(frame.id)]


def _clear_picks(
    context: TaskContext, frames: Sequence[Frame], clear_in: Sequence[frozenset[int]]
) -> dict[int, list[Pick]]:
    """In which images each object is clear, by object id."""
    picks: dict[int, list[Pick]] = {}
    for image, (frame, clear) in enumerate(zip(frames, clear_in, strict=True)):
        for view in context.views.askable(frame.id):
            if view.object_id in clear:
                picks.setdefault(view.object_id, []).append(Pick(view, image))
    return dict(sorted(picks.items()))


def _others(
    context: TaskContext,
    frames: Sequence[Frame],
    clear: Mapping[int, Sequence[Pick]],
    seen_in: Sequence[frozenset[int]],
    winner: int,
) -> list[list[object]]:
    """What wrong options are made of: [place, box] of other clear objects that, as the winner, only one image shows."""
    known = [i for i in clear if i != winner and sum(i in seen for seen in seen_in) == 1]
    picks = [pick for object_id in known for pick in clear[object_id]]
    return [[_place(context, frames, pick), list(_box(frames, pick))] for pick in picks[:MAX_OTHERS]]


def _place(context: TaskContext, frames: Sequence[Frame], pick: Pick) -> str:
    """What an answer says before the box: the label, or with several images which one."""
    return context.label(pick.object_id) if len(frames) == 1 else image_name(pick.image, len(frames))


def _box(frames: Sequence[Frame], pick: Pick) -> tuple[int, int, int, int]:
    camera = frames[pick.image].camera
    return box_to_thousand(pick.view.box_px, camera.width, camera.height)
