"""Writes a `Scene` in Matterport3D's layout: region 1 of a house whose region 0 has a panorama and a box of its own.

The first half of the frames stands in region 1, the rest in region 0. Triangles of object k are segments 10 k + 1 and
10 k + 2 of the region's mesh, everything else is segment 0, which belongs to nothing.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from spaceland.files import encode_jpeg, encode_png
from spaceland.scenes.scene import Scene

SCAN = "17DRP5sb8fy"
PANORAMAS = ("aa" * 16, "bb" * 16)  # in region 1, in region 0
OFFSET = 40  # objects of region 1 are 40, 41, ... in the house
GL_FROM_CV = np.diag([1.0, -1.0, -1.0, 1.0])


def write_matterport3d(scene: Scene, root: Path) -> Path:
    """Write `root/17DRP5sb8fy` and return it."""
    folder = root / SCAN
    for name in ("undistorted_camera_parameters", "undistorted_color_images", "undistorted_depth_images"):
        (folder / name).mkdir(parents=True)
    (folder / "house_segmentations").mkdir()
    (folder / "region_segmentations").mkdir()
    camera = scene.frames[0].camera
    # Rows count from the bottom left, pixel centres at whole numbers.
    cx, cy = camera.cx - 0.5, camera.height - 1 - (camera.cy - 0.5)
    lines = ["dataset matterport", f"n_images {len(scene.frames)}", "depth_directory undistorted_depth_images"]
    lines += ["color_directory undistorted_color_images", ""]
    lines += [f"intrinsics_matrix {camera.fx!r} 0 {cx!r}  0 {camera.fy!r} {cy!r}  0 0 1"]
    for number, frame in enumerate(scene.frames):
        assert frame.depth is not None
        depth, color = (f"{image_name(number, len(scene.frames), kind)}" for kind in ("d", "i"))
        (folder / "undistorted_color_images" / f"{color}.jpg").write_bytes(encode_jpeg(frame.color()))
        counts = np.rint(frame.depth() * 4000).astype(np.uint16)
        (folder / "undistorted_depth_images" / f"{depth}.png").write_bytes(encode_png(counts))
        lines.append(f"scan {depth}.png {color}.jpg {_words(frame.T_world_cam @ GL_FROM_CV)}")
    (folder / "undistorted_camera_parameters" / f"{SCAN}.conf").write_text("\n".join(lines) + "\n")
    (folder / "house_segmentations" / f"{SCAN}.house").write_text(house_text(scene))
    write_mesh(scene, folder / "region_segmentations" / "region1", 0)
    write_mesh(scene, folder / "house_segmentations" / SCAN, 1_000_000)
    return folder


def image_name(number: int, count: int, kind: str) -> str:
    return f"{PANORAMAS[number >= count // 2]}_{kind}{number % 3}_{number // 3}"


def house_text(scene: Scene) -> str:
    """The .house file, with the box of another room's chair as object 3 of region 0."""
    assert scene.room is not None and scene.surface is not None
    low, high = scene.surface.vertices.min(0), scene.surface.vertices.max(0)
    bounds = f"{_words(low)} {_words(high)}"
    camera, labels = scene.frames[0].camera, sorted({thing.label for thing in scene.objects})
    num = len(scene.objects) + 1
    lines = ["ASCII 1.1", f"H {SCAN} - {len(scene.frames)} 2 4 1 0 {num} {len(labels) + 1} 2 0 1  0 0 0 0 0  {bounds}"]
    lines += [f"L 0 2 -  0 0 0  {bounds}  0 0 0 0 0"]
    lines += [
        f"R 0 0 0 0 k  0 0 0  {bounds}  2.5  0 0 0 0",
        f"R 1 0 0 0 b  0 0 0  {bounds}  {scene.room.height_m}  0 0 0 0",
    ]
    lines += [f"P {PANORAMAS[1]}  0 0 0  0 0 0  0 0 0 0 0", f"P {PANORAMAS[0]}  1 1 0  0 0 0  0 0 0 0 0"]
    lines += [f"S 0 1 0 -  0 0 0  0 0 1  {bounds}  0 0 0 0 0"]
    for k, xy in enumerate(scene.room.floor_polygon):
        lines.append(f"V {k} 0 -  {_words([*xy, scene.room.floor_z_m])}  0 0 1  0 0 0")
    size = f"{camera.width} {camera.height}"
    lines.append(f"I 0 0 {PANORAMAS[1]} 0 0  {_words(np.eye(4))}  {_words(np.eye(3))}  {size}  0 0 0  0 0 0 0 0")
    lines.append("C 0 1 dining#chair 3 chair 0 0 0 0 0")
    lines += [f"C {k + 1} {k + 2} {raw_name(label)} 9 some_{k} 0 0 0 0 0" for k, label in enumerate(labels)]
    lines.append("O 3 0 0  9 9 1  1 0 0  0 1 0  0.2 0.3 0.4  0 0 0 0 0 0 0 0")
    for thing in scene.objects:
        axes = _words(thing.box.rotation.T[:2] * 1.0001)  # files hold few digits
        numbers = f"{_words(thing.box.center)}  {axes}  {_words(thing.box.size / 2)}"
        lines.append(f"O {thing.id + OFFSET} 1 {labels.index(thing.label) + 1}  {numbers}  0 0 0 0 0 0 0 0")
    for thing in scene.objects:
        for part in (1, 2):
            segment = 1_000_000 + thing.id * 10 + part
            lines.append(f"E {thing.id * 2 + part} {thing.id + OFFSET} {segment} 1.0  0 0 0  {bounds}  0 0 0 0 0")
    lines.append("E 99 3 11 1.0  0 0 0  0 0 0 1 1 1  0 0 0 0 0")  # segment 11 of region 0 is the chair's
    return "\n".join(lines) + "\n"


def raw_name(label: str) -> str:
    return f"big#{label.replace(' ', '#')}"


def write_mesh(scene: Scene, stem: Path, offset: int) -> None:
    """<stem>.ply as the dataset writes it, with three numbers more in each face, and <stem>.fsegs.json."""
    surface = scene.surface
    assert surface is not None and surface.faces is not None and surface.object_ids is not None
    corners = surface.object_ids[surface.faces]
    owner = np.where((corners == corners[:, :1]).all(1), corners[:, 0], -1)
    segments = np.where(owner >= 0, owner * 10 + 1 + np.arange(len(owner)) % 2 + offset, 0)
    stem.with_name(f"{stem.name}.fsegs.json").write_text(json.dumps({"segIndices": segments.tolist()}))
    header = ["ply", "format binary_little_endian 1.0", f"element vertex {len(surface.vertices)}"]
    header += [f"property float {axis}" for axis in "xyz"] + [f"property uchar {c}" for c in ("red", "green", "blue")]
    header += [f"element face {len(surface.faces)}", "property list uchar int vertex_indices"]
    header += [f"property int {name}_id" for name in ("material", "segment", "category")]
    vertices = np.zeros(len(surface.vertices), np.dtype([("p", "<f4", 3), ("c", "u1", 3)]))
    vertices["p"], vertices["c"] = surface.vertices, 128 if surface.colors is None else surface.colors
    faces = np.zeros(len(surface.faces), np.dtype([("n", "u1"), ("v", "<i4", 3), ("more", "<i4", 3)]))
    faces["n"], faces["v"] = 3, surface.faces
    body = vertices.tobytes() + faces.tobytes()
    stem.with_name(f"{stem.name}.ply").write_bytes("\n".join([*header, "end_header\n"]).encode() + body)


def _words(values: object) -> str:
    return " ".join(repr(float(value)) for value in np.asarray(values, float).ravel())
