"""Intrinsics files that RGB-D folders come with."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spaceland.errors import SceneError
from spaceland.files import read_json


@dataclass(frozen=True)
class Intrinsics:
    """fx, fy, cx, cy in pixels whose centres are whole numbers (as calibration files count). fy may be negative."""

    fx: float
    fy: float
    cx: float
    cy: float

    def matrix(self) -> np.ndarray:
        return np.array([[self.fx, 0.0, self.cx], [0.0, self.fy, self.cy], [0.0, 0.0, 1.0]])


@dataclass(frozen=True)
class Calibration:
    """What a file in the folder says; `depth_scale` counts to the metre, `name` is the file's name."""

    intrinsics: Intrinsics
    depth_scale: float | None
    name: str


def find_calibration(folder: Path) -> Calibration | None:
    """The intrinsics file in the folder or the one above it, or None.

    Known are camera-intrinsics.txt (3x3, 7-Scenes and 3DMatch), cam_params.json (Replica) and Open3D's intrinsic.json.

    Raises:
        SceneError: there is one but it cannot be understood.
    """
    readers = {
        "camera-intrinsics.txt": _matrix_file,
        "cam_params.json": _replica_file,
        "intrinsic.json": _open3d_file,
        "camera_intrinsic.json": _open3d_file,
    }
    for place in (folder, folder.resolve().parent):
        for name, reader in readers.items():
            if (place / name).is_file():
                try:
                    return reader(place / name)
                except (KeyError, TypeError, ValueError, IndexError) as error:
                    raise SceneError(
                        f"{place / name} is not an intrinsics file as expected ({type(error).__name__}: {error}); "
                        "repair it, or remove it and give fx, fy, cx, cy as options"
                    ) from error
    return None


def _matrix_file(path: Path) -> Calibration:
    K = np.array([float(word) for word in path.read_text().split()]).reshape(3, -1)
    return Calibration(Intrinsics(K[0, 0], K[1, 1], K[0, 2], K[1, 2]), None, path.name)


def _replica_file(path: Path) -> Calibration:
    camera = read_json(path)["camera"]
    numbers = (float(camera[name]) for name in ("fx", "fy", "cx", "cy"))
    return Calibration(Intrinsics(*numbers), float(camera["scale"]), path.name)


def _open3d_file(path: Path) -> Calibration:
    content = json.loads(path.read_text())
    m = [float(v) for v in content.get("intrinsic_matrix", content.get("intrinsic", {}).get("intrinsic_matrix"))]
    return Calibration(Intrinsics(m[0], m[4], m[6], m[7]), None, path.name)  # column by column
