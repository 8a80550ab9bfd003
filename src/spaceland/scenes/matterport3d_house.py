"""The two text files of a Matterport3D scan: the building (`.house`) and its cameras (`.conf`), an entry a line.

Of the `.house` file these are read:

    R region_index level_index 0 0 label  px py pz  xlo ylo zlo xhi yhi zhi  height 0 0 0 0
    P name panorama_index region_index 0  px py pz  0 0 0 0 0
    S surface_index region_index 0 label  px py pz  nx ny nz  xlo ylo zlo xhi yhi zhi  0 0 0 0 0
    V vertex_index surface_index label  px py pz  nx ny nz  0 0 0
    I image_index panorama_index name camera_index yaw_index  16 numbers  9 numbers  width height  px py pz  0 0 0 0 0
    C category_index mapping_index mapping_name mpcat40_index mpcat40_name 0 0 0 0 0
    O object_index region_index category_index  px py pz  a0x a0y a0z  a1x a1y a1z  r0 r1 r2  0 0 0 0 0 0 0 0
    E segment_index object_index id area  px py pz  xlo ylo zlo xhi yhi zhi  0 0 0 0 0

Names have `#` for spaces. Boxes are centre, two axes and half lengths, in metres; the third axis is their cross
product. The `id` of a segment is its number in the region's own mesh plus a million times the region. Vertices of a
region's surface are the outline of its floor. The `.conf` is described in `matterport3d`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float

from spaceland.errors import SceneError
from spaceland.geometry import polygons
from spaceland.geometry.boxes import OrientedBox
from spaceland.scenes.box_objects import box_from_axes
from spaceland.scenes.scene import Room

SEGMENTS_PER_REGION = 1_000_000
_MIN_WORDS = {"R": 16, "P": 4, "S": 3, "V": 7, "I": 33, "C": 6, "O": 16, "E": 4}


@dataclass(frozen=True, eq=False)
class HouseRegion:
    """A room-like part of a building; `label` is a letter (b: bedroom), `low` and `high` [3] bound it."""

    label: str
    low: Float[np.ndarray, "3"]
    high: Float[np.ndarray, "3"]
    height_m: float


@dataclass(frozen=True, eq=False)
class HouseObject:
    """An object: region, category (-1: none) and box (None: broken)."""

    region: int
    category: int
    box: OrientedBox | None


@dataclass(frozen=True, eq=False)
class House:
    """What a `.house` file says, by index; `panoramas` by name, `categories` as (raw name, mpcat40 name)."""

    regions: dict[int, HouseRegion] = field(default_factory=dict)
    panoramas: dict[str, int] = field(default_factory=dict)
    categories: dict[int, tuple[str, str]] = field(default_factory=dict)
    objects: dict[int, HouseObject] = field(default_factory=dict)
    segments: dict[int, int] = field(default_factory=dict)
    surfaces: dict[int, int] = field(default_factory=dict)
    outlines: dict[int, list[np.ndarray]] = field(default_factory=dict)
    image_sizes: set[tuple[int, int]] = field(default_factory=set)

    def room(self, region: int) -> Room | None:
        """The floor of a region: its largest surface; None without one of at least three vertices."""
        found = [s for s, r in self.surfaces.items() if r == region and len(self.outlines.get(s, [])) >= 3]
        if not found:
            return None
        loops = [np.array(self.outlines[surface]) for surface in found]
        outline = max(loops, key=lambda loop: polygons.area(loop[:, :2]))
        height = self.regions[region].height_m
        floor_z = float(np.median(outline[:, 2]))
        return Room(outline[:, :2], floor_z, height if height > 0 else None, polygons.area(outline[:, :2]))


def read_house(path: Path) -> House:
    """Read a `.house` file.

    Raises:
        SceneError: missing, truncated, or a line that does not follow the format (it is named).
    """
    try:
        lines = path.read_text(errors="replace").splitlines()
    except FileNotFoundError:
        raise SceneError(f"missing file: {path}; download house_segmentations of this scan") from None
    except OSError as error:
        raise SceneError(f"cannot read {path}: {error.strerror or error}") from error
    if not lines or not lines[0].startswith("ASCII"):
        raise SceneError(f"{path} does not start with 'ASCII 1.x', so it is no .house file; copy it again")
    house, expected = House(), 0
    for number, line in enumerate(lines[1:], 2):
        words = line.split()
        try:
            if words and words[0] == "H":
                expected = int(words[8])
            elif words and words[0] in _MIN_WORDS:
                if len(words) < _MIN_WORDS[words[0]]:
                    raise ValueError(f"{len(words)} words, expected at least {_MIN_WORDS[words[0]]}")
                _add(house, words)
        except (ValueError, IndexError) as error:
            raise SceneError(
                f"{path}, line {number}: not understood as '{line[:1]}' line ({error}); the file may be truncated"
            ) from error
    if len(house.objects) < expected:
        raise SceneError(
            f"{path} is truncated: it announces {expected} objects and holds {len(house.objects)}; copy it again"
        )
    return house


def read_cameras(path: Path) -> list[tuple[str, str, Float[np.ndarray, "3 3"], Float[np.ndarray, "4 4"]]]:
    """(depth image, colour image, intrinsics as written, camera to world as written) of each `scan` line.

    Raises:
        SceneError: missing, truncated, or not in the layout of a .conf file.
    """
    try:
        lines = path.read_text(errors="replace").splitlines()
    except FileNotFoundError:
        raise SceneError(f"missing file: {path}; download undistorted_camera_parameters of this scan") from None
    except OSError as error:
        raise SceneError(f"cannot read {path}: {error.strerror or error}") from error
    K: np.ndarray | None = None
    expected, rows = 0, []
    for number, line in enumerate(lines, 1):
        words = line.split()
        try:
            if words and words[0] == "n_images":
                expected = int(words[1])
            elif words and words[0] == "intrinsics_matrix":
                K = np.array(words[1:], float).reshape(3, 3)
            elif words and words[0] == "scan":
                if K is None:
                    raise ValueError("no intrinsics_matrix before it")
                rows.append((words[1], words[2], K, np.array(words[3:], float).reshape(4, 4)))
        except (ValueError, IndexError) as error:
            raise SceneError(
                f"{path}, line {number}: '{words[0]}' line is not understood ({error}); the file may be truncated"
            ) from error
    if len(rows) < expected:
        raise SceneError(f"{path} is truncated: it announces {expected} images and holds {len(rows)}; copy it again")
    return rows


def _add(house: House, words: list[str]) -> None:
    kind, index = words[0], words[1]
    if kind == "R":
        low, high = _vector(words, 9), _vector(words, 12)
        house.regions[int(index)] = HouseRegion(words[5], low, high, float(words[15]))
    elif kind == "P":
        house.panoramas[index] = int(words[3])
    elif kind == "S":
        house.surfaces[int(index)] = int(words[2])
    elif kind == "V":
        house.outlines.setdefault(int(words[2]), []).append(_vector(words, 4))
    elif kind == "I":
        house.image_sizes.add((int(words[31]), int(words[32])))
    elif kind == "C":
        house.categories[int(index)] = (words[3].replace("#", " "), words[5].replace("#", " "))
    elif kind == "O":
        first, second = _vector(words, 7), _vector(words, 10)
        axes = np.stack([first, second, np.cross(first, second)], -1)
        box = box_from_axes(_vector(words, 4), axes, 2 * _vector(words, 13))
        house.objects[int(index)] = HouseObject(int(words[2]), int(words[3]), box)
    else:
        house.segments[int(words[3])] = int(words[2])


def _vector(words: list[str], start: int) -> Float[np.ndarray, "3"]:
    return np.array([float(word) for word in words[start : start + 3]])
