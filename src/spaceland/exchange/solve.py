"""Which solver works out which task of SPAR-7M anew; they lie in `solve_*`, one small function for each task.

A solver takes a `Case` and gives a `Verdict`, or raises `UnreadableError` with the reason why a row cannot be decided:
such rows count neither as agreement nor as disagreement.
"""

from __future__ import annotations

from collections.abc import Callable

from spaceland.exchange.case import Case, Verdict
from spaceland.exchange.solve_nearest import nearest_of, nearest_oo, nearest_to_observer
from spaceland.exchange.solve_numbers import count, depth_oc, depth_oo, distance_oc, distance_oo, room_size, volume
from spaceland.exchange.solve_relations import imagination_oc, imagination_oo, relation_oc, relation_oo
from spaceland.exchange.solve_video import appearance_order, frames_of_object
from spaceland.exchange.solve_views import camera_place, matching, places_on_map, view_change
from spaceland.exchange.solve_walk import walk

SOLVERS: dict[str, Callable[[Case], Verdict]] = {
    "depth_prediction_oc": depth_oc,
    "depth_prediction_oo": depth_oo,
    "distance_prediction_oc": distance_oc,
    "distance_prediction_oo": distance_oo,
    "spatial_volume_infer": volume,
    "distance_infer_center_oc": nearest_to_observer,
    "distance_infer_center_oo": nearest_oo,
    "obj_spatial_relation_oo": relation_oo,
    "spatial_imagination_oc": imagination_oc,
    "spatial_imagination_oo": imagination_oo,
    "depth_prediction_oc_mv": depth_oc,
    "depth_prediction_oo_mv": depth_oo,
    "distance_prediction_oc_mv": distance_oc,
    "distance_prediction_oo_mv": distance_oo,
    "position_matching": matching,
    "view_change_infer": view_change,
    "camera_motion_infer": camera_place,
    "distance_infer_center_oc_mv": nearest_to_observer,
    "distance_infer_center_oo_mv": nearest_oo,
    "obj_spatial_relation_oc_mv": relation_oc,
    "obj_spatial_relation_oo_mv": relation_oo,
    "spatial_imagination_oc_mv": imagination_oc,
    "spatial_imagination_oo_mv": imagination_oo,
    "spatial_imagination_map_mv": places_on_map,
    "distance_prediction_oo_video": distance_oo,
    "distance_infer_center_oo_video": nearest_of,
    "spatial_imagination_oc_video": imagination_oc,
    "spatial_imagination_oo_video": imagination_oo,
    "spatial_imagination_oc_video_hard": imagination_oc,
    "spatial_imagination_oo_video_hard": imagination_oo,
    "obj_frame_locate": frames_of_object,
    "appearance_order": appearance_order,
    "obj_count": count,
    "room_size": room_size,
    "nav_video": walk,
}
"""All tasks of `markers.MARKERS`."""
