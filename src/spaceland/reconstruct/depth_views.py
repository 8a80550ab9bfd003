"""Posed depth with the picture from the same place: what is fused, whether it comes from a scene or an estimate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Float, UInt8

from spaceland.errors import SceneError
from spaceland.geometry.camera import PinholeCamera
from spaceland.reconstruct.types import CaptureImage, Estimate, EstimatedView
from spaceland.scenes.points import read_depth
from spaceland.scenes.scene import Scene


@dataclass(frozen=True, eq=False)
class DepthView:
    """One posed picture with the depth image taken from the same place, if there is one.

    `depth` returns [h, w] along the optical axis, 0 where unknown, seen by `depth_camera` (resized to the image if need
    be). `color` returns uint8 [h, w, 3] of `camera`'s size.
    """

    id: str
    T_world_cam: Float[np.ndarray, "4 4"]
    camera: PinholeCamera
    depth_camera: PinholeCamera
    depth: Callable[[], Float[np.ndarray, "h w"]] | None = None
    color: Callable[[], UInt8[np.ndarray, "h w 3"]] | None = None


def views_of_scene(scene: Scene) -> list[DepthView]:
    """The frames of a scene."""
    return [
        DepthView(f.id, f.T_world_cam, f.camera, f.depth_camera or f.camera, f.depth, f.color) for f in scene.frames
    ]


def views_of_estimate(
    estimate: Estimate, images: Sequence[CaptureImage] = (), min_confidence: float = 0.3
) -> list[DepthView]:
    """The views of an estimate, depth without the pixels below `min_confidence`; colours by picture id."""
    colors = {image.id: image.color for image in images}
    return [
        DepthView(
            view.id,
            view.T_world_cam,
            view.camera,
            view.depth_camera or view.camera,
            None if view.depth is None else partial(sure_depth, view, min_confidence),
            colors.get(view.id),
        )
        for view in estimate.views
    ]


def sure_depth(view: EstimatedView, min_confidence: float) -> Float[np.ndarray, "h w"]:
    """A view's depth, 0 where its confidence is too low."""
    assert view.depth is not None
    if view.confidence is None:
        return view.depth
    if view.confidence.shape != view.depth.shape:
        raise SceneError(
            f"{view.id}: confidence is {view.confidence.shape} and depth {view.depth.shape}; they must have one size"
        )
    return np.where(view.confidence >= min_confidence, view.depth, 0.0)


def read_depth_view(view: DepthView) -> tuple[Float[np.ndarray, "h w"], PinholeCamera]:
    """Depth with 0 for everything that is no positive number, and its camera at that size."""
    assert view.depth is not None  # others were left out
    return read_depth(view.id, view.depth, view.depth_camera)
