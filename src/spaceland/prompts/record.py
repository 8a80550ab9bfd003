"""What `objects.json` holds: the view's map, the frames with their cameras, and every numbered object with its places.

    {"id": 7, "mark": 7, "label": "armchair", "center_m": [1.2, 3.4, 0.45], "size_m": [0.8, 0.8, 0.9],
     "rotation": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],                      # R_world_box, rows
     "frames": [{"frame": "000012", "pixel": [321.5, 200.5], "visible_fraction": 0.83}],
     "bev_pixel": [412.5, 388.5], "bev_leader_to": null}

Pixels are places of disc centres. An object that is not on the bird's-eye view has `bev_pixel` null; where its disc
stands beside it, `bev_leader_to` is the object's own pixel at which the line ends.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from spaceland.prompts.bev import Bev
from spaceland.prompts.placement import Placed
from spaceland.scenes.scene import Frame, Scene
from spaceland.version import __version__
from spaceland.visibility import ObjectView


def frame_path(frame: Frame) -> str:
    """Where a marked frame is written, relative to the output folder."""
    return f"frames/{frame.id}.jpg"


def marks_record(
    scene: Scene,
    config: dict[str, Any],
    bev: Bev,
    bev_marks: Placed,
    frames: Sequence[Frame],
    frame_marks: Sequence[Placed],
    numbers: dict[int, int],
    views: Mapping[tuple[str, int], ObjectView],
) -> dict[str, Any]:
    """The content of `objects.json`."""
    on_bev = {mark.object_id: mark for mark in bev_marks.marks}
    in_frames: dict[int, list[dict[str, Any]]] = {}
    for frame, placed in zip(frames, frame_marks, strict=True):
        for mark in placed.marks:
            view = views.get((frame.id, mark.object_id))
            in_frames.setdefault(mark.object_id, []).append(
                {
                    "frame": frame.id,
                    "pixel": _round(mark.center_px, 2),
                    "visible_fraction": round(view.visible_fraction, 4) if view else None,
                }
            )
    objects = []
    for object_id, number in numbers.items():
        if object_id not in on_bev and object_id not in in_frames:
            continue
        thing, mark = scene.objects_by_id[object_id], on_bev.get(object_id)
        objects.append(
            {
                "id": object_id,
                "mark": number,
                "label": thing.label,
                "center_m": _round(thing.box.center, 4),
                "size_m": _round(thing.box.size, 4),
                "rotation": [_round(row, 6) for row in thing.box.rotation],
                "frames": in_frames.get(object_id, []),
                "bev_pixel": _round(mark.center_px, 2) if mark else None,
                "bev_leader_to": _round(mark.target_px, 2) if mark and mark.target_px else None,
            }
        )
    x0, x1, y = bev.bar_px
    bev_reasons = Counter(
        "removed with the ceiling" if k in bev.hanging else reason for k, reason in bev_marks.skipped.items()
    )
    return {
        "scene": scene.id,
        "version": __version__,
        "geometry": scene.geometry,
        "units": {"length": "metre", "pixel": "centre of the top left pixel is (0.5, 0.5)"},
        "bev": {
            "image": "bev.png",
            "width": bev.shape[1],
            "height": bev.shape[0],
            "view_height": bev.strip_top_px,
            **bev.map.to_json(),
            "x_axis": "right",
            "y_axis": "up",
            "surface": bev.surface_kind,
            "ceiling_cut_z_m": None if bev.cut.z_m is None else round(bev.cut.z_m, 4),
            "ceiling_rule": bev.cut.rule,
            "floor_z_m": round(bev.cut.floor_z_m, 4),
            "scale_bar": {"length_m": bev.bar_length_m, "from_px": [x0, y], "to_px": [x1, y]},
        },
        "frames": [
            {
                "id": frame.id,
                "image": frame_path(frame),
                "width": frame.camera.width,
                "height": frame.camera.height,
                "intrinsics": _round((frame.camera.fx, frame.camera.fy, frame.camera.cx, frame.camera.cy), 6),
                "T_world_cam": [_round(row, 8) for row in frame.T_world_cam],
                "marks": sorted(mark.number for mark in placed.marks),
                "skipped": dict(sorted(placed.reasons.items())),
            }
            for frame, placed in zip(frames, frame_marks, strict=True)
        ],
        "objects": objects,
        "skipped": {
            "not markable": len(scene.objects) - len(numbers),
            "on no picture": len(numbers) - len(objects),
            "bev": {k: n for k, n in sorted(bev_reasons.items()) if n},
            "frames": dict(sorted(sum((p.reasons for p in frame_marks), Counter()).items())),
        },
        "config": config,
    }


def _round(values: Any, digits: int) -> list[float]:
    # Adding zero turns -0.0, which would depend on rounding noise, into 0.0.
    return [round(float(v), digits) + 0.0 for v in np.asarray(values, dtype=float)]
