"""What the rows of each task have in common: roles, marks, images, kind of answer, unit, formats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Views = Literal["single", "pair", "multi", "video"]


@dataclass(frozen=True)
class Rules:
    """`roles` are the objects' roles; with a `mark_shape` they are the colours of their marks."""

    roles: tuple[str, ...]
    mark_shape: Literal["point", "bbox"] | None
    views: Views
    kind: str
    formats: tuple[str, ...]
    unit: str | None = None


_FST, _ST, _FT, _T = ("fill", "select", "sentence"), ("select", "sentence"), ("fill", "sentence"), ("sentence",)
_SJT = ("select", "judge", "sentence")
_ONE, _TWO, _THREE = ("red",), ("red", "blue"), ("red", "blue", "green")
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
    "obj_count": Rules((), None, "video", "count", _FT),
    "room_size": Rules((), None, "video", "number", _FST, "m2"),
}
