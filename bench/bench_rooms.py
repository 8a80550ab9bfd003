"""How long sample rooms take on one core: opening, preparing the light (once for each room), and each picture.

Measured in processor time, which does not depend on what else the machine does, with wall time beside it. A picture
is colour, depth and object ids of one 640x480 frame from one ray cast, with smoothed edges.

    python bench/bench_rooms.py
    python bench/bench_rooms.py --rooms 7 --frames 32
"""

from __future__ import annotations

import argparse
import os
import time

# Before numpy: the libraries behind it read these once, and the process stays on one core.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

from spaceland.scenes.rooms import build_room  # noqa: E402

OPEN_LIMIT_S, FRAMES_PER_S = 0.7, 8.0


def clocks() -> tuple[float, float]:
    """Processor and wall time in seconds."""
    return time.process_time(), time.perf_counter()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rooms", type=int, default=7, help="seeds 1 to this are measured")
    parser.add_argument("--frames", type=int, default=16, help="pictures of each room, after the first")
    args = parser.parse_args()
    build_room(0)  # loads libraries and the manifest
    opened, prepared, pictures, walls = [], [], [], []
    print(f"{'room':10} {'objects':>7} {'triangles':>9} {'open s':>7} {'light s':>7} {'picture ms':>10} {'wall ms':>8}")
    for seed in range(1, args.rooms + 1):
        start = clocks()
        scene = build_room(seed)
        opened.append(clocks()[0] - start[0])
        start = clocks()
        scene.frames[0].color()
        prepared.append(clocks()[0] - start[0])
        chosen = scene.frames[1 : args.frames + 1]
        start = clocks()
        for frame in chosen:
            assert frame.depth is not None and frame.object_ids is not None
            frame.color(), frame.depth(), frame.object_ids()
        end = clocks()
        pictures.append((end[0] - start[0]) / len(chosen))
        walls.append((end[1] - start[1]) / len(chosen))
        faces = 0 if scene.surface is None or scene.surface.faces is None else len(scene.surface.faces)
        print(
            f"{scene.id:10} {len(scene.objects):7} {faces:9} {opened[-1]:7.2f} {prepared[-1]:7.2f} "
            f"{1000 * pictures[-1]:10.0f} {1000 * walls[-1]:8.0f}"
        )
    mean = sum(pictures) / len(pictures)
    print(f"opening: mean {sum(opened) / len(opened):.2f} s, longest {max(opened):.2f} s (aim {OPEN_LIMIT_S} s)")
    print(f"light:   mean {sum(prepared) / len(prepared):.2f} s, once for each room, with its first picture")
    print(f"picture: {1 / mean:.1f} frames/s (aim {FRAMES_PER_S:.0f} frames/s)")


if __name__ == "__main__":
    main()
