"""Wrong numbers that are as likely as the right one to somebody who has not looked.

Options spread around the right number give it away: they reach beyond the room, and the one nearest to what is usual
(or to the depth that the question gives) is right half of the time. So wrong depths and distances are drawn as right
ones are: from a spread around what is usual in the scene, within its limits.

Worked example. In a room of 6 m most depths are about 3.6 m. For a right depth of 4.2 m as option B, one wrong number
is drawn from what is usual below, and two from what is usual between 4.2 m and 6 m: 2.9, 4.2, 4.8, 5.5.

No option is one that the question rules out: none is smaller than what is asked about at all, and none is a depth so
near to the given one that nobody would be asked (see `Likely.avoid`). Right numbers keep away from there, too.

The right place among ascending options is dealt (see `phrasing.Deck`), a likelier one first: what is long for its
room is more often option D than A. Right numbers lie closer together in one room than options may; so of several draws
one is taken, nine times out of ten, in which a wrong number is nearer to the middle of what is usual.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from random import Random
from statistics import NormalDist

import numpy as np
from scipy.spatial.distance import pdist

from spaceland.questions.answers import NumberAnswer
from spaceland.questions.facts import Fact, TaskContext

_MIN_RATIO, _MIN_STEPS = 1.1, 2
"""Neighbouring options differ by this factor and by so many units of the last decimal written."""
_DRAWS, _LADDERS = 12, 8
_MAY_BE_NEAREST = 0.1
_LEAST_M, _SIGMAS = 0.1, (0.2, 0.8)
_GAP_ABOVE = 1.2
"""The largest gap among options may be so many times the right one, whatever gaps there are."""
_NORMAL = NormalDist()


@dataclass(frozen=True)
class Likely:
    """What numbers are usual: log-normal around `middle` metres with spread `sigma`, from `low` to `high` metres.

    No number is nearer to the first of `avoid` than the second, both in metres.
    """

    middle: float
    sigma: float
    low: float
    high: float
    avoid: tuple[float, float] | None = None

    @classmethod
    def of(cls, fact: Fact) -> Likely:
        """As `usual_params` has put it into a fact's `params`."""
        values, params = fact.values, fact.params
        low, avoid = params.get("min_distance_m", params.get("min_depth_gap_m")), None
        if "min_depth_m" in params:
            # One depth beside a given one. (Of two, each may be near to it.)
            low, avoid = params["min_depth_m"], (values["given_depth_m"], params["min_depth_gap_m"])
        return cls(*params["usual_m"], low=low, high=params["max_m"], avoid=avoid)

    def share_below(self, value: float) -> float:
        """Share of usual numbers that are smaller."""
        below, total = self._mass(self.low, value), self._mass(self.low, self.high)
        return min(max(below / max(total, 1e-9), 0.02), 0.98)

    def _mass(self, low: float, high: float) -> float:
        """Share of the log-normal numbers between two that are not to be avoided."""
        mass = self._cdf(high) - self._cdf(low)
        if self.avoid is not None:
            near, far = (min(max(self.avoid[0] + side * self.avoid[1], low), high) for side in (-1, 1))
            mass -= self._cdf(far) - self._cdf(near)
        return mass

    def allows(self, number: float, step: float) -> bool:
        """Whether a number may be an option, written to a whole `step` as the given one is."""
        if self.avoid is None:
            return True
        given, gap = self.avoid
        written = round(number / step) - round(given / step)
        return abs(number - given) >= gap and abs(written) >= math.floor(gap / step + 1e-6)

    def allowed(self, number: float, step: float, low: float, high: float) -> float | None:
        """The number or, where it may not be an option, the nearest one between two limits that may."""
        if self.avoid is None or self.allows(number, step):
            return number
        around = (self.avoid[0] + side * (self.avoid[1] + step / 2) for side in (-1, 1))
        inside = [k for k in around if low <= k <= high and self.allows(k, step)]
        return min(inside, key=lambda k: abs(k - number)) if inside else None

    def draw(self, low: float, high: float, rng: Random) -> float:
        """A usual number between two."""
        start, end = self._cdf(low), self._cdf(high)
        # Far from what is usual all numbers are alike.
        if end - start < 1e-6:
            return rng.uniform(low, high)
        z = _NORMAL.inv_cdf(min(max(rng.uniform(start, end), 1e-9), 1 - 1e-9))
        return min(max(self.middle * math.exp(self.sigma * z), low), high)

    def _cdf(self, value: float) -> float:
        return _NORMAL.cdf(math.log(max(value, 1e-9) / self.middle) / self.sigma)


def usual_params(context: TaskContext, kind: str, value: float) -> dict[str, object]:
    """For the `params` of a fact: `usual_m`, middle (metres) and spread (of the logarithm) of numbers of a kind in the
    scene, and `max_m`, the greatest distance there is (of gaps the greatest in any image, or a little more than the
    right one).

    Args:
        context: The scene.
        kind: "depth", "gap" (between two depths), "observer" (distances in single views), "anywhere" (distances of any
            object from any camera), "pair" (distances between objects) or "pair in view" (of objects in one image).
        value: The right number, metres.
    """
    views = context.views
    if kind not in views.usual:
        numbers = np.array([number for number in _numbers(context, kind) if number >= _LEAST_M] or [1.0])
        sigma = min(max(float(np.log(numbers).std()), _SIGMAS[0]), _SIGMAS[1])
        # Rounded, so that noise of a moved world changes nothing.
        middle, largest = max(round(float(np.median(numbers)), 1), _LEAST_M), float(numbers.max())
        views.usual[kind] = [middle, round(sigma, 1), largest]
    *usual, largest = views.usual[kind]
    most = max(views.span_m, value)
    if kind == "gap":
        # Nobody who sees the room takes a gap as long as its diagonal for likely.
        most = min(most, max(largest, _GAP_ABOVE * value))
    return {"usual_m": usual, "max_m": round(most, 4)}


def _numbers(context: TaskContext, kind: str) -> list[float]:
    scene, policy = context.scene, context.policy
    things = [thing for thing in scene.objects if not context.views.is_excluded(thing)]
    ids = {thing.id for thing in things}
    if kind == "pair":
        return pdist(np.array([thing.center for thing in things])).tolist() if len(things) > 1 else []
    if kind == "anywhere":
        return [number for f in scene.frames for number in context.views.observer_distances_m(f, "center").values()]
    found: list[float] = []
    for frame in scene.frames:
        least_px = policy.min_area_share * frame.camera.width * frame.camera.height
        views = [view for view in context.views.visibility.in_frame(frame.id) if view.visible_px >= least_px]
        views = [view for view in views if view.center_depth_m > 0 and view.object_id in ids]
        if kind == "pair in view":
            places = np.array([context.thing(view.object_id).center for view in views]).reshape(-1, 3)
            found += pdist(places).tolist() if len(views) > 1 else []
        elif kind == "observer":
            distances = context.views.observer_distances_m(frame, "center")
            found += [distances[view.object_id] for view in views]
        else:
            depths = [view.center_depth_m for view in views]
            gaps = [abs(a - b) for a, b in combinations(depths, 2)]
            found += depths if kind == "depth" else [gap for gap in gaps if gap >= policy.min_depth_gap_m]
    return found


def places_of(fact: Fact) -> Sequence[float]:
    """`Wording.places` of facts with `usual_params`."""
    assert isinstance(fact.answer, NumberAnswer)
    return place_weights(fact.answer.value, Likely.of(fact))


def options_of(fact: Fact, place: int, rng: Random) -> list[str] | None:
    """`Wording.options` of facts with `usual_params`."""
    assert isinstance(fact.answer, NumberAnswer)
    return likely_options(fact.answer.value, place, rng, likely=Likely.of(fact), decimals=fact.answer.decimals)


def place_weights(value: float, likely: Likely, count: int = 4) -> list[float]:
    """How likely the value is the first, second, ... in ascending order of `count` usual numbers.

    >>> [round(w, 2) for w in place_weights(3.0, Likely(3.0, 0.5, 0.01, 900.0))]
    [0.12, 0.38, 0.38, 0.12]
    """
    below = likely.share_below(value)
    return [math.comb(count - 1, k) * below**k * (1 - below) ** (count - 1 - k) for k in range(count)]


def likely_options(value: float, place: int, rng: Random, *, likely: Likely, decimals: int = 1) -> list[str] | None:
    """Four numbers in ascending order with the right one at index `place`; None when there is no room for them."""
    may_be_nearest = rng.random() < _MAY_BE_NEAREST
    chosen: list[str] | None = None
    for _ in range(_LADDERS):
        numbers = _ladder(value, place, rng, likely, 10.0**-decimals)
        texts = [f"{number:.{decimals}f}" for number in numbers or ()]
        if numbers is None or len(set(texts)) < 4:
            continue
        chosen = texts
        if may_be_nearest or min(numbers, key=lambda number: abs(number - likely.middle)) != value:
            break
    return chosen


def _ladder(value: float, place: int, rng: Random, likely: Likely, step: float) -> list[float] | None:
    gap = _MIN_STEPS * step
    below = _spread(likely, likely.low, min(value / _MIN_RATIO, value - gap), place, step, rng)
    above = _spread(likely, max(value * _MIN_RATIO, value + gap), likely.high, 3 - place, step, rng)
    return None if below is None or above is None else [*below, value, *above]


def _spread(likely: Likely, low: float, high: float, count: int, step: float, rng: Random) -> Sequence[float] | None:
    """Ascending usual numbers between two limits that are clearly apart; None when there is no room for them."""
    gap = _MIN_STEPS * step
    if count == 0:
        return ()
    if high < low or (count > 1 and not _apart(_even(low, high, count), gap)):
        return None
    for _ in range(_DRAWS):
        numbers = sorted(likely.draw(low, high, rng) for _ in range(count))
        if _apart(numbers, gap) and all(likely.allows(number, step) for number in numbers):
            return numbers
    even = [likely.allowed(number, step, low, high) for number in _even(low, high, count)]
    kept = [number for number in even if number is not None]
    return kept if len(kept) == count and _apart(kept, gap) else None


def _even(low: float, high: float, count: int) -> list[float]:
    """Evenly spread numbers, limits included."""
    if count == 1:
        return [(low + high) / 2]
    return [low * (high / low) ** (k / (count - 1)) for k in range(count)]


def _apart(numbers: Sequence[float], gap: float) -> bool:
    return all(b >= a * _MIN_RATIO and b - a >= gap for a, b in pairwise(numbers))
