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
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from weakref import WeakKeyDictionary

import numpy as np
from jaxtyping import Float

from spaceland.geometry.raycast import RayCaster
from spaceland.questions.answers import PlaceAnswer
from spaceland.questions.facts import Fact, TaskContext
from spaceland.questions.marks import to_thousand
from spaceland.questions.phrasing import Wording, number_options
from spaceland.questions.viewsets import view_pairs
from spaceland.scenes.scene import Frame, Scene

_AROUND_PX = 2
"""Depth pixels looked at on each side of the projection."""
_CASTERS: WeakKeyDictionary[Scene, RayCaster] = WeakKeyDictionary()
_DEPTHS: WeakKeyDictionary[Frame, np.ndarray] = WeakKeyDictionary()
_DEPTHS_HELD = 32


def propose_camera_pose(context: TaskContext, rng: Random) -> Iterator[Fact]:
    """Pairs of views of which the first sees where the second was taken."""
    for first, second in view_pairs(context, rng):
        fact = _of_pair(context, first, second)
        if fact is not None:
            yield fact


def _of_pair(context: TaskContext, first: Frame, second: Frame) -> Fact | None:
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
    tested, free_m = _free_depth(context.scene, first, u, v)
    if free_m is not None and free_m <= 0:
        context.reject("depth unknown where the second camera is", (first.id, second.id))
        return None
    if free_m is not None and free_m < z + policy.camera_clearance_m:
        context.reject("second camera may be hidden", (first.id, second.id), value=free_m - z)
        return None
    depth = z if conventions.depth == "z" else float(np.linalg.norm(place))
    answer = PlaceAnswer(to_thousand(u, camera.width), to_thousand(v, camera.height), depth, conventions.decimals)
    return Fact(
        task="camera_motion_infer",
        frames=(first.id, second.id),
        objects={},
        labels={},
        answer=answer,
        values={"depth_m": round(depth, 6)},
        params={
            "measure": conventions.depth,
            "decimals": conventions.decimals,
            "min_camera_depth_m": policy.min_camera_depth_m,
            "camera_border_share": policy.camera_border_share,
            "camera_clearance_m": policy.camera_clearance_m,
            "hidden_tested_by": tested,
        },
    )


def _free_depth(scene: Scene, frame: Frame, u: float, v: float) -> tuple[str, float | None]:
    """What tells the depth at a pixel, and the least depth around it (0: unknown there; None: nothing tells)."""
    if frame.depth is not None:
        camera = frame.depth_camera or frame.camera
        depth = _depth_of(frame)
        x = (u - frame.camera.cx) / frame.camera.fx * camera.fx + camera.cx
        y = (v - frame.camera.cy) / frame.camera.fy * camera.fy + camera.cy
        # The map may be stored in another size than its camera's.
        column, row = int(x * depth.shape[1] / camera.width), int(y * depth.shape[0] / camera.height)
        near = depth[
            max(0, row - _AROUND_PX) : max(0, row + _AROUND_PX + 1),
            max(0, column - _AROUND_PX) : max(0, column + _AROUND_PX + 1),
        ]
        near = near[np.isfinite(near) & (near > 0)]
        return "depth", float(near.min()) if len(near) else 0.0
    surface = scene.surface
    if surface is None or surface.faces is None or len(surface.faces) == 0:
        return "nothing", None
    if scene not in _CASTERS:
        _CASTERS[scene] = RayCaster(surface.vertices, surface.faces)
    offsets = np.array([[0, 0], [-1, 0], [1, 0], [0, -1], [0, 1]]) * (_AROUND_PX * frame.camera.width / 640)
    rays: Float[np.ndarray, "5 3"] = frame.camera.unproject(np.array([u, v]) + offsets, np.ones(5))
    hits = _CASTERS[scene].cast(frame.T_world_cam[:3, 3], rays @ frame.T_world_cam[:3, :3].T).distance
    # A ray that meets nothing leaves through a hole of the scan: it says as little as a pixel without depth.
    hits = hits[hits > 0]
    return "mesh", float(hits.min()) if len(hits) else 0.0


def _depth_of(frame: Frame) -> np.ndarray:
    """The depth map of a frame; those of the last frames are kept."""
    if frame not in _DEPTHS:
        while len(_DEPTHS) >= _DEPTHS_HELD:
            del _DEPTHS[next(iter(_DEPTHS))]
        assert frame.depth is not None
        _DEPTHS[frame] = frame.depth()
    return _DEPTHS[frame]


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


def place_options(right: PlaceAnswer, place: int, rng: Random) -> list[str] | None:
    """Four places with depths, the right one at index `place`.

    Depths form a ladder on which the right one has a random rung. Places are apart by at least 120 of 1000, and spread
    about a centre that is itself off the right one, so that the right one is not the middle of all.
    """
    rung = rng.randrange(4)
    ladder = None
    for _ in range(4):
        ladder = number_options(right.depth_m, rung, rng, decimals=right.decimals, low=0.3)
        if ladder is not None:
            break
        rung = max(0, rung - 1)
    if ladder is None:
        return None
    depths = [float(text) for k, text in enumerate(ladder) if k != rung]
    rng.shuffle(depths)
    level = right.y + rng.randint(-120, 120)
    places = [(right.x, right.y)]
    for _ in range(80):
        x, y = rng.randint(40, 960), min(960, max(40, level + rng.randint(-200, 200)))
        if all(abs(x - a) + abs(y - b) >= 120 for a, b in places):
            places.append((x, y))
        if len(places) == 4:
            break
    if len(places) < 4:
        return None
    wrong = [PlaceAnswer(x, y, depth, right.decimals) for (x, y), depth in zip(places[1:], depths, strict=True)]
    return [answer.text for answer in (*wrong[:place], right, *wrong[place:])]


def _options(fact: Fact, place: int, rng: Random) -> list[str] | None:
    assert isinstance(fact.answer, PlaceAnswer)
    return place_options(fact.answer, place, rng)


CAMERA_POSE = Wording(
    fields=_fields,
    stems={
        "*": (
            "where in the first image was the camera when it took the second one, and how deep is that place?",
            "the second image was taken from a place that the first one shows. Which place is it, and at what depth?",
            "find the camera of the second view in the first image, and give its depth.",
            "at which point of the first image, and how deep, stood whoever took the second image?",
            "project the camera of the second image into the first one. Where does it fall and what is its depth?",
            "point out in the first image where the second one was shot, and say how deep that is.",
            "imagine the second camera standing in the first picture. What are its position there and its depth?",
        )
    },
    notes=(
        "Positions are (x,y) from 0 to 1000 across and down the first image, depth is in metres, {measured}.",
        "Give x and y on a scale of 0 to 1000 starting at the top left, and the depth in metres {measured}.",
        "The top left corner of the first image is (0,0), the bottom right one (1000,1000); metres of depth count "
        "{measured}.",
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
        "in the first image it stands at {place}, at a depth of {depth} m.",
        "look at {place} in the first image: about {depth} m deep, that is where the second one was taken.",
        "the second image was shot from {place}, roughly {depth} m away from the first camera in depth.",
        "its place in the first view is {place} and its depth {depth} m.",
        "whoever took the second image stood at {place}, {depth} m deep.",
    ),
    options=_options,
)
