"""Which pictures of a capture are worth reconstructing from.

uniform     evenly spread: of N pictures, picture floor((i - 1) N / n) + 1 for i = 1 .. n (GPT4Scene's formula)
sharp       N pictures in n equal bins, the sharpest of each
motion      a new one whenever the view has changed enough since the last one, the sharpest around that moment

Motion measures the change of the view with `picture_motion`: what left the picture, and parallax. It starts anew at
every keyframe, so a pause or a trembling hand adds none.

Worked example. A camera pans evenly; each step moves the picture by 2 % of its width. With threshold 0.3 the 15th
picture after the last kept one reaches a change of 0.3. The window is where the change lies between 0.7 and 1 times
the threshold, pictures 11 to 15 after it; the sharpest of these five is kept, and the count starts anew from it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from spaceland.errors import ReconstructionError, require
from spaceland.reconstruct.capture import Capture, iterate_grey
from spaceland.reconstruct.picture_motion import Step, change, changes_after, sharpness_of, step_between
from spaceland.reconstruct.types import Progress
from spaceland.sampling import evenly

KeyframeMethod = Literal["uniform", "sharp", "motion"]

_SMALL_PX = 320
_MAX_LOOKED_AT = 1500
"""Of longer captures this many pictures, evenly spread, are looked at."""
_THRESHOLD = 0.2
"""Change at which a new keyframe is due: neighbours share about 80 per cent of the view."""
_WINDOW = 0.7
_FIRST_WINDOW = 10
_THRESHOLD_GROWTH = 1.1


@dataclass(frozen=True, eq=False)
class Keyframes:
    """Ascending positions in `capture.images`, and figures that tell why: `report` is a small JSON object."""

    indices: tuple[int, ...]
    report: Mapping[str, Any] = field(default_factory=dict)


def choose_keyframes(
    capture: Capture,
    budget: int,
    method: KeyframeMethod = "motion",
    *,
    threshold: float = _THRESHOLD,
    progress: Progress | None = None,
) -> Keyframes:
    """At most `budget` pictures of a capture.

    Args:
        threshold: For "motion": the change at which a new keyframe is due. Raised where the budget would not suffice.

    Raises:
        ReconstructionError: "motion" and the camera hardly moved: fewer than 3 different views.
        SceneError: no picture can be decoded.
    """
    total = len(capture.images)
    if budget < 1:
        raise ValueError(f"a budget of {budget} pictures is none")
    if method == "uniform":
        chosen = tuple(evenly(total, budget))
        return Keyframes(chosen, {"method": method, "total": total, "kept": len(chosen)})
    require("cv2", "recon")
    every = max(1, -(-total // _MAX_LOOKED_AT))
    looks = _look(capture, every, method == "motion", progress)
    sharpness = np.array([look.sharpness for look in looks])
    report: dict[str, Any] = {
        "method": method,
        "total": total,
        "looked_at": len(looks),
        "not_decoded": len(range(0, total, every)) - len(looks),
    }
    if not looks:
        raise ReconstructionError(f"no picture of {capture.source} can be decoded; copy it again")
    if method == "sharp":
        places = sharpest_of_bins(sharpness, budget)
        left = Counter({"less sharp than another of its bin": len(looks) - len(places)})
    else:
        steps = [look.step for look in looks[1:] if look.step is not None]
        places, used, left = _by_motion(steps, sharpness, budget, threshold)
        if len(places) < 3 <= len(looks):
            raise ReconstructionError(
                f"too little motion: {capture.source.name} shows only {len(places)} different views in {total} "
                f"pictures (change between first and last {change(steps):.2f}, a new view needs {used:.2f}); "
                "walk through the room while filming, not only turn"
            )
        report |= _motion_report(steps, used, threshold)
    kept_sharp = sharpness[list(places)]
    report |= {
        "kept": len(places),
        "left": dict(left),
        "sharpness_median": round(float(np.median(sharpness)), 4),
        "sharpness_median_kept": round(float(np.median(kept_sharp)), 4),
    }
    return Keyframes(tuple(looks[place].index for place in places), report)


def sharpest_of_bins(sharpness: Float[np.ndarray, "n"], count: int) -> tuple[int, ...]:
    """The sharpest of each of `count` equal bins; the first of equals.

    >>> sharpest_of_bins(np.array([1.0, 3.0, 2.0, 2.0, 1.0, 5.0]), 3)
    (1, 2, 5)
    """
    count = min(count, len(sharpness))
    edges = [i * len(sharpness) // count for i in range(count + 1)]
    return tuple(a + int(np.argmax(sharpness[a:b])) for a, b in pairwise(edges))


@dataclass(frozen=True)
class _Look:
    index: int
    sharpness: float
    step: Step | None


def _look(capture: Capture, every: int, with_steps: bool, progress: Progress | None) -> list[_Look]:
    looks: list[_Look] = []
    before: np.ndarray | None = None
    for index, grey in iterate_grey(capture, _SMALL_PX, every):
        step = step_between(before, grey) if with_steps and before is not None else None
        looks.append(_Look(index, sharpness_of(grey), step))
        before = grey
        if progress:
            progress(1, capture.images[index].id)
    return looks


def _by_motion(
    steps: Sequence[Step], sharpness: Float[np.ndarray, "n"], budget: int, threshold: float
) -> tuple[tuple[int, ...], float, Counter[str]]:
    """Kept places, the threshold that kept to the budget, and why the others were left."""
    used = threshold
    places, left = _pass(steps, sharpness, used)
    while len(places) > budget and used < 1.0:
        used = min(used * _THRESHOLD_GROWTH, 1.0)
        places, left = _pass(steps, sharpness, used)
    if len(places) > budget:  # cuts only: no threshold separates them
        kept = evenly(len(places), budget)
        left["over the budget"] += len(places) - len(kept)
        places = tuple(places[k] for k in kept)
    return places, used, left


def _pass(
    steps: Sequence[Step], sharpness: Float[np.ndarray, "n"], threshold: float
) -> tuple[tuple[int, ...], Counter[str]]:
    """Keyframes for one threshold."""
    left: Counter[str] = Counter()
    last = len(sharpness) - 1
    still = changes_after(steps[:_FIRST_WINDOW]) < 0.3 * threshold
    first = int(np.argmax(sharpness[: 1 + np.logical_and.accumulate(still).sum()]))
    kept = [first]
    left["before the first kept, which is sharper"] = first
    while kept[-1] < last:
        start = kept[-1]
        changes = _until(steps[start:], threshold)
        reached = changes[-1] >= threshold
        window = np.flatnonzero(changes >= _WINDOW * min(threshold, changes[-1]))
        # The end of the capture: worth a keyframe of its own if much has changed, else a near-duplicate.
        if not reached and changes[-1] < 0.5 * threshold:
            left["near-duplicate of the last kept"] += last - start
            break
        best = start + 1 + int(window[np.argmax(sharpness[start + 1 + window])])
        beside = int((start + 1 + window < best).sum())
        left["less sharp than the kept one beside it"] += beside
        left["near-duplicate of the last kept"] += best - start - 1 - beside
        kept.append(best)
        if not reached:
            left["near-duplicate of the last kept"] += last - best
            break
    return tuple(kept), left


def _until(steps: Sequence[Step], threshold: float) -> Float[np.ndarray, "n"]:
    """Changes up to the first that reaches the threshold."""
    size = 32
    while True:
        changes = changes_after(steps[:size])
        over = np.flatnonzero(changes >= threshold)
        if len(over):
            return changes[: over[0] + 1]
        if size >= len(steps):
            return changes
        size *= 2


def _motion_report(steps: Sequence[Step], used: float, asked: float) -> dict[str, Any]:
    followed = [step for step in steps if step.followed]
    return {
        "threshold": round(used, 4),
        "threshold_asked": asked,
        "steps_not_followed": len(steps) - len(followed),
        "survival_median": round(float(np.median([s.survival for s in followed])), 3) if followed else 0.0,
        "displacement_median": round(float(np.median([s.displacement for s in followed])), 4) if followed else 0.0,
    }
