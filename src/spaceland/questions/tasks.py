"""The tasks, by SPAR's names. Adding one is a file with `propose` and a `Wording`, and a line here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from spaceland.questions.camera import VIEW_CHANGE, propose_view_change
from spaceland.questions.counting import COUNT, propose_count
from spaceland.questions.depth import DEPTH_OC, propose_depth_oc
from spaceland.questions.distance import DISTANCE_OO, propose_distance_oo
from spaceland.questions.facts import Fact, TaskContext
from spaceland.questions.imagination import IMAGINATION_OC, propose_imagination_oc
from spaceland.questions.matching import MATCHING, propose_matching
from spaceland.questions.phrasing import Wording
from spaceland.questions.relation import RELATION_OO, propose_relation_oo
from spaceland.questions.room import ROOM_SIZE, propose_room_size


@dataclass(frozen=True)
class Task:
    """A task: where its facts come from, how they are worded, and in which formats SPAR has it."""

    name: str
    propose: Callable[[TaskContext, Random], Iterator[Fact]]
    wording: Wording
    formats: tuple[str, ...]


TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        Task("depth_prediction_oc", propose_depth_oc, DEPTH_OC, ("fill", "select", "sentence")),
        Task("distance_prediction_oo", propose_distance_oo, DISTANCE_OO, ("fill", "select", "sentence")),
        Task("obj_spatial_relation_oo", propose_relation_oo, RELATION_OO, ("select", "judge", "sentence")),
        Task("spatial_imagination_oc", propose_imagination_oc, IMAGINATION_OC, ("select", "sentence")),
        Task("position_matching", propose_matching, MATCHING, ("fill", "select", "sentence")),
        Task("view_change_infer", propose_view_change, VIEW_CHANGE, ("fill", "sentence")),
        Task("obj_count", propose_count, COUNT, ("fill", "sentence")),
        Task("room_size", propose_room_size, ROOM_SIZE, ("fill", "select", "sentence")),
    )
}
