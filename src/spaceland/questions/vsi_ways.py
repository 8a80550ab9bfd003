"""Steps of VSI-Bench's routes: straight from one thing to the next over free floor (see `ground`).

Worked example. From (0, 0) towards a cupboard of 1 m x 1 m around (3, 0) a walker who stops 0.4 m in front of it comes
to (2.1, 0): a step of 2.1 m.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spaceland.questions.ground import Ground, Point
from spaceland.questions.policy import AmbiguityPolicy
from spaceland.scenes.scene import SceneObject


@dataclass(frozen=True, eq=False)
class Walker:
    """Walks from thing to thing over the ground within a policy."""

    ground: Ground
    policy: AmbiguityPolicy

    def first_place(self, start: SceneObject, facing: SceneObject) -> Point | None:
        """Beside a thing, on the side of the one that is faced."""
        return self.ground.step_away(
            start.center[:2], facing.center[:2], start.id, self.policy.route_stop_m + self.policy.route_body_m
        )

    def leg(self, place: Point, thing: SceneObject) -> Point | None:
        """Straight from a place up to a thing: where one stops, or None when the way is short or not free."""
        stop = self.ground.stop_before(place, thing.center[:2], thing.id, self.policy.route_stop_m)
        if stop is None or round(float(np.hypot(*(stop - place))), 6) < self.policy.min_route_leg_m:
            return None
        return stop if self.ground.is_free(place, stop, self.policy.route_body_m) else None
