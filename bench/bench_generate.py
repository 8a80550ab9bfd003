"""How long the whole of generation takes on a scene of ScanNet size: one core, from PNG depth to rows on disk.

The scene is that of `bench_visibility` with forty labels, a floor outline and JPEG colour files. In one run it measures
two floors (decoding all depth images, projecting all vertices into all frames), generation from nothing, and generation
again with cached visibility. Asked for: all tasks and about 3,600 rows in at most twice the floor plus 2 s and 1.5 GB;
with visibility cached, at least 3,000 rows per second where each task gives a hundred facts of a scene, as in SPAR-7M.
`--scenes N` stages N small scenes one after the other and prints how memory grows.

    python bench/bench_generate.py
    python bench/bench_generate.py --profile
    python bench/bench_generate.py --scenes 1000
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from bench_visibility import CAMERA, ROOM_M, build_scene, peak_mb, pin_to_one_core, timed
from spaceland.datasets.config import GenerateConfig
from spaceland.datasets.stage import write_staged
from spaceland.files import encode_jpeg, write_bytes
from spaceland.geometry.transforms import invert_rigid, transform_points
from spaceland.scenes.scene import Room, Scene
from spaceland.scenes.sources import open_source

LABELS = [
    "chair", "table", "shelf", "lamp", "sofa", "bed", "plant", "box", "monitor", "desk", "stool", "cup", "book",
    "bag", "picture", "clock", "vase", "basket", "mirror", "fan", "printer", "radiator", "heater", "speaker",
    "bench", "cabinet", "pillow", "bottle", "keyboard", "phone", "tray", "bowl", "kettle", "toaster", "bin",
    "ladder", "suitcase", "guitar", "backpack", "poster",
]  # fmt: skip
EXTRA_S, MAX_MB, MIN_ROWS_PER_S, ROWS, SPAR_FACTS = 2.0, 1500.0, 3000.0, 3600, 100


def labelled(scene: Scene, folder: Path) -> Scene:
    """The scene with different labels, a floor outline and a colour file for each frame."""
    # About as large as a photograph: 60 KB.
    rng = np.random.default_rng(0)
    blots = np.kron(rng.integers(0, 235, (60, 80, 3)), np.ones((8, 8, 1)))
    picture = encode_jpeg((blots + rng.integers(0, 20, blots.shape)).astype(np.uint8))
    frames = []
    for frame in scene.frames:
        path = folder / f"{frame.id}.jpg"
        write_bytes(path, picture)
        frames.append(replace(frame, color_path=path))
    things = [replace(thing, label=LABELS[thing.id % len(LABELS)]) for thing in scene.objects]
    outline = np.array([[0, 0], [ROOM_M[0], 0], [ROOM_M[0], ROOM_M[1]], [0, ROOM_M[1]]])
    room = Room(outline, 0.0, float(ROOM_M[2]), float(ROOM_M[0] * ROOM_M[1]))
    return replace(scene, frames=tuple(frames), objects=tuple(things), room=room)


def measure(profile: bool) -> int:
    """One scene of full size; 1 when a limit is missed."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scene = labelled(build_scene(folder, 300, 60, True), folder)
        assert scene.surface is not None
        vertices = scene.surface.vertices
        print(f"{len(vertices):,} vertices, {len(scene.objects)} objects, {len(scene.frames)} frames of 640x480")

        def project() -> None:
            for frame in scene.frames:
                CAMERA.project(transform_points(invert_rigid(frame.T_world_cam), vertices))

        def stage(out: str, per_scene: int) -> int:
            config = GenerateConfig(per_scene=per_scene)
            # A copy, so that nothing about the scene is left in memory and the cache on disk is what is measured.
            return write_staged(replace(scene), "folder:scene", folder / out, config, folder / "cache")

        decode_s = timed(lambda: [frame.depth() for frame in scene.frames if frame.depth])[1]
        floor_s = decode_s + timed(project)[1]
        per_scene = 44
        recorder = cProfile.Profile()
        if profile:
            recorder.enable()
        wall_s, cpu_s, rows = timed(lambda: stage("first", per_scene))
        recorder.disable()
        assert isinstance(rows, int)
        again_s = timed(lambda: stage("again", per_scene))[1]
        _, many_s, many = timed(lambda: stage("many", SPAR_FACTS))
        assert isinstance(many, int)
        limit_s = 2 * floor_s + EXTRA_S
        print(f"{'floor: decode depth, project':32s} {floor_s:7.2f} s processor")
        print(f"{'generate, nothing cached':32s} {cpu_s:7.2f} s processor {wall_s:7.2f} s wall, {rows:,} rows")
        for seconds, count in ((again_s, rows), (many_s, many)):
            label = "generate, visibility cached"
            print(f"{label:32s} {seconds:7.2f} s processor, {count:,} rows, {count / seconds:,.0f} rows/s")
        further_ms = 1000 * (many_s - again_s) / (many - rows)
        print(f"{'each further row':32s} {further_ms:7.3f} ms")
        print(f"peak memory {peak_mb():.0f} MB; at most {limit_s:.2f} s and {MAX_MB:.0f} MB were asked for")
        if profile:
            pstats.Stats(recorder).sort_stats("cumulative").print_stats(40)
        missed = cpu_s > limit_s or peak_mb() > MAX_MB or many / many_s < MIN_ROWS_PER_S or rows < ROWS
    if missed:
        print("MISSED", file=sys.stderr)
    return int(missed)


def many_scenes(count: int) -> int:
    """Stage the same few rooms under many names and print the peak memory on the way; 1 when it grows."""
    with tempfile.TemporaryDirectory() as name:
        out = Path(name)
        rooms = open_source("rooms:1-4?width=160&height=120&frames=32")
        scenes = [rooms.open(scene_id) for scene_id in rooms.ids()]
        config = GenerateConfig(per_scene=3)
        marks = []
        for k in range(count):
            scene = replace(scenes[k % len(scenes)], id=f"scene{k:05d}")
            write_staged(scene, "folder:scenes", out, config, out / "cache")
            if (k + 1) % max(1, count // 10) == 0:
                marks.append(peak_mb())
                print(f"{k + 1:6d} scenes, peak memory {marks[-1]:.0f} MB")
    return int(marks[-1] > 1.1 * marks[len(marks) // 5])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", action="store_true", help="print where the time goes")
    parser.add_argument("--scenes", type=int, default=0, help="stage so many small scenes instead")
    args = parser.parse_args()
    pin_to_one_core()
    return many_scenes(args.scenes) if args.scenes else measure(args.profile)


if __name__ == "__main__":
    raise SystemExit(main())
