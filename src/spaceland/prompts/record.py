"""What `objects.json` holds: the view's map, the frames with their cameras, and every numbered object with its places.

    {"id": 7, "mark": 7, "label": "armchair", "score": 0.71, "center_m": [1.2, 3.4, 0.45], "size_m": [0.8, 0.8, 0.9],
     "rotation": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],                      # R_world_box, rows
     "frames": [{"frame": "000012", "pixel": [321.5, 200.5], "visible_fraction": 0.83}],
     "bev_pixel": [412.5, 388.5], "bev_leader_to": null}

`score` says how sure the finder of the object is, 0 to 1; null for annotated objects, which nothing has scored.
Pixels are places of disc centres, in the pictures as written. An object that is not on the bird's-eye view has
`bev_pixel` null; where its disc stands beside it, `bev_leader_to` is the object's own pixel at which the line ends, and
`leader_to` the same for a frame. Where `scale_known` is false, nothing says how long a metre is in this reconstruction,
and all lengths are right only in proportion to each other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from spaceland.prompts.bev import Bev
from spaceland.prompts.bevmap import PerspectiveMap
from spaceland.prompts.grid import FrameGrid
from spaceland.prompts.pictures import DrawnFrame, frame_path
from spaceland.prompts.placement import Placed
from spaceland.prompts.selection import Selection
from spaceland.scenes.scene import Scene
from spaceland.version import __version__


def marks_record(
    scene: Scene,
    config: dict[str, Any],
    bev: Bev | None,
    bev_marks: Placed,
    marked: Sequence[DrawnFrame],
    numbers: dict[int, int],
    selection: Selection,
    grid: FrameGrid | None,
) -> dict[str, Any]:
    """The content of `objects.json`."""
    on_bev = {mark.object_id: mark for mark in bev_marks.marks}
    in_frames: dict[int, list[dict[str, Any]]] = {}
    for one in marked:
        views = {view.object_id: view for view in one.views}
        for mark in one.placed.marks:
            view = views.get(mark.object_id)
            place: dict[str, Any] = {
                "frame": one.frame.id,
                "pixel": _round(mark.center_px, 2),
                "visible_fraction": round(view.visible_fraction, 4) if view else None,
            }
            if mark.target_px:
                place["leader_to"] = _round(mark.target_px, 2)
            in_frames.setdefault(mark.object_id, []).append(place)
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
                "score": None if thing.score is None else round(thing.score, 4),
                "center_m": _round(thing.box.center, 4),
                "size_m": _round(thing.box.size, 4),
                "rotation": [_round(row, 6) for row in thing.box.rotation],
                "frames": in_frames.get(object_id, []),
                "bev_pixel": _round(mark.center_px, 2) if mark else None,
                "bev_leader_to": _round(mark.target_px, 2) if mark and mark.target_px else None,
            }
        )
    hanging = bev.hanging if bev else ()
    bev_reasons = Counter(
        "removed with the ceiling" if k in hanging else reason for k, reason in bev_marks.skipped.items()
    )
    left_out = {
        "not listed": list(selection.not_listed),
        "not asked about": list(selection.not_asked),
        "dropped": list(selection.dropped),
    }
    return {
        "scene": scene.id,
        "version": __version__,
        "geometry": scene.geometry,
        "scale_known": scene.scale_known,
        "floor_z_m": round(_floor_z_m(scene, bev), 4),
        "units": {"length": "metre", "pixel": "centre of the top left pixel is (0.5, 0.5)"},
        "bev": None if bev is None else _bev_record(bev),
        "frames": [
            {
                "id": one.frame.id,
                "image": frame_path(one.frame),
                "width": one.camera.width,
                "height": one.camera.height,
                "intrinsics": _round((one.camera.fx, one.camera.fy, one.camera.cx, one.camera.cy), 6),
                "T_world_cam": [_round(row, 8) for row in one.frame.T_world_cam],
                "marks": sorted(mark.number for mark in one.placed.marks),
                "skipped": dict(sorted(one.placed.reasons.items())),
            }
            for one in marked
        ],
        "grid": None if grid is None else _grid_record(grid, marked),
        "objects": objects,
        "skipped": {
            "not markable": selection.num_unwanted,
            **{reason: len(gone) for reason, gone in left_out.items() if gone},
            "on no picture": len(numbers) - len(objects),
            "bev": {k: n for k, n in sorted(bev_reasons.items()) if n},
            "frames": dict(sorted(sum((one.placed.reasons for one in marked), Counter()).items())),
        },
        "left_out": {reason: gone for reason, gone in left_out.items() if gone},
        "query_labels": None if selection.query_labels is None else list(selection.query_labels),
        "config": config,
    }


def _floor_z_m(scene: Scene, bev: Bev | None) -> float:
    """World height from which heights are told; 0 where neither source nor picture knows a floor."""
    return scene.room.floor_z_m if scene.room else bev.cut.floor_z_m if bev else 0.0


def _bev_record(bev: Bev) -> dict[str, Any]:
    """The view: its map, what was cut and what was filled."""
    view: dict[str, Any] = {
        "image": "bev.png",
        "width": bev.shape[1],
        "height": bev.shape[0],
        "view_height": bev.strip_top_px,
        "projection": bev.config.projection,
        **bev.map.to_json(),
        "x_axis": "right",
        "y_axis": "up",
        "surface": bev.surface_kind,
        "ceiling_cut_z_m": None if bev.cut.z_m is None else round(bev.cut.z_m, 4),
        "ceiling_rule": bev.cut.rule,
        "floor_z_m": round(bev.cut.floor_z_m, 4),
        "scale_bar": None,
        "holes": {
            "largest_m": bev.config.fill_holes_m,
            "filled": bev.holes[0],
            "left": bev.holes[1],
            "filled_px": int(bev.filled.sum()),
        },
    }
    if isinstance(bev.map, PerspectiveMap):
        view["fov_deg"] = bev.config.fov_deg
        view["camera_height_m"] = round(bev.map.camera_m[2] - bev.map.floor_z_m, 4)
        view["floor_z_m"] = bev.map.floor_z_m  # part of the map
    if bev.filled.any():
        view["filled_image"] = "bev_filled.png"
    if bev.bar_px is not None:
        x0, x1, y = bev.bar_px
        view["scale_bar"] = {"length_m": bev.bar_length_m, "from_px": [x0, y], "to_px": [x1, y]}
    return view


def _grid_record(grid: FrameGrid, marked: Sequence[DrawnFrame]) -> dict[str, Any]:
    """The stitched picture, and (left, top, right, bottom) in pixels of each frame in it."""
    return {
        "image": "frames_grid.jpg",
        "width": grid.image.shape[1],
        "height": grid.image.shape[0],
        "columns": grid.columns,
        "rows": grid.rows,
        "tiles": [
            {"frame": one.frame.id, "caption": f"Img {k + 1}", "box_px": list(box)}
            for k, (one, box) in enumerate(zip(marked, grid.tiles, strict=True))
        ],
    }


def _round(values: Any, digits: int) -> list[float]:
    # Adding zero turns -0.0, which would depend on rounding noise, into 0.0.
    return [round(float(v), digits) + 0.0 for v in np.asarray(values, dtype=float)]
