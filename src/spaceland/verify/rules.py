"""What the rows of each task have in common: roles, marks, images, kind of answer, unit, formats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Views = Literal["single", "pair", "multi", "window", "video"]


@dataclass(frozen=True)
class Rules:
    """`roles` are the objects' roles; with a `mark_shape` they are the colours of their marks."""

    roles: tuple[str, ...]
    mark_shape: Literal["point", "bbox"] | None
    views: Views
    kind: str
    formats: tuple[str, ...]
    unit: str | None = None
    num_options: int = 4
    unnamed: bool = False
    """The question does not name its objects: they are what is asked for."""
    open_roles: bool = False
    """Any number of objects, each with its label, as "object 0", "object 1", ..., or the first of some roles."""


COUNTS = ("obj_count", "vsi_object_counting")
"""Tasks whose rows are about all objects of one label."""
_FST, _ST, _FT, _T = ("fill", "select", "sentence"), ("select", "sentence"), ("fill", "sentence"), ("sentence",)
_F, _S, _FS = ("fill",), ("select",), ("fill", "select")
_SJT = ("select", "judge", "sentence")
_ONE, _TWO, _THREE = ("red",), ("red", "blue"), ("red", "blue", "green")
_FIVE, _FOUND = (*_THREE, "yellow", "purple"), ("found", "runner_up")
_ROUTE = ("red", "blue", "green", "yellow", "purple")
_MOVED, _MOVED_OO = ("green", "blue", "red"), ("green", "blue", "red", "yellow")

RULES: dict[str, Rules] = {
    "depth_prediction_oc": Rules(_TWO, "point", "single", "number", _FST, "m"),
    "depth_prediction_oc_mv": Rules(_TWO, "point", "multi", "number", _FST, "m"),
    "depth_prediction_oo": Rules(_THREE, "point", "single", "number", _FST, "m"),
    "depth_prediction_oo_mv": Rules(_THREE, "point", "multi", "number", _FST, "m"),
    "distance_prediction_oc": Rules(_ONE, "point", "single", "number", _FST, "m"),
    "distance_prediction_oc_mv": Rules(_ONE, "point", "multi", "number", _FST, "m"),
    "distance_prediction_oo": Rules(_TWO, "point", "single", "number", _FST, "m"),
    "distance_prediction_oo_mv": Rules(_TWO, "point", "multi", "number", _FST, "m"),
    "distance_prediction_oo_video": Rules(_TWO, "point", "video", "number", _FST, "m"),
    "obj_spatial_relation_oo": Rules(_TWO, "bbox", "single", "relation", _SJT),
    "obj_spatial_relation_oo_mv": Rules(_TWO, "bbox", "multi", "relation", _SJT),
    "obj_spatial_relation_oc_mv": Rules(_ONE, "bbox", "multi", "relation", _ST),
    "spatial_imagination_oc": Rules(_MOVED, "bbox", "single", "relation", _ST),
    "spatial_imagination_oc_mv": Rules(_MOVED, "bbox", "multi", "relation", _ST),
    "spatial_imagination_oc_video": Rules(_MOVED, "bbox", "video", "relation", _T),
    "spatial_imagination_oc_video_hard": Rules(_MOVED, None, "video", "relation", _T),
    "spatial_imagination_oo": Rules(_MOVED_OO, "bbox", "single", "relation", _ST),
    "spatial_imagination_oo_mv": Rules(_MOVED_OO, "bbox", "multi", "relation", _ST),
    "spatial_imagination_oo_video": Rules(_MOVED_OO, "bbox", "video", "relation", _T),
    "spatial_imagination_oo_video_hard": Rules(_MOVED_OO, None, "video", "relation", _T),
    "position_matching": Rules(_ONE, "bbox", "pair", "box", _FST),
    "view_change_infer": Rules((), None, "pair", "motion", _FT),
    "camera_motion_infer": Rules((), None, "pair", "place", _FST),
    "spatial_imagination_map_mv": Rules(_THREE, "bbox", "multi", "map", _T),
    "obj_frame_locate": Rules(_ONE, "bbox", "video", "frames", _T),
    "appearance_order": Rules(("red", "blue", "green", "yellow"), None, "video", "order", _FT),
    "nav_video": Rules((), None, "video", "route", _T, unnamed=True, open_roles=True),
    "distance_infer_center_oc": Rules(_FOUND, None, "single", "found", _FST, unnamed=True),
    "distance_infer_center_oc_mv": Rules(_FOUND, None, "multi", "found", _FST, unnamed=True),
    "distance_infer_center_oo": Rules(_THREE, "point", "single", "choice", _FST, num_options=2),
    "distance_infer_center_oo_mv": Rules(_THREE, "point", "multi", "choice", _FST, num_options=2),
    "distance_infer_center_oo_video": Rules(_FIVE, "point", "video", "choice", _FST),
    "spatial_volume_infer": Rules(_ONE, "bbox", "single", "size", _FT, "cm"),
    "obj_count": Rules((), None, "video", "count", _FT),
    "room_size": Rules((), None, "video", "number", _FST, "m2"),
    "size_comparison_oo": Rules(_TWO, "bbox", "single", "choice", _SJT, num_options=2),
    "camera_pose_relative": Rules((), None, "pair", "pose", _FS),
    "free_space_point": Rules(_ONE, "bbox", "single", "point", ("select",)),
    "point_correspondence": Rules(_ONE, "point", "pair", "point", _FS),
    "grounding_frame": Rules(_ONE, None, "video", "grounding", _F),
    "grounding_box": Rules(_ONE, None, "video", "box3d", _F),
    "detection": Rules((), None, "single", "boxes3d", _F, open_roles=True),
    "detection_window": Rules((), None, "window", "boxes3d", _F, open_roles=True),
    "vsi_object_counting": Rules((), None, "video", "count", _F),
    "vsi_object_size_estimation": Rules(_ONE, None, "video", "number", _F, "cm"),
    "vsi_room_size_estimation": Rules((), None, "video", "number", _F, "m2"),
    "vsi_object_abs_distance": Rules(_TWO, None, "video", "number", _F, "m"),
    "vsi_object_rel_distance": Rules(_FIVE, None, "video", "choice", _S),
    "vsi_object_rel_direction_easy": Rules(_MOVED, None, "video", "words", _S, num_options=2),
    "vsi_object_rel_direction_medium": Rules(_MOVED, None, "video", "words", _S, num_options=3),
    "vsi_object_rel_direction_hard": Rules(_MOVED, None, "video", "words", _S),
    "vsi_obj_appearance_order": Rules(("red", "blue", "green", "yellow"), None, "video", "order", _S),
    "vsi_route_planning": Rules(_ROUTE, None, "video", "words", _S, open_roles=True),
}
