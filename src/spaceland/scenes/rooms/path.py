"""A walk with a camera in the hand that looks at everything in the room.

1. Where one can stand: a grid of places away from walls and furniture, joined to the largest connected part.
2. What can be seen: from some of these places, the unhidden share of every object, by rays to points on it.
3. Which views: greedily, places and directions until every object is well in view more than once.
4. In which order: a short tour; between views the way is walked on the grid, smoothed, and the gaze turns evenly.
5. Proof: the frames are measured (rays through the pixels around each object); objects that stay unseen are reported.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import ndimage
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import dijkstra

from spaceland.geometry.boxes import OrientedBox
from spaceland.geometry.camera import PinholeCamera
from spaceland.geometry.transforms import from_rotation_translation
from spaceland.scenes.rooms.placement import Placement
from spaceland.scenes.rooms.plan import Plan, distance_to_rectangle
from spaceland.scenes.rooms.sight import MIN_PX, Sight, Target

CELL_M = 0.2
WALL_CLEARANCE_M = 0.42
CLEARANCE_M = 0.36
CHECKED_FRAMES = 32
MIN_VIEWS = 2
_STEP_M, _STEP_RAD = 0.28, np.radians(15.0)  # one "effort" of walking or turning
_MAX_EFFORT = 46.0
_CUT_CORNER_M = 0.04


@dataclass(frozen=True, eq=False)
class Walk:
    """A camera path as dense knots at even effort: eye positions [k, 3], yaw and pitch [k], roll [k] in radians.

    Yaw counts from +x towards +y; positive pitch looks up.
    """

    eye: Float[np.ndarray, "k 3"]
    yaw: Float[np.ndarray, "k"]
    pitch: Float[np.ndarray, "k"]
    roll: Float[np.ndarray, "k"]
    effort: float

    def poses(self, num_frames: int) -> Float[np.ndarray, "f 4 4"]:
        """`T_room_cam` of evenly spaced frames, the first and the last knot among them."""
        at = np.linspace(0, len(self.yaw) - 1, num_frames)
        knots = np.arange(len(self.yaw))
        eye = np.stack([np.interp(at, knots, self.eye[:, k]) for k in range(3)], -1)
        yaw, pitch, roll = (np.interp(at, knots, v) for v in (self.yaw, self.pitch, self.roll))
        return from_rotation_translation(camera_rotation(yaw, pitch, roll), eye)


def camera_rotation(yaw: np.ndarray, pitch: np.ndarray, roll: np.ndarray) -> Float[np.ndarray, "*f 3 3"]:
    """R_room_cam: OpenCV axes (x right, y down, z forward)."""
    cy, sy, cp, sp = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
    forward = np.stack([cy * cp, sy * cp, sp], -1)
    right = np.stack([sy, -cy, np.zeros_like(sy)], -1)
    down = np.cross(forward, right)
    cr, sr = np.cos(roll)[..., None], np.sin(roll)[..., None]
    return np.stack([cr * right + sr * down, cr * down - sr * right, forward], -1)


def clearance(points: Float[np.ndarray, "*n 2"], plan: Plan, things: list[Placement]) -> Float[np.ndarray, "*n"]:
    """Free distance around a standing person in metres, less `CLEARANCE_M`: negative is too near something."""
    free = plan.clearance(points) - WALL_CLEARANCE_M
    for thing in things:
        if (thing.z_range[0] < 1.9 and thing.rest != "wall") or thing.rest == "wall":
            free = np.minimum(free, distance_to_rectangle(points, thing.footprint) - CLEARANCE_M)
    return free


@dataclass(frozen=True, eq=False)
class Ground:
    """Places where one can stand: points [n, 2] and the lengths of the shortest ways between neighbours."""

    points: Float[np.ndarray, "n 2"]
    graph: coo_matrix


def walkable(plan: Plan, things: list[Placement]) -> Ground | None:
    """The largest connected set of free grid places; None when there is next to nothing."""
    low, high = plan.polygon.min(0), plan.polygon.max(0)
    x, y = (np.arange(low[k] + CELL_M / 2, high[k], CELL_M) for k in (0, 1))
    grid = np.stack(np.meshgrid(x, y, indexing="ij"), -1)
    free = clearance(grid, plan, things) >= 0
    labels, count = ndimage.label(free)
    if count == 0:
        return None
    sizes = np.bincount(labels.ravel())[1:]
    part = labels == 1 + int(sizes.argmax())
    if part.sum() < 14:
        return None
    index = np.full(part.shape, -1)
    index[part] = np.arange(part.sum())
    rows, columns, lengths = [], [], []
    for dx, dy in ((1, 0), (0, 1), (1, 1), (1, -1)):
        a = index[: index.shape[0] - dx, max(0, -dy) : index.shape[1] - max(0, dy)]
        b = index[dx:, max(0, dy) : index.shape[1] - max(0, -dy)]
        both = (a >= 0) & (b >= 0)
        rows.append(a[both])
        columns.append(b[both])
        lengths.append(np.full(int(both.sum()), CELL_M * float(np.hypot(dx, dy))))
    n = int(part.sum())
    graph = coo_matrix((np.concatenate(lengths), (np.concatenate(rows), np.concatenate(columns))), shape=(n, n))
    return Ground(grid[part], graph)


def plan_walk(
    ground: Ground,
    plan: Plan,
    things: list[Placement],
    targets: list[Target],
    sight: Sight,
    camera: PinholeCamera,
    eye_height_m: float,
    rng: np.random.Generator,
) -> Walk | None:
    """A walk that should show every target; None when no tour can be made."""
    places = _spread(ground.points, 44, rng)
    eyes = np.column_stack([ground.points[places], np.full(len(places), eye_height_m)])
    points = np.stack([t.points for t in targets])  # [o, s, 3]
    offset = points[None] - eyes[:, None, None]  # [p, o, s, 3]
    owner = sight.owner(np.broadcast_to(eyes[:, None, None], offset.shape), offset)
    ids = np.array([t.id for t in targets])
    share = (owner == ids[None, :, None]).mean(-1)  # [p, o]
    size = np.stack([_apparent_px(eyes, t.box, camera) for t in targets], -1) * share
    usable = (share > 0.7) & (size > 1.6 * MIN_PX)

    yaws = np.arange(16) * 2 * np.pi / 16 + float(rng.uniform(0, np.pi / 8))
    pitches = np.radians([-24.0, -12.0, -2.0])
    yaw, pitch = (v.ravel() for v in np.meshgrid(yaws, pitches, indexing="ij"))
    rotations = camera_rotation(yaw, pitch, np.zeros_like(yaw))
    local = np.einsum("vji,posj->pvosi", rotations, offset)
    z = np.maximum(local[..., 2], 1e-6)
    margin = 0.88
    inside = (
        (local[..., 2] > 0.25)
        & (np.abs(local[..., 0] / z) < margin * camera.width / 2 / camera.fx)
        & (np.abs(local[..., 1] / z) < margin * camera.height / 2 / camera.fy)
    ).mean(-1)
    good = (inside > 0.8) & usable[:, None]  # [p, v, o]
    flat = good.reshape(-1, len(targets))
    chosen = _cover(flat, rng)
    if len(chosen) < 2:
        return None
    place, view = np.divmod(chosen, len(yaw))
    nodes = places[place]
    distance, before = dijkstra(ground.graph, directed=False, indices=nodes, return_predecessors=True)
    walk_m = distance[:, nodes]
    turn = np.abs(_wrap(yaw[view][:, None] - yaw[view][None]))
    cost = walk_m / _STEP_M + turn / _STEP_RAD
    count = len(chosen)
    order = _tour(cost)
    while _length(cost, order) > _MAX_EFFORT and count > 4:  # views that came last show the least
        count -= 1
        order = _tour(cost[:count, :count])
    stops = nodes[order], yaw[view][order], pitch[view][order], before[order]
    shake = int(rng.integers(2**62))
    for smooth in (9.0, 5.0, 2.5, 0.8):  # a smoothed way cuts corners
        walk = _walk_between(ground, *stops, eye_height_m, np.random.default_rng(shake), smooth)
        if clearance(walk.eye[:, :2], plan, things).min() >= -_CUT_CORNER_M:
            return walk
    return None


def _spread(points: np.ndarray, count: int, rng: np.random.Generator) -> Int[np.ndarray, "k"]:
    """Indices of points far from each other, each the farthest from those before."""
    chosen = [int(rng.integers(len(points)))]
    distance = np.linalg.norm(points - points[chosen[0]], axis=1)
    while len(chosen) < min(count, len(points)):
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, np.linalg.norm(points - points[chosen[-1]], axis=1))
    return np.array(chosen)


def _apparent_px(eyes: np.ndarray, box: OrientedBox, camera: PinholeCamera) -> Float[np.ndarray, "p"]:
    """Rough area of a box in the picture when it is looked at; half of it counts, furniture has gaps."""
    toward = eyes - box.center
    distance = np.linalg.norm(toward, axis=1)
    local = np.abs(toward @ box.rotation) / distance[:, None]
    sides = np.prod(box.size) / np.maximum(box.size, 1e-6)
    return 0.5 * camera.fx**2 * (local @ sides) / distance**2


def _cover(good: Bool[np.ndarray, "v o"], rng: np.random.Generator) -> Int[np.ndarray, "k"]:
    """Views picked greedily so that every object is in at least three where possible; at most eleven."""
    need = np.minimum(good.any(0) * 3, 3).astype(float)
    tie = rng.uniform(0, 0.2, len(good))
    chosen: list[int] = []
    while need.max() > 0 and len(chosen) < 11:
        gain = good @ (need / 3 + (need >= 2)) * (need.sum() > 0) + tie
        best = int(gain.argmax())
        if not (good[best] & (need > 0)).any():
            break
        chosen.append(best)
        need = np.maximum(need - good[best], 0)
        good = good.copy()
        good[best] = False
    return np.array(chosen, dtype=int)


def _tour(cost: Float[np.ndarray, "k k"]) -> Int[np.ndarray, "k"]:
    """A short open tour: nearest neighbour from every start, then turning parts round while that helps."""
    count = len(cost)
    best, best_cost = np.arange(count), np.inf
    for start in range(count):
        order = [start]
        rest = set(range(count)) - {start}
        while rest:
            order.append(min(rest, key=lambda k: (cost[order[-1], k], k)))
            rest.remove(order[-1])
        improved = True
        while improved:
            improved = False
            for i in range(count - 1):
                for j in range(i + 1, count):
                    other = order[:i] + order[i : j + 1][::-1] + order[j + 1 :]
                    if _length(cost, other) < _length(cost, order) - 1e-9:
                        order, improved = other, True
        if _length(cost, order) < best_cost - 1e-9:
            best, best_cost = np.array(order), _length(cost, order)
    return best


def _length(cost: np.ndarray, order: Sequence[int] | Int[np.ndarray, "k"]) -> float:
    return float(cost[order[:-1], order[1:]].sum())


def _walk_between(
    ground: Ground,
    nodes: np.ndarray,
    yaw: np.ndarray,
    pitch: np.ndarray,
    before: np.ndarray,
    eye_height_m: float,
    rng: np.random.Generator,
    smooth: float,
) -> Walk:
    """Walk from view to view and turn on the way; then shake a little and space the knots by effort."""
    xy, turn, tilt = [ground.points[nodes[:1]]], [yaw[:1]], [pitch[:1]]
    heading = float(yaw[0])
    for k in range(len(nodes) - 1):
        way = [int(nodes[k + 1])]
        while way[-1] != nodes[k]:
            way.append(int(before[k, way[-1]]))
        line = ground.points[way[::-1]]
        length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
        swing = float(_wrap(yaw[k + 1] - heading))
        steps = max(2, int(np.ceil(20 * (length[-1] / _STEP_M + abs(swing) / _STEP_RAD))))
        t = np.linspace(0, 1, steps + 1)[1:]
        xy.append(np.stack([np.interp(t * length[-1], length, line[:, i]) for i in (0, 1)], -1))
        turn.append(heading + swing * t)
        tilt.append(pitch[k] + (pitch[k + 1] - pitch[k]) * t)
        heading += swing
    position, turned, tilted = np.concatenate(xy), np.concatenate(turn), np.concatenate(tilt)
    position = ndimage.gaussian_filter1d(position, smooth, axis=0, mode="nearest")
    turned = ndimage.gaussian_filter1d(turned, smooth / 2, mode="nearest")
    tilted = ndimage.gaussian_filter1d(tilted, smooth / 2, mode="nearest")
    effort = np.concatenate(
        [
            [0],
            np.cumsum(
                np.linalg.norm(np.diff(position, axis=0), axis=1) / _STEP_M + np.abs(np.diff(turned)) / _STEP_RAD
            ),
        ]
    )
    knots = 10 * (CHECKED_FRAMES - 1) + 1
    at = np.linspace(0, effort[-1], knots)
    position = np.stack([np.interp(at, effort, position[:, i]) for i in (0, 1)], -1)
    turned, tilted = np.interp(at, effort, turned), np.interp(at, effort, tilted)
    height = eye_height_m + 0.03 * _sway(knots, rng, 30.0)
    return Walk(
        np.column_stack([position, height]),
        turned + np.radians(0.8) * _sway(knots, rng, 9.0),
        tilted + np.radians(0.9) * _sway(knots, rng, 9.0),
        np.radians(0.9) * _sway(knots, rng, 14.0),
        float(effort[-1]),
    )


def _sway(count: int, rng: np.random.Generator, sigma: float) -> Float[np.ndarray, "k"]:
    """Smooth noise within about -2..2, with unit variance."""
    noise = ndimage.gaussian_filter1d(rng.standard_normal(count), sigma, mode="wrap")
    return np.clip(noise / (noise.std() + 1e-9), -2.2, 2.2)


def _wrap(angle: np.ndarray) -> np.ndarray:
    return (angle + np.pi) % (2 * np.pi) - np.pi
