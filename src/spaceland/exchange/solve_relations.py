"""Relations, for the camera and for somebody who moved, worked out anew.

Worked example. Seen from above, somebody stands at green, (2, 3), and faces blue, (2, 5): that is along +y. Red at
(3, 4) is then 1 m to the right and 1 m ahead; "left, , front" disagrees.
"""

from __future__ import annotations

import numpy as np

from spaceland.exchange.answer_text import UnreadableError
from spaceland.exchange.case import Case, Verdict
from spaceland.exchange.told import Place, read_told


def relation_oo(case: Case) -> Verdict:
    asked, other = case.roles()
    return case.relation(_pair_seen(case, asked, other))


def relation_oc(case: Case) -> Verdict:
    if len(case.row.marks) != 1:
        raise UnreadableError("not one mark")
    return case.relation(_seen(case, case.row.marks[0].color))


def _pair_seen(case: Case, asked: str, other: str) -> dict[str, float]:
    """Metres by which one object is right of, above and closer than another for the camera of the first image."""
    observer = case.frame(0)
    p, q = case.in_camera(asked, observer), case.in_camera(other, observer)
    return {
        "right": float(p[0] - q[0]),
        "above": case.height(case.center(asked) - case.center(other), p - q),
        "closer": float(np.linalg.norm(q) - np.linalg.norm(p)),
    }


def _seen(case: Case, color: str) -> dict[str, float]:
    """Metres by which an object is right of, above and in front of the camera of the first image."""
    observer = case.frame(0)
    local = case.in_camera(color, observer)
    up = case.height(case.center(color) - observer.T_world_cam[:3, 3], local)
    return {"right": float(local[0]), "above": up, "front": float(local[2])}


def _imagined(case: Case) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Place, unit vectors ahead and right (level) of somebody at green who faces blue."""
    origin = case.center("green")
    facing = case.center("blue") - origin
    ahead = np.array([facing[0], facing[1], 0.0])
    length = float(np.linalg.norm(ahead))
    if length < 1e-3:
        raise UnreadableError("the faced object is above the place")
    ahead /= length
    return origin, ahead, np.array([ahead[1], -ahead[0], 0.0])


def imagination_oc(case: Case) -> Verdict:
    """Where red is; sentences about images also tell where it was for the camera."""
    origin, ahead, right = _imagined(case)
    offset = case.center("red") - origin
    after = {"right": float(offset @ right), "above": float(offset[2]), "front": float(offset @ ahead)}
    if case.row.format != "sentence":
        return case.relation(after)
    told = read_told(case.mentions, pair=False, moved_only=case.is_video)
    phases = [(told.after, after)]
    if told.before is not None:
        phases.insert(0, (told.before, _seen(case, "red")))
    return _judged(case, phases, {})


def imagination_oo(case: Case) -> Verdict:
    """Where red is relative to yellow; sentences may also say which of them are ahead of the new observer."""
    origin, ahead, right = _imagined(case)
    p, q = case.center("red") - origin, case.center("yellow") - origin
    closer = float(np.linalg.norm(q) - np.linalg.norm(p))
    after = {"right": float((p - q) @ right), "above": float(p[2] - q[2]), "closer": closer}
    if case.row.format != "sentence":
        return case.relation(after)
    told = read_told(case.mentions, pair=True, moved_only=case.is_video)
    phases = [(told.after, after)]
    facing = {(1, "red"): float(p @ ahead), (1, "yellow"): float(q @ ahead)}
    if told.before is not None:
        phases.insert(0, (told.before, _pair_seen(case, "red", "yellow")))
        facing |= {(0, color): float(case.in_camera(color, case.frame(0))[2]) for color in ("red", "yellow")}
    return _judged(case, phases, facing)


def _judged(case: Case, phases: list[tuple[Place, dict[str, float]]], facing: dict[tuple[int, str], float]) -> Verdict:
    """Compare what is said of each phase; `facing` has metres ahead by phase (1 is after the move) and colour."""
    extra, wrong = [], False
    for k, (place, _) in enumerate(phases, 2 - len(phases)):
        for color, word in place.ahead.items():
            extra.append(f"{color} front {facing[k, color]:+.2f} m")
            wrong = wrong or (facing[k, color] > 0) != (word == "front")
    if wrong:
        return Verdict(False, "; ".join(extra))
    # Where only places ahead or behind are told, nothing is said of the two objects.
    return case.judged([(place.words, values) for place, values in phases if place.words or not place.ahead], extra)
