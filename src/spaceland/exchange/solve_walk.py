"""Directions for walks, worked out anew where they tell turns and lengths; released ones tell only landmarks.

Worked example. "Turn right and walk 2.1 m, passing the lamp 0.8 m to the left, then turn left and walk 3.0 m, then stop
1.1 m from the table." is read as two legs, something passed on the first one, and an end. Legs, sides and distances
must be those of the path of the camera between the two frames that the question names, or of the shortest free way
between the things that it names.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from weakref import WeakKeyDictionary

import numpy as np

from spaceland.exchange.answer_text import UnreadableError
from spaceland.exchange.case import SLACK, Case, Verdict
from spaceland.exchange.unmarked import find_labels
from spaceland.questions.camera import heading_elevation_roll
from spaceland.questions.ground import Ground
from spaceland.questions.policy import STRUCTURE_LABELS, AmbiguityPolicy
from spaceland.questions.walks import heading_deg, legs_of, right_of, turn_word, wrap_deg
from spaceland.questions.way_search import WaySearch
from spaceland.scenes.floor import floor_of
from spaceland.scenes.scene import Scene

_STEP = re.compile(
    r"\b(?:turn (?P<turn>right|left|round|around)|(?P<ahead>look straight ahead)|walk (?P<walk>\d+(?:\.\d+)?) m\b"
    r"|stop (?P<stop>\d+(?:\.\d+)?) m from|(?P<pass>\d+(?:\.\d+)?) m to the (?P<side>right|left)\b)",
    re.IGNORECASE,
)
_BETWEEN = re.compile(r"\bFrame-(\d+) to Frame-(\d+)\b", re.IGNORECASE)
_METRES = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?) m\b")
_POLICY = AmbiguityPolicy()
_EXACT = replace(_POLICY, turn_margin_deg=0.0)
_SEARCHES: WeakKeyDictionary[Scene, dict[tuple[float, float], WaySearch]] = WeakKeyDictionary()


@dataclass
class _Leg:
    """How a leg begins, its length as written, and (label, metres as written, side) of what is passed."""

    turn: str
    length: str = ""
    passed: list[tuple[str, str, str]] = field(default_factory=list)


def walk(case: Case) -> Verdict:
    """`nav_video`: legs, turns, things passed, and the end."""
    legs, end = _read(case)
    places, heading = _planned(case) if _BETWEEN.search(case.row.question) is None else _walked(case)
    steps = [b - a for a, b in pairwise(places)]
    headings = [heading, *(heading_deg(step) for step in steps)]
    words = [turn_word(wrap_deg(b - a), _EXACT) or "" for a, b in pairwise(headings)]
    lengths = [float(np.hypot(*step)) for step in steps]
    told = ", ".join(f"{word} {length:.2f} m" for word, length in zip(words, lengths, strict=True))
    if [leg.turn for leg in legs] != words:
        return Verdict(False, told)
    errors = [_off(leg.length, length) for leg, length in zip(legs, lengths, strict=True)]
    for leg, start, step in zip(legs, places, steps, strict=False):
        for label, metres, side in leg.passed:
            offset = case.locator.only(label).center[:2] - start
            across = float(offset @ right_of(heading_deg(step)))
            along = float(offset @ step) / float(np.hypot(*step))
            told += f", {label} {across:+.2f} m to the right"
            if (across > 0) != (side == "right") or not 0 <= along <= float(np.hypot(*step)):
                return Verdict(False, told)
            errors.append(_off(metres, abs(across)))
    label, metres = end
    away = float(np.hypot(*(case.locator.only(label).center[:2] - places[-1])))
    errors.append(_off(metres, away))
    error = max(abs(gap) for gap, _ in errors)
    return Verdict(all(gap <= most for gap, most in errors), f"{told}, {label} {away:.2f} m from the end", error)


def _off(written: str, derived: float) -> tuple[float, float]:
    """How far off a written number is, and how far it may be."""
    return abs(float(written) - derived), 0.5 * 10.0 ** -len(written.partition(".")[2]) + SLACK


def _read(case: Case) -> tuple[list[_Leg], tuple[str, str]]:
    """Legs, and label and metres of the end.

    Raises:
        UnreadableError: the text has other parts.
    """
    text = case.row.answer
    labels = find_labels(text, tuple(sorted(case.locator.scene.label_counts)))
    legs: list[_Leg] = []
    end = None
    for found in _STEP.finditer(text):
        if end is not None:
            raise UnreadableError("the way goes on after its end")
        if found["turn"] or found["ahead"]:
            word = (found["turn"] or "straight").lower()
            legs.append(_Leg("round" if word == "around" else word))
        elif not legs or bool(legs[-1].length) == bool(found["walk"]):
            raise UnreadableError("the turns and lengths of the way cannot be read")
        elif found["walk"]:
            legs[-1].length = found["walk"]
        elif found["stop"]:
            ahead = [label for label, start, _ in labels if start == found.end() + 1]
            end = _one(ahead), found["stop"]
        else:
            behind = [label for label, _, stop in labels if stop == found.start() - 1]
            legs[-1].passed.append((_one(behind), found["pass"], found["side"].lower()))
    if end is None or not legs or not all(leg.length for leg in legs):
        raise UnreadableError("the way has no turns and lengths that can be read")
    return legs, end


def _one(labels: Sequence[str]) -> str:
    if len(labels) != 1:
        raise UnreadableError("a label is not in the scene")
    return labels[0]


def _walked(case: Case) -> tuple[list[np.ndarray], float]:
    """Corners of the path of the camera between two frames, and the heading of the first one."""
    found = _BETWEEN.search(case.row.question)
    assert found is not None
    first, last = int(found[1]) - 1, int(found[2]) - 1
    if not 0 <= first < last < len(case.row.frames):
        raise UnreadableError("a frame number beyond the video")
    ids = [frame.id for frame in case.locator.scene.frames]
    begin, stop = (ids.index(case.frame(k).id) for k in (first, last))
    frames = case.locator.scene.frames[begin : stop + 1]
    path = np.array([frame.T_world_cam[:2, 3] for frame in frames])
    if len(path) < 2:
        raise UnreadableError("the video does not follow the scan")
    legs, finer, coarser = (legs_of(path, _POLICY.path_straight_m * scale, _POLICY) for scale in (1, 0.75, 1.25))
    if not len(finer) == len(legs) == len(coarser):
        raise UnreadableError("the path of the camera wobbles")
    return [path[0], *(path[leg.stop] for leg in legs)], heading_elevation_roll(frames[0].T_world_cam)[0]


def _planned(case: Case) -> tuple[list[np.ndarray], float]:
    """Corners of the shortest free way between two things, and the heading at its beginning.

    The question names the thing where one stands, the thing that one faces and the goal, and then the metres to the
    first of them, to everything on the way, and to the goal.
    """
    scene, question = case.locator.scene, case.row.question
    labels = tuple(sorted(label for label in scene.label_counts if label not in STRUCTURE_LABELS))
    named = list(dict.fromkeys(label for label, _, _ in find_labels(question, labels)))
    metres = [float(number) for number in _METRES.findall(question)]
    if len(named) != 3 or len(metres) != 3:
        raise UnreadableError("the question does not say where the way begins and ends")
    start, facing, goal = (case.locator.only(label) for label in named)
    search = _search(scene, metres[1], metres[2])
    if start.id not in search.ground.index or goal.id not in search.ground.index:
        raise UnreadableError("the way begins or ends at something that does not stand on the floor")
    place = search.ground.step_away(start.center[:2], facing.center[:2], start.id, metres[0])
    ways = [] if place is None else search.ways(place, goal, 1.0, _POLICY.max_path_turns + 1)
    if not ways:
        raise UnreadableError("no free way between the things")
    return ways[0], heading_deg(facing.center[:2] - ways[0][0])


def _search(scene: Scene, clear_m: float, stop_m: float) -> WaySearch:
    searches = _SEARCHES.setdefault(scene, {})
    if (clear_m, stop_m) not in searches:
        room = floor_of(scene).room
        if room is None or not room.has_outline:
            raise UnreadableError("the scan has no floor outline")
        searches[clear_m, stop_m] = WaySearch(Ground.of(room, tuple(scene.objects)), clear_m, stop_m)
    return searches[clear_m, stop_m]
