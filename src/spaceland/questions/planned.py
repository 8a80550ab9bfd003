"""Ways through a room that nobody filmed, planned over its free floor: the second kind of `nav_video`.

Worked example. Somebody stands in front of the desk and faces the sofa; the free way to the shelf leads 2.1 m along a
table and then 3.0 m to the left:

    question  Start at the desk with your view on the sofa: what is the way to the shelf? ...
    answer    Turn right and walk 2.1 m, passing the lamp 0.8 m to the left, then turn left and walk 3.0 m, then stop
              0.6 m from the shelf.

One stands in front of the first thing, on the side of the second one, where the floor is free first. The way is the
shortest that keeps `way_clear_m` away from everything (see `way_search`); it leads straight towards the middle of the
goal, up to `route_stop_m` in front of it. All three have a label of their own, unlike any other, and are clearly seen
in the video.
A way is asked about only when its turns are clear, when somebody thinner or wider would take the same turns, and when
no other way that is about as short turns differently.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from random import Random

import numpy as np

from spaceland.geometry.footprints import footprint_gaps
from spaceland.questions.answers import RouteAnswer
from spaceland.questions.facts import Fact, TaskContext, shuffled, vector
from spaceland.questions.frames_seen import seen_params
from spaceland.questions.ground import IN_THE_WAY_M, Ground, Point
from spaceland.questions.language import may_mean
from spaceland.questions.navigation_words import steps_of
from spaceland.questions.setups import arrangements
from spaceland.questions.walks import heading_deg, passed_on, turn_word, wrap_deg
from spaceland.questions.way_search import WaySearch, alongside_m
from spaceland.scenes.floor import FoundFloor, floor_of
from spaceland.scenes.scene import Frame, SceneObject

_VIEWS_PER_PAIR = 6
"""So many things are tried to face at first on the way from one thing to another."""
_MAX_TRIES = 500
_MORE_DIRECT = 4
"""So many more ways without a corner may be told than ways with one."""
_AWAY_M = (0.4, 0.6, 0.8, 1.0)
"""One stands so far from the first thing, at the first of these distances that is free."""
_CORNER_M = 0.05
"""Distances that the question tells are right to this."""
_EYES_M = 1.5
"""Things as high as this hide what is behind them."""


def planned_ways(context: TaskContext, frames: Sequence[Frame], rng: Random) -> Iterator[Fact]:
    """Clear ways between things of the room, at most one from each to each; those with corners come first."""
    floor = floor_of(context.scene)
    if floor.room is None or not floor.room.has_outline:
        context.reject(f"floor unknown: {floor.problem or 'no outline'}")
        return
    planner = _Planner(context, frames, floor)
    direct: list[Fact] = []
    owed, tries = _MORE_DIRECT, 0
    for start, goal in arrangements(planner.places, 2, rng):
        views = [view for view in planner.views(start) if view.facing != goal]
        for view in shuffled(views, rng)[:_VIEWS_PER_PAIR]:
            if tries == _MAX_TRIES:
                context.reject("enough ways were tried")
                return
            tries += 1
            fact = planner.way(view, goal)
            if fact is None:
                continue
            # Straight ways are far more frequent: hardly more of them are told than ways with corners.
            if len(fact.values["leg_m"]) == 1:
                direct.append(fact)
            else:
                yield fact
                owed += 1
            if direct and owed:
                yield direct.pop()
                owed -= 1
            break


def _is_off_corner(thing: SceneObject, place: Point, told_m: float) -> bool:
    """Whether a place is farther from a thing than told: distances are kept from its sides, not from its corners."""
    return round(float(footprint_gaps(thing.box, place[None])[0]), 6) > told_m + _CORNER_M


@dataclass(frozen=True, eq=False)
class _View:
    """Somebody stands at `place`, `away_m` in front of the first thing, and faces the second one."""

    start: SceneObject
    facing: SceneObject
    place: Point
    away_m: float


@dataclass(frozen=True, eq=False)
class _Planner:
    """Plans ways through the room of a video."""

    context: TaskContext
    frames: Sequence[Frame]
    floor: FoundFloor
    _views: dict[int, list[_View]] = field(default_factory=dict)

    @cached_property
    def ground(self) -> Ground:
        assert self.floor.room is not None
        return Ground.of(self.floor.room, self.context.scene.objects)

    @cached_property
    def things(self) -> list[SceneObject]:
        """What may be named: clearly seen, with a label of its own that nobody takes for another one."""
        context = self.context
        found = []
        for object_id in context.views.best_in(tuple(frame.id for frame in self.frames)):
            thing = context.thing(object_id)
            if context.scene.label_counts[thing.label] > 1:
                context.reject("label is not unique", objects=(object_id,))
            elif any(may_mean(thing.label, other) for other in context.scene.label_counts):
                context.reject("label is much like another one", objects=(object_id,))
            else:
                found.append(thing)
        return found

    @cached_property
    def places(self) -> list[SceneObject]:
        """Where a way may start or end: things on the floor."""
        context, most = self.context, self.context.policy.max_route_lift_m
        standing = [thing for thing in self.things if self.ground.lifts_m.get(thing.id, np.inf) <= most]
        for thing in [thing for thing in self.things if thing not in standing]:
            context.reject("does not stand on the floor", objects=(thing.id,))
        return standing

    def views(self, start: SceneObject) -> list[_View]:
        """The views from beside a thing, in the order of `things`."""
        if start.id not in self._views:
            others = [thing for thing in self.things if thing != start]
            self._views[start.id] = [view for other in others if (view := self._view(start, other)) is not None]
        return self._views[start.id]

    def _view(self, start: SceneObject, facing: SceneObject) -> _View | None:
        """The first free place on the straight way from one thing to another, if the other is in plain view there."""
        ground, policy, there = self.ground, self.context.policy, facing.center[:2]
        for away in _AWAY_M:
            place = ground.step_away(start.center[:2], there, start.id, away)
            if place is None or float(np.hypot(*(there - place))) < policy.min_facing_distance_m:
                break
            if ground.is_free(place, place, policy.way_clear_m):
                if _is_off_corner(start, place, away):
                    self.context.reject("in front of a corner", objects=(start.id, facing.id))
                    return None
                if not ground.is_hidden(place, there, _EYES_M, (facing.id,)):
                    return _View(start, facing, place, away)
                self.context.reject("something hides what is faced", objects=(start.id, facing.id))
                return None
        self.context.reject("nowhere to stand", objects=(start.id, facing.id))
        return None

    @cached_property
    def searches(self) -> tuple[WaySearch, WaySearch, WaySearch]:
        """For somebody as wide as usual, thinner, and wider."""
        policy = self.context.policy
        widths = (policy.way_clear_m, policy.way_clear_m - policy.way_slack_m, policy.way_clear_m + policy.way_slack_m)
        usual, thin, wide = (WaySearch(self.ground, width, policy.route_stop_m) for width in widths)
        return usual, thin, wide

    def way(self, view: _View, goal: SceneObject) -> Fact | None:
        """The way from a view to a thing, or None after saying why not."""
        context, policy = self.context, self.context.policy
        start, facing, place = view.start, view.facing, view.place
        ids = (start.id, facing.id, goal.id)
        legs_allowed = policy.max_path_turns + 1
        ways = self.searches[0].ways(place, goal, policy.way_detour, legs_allowed)
        if not ways:
            context.reject("no free way", objects=ids)
            return None
        heading = heading_deg(facing.center[:2] - place)
        lengths, turns = _legs(ways[0], heading)
        if sum(lengths) < policy.min_way_m:
            context.reject("path too short", objects=ids)
            return None
        if min(lengths) < policy.min_leg_m:
            context.reject("a leg too short to be named", objects=ids)
            return None
        words = [turn_word(turn, policy) for turn in turns]
        if None in words or "straight" in words[1:]:
            context.reject("a bend that is no clear turn", objects=ids)
            return None
        if words == ["straight"]:
            context.reject("the goal is straight ahead", objects=ids)
            return None
        exact = replace(policy, turn_margin_deg=0.0)
        from_middle = heading_deg(ways[0][1] - start.center[:2])
        if turn_word(wrap_deg(from_middle - heading_deg(facing.center[:2] - start.center[:2])), exact) != words[0]:
            context.reject("the turn depends on where exactly one stands", objects=ids)
            return None
        if _is_off_corner(goal, ways[0][-1], policy.route_stop_m):
            context.reject("in front of a corner", objects=ids)
            return None
        stop_m = round(float(np.hypot(*(goal.center[:2] - ways[0][-1]))), 6)
        if stop_m > policy.max_passed_m:
            context.reject("too large to stop at", objects=ids)
            return None
        if any(not self._alike(way, heading, lengths, words) for way in ways[1:]):
            context.reject("another way is about as short", objects=ids)
            return None
        near_m = policy.way_clear_m + policy.way_slack_m
        if alongside_m(self.ground, ways[0], near_m, (start.id, goal.id)) > policy.max_hug_m:
            context.reject("hugs what stands beside it", objects=ids)
            return None
        for search in self.searches[1:]:
            others = search.ways(place, goal, 1.0, legs_allowed)
            if not others or not self._alike(others[0], heading, lengths, words):
                context.reject("a gap that not everybody would take", objects=ids)
                return None
        return self._fact(view, goal, ways[0], words, stop_m)

    def _alike(self, way: list[Point], heading: float, lengths: list[float], words: list[str | None]) -> bool:
        """Whether a way has the same turns, and legs of about the same lengths."""
        other_lengths, turns = _legs(way, heading)
        exact = replace(self.context.policy, turn_margin_deg=0.0)
        if [turn_word(turn, exact) for turn in turns] != words:
            return False
        change = self.context.policy.way_leg_change_m
        return all(abs(a - b) <= change for a, b in zip(lengths, other_lengths, strict=True))

    def _fact(
        self,
        view: _View,
        goal: SceneObject,
        way: list[Point],
        words: list[str | None],
        stop_m: float,
    ) -> Fact:
        context, policy = self.context, self.context.policy
        start, facing = view.start, view.facing
        lengths, turns = _legs(way, heading_deg(facing.center[:2] - way[0]))
        named = {start.id, facing.id, goal.id}
        passed: list[tuple[int, SceneObject, float]] = []
        for k, (a, b) in enumerate(pairwise(way)):
            # Nobody passes what hangs on the ceiling or lies flat.
            beside = [thing for thing in self.things if thing.id not in named and thing.id in self.ground.index]
            for thing, right_m in passed_on(policy, a, b, beside):
                # What is behind a wall or a wardrobe is not seen in passing.
                if not self.ground.is_hidden(_foot(thing.center[:2], a, b), thing.center[:2], _EYES_M, (thing.id,)):
                    named.add(thing.id)
                    passed.append((k, thing, right_m))
        told = [start, facing, *(thing for _, thing, _ in passed), goal]
        return Fact(
            task="nav_video",
            frames=tuple(frame.id for frame in self.frames),
            objects={f"object {k}": thing.id for k, thing in enumerate(told)},
            labels={f"object {k}": thing.label for k, thing in enumerate(told)},
            answer=RouteAnswer(steps_of(context.conventions.decimals, lengths, words, passed, (goal, stop_m))),
            values={
                "kind": "planned",
                "start_gap_m": view.away_m,
                "places_m": [vector(place) for place in way],
                "leg_m": [round(length, 4) for length in lengths],
                "turn_deg": [round(turn, 4) + 0.0 for turn in turns],
                "passed": [[k, thing.id, round(right_m, 4)] for k, thing, right_m in passed],
                "stop": [goal.id, round(stop_m, 4)],
            },
            params={
                **seen_params(context),
                "decimals": context.conventions.decimals,
                "way_clear_m": policy.way_clear_m,
                "route_stop_m": policy.route_stop_m,
                "max_route_lift_m": policy.max_route_lift_m,
                "min_facing_distance_m": policy.min_facing_distance_m,
                "in_the_way_m": list(IN_THE_WAY_M),
                "min_leg_m": policy.min_leg_m,
                "min_way_m": policy.min_way_m,
                "turn": [policy.turn_threshold_deg, policy.turn_margin_deg],
                "half_turn": [policy.half_turn_threshold_deg, policy.turn_margin_deg],
                "max_passed_m": policy.max_passed_m,
                "min_passed_m": policy.min_passed_m,
                **self.floor.params,
            },
        )


def _legs(way: list[Point], heading: float) -> tuple[list[float], list[float]]:
    """Lengths of the legs in metres, and by how many degrees one turns right before each."""
    steps = [b - a for a, b in pairwise(way)]
    headings = [heading, *(heading_deg(step) for step in steps)]
    return [float(np.hypot(*step)) for step in steps], [wrap_deg(b - a) for a, b in pairwise(headings)]


def _foot(point: Point, a: Point, b: Point) -> Point:
    along = b - a
    return a + float((point - a) @ along) / float(along @ along) * along
