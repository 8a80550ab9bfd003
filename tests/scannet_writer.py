"""Writes a `Scene` in ScanNet's export layout, file for file, so that the reader can be tested without a real scan.

The scan's own world is turned and shifted against the scene's by `T_ALIGN`, as in ScanNet, so that a reader that
forgets the axis alignment anywhere is found out. Each object consists of two segments, as real ones do of many.
"""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path

import numpy as np

from spaceland.files import encode_jpeg, encode_png
from spaceland.geometry.camera import PinholeCamera
from spaceland.geometry.transforms import from_rotation_translation, invert_rigid, rotation_z, transform_points
from spaceland.scenes.ply import write_ply
from spaceland.scenes.scene import Frame, Scene

T_ALIGN = from_rotation_translation(rotation_z(0.3), np.array([-1.0, 2.0, -0.05]))


def write_scannet(
    scene: Scene,
    folder: Path,
    *,
    sens: bool = False,
    images: bool = True,
    with_faces: bool = True,
    T_align: np.ndarray = T_ALIGN,
) -> Path:
    """Write `folder` (its name is the scan id): images as files and/or as a .sens stream, mesh and annotation."""
    scan = folder.name
    folder.mkdir(parents=True, exist_ok=True)
    assert scene.surface is not None
    T_raw = invert_rigid(T_align)
    raw = transform_points(T_raw, scene.surface.vertices)
    colors, faces = scene.surface.colors, scene.surface.faces if with_faces else None
    write_ply(folder / f"{scan}_vh_clean_2.ply", raw.astype(np.float32), colors, faces)
    write_annotation(scene, folder)
    lines = [f"axisAlignment = {' '.join(repr(float(v)) for v in T_align.ravel())}", "sceneType = Kitchen"]
    camera, depth_camera = scene.frames[0].camera, scene.frames[0].depth_camera or scene.frames[0].camera
    lines += [f"colorWidth = {camera.width}", f"colorHeight = {camera.height}"]
    lines += [f"depthWidth = {depth_camera.width}", f"depthHeight = {depth_camera.height}", "numDepthFrames = 1"]
    (folder / f"{scan}.txt").write_text("\n".join(lines) + "\n")
    if images:
        write_images(scene, folder, T_raw)
    if sens:
        (folder / f"{scan}.sens").write_bytes(sens_bytes(scene, T_raw))
    return folder


def write_annotation(scene: Scene, folder: Path) -> None:
    """segs.json and aggregation.json: object k owns segments 10 k + 100 and 10 k + 101, the rest is segment 7."""
    assert scene.surface is not None and scene.surface.object_ids is not None
    owners = scene.surface.object_ids
    odd = np.arange(len(owners)) % 2
    segments = np.where(owners >= 0, owners * 10 + 100 + odd, 7)
    groups = [
        {
            "id": thing.id,
            "objectId": thing.id,
            "segments": [thing.id * 10 + 100, thing.id * 10 + 101],
            "label": thing.raw_label,
        }
        for thing in scene.objects
    ]
    name = folder.name
    text = json.dumps({"sceneId": name, "segIndices": segments.tolist()})
    (folder / f"{name}_vh_clean_2.0.010000.segs.json").write_text(text)
    (folder / f"{name}.aggregation.json").write_text(json.dumps({"sceneId": f"scannet.{name}", "segGroups": groups}))


def write_images(scene: Scene, folder: Path, T_raw: np.ndarray) -> None:
    for name in ("color", "depth", "pose", "intrinsic"):
        (folder / name).mkdir(exist_ok=True)
    for k, frame in enumerate(scene.frames):
        (folder / "color" / f"{k}.jpg").write_bytes(encode_jpeg(frame.color()))
        (folder / "depth" / f"{k}.png").write_bytes(encode_png(depth_mm(frame)))
        write_matrix(folder / "pose" / f"{k}.txt", T_raw @ frame.T_world_cam)
    frame = scene.frames[0]
    write_matrix(folder / "intrinsic" / "intrinsic_color.txt", opencv_matrix(frame.camera))
    write_matrix(folder / "intrinsic" / "intrinsic_depth.txt", opencv_matrix(frame.depth_camera or frame.camera))


def sens_bytes(scene: Scene, T_raw: np.ndarray) -> bytes:
    """A version 4 stream: JPEG colour, zlib depth, times 33 ms apart."""
    first = scene.frames[0]
    depth_camera = first.depth_camera or first.camera
    name = b"StructureSensor"
    parts = [struct.pack("<IQ", 4, len(name)), name]
    for matrix in (opencv_matrix(first.camera), np.eye(4), opencv_matrix(depth_camera), np.eye(4)):
        parts.append(matrix.astype("<f4").tobytes())
    parts.append(struct.pack("<2i", 2, 1))
    parts.append(struct.pack("<4I", first.camera.width, first.camera.height, depth_camera.width, depth_camera.height))
    parts.append(struct.pack("<fQ", 1000.0, len(scene.frames)))
    for k, frame in enumerate(scene.frames):
        color, depth = encode_jpeg(frame.color()), zlib.compress(depth_mm(frame).astype("<u2").tobytes())
        parts.append((T_raw @ frame.T_world_cam).astype("<f4").tobytes())
        parts += [struct.pack("<4Q", k * 33000, k * 33000, len(color), len(depth)), color, depth]
    parts.append(struct.pack("<Q", 0))  # number of IMU frames
    return b"".join(parts)


def depth_mm(frame: Frame) -> np.ndarray:
    assert frame.depth is not None
    return np.rint(frame.depth() * 1000).astype(np.uint16)


def opencv_matrix(camera: PinholeCamera) -> np.ndarray:
    """4x4 intrinsics with pixel centres at whole numbers, as ScanNet writes them."""
    K = np.eye(4)
    K[0, 0], K[1, 1], K[0, 2], K[1, 2] = camera.fx, camera.fy, camera.cx - 0.5, camera.cy - 0.5
    return K


def write_matrix(path: Path, matrix: np.ndarray) -> None:
    path.write_text("\n".join(" ".join(repr(float(v)) for v in row) for row in matrix) + "\n")
