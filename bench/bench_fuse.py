"""How long posed RGB-D frames take to a cleaned, coloured mesh in a level world, and how much memory that needs.

Goal on 200 frames of 640x480: 15 s on two cores. Any source with depth does; images are read inside the time.

    OMP_NUM_THREADS=2 python bench/bench_fuse.py rgbd:/data/7scenes_redkitchen
    OMP_NUM_THREADS=2 python bench/bench_fuse.py rgbd:/data/7scenes_redkitchen --max-frames 50 --bev bev.png
"""

from __future__ import annotations

import argparse
import resource
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from spaceland.geometry.transforms import WORLD_UP
from spaceland.reconstruct.assemble import assemble
from spaceland.reconstruct.depth_views import views_of_scene
from spaceland.reconstruct.fuse import fuse_scene
from spaceland.reconstruct.layers import horizontal_layers, patches_of
from spaceland.reconstruct.scale import set_scale
from spaceland.reconstruct.upright import level_world
from spaceland.scenes.sources import open_source

GOAL_S = 15.0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", nargs="?", default="rooms:7", help="any source with depth")
    parser.add_argument("--scene", help="which scene of the source; default: its first")
    parser.add_argument("--max-frames", type=int, default=200)
    parser.add_argument("--bev", type=Path, help="write a bird's-eye view of the result here")
    args = parser.parse_args()
    source = open_source(args.source)
    scene = source.open(args.scene or source.ids()[0])
    step = max(1, -(-len(scene.frames) // args.max_frames))
    scene = replace(scene, frames=scene.frames[::step])
    import open3d  # noqa: F401  its import is not what is measured

    start, cpu = time.perf_counter(), time.process_time()
    fused = fuse_scene(scene)
    fuse_s = time.perf_counter() - start
    fix = level_world(fused.surface, [frame.T_world_cam for frame in scene.frames], metric=True)
    level_s = time.perf_counter() - start - fuse_s
    extent = fused.report.sizes.extent
    scale = set_scale(None, views_of_scene(scene), fix, metric=True, source="measured depth", extent=extent)
    result = assemble(scene.id, scene.frames, fused, fix, scale, geometry=scene.geometry, source=dict(scene.provenance))
    total_s = time.perf_counter() - start
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{len(scene.frames)} frames -> {fused.report.num_vertices} vertices, {fused.report.num_faces} triangles: "
        f"{total_s:.1f} s (fuse and colour {fuse_s:.1f}, level {level_s:.1f}), CPU {time.process_time() - cpu:.1f} s, "
        f"peak memory {peak_mb:.0f} MB   goal {GOAL_S:g} s for 200 frames on two cores"
    )
    print(fused.report)
    print(fix)
    surface = result.scene.surface
    assert surface is not None
    print("level layers:")
    for layer in horizontal_layers(patches_of(surface, np.zeros((0, 3))), WORLD_UP, min_area=0.1):
        print(f"  {layer.height:.3f} m   {layer.area:.2f} m2")
    if args.bev is not None:
        from spaceland.prompts import render_bev

        Image.fromarray(render_bev(result.scene).image).save(args.bev)


if __name__ == "__main__":
    main()
