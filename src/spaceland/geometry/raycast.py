"""First hit of rays with a triangle mesh (Intel Embree through embreex).

Footgun: distances count in lengths of the given direction. Camera rays from `PinholeCamera.pixel_rays` have z = 1
in the camera frame, so the hit distance is depth along the optical axis, as everywhere in spaceland.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from spaceland.geometry.camera import PinholeCamera


@dataclass(frozen=True)
class Hits:
    """Per ray: distance in direction lengths (0 where nothing is hit) and the face that is hit (-1: none)."""

    distance: Float[np.ndarray, "..."]
    face: Int[np.ndarray, "..."]


class RayCaster:
    """A mesh prepared for ray queries; vertices [n, 3] metres, faces [m, 3]."""

    def __init__(self, vertices: Float[np.ndarray, "n 3"], faces: Int[np.ndarray, "m 3"]) -> None:
        from embreex.mesh_construction import TriangleMesh
        from embreex.rtcore_scene import EmbreeScene

        if len(faces) == 0:
            raise ValueError("ray casting needs a mesh with at least one triangle")
        # Embree counts in float32: a local origin keeps millimetres exact in scans with far-away coordinates.
        self._origin = vertices.mean(0)
        self._scene = EmbreeScene()
        local = np.ascontiguousarray(vertices - self._origin, dtype=np.float32)
        self._mesh = TriangleMesh(self._scene, local[np.asarray(faces)])

    def cast(self, origins: Float[np.ndarray, "*r 3"], directions: Float[np.ndarray, "*r 3"]) -> Hits:
        """First hits of rays; `origins` broadcasts against `directions`."""
        shape = directions.shape[:-1]
        flat_directions = np.ascontiguousarray(directions.reshape(-1, 3), dtype=np.float32)
        flat_origins = np.broadcast_to(origins - self._origin, directions.shape).reshape(-1, 3)
        result = self._scene.run(
            np.ascontiguousarray(flat_origins, dtype=np.float32),
            flat_directions,
            query="INTERSECT",
            output=True,
        )
        face = np.asarray(result["primID"]).astype(np.int32)
        distance = np.where(face >= 0, np.asarray(result["tfar"]), 0.0).astype(np.float32)
        return Hits(distance.reshape(shape), face.reshape(shape))

    def cast_camera(self, camera: PinholeCamera, T_world_cam: Float[np.ndarray, "4 4"]) -> Hits:
        """Depth [h, w] in metres (0: nothing hit) and face index [h, w] through every pixel centre."""
        directions = camera.pixel_rays() @ T_world_cam[:3, :3].T
        return self.cast(T_world_cam[:3, 3], directions)
