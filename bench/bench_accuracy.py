"""How far the figures of visibility are from a count of single pixels: the table of docs/visibility.md.

Four hand-made rooms of the tests, all their frames, from every source of depth. Printed are the largest and the mean
difference from the plain reference in tests/visibility, over the objects above 400 map pixels. It takes a few minutes.

    python bench/bench_accuracy.py
    python bench/bench_accuracy.py --rooms 1
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from spaceland.scenes.scene import Scene
from spaceland.visibility import VisibilityConfig, scene_visibility

for folder in ("tests", "tests/visibility"):
    sys.path.insert(0, str(Path(__file__).parents[1] / folder))
from visibility_reference import as_points, compare, furnished, plain_views, random_rooms, without_depth  # noqa: E402

from handmade import CAMERA  # noqa: E402

CONFIG = VisibilityConfig()
LARGE_PX = 400
FIGURES = ("area", "visible_fraction", "truncated", "occluded", "box")


def without_ids(scene: Scene) -> Scene:
    return replace(scene, frames=tuple(replace(frame, object_ids=None) for frame in scene.frames))


SOURCES = {"id map": lambda s: s, "mesh": without_depth, "sensor depth": without_ids, "points": as_points}


def from_reference(scene: Scene) -> dict[str, list[dict[str, float]]]:
    """Differences of every large view, by source."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in SOURCES}
    expected = {frame.id: plain_views(scene, frame, CONFIG) for frame in scene.frames}
    for name, make in SOURCES.items():
        seen = scene_visibility(make(scene), CONFIG)
        for frame in scene.frames:
            for object_id, plain in expected[frame.id].items():
                view = seen.view(frame.id, object_id)
                if view is not None and plain.area >= LARGE_PX:
                    scale = frame.camera.width / CONFIG.map_camera(frame.camera).width
                    column, row = (int(place / scale) for place in view.anchor_px)
                    off = {"anchors beside": float(not plain.mask[row, column])}
                    found[name].append(compare(view, plain, frame.camera, CONFIG) | off)
    return found


def by_size(num_rooms: int) -> list[float]:
    """Relative differences of areas between maps 320 and 640 wide."""
    camera = CAMERA.scaled(640, 480)
    changes = []
    rooms = random_rooms(num_rooms, with_depth=False, camera=camera)
    for scene in (furnished(with_depth=False, camera=camera), *rooms):
        half, full = scene_visibility(scene, CONFIG), scene_visibility(scene, VisibilityConfig(width_px=640))
        for view in full.views:
            other = half.view(view.frame_id, view.object_id)
            if other is not None and view.visible_px > LARGE_PX:
                changes.append(abs(other.visible_px / view.visible_px - 1))
    return changes


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rooms", type=int, default=3, help="random rooms beside the furnished one")
    args = parser.parse_args()
    found: dict[str, list[dict[str, float]]] = {name: [] for name in SOURCES}
    for scene in (furnished(with_ids=True), *random_rooms(args.rooms, with_ids=True)):
        for name, differences in from_reference(scene).items():
            found[name] += differences
    for name, differences in found.items():
        values = {key: np.array([one[key] for one in differences]) for key in FIGURES}
        shown = ", ".join(f"{key} {value.max():.3f} ({value.mean():.4f})" for key, value in values.items())
        beside = sum(one["anchors beside"] for one in differences)
        print(f"{name}, {len(differences)} views: {shown}; {beside:.0f} anchors beside their object")
    changes = by_size(args.rooms)
    print(f"maps 320 against 640 wide, {len(changes)} views: areas differ by at most {100 * max(changes):.2f} %")


if __name__ == "__main__":
    main()
