"""A map of objects seen from above (SPAR `spatial_imagination_map_mv`; sentence; two or three views).

Worked example. The first camera stands at (0, 0, 1.5) and looks along world y, a little down. A lamp's centre is at
(-0.3, 1.4, 0.9), a chair's at (-1.1, 2.0, 0.5), a table's at (0.8, 2.4, 0.4):

    question  Object0 is the lamp (red bounding box in the first image), Object1 is the chair (blue bounding box in the
              second image) and Object2 is the table (green bounding box in the second image). Draw a map of them ...
    answer    Object0 :(-0.3,1.4). Object1 :(-1.1,2.0). Object2 :(0.8,2.4).

The map lies level: its origin is the camera of the first image, x runs to the right of its heading, y straight ahead,
both in metres. Only views with a clear heading serve as the first.
"""

from __future__ import annotations

from functools import partial
from itertools import combinations

import numpy as np

from spaceland.questions.answers import MapAnswer
from spaceland.questions.camera import heading_elevation_roll
from spaceland.questions.facts import Fact, TaskContext, vector
from spaceland.questions.language import join_words
from spaceland.questions.phrasing import Wording
from spaceland.questions.propose import Solved, proposer
from spaceland.questions.setups import Setup, multi_views

ROLES = ("red", "blue", "green")


def solve_map(context: TaskContext, setup: Setup) -> Solved | None:
    """Where the picks are in the level frame of the first view."""
    policy, pose = context.policy, setup.observer.T_world_cam
    heading, elevation, _ = heading_elevation_roll(pose)
    if abs(elevation) > policy.max_elevation_deg:
        context.reject("too steep for a heading")
        return None
    ahead = np.array([np.sin(np.radians(heading)), np.cos(np.radians(heading))])
    right = np.array([ahead[1], -ahead[0]])
    offsets = [(context.thing(pick.object_id).center - pose[:3, 3])[:2] for pick in setup.picks]
    places = [(float(offset @ right), float(offset @ ahead)) for offset in offsets]
    if any(np.hypot(a[0] - b[0], a[1] - b[1]) < policy.min_distance_m for a, b in combinations(places, 2)):
        context.reject("two things above each other")
        return None
    numbers = tuple(value for place in places for value in place)
    return Solved(
        MapAnswer(numbers, context.conventions.decimals),
        {"map_m": vector(np.array(numbers))},
        {
            "axes": "level frame of the first view, x right, y ahead",
            "decimals": context.conventions.decimals,
            "min_distance_m": policy.min_distance_m,
            "max_elevation_deg": policy.max_elevation_deg,
        },
    )


_several = partial(multi_views, observer=True)
propose_map = proposer("spatial_imagination_map_mv", _several, ROLES, "bbox", solve_map, ordered=False)


def _fields(fact: Fact) -> dict[str, str]:
    names = [f"Object{k} is the {fact.name(role)}" for k, role in enumerate(ROLES)]
    # SPAR ends each place with a full stop; within a sentence that also ends the sentence.
    return {"legend": join_words(names), "map": fact.answer.text.removesuffix(".")}


BIRD_MAP = Wording(
    fields=_fields,
    stems={
        "*": (
            "{legend}. Draw a map of them as seen from above.",
            "make a top view of three things. {legend}.",
            "{legend}. At which coordinates do they lie on a plan of the room?",
            "imagine looking straight down at the room. {legend}. Where does each of them lie?",
            "{legend}. Give the place of each on a bird's eye map.",
            "for a floor plan, three places are needed. {legend}. What are their coordinates?",
        )
    },
    notes=(
        "The first camera, held level, is at (0,0): x counts metres to its right, y metres straight ahead. Refer to "
        "the centres of the objects, in the form ObjectN :(x,y).",
        "Take the observer of the first image as the origin, x to the right and y ahead along the floor, in metres. "
        "Use the middle of each object and write ObjectN :(x,y).",
        "Write ObjectN :(x,y) for every centre, in metres: x to the right of the first camera's heading, y in its "
        "direction, both level, from that camera.",
    ),
    sentences=(
        "{map}.",
        "seen from the ceiling: {map}.",
        "on the map they lie at {map}.",
        "the plan reads {map}.",
        "their places in metres are {map}.",
        "a top view shows {map}.",
    ),
)
