"""The CC0 furniture models, and what the generator knows of each: label, front, where things may stand on it.

Model frame: metres, z up, origin in the middle of the footprint on the floor, the front faces -y.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int, UInt8

from spaceland.errors import SceneError
from spaceland.geometry.raycast import RayCaster
from spaceland.scenes.rooms.mesh import Mesh, triangles

ASSETS = Path(__file__).resolve().parents[2] / "assets" / "furniture"
_CELL_M = 0.015
_FAR_M = 10.0

# Shown label where the manifest's category would mislead; the key is the file name without its category.
_LABELS = {
    "armchair_armchair": "chair",
    "bed_babyrockingbed": "baby bed",
    "bookshelf_bookcase": "bookcase",
    "carton_tetrapak": "milk carton",
    "cup_beerglass": "mug",
    "lamp_desklamp": "table lamp",
    "lamp_lamp2": "ceiling lamp",
    "sink_modernvanity": "sink cabinet",
    "sink_sinkcabinet": "sink cabinet",
    "stool_pianobench": "piano bench",
}
# Things that look alike from all sides, or whose front means nothing.
_NO_FRONT = {
    "ball",
    "bottle",
    "box",
    "ceiling lamp",
    "cup",
    "fire extinguisher",
    "milk carton",
    "mug",
    "piano bench",
    "plant",
    "radiator",
    "stool",
    "table",
    "table lamp",
    "towel",
    "trash can",
}
_WITH_FRONT_ANYWAY = {"stool_silla2", "stool_stool"}


@dataclass(frozen=True, eq=False)
class Model:
    """A piece of furniture: triangles with a colour each, in the model frame.

    `has_front` says whether "in front of it" means something. `finished` is the mesh that is shaded (the same surface
    in small triangles, with normals and pictures) where there is one; else it is made when it is needed.
    """

    key: str
    label: str
    vertices: Float[np.ndarray, "n 3"]
    faces: Int[np.ndarray, "m 3"]
    colors: UInt8[np.ndarray, "m 3"]
    has_front: bool
    finished: Mesh | None = None

    @cached_property
    def low(self) -> Float[np.ndarray, "3"]:
        return self.vertices.min(0)

    @cached_property
    def high(self) -> Float[np.ndarray, "3"]:
        return self.vertices.max(0)

    @property
    def size(self) -> Float[np.ndarray, "3"]:
        """Width, depth and height in metres."""
        return self.high - self.low

    @cached_property
    def fine(self) -> Mesh:
        """The mesh that is shaded."""
        if self.finished is not None:
            return self.finished
        return triangles(self.vertices, _turned_outwards(self.vertices, self.faces), self.colors)

    @cached_property
    def samples(self) -> Float[np.ndarray, "k 3"]:
        """Points all over the surface, at most about 5 cm apart."""
        spacing = float(np.clip(np.linalg.norm(self.size) / 40, 0.01, 0.04))
        return surface_points(self.vertices, self.faces, spacing)

    @cached_property
    def heights(self) -> Float[np.ndarray, "nx ny"]:
        """Height of the highest surface over a grid of cells of 1.5 cm that starts at `low`; 0 where there is none."""
        x, y = (np.arange(self.low[k] + _CELL_M / 2, self.high[k], _CELL_M) for k in (0, 1))
        origins = np.stack(np.broadcast_arrays(x[:, None], y[None], _FAR_M), -1)
        hits = RayCaster(self.vertices, self.faces).cast(origins, np.broadcast_to([0.0, 0.0, -1.0], origins.shape))
        return np.where(hits.face >= 0, _FAR_M - hits.distance, 0.0)

    def flat_height(self, corners: Float[np.ndarray, "4 2"], tolerance_m: float = 0.006) -> float | None:
        """Height of the surface under a rectangle (model frame), None where it is not flat or not all there."""
        x, y = (self.low[k] + _CELL_M * (np.arange(self.heights.shape[k]) + 0.5) for k in (0, 1))
        if (corners.min(0) < self.low[:2] - 1e-6).any() or (corners.max(0) > self.high[:2] + 1e-6).any():
            return None
        cells = np.stack(np.meshgrid(x, y, indexing="ij"), -1)
        edge = np.roll(corners, -1, axis=0) - corners
        offset = cells[:, :, None] - corners
        inside = (edge[:, 0] * offset[..., 1] - edge[:, 1] * offset[..., 0] >= -_CELL_M * 0.3).all(-1)
        under = self.heights[inside]
        if len(under) == 0 or np.ptp(under) > tolerance_m or under.min() < 0.1:
            return None
        return float(under.max())


def surface_points(
    vertices: Float[np.ndarray, "n 3"], faces: Int[np.ndarray, "m 3"], spacing_m: float
) -> Float[np.ndarray, "k 3"]:
    """Points spread over triangles by area, at a fixed irregular pattern, one for each cell of a grid."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    total = np.cumsum(np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2)
    count = int(np.ceil(total[-1] / spacing_m**2 * 3))
    index = np.arange(count)
    face = np.minimum(np.searchsorted(total, (index + 0.5) / count * total[-1]), len(faces) - 1)
    s, t = index * 0.7548776662466927 % 1, index * 0.5698402909980532 % 1
    s, t = np.where(s + t > 1, 1 - s, s), np.where(s + t > 1, 1 - t, t)
    points = a[face] + s[:, None] * (b - a)[face] + t[:, None] * (c - a)[face]
    cells = np.floor((points - points.min(0)) / spacing_m).astype(np.int64)
    extent = cells.max(0) + 1
    _, first = np.unique((cells[:, 0] * extent[1] + cells[:, 1]) * extent[2] + cells[:, 2], return_index=True)
    return points[np.sort(first)]


@cache
def manifest() -> dict[str, dict]:
    """Entries of the manifest by key (file name without suffix).

    Raises:
        SceneError: the furniture that comes with the package is missing.
    """
    path = ASSETS / "manifest.json"
    try:
        entries = json.loads(path.read_text())["models"]
    except (OSError, ValueError, KeyError) as error:
        raise SceneError(f"cannot read {path}: {error}; install spaceland again, its furniture is damaged") from error
    return {entry["file"].removesuffix(".npz"): entry for entry in entries}


@lru_cache(maxsize=128)
def model(key: str) -> Model:
    """A model of the CC0 set by its key, such as "chair_thonet".

    Raises:
        SceneError: the model's file is missing or damaged.
    """
    entry = manifest()[key]
    path = ASSETS / entry["file"]
    try:
        with np.load(path, allow_pickle=False) as data:
            vertices = data["vertices"].astype(np.float64)
            faces, colors = data["faces"].astype(np.int64), data["face_colors"]
    except (OSError, ValueError, KeyError) as error:
        raise SceneError(f"cannot read {path}: {error}; install spaceland again, its furniture is damaged") from error
    used = np.unique(faces)
    vertices, faces = vertices[used], np.searchsorted(used, faces)
    vertices = vertices - [0.0, 0.0, vertices[:, 2].min()]
    label = _LABELS.get(key, entry["category"])
    has_front = label not in _NO_FRONT or key in _WITH_FRONT_ANYWAY
    return Model(key, label, vertices, faces, colors, has_front)


def _turned_outwards(vertices: np.ndarray, faces: np.ndarray) -> Int[np.ndarray, "m 3"]:
    """Turn each triangle so that its normal points to the side from which more of the surroundings can be seen.

    Models from many hands are wound either way; shading needs to know which side is looked at. Where that is
    unclear, a model that is wound well is believed; in others such triangles are thin sheets, lit from above.
    """
    corners = vertices[faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-20)
    directions = _sphere(24)
    caster = RayCaster(vertices, faces)
    free = caster.cast(
        corners.mean(1)[:, None] + 1e-3 * directions, np.broadcast_to(directions, (len(faces), 24, 3))
    ).face
    side = normal @ directions.T
    balance = np.where(free < 0, side, 0.0).sum(1) / np.maximum(np.where(free < 0, np.abs(side), 0.0).sum(1), 1e-6)
    clear = np.abs(balance) > 0.35
    consistent = not clear.any() or (balance[clear] > 0).mean() > 0.9
    decided = np.where(clear, balance, 1.0 if consistent else normal @ [0.05, -0.4, 1.0])
    return np.where((decided < 0)[:, None], faces[:, ::-1], faces)


def _sphere(count: int) -> Float[np.ndarray, "k 3"]:
    """Evenly spread unit vectors (a Fibonacci lattice)."""
    k = np.arange(count) + 0.5
    z, angle = 1 - 2 * k / count, np.pi * (1 + 5**0.5) * k
    return np.stack([np.sqrt(1 - z * z) * np.cos(angle), np.sqrt(1 - z * z) * np.sin(angle), z], -1)
