"""How long visibility takes on a scene of ScanNet size: one core, depth read from PNG files.

Builds a furnished room (about 200,000 vertices, 60 objects) and 300 walking frames of 640x480 sensor depth in a
temporary folder, then measures `scene_visibility` and, in the same run, two floors below which no method can fall:
decoding all depth images, and projecting all vertices into all frames. Wall time depends on what else the machine
does; processor time does not. `--raycast` drops the depth, so that it must be ray-cast from the mesh.

    python bench/bench_visibility.py
    python bench/bench_visibility.py --frames 30 --profile
"""

from __future__ import annotations

import argparse
import cProfile
import io
import os
import pstats
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

from spaceland.files import read_image, write_bytes
from spaceland.geometry.boxes import AxisAlignedBox
from spaceland.geometry.camera import PinholeCamera
from spaceland.geometry.raycast import RayCaster
from spaceland.geometry.transforms import invert_rigid, look_at, transform_points
from spaceland.scenes.scene import Frame, Scene, SceneObject, Surface, make_scene
from spaceland.visibility import VisibilityConfig, scene_visibility

ROOM_M = np.array([7.0, 5.5, 2.6])
CAMERA = PinholeCamera(640, 480, 577.0, 577.0, 320.0, 240.0)
LIMIT_S, LIMIT_MB = 8.0, 600.0


def grid_box(
    center: np.ndarray, size: np.ndarray, spacing_m: float, outward: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Vertices and triangles of a cuboid whose sides are grids of about `spacing_m`."""
    vertices, faces, count = [], [], 0
    for axis in range(3):
        others = [(axis + 1) % 3, (axis + 2) % 3]
        steps = [np.linspace(0, 1, max(2, round(size[o] / spacing_m) + 1)) for o in others]
        a, b = np.meshgrid(*steps, indexing="ij")
        index = np.arange(a.size).reshape(a.shape)
        quads = np.stack([index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]], -1).reshape(-1, 4)
        triangles = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
        for side in (0.0, 1.0):
            unit = np.empty((a.size, 3))
            unit[:, axis], unit[:, others[0]], unit[:, others[1]] = side, a.ravel(), b.ravel()
            faces.append(triangles[:, :: 1 if bool(side) == outward else -1] + count)
            vertices.append(center - size / 2 + unit * size)
            count += a.size
    return np.concatenate(vertices), np.concatenate(faces)


@dataclass(frozen=True)
class Furniture:
    """Centres and sizes [k, 3] of the cuboids in the room."""

    centers: np.ndarray
    sizes: np.ndarray


def furnish(num_objects: int, rng: np.random.Generator) -> Furniture:
    """A third large pieces on the floor, the rest smaller ones on the floor, on pieces or on walls."""
    large = num_objects // 3
    sizes = np.concatenate([rng.uniform([0.5, 0.5, 0.5], [1.4, 1.0, 1.3], (large, 3)), np.empty((0, 3))])
    centers = np.column_stack([rng.uniform(sizes[:, :2] / 2, ROOM_M[:2] - sizes[:, :2] / 2), sizes[:, 2] / 2])
    for k in range(num_objects - large):
        size = rng.uniform([0.12, 0.12, 0.1], [0.6, 0.6, 0.7])
        base = k % 3
        if base == 0:  # on a piece of furniture
            under = int(rng.integers(large))
            place = centers[under] + [*rng.uniform(-0.25, 0.25, 2), (sizes[under, 2] + size[2]) / 2]
        elif base == 1:  # on the floor
            place = np.array([*rng.uniform(0.3, ROOM_M[:2] - 0.3), size[2] / 2])
        else:  # a picture on a wall
            size[1] = 0.05
            place = np.array([rng.uniform(0.5, ROOM_M[0] - 0.5), rng.choice([0.03, ROOM_M[1] - 0.03]), 1.6])
        centers, sizes = np.vstack([centers, place]), np.vstack([sizes, size])
    return Furniture(centers, sizes)


def build_scene(folder: Path, num_frames: int, num_objects: int, with_depth: bool) -> Scene:
    """Scene whose depth frames lie in `folder` as 16-bit PNG files in millimetres."""
    rng = np.random.default_rng(7)
    things = furnish(num_objects, rng)
    area = 2 * sum(s[0] * s[1] + s[1] * s[2] + s[0] * s[2] for s in [ROOM_M, *things.sizes])
    spacing_m = float(np.sqrt(area / 195_000))
    meshes = [grid_box(c, s, spacing_m) for c, s in zip(things.centers, things.sizes, strict=True)]
    meshes.append(grid_box(ROOM_M / 2, ROOM_M, spacing_m, outward=False))
    starts = np.cumsum([0] + [len(v) for v, _ in meshes])
    vertices = np.concatenate([v for v, _ in meshes])
    # A scanned mesh is off by some millimetres.
    vertices = vertices + rng.normal(0, 0.003, vertices.shape)
    faces = np.concatenate([f + s for (_, f), s in zip(meshes, starts[:-1], strict=True)])
    objects = []
    for k in range(num_objects):
        points = vertices[starts[k] : starts[k + 1]]
        box = AxisAlignedBox.from_points(points).oriented()
        objects.append(SceneObject(k, "thing", "thing", points, box, meshes[k][1]))
    poses = walk(num_frames)
    if with_depth:
        write_depth(folder, things, poses, rng)
    frames = []
    for k, pose in enumerate(poses):
        path = folder / f"{k:06d}.png"
        frames.append(
            Frame(
                id=path.stem,
                camera=CAMERA,
                T_world_cam=pose,
                color=lambda: np.zeros((480, 640, 3), dtype=np.uint8),
                content_key=lambda name=path.stem: name,
                depth=(lambda path=path: read_depth(path)) if with_depth else None,
                depth_camera=CAMERA if with_depth else None,
            )
        )
    return make_scene(
        id="bench",
        frames=frames,
        objects=objects,
        surface=Surface(vertices, None, faces, None),
        room=None,
        geometry="measured",
        provenance={"kind": "bench"},
    )


def walk(num_frames: int) -> list[np.ndarray]:
    """A hand-held walk on an ellipse through the room, looking at changing places."""
    poses = []
    for t in np.linspace(0, 2 * np.pi, num_frames, endpoint=False):
        eye = ROOM_M / 2 + [0.36 * ROOM_M[0] * np.cos(t), 0.34 * ROOM_M[1] * np.sin(t), 0.3 + 0.1 * np.sin(9 * t)]
        target = ROOM_M / 2 + [2.2 * np.cos(3.3 * t + 2), 1.8 * np.sin(2.7 * t), -0.7 + 0.4 * np.sin(5 * t)]
        poses.append(look_at(eye, target))
    return poses


def write_depth(folder: Path, things: Furniture, poses: list[np.ndarray], rng: np.random.Generator) -> None:
    """Depth as a structured-light sensor gives it: smooth noise and steps that grow with z^2, holes at edges."""
    parts = [grid_box(c, s, 100.0) for c, s in zip(things.centers, things.sizes, strict=True)]
    parts.append(grid_box(ROOM_M / 2, ROOM_M, 100.0))
    starts = np.cumsum([0] + [len(v) for v, _ in parts])
    caster = RayCaster(
        np.concatenate([v for v, _ in parts]),
        np.concatenate([f + s for (_, f), s in zip(parts, starts[:-1], strict=True)]),
    )
    for k, pose in enumerate(poses):
        z = caster.cast_camera(CAMERA, pose).distance.astype(np.float32)
        smooth = ndimage.zoom(rng.normal(0, 1, (60, 80)).astype(np.float32), 8, order=1)
        noisy = z + 0.0018 * z * z * smooth
        step_m = 0.0018 * np.maximum(noisy, 0.1) ** 2
        stepped = np.round(noisy / step_m) * step_m
        edge = ndimage.maximum_filter(z, 3) - ndimage.minimum_filter(z, 3) > 0.1
        stepped[ndimage.binary_dilation(edge) & (rng.random(z.shape) < 0.7)] = 0
        stepped[(stepped < 0.35) | (stepped > 8)] = 0
        buffer = io.BytesIO()
        Image.fromarray(np.round(stepped * 1000).astype(np.uint16)).save(buffer, "PNG")
        write_bytes(folder / f"{k:06d}.png", buffer.getvalue())


def read_depth(path: Path) -> np.ndarray:
    """Depth image in metres."""
    return read_image(path).astype(np.float32) * np.float32(0.001)


def timed(work: Callable[[], object]) -> tuple[float, float, object]:
    """Wall seconds, processor seconds (user and system) and the result."""
    before, start = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    result = work()
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF)
    return wall, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime, result


def main() -> int:
    """Build, measure, print; 1 when a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--objects", type=int, default=60)
    parser.add_argument("--raycast", action="store_true", help="no sensor depth: ray-cast it")
    parser.add_argument("--profile", action="store_true", help="print where the time goes")
    args = parser.parse_args()
    pin_to_one_core()
    with tempfile.TemporaryDirectory() as name:
        scene = build_scene(Path(name), args.frames, args.objects, not args.raycast)
        assert scene.surface is not None
        vertices = scene.surface.vertices
        print(f"{len(vertices):,} vertices, {len(scene.objects)} objects, {len(scene.frames)} frames of 640x480")

        def project() -> None:
            points = vertices.astype(np.float32)
            for frame in scene.frames:
                CAMERA.project(transform_points(invert_rigid(frame.T_world_cam).astype(np.float32), points))

        memory_before = peak_mb()
        profile = cProfile.Profile()
        if args.profile:
            profile.enable()
        wall, cpu, result = timed(lambda: scene_visibility(scene, VisibilityConfig()))
        profile.disable()
        memory = peak_mb()
        rows = [("scene_visibility", wall, cpu)]
        if not args.raycast:
            rows.append(("floor: decoding the depth", *timed(lambda: [f.depth() for f in scene.frames if f.depth])[:2]))
        rows.append(("floor: projecting the vertices", *timed(project)[:2]))
        for label, wall_s, cpu_s in rows:
            print(f"{label:32s} {wall_s:7.2f} s wall {cpu_s:7.2f} s processor")
        print(f"peak memory {memory:.0f} MB ({memory_before:.0f} MB before); {len(result.views):,} views")
        if args.profile:
            pstats.Stats(profile).sort_stats("cumulative").print_stats(35)
    full_size = args.frames == 300 and args.objects == 60 and not args.raycast
    if full_size and (cpu > LIMIT_S or memory > LIMIT_MB):
        print(f"MISSED: at most {LIMIT_S:.0f} s and {LIMIT_MB:.0f} MB were asked for", file=sys.stderr)
        return 1
    return 0


def pin_to_one_core() -> None:
    """Start again with one thread on one core: numerical libraries count cores when they are loaded."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    if any(os.environ.get(name) != "1" for name in names):
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | dict.fromkeys(names, "1"))


def peak_mb() -> float:
    """Peak resident memory of this process so far, in 1e6 bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


if __name__ == "__main__":
    raise SystemExit(main())
