"""The depth of a frame, ready for looking up: measured where the frame has depth, cast from the surface where not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int

from spaceland.geometry.camera import PinholeCamera
from spaceland.geometry.transforms import transform_points
from spaceland.scenes.points import depth_camera, depth_edges, read_depth
from spaceland.scenes.scene import Frame, Scene
from spaceland.visibility import MapMaker, VisibilityConfig
from spaceland.visibility.maps import Resampling


@dataclass(frozen=True, eq=False)
class FrameDepth:
    """Depth [h, w] in metres (0: unknown) of `camera` at the pose of `frame`.

    `jumps` [h, w] marks pixels beside a much nearer one: they show what lies behind, or sensors put them in mid-air.
    """

    frame: Frame
    camera: PinholeCamera
    depth: Float[np.ndarray, "h w"]
    jumps: Bool[np.ndarray, "h w"]

    def points(self, rows: Int[np.ndarray, "n"], columns: Int[np.ndarray, "n"]) -> Float[np.ndarray, "n 3"]:
        """World points of pixels."""
        pixels = np.stack([columns + 0.5, rows + 0.5], -1)
        points = self.camera.unproject(pixels, self.depth[rows, columns].astype(float))
        return transform_points(self.frame.T_world_cam, points)

    def resampling(self, width: int, height: int) -> Resampling:
        """From a map of the colour image's field of view, of that size, to the pixels of the depth."""
        return Resampling.between(self.frame.camera.scaled(width, height), self.camera)

    def color_box(self, box_px: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
        """A box in pixels of the colour image, in pixels of the depth."""
        color, own = self.frame.camera, self.camera
        x = (np.array(box_px[0::2]) - color.cx) / color.fx * own.fx + own.cx
        y = (np.array(box_px[1::2]) - color.cy) / color.fy * own.fy + own.cy
        return float(x[0]), float(y[0]), float(x[1]), float(y[1])


class DepthReader:
    """Depth of a scene's frames; the ray caster is built when the first frame without depth is met."""

    def __init__(self, scene: Scene, *, width_px: int, max_depth_m: float, edge_m: float, edge_per_m: float) -> None:
        self._scene, self._width_px, self._max_depth_m = scene, width_px, max_depth_m
        self._edge_m, self._edge_per_m = edge_m, edge_per_m

    @cached_property
    def _maker(self) -> MapMaker:
        # Without objects, since only depth is wanted: naming the surface's owners takes longer than casting the rays.
        bare = replace(self._scene, objects=())
        return MapMaker(bare, VisibilityConfig(width_px=min(self._width_px, 320), check_colors=False))

    def view(self, frame: Frame) -> FrameDepth:
        """Depth of a frame.

        Raises:
            SceneError: the frame has no depth and the scene no surface, or the depth image is broken.
        """
        if frame.depth is not None:
            depth, camera = read_depth(frame.id, frame.depth, depth_camera(frame))
            depth, camera = _thinned(depth, camera, -(-camera.width // self._width_px))
        else:
            maps = self._maker.maps(frame)
            depth, camera = np.asarray(maps.depth, dtype=np.float32), maps.camera
        depth = np.where((depth > 0) & (depth <= self._max_depth_m), depth, np.float32(0))
        return FrameDepth(frame, camera, depth, depth_edges(depth, self._edge_m, self._edge_per_m, far_side=True))


def _thinned(depth: np.ndarray, camera: PinholeCamera, step: int) -> tuple[np.ndarray, PinholeCamera]:
    """Every `step`-th pixel, with the camera for which they are pixels. Depth is never averaged over an edge."""
    if step <= 1:
        return depth, camera
    start = step // 2
    kept = depth[start::step, start::step]
    # Pixel j of the thinned map is pixel start + j * step, whose centre has to be the centre of the new pixel.
    cx, cy = (camera.cx - start - 0.5) / step + 0.5, (camera.cy - start - 0.5) / step + 0.5
    return kept, PinholeCamera(kept.shape[1], kept.shape[0], camera.fx / step, camera.fy / step, cx, cy)
