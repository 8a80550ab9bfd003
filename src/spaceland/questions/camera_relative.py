"""The full pose of a second camera against the first (`camera_pose_relative`; fill, select; two views).

Worked example. The first camera looks level along world y from (0, 0, 1.5). The second picture is taken at
(1, 2, 1.5), looks 30 degrees further to the right and 10 degrees down, and is held straight:

    question  Where was the second image taken, and how was the camera turned? ...
    answer    distance:2.2,toward_right:25,toward_up:0,rotate_right:30,rotate_down:10,roll_clockwise:0

All of it is told in the axes of the first camera, as it is held (not in a level frame, as `view_change_infer` has it):

    distance         between the two cameras, metres
    toward_right/up  the direction in which the second camera lies: so far to the right of the first one's line of
                     sight, then so far up; beyond 90 degrees it lies behind
    rotate_right/up, how the second camera is turned: from the pose of the first, to the right about the camera's own
    roll_clockwise   vertical axis, then up about its own horizontal one, then clockwise about its line of sight, as
                     seen by whoever looks through it

In camera axes (x right, y down, z forward) the rotation is Ry(right) Rx(up) Rz(clockwise). Angles are multiples of
`angle_step_deg`. Pairs are left out where a part means little: cameras at the same place have no direction, and near
straight up, straight down or straight behind left and right cannot be told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from random import Random

import numpy as np

from spaceland.questions.answers import PoseAnswer
from spaceland.questions.facts import Fact, TaskContext, shuffled, vector
from spaceland.questions.phrasing import Wording
from spaceland.questions.viewsets import view_pairs
from spaceland.scenes.scene import Frame

_BEHIND_DEG = 170.0


def relative_pose(
    T_world_first: np.ndarray, T_world_second: np.ndarray, decimals: int = 1, angle_step_deg: int = 5
) -> PoseAnswer:
    """Where the second camera is in the axes of the first, and how it is turned."""
    R_world_first = T_world_first[:3, :3]
    x, y, z = (T_world_second[:3, 3] - T_world_first[:3, 3]) @ R_world_first
    R = R_world_first.T @ T_world_second[:3, :3]
    # R = Ry(right) Rx(up) Rz(clockwise): its last column is where the second camera looks.
    right, up = np.arctan2(R[0, 2], R[2, 2]), np.arctan2(-R[1, 2], np.hypot(R[0, 2], R[2, 2]))
    clockwise = np.arctan2(R[1, 0], R[1, 1])
    toward = np.degrees([np.arctan2(x, z), np.arctan2(-y, np.hypot(x, z))])
    turned = np.degrees([right, up, clockwise])
    return PoseAnswer(
        float(np.linalg.norm([x, y, z])),
        (float(toward[0]), float(toward[1])),
        (float(turned[0]), float(turned[1]), float(turned[2])),
        decimals,
        angle_step_deg,
    )


def propose_relative_pose(context: TaskContext, rng: Random) -> Iterator[Fact]:
    """Pairs of views of which every part of the pose has a meaning."""
    for first, second in view_pairs(context, rng):
        fact = _of_pair(context, first, second)
        if fact is not None:
            yield fact


def _of_pair(context: TaskContext, first: Frame, second: Frame) -> Fact | None:
    policy, conventions, ids = context.policy, context.conventions, (first.id, second.id)
    answer = relative_pose(first.T_world_cam, second.T_world_cam, conventions.decimals, conventions.angle_step_deg)
    if answer.distance_m < policy.min_baseline_m:
        context.reject("too near to each other for a direction", ids, value=answer.distance_m)
        return None
    steepest = max(abs(answer.toward_deg[1]), abs(answer.turned_deg[1]))
    if steepest > policy.max_elevation_deg:
        context.reject("too steep for left and right", ids, value=steepest)
        return None
    if max(abs(answer.toward_deg[0]), abs(answer.turned_deg[0])) > _BEHIND_DEG:
        context.reject("straight behind, left or right unclear", ids)
        return None
    return Fact(
        task="camera_pose_relative",
        frames=ids,
        objects={},
        labels={},
        answer=answer,
        values={"pose": vector(np.array(answer.value))},
        params={
            "axes": "those of the first camera",
            "rotation": "right, up, clockwise; about the turned axes",
            "min_baseline_m": policy.min_baseline_m,
            "max_elevation_deg": policy.max_elevation_deg,
            "decimals": conventions.decimals,
            "angle_step_deg": conventions.angle_step_deg,
        },
    )


def pose_options(right: PoseAnswer, place: int, rng: Random) -> list[str] | None:
    """Four poses, the right one at index `place`.

    Two parts (of distance, direction to the side, turn to the side) get a second value each, and the options are the
    four combinations. So every value stands in two options, and none of the four is the one that most agree with.
    """
    spread = max(25, 3 * right.angle_step_deg)

    def other_angle(value: float) -> float:
        if abs(value) >= spread / 2 and rng.random() < 0.5:
            return -value
        moved = value + rng.choice((-1, 1)) * rng.uniform(spread, 3 * spread)
        return moved if abs(moved) <= _BEHIND_DEG else float(value - np.sign(value) * rng.uniform(spread, 3 * spread))

    changes = {
        "distance": right.distance_m * rng.choice((1 / rng.uniform(1.5, 2.2), rng.uniform(1.5, 2.2))),
        "toward": other_angle(right.toward_deg[0]),
        "turn": other_angle(right.turned_deg[0]),
    }
    first, second = rng.sample(("distance", "toward", "turn"), 2)
    wrong = []
    for changed in shuffled(((first,), (second,), (first, second)), rng):
        distance_m = changes["distance"] if "distance" in changed else right.distance_m
        toward = changes["toward"] if "toward" in changed else right.toward_deg[0], right.toward_deg[1]
        turned = changes["turn"] if "turn" in changed else right.turned_deg[0], *right.turned_deg[1:]
        wrong.append(PoseAnswer(distance_m, toward, turned, right.decimals, right.angle_step_deg).text)
    texts = [*wrong[:place], right.text, *wrong[place:]]
    return texts if len(set(texts)) == 4 else None


def _options(fact: Fact, place: int, rng: Random) -> list[str] | None:
    assert isinstance(fact.answer, PoseAnswer)
    return pose_options(fact.answer, place, rng)


def _fields(fact: Fact) -> Mapping[str, str]:
    return {}


RELATIVE_POSE = Wording(
    fields=_fields,
    stems={
        "*": (
            "relative to the first image, where was the second one taken, and how was the camera turned?",
            "with the first image as the reference, give the pose of the camera that took the second one.",
            "from the first view to the second: how far away, in which direction, and with which rotation?",
            "how must the first camera be moved and turned, roll included, to become the second one?",
            "compare the first picture with the second. At what distance, in what direction and at what angles was "
            "the second camera held?",
            "take the first camera as it is held. Where does the second one stand, and how is it oriented?",
        )
    },
    sentences=(),
    notes=(
        "Everything is told in the axes of the first camera as it is held, not in those of the room: the distance in "
        "metres, the direction of the second camera to the right (or left) of the line of sight and up (or down), and "
        "the turns right (or left), then up (or down), then the roll, in degrees. Each turn is about the axes of the "
        "camera as already turned; clockwise is so for whoever looks through it.",
        "Use the first camera's own axes, as it is held, whatever is level in the room. The direction is an angle to "
        "the side of the line of sight and then one up or down; the rotation is a turn to the side, then one up or "
        "down, then a roll, each about the already turned camera's axes and clockwise as seen by whoever looks "
        "through it. All angles are in degrees, the distance in metres.",
        "The first camera as it is held is the reference, not the vertical of the room: distance in metres; direction "
        "as degrees to the side and up or down; rotation as degrees to the side, then up or down, then clockwise or "
        "counterclockwise as seen by whoever looks through the camera. Each turn is about the axes that the camera has "
        "after the one before.",
    ),
    tails={
        "fill": (
            "Answer in the form distance:<metres>,toward_<right or left>:<degrees>,toward_<up or down>:<degrees>,"
            "rotate_<right or left>:<degrees>,rotate_<up or down>:<degrees>,roll_<clockwise or counterclockwise>:"
            "<degrees>.",
            "Reply as distance:<m>,toward_<right|left>:<deg>,toward_<up|down>:<deg>,rotate_<right|left>:<deg>,"
            "rotate_<up|down>:<deg>,roll_<clockwise|counterclockwise>:<deg> without blanks.",
            "Give only a list such as distance:1.2,toward_left:40,toward_up:5,rotate_right:25,rotate_down:10,"
            "roll_clockwise:0.",
            "Use exactly this form: distance:<m>,toward_<right|left>:<deg>,toward_<up|down>:<deg>,"
            "rotate_<right|left>:<deg>,rotate_<up|down>:<deg>,roll_<clockwise|counterclockwise>:<deg>.",
            "Write six parts joined by commas: distance, toward_<right|left>, toward_<up|down>, rotate_<right|left>, "
            "rotate_<up|down>, roll_<clockwise|counterclockwise>, each with a colon and its number, without blanks.",
            "Fill in distance:<m>,toward_<left|right>:<deg>,toward_<down|up>:<deg>,rotate_<left|right>:<deg>,"
            "rotate_<down|up>:<deg>,roll_<clockwise|counterclockwise>:<deg>.",
        )
    },
    options=_options,
)
