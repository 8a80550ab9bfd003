"""A free spot on the floor beside an object (`free_space_point`; select; single view).

Worked example. The observer looks along world y at an armchair whose box stands at (2.0, 4.0). The floor can be seen at
(1.2, 4.1), which is 0.8 m to the left and almost level with the armchair, and no box stands within 0.2 m of it:

    question  Which of these places is a free spot on the floor to the left of the armchair (red bounding box)? ...
    options   A. (655,712)   B. (243,690)   C. (480,540)   D. (510,871)
    answer    B, where the picture shows (1.2, 4.1, 0)

Left, right, in front (nearer to the observer) and behind are told on the floor, in the heading of the camera. The right
spot is within `beside_deg` of that direction from the object's centre. Wrong ones are floor too, but farther than
`not_beside_deg` from it (two of them, where both can be had, and never none: else the only floor would be right), or
they show a thing and no floor. The object stands on the floor and is almost straight ahead: there the heading and the
line of sight to the object give the same answer. Positions run from 0 to 1000 across and down.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice, pairwise
from random import Random

import numpy as np
from jaxtyping import Bool, Float, Int

from spaceland.geometry.footprints import over_footprint
from spaceland.geometry.transforms import transform_points
from spaceland.questions.answers import PointAnswer
from spaceland.questions.correspondence import apart_share, maps_of
from spaceland.questions.facts import Fact, TaskContext, shuffled, vector
from spaceland.questions.marks import Mark, box_mark, to_thousand
from spaceland.questions.phrasing import Wording
from spaceland.questions.setups import round_robin_lazily
from spaceland.scenes.scene import NO_OBJECT, Frame, Room, SceneObject
from spaceland.visibility import close_up_frames
from spaceland.visibility.types import ObjectView

SIDES: Mapping[str, tuple[float, float]] = {"left": (-1, 0), "right": (1, 0), "front": (0, -1), "behind": (0, 1)}
"""Directions on the floor: to the right and ahead of the camera."""
BUILDING = ("floor", "ceiling", "ceil", "wall", "room")
"""Labels whose boxes are not things that stand on the floor."""
_SIDES_ASKED = 2
"""Sides of one object that one view is asked about."""
_AROUND_PX = 2
_TRIED = 12
"""Places that are looked at for one side of an object."""
_WIDER, _CLOSE, _THIN = 20, 70, 15
"""Of 1000: how far in front of or behind a box may be to its side, and how near things are to a place between them."""
_STEP_PX = 3
_ABOVE_FLOOR_M = 0.2
_OVERHEAD_M = 1.8
"""What hangs higher than this leaves the floor below it free."""


Standing = tuple[SceneObject, tuple[np.ndarray, np.ndarray]]
"""A thing, and the lower and the upper corner of a rectangle around it on the floor."""


@dataclass(frozen=True, eq=False)
class Ground:
    """Places that a frame shows: `xy` [n, 2] from 0 to 1000 and `world` [n, 3], and which of them are what."""

    xy: Int[np.ndarray, "n 2"]
    world: Float[np.ndarray, "n 3"]
    is_floor: Bool[np.ndarray, "n"]
    is_free: Bool[np.ndarray, "n"]
    is_thing: Bool[np.ndarray, "n"]
    right: Float[np.ndarray, "2"]
    ahead: Float[np.ndarray, "2"]


def propose_free_space(context: TaskContext, rng: Random) -> Iterator[Fact]:
    """Objects almost straight ahead, with a free spot on one of their four sides."""
    if context.scene.room is None:
        context.reject_scene("floor unknown")
        return
    frames = close_up_frames(context.scene, context.views.visibility.config)
    standing = find_standing(context)
    yield from round_robin_lazily((_in_frame(context, frame, standing, rng) for frame in frames), width=4)


def _in_frame(context: TaskContext, frame: Frame, standing: Sequence[Standing], rng: Random) -> Iterator[Fact]:
    heading = frame.T_world_cam[:2, 2]
    if np.degrees(np.arccos(min(1.0, float(np.linalg.norm(heading))))) > context.policy.max_elevation_deg:
        context.reject("too steep for a heading", (frame.id,))
        return
    ground: Ground | None = None
    for view in shuffled(context.views.askable(frame.id), rng):
        ids = (view.object_id,)
        if context.asked_enough(frozenset(ids)):
            context.reject("same objects asked about before", (frame.id,), ids)
            continue
        lift_m = _lift_m(context, view.object_id)
        if lift_m > context.policy.max_beside_lift_m:
            context.reject("does not stand on the floor", (frame.id,), ids, lift_m)
            continue
        center = context.center_cam(frame, view.object_id)
        bearing_deg = abs(float(np.degrees(np.arctan2(center[0], center[2]))))
        if bearing_deg > context.policy.max_beside_bearing_deg:
            context.reject("too far from straight ahead", (frame.id,), ids, bearing_deg)
            continue
        ground = ground or find_ground(context, frame, standing)
        around = _around(ground, context.thing(view.object_id))
        facts = (_on_side(context, frame, around, standing, view, side, rng) for side in shuffled(SIDES, rng))
        found = list(islice((fact for fact in facts if fact is not None), _SIDES_ASKED))
        if not found:
            context.reject("no free spot beside it", (frame.id,), ids)
        yield from found


def _lift_m(context: TaskContext, object_id: int) -> float:
    """How high the lowest corner of an object's box is above the floor."""
    room = context.scene.room
    assert room is not None
    return round(float(context.thing(object_id).box.corners()[:, 2].min()) - room.floor_z_m, 6)


def find_ground(context: TaskContext, frame: Frame, standing: Sequence[Standing]) -> Ground:
    """What a frame shows of the floor and of things, on a grid of pixels whose surroundings show the same."""
    scene, policy, maps = context.scene, context.policy, maps_of(context, frame)
    assert scene.room is not None
    camera = maps.camera
    known = maps.depth > 0
    if maps.contradicted is not None:
        known &= ~maps.contradicted
    # Heights alone decide most pixels: (row 3 of the pose) . (ray * depth).
    up = frame.T_world_cam[2].astype(np.float32)
    rise_x = ((np.arange(camera.width) + 0.5 - camera.cx) / camera.fx).astype(np.float32) * up[0]
    rise_y = ((np.arange(camera.height) + 0.5 - camera.cy) / camera.fy).astype(np.float32) * up[1]
    height = (rise_x[None] + rise_y[:, None] + up[2]) * maps.depth + np.float32(up[3] - scene.room.floor_z_m)
    building = [thing.id for thing in scene.objects if thing.label in BUILDING]
    is_thing = (maps.object_ids != NO_OBJECT) & ~np.isin(maps.object_ids, building)
    floor = known & ~is_thing & (np.abs(height) <= policy.floor_tolerance_m)
    things = known & is_thing & (height >= _ABOVE_FLOOR_M)
    floor, things = (_all_around(mask, _AROUND_PX) for mask in (floor, things))
    rows, columns = (grid.ravel() for grid in np.mgrid[2 : camera.height : _STEP_PX, 2 : camera.width : _STEP_PX])
    kept = (floor | things)[rows, columns]
    rows, columns = rows[kept], columns[kept]
    xy = np.stack([_thousands(camera.width)[columns], _thousands(camera.height)[rows]], axis=-1)
    pixels = np.stack([columns + 0.5, rows + 0.5], axis=-1)
    places = transform_points(frame.T_world_cam, camera.unproject(pixels, maps.depth[rows, columns].astype(np.float64)))
    is_floor = floor[rows, columns]
    is_free = is_floor.copy()
    x, y = np.where(is_floor, places[:, 0], np.nan), np.where(is_floor, places[:, 1], np.nan)
    for thing, ((x0, y0), (x1, y1)) in standing:
        near = np.flatnonzero((x >= x0) & (x <= x1) & (y >= y0) & (y <= y1))
        if len(near):
            is_free[near] &= ~over_footprint(thing.box, places[near, :2], policy.free_margin_m)
    if scene.room.has_outline:
        is_free &= _wall_distances(places[:, :2], scene.room) >= policy.free_margin_m
    ahead = frame.T_world_cam[:2, 2] / np.linalg.norm(frame.T_world_cam[:2, 2])
    right = np.array([ahead[1], -ahead[0]])
    return Ground(xy, places, is_floor, is_free, things[rows, columns], right, ahead)


def _all_around(mask: Bool[np.ndarray, "h w"], radius: int) -> Bool[np.ndarray, "h w"]:
    """Where the mask is true in the whole square around a pixel; nowhere next to the border."""
    h, w = (size - 2 * radius for size in mask.shape)
    held = np.zeros_like(mask)
    if h > 0 and w > 0:
        steps = range(2 * radius + 1)
        tall = np.logical_and.reduce([mask[k : k + h] for k in steps])
        held[radius:-radius, radius:-radius] = np.logical_and.reduce([tall[:, k : k + w] for k in steps])
    return held


def find_standing(context: TaskContext) -> list[Standing]:
    """What takes up floor, with a rectangle around it that holds all that is too near to it."""
    room, margin = context.scene.room, 2 * context.policy.free_margin_m
    assert room is not None
    found = []
    for thing in context.scene.objects:
        if thing.label not in BUILDING and thing.aabb.minimum[2] - room.floor_z_m < _OVERHEAD_M:
            around = thing.box.axis_aligned()
            found.append((thing, (around.minimum[:2] - margin, around.maximum[:2] + margin)))
    return found


def _wall_distances(xy: Float[np.ndarray, "n 2"], room: Room) -> Float[np.ndarray, "n"]:
    """Distance of places on the floor from the outline of the room."""
    nearest = np.full(len(xy), np.inf)
    for a, b in pairwise([*room.floor_polygon, room.floor_polygon[0]]):
        along = b - a
        share = np.clip((xy - a) @ along / max(float(along @ along), 1e-12), 0, 1)
        nearest = np.minimum(nearest, np.hypot(*(xy - a - share[:, None] * along).T))
    return nearest


@cache
def _thousands(size: int) -> Int[np.ndarray, "n"]:
    """Positions of pixel centres from 0 to 1000."""
    return np.array([to_thousand(k + 0.5, size) for k in range(size)])


@dataclass(frozen=True, eq=False)
class _Around:
    """Places [n] as seen from the middle of a thing: metres to the right, onward (away from the observer), in all."""

    ground: Ground
    across: Float[np.ndarray, "n"]
    onward: Float[np.ndarray, "n"]
    reach: Float[np.ndarray, "n"]


def _around(ground: Ground, thing: SceneObject) -> _Around:
    from_center = ground.world[:, :2] - thing.center[:2]
    across, onward = from_center @ ground.right, from_center @ ground.ahead
    return _Around(ground, across, onward, np.hypot(across, onward))


def _on_side(
    context: TaskContext,
    frame: Frame,
    around: _Around,
    standing: Sequence[Standing],
    view: ObjectView,
    side: str,
    rng: Random,
) -> Fact | None:
    """A free spot on one side of an object, and three places that are none."""
    policy, thing = context.policy, context.thing(view.object_id)
    ground, reach, direction = around.ground, around.reach, SIDES[side]
    cosine = (around.across * direction[0] + around.onward * direction[1]) / np.maximum(reach, 1e-9)
    off_deg = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    mark = box_mark("red", view, 0, frame.camera.width, frame.camera.height)
    fits = ground.is_free & (off_deg <= policy.beside_deg) & (reach <= policy.max_beside_m)
    fits &= _on_side_of_mark(ground, mark, side)
    candidates = np.flatnonzero(fits).tolist()
    tried = rng.sample(candidates, min(_TRIED, len(candidates)))
    right = next((k for k in tried if not _between_things(ground, k) and not _beyond(thing, ground, k, standing)), None)
    if right is None:
        return None
    elsewhere = ground.is_floor & (off_deg >= policy.not_beside_deg) & (reach <= 2 * policy.max_beside_m)
    # Two of the three wrong places are floor on another side and one is a thing, where all can be had.
    kinds = (elsewhere, elsewhere, ground.is_thing, elsewhere, ground.is_thing, ground.is_thing)
    chosen, on_floor = [tuple(ground.xy[right].tolist())], 0
    for kind in kinds:
        options = np.flatnonzero(kind)
        for pick in rng.sample(range(len(options)), min(12, len(options))):
            place = tuple(ground.xy[options[pick]].tolist())
            if all(apart_share(place, known, frame) >= policy.min_point_gap_share for known in chosen):
                chosen.append(place)
                on_floor += kind is elsewhere
                break
        if len(chosen) == 4:
            break
    if len(chosen) < 4:
        context.reject("too few wrong places", (frame.id,), (view.object_id,), len(chosen) - 1)
        return None
    if not on_floor:
        context.reject("no wrong place on the floor", (frame.id,), (view.object_id,))
        return None
    (x, y), *others = chosen
    return Fact(
        task="free_space_point",
        frames=(frame.id,),
        objects={"red": view.object_id},
        labels={"red": thing.label},
        answer=PointAnswer((x, y)),
        marks=(mark,),
        values={
            "side": side,
            "point_world_m": vector(ground.world[right]),
            "other_points": [list(place) for place in others],
        },
        params={
            "beside_deg": policy.beside_deg,
            "not_beside_deg": policy.not_beside_deg,
            "free_margin_m": policy.free_margin_m,
            "floor_tolerance_m": policy.floor_tolerance_m,
            "max_beside_m": policy.max_beside_m,
            "max_beside_lift_m": policy.max_beside_lift_m,
            "heading": "that of the camera, level",
        },
    )


def _on_side_of_mark(ground: Ground, mark: Mark, side: str) -> Bool[np.ndarray, "n"]:
    """Which places lie on that side of the drawn box in the picture, too."""
    x, y = ground.xy.T
    x0, y0, x1, y1 = mark.xy
    if side == "left":
        return x < x0
    if side == "right":
        return x > x1
    level = (x >= x0 - _WIDER) & (x <= x1 + _WIDER)
    return level & (y > (y0 + y1) / 2) if side == "front" else level & (y < y1)


def _between_things(ground: Ground, k: int) -> bool:
    """Whether things are seen close to a place on three sides of it: it lies below a table, or is seen through one."""
    dx, dy = (ground.xy[ground.is_thing] - ground.xy[k]).T
    beside, upright = (np.abs(dx) <= _CLOSE) & (np.abs(dy) <= _THIN), (np.abs(dy) <= _CLOSE) & (np.abs(dx) <= _THIN)
    return sum(map(bool, ((beside & (dx < 0)).any(), (beside & (dx > 0)).any(), (upright & (dy < 0)).any(),
                          (upright & (dy > 0)).any()))) >= 3  # fmt: skip


def _beyond(thing: SceneObject, ground: Ground, k: int, standing: Sequence[Standing]) -> bool:
    """Whether something else stands between a thing and a place: then nobody calls that "beside"."""
    way = np.linspace(thing.center[:2], ground.world[k, :2], 24)
    way = way[~over_footprint(thing.box, way)]
    for other, (low, high) in standing:
        near = ((way >= low) & (way <= high)).all(1)
        if other.id != thing.id and near.any() and over_footprint(other.box, way[near]).any():
            return True
    return False


_SAY = {"left": "to the left of", "right": "to the right of", "front": "in front of", "behind": "behind"}


def _fields(fact: Fact) -> Mapping[str, str]:
    return {"a": fact.name("red"), "beside": _SAY[fact.values["side"]]}


def _options(fact: Fact, place: int, rng: Random) -> list[str] | None:
    wrong = shuffled((PointAnswer((x, y)).text for x, y in fact.values["other_points"]), rng)
    return [*wrong[:place], fact.answer.text, *wrong[place:]]


_WHERE: Sequence[str] = (
    "Left, right, in front (nearer) and behind (farther away) are meant as the observer sees it. Positions are (x,y), "
    "from 0 to 1000 across and down, starting at the top left.",
    "Take the observer's point of view: in front is the near side, behind the far side. A position (x,y) counts from 0 "
    "to 1000 from the left and from the top.",
    "Directions are those of the camera, in front being towards it. Coordinates (x,y) reach from 0 at the left and "
    "upper border to 1000 at the right and lower one.",
)

FREE_SPACE = Wording(
    fields=_fields,
    stems={
        "*": (
            "which of these places is a free spot on the floor {beside} the {a}?",
            "something is to be put on the free floor {beside} the {a}. Which of the places will do?",
            "a robot should stand {beside} the {a}. Which of the positions shows free floor there?",
            "where is free floor {beside} the {a}?",
            "pick the position of an unoccupied piece of floor {beside} the {a}.",
            "only one of the positions is free floor {beside} the {a}. Which one?",
        )
    },
    sentences=(),
    notes=_WHERE,
    options=_options,
)
