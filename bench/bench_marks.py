"""How long pictures with marks take: both bird's-eye views of 150,000 vertices, and 32 marked frames of 640 x 480.

The room of `bench_mark.py` is looked at from above at 1,600 px, orthographic and in perspective, as mesh and as points;
goal 1.5 s for the mesh. Then a generated room is saved as a scene folder (JPEG colours, 16-bit depth) and
`mark_scene` makes its bird's-eye view and 32 marked frames, with everything that this reads and writes: from exact
ids, from depth and objects alone as after a reconstruction, and from the mesh without depth; goal 5 s on two cores.

    python bench/bench_marks.py
    python bench/bench_marks.py --repeats 3 --style som
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from bench_mark import make_room
from spaceland.prompts import STYLES, BevConfig, MarkConfig, mark_scene, render_bev
from spaceland.scenes.folder_write import write_scene
from spaceland.scenes.scene import Scene
from spaceland.scenes.sources import open_scene

VIEW_GOAL_S = 1.5
FRAMES_GOAL_S = 5.0
NUM_FRAMES = 32


def best_of(repeats: int, work: Callable[[], object]) -> tuple[float, float]:
    """Least wall time and least processor time in seconds."""
    walls, cpus = [], []
    for _ in range(repeats):
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return min(walls), min(cpus)


def bench_views(size_px: int, repeats: int) -> None:
    """Both projections, mesh and points."""
    mesh = make_room()
    assert mesh.surface is not None
    cloud = replace(mesh, surface=replace(mesh.surface, faces=None))
    for kind, scene in (("mesh", mesh), ("points", cloud)):
        for projection in ("orthographic", "perspective"):
            config = BevConfig(size_px=size_px, projection=projection)
            wall, cpu = best_of(repeats, lambda scene=scene, config=config: render_bev(scene, config))
            goal = f"   goal {VIEW_GOAL_S} s" if kind == "mesh" and size_px == 1600 else ""
            print(
                f"{projection:<12} view of {kind:<6} {len(mesh.surface.vertices)} vertices, {size_px} px: "
                f"{wall:.2f} s, CPU {cpu:.2f} s{goal}"
            )


def without_ids(scene: Scene) -> Scene:
    """What a reconstruction knows: depth and objects, and no picture of ids."""
    return replace(scene, frames=tuple(replace(frame, object_ids=None) for frame in scene.frames))


def without_depth(scene: Scene) -> Scene:
    """A mesh with posed pictures."""
    frames = (replace(frame, object_ids=None, depth=None, depth_camera=None) for frame in scene.frames)
    return replace(scene, frames=tuple(frames))


def bench_frames(spec: str, style: str, repeats: int) -> None:
    """Bird's-eye view and marked frames, from a folder to a folder."""
    with tempfile.TemporaryDirectory() as name:
        write_scene(open_scene(spec), Path(name) / "scene")
        scene = open_scene(f"folder:{name}/scene")
        assert scene.surface is not None
        print(
            f"{spec}: {len(scene.frames)} frames of {scene.frames[0].camera.width} x {scene.frames[0].camera.height}, "
            f"{len(scene.objects)} objects, {len(scene.surface.vertices)} vertices"
        )
        ways = (("ids", scene), ("depth", without_ids(scene)), ("mesh", without_depth(scene)))
        for way, given in ways:
            out, config = Path(name) / way, MarkConfig(num_frames=NUM_FRAMES, style=style)
            wall, cpu = best_of(repeats, lambda given=given, out=out, config=config: mark_scene(given, out, config))
            print(
                f"view and {NUM_FRAMES} frames, {style}, from {way:<5}: {wall:.2f} s, CPU {cpu:.2f} s"
                f"   goal {FRAMES_GOAL_S} s on two cores"
            )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=1600)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--room", default="rooms:4")
    parser.add_argument("--style", choices=sorted(STYLES), default="gpt4scene")
    args = parser.parse_args()
    bench_views(args.size, args.repeats)
    bench_frames(args.room, args.style, args.repeats)


if __name__ == "__main__":
    main()
