"""Checks of gravity, size, objects and surface, used by `check.py`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float
from scipy.spatial import cKDTree

from spaceland.geometry import polygons
from spaceland.geometry.planes import find_floor
from spaceland.geometry.raycast import RayCaster
from spaceland.geometry.transforms import WORLD_UP
from spaceland.scenes.check import Finding, spread
from spaceland.scenes.level import camera_up
from spaceland.scenes.points import depth_camera, depth_points, frame_points
from spaceland.scenes.scene import Frame, Scene

_MAX_TILT_DEG = 3.0
_SURFACE_FRAMES = 4
_NEAR_M = 0.05


def check_gravity_and_size(scene: Scene, usable: Sequence[Frame]) -> list[Finding]:
    """Whether z is up and lengths are metres, from the surface or from depth points."""
    points = _points(scene, usable)
    if len(points) < 10:
        return []
    low, high = np.percentile(points, [0.5, 99.5], axis=0)
    size = high - low
    text = f"geometry spans {size[0]:.1f} x {size[1]:.1f} x {size[2]:.1f} m"
    largest = float(size.max())
    if largest > 100:
        unit = "millimetres" if largest > 1000 else "centimetres"
        hint = f"looks like {unit}: divide lengths by {1000 if largest > 1000 else 100}, or check depth_scale"
        return [Finding("warn", f"{text}, too large for a room", 1, hint)]
    if largest < 0.5:
        return [Finding("warn", f"{text}, too small for a room", 1, "lengths may not be metres; check depth_scale")]
    return [Finding("info", text), *_gravity(scene, points)]


def _points(scene: Scene, usable: Sequence[Frame]) -> Float[np.ndarray, "n 3"]:
    if scene.surface is not None and len(scene.surface.vertices):
        vertices = np.asarray(scene.surface.vertices, dtype=float)
        points = vertices[:: max(1, len(vertices) // 60000)]
        faces = scene.surface.faces
        if faces is not None and len(faces) and len(points) < 20000:
            # Large triangles have few vertices, but they are where the floor is.
            points = np.concatenate([points, _on_triangles(vertices, faces, 20000)])
        return points
    return depth_points(usable)


def _on_triangles(vertices: np.ndarray, faces: np.ndarray, count: int) -> Float[np.ndarray, "k 3"]:
    """Points spread evenly over the area of a mesh; always the same ones."""
    corners = vertices[faces]
    areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    if areas.sum() == 0:
        return np.zeros((0, 3))
    rng = np.random.default_rng(0)
    chosen = corners[rng.choice(len(faces), count, p=areas / areas.sum())]
    a, b = rng.random((2, count, 1))
    a, b = np.where(a + b > 1, 1 - a, a), np.where(a + b > 1, 1 - b, b)
    return chosen[:, 0] + a * (chosen[:, 1] - chosen[:, 0]) + b * (chosen[:, 2] - chosen[:, 0])


def _gravity(scene: Scene, points: Float[np.ndarray, "n 3"]) -> list[Finding]:
    floor = find_floor(points, camera_up(scene.frames))
    if floor is None:
        return [Finding("info", "gravity: no floor found, so up could not be checked")]
    angle_deg = float(np.degrees(np.arccos(np.clip(floor.normal @ WORLD_UP, -1, 1))))
    on_floor = points[np.abs(floor.height(points)) < 0.05]
    z = float(np.median(on_floor[:, 2])) if len(on_floor) else 0.0
    if angle_deg <= _MAX_TILT_DEG:
        return [Finding("info", f"gravity: floor at z = {z:.2f} m, {angle_deg:.1f} deg from level")]
    text = f"gravity: the floor's normal is {angle_deg:.1f} deg away from +z"
    if scene.provenance.get("kind") != "rgbd":
        return [Finding("warn", text, 1, "turn the world so that z is up")]
    T_scene_file = np.array(scene.provenance.get("T_scene_file", np.eye(4)), dtype=float)
    up = T_scene_file[:3, :3].T @ floor.normal
    return [
        Finding("warn", text, 1, f"add ?up={','.join(f'{v:.4f}' for v in up + 0.0)} (or ?up=auto) to the rgbd source")
    ]


def check_places(scene: Scene) -> list[Finding]:
    """Cameras that are not where the room is."""
    if not scene.frames:
        return []
    centers = np.stack([frame.T_world_cam[:3, 3] for frame in scene.frames])
    inside = _inside_scene(scene, centers, 0.5)
    if inside is None or inside.all():
        return []
    outside = int((~inside).sum())
    level = "error" if outside == len(centers) else "warn"
    hint = "poses and surface may be in different worlds or units" if level == "error" else "poses may be wrong there"
    first = scene.frames[int(np.argmin(inside))].id
    return [Finding(level, f"frames taken from outside the room, first {first}", outside, hint)]


def _inside_scene(scene: Scene, points: Float[np.ndarray, "n 3"], margin_m: float) -> Bool[np.ndarray, "n"] | None:
    """Whether points lie in the room outline, or in the surface's bounds without one; None when neither is known."""
    room = scene.room
    if room is not None and len(room.floor_polygon) >= 3:
        top = np.inf if room.height_m is None else room.floor_z_m + room.height_m + margin_m
        z = points[:, 2]
        flat = polygons.contains(room.floor_polygon, points[:, :2]) | (
            _distance_to_outline(room.floor_polygon, points[:, :2]) <= margin_m
        )
        return flat & (z >= room.floor_z_m - margin_m) & (z <= top)
    if scene.surface is not None and len(scene.surface.vertices):
        low, high = scene.surface.vertices.min(0) - margin_m, scene.surface.vertices.max(0) + margin_m
        return ((points >= low) & (points <= high)).all(1)
    return None


def _distance_to_outline(polygon: Float[np.ndarray, "k 2"], points: Float[np.ndarray, "n 2"]) -> np.ndarray:
    nearest = np.full(len(points), np.inf)
    for a, b in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        edge = b - a
        along = np.clip((points - a) @ edge / max(float(edge @ edge), 1e-12), 0, 1)
        nearest = np.minimum(nearest, np.linalg.norm(points - a - along[:, None] * edge, axis=1))
    return nearest


def check_objects(scene: Scene) -> list[Finding]:
    """Objects of unlikely size or place, boxes that miss their points, labels with odd text."""
    if not scene.objects:
        return []
    groups: dict[str, list[str]] = {
        "objects smaller than 1 cm": [],
        "objects longer than 10 m": [],
        "objects whose box misses their points": [],
        "objects outside the room": [],
        "labels with unusual characters or length": [],
    }
    small, large, missed, outside, odd = groups.values()
    inside = _inside_scene(scene, np.stack([thing.center for thing in scene.objects]), 0.5)
    for k, thing in enumerate(scene.objects):
        name = f"{thing.id} ({thing.label[:40]})"
        if thing.box.size.max() < 0.01:
            small.append(name)
        if thing.box.size.max() > 10:
            large.append(name)
        if len(thing.points) and thing.box.contains(thing.points, 0.05).mean() < 0.9:
            missed.append(name)
        if inside is not None and not inside[k]:
            outside.append(name)
        if len(thing.label) > 40 or any(not (c.isalnum() or c in " -'/,.()&+") for c in thing.label):
            odd.append(name)
    return [
        Finding("warn", f"{text}, first {names[0]}", len(names), "look at the annotation")
        for text, names in groups.items()
        if names
    ]


def check_depth_on_surface(scene: Scene, usable: Sequence[Frame]) -> list[Finding]:
    """Share of depth pixels that lie on the surface: tells whether mesh, poses and depth belong together."""
    surface = scene.surface
    if surface is None or not usable or len(surface.vertices) == 0:
        return []
    shares = []
    if surface.faces is not None and len(surface.faces):
        caster = RayCaster(surface.vertices, surface.faces)
        for frame in spread(usable, _SURFACE_FRAMES):
            assert frame.depth is not None
            depth = np.asarray(frame.depth())
            step = max(1, depth.shape[1] // 160)
            camera = depth_camera(frame)
            rays = camera.pixel_rays()[step // 2 :: step, step // 2 :: step] @ frame.T_world_cam[:3, :3].T
            hit = caster.cast(frame.T_world_cam[:3, 3], rays).distance
            seen = depth[step // 2 :: step, step // 2 :: step]
            both = (seen > 0) & (hit > 0)
            if both.any():
                shares.append(float((np.abs(hit - seen)[both] < _NEAR_M).mean()))
    else:
        tree = cKDTree(surface.vertices)
        spacing_m = float(
            np.median(tree.query(surface.vertices[:: max(1, len(surface.vertices) // 2000)], k=2)[0][:, 1])
        )
        for frame in spread(usable, _SURFACE_FRAMES):
            points = frame_points(frame, step=8)
            if len(points):
                shares.append(float((tree.query(points)[0] < _NEAR_M + spacing_m).mean()))
    if not shares:
        return [
            Finding("error", "no depth pixel has surface behind it", 0, "mesh and poses may be in different worlds")
        ]
    share = float(np.median(shares))
    text = f"{share:.1%} of the depth lies within 5 cm of the surface"
    if share >= 0.6:
        return [Finding("info", text, len(shares))]
    hint = "mesh, poses or depth may not belong together (depth_scale, axis alignment)"
    return [Finding("warn" if share >= 0.2 else "error", text, len(shares), hint)]
