"""Points from depth images: a coloured cloud of a whole scene, or a quick sample of it.

`fuse_points` gives posed RGB-D folders something to look at from above: every depth pixel goes to the world, takes the
colour seen through the colour camera, and each cell of a grid keeps the mean of what fell into it. It is a cloud and
not a mesh. Left out are pixels on depth edges, which sensors put in mid-air between near and far, and points outside
the colour image.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Bool, Float, UInt8

from spaceland.errors import SceneError
from spaceland.geometry.camera import PinholeCamera
from spaceland.geometry.transforms import transform_points
from spaceland.scenes.scene import Frame, Scene, Surface

_MERGE_EVERY = 12


def depth_camera(frame: Frame) -> PinholeCamera:
    """The camera that the frame's depth belongs to."""
    return frame.depth_camera or frame.camera


def read_depth(
    name: str, depth: Callable[[], Float[np.ndarray, "h w"]], camera: PinholeCamera
) -> tuple[Float[np.ndarray, "h w"], PinholeCamera]:
    """A depth image as float32 with 0 for everything that is no positive number, and `camera` at its size.

    Raises:
        SceneError: it is no image; `name` says whose.
    """
    image = np.asarray(depth(), dtype=np.float32)
    if image.ndim != 2 or image.size == 0:
        raise SceneError(f"frame {name}: depth has shape {image.shape}, expected rows and columns")
    image = np.where(np.isfinite(image) & (image > 0), image, np.float32(0))
    return image, camera.scaled(image.shape[1], image.shape[0])


def frame_points(frame: Frame, step: int = 1, max_depth_m: float = np.inf) -> Float[np.ndarray, "n 3"]:
    """World points of every `step`-th depth pixel in both directions, edges left out.

    Raises:
        SceneError: the frame has no depth, or its image is broken.
    """
    if frame.depth is None:
        raise SceneError(f"frame {frame.id} has no depth image")
    return _lift(frame, np.asarray(frame.depth()), step, max_depth_m)[0]


def depth_points(frames: Sequence[Frame], num_frames: int = 24, num_points: int = 60000) -> Float[np.ndarray, "n 3"]:
    """About `num_points` world points from up to `num_frames` evenly spread frames with depth; [0, 3] without any."""
    with_depth = [frame for frame in frames if frame.depth is not None]
    chosen = with_depth[:: max(1, -(-len(with_depth) // num_frames))]
    parts = []
    for frame in chosen:
        camera = depth_camera(frame)
        step = max(1, int(np.sqrt(camera.width * camera.height * len(chosen) / num_points)))
        parts.append(frame_points(frame, step))
    return np.concatenate(parts) if parts else np.zeros((0, 3))


def fuse_points(
    scene: Scene, stride: int = 1, voxel_m: float = 0.02, max_depth_m: float = 6.0, min_seen: int = 1
) -> Surface:
    """A coloured point surface from the depth images of a scene.

    Args:
        scene: With posed depth frames.
        stride: Take every so many-th frame.
        voxel_m: Edge of the cells that are averaged; also the distance between the resulting points.
        max_depth_m: Farther pixels are left out; depth cameras are poor there.
        min_seen: Cells that fewer frames fall into are dropped, which removes stray points.

    Returns:
        `Surface` with vertices float64 [n, 3] in world metres and uint8 colours, ordered by cell; no faces.

    Raises:
        SceneError: no frame has depth, or an image is broken.
    """
    frames = [frame for frame in scene.frames[::stride] if frame.depth is not None]
    if not frames:
        raise SceneError(f"scene {scene.id} has no depth images, so there are no points to fuse; a mesh is needed")
    origin = np.floor(np.min([frame.T_world_cam[:3, 3] for frame in frames], axis=0)) - 64.0
    sums = _CellSums(origin, voxel_m)
    for frame in frames:
        assert frame.depth is not None
        depth = np.asarray(frame.depth())
        points, pixels = _lift(frame, depth, _step(frame, depth, voxel_m), max_depth_m)
        colors, known = _colors(frame, points, pixels)
        sums.add(points[known], colors[known])
    vertices, colors = sums.result(min_seen)
    return Surface(vertices, colors)


def _step(frame: Frame, depth: np.ndarray, voxel_m: float) -> int:
    """Every how many-th pixel is enough: at the typical depth at least two in a row fall into a cell."""
    known = depth[::8, ::8][depth[::8, ::8] > 0]
    if len(known) == 0:
        return 1
    return max(1, int(voxel_m / 2 * depth_camera(frame).fx / float(np.median(known))))


class _CellSums:
    """Running sums of position and colour for each occupied cell of a grid."""

    def __init__(self, origin: Float[np.ndarray, "3"], voxel_m: float) -> None:
        self._origin, self._voxel_m = origin, voxel_m
        self._keys: list[np.ndarray] = []
        self._values: list[np.ndarray] = []  # x, y, z, r, g, b, points, frames

    def add(self, points: Float[np.ndarray, "n 3"], colors: Float[np.ndarray, "n 3"]) -> None:
        cell = np.floor((points - self._origin) / self._voxel_m).astype(np.int64)
        ones = np.ones((len(points), 1))
        keys, values = _sum_by_key(
            (cell[:, 0] << 42) + (cell[:, 1] << 21) + cell[:, 2], np.hstack([points - self._origin, colors, ones])
        )
        self._keys.append(keys)
        self._values.append(np.hstack([values, np.ones((len(keys), 1))]))
        if len(self._keys) > _MERGE_EVERY:
            self._merge()

    def _merge(self) -> None:
        keys, values = _sum_by_key(np.concatenate(self._keys), np.concatenate(self._values))
        self._keys, self._values = [keys], [values]

    def result(self, min_seen: int) -> tuple[Float[np.ndarray, "n 3"], UInt8[np.ndarray, "n 3"]]:
        self._merge()
        values = self._values[0][self._values[0][:, 7] >= min_seen]
        mean = values[:, :6] / values[:, 6:7]
        return mean[:, :3] + self._origin, mean[:, 3:].round().astype(np.uint8)


def _sum_by_key(keys: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    unique, group = np.unique(keys, return_inverse=True)
    sums = [np.bincount(group, column, minlength=len(unique)) for column in values.T]
    return unique, np.stack(sums, -1)


def _lift(frame: Frame, depth: np.ndarray, step: int, max_depth_m: float) -> tuple[np.ndarray, np.ndarray]:
    """World points [n, 3] and their depth pixels (row, column) [n, 2]."""
    camera = depth_camera(frame).scaled(depth.shape[1], depth.shape[0])
    good = (depth > 0) & (depth < max_depth_m) & ~depth_edges(depth)
    offset = step // 2
    rows, columns = np.nonzero(good[offset::step, offset::step])
    rows, columns = rows * step + offset, columns * step + offset
    centers = np.stack([columns + 0.5, rows + 0.5], -1)
    points = camera.unproject(centers, depth[rows, columns].astype(float))
    return transform_points(frame.T_world_cam, points), np.stack([rows, columns], -1)


def depth_edges(
    depth: Float[np.ndarray, "h w"], edge_m: float = 0.03, edge_per_m: float = 0.03, *, far_side: bool = False
) -> Bool[np.ndarray, "h w"]:
    """Pixels where depth jumps by more than 3 cm plus 3 % to one of the four neighbours, on both sides of the jump.

    `far_side` marks only the farther pixel, which may be in mid-air between: the near side stays, or nothing would be
    left of stems and legs. A neighbour without depth (0) is a jump too, but not with `far_side`.
    """
    edges = np.zeros(depth.shape, dtype=bool)
    for axis in (0, 1):
        before, after = [slice(None)] * 2, [slice(None)] * 2
        before[axis], after[axis] = slice(None, -1), slice(1, None)
        a, b = depth[tuple(before)], depth[tuple(after)]
        if far_side:
            known, limit = (a > 0) & (b > 0), edge_m + edge_per_m * np.minimum(a, b)
            edges[tuple(before)] |= known & (a - b > limit)
            edges[tuple(after)] |= known & (b - a > limit)
        else:
            jump = np.abs(b - a) > edge_m + edge_per_m * a
            edges[tuple(before)] |= jump
            edges[tuple(after)] |= jump
    return edges


def _colors(
    frame: Frame, points: np.ndarray, pixels: np.ndarray
) -> tuple[Float[np.ndarray, "n 3"], Bool[np.ndarray, "n"]]:
    """Colour of each world point through the colour camera, and whether its image reaches the point at all."""
    image = frame.color()
    camera = frame.camera
    if frame.depth_camera is None or frame.depth_camera == camera:
        return image[pixels[:, 0], pixels[:, 1]].astype(float), np.ones(len(points), dtype=bool)
    uv, _ = camera.project((points - frame.T_world_cam[:3, 3]) @ frame.T_world_cam[:3, :3])
    known = camera.contains(uv)
    column, row = np.where(known[:, None], uv, 0.0).astype(int).T
    return image[row, column].astype(float), known
