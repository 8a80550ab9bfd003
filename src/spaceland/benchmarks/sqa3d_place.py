"""The second track of SQA3D: say where the asker stands and looks. Up to three guesses; the best one counts.

Rows are those of SQA3D. A reply is JSON, one guess or a list of them:

    [{"position": [1.2, -0.4, 0.0], "rotation": [0, 0, 0.38, 0.92]}, {"position": [0.9, 0.1], "angle_deg": 90}]

Metres; `rotation` is a quaternion x, y, z, w, of which the turn about z counts. The frame is the raw ScanNet mesh moved
so that the centre of its bounding box is the origin, without axis alignment. Position and rotation are judged apart,
each by its own best guess: Acc@0.5m, Acc@1m, Acc@15deg, Acc@30deg, all strictly below.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from scipy.spatial.transform import Rotation

from spaceland.benchmarks.frames import FramePolicy
from spaceland.benchmarks.sqa3d import EXPECTED_ROWS
from spaceland.benchmarks.text.answers import mean_metric
from spaceland.benchmarks.types import Benchmark, Protocol, Reply, Row, RowScore, Summary

GUESSES = 3
_LONGEST = 10_000
FRAMES: dict[str, FramePolicy] = {}
NAMES = ("Acc@0.5m", "Acc@1m", "Acc@15deg", "Acc@30deg")
Guess = tuple[tuple[float, float] | None, float | None]
"""Position x, y in metres, and turn about z in radians; None where one was not given."""


def parse_guesses(reply: str) -> list[Guess]:
    """Guesses in a reply; a list that is empty where it holds none. Anything odd is no guess, never an error."""
    if len(reply) > _LONGEST:
        return []
    try:
        found = json.loads(reply)
    except (ValueError, RecursionError):
        return []
    guesses = found if isinstance(found, list) else [found]
    return [_guess(one) for one in guesses[:GUESSES] if isinstance(one, Mapping)]


def turn_about_z(quaternion: Sequence[float]) -> float:
    """z component of the rotation vector of a quaternion x, y, z, w, radians."""
    return float(Rotation.from_quat(quaternion).as_rotvec()[2])


def place_errors(row: Row, guesses: Sequence[Guess]) -> tuple[float, float]:
    """Least distance in the floor plane in metres and least turn in degrees; infinite where nothing was guessed."""
    position, rotation = row["position"], row["rotation"]
    x, y = float(position["x"]), float(position["y"])
    turn = turn_about_z([float(rotation[key]) for key in ("_x", "_y", "_z", "_w")])
    metres = [math.hypot(x - place[0], y - place[1]) for place, _ in guesses if place is not None]
    degrees = []
    for _, angle in guesses:
        if angle is not None:
            apart = abs(turn - angle)
            degrees.append(math.degrees(min(apart, 2 * math.pi - apart)))
    return min(metres, default=math.inf), min(degrees, default=math.inf)


def _guess(found: Mapping[str, Any]) -> Guess:
    place = _numbers(found.get("position"), (2, 3))
    rotation = _numbers(found.get("rotation"), (4,))
    angle = _numbers([found.get("angle_deg")], (1,))
    turn = None
    if rotation is not None and 1e-6 < math.hypot(*rotation) < 1e6:
        turn = turn_about_z(rotation)
    elif angle is not None:
        turn = math.remainder(math.radians(angle[0]), 2 * math.pi)
    return ((place[0], place[1]) if place else None), turn


def _numbers(values: Any, lengths: tuple[int, ...]) -> list[float] | None:
    """A list of finite numbers of an expected length, or None."""
    if not isinstance(values, list) or len(values) not in lengths:
        return None
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return None
    try:
        numbers = [float(value) for value in values]
    except OverflowError:
        return None
    return numbers if all(map(math.isfinite, numbers)) else None


def _score(rows: Sequence[Row], replies: Sequence[Reply], most: int = GUESSES) -> list[RowScore]:
    scores = []
    for row, reply in zip(rows, replies, strict=True):
        metres, degrees = place_errors(row, parse_guesses(reply or "")[:most])
        hits = (metres < 0.5, metres < 1, degrees < 15, degrees < 30)
        scores.append(RowScore(float(hits[0]), dict(zip(NAMES, map(float, hits), strict=True))))
    return scores


def _summarise(rows: Sequence[Row], scores: Sequence[RowScore]) -> Summary:
    if not scores:
        return Summary(None)
    groups = {name: mean_metric(scores, name) for name in NAMES}
    return Summary(groups["Acc@0.5m"], {"place": groups["Acc@0.5m"]}, groups)


def _problem(row: Row) -> str | None:
    lacking = [key for key in ("question_id", "position", "rotation") if key not in row]
    if lacking:
        return f"has no {' and no '.join(lacking)}"
    for name, keys in (("position", ("x", "y")), ("rotation", ("_x", "_y", "_z", "_w"))):
        if not isinstance(row[name], Mapping) or not all(isinstance(row[name].get(key), int | float) for key in keys):
            return f"needs '{name}' with the numbers {', '.join(keys)}"
    if not any(row["rotation"][key] for key in ("_x", "_y", "_z", "_w")):
        return "needs a 'rotation' that is not 0"
    return None


def prompt(row: Row, protocol: str = "official") -> str:
    """The released code has no prompt for this track; this one asks for what `parse_guesses` reads."""
    situation = row.get("situation", "")
    return (
        f"{situation} Where am I in the room, and which way do I look? Answer with JSON: "
        '{"position": [x, y, z], "angle_deg": turn about the z axis}, in metres from the centre of the room.'
    ).strip()


BENCHMARK = Benchmark(
    name="sqa3d-place",
    title="SQA3D, where the asker stands",
    protocols=(
        Protocol(
            "official",
            "SQA3D utils/localization_metric.py: best of up to 3 guesses, distance in the floor plane, turn about z",
            _score,
            _summarise,
            {
                "height-ignored": "z of the position does not count",
                "apart": "the best position and the best rotation may come from different guesses",
                "strictly-below": "0.5 m, 1 m, 15 degrees and 30 degrees themselves are misses",
            },
        ),
        Protocol("strict", "The first guess alone counts", lambda rows, replies: _score(rows, replies, 1), _summarise),
    ),
    row_id=lambda row: str(row["question_id"]),
    task_of=lambda row: "place",
    problem_of=_problem,
    expected_rows=EXPECTED_ROWS,
)
