"""From posed depth to a scene: fuse, level, turn, scale, and put the parts together.

    reconstruct_scene(rgbd_scene)               geometry "measured": poses and depth were there
    reconstruct_estimate(estimate, images)      geometry "estimated"

Both end in `assemble`, which moves cameras, depth and surface by one similarity, `T_scene_source` (scale included), and
records it in `provenance["reconstruction"]` with what each step found. The result is a `Scene` like any other; write it
with `scenes.folder_write.write_scene`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float

from spaceland.errors import ReconstructionError
from spaceland.geometry.boxes import OrientedBox
from spaceland.geometry.transforms import transform_points
from spaceland.reconstruct.depth_views import sure_depth, views_of_estimate, views_of_scene
from spaceland.reconstruct.fuse import Fused, fuse_estimate, fuse_scene
from spaceland.reconstruct.fuse_sizes import FuseSettings
from spaceland.reconstruct.scale import ScaleFix, ScaleHint, set_scale
from spaceland.reconstruct.types import CaptureImage, Estimate, Progress
from spaceland.reconstruct.upright import WorldFix, level_world
from spaceland.scenes.floor import floor_of_surface
from spaceland.scenes.images import content_key
from spaceland.scenes.scene import Frame, GeometryKind, Scene, SceneObject, make_scene


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """The scene, and what each step found. `fused` is in the world before levelling."""

    scene: Scene
    fused: Fused
    fix: WorldFix
    scale: ScaleFix

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a user should know before trusting the scene."""
        return (*self.fix.warnings, *self.scale.warnings)


def reconstruct_scene(
    scene: Scene,
    *,
    hint: ScaleHint | None = None,
    settings: FuseSettings | None = None,
    progress: Progress | None = None,
) -> Reconstruction:
    """A posed RGB-D scene with a fused mesh, level and turned along its walls; annotated objects move along.

    Raises:
        ReconstructionError: no usable depth, or the hint does not fit the scene.
    """
    fused = fuse_scene(scene, settings, progress)
    fix = level_world(fused.surface, [frame.T_world_cam for frame in scene.frames], metric=True)
    scale = set_scale(
        hint,
        views_of_scene(scene),
        fix,
        metric=True,
        source="measured depth" if scene.geometry == "measured" else f"{scene.geometry} depth in metres",
        extent=fused.report.sizes.extent,
        measured=scene.geometry != "estimated",
    )
    return assemble(
        scene.id,
        scene.frames,
        fused,
        fix,
        scale,
        geometry=scene.geometry,
        source=dict(scene.provenance),
        objects=scene.objects,
        skipped=scene.skipped,
    )


def reconstruct_estimate(
    estimate: Estimate,
    images: Sequence[CaptureImage],
    *,
    scene_id: str,
    hint: ScaleHint | None = None,
    settings: FuseSettings | None = None,
    source: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Reconstruction:
    """A scene from estimated views with depth.

    Args:
        estimate: Views with depth, in any unit.
        images: The capture's pictures; those that are no view of the estimate are left out.
        source: Words on where the pictures come from, for the provenance.

    Raises:
        ReconstructionError: no usable depth, a view without its picture, or the hint does not fit the scene.
    """
    settings = settings or FuseSettings()
    frames = frames_of_estimate(estimate, images, settings.min_confidence)
    fused = fuse_estimate(estimate, images, settings, progress)
    fix = level_world(fused.surface, [view.T_world_cam for view in estimate.views], metric=estimate.metric)
    scale = set_scale(
        hint,
        views_of_estimate(estimate, images, settings.min_confidence),
        fix,
        metric=estimate.metric,
        source=estimate.scale_source,
        extent=fused.report.sizes.extent,
        measured=estimate.scale_source == "measured depth",
    )
    lost = Counter(f"picture: {reason}" for reason in estimate.lost.values())
    record = {**(source or {}), "estimator": dict(estimate.report)}
    return assemble(scene_id, frames, fused, fix, scale, geometry="estimated", source=record, skipped=lost)


def assemble(
    scene_id: str,
    frames: Sequence[Frame],
    fused: Fused,
    fix: WorldFix,
    scale: ScaleFix,
    *,
    geometry: GeometryKind,
    source: Mapping[str, Any],
    objects: Sequence[SceneObject] = (),
    skipped: Mapping[str, int] | None = None,
) -> Reconstruction:
    """Move frames (depth in the source's unit), surface and objects into the level world in metres.

    The room's floor is measured on the surface where it was seen well enough, else `Scene.room` is None. `source` is
    what is known of the input; it becomes the provenance, with `reconstruction` added.
    """
    factor = scale.metres_per_unit
    T_scene_source = similarity(fix, scale)
    surface = replace(fused.surface, vertices=transform_points(T_scene_source, fused.surface.vertices))
    floor = floor_of_surface(surface) if fix.floor_found else None
    record = {
        "T_scene_source": T_scene_source.tolist(),
        "metric": scale.metric,
        "scale_source": scale.source,
        "world": fix.to_json(),
        "scale": scale.to_json(),
        "fusion": asdict(fused.report),
        "floor": "no floor seen" if floor is None else (floor.problem or "measured on the surface"),
        "warnings": [*fix.warnings, *scale.warnings],
    }
    scene = make_scene(
        id=scene_id,
        frames=[_moved_frame(frame, fix, factor) for frame in frames],
        objects=[_moved_object(thing, T_scene_source, fix, factor) for thing in objects],
        surface=surface,
        room=None if floor is None else floor.room,
        geometry=geometry,
        provenance={**source, "reconstruction": record},
        skipped=dict(skipped or {}),
    )
    return Reconstruction(scene, fused, fix, scale)


def similarity(fix: WorldFix, scale: ScaleFix) -> Float[np.ndarray, "4 4"]:
    """`T_scene_source`: rotation, scale and shift from the source's world to the scene's metres."""
    T = fix.T_level_world.copy()
    T[:3] *= scale.metres_per_unit
    return T


def frames_of_estimate(estimate: Estimate, images: Sequence[CaptureImage], min_confidence: float) -> list[Frame]:
    """The views as frames in the estimate's world and unit.

    Raises:
        ReconstructionError: a view has no picture.
    """
    by_id = {image.id: image for image in images}
    frames = []
    for view in estimate.views:
        image = by_id.get(view.id)
        if image is None:
            raise ReconstructionError(
                f"view '{view.id}' of the estimate has no picture among the {len(images)} given; "
                "pass the pictures of the same capture"
            )
        known = view.depth is not None
        frames.append(
            Frame(
                id=view.id,
                camera=view.camera,
                T_world_cam=np.asarray(view.T_world_cam, dtype=float),
                color=image.color,
                content_key=partial(_depth_key, view.depth, view.confidence, min_confidence),
                depth=partial(sure_depth, view, min_confidence) if known else None,
                depth_camera=(view.depth_camera or view.camera) if known else None,
                timestamp_s=image.timestamp_s,
            )
        )
    return frames


def _depth_key(depth: np.ndarray | None, confidence: np.ndarray | None, min_confidence: float) -> str:
    parts = [None if array is None else np.ascontiguousarray(array).tobytes() for array in (depth, confidence)]
    return content_key(*parts, min_confidence)()


def _moved_frame(frame: Frame, fix: WorldFix, factor: float) -> Frame:
    T_scene_cam = fix.T_level_world @ frame.T_world_cam
    T_scene_cam[:3, 3] *= factor
    if frame.depth is None:
        return replace(frame, T_world_cam=T_scene_cam)
    depth = partial(_scaled, frame.depth, factor)
    if factor == 1.0:
        return replace(frame, T_world_cam=T_scene_cam, depth=depth)
    return replace(
        frame, T_world_cam=T_scene_cam, depth=depth, content_key=partial(_scaled_key, frame.content_key, factor)
    )


def _scaled(depth: Callable[[], np.ndarray], factor: float) -> Float[np.ndarray, "h w"]:
    """Depth in metres as float32, 0 for all that is no depth."""
    values = np.asarray(depth(), dtype=float) * factor
    return np.where(np.isfinite(values) & (values > 0), values, 0.0).astype(np.float32)


def _scaled_key(key: Callable[[], str], factor: float) -> str:
    return content_key(key(), factor)()


def _moved_object(thing: SceneObject, T_scene_source: np.ndarray, fix: WorldFix, factor: float) -> SceneObject:
    R = fix.T_level_world[:3, :3]
    box = OrientedBox(
        transform_points(T_scene_source, thing.box.center), thing.box.size * factor, R @ thing.box.rotation
    )
    front = None if thing.front_world is None else R @ thing.front_world
    points = transform_points(T_scene_source, thing.points) if len(thing.points) else thing.points
    return replace(thing, points=points, box=box, front_world=front)
