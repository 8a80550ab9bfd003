"""How long a bird's-eye view takes: a mesh of 150,000 vertices at 1,600 px, and the same room as points.

The room is a floor with walls, a ceiling and 60 boxes, with a colour of its own for every vertex. Goal: the mesh in
1.5 s on one core.

    python bench/bench_mark.py
    python bench/bench_mark.py --repeats 5 --size 1024
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace

import numpy as np

from spaceland.geometry.boxes import AxisAlignedBox
from spaceland.prompts import BevConfig, place_bev_marks, render_bev
from spaceland.scenes.scene import NO_OBJECT, Scene, SceneObject, Surface, make_scene

GOAL_S = 1.5
ROOM_M = (7.0, 5.5, 2.6)


def grid(origin: np.ndarray, a: np.ndarray, b: np.ndarray, cells: int) -> tuple[np.ndarray, np.ndarray]:
    """Vertices and faces of the parallelogram origin + s a + t b."""
    s, t = np.meshgrid(np.linspace(0, 1, cells + 1), np.linspace(0, 1, cells + 1), indexing="ij")
    vertices = origin + s.reshape(-1, 1) * a + t.reshape(-1, 1) * b
    i = np.arange((cells + 1) ** 2).reshape(cells + 1, cells + 1)
    quads = np.stack([i[:-1, :-1], i[1:, :-1], i[1:, 1:], i[:-1, 1:]], -1).reshape(-1, 4)
    return vertices, np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])


def box(low: np.ndarray, size: np.ndarray, cells: int) -> tuple[np.ndarray, np.ndarray]:
    """Vertices and faces of a cuboid."""
    x, y, z = np.diag(size)
    sides = [(low, x, y), (low + z, x, y), (low, x, z), (low + y, x, z), (low, y, z), (low + x, y, z)]
    vertices, faces, count = [], [], 0
    for origin, a, b in sides:
        v, f = grid(origin, a, b, cells)
        vertices.append(v)
        faces.append(f + count)
        count += len(v)
    return np.concatenate(vertices), np.concatenate(faces)


def make_room(num_boxes: int = 60) -> Scene:
    """About 150,000 vertices."""
    rng = np.random.default_rng(0)
    parts = [box(np.zeros(3), np.array(ROOM_M), 98)]
    for k in range(num_boxes):
        size = rng.uniform(0.15, 0.9, 3)
        corner = np.array([0.3 + 0.64 * (k % 10), 0.3 + 0.85 * (k // 10), 0.0])
        parts.append(box(corner, np.minimum(size, [0.6, 0.8, 1.5]), 15))
    offsets = np.cumsum([0] + [len(v) for v, _ in parts])
    vertices = np.concatenate([v for v, _ in parts])
    faces = np.concatenate([f + o for (_, f), o in zip(parts, offsets[:-1], strict=True)])
    ids = np.repeat(np.arange(-1, num_boxes), np.diff(offsets)).astype(np.int32)
    assert ids[0] == NO_OBJECT
    colors = np.clip(150 + 60 * np.sin(9 * vertices) + rng.normal(0, 6, vertices.shape), 0, 255).astype(np.uint8)
    objects = [
        SceneObject(k, "box", "box", v, AxisAlignedBox.from_points(v).oriented(), f)
        for k, (v, f) in enumerate(parts[1:])
    ]
    return make_scene(
        id="bench",
        frames=[],
        objects=objects,
        surface=Surface(vertices, colors, faces, ids),
        room=None,
        geometry="generated",
        provenance={},
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=1600)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    scene = make_room()
    assert scene.surface is not None
    cloud = replace(scene, surface=replace(scene.surface, faces=None))
    for name, room in (("mesh", scene), ("points", cloud)):
        best_s, best_cpu_s = np.inf, np.inf
        for _ in range(args.repeats):
            start, start_cpu = time.perf_counter(), time.process_time()
            bev = render_bev(room, BevConfig(size_px=args.size))
            best_s = min(best_s, time.perf_counter() - start)
            best_cpu_s = min(best_cpu_s, time.process_time() - start_cpu)
        goal = f"   goal {GOAL_S} s at 1600 px" if name == "mesh" else ""
        num = len(scene.surface.vertices)
        print(
            f"bird's-eye view, {name:<6} {num} vertices, {args.size} px: {best_s:.2f} s, CPU {best_cpu_s:.2f} s{goal}"
        )
    start = time.perf_counter()
    numbers = {thing.id: thing.id for thing in scene.objects}
    centers = {thing.id: tuple(map(float, bev.map.world_to_pixel(thing.center))) for thing in scene.objects}
    placed = place_bev_marks(bev.object_ids, numbers, centers, diameter_px=36, bottom_px=bev.strip_top_px)
    print(f"placing {len(placed.marks)} discs on it: {time.perf_counter() - start:.2f} s")


if __name__ == "__main__":
    main()
