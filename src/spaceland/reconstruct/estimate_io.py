"""Estimates on disk, in files that any tool reads.

estimate.json      metric, scale_source, lost, report, and the views: id, camera, T_world_cam, depth file
depth/<id>.npz     `depth` float32 in the estimate's unit, `confidence` uint8 0..255 where there is one
points.npz         sparse points: `xyz`, `rgb`, and who saw them: `view`, `point`, `pixel`
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np

from spaceland.errors import SceneError
from spaceland.files import read_json, write_json
from spaceland.geometry.camera import PinholeCamera
from spaceland.reconstruct.types import Estimate, EstimatedView, SparsePoints
from spaceland.scenes.npz import read_npz, write_npz


def write_estimate(estimate: Estimate, folder: Path) -> None:
    """Write an estimate into a folder, `estimate.json` last.

    Raises:
        OutputError: something cannot be written.
    """
    views = []
    for view in estimate.views:
        entry: dict[str, Any] = {
            "id": view.id,
            "camera": list(astuple(view.camera)),
            "T_world_cam": view.T_world_cam.tolist(),
        }
        if view.depth is not None:
            arrays: dict[str, np.ndarray] = {"depth": view.depth.astype(np.float32)}
            if view.confidence is not None:
                arrays["confidence"] = np.rint(255 * np.clip(view.confidence, 0, 1)).astype(np.uint8)
            entry["depth"] = f"depth/{view.id}.npz"
            entry["depth_camera"] = None if view.depth_camera is None else list(astuple(view.depth_camera))
            write_npz(folder / entry["depth"], arrays)
        views.append(entry)
    points = estimate.points
    if points is not None:
        names = ("xyz", "rgb", "view", "point", "pixel")
        write_npz(folder / "points.npz", {name: getattr(points, name) for name in names})
    write_json(
        folder / "estimate.json",
        {
            "metric": estimate.metric,
            "scale_source": estimate.scale_source,
            "lost": dict(estimate.lost),
            "report": dict(estimate.report),
            "points": "points.npz" if points is not None else None,
            "views": views,
        },
    )


def read_estimate(folder: Path) -> Estimate:
    """Read what `write_estimate` wrote.

    Raises:
        SceneError: a file is missing or damaged; the message names it.
    """
    path = folder / "estimate.json"
    data = read_json(path)
    try:
        views = tuple(_view(entry, folder) for entry in data["views"])
        points = None
        if data["points"] is not None:
            arrays = read_npz(folder / "points.npz")
            points = SparsePoints(*(arrays[name] for name in ("xyz", "rgb", "view", "point", "pixel")))
        return Estimate(
            views, points, bool(data["metric"]), str(data["scale_source"]), dict(data["lost"]), dict(data["report"])
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SceneError(
            f"{path} is not an estimate ({type(error).__name__}: {error}); remove its folder to make it anew"
        ) from error


def _view(entry: Mapping[str, Any], folder: Path) -> EstimatedView:
    T_world_cam = np.array(entry["T_world_cam"], dtype=float)
    if T_world_cam.shape != (4, 4) or not np.isfinite(T_world_cam).all():
        raise ValueError(f"view {entry['id']}: T_world_cam must be a finite 4x4 matrix")
    camera, depth, confidence, depth_camera = _camera(entry["camera"]), None, None, None
    name = str(entry["id"])
    if entry.get("depth") is not None:
        # The name is made anew: a path in the file cannot lead elsewhere.
        arrays = read_npz(folder / "depth" / f"{Path(name).name}.npz")
        depth = arrays["depth"].astype(np.float32)
        confidence = arrays["confidence"].astype(np.float32) / 255 if "confidence" in arrays else None
        depth_camera = None if entry.get("depth_camera") is None else _camera(entry["depth_camera"])
        expected = depth_camera or camera
        if depth.shape != (expected.height, expected.width):
            raise ValueError(f"view {name}: depth is {depth.shape}, its camera {expected.height, expected.width}")
    return EstimatedView(name, camera, T_world_cam, depth, depth_camera, confidence)


def _camera(values: list[float]) -> PinholeCamera:
    width, height, *intrinsics = values
    return PinholeCamera(int(width), int(height), *(float(v) for v in intrinsics))
