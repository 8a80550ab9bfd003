"""Writes the sample room in ScanNet++'s layout, with each of the forms that its files can have."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import numpy as np
from dataset_room import CAMERA, NUM_FRAMES, look, millimetres, obb, picture, poses, sample_room
from scipy.spatial.transform import Rotation

from spaceland.files import encode_jpeg, encode_png
from spaceland.geometry.camera import PinholeCamera
from spaceland.geometry.transforms import invert_rigid
from spaceland.scenes.lens import Lens
from spaceland.scenes.ply import write_ply

PHONE_LENS = Lens("OPENCV", 160, 120, 134.0, 133.0, 81.0, 58.5, (0.09, -0.08, 0.001, -0.002))
FISHEYE = Lens("OPENCV_FISHEYE", 160, 106, 72.0, 72.0, 80.5, 52.0, (-0.03, -0.006, 0.001, -0.0005))
EVERY = 10
"""The phone's frames 0, 10, 20 ... are the room's frames 0, 1, 2 ..."""

_AXES = np.array([[0.0, 1, 0, 0], [1, 0, 0, 0], [0, 0, -1, 0], [0, 0, 0, 1]])


def write_scene(folder: Path) -> Path:
    """Mesh and annotation of `folder`, whose name is the scene's id."""
    room = sample_room()
    assert room.surface is not None and room.surface.object_ids is not None
    scans = folder / "scans"
    scans.mkdir(parents=True)
    write_ply(scans / "mesh_aligned_0.05.ply", room.surface.vertices, room.surface.colors, room.surface.faces)
    owners = room.surface.object_ids
    segments = np.where(owners >= 0, owners * 10 + 100 + np.arange(len(owners)) % 2, 7)
    (scans / "segments.json").write_text(json.dumps({"sceneId": folder.name, "segIndices": segments.tolist()}))
    groups = [
        {
            "id": thing.id,
            "objectId": thing.id,
            "label": thing.raw_label,
            "segments": [thing.id * 10 + 100, thing.id * 10 + 101],
            "obb": obb(thing),
        }
        for thing in room.objects
    ]
    (scans / "segments_anno.json").write_text(json.dumps({"sceneId": folder.name, "segGroups": groups}))
    return folder


def write_iphone(folder: Path, *, depth: str = "png", colmap: bool = False, scale: float = 1.0) -> None:
    """The phone's stream: JPEG frames, depth as images or as one of the forms of depth.bin, ARKit or COLMAP poses."""
    phone = folder / "iphone"
    (phone / "rgb").mkdir(parents=True)
    small = CAMERA.scaled(256, 192)
    lens, small_lens = PHONE_LENS, PHONE_LENS.scaled(256, 192)
    K = np.array([[CAMERA.fx * 12, 0, CAMERA.cx * 12 - 0.5], [0, CAMERA.fy * 12, CAMERA.cy * 12 - 0.5], [0, 0, 1]])
    entries, depths = {}, []
    for k, T in enumerate(poses()):
        name = f"frame_{k * EVERY:06d}"
        color = look(T, rays_of(lens))[0] if colmap else picture(k, CAMERA)[0]
        depths.append(look(T, rays_of(small_lens))[1] if colmap else picture(k, small)[1])
        (phone / "rgb" / f"{name}.jpg").write_bytes(encode_jpeg(color))
        pose = T.copy()
        pose[:3, :3] *= scale
        entries[name] = {
            "timestamp": 100.0 + k,
            "pose": np.eye(4).tolist(),
            "aligned_pose": pose.tolist(),
            "intrinsic": K.tolist(),
        }
    (phone / "pose_intrinsic_imu.json").write_text(json.dumps(entries))
    if depth == "png":
        (phone / "depth").mkdir()
        for k, image in enumerate(depths):
            (phone / "depth" / f"frame_{k * EVERY:06d}.png").write_bytes(encode_png(millimetres(image)))
    else:
        (phone / "depth.bin").write_bytes(
            depth_bin([depths[k // EVERY] for k in range((NUM_FRAMES - 1) * EVERY + 1)], depth)
        )
    if colmap:
        write_colmap(phone / "colmap", lens, [f"frame_{k * EVERY:06d}.jpg" for k in range(NUM_FRAMES)])


def depth_bin(depths: list[np.ndarray], form: str) -> bytes:
    """Depth images as one deflate stream, or frame by frame in deflate or LZ4."""
    metres = [depth.astype("<f4").tobytes() for depth in depths]
    if form == "stream":
        return deflate(b"".join(metres))
    counts = [millimetres(depth).astype("<u2").tobytes() for depth in depths]
    frames = [deflate(data) for data in metres] if form == "deflate" else [lz4(data) for data in counts]
    return b"".join(len(data).to_bytes(4, "little") + data for data in frames)


def deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(1, wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


def lz4(data: bytes) -> bytes:
    """A block of literals, with one copy of what stands right before it wherever 20 bytes or more repeat at once."""
    words = np.frombuffer(data, "<u2")
    starts = np.flatnonzero(np.diff(words, prepend=words[0] ^ 1) != 0)
    runs = [
        (s, e) for s, e in zip(starts, [*starts[1:], len(words)], strict=True) if e - s > 10 and e < len(words) - 12
    ]
    result, done = bytearray(), 0
    for start, end in [*runs, (len(words), None)]:
        literal = data[2 * done : 2 * (start + 1)]
        match = 2 * (end - start - 1) - 4 if end is not None else None
        result.append(min(len(literal), 15) << 4 | (0 if match is None else min(match, 15)))
        result += _length(len(literal)) + literal
        if match is not None:
            result += b"\2\0" + _length(match)
            done = end
    return bytes(result)


def _length(value: int) -> bytes:
    return b"" if value < 15 else b"\xff" * ((value - 15) // 255) + bytes([(value - 15) % 255])


def write_dslr(folder: Path, *, undistorted: bool = False, colmap: bool = True) -> None:
    """The photos: fisheye, or straightened ones with a file of their own."""
    dslr = folder / "dslr"
    images = dslr / ("resized_undistorted_images" if undistorted else "resized_images")
    images.mkdir(parents=True)
    names = [f"DSC{k + 1:05d}.JPG" for k in range(NUM_FRAMES)]
    for k, name in enumerate(names):
        color = picture(k, CAMERA)[0] if undistorted else look(poses()[k], rays_of(FISHEYE))[0]
        (images / name).write_bytes(encode_jpeg(color))
    if colmap:
        write_colmap(dslr / "colmap", FISHEYE, names)
    (dslr / "nerfstudio").mkdir()
    k1, k2, k3, k4 = (0.0,) * 4 if undistorted else FISHEYE.coefficients
    lens: Lens | PinholeCamera = CAMERA if undistorted else FISHEYE
    frames = [
        {"file_path": name, "transform_matrix": (_AXES @ T @ np.diag([1, -1, -1, 1])).tolist(), "is_bad": False}
        for name, T in zip(names, poses(), strict=True)
    ]
    content = {
        "camera_model": "PINHOLE" if undistorted else "OPENCV_FISHEYE",
        **{"w": lens.width, "h": lens.height, "fl_x": lens.fx, "fl_y": lens.fy, "cx": lens.cx, "cy": lens.cy},
        **{"k1": k1, "k2": k2, "k3": k3, "k4": k4},
        "frames": frames[:-1],
        "test_frames": frames[-1:],
    }
    name = "transforms_undistorted.json" if undistorted else "transforms.json"
    (dslr / "nerfstudio" / name).write_text(json.dumps(content))


def write_colmap(folder: Path, lens: Lens, names: list[str]) -> None:
    folder.mkdir()
    numbers = (lens.width, lens.height, lens.fx, lens.fy, lens.cx, lens.cy, *lens.coefficients)
    (folder / "cameras.txt").write_text(f"# Camera list\n1 {lens.model} {' '.join(str(v) for v in numbers)}\n")
    lines = ["# Image list with two lines of data per image:"]
    for k, (name, T) in enumerate(zip(names, poses(), strict=True)):
        T_cam_world = invert_rigid(T)
        x, y, z, w = Rotation.from_matrix(T_cam_world[:3, :3]).as_quat()
        values = " ".join(repr(float(v)) for v in (w, x, y, z, *T_cam_world[:3, 3]))
        lines += [f"{k + 1} {values} 1 {name}", "" if k % 2 else "10.5 20.5 -1"]
    (folder / "images.txt").write_text("\n".join(lines) + "\n")


def rays_of(lens: Lens) -> np.ndarray:
    u, v = np.meshgrid(np.arange(lens.width) + 0.5, np.arange(lens.height) + 0.5)
    return lens.unproject(np.stack([u, v], -1))
