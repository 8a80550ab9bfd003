"""OBJ meshes with a texture, as far as scans need them: vertices, triangles, and a colour for each vertex.

    v x y z              vt u v (v upwards)              f 1/1/1 2/2/2 3/3/3            mtllib, map_Kd name.png

A vertex takes the colour of the texture at the first corner that uses it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int, UInt8

from spaceland.errors import SceneError
from spaceland.files import read_image


@dataclass(frozen=True, eq=False)
class Obj:
    """`colors` is None without a texture file, or when faces do not refer to it."""

    vertices: Float[np.ndarray, "n 3"]
    faces: Int[np.ndarray, "m 3"]
    colors: UInt8[np.ndarray, "n 3"] | None


def read_obj(path: Path) -> Obj:
    """Read an OBJ file and the texture that its material names (only a plain name in the same folder is followed).

    Raises:
        SceneError: missing, damaged, or with faces that name vertices that do not exist.
    """
    vertices: list[list[float]] = []
    places: list[list[float]] = []
    corners: list[list[str]] = []
    library = None
    for number, line in enumerate(_lines(path), 1):
        words = line.split()
        try:
            match words[:1]:
                case ["v"]:
                    vertices.append([float(word) for word in words[1:4]])
                case ["vt"]:
                    places.append([float(word) for word in words[1:3]])
                case ["f"]:
                    corners += [[words[1], words[k], words[k + 1]] for k in range(2, len(words) - 1)]
                case ["mtllib"]:
                    library = path.parent / Path(" ".join(words[1:])).name
        except ValueError:
            raise SceneError(f"{path}, line {number}: not understood: '{line[:60]}'; is it truncated?") from None
    try:
        points = np.array(vertices, dtype=float).reshape(-1, 3)
        uv = np.array(places, dtype=float).reshape(-1, 2)
        parts = [corner.split("/") for triangle in corners for corner in triangle]
        faces = np.array([int(part[0]) for part in parts], dtype=np.int32).reshape(-1, 3) - 1
        texels = [int(part[1]) - 1 if len(part) > 1 and part[1] else -1 for part in parts]
    except (IndexError, ValueError) as error:
        raise SceneError(f"{path} is not an OBJ mesh as expected ({error}); it may be truncated") from error
    if len(faces) and (faces.min() < 0 or faces.max() >= len(points)):
        raise SceneError(f"{path}: faces name vertices up to {faces.max() + 1}, but there are {len(points)}")
    image = _texture(path, library)
    used = np.array(texels, dtype=np.int64)
    if image is None or len(uv) == 0 or len(used) == 0 or used.min() < 0 or used.max() >= len(uv):
        return Obj(points, faces, None)
    height, width = image.shape[:2]
    column = np.clip((uv[:, 0] * width).astype(int), 0, width - 1)
    row = np.clip(((1.0 - uv[:, 1]) * height).astype(int), 0, height - 1)
    colors = np.full((len(points), 3), 128, dtype=np.uint8)
    colors[faces.ravel()[::-1]] = image[row, column][used[::-1]]
    return Obj(points, faces, colors)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(errors="replace").splitlines()
    except FileNotFoundError:
        raise SceneError(f"missing file: {path}") from None
    except OSError as error:
        raise SceneError(f"cannot read {path}: {error.strerror or error}") from error


def _texture(path: Path, library: Path | None) -> UInt8[np.ndarray, "h w 3"] | None:
    """The image that the material names, else <name up to .v2>_0.png; None when there is none."""
    names = [f"{path.name.removesuffix('.obj').removesuffix('.v2')}_0.png"]
    if library is not None and library.is_file():
        words = [line.split(maxsplit=1) for line in _lines(library)]
        names = [Path(word[1].strip()).name for word in words if len(word) == 2 and word[0] == "map_Kd"] + names
    found = next((path.parent / name for name in names if (path.parent / name).is_file()), None)
    image = read_image(found) if found else None
    return image if image is not None and image.ndim == 3 else None
