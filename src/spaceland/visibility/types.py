"""What one frame really sees of one object, and the settings under which that was measured."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
from jaxtyping import Float

from spaceland.geometry.camera import PinholeCamera


@dataclass(frozen=True, kw_only=True)
class VisibilityConfig:
    """How visibility is measured.

    A surface point counts as hidden when the depth at its pixel is smaller than its own by more than
    `tolerance_m + tolerance_per_m * depth`: sensor noise and mesh error grow with distance.
    """

    width_px: int = 320
    """Width of the maps on which pixels are counted; images that are smaller keep their own size."""
    tolerance_m: float = 0.03
    tolerance_per_m: float = 0.015
    voxel_m: float = 0.03
    """Cell of the grid that names the object nearest to a sensor depth pixel; larger in very large scenes."""
    check_colors: bool = True
    """Compare pictures with the surface's colours where there is neither depth nor an id map (see `photometric`)."""
    num_overlap_points: int = 4096
    """Surface points on which frame overlap is counted."""
    num_close_ups: int = 40
    """Frames of which tasks may look at single pixels; their maps are kept with the views (6 MB of 320 x 240)."""
    min_visible_px: float = 16.0
    """Views with fewer visible pixels (of the colour image) are not kept."""

    def tolerance_at(self, depth_m: np.ndarray) -> np.ndarray:
        """Tolerance in metres at a depth."""
        return self.tolerance_m + self.tolerance_per_m * depth_m

    def map_camera(self, camera: PinholeCamera) -> PinholeCamera:
        """The camera of the maps for an image of `camera`."""
        width = min(self.width_px, camera.width)
        return camera.scaled(width, max(1, round(camera.height * width / camera.width)))


@dataclass(frozen=True)
class ObjectView:
    """One object in one frame. Pixels are those of the colour image, origin at its top left corner.

    `visible_px`: area of the visible part. `visible_fraction`: share of the object's whole projection (what would be
    seen in an unlimited image with nothing else in the room) that is visible. `truncated`: share of the whole
    projection beyond the image border. `occluded`: share of the part inside the image that something hides.
    `box_px`: x0, y0, x1, y1 around the visible part. `anchor_px`: the visible pixel farthest from the edge of the
    visible part, `anchor_clearance_px` from it. `center_px`, `center_depth_m`: projection of the box centre (it may be
    outside the image or hidden; NaN behind the camera). `contradicted`: share of the visible part whose colour in the
    picture is not that of the surface, so that something which the scan lacks may be in front (0 where depth tells).
    """

    frame_id: str
    object_id: int
    visible_px: float
    visible_fraction: float
    truncated: float
    occluded: float
    box_px: tuple[float, float, float, float]
    anchor_px: tuple[float, float]
    anchor_clearance_px: float
    anchor_depth_m: float
    center_px: tuple[float, float]
    center_depth_m: float
    contradicted: float = 0.0

    def to_array(self) -> Float[np.ndarray, "17"]:
        """All numbers in the order of the fields; the frame is kept outside."""
        values: list[float] = []
        for field in fields(self)[1:]:
            value = getattr(self, field.name)
            values.extend(value if isinstance(value, tuple) else [value])
        return np.array(values, dtype=np.float64)

    @classmethod
    def from_array(cls, frame_id: str, row: Float[np.ndarray, "17"]) -> ObjectView:
        """Inverse of `to_array`."""
        v = [float(x) for x in row]
        return cls(
            frame_id,
            int(v[0]),
            v[1],
            v[2],
            v[3],
            v[4],
            (v[5], v[6], v[7], v[8]),
            (v[9], v[10]),
            v[11],
            v[12],
            (v[13], v[14]),
            v[15],
            v[16],
        )


@dataclass(frozen=True, eq=False)
class SceneVisibility:
    """All object views of a scene, and how much frames share.

    `overlap[i, j]` is the share of the surface seen in frame i that frame j sees too ([F, F], rows need not equal
    columns). Frames are in the order of `frame_ids`. `config` says how it was measured.
    """

    frame_ids: tuple[str, ...]
    views: tuple[ObjectView, ...]
    overlap: Float[np.ndarray, "f f"]
    config: VisibilityConfig = VisibilityConfig()

    @cached_property
    def _by_frame(self) -> dict[str, list[ObjectView]]:
        table: dict[str, list[ObjectView]] = {frame_id: [] for frame_id in self.frame_ids}
        for view in self.views:
            table[view.frame_id].append(view)
        return table

    @cached_property
    def _by_pair(self) -> dict[tuple[str, int], ObjectView]:
        return {(view.frame_id, view.object_id): view for view in self.views}

    @cached_property
    def _by_object(self) -> dict[int, list[ObjectView]]:
        table: dict[int, list[ObjectView]] = {}
        for view in self.views:
            table.setdefault(view.object_id, []).append(view)
        return table

    def in_frame(self, frame_id: str) -> list[ObjectView]:
        """Views of one frame, by object id."""
        return self._by_frame[frame_id]

    def of_object(self, object_id: int) -> list[ObjectView]:
        """Views of one object, in frame order."""
        return self._by_object.get(object_id, [])

    def view(self, frame_id: str, object_id: int) -> ObjectView | None:
        """The view of an object in a frame, or None when the frame does not see it."""
        return self._by_pair.get((frame_id, object_id))
