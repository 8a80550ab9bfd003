"""How the camera moved between two views (SPAR `view_change_infer`; fill, sentence; two views).

Worked example. The camera stands at (0, 0, 1.5) and looks level along world y. For the second picture it is at
(0.5, 2, 1.5) and looks 30 degrees further to the right:

    question  How did the camera move from the first image to the second? ...
    answer    move_right:0.5,move_up:0.0,move_forward:2.0,rotate_up:0,rotate_right:30

All of it is told in the level frame of the first view: forward is its heading in the floor plane, up is the vertical.
Rotation right is the change of heading, rotation up the change of elevation; roll is left out, so views that differ in
roll are rejected. Metres are rounded to 0.1, degrees to 5.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import numpy as np

from spaceland.questions.answers import MotionAnswer
from spaceland.questions.facts import Fact, TaskContext, vector
from spaceland.questions.language import join_words
from spaceland.questions.phrasing import Wording
from spaceland.questions.viewsets import view_pairs
from spaceland.scenes.scene import Frame


def heading_elevation_roll(T_world_cam: np.ndarray) -> tuple[float, float, float]:
    """Heading (clockwise seen from above, from world +y), elevation and roll (clockwise) of a camera, in degrees."""
    right, down, forward = T_world_cam[:3, :3].T
    heading = np.degrees(np.arctan2(forward[0], forward[1]))
    elevation = np.degrees(np.arcsin(np.clip(forward[2], -1, 1)))
    roll = np.degrees(np.arctan2(-right[2], -down[2]))
    return float(heading), float(elevation), float(roll)


def camera_motion(
    T_world_first: np.ndarray, T_world_second: np.ndarray, decimals: int = 1, angle_step_deg: int = 5
) -> MotionAnswer:
    """Motion from the first to the second pose in the level frame of the first."""
    heading1, elevation1, _ = heading_elevation_roll(T_world_first)
    heading2, elevation2, _ = heading_elevation_roll(T_world_second)
    forward = np.array([np.sin(np.radians(heading1)), np.cos(np.radians(heading1))])
    moved = T_world_second[:3, 3] - T_world_first[:3, 3]
    turn = (heading2 - heading1 + 180) % 360 - 180
    return MotionAnswer(
        float(moved[:2] @ np.array([forward[1], -forward[0]])),
        float(moved[2]),
        float(moved[:2] @ forward),
        elevation2 - elevation1,
        float(turn),
        decimals,
        angle_step_deg,
    )


def propose_view_change(context: TaskContext, rng: Random) -> Iterator[Fact]:
    """Pairs of views with a clear heading and no difference in roll."""
    for first, second in view_pairs(context, rng):
        fact = _of_pair(context, first, second)
        if fact is not None:
            yield fact


def _of_pair(context: TaskContext, first: Frame, second: Frame) -> Fact | None:
    policy = context.policy
    angles = [heading_elevation_roll(frame.T_world_cam) for frame in (first, second)]
    if max(abs(elevation) for _, elevation, _ in angles) > policy.max_elevation_deg:
        context.reject("too steep for a heading", (first.id, second.id))
        return None
    if abs((angles[1][2] - angles[0][2] + 180) % 360 - 180) > policy.max_roll_deg:
        context.reject("views differ in roll", (first.id, second.id))
        return None
    conventions = context.conventions
    answer = camera_motion(first.T_world_cam, second.T_world_cam, conventions.decimals, conventions.angle_step_deg)
    if abs(answer.rotate_right_deg) > 175:
        context.reject("half a turn, left or right unclear", (first.id, second.id), value=answer.rotate_right_deg)
        return None
    if all(float(size) == 0 for _, size in answer.parts):
        context.reject("viewpoints almost the same", (first.id, second.id))
        return None
    return Fact(
        task="view_change_infer",
        frames=(first.id, second.id),
        objects={},
        labels={},
        answer=answer,
        values={"motion": vector(np.array(answer.value))},
        params={
            "axes": "level frame of the first view",
            "max_roll_deg": policy.max_roll_deg,
            "decimals": conventions.decimals,
            "angle_step_deg": conventions.angle_step_deg,
        },
    )


_SAY = {
    "move_right": "{} m to the right", "move_left": "{} m to the left", "move_up": "{} m up", "move_down": "{} m down",
    "move_forward": "{} m forward", "move_backward": "{} m backward", "rotate_up": "{} degrees up",
    "rotate_down": "{} degrees down", "rotate_right": "{} degrees to the right",
    "rotate_left": "{} degrees to the left",
}  # fmt: skip


def _fields(fact: Fact) -> dict[str, str]:
    assert isinstance(fact.answer, MotionAnswer)
    said = [(key.split("_")[0], _SAY[key].format(size)) for key, size in fact.answer.parts if float(size) > 0]
    moves = join_words([text for verb, text in said if verb == "move"])
    turns = join_words([text for verb, text in said if verb == "rotate"])
    did = [f"moved {moves}"] if moves else []
    did += [f"turned {turns}"] if turns else []
    return {"motion": " and then ".join(did), "value": fact.answer.text}


VIEW_CHANGE = Wording(
    fields=_fields,
    stems={
        "*": (
            "how did the camera move from the first image to the second?",
            "what motion takes the camera from the first view to the second?",
            "the same room is seen twice. How must the first camera move and turn to see what the second one sees?",
            "work out the camera motion between image one and image two.",
            "by how much did the observer move and turn between the two pictures?",
            "from the first image to the second, what change of viewpoint took place?",
        )
    },
    notes=(
        "Forward is the heading of the first view, up is the vertical of the room. Metres for moves, degrees "
        "for turns.",
        "Tell moves in metres along the first view's level heading, and turns in degrees about the vertical and "
        "up or down.",
        "Take the first view, held level, as the reference: moves in metres, turns in degrees.",
    ),
    tails={
        "fill": (
            "Answer in the form move_<right or left>:<metres>,move_<up or down>:<metres>,move_<forward or "
            "backward>:<metres>,"
            "rotate_<up or down>:<degrees>,rotate_<right or left>:<degrees>.",
            "Reply as move_<left or right>:<m>,move_<down or up>:<m>,move_<backward or "
            "forward>:<m>,rotate_<down or up>:"
            "<deg>,rotate_<left or right>:<deg> without blanks.",
            "Use exactly this form: move_<right|left>:<m>,move_<up|down>:<m>,move_<forward|backward>:<m>,"
            "rotate_<up|down>:<deg>,rotate_<right|left>:<deg>.",
            "Write five parts joined by commas: move_<right|left>, move_<up|down>, move_<forward|backward>, "
            "rotate_<up|down>,"
            " rotate_<right|left>, each followed by a colon and its size, without blanks.",
            "Give only a list such as move_right:0.3,move_down:0.1,move_forward:1.2,rotate_up:10,rotate_left:45.",
            "Fill in move_<left|right>:<m>,move_<up|down>:<m>,move_<forward|backward>:<m>,rotate_<up|down>:<deg>,"
            "rotate_<left|right>:<deg>.",
        )
    },
    sentences=(
        "the camera {motion}.",
        "between the two images the camera {motion}.",
        "to reach the second view, the observer {motion}.",
        "starting at the first view, the camera {motion}.",
        "whoever held the camera {motion}.",
        "from the first picture to the second, the camera {motion}.",
    ),
)
