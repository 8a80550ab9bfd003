"""Writes the sample room in ARKitScenes' layouts, 3dod and raw, with pictures on their side where asked for."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from dataset_room import CAMERA, millimetres, obb, picture, poses, sample_room
from scipy.spatial.transform import Rotation

from spaceland.files import encode_png
from spaceland.geometry.transforms import invert_rigid
from spaceland.scenes.ply import write_ply

START_S = 3000.1
STEP_S = 0.1
DEPTH_SIZE = (128, 96)
# Axes of a camera whose picture was turned a quarter clockwise: what was up is now on the right.
_R_CAM_SIDEWAYS = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])


def write_video(folder: Path, *, raw: bool = False, sideways: bool = False, images: str = "lowres_wide") -> Path:
    """Write `folder`, whose name is the video id. Names are rounded to milliseconds, the trajectory is not."""
    video, room = folder.name, sample_room()
    inner = folder if raw else folder / f"{video}_frames"
    for name in {images, f"{images}_intrinsics", "lowres_depth", "lowres_wide_intrinsics"}:
        (inner / name).mkdir(parents=True)
    small, lines = CAMERA.scaled(*DEPTH_SIZE), []
    for k, T in enumerate(poses()):
        time = START_S + STEP_S * k + 0.0004
        turns = -1 if sideways else 0
        name = f"{video}_{time:.3f}"
        (inner / images / f"{name}.png").write_bytes(encode_png(np.rot90(picture(k, CAMERA)[0], turns).copy()))
        depth = np.rot90(millimetres(picture(k, small)[1]), turns).copy()
        (inner / "lowres_depth" / f"{name}.png").write_bytes(encode_png(depth))
        for kind, camera in ((images, CAMERA), ("lowres_wide", small)):
            K = (camera.width, camera.height, camera.fx, camera.fy, camera.cx - 0.5, camera.cy - 0.5)
            if sideways:
                cx = camera.height - camera.cy
                K = (camera.height, camera.width, camera.fy, camera.fx, cx - 0.5, camera.cx - 0.5)
            if kind == images or images != "lowres_wide":
                pincam = " ".join(str(v) for v in K)
                (inner / f"{kind}_intrinsics" / f"{name}.pincam").write_text(pincam)
        pose = T.copy()
        if sideways:
            pose[:3, :3] = pose[:3, :3] @ _R_CAM_SIDEWAYS
        lines.append(trajectory_line(time, pose))
    (inner / "lowres_wide.traj").write_text("".join(lines))
    assert room.surface is not None
    write_ply(folder / f"{video}_3dod_mesh.ply", room.surface.vertices, room.surface.colors, room.surface.faces)
    data = [
        {"uid": f"u{thing.id}", "label": thing.raw_label, "segments": {"obb": {}, "obbAligned": obb(thing)}}
        for thing in room.objects
    ]
    (folder / f"{video}_3dod_annotation.json").write_text(json.dumps({"data": data, "skipped": False, "stats": {}}))
    return folder


def trajectory_line(time: float, T_world_cam: np.ndarray) -> str:
    """Time, axis-angle and translation of world to camera."""
    T = invert_rigid(T_world_cam)
    values = [*Rotation.from_matrix(T[:3, :3]).as_rotvec(), *T[:3, 3]]
    return f"{time:.9f} " + " ".join(repr(float(v)) for v in values) + "\n"
