"""The tasks, by SPAR's names. Adding one is a file with `propose` and a `Wording`, and a line here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from spaceland.questions import depth, distance, imagination, relation
from spaceland.questions import imagination_words as imagined
from spaceland.questions.bird_map import BIRD_MAP, propose_map
from spaceland.questions.camera import VIEW_CHANGE, propose_view_change
from spaceland.questions.camera_pose import CAMERA_POSE, propose_camera_pose
from spaceland.questions.counting import COUNT, propose_count
from spaceland.questions.facts import Fact, TaskContext
from spaceland.questions.frames_seen import FRAMES_SEEN, propose_frames_seen
from spaceland.questions.matching import MATCHING, propose_matching
from spaceland.questions.navigation import NAVIGATION, propose_navigation
from spaceland.questions.order import ORDER, propose_order
from spaceland.questions.phrasing import Wording
from spaceland.questions.room import ROOM_SIZE, propose_room_size


@dataclass(frozen=True)
class Task:
    """A task: where its facts come from, how they are worded, and in which formats SPAR has it."""

    name: str
    propose: Callable[[TaskContext, Random], Iterator[Fact]]
    wording: Wording
    formats: tuple[str, ...]


_FST, _ST, _FT = ("fill", "select", "sentence"), ("select", "sentence"), ("fill", "sentence")

_SINGLE_VIEW = (
    Task("depth_prediction_oc", depth.propose_depth_oc, depth.DEPTH_OC, _FST),
    Task("depth_prediction_oo", depth.propose_depth_oo, depth.DEPTH_OO, _FST),
    Task("distance_prediction_oc", distance.propose_distance_oc, distance.DISTANCE_OC, _FST),
    Task("distance_prediction_oo", distance.propose_distance_oo, distance.DISTANCE_OO, _FST),
    Task(
        "obj_spatial_relation_oo", relation.propose_relation_oo, relation.RELATION_OO, ("select", "judge", "sentence")
    ),
    Task("spatial_imagination_oc", imagination.propose_imagination_oc, imagined.IMAGINATION_OC, _ST),
    Task("spatial_imagination_oo", imagination.propose_imagination_oo, imagined.IMAGINATION_OO, _ST),
)
_MULTI_VIEW = (
    Task("depth_prediction_oc_mv", depth.propose_depth_oc_mv, depth.DEPTH_OC, _FST),
    Task("depth_prediction_oo_mv", depth.propose_depth_oo_mv, depth.DEPTH_OO, _FST),
    Task("distance_prediction_oc_mv", distance.propose_distance_oc_mv, distance.DISTANCE_OC, _FST),
    Task("distance_prediction_oo_mv", distance.propose_distance_oo_mv, distance.DISTANCE_OO, _FST),
    Task("position_matching", propose_matching, MATCHING, _FST),
    Task("view_change_infer", propose_view_change, VIEW_CHANGE, _FT),
    Task("camera_motion_infer", propose_camera_pose, CAMERA_POSE, _FST),
    Task("spatial_imagination_map_mv", propose_map, BIRD_MAP, ("sentence",)),
    Task("obj_spatial_relation_oc_mv", relation.propose_relation_oc_mv, relation.RELATION_OC, _ST),
    Task(
        "obj_spatial_relation_oo_mv",
        relation.propose_relation_oo_mv,
        relation.RELATION_OO,
        ("select", "judge", "sentence"),
    ),
    Task("spatial_imagination_oc_mv", imagination.propose_imagination_oc_mv, imagined.IMAGINATION_OC, _ST),
    Task("spatial_imagination_oo_mv", imagination.propose_imagination_oo_mv, imagined.IMAGINATION_OO, _ST),
)
_VIDEO = (
    Task("distance_prediction_oo_video", distance.propose_distance_oo_video, distance.DISTANCE_OO, _FST),
    Task(
        "spatial_imagination_oc_video",
        imagination.propose_imagination_oc_video,
        imagined.IMAGINATION_OC_VIDEO,
        ("sentence",),
    ),
    Task(
        "spatial_imagination_oc_video_hard",
        imagination.propose_imagination_oc_hard,
        imagined.IMAGINATION_OC_VIDEO,
        ("sentence",),
    ),
    Task(
        "spatial_imagination_oo_video",
        imagination.propose_imagination_oo_video,
        imagined.IMAGINATION_OO_VIDEO,
        ("sentence",),
    ),
    Task(
        "spatial_imagination_oo_video_hard",
        imagination.propose_imagination_oo_hard,
        imagined.IMAGINATION_OO_VIDEO,
        ("sentence",),
    ),
    Task("obj_frame_locate", propose_frames_seen, FRAMES_SEEN, ("sentence",)),
    Task("appearance_order", propose_order, ORDER, _FT),
    Task("nav_video", propose_navigation, NAVIGATION, ("sentence",)),
    Task("obj_count", propose_count, COUNT, _FT),
    Task("room_size", propose_room_size, ROOM_SIZE, _FST),
)

TASKS: dict[str, Task] = {task.name: task for task in (*_SINGLE_VIEW, *_MULTI_VIEW, *_VIDEO)}
