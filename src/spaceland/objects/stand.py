"""Boxes of furniture whose lower part is hidden reach down to the floor.

Of a chair behind a table only the back is seen, 0.3 m of it in mid-air. What is called a chair stands on the floor,
though, unless the space below it was seen to be empty. So a box is made longer, and its points stay as they are, when

- the label is one of furniture that stands on the floor,
- the box ends at most `MAX_GAP_M` above the floor, and its top is at most `MAX_TOP_M` above it,
- at most half of the space between box and floor was seen through by any frame.

The last rule keeps a wall shelf that a detector calls a table on its wall.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from spaceland.geometry.boxes import OrientedBox
from spaceland.geometry.transforms import WORLD_UP, invert_rigid, transform_points
from spaceland.objects.frame_depth import DepthReader, FrameDepth
from spaceland.objects.labels import Labels
from spaceland.objects.lift import LiftConfig
from spaceland.objects.plausible import MAX_BOTTOM_M
from spaceland.objects.types import FoundObject
from spaceland.sampling import evenly
from spaceland.scenes.level import level_transform
from spaceland.scenes.points import depth_points
from spaceland.scenes.scene import Scene

STANDING = ("chair", "couch", "table", "bed", "cabinet", "wardrobe", "refrigerator", "bench", "nightstand", "ottoman")
MIN_GAP_M, MAX_GAP_M, MAX_TOP_M = 0.08, MAX_BOTTOM_M, 1.4
MAX_EMPTY_SHARE = 0.5
_NUM_VIEWS = 32
_TOLERANCE_M, _TOLERANCE_PER_M = 0.05, 0.02


def floor_height(scene: Scene) -> float | None:
    """World z of the floor in metres: what the scene says, else the floor plane in its surface or depth."""
    if scene.room is not None:
        return scene.room.floor_z_m
    if scene.surface is not None and len(scene.surface.vertices):
        points = scene.surface.vertices
        points = points[:: -(-len(points) // 60000)]
    else:
        points = depth_points(scene.frames)
    if len(points) < 100:
        return None
    T_level_world, floor = level_transform(points, WORLD_UP, exact_up=True)
    return None if floor is None else -float(T_level_world[2, 3])


def stand_on_floor(
    scene: Scene, objects: Sequence[FoundObject], config: LiftConfig
) -> tuple[tuple[FoundObject, ...], list[int]]:
    """The objects with boxes made longer where that holds (see above), and the ids of those."""
    floor_z_m = floor_height(scene)
    if floor_z_m is None:
        return tuple(objects), []
    floor = floor_z_m
    wanted = {thing.id for thing in objects if _may_stand(thing, floor)}
    if not wanted:
        return tuple(objects), []
    reader = DepthReader(
        scene, width_px=160, max_depth_m=config.max_depth_m, edge_m=config.edge_m, edge_per_m=config.edge_per_m
    )
    frames = [scene.frames[k] for k in evenly(len(scene.frames), _NUM_VIEWS)]
    views = [reader.view(frame) for frame in frames]
    longer = {thing.id for thing in objects if thing.id in wanted and _hidden_below(thing.box, floor, views)}
    return tuple(
        replace(thing, box=_down_to(thing.box, floor)) if thing.id in longer else thing for thing in objects
    ), sorted(longer)


def _may_stand(thing: FoundObject, floor_z_m: float) -> bool:
    labels = Labels()
    if not any(labels.alike(thing.label, standing) for standing in STANDING):
        return False
    bottom, top = (thing.box.center[2] + side * thing.box.size[2] / 2 - floor_z_m for side in (-1, 1))
    return MIN_GAP_M <= bottom <= MAX_GAP_M and top <= MAX_TOP_M


def _hidden_below(box: OrientedBox, floor_z_m: float, views: Sequence[FrameDepth]) -> bool:
    """Whether at most half of the space between a box and the floor was seen through."""
    samples = _space_below(box, floor_z_m)
    empty = np.zeros(len(samples), dtype=bool)
    for view in views:
        pixels, z = view.camera.project(transform_points(invert_rigid(view.frame.T_world_cam), samples))
        inside = (z > 0.1) & np.all((pixels >= 0) & (pixels < [view.camera.width, view.camera.height]), axis=-1)
        columns, rows = np.floor(pixels[inside]).astype(int).T
        depth = view.depth[rows, columns]
        empty[inside] |= depth > z[inside] + _TOLERANCE_M + _TOLERANCE_PER_M * z[inside]
    return bool(empty.mean() <= MAX_EMPTY_SHARE)


def _space_below(box: OrientedBox, floor_z_m: float) -> Float[np.ndarray, "n 3"]:
    """A grid of world points between a box and the floor, clear of both."""
    bottom = box.center[2] - box.size[2] / 2
    across = np.linspace(-0.4, 0.4, 6)
    heights = np.linspace(floor_z_m + 0.04, bottom - 0.03, 8)
    u, v, z = (g.ravel() for g in np.meshgrid(across * box.size[0], across * box.size[1], heights, indexing="ij"))
    points = box.center + np.stack([u, v, np.zeros_like(u)], -1) @ box.rotation.T
    points[:, 2] = z
    return points


def _down_to(box: OrientedBox, floor_z_m: float) -> OrientedBox:
    top = box.center[2] + box.size[2] / 2
    center, size = box.center.copy(), box.size.copy()
    center[2], size[2] = (top + floor_z_m) / 2, top - floor_z_m
    return OrientedBox(center, size, box.rotation)
