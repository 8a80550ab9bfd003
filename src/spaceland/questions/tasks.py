"""The tasks, by SPAR's names. Adding one is a file with `propose` and a `Wording`, and a line here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from spaceland.questions import depth, distance, imagination, nearest, nearest_words, relation, vsi_choices, vsi_numbers
from spaceland.questions import imagination_words as imagined
from spaceland.questions.bird_map import BIRD_MAP, propose_map
from spaceland.questions.camera import VIEW_CHANGE, propose_view_change
from spaceland.questions.camera_pose import CAMERA_POSE, propose_camera_pose
from spaceland.questions.camera_relative import RELATIVE_POSE, propose_relative_pose
from spaceland.questions.correspondence import CORRESPONDENCE, propose_correspondence
from spaceland.questions.counting import COUNT, propose_count
from spaceland.questions.detection import (
    DETECTION,
    DETECTION_WINDOW,
    propose_detection,
    propose_detection_window,
)
from spaceland.questions.facts import Fact, TaskContext
from spaceland.questions.frames_seen import FRAMES_SEEN, propose_frames_seen
from spaceland.questions.free_space import FREE_SPACE, propose_free_space
from spaceland.questions.grounding import (
    GROUNDING_BOX,
    GROUNDING_FRAME,
    propose_grounding_box,
    propose_grounding_frame,
)
from spaceland.questions.matching import MATCHING, propose_matching
from spaceland.questions.navigation import NAVIGATION, propose_navigation
from spaceland.questions.order import ORDER, propose_order
from spaceland.questions.phrasing import Wording
from spaceland.questions.room import ROOM_SIZE, propose_room_size
from spaceland.questions.size_compare import SIZE_COMPARISON, propose_size_comparison
from spaceland.questions.volume import SIZE, propose_size
from spaceland.questions.vsi_route import VSI_ROUTE, propose_vsi_route


@dataclass(frozen=True)
class Task:
    """A task: where its facts come from, how they are worded, and in which formats SPAR has it."""

    name: str
    propose: Callable[[TaskContext, Random], Iterator[Fact]]
    wording: Wording
    formats: tuple[str, ...]


_FS = ("fill", "select")
_FST, _ST, _FT = ("fill", "select", "sentence"), ("select", "sentence"), ("fill", "sentence")

_SINGLE_VIEW = (
    Task("depth_prediction_oc", depth.propose_depth_oc, depth.DEPTH_OC, _FST),
    Task("depth_prediction_oo", depth.propose_depth_oo, depth.DEPTH_OO, _FST),
    Task("distance_prediction_oc", distance.propose_distance_oc, distance.DISTANCE_OC, _FST),
    Task("distance_prediction_oo", distance.propose_distance_oo, distance.DISTANCE_OO, _FST),
    Task(
        "obj_spatial_relation_oo", relation.propose_relation_oo, relation.RELATION_OO, ("select", "judge", "sentence")
    ),
    Task("distance_infer_center_oc", nearest.propose_nearest_oc, nearest_words.NEAREST_OC, _FST),
    Task("distance_infer_center_oo", nearest.propose_nearest_oo, nearest_words.NEAREST_OO, _FST),
    Task("spatial_volume_infer", propose_size, SIZE, _FT),
    Task("spatial_imagination_oc", imagination.propose_imagination_oc, imagined.IMAGINATION_OC, _ST),
    Task("spatial_imagination_oo", imagination.propose_imagination_oo, imagined.IMAGINATION_OO, _ST),
)
_MULTI_VIEW = (
    Task("depth_prediction_oc_mv", depth.propose_depth_oc_mv, depth.DEPTH_OC, _FST),
    Task("depth_prediction_oo_mv", depth.propose_depth_oo_mv, depth.DEPTH_OO_MV, _FST),
    Task("distance_prediction_oc_mv", distance.propose_distance_oc_mv, distance.DISTANCE_OC_MV, _FST),
    Task("distance_prediction_oo_mv", distance.propose_distance_oo_mv, distance.DISTANCE_OO, _FST),
    Task("distance_infer_center_oc_mv", nearest.propose_nearest_oc_mv, nearest_words.NEAREST_OC_MV, _FST),
    Task("distance_infer_center_oo_mv", nearest.propose_nearest_oo_mv, nearest_words.NEAREST_OO, _FST),
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
    Task("distance_infer_center_oo_video", nearest.propose_nearest_oo_video, nearest_words.NEAREST_OO_VIDEO, _FST),
    Task("obj_count", propose_count, COUNT, _FT),
    Task("room_size", propose_room_size, ROOM_SIZE, _FST),
)

_BEYOND = (
    Task("size_comparison_oo", propose_size_comparison, SIZE_COMPARISON, ("select", "judge", "sentence")),
    Task("camera_pose_relative", propose_relative_pose, RELATIVE_POSE, _FS),
    Task("free_space_point", propose_free_space, FREE_SPACE, ("select",)),
    Task("point_correspondence", propose_correspondence, CORRESPONDENCE, _FS),
    Task("grounding_frame", propose_grounding_frame, GROUNDING_FRAME, ("fill",)),
    Task("grounding_box", propose_grounding_box, GROUNDING_BOX, ("fill",)),
    Task("detection", propose_detection, DETECTION, ("fill",)),
    Task("detection_window", propose_detection_window, DETECTION_WINDOW, ("fill",)),
)
"""Tasks that SPAR does not have."""
_VSI = (
    Task("vsi_object_counting", vsi_numbers.propose_vsi_count, vsi_numbers.VSI_COUNT, ("fill",)),
    Task("vsi_object_size_estimation", vsi_numbers.propose_vsi_size, vsi_numbers.VSI_SIZE, ("fill",)),
    Task("vsi_room_size_estimation", vsi_numbers.propose_vsi_room_size, vsi_numbers.VSI_ROOM_SIZE, ("fill",)),
    Task("vsi_object_abs_distance", vsi_numbers.propose_vsi_distance, vsi_numbers.VSI_DISTANCE, ("fill",)),
    Task("vsi_object_rel_distance", vsi_choices.propose_vsi_nearest, vsi_choices.VSI_NEAREST, ("select",)),
    Task(
        "vsi_object_rel_direction_easy",
        vsi_choices.propose_vsi_direction_easy,
        vsi_choices.VSI_DIRECTION_EASY,
        ("select",),
    ),
    Task(
        "vsi_object_rel_direction_medium",
        vsi_choices.propose_vsi_direction_medium,
        vsi_choices.VSI_DIRECTION_MEDIUM,
        ("select",),
    ),
    Task(
        "vsi_object_rel_direction_hard",
        vsi_choices.propose_vsi_direction_hard,
        vsi_choices.VSI_DIRECTION_HARD,
        ("select",),
    ),
    Task("vsi_obj_appearance_order", vsi_choices.propose_vsi_order, vsi_choices.VSI_ORDER, ("select",)),
    Task("vsi_route_planning", propose_vsi_route, VSI_ROUTE, ("select",)),
)
"""The types of VSI-Bench, in its formats."""

TASKS: dict[str, Task] = {task.name: task for task in (*_SINGLE_VIEW, *_MULTI_VIEW, *_VIDEO, *_BEYOND, *_VSI)}
