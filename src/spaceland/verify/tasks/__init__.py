"""Each task's written answer against the derived one, and the numbers stored beside it.

One function for each task, in one file for each family. It derives the answer from the scene, compares it with
`facts.value`, with the numbers in `facts.values` and in the question, and then with what is written in the format of
the row. Whatever does not hold is raised as `Wrong`. `TASK_RULES` says what the rows of each task have in common.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from spaceland.scenes.scene import Frame, Scene
from spaceland.verify.rows import Row
from spaceland.verify.tasks.bird_map import check_map
from spaceland.verify.tasks.camera import check_view_change
from spaceland.verify.tasks.camera_pose import check_camera_pose
from spaceland.verify.tasks.camera_relative import check_relative_pose
from spaceland.verify.tasks.common import Policy, check_params
from spaceland.verify.tasks.correspondence import check_correspondence
from spaceland.verify.tasks.depth import check_depth_oc, check_depth_oo
from spaceland.verify.tasks.detection import check_detection, check_detection_window
from spaceland.verify.tasks.distance import check_distance_oc, check_distance_oo
from spaceland.verify.tasks.frames_seen import check_frames_seen
from spaceland.verify.tasks.free_space import check_free_space
from spaceland.verify.tasks.grounding import check_grounding_box, check_grounding_frame
from spaceland.verify.tasks.imagination import check_imagination_oc, check_imagination_oo
from spaceland.verify.tasks.matching import check_matching
from spaceland.verify.tasks.navigation import check_navigation
from spaceland.verify.tasks.nearest import check_nearest_oc, check_nearest_oo
from spaceland.verify.tasks.order import check_order
from spaceland.verify.tasks.relation import check_relation_oc, check_relation_oo
from spaceland.verify.tasks.size_compare import check_size_comparison
from spaceland.verify.tasks.video import check_count, check_room_size
from spaceland.verify.tasks.volume import check_size
from spaceland.verify.tasks.vsi import check_vsi_direction, check_vsi_distance, check_vsi_nearest, check_vsi_size
from spaceland.verify.tasks.vsi_route import check_vsi_route

CHECKS: Mapping[str, Callable[[Row, Scene, Sequence[Frame]], None]] = {
    "depth_prediction_oc": check_depth_oc,
    "depth_prediction_oc_mv": check_depth_oc,
    "depth_prediction_oo": check_depth_oo,
    "depth_prediction_oo_mv": check_depth_oo,
    "distance_prediction_oc": check_distance_oc,
    "distance_prediction_oc_mv": check_distance_oc,
    "distance_prediction_oo": check_distance_oo,
    "distance_prediction_oo_mv": check_distance_oo,
    "distance_prediction_oo_video": check_distance_oo,
    "obj_spatial_relation_oo": check_relation_oo,
    "obj_spatial_relation_oo_mv": check_relation_oo,
    "obj_spatial_relation_oc_mv": check_relation_oc,
    "spatial_imagination_oc": check_imagination_oc,
    "spatial_imagination_oc_mv": check_imagination_oc,
    "spatial_imagination_oc_video": check_imagination_oc,
    "spatial_imagination_oc_video_hard": check_imagination_oc,
    "spatial_imagination_oo": check_imagination_oo,
    "spatial_imagination_oo_mv": check_imagination_oo,
    "spatial_imagination_oo_video": check_imagination_oo,
    "spatial_imagination_oo_video_hard": check_imagination_oo,
    "position_matching": check_matching,
    "view_change_infer": check_view_change,
    "camera_motion_infer": check_camera_pose,
    "spatial_imagination_map_mv": check_map,
    "obj_frame_locate": check_frames_seen,
    "appearance_order": check_order,
    "nav_video": check_navigation,
    "distance_infer_center_oc": check_nearest_oc,
    "distance_infer_center_oc_mv": check_nearest_oc,
    "distance_infer_center_oo": check_nearest_oo,
    "distance_infer_center_oo_mv": check_nearest_oo,
    "distance_infer_center_oo_video": check_nearest_oo,
    "spatial_volume_infer": check_size,
    "obj_count": check_count,
    "room_size": check_room_size,
    "vsi_object_counting": check_count,
    "vsi_object_size_estimation": check_vsi_size,
    "vsi_room_size_estimation": check_room_size,
    "vsi_object_abs_distance": check_vsi_distance,
    "vsi_object_rel_distance": check_vsi_nearest,
    "vsi_object_rel_direction_easy": check_vsi_direction,
    "vsi_object_rel_direction_medium": check_vsi_direction,
    "vsi_object_rel_direction_hard": check_vsi_direction,
    "vsi_obj_appearance_order": check_order,
    "vsi_route_planning": check_vsi_route,
    "size_comparison_oo": check_size_comparison,
    "camera_pose_relative": check_relative_pose,
    "free_space_point": check_free_space,
    "point_correspondence": check_correspondence,
    "grounding_frame": check_grounding_frame,
    "grounding_box": check_grounding_box,
    "detection": check_detection,
    "detection_window": check_detection_window,
}


def check_answer(row: Row, scene: Scene, policy: Policy | None) -> None:
    """Raise `Wrong` when the answer of a row is not the one derived from the scene.

    `policy` holds the thresholds of the dataset where they are known; the row must state the same ones.
    """
    frames = [scene.frames_by_id[frame_id] for frame_id in row.frames]
    check_params(row, policy)
    CHECKS[row.task](row, scene, frames)
