"""Writes a sample room's frames as phone apps do, in ARKit's world (y up, turned, shifted), and as posed pictures."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import av
import numpy as np

from spaceland.files import encode_jpeg, encode_png
from spaceland.geometry.transforms import from_rotation_translation, rotation_z
from spaceland.scenes.ply import write_ply
from spaceland.scenes.scene import Scene

GL = np.diag([1.0, -1.0, -1.0, 1.0])
Y_UP = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
"""(x, y, z) with z up to (x, z, -y) with y up."""
MOVED = from_rotation_translation(rotation_z(0.7), np.array([0.4, -1.2, -1.35]))
T_FILE_WORLD = Y_UP @ MOVED
"""The phone stood 1.35 m above the floor when the recording began, turned by 40 degrees."""


def file_poses(scene: Scene, camera_axes: np.ndarray = GL) -> list[np.ndarray]:
    return [T_FILE_WORLD @ frame.T_world_cam @ camera_axes for frame in scene.frames]


def quaternion(pose: np.ndarray) -> list[float]:
    """x, y, z, w."""
    from scipy.spatial.transform import Rotation

    return Rotation.from_matrix(pose[:3, :3]).as_quat().tolist()


def write_record3d(scene: Scene, path: Path, *, packed: bool = True, old: bool = False) -> Path:
    """A .r3d archive, or its unpacked folder; `old` leaves out what older versions do not write."""
    import liblzfse

    camera = scene.frames[0].camera
    K = np.array([[camera.fx, 0, camera.cx], [0, camera.fy, camera.cy], [0, 0, 1]])
    poses = [[*quaternion(pose), *pose[:3, 3].tolist()] for pose in file_poses(scene)]
    data = {"w": camera.width, "h": camera.height, "K": K.T.ravel().tolist(), "fps": 30, "poses": poses}
    depth = scene.frames[0].depth()
    if not old:
        own = [camera.fx, camera.fy, camera.cx, camera.cy]
        data.update(
            dw=depth.shape[1],
            dh=depth.shape[0],
            perFrameIntrinsicCoeffs=[own] * len(poses),
            frameTimestamps=[k / 30 for k in range(len(poses))],
        )
    files = {"metadata": json.dumps(data).encode()}
    for k, frame in enumerate(scene.frames):
        metres = frame.depth().astype("<f4").copy()
        metres[metres == 0] = np.nan
        confidence = np.full(metres.shape, 2, np.uint8)
        confidence[:, : metres.shape[1] // 4] = 0
        files[f"rgbd/{k}.jpg"] = encode_jpeg(frame.color())
        files[f"rgbd/{k}.depth"] = liblzfse.compress(metres.tobytes())
        files[f"rgbd/{k}.conf"] = liblzfse.compress(confidence.tobytes())
    if packed:
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        return path
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def write_stray(scene: Scene, folder: Path, *, old: bool = False) -> Path:
    """Stray Scanner: its poses have OpenCV camera axes. `old`: odometry without timestamp and frame number."""
    (folder / "depth").mkdir(parents=True)
    (folder / "confidence").mkdir()
    camera = scene.frames[0].camera
    with av.open(str(folder / "rgb.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = camera.width, camera.height, "yuv444p"
        stream.options = {"crf": "4"}
        for frame in scene.frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame.color(), format="rgb24")))
        container.mux(stream.encode())
    rows = [[camera.fx, 0, camera.cx - 0.5], [0, camera.fy, camera.cy - 0.5], [0, 0, 1]]
    (folder / "camera_matrix.csv").write_text("".join(", ".join(map(repr, row)) + "\n" for row in rows))
    lines = [] if old else ["timestamp, frame, x, y, z, qx, qy, qz, qw"]
    for k, pose in enumerate(file_poses(scene, np.eye(4))):
        values = ", ".join(repr(float(v)) for v in (*pose[:3, 3], *quaternion(pose)))
        lines.append(values if old else f"{100 + k / 30}, {k:06d}, {values}")
    (folder / "odometry.csv").write_text("\n".join(lines) + "\n")
    for k, frame in enumerate(scene.frames):
        depth = np.rint(1000 * frame.depth()).astype(np.uint16)
        confidence = np.full(depth.shape, 2, np.uint8)
        confidence[:, : depth.shape[1] // 4] = 0
        (folder / f"depth/{k:06d}.png").write_bytes(encode_png(depth))
        (folder / f"confidence/{k:06d}.png").write_bytes(encode_png(confidence))
    return folder


def write_polycam(scene: Scene, folder: Path, *, corrected: bool = False) -> Path:
    """Polycam's raw data; with `corrected`, the uncorrected poses are far off."""
    for name, off in (("", 5.0 if corrected else 0.0), *((("corrected_", 0.0),) if corrected else ())):
        for kind in (f"{name}images", f"{name}cameras", "depth"):
            (folder / "keyframes" / kind).mkdir(parents=True, exist_ok=True)
        for k, (frame, pose) in enumerate(zip(scene.frames, file_poses(scene), strict=True)):
            stem, camera = str(1000 + 10 * k), frame.camera
            record = {f"t_{r}{c}": float(pose[r, c]) + (off if c == 3 else 0) for r in range(3) for c in range(4)}
            record.update(fx=camera.fx, fy=camera.fy, cx=camera.cx, cy=camera.cy)
            record.update(width=camera.width, height=camera.height, timestamp=10**6 * k, blur_score=120.0)
            (folder / f"keyframes/{name}cameras/{stem}.json").write_text(json.dumps(record))
            (folder / f"keyframes/{name}images/{stem}.jpg").write_bytes(encode_jpeg(frame.color()))
            counts = np.rint(1000 * frame.depth()).astype(np.uint16)
            (folder / f"keyframes/depth/{stem}.png").write_bytes(encode_png(counts))
    (folder / "mesh_info.json").write_text("{}")
    return folder


def write_transforms(scene: Scene, folder: Path, *, depth: bool = True, mesh: bool = False) -> Path:
    """nerfstudio's transforms.json in a world with z up."""
    (folder / "images").mkdir(parents=True)
    camera = scene.frames[0].camera
    data = {"camera_model": "OPENCV", "fl_x": camera.fx, "fl_y": camera.fy, "cx": camera.cx, "cy": camera.cy,
            "w": camera.width, "h": camera.height, "frames": []}  # fmt: skip
    for frame in scene.frames:
        (folder / f"images/{frame.id}.png").write_bytes(encode_png(frame.color()))
        entry = {"file_path": f"images/{frame.id}.png", "transform_matrix": (frame.T_world_cam @ GL).tolist()}
        if depth:
            counts = np.rint(1000 * frame.depth()).astype(np.uint16)
            (folder / f"images/{frame.id}_depth.png").write_bytes(encode_png(counts))
            entry["depth_file_path"] = f"images/{frame.id}_depth.png"
        data["frames"].append(entry)
    (folder / "transforms.json").write_text(json.dumps(data))
    if mesh:
        surface = scene.surface
        write_ply(folder / "mesh.ply", surface.vertices, surface.colors, surface.faces)
    return folder


def write_colmap(scene: Scene, folder: Path, *, unit_m: float = 0.5) -> Path:
    """COLMAP's text model in units of half a metre, with y down as structure from motion leaves it."""
    from spaceland.geometry.transforms import invert_rigid

    (folder / "sparse/0").mkdir(parents=True)
    (folder / "images").mkdir()
    camera = scene.frames[0].camera
    (folder / "sparse/0/cameras.txt").write_text(
        f"# cameras\n1 PINHOLE {camera.width} {camera.height} {camera.fx} {camera.fy} {camera.cx} {camera.cy}\n"
    )
    lines = ["# images"]
    for k, frame in enumerate(scene.frames):
        pose = frame.T_world_cam.copy()
        pose[:3, 3] /= unit_m
        T_cam_world = invert_rigid(pose)
        x, y, z, w = quaternion(T_cam_world)
        numbers = " ".join(repr(float(v)) for v in (w, x, y, z, *T_cam_world[:3, 3]))
        lines += [f"{k + 1} {numbers} 1 {frame.id}.png", "10.5 20.5 -1"]
        (folder / f"images/{frame.id}.png").write_bytes(encode_png(frame.color()))
    (folder / "sparse/0/images.txt").write_text("\n".join(lines) + "\n")
    return folder
