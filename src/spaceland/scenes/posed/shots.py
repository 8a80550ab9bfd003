"""Pictures with poses as two common layouts store them.

transforms.json          nerfstudio, instant-ngp: intrinsics for all or for each, `frames` with `file_path`,
                         `transform_matrix` (camera to world, OpenGL camera axes), perhaps `depth_file_path`
cameras.txt, images.txt  COLMAP text model in the folder, sparse/, sparse/0/ or colmap/sparse/0/; pictures in images/
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from spaceland.errors import SceneError
from spaceland.files import read_json
from spaceland.scenes.colmap import read_colmap
from spaceland.scenes.images import image_size
from spaceland.scenes.lens import Lens
from spaceland.scenes.phone.arkit import OPENGL_CAMERA

_MODELS = ("sparse/0", "sparse", "colmap/sparse/0", ".")
_SUFFIXES = ("", ".png", ".jpg", ".jpeg")


@dataclass(frozen=True, eq=False)
class Shot:
    """A picture with its lens and pose (`T_world_cam`, OpenCV axes, the file's world and unit)."""

    id: str
    color: Path
    lens: Lens
    T_world_cam: Float[np.ndarray, "4 4"]
    depth: Path | None = None


def layout_of(folder: Path) -> str | None:
    """Name of the folder's layout."""
    if (folder / "transforms.json").is_file():
        return "transforms"
    return "colmap" if _model_of(folder) is not None and _pictures_of(folder) is not None else None


def read_shots(folder: Path) -> list[Shot]:
    """All posed pictures of a folder in order.

    Raises:
        SceneError: a file is missing or damaged, or the folder has neither layout.
    """
    layout = layout_of(folder)
    if layout == "transforms":
        return _transforms(folder)
    if layout == "colmap":
        return _colmap(folder)
    raise SceneError(f"{folder} has neither transforms.json nor a COLMAP text model with images/")


def _model_of(folder: Path) -> Path | None:
    return next((folder / name for name in _MODELS if (folder / name / "images.txt").is_file()), None)


def _pictures_of(folder: Path) -> Path | None:
    return next((folder / name for name in ("images", "color", "rgb") if (folder / name).is_dir()), None)


def _colmap(folder: Path) -> list[Shot]:
    model, pictures = _model_of(folder), _pictures_of(folder)
    assert model is not None and pictures is not None
    found = read_colmap(model)
    if not found:
        raise SceneError(f"{model / 'images.txt'} lists no pictures")
    return [
        Shot(Path(name).stem, pictures / name, image.lens.scaled(*image_size(pictures / name)), image.T_world_cam)
        for name, image in found.items()
    ]


def _transforms(folder: Path) -> list[Shot]:
    path = folder / "transforms.json"
    data = read_json(path)
    try:
        entries = list(data["frames"])
        shots = []
        for entry in entries:
            color = _inside(folder, str(entry["file_path"]))
            pose = np.array(entry["transform_matrix"], dtype=float)
            if pose.shape == (3, 4):
                pose = np.vstack([pose, [0, 0, 0, 1]])
            if pose.shape != (4, 4):
                raise ValueError(f"transform_matrix of {color.name} is {pose.shape}, expected 4x4")
            depth = entry.get("depth_file_path")
            shots.append(
                Shot(
                    color.stem,
                    color,
                    _lens({**data, **entry}, color),
                    pose @ OPENGL_CAMERA,
                    None if depth is None else _inside(folder, str(depth)),
                )
            )
        return shots
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SceneError(f"{path} is not what nerfstudio writes ({type(error).__name__}: {error})") from error


def _inside(folder: Path, name: str) -> Path:
    """A file of the folder; extensions may be left out, as instant-ngp does."""
    for suffix in _SUFFIXES:
        path = folder / (name + suffix)
        if path.is_file():
            if folder.resolve() not in path.resolve().parents:
                raise SceneError(f"{folder / 'transforms.json'} names {name}, which lies outside of the folder")
            return path
    raise SceneError(f"missing file: {folder / name}")


def _lens(record: Mapping[str, Any], color: Path) -> Lens:
    size = image_size(color)
    width, height = int(record.get("w", size[0])), int(record.get("h", size[1]))
    if "fl_x" in record:
        fx = float(record["fl_x"])
    else:
        fx = width / 2 / math.tan(float(record["camera_angle_x"]) / 2)
    fy = float(record.get("fl_y", fx))
    cx, cy = float(record.get("cx", width / 2)), float(record.get("cy", height / 2))
    fisheye = record.get("camera_model") in ("OPENCV_FISHEYE", "fisheye")
    names = ("k1", "k2", "k3", "k4") if fisheye else ("k1", "k2", "p1", "p2")
    bends = [float(record.get(name) or 0.0) for name in names]
    model = "OPENCV_FISHEYE" if fisheye else "OPENCV" if any(bends) else "PINHOLE"
    coefficients = () if model == "PINHOLE" else tuple(bends)
    return Lens(model, width, height, fx, fy, cx, cy, coefficients).scaled(*size)
