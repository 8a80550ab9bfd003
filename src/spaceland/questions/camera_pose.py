"""Where the camera of another view stands (SPAR `camera_motion_infer`; fill, select, sentence; two views).

Worked example. The first camera, 640 x 480 with a focal length of 500 px and its principal point in the middle, looks
along world y from (0, 0, 1.5). The second picture was taken at (0.4, 2, 1.5), which is 0.4 m to the right and 2 m deep
in the first: pixel 320 + 500 * 0.4 / 2 = 420 across and 240 down.

    question  Where in the first image was the camera when it took the second one? ...
    answer    (656,500),2.0

Coordinates run from 0 to 1000 across and down the first image, depth is in metres along the viewing direction (or the
line of sight, see `Conventions.depth`). A pair is asked about only if the second camera is in front of the first, well
inside its image and not hidden: the depth around that pixel, from the sensor or from a ray through the mesh, must be
clearly greater. Where the scene has neither, `params` say that nobody looked.

Wrong places are those of other cameras of the scene that pass the same tests, first of those that could have been the
second one. Where there are too few of them, places are drawn in the free space that the first image shows, at the
height of one of the cameras. So the first image alone tells nothing about which of the places is the right one. All of
them are clearly apart in the picture and in the room.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from random import Random
from weakref import WeakKeyDictionary

import numpy as np
from jaxtyping import Bool, Float

from spaceland.geometry.raycast import RayCaster
from spaceland.questions.answers import PlaceAnswer
from spaceland.questions.facts import Fact, TaskContext, shuffled
from spaceland.questions.marks import to_thousand
from spaceland.questions.phrasing import Wording
from spaceland.questions.viewsets import Links, close_up_firsts
from spaceland.scenes.scene import Frame, Scene
from spaceland.visibility import map_maker

_AROUND_PX = 2
"""Pixels of the depth map looked at on each side of the projection."""
_CASTERS: WeakKeyDictionary[Scene, RayCaster] = WeakKeyDictionary()
_APART = 120
"""Places of a question differ by this much of 1000, across and down together."""
_OTHER_PLACES, _NEEDED = 10, 3
"""Wrong places are taken from up to so many; with fewer than three there is no select question."""
_DRAWS = 48
"""Places that are tried in free space."""
_Place = tuple[tuple[int, int], tuple[float, float, float]]
"""x and y of 1000, and metres in the axes of the first camera."""


def propose_camera_pose(context: TaskContext, rng: Random) -> Iterator[Fact]:
    """Pairs of views of which the first sees where the second was taken."""
    # Wrong places have a stream of their own, so that which pairs come does not hang on how many of them are drawn.
    twin = Random()
    twin.setstate(rng.getstate())
    seed = twin.getrandbits(64)
    for first, second in close_up_firsts(context, rng):
        fact = _of_pair(context, first, second, seed)
        if fact is not None:
            yield fact


def _of_pair(context: TaskContext, first: Frame, second: Frame, seed: int) -> Fact | None:
    policy, conventions, camera = context.policy, context.conventions, first.camera
    place = (second.T_world_cam[:3, 3] - first.T_world_cam[:3, 3]) @ first.T_world_cam[:3, :3]
    z = float(place[2])
    if z < policy.min_camera_depth_m:
        context.reject("second camera is not in front of the first", (first.id, second.id), value=z)
        return None
    u = float(place[0]) / z * camera.fx + camera.cx
    v = float(place[1]) / z * camera.fy + camera.cy
    border = policy.camera_border_share * camera.width
    if not (border <= u <= camera.width - border and border <= v <= camera.height - border):
        context.reject("second camera is outside the first image", (first.id, second.id))
        return None
    tested = _tested_by(context.scene, first)
    free_m = float(_free_depths(context, first, np.array([[u, v]]))[0])
    if free_m <= 0:
        context.reject("depth unknown where the second camera is", (first.id, second.id))
        return None
    if free_m < z + policy.camera_clearance_m:
        context.reject("second camera may be hidden", (first.id, second.id), value=free_m - z)
        return None
    depth = z if conventions.depth == "z" else float(np.linalg.norm(place))
    answer = PlaceAnswer(to_thousand(u, camera.width), to_thousand(v, camera.height), depth, conventions.decimals)
    right = (answer.x, answer.y), (float(place[0]), float(place[1]), z)
    others = _OtherPlaces(context, first, right).places(Random(f"{seed}:{first.id}:{second.id}"))
    return Fact(
        task="camera_motion_infer",
        frames=(first.id, second.id),
        objects={},
        labels={},
        answer=answer,
        values={"depth_m": round(depth, 6), "other_places": others},
        params={
            "measure": conventions.depth,
            "decimals": conventions.decimals,
            "min_camera_depth_m": policy.min_camera_depth_m,
            "camera_border_share": policy.camera_border_share,
            "camera_clearance_m": policy.camera_clearance_m,
            "min_place_gap_m": policy.min_place_gap_m,
            "min_place_gap_share": policy.min_place_gap_share,
            "hidden_tested_by": tested,
        },
    )


class _Cameras:
    """Where the cameras of a scene's linked frames are; the same for all questions."""

    def __init__(self, links: Links) -> None:
        self.linked, self.baseline_m = links.linked, links.baseline_m
        self.row = {frame.id: k for k, frame in enumerate(links.frames)}
        self.centers = np.array([frame.T_world_cam[:3, 3] for frame in links.frames])


_CAMERAS: WeakKeyDictionary[Links, _Cameras] = WeakKeyDictionary()


class _OtherPlaces:
    """Wrong places in one image: x and y of 1000, and the depth.

    Args:
        context: The scene and the policy.
        first: The frame of the image.
        right: The right place: x and y of 1000, and metres in the axes of that camera.
    """

    def __init__(self, context: TaskContext, first: Frame, right: _Place) -> None:
        links = context.views.links(context)
        if links not in _CAMERAS:
            _CAMERAS[links] = _Cameras(links)
        self._context, self._first, self._cameras = context, first, _CAMERAS[links]
        self._right_z = right[1][2]
        policy = context.policy
        self._gap_m = max(policy.min_place_gap_m, policy.min_place_gap_share * self._right_z)
        self._taken = [right]

    def places(self, rng: Random) -> list[list[float]]:
        """Up to `_OTHER_PLACES`, the best first, clearly apart from the right one and from each other."""
        row, cameras = self._cameras.row[self._first.id], self._cameras
        linked = cameras.linked[row]
        near = ~linked & (cameras.baseline_m[row] <= self._context.policy.max_baseline_m)
        found: list[list[float]] = []
        for chosen in (linked, near):
            self._add(found, self._in_first(cameras.centers[chosen]), rng)
        if len(found) < _OTHER_PLACES:
            self._add(found, self._drawn(self._right_z, rng), rng)
        return found

    def _add(self, found: list[list[float]], local: Float[np.ndarray, "n 3"], rng: Random) -> None:
        """Take those of some places, in camera axes, that fit, in random order, until there are enough."""
        pixels, fits = self._visible(local)
        size = np.array([self._first.camera.width, self._first.camera.height])
        # Depth is asked for where the written place lies, so that whoever reads the options may ask for it again.
        thousands = np.rint(1000 * pixels[fits] / size).astype(int)
        depths = local[fits, 2]
        written = thousands * size / 1000
        rays = self._first.camera.unproject(written, np.ones(len(written)))
        there = (rays * depths[:, None]).tolist()
        taken, chosen = list(self._taken), []
        for k in shuffled(range(len(depths)), rng):
            x, y = int(thousands[k, 0]), int(thousands[k, 1])
            if all(
                abs(x - a) + abs(y - b) >= _APART and math.dist(there[k], other) >= self._gap_m
                for (a, b), other in taken
            ):
                taken.append(((x, y), tuple(there[k])))
                chosen.append(k)
            if len(taken) == 1 + _OTHER_PLACES:
                break
        if not chosen:
            return
        free_m = _free_depths(self._context, self._first, written[chosen])
        for k, free in zip(chosen, free_m.tolist(), strict=True):
            z = float(depths[k])
            if free >= z + self._context.policy.camera_clearance_m:
                depth = z if self._context.conventions.depth == "z" else math.hypot(*there[k])
                x, y = int(thousands[k, 0]), int(thousands[k, 1])
                found.append([x, y, round(depth, 6)])
                self._taken.append(((x, y), tuple(there[k])))

    def _in_first(self, centers: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
        pose = self._first.T_world_cam
        return (centers - pose[:3, 3]) @ pose[:3, :3]

    def _visible(self, local: Float[np.ndarray, "n 3"]) -> tuple[Float[np.ndarray, "n 2"], Bool[np.ndarray, "n"]]:
        """Pixels, and which places are ahead and well inside the image."""
        camera, policy = self._first.camera, self._context.policy
        border = policy.camera_border_share * camera.width
        z = np.maximum(local[:, 2], 1e-6)
        u = local[:, 0] / z * camera.fx + camera.cx
        v = local[:, 1] / z * camera.fy + camera.cy
        fits = (local[:, 2] >= policy.min_camera_depth_m) & (u >= border) & (u <= camera.width - border)
        return np.stack([u, v], -1), fits & (v >= border) & (v <= camera.height - border)

    def _drawn(self, right_z: float, rng: Random) -> Float[np.ndarray, "n 3"]:
        """Random places at the height of one of the cameras, half of them nearer than the right one."""
        camera, pose, policy = self._first.camera, self._first.T_world_cam, self._context.policy
        heights_m = self._cameras.centers[:, 2].tolist()
        # Height is that of the first camera + down * y + ..., solved for y; a camera that looks straight down has none.
        right_up, down_up, ahead_up = (float(v) for v in pose[2, :3])
        ranges_m = (
            (policy.min_camera_depth_m, right_z),
            (right_z, max(right_z, min(2 * right_z, policy.max_baseline_m))),
        )
        found = []
        for k in range(_DRAWS if abs(down_up) > 0.2 else 0):
            z = rng.uniform(*ranges_m[k % 2])
            x = (rng.uniform(0, camera.width) - camera.cx) / camera.fx * z
            rise = rng.choice(heights_m) - float(pose[2, 3])
            found.append((x, (rise - right_up * x - ahead_up * z) / down_up, z))
        return np.array(found).reshape(-1, 3)


def _tested_by(scene: Scene, frame: Frame) -> str:
    """What tells how deep a frame sees."""
    if frame.depth is not None:
        return "depth"
    surface = scene.surface
    return "nothing" if surface is None or surface.faces is None or len(surface.faces) == 0 else "mesh"


def _free_depths(context: TaskContext, frame: Frame, pixels: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n"]:
    """The least depth around each pixel; 0 where it is unknown, infinite where nothing in the scene tells."""
    tested_by = _tested_by(context.scene, frame)
    if tested_by == "nothing":
        return np.full(len(pixels), np.inf)
    if tested_by == "mesh":
        return _cast_depths(context.scene, frame, pixels)
    maps = map_maker(context.scene, context.views.visibility.config).close_up(frame)
    depth = maps.depth
    x, y = (pixels * [maps.camera.width / frame.camera.width, maps.camera.height / frame.camera.height]).T
    result = np.zeros(len(pixels))
    for k, (column, row) in enumerate(zip(x.astype(int).tolist(), y.astype(int).tolist(), strict=True)):
        near = depth[
            max(0, row - _AROUND_PX) : max(0, row + _AROUND_PX + 1),
            max(0, column - _AROUND_PX) : max(0, column + _AROUND_PX + 1),
        ]
        near = near[near > 0]
        result[k] = near.min() if len(near) else 0.0
    return result


def _cast_depths(scene: Scene, frame: Frame, pixels: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n"]:
    """As `_free_depths`, by five rays through the mesh for each pixel."""
    surface = scene.surface
    assert surface is not None and surface.faces is not None
    if scene not in _CASTERS:
        _CASTERS[scene] = RayCaster(surface.vertices, surface.faces)
    offsets = np.array([[0, 0], [-1, 0], [1, 0], [0, -1], [0, 1]]) * (_AROUND_PX * frame.camera.width / 640)
    around = (pixels[:, None] + offsets).reshape(-1, 2)
    rays = frame.camera.unproject(around, np.ones(len(around)))
    hits = _CASTERS[scene].cast(frame.T_world_cam[:3, 3], rays @ frame.T_world_cam[:3, :3].T).distance
    # A ray that meets nothing leaves through a hole of the scan: it says as little as a pixel without depth.
    hits = np.where(hits > 0, hits, np.inf).reshape(-1, len(offsets)).min(-1)
    return np.where(np.isfinite(hits), hits, 0.0)


def _fields(fact: Fact) -> dict[str, str]:
    answer = fact.answer
    assert isinstance(answer, PlaceAnswer)
    return {
        "value": answer.text,
        "place": f"({answer.x},{answer.y})",
        "depth": f"{answer.depth_m:.{answer.decimals}f}",
        "measured": _MEASURED[fact.params["measure"]],
    }


_MEASURED = {"z": "straight along the viewing direction", "range": "along the line of sight"}


def place_options(right: PlaceAnswer, others: Sequence[Sequence[float]], place: int, rng: Random) -> list[str] | None:
    """Four places with depths, the right one at index `place`; None when there are fewer than three others.

    Args:
        right: The right place.
        others: Wrong ones as x, y and depth, the best first.
        place: Where the right one stands among the options.
        rng: Also draws how many of the wrong ones shall be less deep, so that the right one is as often the least deep
            as the deepest; where there are not so many, the others make up for it.
    """
    if len(others) < _NEEDED:
        return None
    nearer = [other for other in others if other[2] < right.depth_m]
    deeper = [other for other in others if other[2] >= right.depth_m]
    less = min(max(rng.randrange(_NEEDED + 1), _NEEDED - len(deeper)), len(nearer))
    wrong = [
        PlaceAnswer(int(x), int(y), depth, right.decimals).text
        for x, y, depth in shuffled(nearer[:less] + deeper[: _NEEDED - less], rng)
    ]
    return [*wrong[:place], right.text, *wrong[place:]]


def _options(fact: Fact, place: int, rng: Random) -> list[str] | None:
    assert isinstance(fact.answer, PlaceAnswer)
    return place_options(fact.answer, fact.values["other_places"], place, rng)


CAMERA_POSE = Wording(
    fields=_fields,
    stems={
        "*": (
            "where in the first image was the camera when it took the second one, and how deep is that place?",
            "the second image was taken from a place that the first one shows. Which place is it, and at what depth?",
            "find the camera of the second view in the first image, and give its depth.",
            "at which point of the first image, and how deep, was the camera of the second image?",
            "project the camera of the second image into the first one. Where does it fall and what is its depth?",
            "point out in the first image where the second one was shot, and say how deep that is.",
            "imagine that the first picture showed the second camera. What would be its position there and its depth?",
        )
    },
    notes=(
        "Positions are (x,y) from 0 to 1000 across and down the first image, depth is in metres, {measured}. Meant is "
        "the camera itself, not the floor below it.",
        "Give x and y on a scale of 0 to 1000 starting at the top left, and the depth in metres {measured}. The camera "
        "itself counts, not the floor below it.",
        "The top left corner of the first image is (0,0), the bottom right one (1000,1000); metres of depth count "
        "{measured}, to the camera itself, not the floor below it.",
    ),
    tails={
        "fill": (
            "Answer in the form (x,y),depth.",
            "Reply with (x,y),depth and nothing else.",
            "Write just (x,y),depth.",
            "Give the point and the depth as (x,y),d without blanks.",
            "Use the form (x,y),d for your answer.",
            "The position and the depth, written (x,y),d, are enough.",
        )
    },
    sentences=(
        "the second camera is at {place} in the first image, {depth} m deep.",
        "in the first image it is at {place}, at a depth of {depth} m.",
        "look at {place} in the first image: about {depth} m deep, that is where the second one was taken.",
        "the second image was shot from {place}, roughly {depth} m away from the first camera in depth.",
        "its place in the first view is {place} and its depth {depth} m.",
        "the camera of the second image was at {place}, {depth} m deep.",
    ),
    options=_options,
)
