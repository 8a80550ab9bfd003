"""What a frame sees of each object, pixel by pixel and as plainly as possible: slow, and the measure for the fast path.

The whole scene is ray-cast at the size of the maps. Then every object is ray-cast alone on a canvas that goes on beyond
the image border: what it covers there is its whole projection. Each covered pixel is beyond the border, visible, or
hidden, and is counted one at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from handmade import box_scene
from spaceland.geometry.boxes import AxisAlignedBox
from spaceland.geometry.camera import PinholeCamera
from spaceland.geometry.raycast import RayCaster
from spaceland.geometry.transforms import invert_rigid, look_at, transform_points
from spaceland.scenes.scene import NO_OBJECT, Frame, Scene, SceneObject, Surface
from spaceland.visibility import ObjectView, VisibilityConfig
from spaceland.visibility.samples import densify, thin

_REACH = 3
FURNITURE = [
    ("chair", (2.0, 4.0, 0.5), (0.5, 0.5, 1.0)),
    ("table", (2.4, 5.0, 0.4), (1.2, 0.6, 0.8)),
    ("cup", (2.6, 4.8, 0.87), (0.12, 0.12, 0.14)),
    ("cabinet", (4.5, 2.0, 0.9), (1.0, 0.5, 1.8)),
    ("picture", (3.0, 7.97, 1.5), (1.2, 0.06, 0.8)),
    ("shelf", (0.2, 6.0, 1.0), (0.4, 1.5, 2.0)),
    ("sofa", (5.2, 5.5, 0.4), (0.9, 2.0, 0.8)),
]
POSES = [
    look_at(np.array([2.0, 1.0, 1.5]), np.array([2.0, 4.0, 0.5])),
    look_at(np.array([5.0, 1.0, 1.5]), np.array([2.0, 4.0, 0.5])),
    look_at(np.array([1.0, 7.0, 1.6]), np.array([4.5, 3.0, 0.6])),
    look_at(np.array([3.0, 3.2, 1.2]), np.array([4.7, 5.2, 0.5])),
    look_at(np.array([3.6, 1.6, 1.4]), np.array([2.2, 7.0, 1.0])),
]


@dataclass(frozen=True)
class PlainView:
    """The figures of an `ObjectView`, in map pixels."""

    area: int
    visible_fraction: float
    truncated: float
    occluded: float
    box: tuple[int, int, int, int]
    mask: np.ndarray


def plain_views(scene: Scene, frame: Frame, config: VisibilityConfig) -> dict[int, PlainView]:
    """Views of all objects that show in at least one map pixel. The scene needs a mesh that knows its owners."""
    surface = scene.surface
    assert surface is not None and surface.faces is not None and surface.object_ids is not None
    camera = config.map_camera(frame.camera)
    hits = RayCaster(surface.vertices, surface.faces).cast_camera(camera, frame.T_world_cam)
    owner = np.full(hits.face.shape, NO_OBJECT)
    for row in range(camera.height):
        for column in range(camera.width):
            if hits.face[row, column] >= 0:
                owner[row, column] = surface.object_ids[surface.faces[hits.face[row, column], 0]]
    views = {}
    for thing in scene.objects:
        own_faces = surface.faces[surface.object_ids[surface.faces[:, 0]] == thing.id]
        canvas, left, top = _canvas(camera, frame, surface.vertices[np.unique(own_faces)])
        alone = RayCaster(surface.vertices, own_faces).cast_camera(canvas, frame.T_world_cam)
        whole = in_image = visible = hidden = 0
        for row in range(canvas.height):
            for column in np.flatnonzero(alone.face[row] >= 0):
                whole += 1
                r, c = row + top, column + left
                if 0 <= r < camera.height and 0 <= c < camera.width:
                    in_image += 1
                    if owner[r, c] == thing.id:
                        visible += 1
                    elif hits.distance[r, c] < alone.distance[row, column]:
                        hidden += 1
        mask = owner == thing.id
        if visible:
            rows, columns = np.nonzero(mask)
            box = (int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1)
            views[thing.id] = PlainView(
                int(mask.sum()), visible / whole, 1 - in_image / whole, hidden / in_image, box, mask
            )
    return views


def _canvas(camera: PinholeCamera, frame: Frame, points: np.ndarray) -> tuple[PinholeCamera, int, int]:
    """The camera of a larger picture that holds all points, and where it starts; at most three images to each side."""
    local = transform_points(invert_rigid(frame.T_world_cam), points)
    size = np.array([camera.width, camera.height])
    low, high = -_REACH * size, (1 + _REACH) * size
    if (local[:, 2] > 0.05).all():
        pixels, _ = camera.project(local)
        low = np.maximum(low, np.floor(pixels.min(0)).astype(int) - 1)
        high = np.minimum(high, np.ceil(pixels.max(0)).astype(int) + 1)
    left, top = int(low[0]), int(low[1])
    width, height = np.maximum(high - low, 1).tolist()
    return camera.cropped(left, top, width, height), left, top


def compare(view: ObjectView, plain: PlainView, camera: PinholeCamera, config: VisibilityConfig) -> dict[str, float]:
    """Differences: `area` relative, `visible_fraction`, `truncated`, `occluded`, and `box` in map pixels."""
    scale = camera.width / config.map_camera(camera).width
    return {
        "area": abs(view.visible_px / scale**2 / plain.area - 1),
        "visible_fraction": abs(view.visible_fraction - plain.visible_fraction),
        "truncated": abs(view.truncated - plain.truncated),
        "occluded": abs(view.occluded - plain.occluded),
        "box": float(np.abs(np.array(view.box_px) / scale - plain.box).max()),
    }


def furnished(**options: object) -> Scene:
    """The standard hand-made room of these tests."""
    return box_scene(FURNITURE, POSES, **options)  # type: ignore[arg-type]


def random_rooms(count: int, **options: object) -> Iterator[Scene]:
    """Rooms with ten boxes on the floor, at least 10 cm apart, and six views from between them."""
    for seed in range(count):
        rng = np.random.default_rng(seed)
        sizes = rng.uniform(0.15, 1.2, (10, 3))
        places = np.empty((0, 2))
        while len(places) < 10:
            place = rng.uniform([0.7, 0.7], [5.3, 7.3])
            gaps = np.abs(place - places) - (sizes[: len(places), :2] + sizes[len(places), :2]) / 2
            if (gaps.max(1) > 0.1).all():
                places = np.vstack([places, place])
        boxes = [(f"box {k}", (*places[k], sizes[k, 2] / 2), tuple(sizes[k])) for k in range(10)]
        poses = []
        while len(poses) < 6:
            eye = rng.uniform([0.5, 0.5, 1.3], [5.5, 7.5, 2.2])
            outside = np.abs(eye - np.column_stack([places, sizes[:, 2] / 2])) - sizes / 2
            if outside.max(1).min() > 0.2:
                poses.append(look_at(eye, rng.uniform([1.5, 2, 0.2], [4.5, 6, 0.8])))
        yield box_scene(boxes, poses, id=f"random{seed}", **options)  # type: ignore[arg-type]


@cache
def as_points(scene: Scene, spacing_m: float = 0.025) -> Scene:
    """The same scene with its surface given as points only, about `spacing_m` apart, and without depth."""
    surface = scene.surface
    assert surface is not None and surface.faces is not None and surface.object_ids is not None
    vertices, owners = [], []
    for owner in np.unique(surface.object_ids):
        faces = surface.faces[surface.object_ids[surface.faces[:, 0]] == owner]
        used = np.unique(faces)
        points, _ = densify(surface.vertices[used], np.searchsorted(used, faces), spacing_m)
        vertices.append(points[thin(points, 0.7 * spacing_m)])
        owners.append(np.full(len(vertices[-1]), owner))
    only_points = Surface(np.concatenate(vertices), None, None, np.concatenate(owners))
    return replace(without_depth(scene), surface=only_points)


def without_depth(scene: Scene) -> Scene:
    """The same scene without depth images and id maps."""
    frames = tuple(replace(f, depth=None, depth_camera=None, object_ids=None) for f in scene.frames)
    return replace(scene, frames=frames)


def with_depth(
    scene: Scene, depth_camera: PinholeCamera, change: Callable[[np.ndarray], np.ndarray] = lambda depth: depth
) -> Scene:
    """The same scene with depth as `depth_camera` sees it, changed by a function, and without id maps."""
    surface = scene.surface
    assert surface is not None and surface.faces is not None
    caster = RayCaster(surface.vertices, surface.faces)

    def of(frame: Frame) -> Frame:
        depth = change(caster.cast_camera(depth_camera, frame.T_world_cam).distance)
        return replace(frame, depth=lambda: depth, depth_camera=depth_camera, object_ids=None)

    return replace(scene, frames=tuple(of(frame) for frame in scene.frames))


def relabelled(scene: Scene, owner: Mapping[int, int]) -> Scene:
    """The same scene with other object ids: equal ids melt into one object, `NO_OBJECT` takes the annotation away."""
    surface = scene.surface
    assert surface is not None and surface.object_ids is not None
    table = np.arange(-1, max(thing.id for thing in scene.objects) + 1)
    for old, new in owner.items():
        table[old + 1] = new
    objects = []
    for new in sorted(set(table[1:].tolist()) - {NO_OBJECT}):
        parts = [thing for thing in scene.objects if table[thing.id + 1] == new]
        points = np.concatenate([thing.points for thing in parts])
        starts = np.cumsum([0] + [len(thing.points) for thing in parts])
        faces = np.concatenate([t.faces + s for t, s in zip(parts, starts[:-1], strict=True) if t.faces is not None])
        box = AxisAlignedBox.from_points(points).oriented()
        objects.append(SceneObject(new, parts[0].label, parts[0].label, points, box, faces))
    frames = tuple(
        replace(f, object_ids=None if f.object_ids is None else lambda f=f: table[f.object_ids() + 1])
        for f in scene.frames
    )
    return replace(
        scene, frames=frames, objects=tuple(objects), surface=replace(surface, object_ids=table[surface.object_ids + 1])
    )


def moved(scene: Scene, T: np.ndarray) -> Scene:
    """The whole world, cameras included, moved by a rigid transform."""

    def move(thing: SceneObject) -> SceneObject:
        box = replace(thing.box, center=transform_points(T, thing.box.center), rotation=T[:3, :3] @ thing.box.rotation)
        return replace(thing, points=transform_points(T, thing.points), box=box)

    assert scene.surface is not None
    return replace(
        scene,
        frames=tuple(replace(f, T_world_cam=T @ f.T_world_cam) for f in scene.frames),
        objects=tuple(move(thing) for thing in scene.objects),
        surface=replace(scene.surface, vertices=transform_points(T, scene.surface.vertices)),
    )
