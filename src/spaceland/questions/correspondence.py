"""The same spot in a second view (`point_correspondence`; fill, select; two views).

Worked example. A red point is drawn in the first image on the corner of a table top, which lies at (2.0, 3.0, 0.75) in
the room. The second camera, 640 x 480, sees that corner at pixel (300, 216), and nothing is in front of it:

    question  The red point in the first image lies on the table (red point). Where is that spot in the second image?
    fill      (469,450)
    select    A. (120,610)   B. (469,450)   C. (702,388)   D. (455,301)      B

The spot is a point of the object's surface. It must be seen in both images: the depth map agrees with its depth there,
and the pixels around it show the same object without a step in depth. Wrong options are other spots that the second
image shows, on the same object where it is large enough, at least `min_point_gap_m` away in the room and
`min_point_gap_share` of the image width in the picture. Coordinates run from 0 to 1000 across and down.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

import numpy as np
from jaxtyping import Bool, Float

from spaceland.geometry.transforms import invert_rigid, transform_points
from spaceland.questions.answers import PointAnswer
from spaceland.questions.facts import Fact, TaskContext, shuffled, vector
from spaceland.questions.marks import POINT_SIZE, Mark, to_thousand
from spaceland.questions.phrasing import Wording
from spaceland.questions.setups import round_robin_lazily
from spaceland.questions.viewsets import close_up_pairs
from spaceland.scenes.scene import Frame
from spaceland.visibility import FrameMaps, map_maker

_TRIED = 24
"""Points of an object that are looked at for a pair of views."""
_OTHERS = 8
_STEP_M, _STEP_PER_M = 0.03, 0.03
"""Depth may change by so much from a pixel to the next ones; at the edge of a thing it changes by more."""


def maps_of(context: TaskContext, frame: Frame) -> FrameMaps:
    """Depth and ids of a frame."""
    return map_maker(context.scene, context.views.visibility.config).close_up(frame)


def propose_correspondence(context: TaskContext, rng: Random) -> Iterator[Fact]:
    """Spots on objects that are clear in one view and seen in another."""
    seed = rng.random()
    return round_robin_lazily(
        (_in_pair(context, first, second, seed) for first, second in close_up_pairs(context, rng)), width=8
    )


def _in_pair(context: TaskContext, first: Frame, second: Frame, seed: float) -> Iterator[Fact]:
    """One spot on each object that both views show; which one does not depend on what was asked before."""
    rng = Random(f"{seed}:{first.id}:{second.id}")
    both = [
        view.object_id
        for view in context.views.askable(first.id)
        if context.views.visibility.view(second.id, view.object_id) is not None
    ]
    if not both:
        context.reject("no object clear in one view and seen in the other", (first.id, second.id))
    for object_id in shuffled(both, rng):
        if context.asked_enough(frozenset((object_id,))):
            context.reject("same objects asked about before", (first.id, second.id), (object_id,))
            continue
        fact = _on_object(context, first, second, object_id, Random(f"{seed}:{first.id}:{second.id}:{object_id}"))
        if fact is not None:
            yield fact


def _on_object(context: TaskContext, first: Frame, second: Frame, object_id: int, rng: Random) -> Fact | None:
    policy, label = context.policy, context.label(object_id)
    points = _sample(context, object_id, rng)
    border = policy.point_border_share
    seen = visible(context, first, object_id, points, border)
    if seen.any():
        seen[seen] = visible(context, second, object_id, points[seen], border)
    if not seen.any():
        context.reject("no spot of it seen in both views", (first.id, second.id), (object_id,))
        return None
    point = points[int(np.argmax(seen))]
    xy_first, xy_second = (_place(frame, point) for frame in (first, second))
    others = _others(context, second, object_id, point, xy_second, rng)
    if len(others) < 3:
        context.reject("too few other spots in the second view", (first.id, second.id), (object_id,), len(others))
        return None
    return Fact(
        task="point_correspondence",
        frames=(first.id, second.id),
        objects={"red": object_id},
        labels={"red": label},
        answer=PointAnswer(xy_second),
        marks=(Mark("red", "point", object_id, 0, xy_first, 0.6 * POINT_SIZE),),
        values={"point_world_m": vector(point), "other_points": others},
        params={"min_point_gap_m": policy.min_point_gap_m, "min_point_gap_share": policy.min_point_gap_share},
    )


def _sample(context: TaskContext, object_id: int, rng: Random, count: int = _TRIED) -> Float[np.ndarray, "n 3"]:
    """Some points of an object's surface."""
    points = context.thing(object_id).points
    return points[rng.sample(range(len(points)), min(count, len(points)))].astype(np.float64).round(4)


def visible(
    context: TaskContext, frame: Frame, object_id: int, points: Float[np.ndarray, "n 3"], border_share: float
) -> Bool[np.ndarray, "n"]:
    """Which surface points of an object a frame shows clear of any edge.

    The map pixel of the point and its eight neighbours show the object, their depths hardly differ, and the depth of
    the pixel is that of the point. `border_share`: least distance from the image border, as a share of the width.
    """
    maps = maps_of(context, frame)
    camera, depth = maps.camera, maps.depth
    pixels, z = camera.project(transform_points(invert_rigid(frame.T_world_cam), points))
    margin = max(1.5, border_share * camera.width)
    size = np.array([camera.width, camera.height])
    inside = np.all((pixels >= margin) & (pixels <= size - margin), axis=-1)  # NaN is not
    columns, rows = np.where(inside[:, None], pixels, 2).astype(np.int64).T
    window = np.array([(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)])
    row, column = rows[:, None] + window[:, 0], columns[:, None] + window[:, 1]
    around = depth[row, column]
    good = inside & np.all(maps.object_ids[row, column] == object_id, axis=1) & np.all(around > 0, axis=1)
    if maps.contradicted is not None:
        good &= ~maps.contradicted[row, column].any(1)
    z = np.where(good, z, 1.0)
    good &= np.ptp(around, axis=1) <= _STEP_M + _STEP_PER_M * z
    return good & (np.abs(around[:, 4] - z) <= context.views.visibility.config.tolerance_at(z))


def _place(frame: Frame, point: Float[np.ndarray, "3"]) -> tuple[int, int]:
    """Where a frame shows a world point, 0 to 1000."""
    pixel, _ = frame.camera.project(transform_points(invert_rigid(frame.T_world_cam), point))
    return to_thousand(float(pixel[0]), frame.camera.width), to_thousand(float(pixel[1]), frame.camera.height)


def apart_share(a: Sequence[int], b: Sequence[int], frame: Frame) -> float:
    """Distance of two places on the 0..1000 scale in the picture, as a share of the image width."""
    aspect = frame.camera.height / frame.camera.width
    return float(np.hypot(a[0] - b[0], (a[1] - b[1]) * aspect)) / 1000


def _others(
    context: TaskContext, frame: Frame, object_id: int, point: np.ndarray, xy: tuple[int, int], rng: Random
) -> list[list[int]]:
    """Other spots in the frame, far enough from the right one and from each other; first those on the same object."""
    policy = context.policy
    elsewhere = [view.object_id for view in context.views.visibility.in_frame(frame.id) if view.object_id != object_id]
    chosen: list[list[int]] = []
    for other_id in (object_id, *shuffled(elsewhere, rng)[: _OTHERS - 1]):
        points = _sample(context, other_id, rng)
        seen = visible(context, frame, other_id, points, policy.point_border_share)
        seen &= np.linalg.norm(points - point, axis=1) >= policy.min_point_gap_m
        taken = 0
        for other in points[seen]:
            place = _place(frame, other)
            if all(apart_share(place, known, frame) >= policy.min_point_gap_share for known in (xy, *chosen)):
                chosen.append(list(place))
                taken += 1
            if taken == (3 if other_id == object_id else 1):
                break
    return chosen[:_OTHERS]


def _fields(fact: Fact) -> dict[str, str]:
    return {"a": f"{fact.labels['red']} (red point)"}


def point_options(fact: Fact, place: int, rng: Random) -> list[str] | None:
    """The right spot at index `place` among three others; one of them is on the same object where there is one."""
    others = [PointAnswer((x, y)).text for x, y in fact.values["other_points"]]
    wrong = shuffled([*others[:1], *shuffled(others[1:], rng)[:2]], rng)
    if len(wrong) < 3:
        return None
    return [*wrong[:place], fact.answer.text, *wrong[place:]]


CORRESPONDENCE = Wording(
    fields=_fields,
    stems={
        "*": (
            "a spot on the {a} is marked in the first image. Where is that very spot in the second image?",
            "the first image marks a point on the surface of the {a}. Find it in the second one.",
            "the first view has a mark on the {a}. Which place in the second view shows the same point of its surface?",
            "look at the marked spot on the {a} in image one. At which position does image two show it?",
            "someone touches the {a} exactly at the mark in the first picture. Where is the fingertip in the second?",
            "the mark in the first image sits on the {a}. Match it: where does the same spot appear in the second "
            "image?",
        )
    },
    sentences=(),
    notes=(
        "Positions are written (x,y), from 0 to 1000 across and from 0 to 1000 down, starting at the top left.",
        "A position is (x,y): 0 is the left or upper border of the image, 1000 the right or lower one.",
        "Coordinates (x,y) count from the top left corner and reach 1000 at the opposite borders.",
    ),
    tails={
        "fill": (
            "Answer in the form (x,y).",
            "Reply with the position only, as (x,y).",
            "Give the two coordinates in round brackets and nothing else.",
            "Write just the position, such as (125,640).",
            "State the position as (x,y).",
            "The position alone, (x,y), is enough as an answer.",
        )
    },
    options=point_options,
)
