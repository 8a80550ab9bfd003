"""A finished pycolmap reconstruction in our types: views of straightened pictures, points, lens, and figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from spaceland.errors import ReconstructionError, SceneError
from spaceland.geometry.transforms import from_rotation_translation, invert_rigid
from spaceland.reconstruct.sfm_checks import Limits, parallax_deg, why_lost
from spaceland.reconstruct.types import CaptureImage, Estimate, EstimatedView, SparsePoints
from spaceland.scenes.lens import Lens


def estimate_of(model: Any, images: Sequence[CaptureImage], num_features: Sequence[int], limits: Limits) -> Estimate:
    """The estimate of a reconstruction whose picture k is called "%06d.jpg" % k.

    Raises:
        ReconstructionError: the lens is one that cannot exist.
    """
    camera = next(iter(model.cameras.values()))
    params = [float(value) for value in camera.params]
    first = images[0]
    lens = _lens_of(first.width, first.height, params)
    pinhole = lens.pinhole()
    posed = {int(image.name[:6]): image for image in model.images.values() if image.has_pose}
    order = sorted(posed)
    view_of = {posed[number].image_id: view for view, number in enumerate(order)}
    views = []
    for number in order:
        matrix = np.asarray(posed[number].cam_from_world().matrix())
        T_world_cam = invert_rigid(from_rotation_translation(matrix[:, :3], matrix[:, 3]))
        views.append(EstimatedView(images[number].id, pinhole, T_world_cam))
    points = _points_of(model, view_of, lens)
    lost = {
        images[number].id: why_lost(num_features[number], limits)
        for number in range(len(images))
        if number not in posed
    }
    return Estimate(
        views=tuple(views),
        points=points,
        metric=False,
        scale_source="unknown",
        lost=lost,
        report=_report(views, points, model, lens, len(images)),
    )


def _lens_of(width: int, height: int, params: Sequence[float]) -> Lens:
    """From COLMAP's SIMPLE_RADIAL (focal length, cx, cy, k1) or RADIAL (and k2)."""
    focal_px, cx, cy, k1, k2 = (*params, 0.0)[:5]
    try:
        lens = Lens("OPENCV", width, height, focal_px, focal_px, cx, cy, (k1, k2, 0.0, 0.0))
        lens.pinhole()
        sane = lens.is_sane
    except (ValueError, SceneError):
        lens, sane = None, False
    if lens is None or not sane:
        raise ReconstructionError(
            f"the estimated lens is none that exists (focal length {focal_px:.0f} px, distortion {k1:.3f}); "
            "give the focal length, and film with more sideways motion"
        )
    return lens


def _points_of(model: Any, view_of: Mapping[int, int], lens: Lens) -> SparsePoints:
    ids = sorted(model.points3D)
    tracks = [
        (view_of[element.image_id], row, model.images[element.image_id].points2D[element.point2D_idx].xy)
        for row, point_id in enumerate(ids)
        for element in model.points3D[point_id].track.elements
        if element.image_id in view_of
    ]
    pixels = np.array([xy for *_, xy in tracks], dtype=np.float64).reshape(-1, 2)
    return SparsePoints(
        xyz=np.array([model.points3D[k].xyz for k in ids], dtype=np.float64).reshape(-1, 3),
        rgb=np.array([model.points3D[k].color for k in ids], dtype=np.uint8).reshape(-1, 3),
        view=np.array([view for view, *_ in tracks], dtype=np.int64),
        point=np.array([row for _, row, _ in tracks], dtype=np.int64),
        pixel=lens.to_pinhole(pixels),
    )


def _report(
    views: Sequence[EstimatedView], points: SparsePoints, model: Any, lens: Lens, num_images: int
) -> dict[str, Any]:
    return {
        "num_images": num_images,
        "registered_share": round(len(views) / num_images, 4),
        "num_points": len(points.xyz),
        "reprojection_error_px": round(float(model.compute_mean_reprojection_error()), 4),
        "parallax_median_deg": round(float(np.median(parallax_deg(views, points))), 3) if len(points.xyz) else 0.0,
        "track_length_median": float(np.median(np.bincount(points.point))) if len(points.point) else 0.0,
        "focal_px": round(lens.fx, 3),
        "distortion_at_corner_px": round(lens.bending_px, 3),
        "lens": lens.to_json(),
    }
