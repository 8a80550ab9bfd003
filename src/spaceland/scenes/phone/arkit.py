"""From ARKit's conventions to a scene: axes, floor, low-confidence depth.

ARKit's world has y up; its camera looks along -z with y up (as in OpenGL). A phone held upright still writes landscape
pictures in some apps: the pose then says so, and nothing is turned here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float, UInt8

from spaceland.scenes.level import level_transform
from spaceland.scenes.points import depth_points
from spaceland.scenes.scene import Frame, Scene, Surface, make_scene

OPENGL_CAMERA = np.diag([1.0, -1.0, -1.0, 1.0])
"""`T_gl_cv`: multiply a camera-to-world pose with it from the right to get OpenCV camera axes."""
Z_UP = np.array([[1.0, 0, 0, 0], [0, 0, -1.0, 0], [0, 1.0, 0, 0], [0, 0, 0, 1.0]])
"""`T_zup_yup`: (x, y, z) with y up becomes (x, -z, y) with z up."""


def confident(
    depth: Float[np.ndarray, "h w"], confidence: UInt8[np.ndarray, "h w"] | None, least: int
) -> Float[np.ndarray, "h w"]:
    """Depth without the pixels below a confidence level of ARKit (0 low, 1 medium, 2 high)."""
    if confidence is None or least <= 0 or confidence.shape != depth.shape:
        return depth
    return np.where(confidence >= least, depth, np.float32(0)).astype(np.float32)


def arkit_scene(
    kind: str,
    scene_id: str,
    frames: Sequence[Frame],
    skipped: Counter[str],
    provenance: Mapping[str, object],
    surface: Surface | None = None,
) -> Scene:
    """A scene from frames whose poses map OpenCV cameras to ARKit's world; `surface` is in that world, too."""
    turned = [replace(frame, T_world_cam=Z_UP @ frame.T_world_cam) for frame in frames]
    usable = [frame for frame in turned if np.isfinite(frame.T_world_cam).all()]
    T_level, floor = level_transform(depth_points(usable), np.array([0.0, 0.0, 1.0]), exact_up=True)
    T_scene_file = T_level @ Z_UP
    if surface is not None:
        vertices = surface.vertices @ T_scene_file[:3, :3].T + T_scene_file[:3, 3]
        surface = replace(surface, vertices=vertices)
    return make_scene(
        id=scene_id,
        frames=[replace(frame, T_world_cam=T_level @ frame.T_world_cam) for frame in turned],
        objects=[],
        surface=surface,
        room=None,
        geometry="measured",
        provenance={
            "kind": "phone",
            "app": kind,
            "T_scene_file": T_scene_file.tolist(),
            "floor_at_zero": floor is not None,
            **provenance,
        },
        skipped=+skipped,
    )
