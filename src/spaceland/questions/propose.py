"""From setups to facts: what most tasks have in common.

A task of this kind names its roles (the colours of its marks, or plain names where nothing is marked) and solves a
setup: the answer with the numbers behind it, or None after saying why not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal, cast

from spaceland.questions.answers import Answer
from spaceland.questions.facts import Fact, TaskContext
from spaceland.questions.marks import Color, Mark, box_mark, point_mark
from spaceland.questions.setups import Setup, Setups


@dataclass(frozen=True)
class Solved:
    """The answer to a setup; `values` and `params` as in `Fact`."""

    answer: Answer
    values: Mapping[str, Any] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)


Solve = Callable[[TaskContext, Setup], Solved | None]


def proposer(
    task: str,
    setups: Setups,
    roles: Sequence[str],
    shape: Literal["point", "bbox"] | None,
    solve: Solve,
    *,
    ordered: bool = True,
) -> Callable[[TaskContext, Random], Iterator[Fact]]:
    """The `propose` of a task.

    Args:
        task: SPAR's name.
        setups: Where its images and objects come from.
        roles: One for each pick; with a `shape` they are the colours of the marks.
        shape: How objects are marked, or None for no marks.
        solve: The task itself.
        ordered: Whether exchanging the objects gives another question.
    """

    def propose(context: TaskContext, rng: Random) -> Iterator[Fact]:
        seen: set[tuple[object, ...]] = set()
        for setup in setups(context, rng, len(roles)):
            ids = tuple(pick.object_id for pick in setup.picks)
            if context.asked_enough(frozenset(ids)):
                context.reject("same objects asked about before", tuple(frame.id for frame in setup.frames), ids)
                continue
            if not ordered:
                key = (setup.frames[0].id, setup.frames[-1].id, frozenset(pick.object_id for pick in setup.picks))
                if key in seen:
                    continue
                seen.add(key)
            context.looking_at = setup
            solved = solve(context, setup)
            context.looking_at = None
            if solved is not None:
                yield fact_of(context, task, setup, roles, shape, solved)

    # The task is described in the file that solves it; reports quote from there.
    propose.__module__ = getattr(solve, "func", solve).__module__
    return propose


def fact_of(
    context: TaskContext,
    task: str,
    setup: Setup,
    roles: Sequence[str],
    shape: Literal["point", "bbox"] | None,
    solved: Solved,
) -> Fact:
    """The fact of a solved setup, with one mark for each role."""
    picks = dict(zip(roles, setup.picks, strict=True))
    return Fact(
        task=task,
        frames=tuple(frame.id for frame in setup.frames),
        objects={role: pick.object_id for role, pick in picks.items()},
        labels={role: context.label(pick.object_id) for role, pick in picks.items()},
        answer=solved.answer,
        marks=() if shape is None else setup_marks(setup, roles, shape),
        values=solved.values,
        params=solved.params,
    )


def setup_marks(setup: Setup, roles: Sequence[str], shape: Literal["point", "bbox"]) -> tuple[Mark, ...]:
    """A mark of the role's colour for each pick, in the image that points at it."""
    marks = []
    for role, pick in zip(roles, setup.picks, strict=True):
        camera = setup.frame_of(pick).camera
        make = point_mark if shape == "point" else box_mark
        marks.append(make(cast(Color, role), pick.view, pick.image, camera.width, camera.height))
    return tuple(marks)
