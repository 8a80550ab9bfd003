"""Writes the sample room in 3RScan's layout: pictures on their side, PLY of labels, textured OBJ, folder or archive."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
from dataset_room import CAMERA, millimetres, obb, picture, poses, sample_room

from spaceland.files import encode_jpeg, encode_png
from spaceland.geometry.camera import PinholeCamera
from spaceland.scenes.ply import write_ply

DEPTH_SIZE = (80, 60)
_R_CAM_SIDEWAYS = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
_PALETTE = 32


def write_scan(folder: Path, *, zipped: bool = False, texture: bool = True) -> Path:
    """Write `folder`, whose name is the scan id."""
    room = sample_room()
    assert room.surface is not None and room.surface.object_ids is not None and room.surface.faces is not None
    folder.mkdir(parents=True)
    # Object ids start at 1 there; 0 means unlabelled.
    ids = (room.surface.object_ids + 1).astype(np.uint16)
    labels = np.stack([ids * 20 % 256] * 3, -1).astype(np.uint8)
    extra = {"objectId": ids, "globalId": ids, "NYU40": ids.astype(np.uint8)}
    faces = room.surface.faces
    write_ply(folder / "labels.instances.annotated.v2.ply", room.surface.vertices, labels, faces, extra)
    groups = [
        {"id": thing.id + 1, "objectId": thing.id + 1, "label": thing.raw_label, "segments": [1], "obb": obb(thing)}
        for thing in room.objects
    ]
    (folder / "semseg.v2.json").write_text(json.dumps({"scan_id": folder.name, "segGroups": groups}))
    if texture:
        write_textured(folder)
    files = sequence_files()
    if zipped:
        with zipfile.ZipFile(folder / "sequence.zip", "w") as archive:
            for name, data in files.items():
                archive.writestr(name, data)
    else:
        (folder / "sequence").mkdir()
        for name, data in files.items():
            (folder / "sequence" / name).write_bytes(data)
    return folder


def write_textured(folder: Path) -> None:
    """The OBJ: a texture of 32 x 32 squares of 4 pixels, and for each vertex the square of its number."""
    surface = sample_room().surface
    assert surface is not None and surface.faces is not None
    lines = ["mtllib mesh.refined.mtl"]
    lines += [f"v {x!r} {y!r} {z!r}" for x, y, z in surface.vertices.tolist()]
    n = _PALETTE
    lines += [f"vt {(k % n + 0.5) / n!r} {1 - (k // n + 0.5) / n!r}" for k in range(n * n)]
    square = texture_square(np.arange(len(surface.vertices))) + 1
    lines += [f"f {' '.join(f'{v + 1}/{square[v]}/{v + 1}' for v in face)}" for face in surface.faces.tolist()]
    (folder / "mesh.refined.v2.obj").write_text("\n".join(lines) + "\n")
    (folder / "mesh.refined.mtl").write_text("newmtl material\nmap_Kd mesh.refined_0.png\n")
    image = np.repeat(np.repeat(palette().reshape(n, n, 3), 4, 0), 4, 1)
    (folder / "mesh.refined_0.png").write_bytes(encode_png(image))


def palette() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (_PALETTE * _PALETTE, 3)).astype(np.uint8)


def texture_square(vertex: np.ndarray) -> np.ndarray:
    return vertex % (_PALETTE * _PALETTE)


def sequence_files() -> dict[str, bytes]:
    """All files of a sequence, by name."""
    small = CAMERA.scaled(*DEPTH_SIZE)
    files = {"_info.txt": _info(_sideways(CAMERA), _sideways(small)).encode()}
    for k, T in enumerate(poses()):
        pose = T.copy()
        pose[:3, :3] = pose[:3, :3] @ _R_CAM_SIDEWAYS
        files[f"frame-{k:06d}.color.jpg"] = encode_jpeg(np.rot90(picture(k, CAMERA)[0], -1).copy())
        files[f"frame-{k:06d}.depth.pgm"] = pgm(np.rot90(millimetres(picture(k, small)[1]), -1))
        files[f"frame-{k:06d}.pose.txt"] = matrix(pose).encode()
    return files


def pgm(counts: np.ndarray) -> bytes:
    return b"P5\n# made by a phone\n%d %d\n4000\n" % counts.shape[::-1] + counts.astype(">u2").tobytes()


def matrix(values: np.ndarray) -> str:
    return "".join(" ".join(repr(float(v)) for v in row) + "\n" for row in values)


def _sideways(camera: PinholeCamera) -> PinholeCamera:
    """The camera of the picture turned a quarter clockwise."""
    cx = camera.height - camera.cy
    return PinholeCamera(camera.height, camera.width, camera.fy, camera.fx, cx, camera.cx)


def _info(color: PinholeCamera, depth: PinholeCamera) -> str:
    lines = ["m_versionNumber = 4", "m_sensorName = Phone", "m_depthShift = 1000"]
    for name, camera in (("Color", color), ("Depth", depth)):
        lines += [f"m_{name.lower()}Width = {camera.width}", f"m_{name.lower()}Height = {camera.height}"]
        K = f"{camera.fx} 0 {camera.cx - 0.5} 0 0 {camera.fy} {camera.cy - 0.5} 0 0 0 1 0 0 0 0 1"
        lines += [
            f"m_calibration{name}Intrinsic = {K}",
            f"m_calibration{name}Extrinsic = 1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1",
        ]
    return "\n".join([*lines, f"m_frames.size = {len(poses())}"]) + "\n"
