"""Short questions about marked points and two views, with answers from depth and poses of sample rooms.

A model of a few million parameters has to learn language, the finding of marks and geometry from some ten thousand
answers, so the wording is one of a kind and as short as can be. A clip is two frames of a walk; a red and a blue point
are marked in the first, a green one in the second. Everything is asked from the first camera.

| task | question | answer | scored by |
|---|---|---|---|
| `depth_of_mark` | depth of red? | metres along the optical axis | MRA |
| `distance_of_marks` | distance red to green? | metres | MRA |
| `nearer_mark` | nearer, red or blue? | a colour; by distance from the first camera | exact |
| `left_mark` | more to the left, red or blue? | a colour, both in the first picture | exact |
| `camera_turn` | which way did the camera turn? | left or right | exact |
| `camera_way` | did the camera go forward or back? | forward or back | exact |
| `camera_move` | how far did the camera move? | metres | MRA |

`left_mark` needs no geometry: it tells whether marks are found at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from random import Random
from typing import Any

import numpy as np
from jaxtyping import Float

from spaceland.geometry.camera import PinholeCamera
from spaceland.questions.marks import Mark

TASKS = (
    "depth_of_mark", "distance_of_marks", "nearer_mark", "left_mark", "camera_turn", "camera_way", "camera_move"
)  # fmt: skip
COLOURS = ("red", "blue", "green")
MARK_SIZE = 0.1
"""Diameter as a share of the width: pictures are small, and a mark should not drown in a patch."""
_BORDER = 0.06
_APART = 0.15
_SMOOTH = 0.05
_CLEAR = 1.2
_TURN_DEG = 5.0
_MOVE_M = 0.1


@dataclass(frozen=True, eq=False)
class Shot:
    """A frame with its true geometry."""

    id: str
    depth_m: Float[np.ndarray, "h w"]
    camera: PinholeCamera
    T_world_cam: Float[np.ndarray, "4 4"]


@dataclass(frozen=True)
class Question:
    """A task, its words, and the answer as it is written."""

    task: str
    text: str
    answer: str
    unit: str | None = None


@dataclass(frozen=True, eq=False)
class MarkedPoint:
    """A pixel (0..1000 of width and height), which of the two pictures it is in, and its world point."""

    colour: str
    image: int
    xy: tuple[int, int]
    point_m: Float[np.ndarray, "3"]

    def mark(self) -> Mark:
        """As it is drawn."""
        return Mark(self.colour, "point", -1, self.image, self.xy, MARK_SIZE)  # type: ignore[arg-type]


def pick_points(shots: Sequence[Shot], rng: Random) -> list[MarkedPoint] | None:
    """Red and blue in the first picture, green in the second, on smooth surface and apart; None where it is hard."""
    chosen: list[MarkedPoint] = []
    for colour, image in zip(COLOURS, (0, 0, 1), strict=True):
        for _ in range(30):
            x, y = (rng.uniform(_BORDER, 1 - _BORDER) for _ in range(2))
            if any(p.image == image and np.hypot(p.xy[0] / 1000 - x, p.xy[1] / 1000 - y) < _APART for p in chosen):
                continue
            point = _surface_point(shots[image], x, y)
            if point is not None:
                chosen.append(MarkedPoint(colour, image, (round(1000 * x), round(1000 * y)), point))
                break
        else:
            return None
    return chosen


def _surface_point(shot: Shot, x: float, y: float) -> Float[np.ndarray, "3"] | None:
    height, width = shot.depth_m.shape
    u, v = int(x * width), int(y * height)
    near = shot.depth_m[max(0, v - 2) : v + 3, max(0, u - 2) : u + 3]
    z = shot.depth_m[v, u]
    if near.min() <= 0.2 or np.ptp(near) > _SMOOTH * z:
        return None
    local = shot.camera.unproject(np.array([x * width, y * height]), np.array(z))
    return shot.T_world_cam[:3, :3] @ local + shot.T_world_cam[:3, 3]


def questions_of(
    shots: Sequence[Shot], points: Sequence[MarkedPoint], rng: Random, drawn: bool = True
) -> list[Question]:
    """All clear questions about a clip.

    Args:
        shots: The two frames.
        points: Of `pick_points`.
        rng: Shuffles which of two is named first.
        drawn: Whether marks are drawn; otherwise the text says where each point is, as (x,y) of 0 to 1000.
    """
    first, second = shots
    R, t = first.T_world_cam[:3, :3], first.T_world_cam[:3, 3]
    local = {p.colour: R.T @ (p.point_m - t) for p in points}
    range_m = {colour: float(np.linalg.norm(point)) for colour, point in local.items()}
    by_colour = {p.colour: p for p in points}

    def name(colour: str) -> str:
        x, y = by_colour[colour].xy
        return colour if drawn else f"({x},{y}) in picture {by_colour[colour].image + 1}"

    found = [
        Question("depth_of_mark", f"depth of {name(p.colour)}?", f"{local[p.colour][2]:.1f}", "m")
        for p in points
        if p.image == 0
    ]
    for pair in combinations(COLOURS, 2):
        a, b = rng.sample(pair, 2)
        apart = float(np.linalg.norm(local[a] - local[b]))
        if apart >= 0.3:
            found.append(Question("distance_of_marks", f"distance {name(a)} to {name(b)}?", f"{apart:.1f}", "m"))
        if max(range_m[a], range_m[b]) > _CLEAR * min(range_m[a], range_m[b]):
            nearer = "first" if range_m[a] < range_m[b] else "second"
            answer = nearer if not drawn else (a if nearer == "first" else b)
            found.append(Question("nearer_mark", f"nearer, {name(a)} or {name(b)}?", answer))
    a, b = rng.sample(("red", "blue"), 2)
    if abs(by_colour[a].xy[0] - by_colour[b].xy[0]) >= 80:
        left = a if by_colour[a].xy[0] < by_colour[b].xy[0] else b
        answer = left if drawn else ("first" if left == a else "second")
        found.append(Question("left_mark", f"more to the left, {name(a)} or {name(b)}?", answer))
    ahead = R.T @ second.T_world_cam[:3, 2]
    turned = float(np.degrees(np.arctan2(ahead[0], ahead[2])))
    if abs(turned) >= _TURN_DEG:
        found.append(Question("camera_turn", "which way did the camera turn?", "right" if turned > 0 else "left"))
    went = R.T @ (second.T_world_cam[:3, 3] - t)
    if abs(went[2]) >= _MOVE_M:
        way = "forward" if went[2] > 0 else "back"
        found.append(Question("camera_way", "did the camera go forward or back?", way))
    moved = float(np.linalg.norm(went))
    if moved >= _MOVE_M:
        found.append(Question("camera_move", "how far did the camera move?", f"{moved:.1f}", "m"))
    return found


def one_of_each(questions: Sequence[Question], tasks: Sequence[str], rng: Random) -> list[Question]:
    """At most one question of each task, in random order: answers to others would give some away."""
    mixed = rng.sample(list(questions), len(questions))
    first = {question.task: question for question in reversed(mixed)}
    return [question for question in mixed if question.task in tasks and first[question.task] is question]


def to_row(
    question: Question, *, id: str, scene: str, images: Sequence[str], marks: Sequence[Mark], frames: Sequence[str]
) -> dict[str, Any]:
    """A row as the library writes and scores them."""
    return {
        "id": id,
        "task": question.task,
        "format": "fill",
        "scene": scene,
        "images": list(images),
        "question": question.text,
        "answer": question.answer,
        "options": None,
        "marks": [mark.to_json() for mark in marks],
        "facts": {"unit": question.unit, "frames": list(frames)},
    }
