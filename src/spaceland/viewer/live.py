"""A scene in 3D, in the browser or as a file: surface, boxes with label and number, cameras, their way, the floor.

The names of the parts in viser's tree:

    /surface                    mesh or points, without the ceiling
    /objects/NUMBER/box, /name  edges of the oriented box; label and number above it
    /frames/K                   a camera with its picture, thinned to `max_frames`
    /path, /floor               the way of the camera, the outline of the floor

`SceneView` also lights objects and frames, for the panel (`live_panel`) and for rows of a dataset (`live_rows`).
Labels are drawn as text and never read as markup.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from spaceland.errors import SceneError
from spaceland.geometry.boxes import OrientedBox
from spaceland.scenes.images import pick
from spaceland.scenes.scene import Frame, Scene, SceneObject
from spaceland.viewer.live_surface import ShownSurface, shown_surface

EDGES = [(a, a | 1 << axis) for a in range(8) for axis in range(3) if not a >> axis & 1]
COLORS = ((230, 126, 34), (41, 128, 185), (39, 174, 96), (142, 68, 173), (192, 57, 43), (22, 160, 133))
LIT, FAINT = (255, 180, 0), (150, 160, 170)
_LABEL_CHARS = 60


@dataclass(frozen=True, kw_only=True)
class LiveConfig:
    """What is shown of a scene, and how finely."""

    max_frames: int = 24
    """Cameras shown, evenly spread; frames that a row is about are shown as well."""
    thumbnail_px: int = 160
    """Longest side of the pictures in the cameras; 0: none."""
    max_faces: int = 300_000
    frustum_m: float = 0.14
    """Depth of a camera's pyramid."""


class SceneView:
    """A scene put into a viser server, with handles to everything that can be lit.

    Args:
        server: A `viser.ViserServer`.
        scene: What to show.
        config: How finely.
        extra_frames: Ids of frames that are to be shown too.
    """

    def __init__(
        self, server: Any, scene: Scene, config: LiveConfig | None = None, extra_frames: Collection[str] = ()
    ) -> None:
        self.server, self.scene, self.config = server, scene, config or LiveConfig()
        self.boxes: dict[int, Any] = {}
        self.names: dict[int, Any] = {}
        self.cameras: dict[str, Any] = {}
        self.lit_objects: frozenset[int] = frozenset()
        self.lit_frames: frozenset[str] = frozenset()
        server.scene.set_up_direction("+z")
        self._set_lights()
        self.surface = self._add_surface()
        for thing in scene.objects:
            self._add_object(thing)
        wanted = set(extra_frames)
        few = {frame.id for frame in pick(scene.frames, 1, self.config.max_frames)}
        for k, frame in enumerate(scene.frames):
            if frame.id in few or frame.id in wanted:
                self._add_camera(k, frame)
        self.path = self._add_path()
        self.floor = self._add_floor()
        self._set_camera()

    def light(self, objects: Collection[int], frames: Collection[str]) -> None:
        """Let these objects and frames stand out; none at all shows everything alike."""
        self.lit_objects, self.lit_frames = frozenset(objects), frozenset(frames)
        nothing = not self.lit_objects and not self.lit_frames
        for number, (k, box) in enumerate(self.boxes.items()):
            on = k in self.lit_objects
            color = LIT if on else COLORS[number % len(COLORS)] if nothing else FAINT
            box.colors = np.tile(np.array(color, np.uint8), (len(EDGES), 2, 1))
            box.thickness = 0.02 if on else 0.008
            self.names[k].visible = on or nothing
        for frame_id, camera in self.cameras.items():
            on = frame_id in self.lit_frames
            camera.color = LIT if on else (60, 90, 110) if nothing else FAINT
            camera.scale = self.config.frustum_m * (1.6 if on else 1.0)

    def _add_surface(self) -> Any:
        shown = shown_surface(self.scene, max_faces=self.config.max_faces, max_points=400_000)
        if shown.faces is not None:
            return self.server.scene.add_glb("/surface", to_glb(shown), cast_shadow=False, receive_shadow=False)
        if len(shown.vertices) == 0:
            return None
        return self.server.scene.add_point_cloud(
            "/surface", shown.vertices, shown.colors, point_size=0.012, point_shading="flat"
        )

    def _add_object(self, thing: SceneObject) -> None:
        color = COLORS[len(self.boxes) % len(COLORS)]
        self.boxes[thing.id] = self.server.scene.add_line_segments(
            f"/objects/{thing.id}/box", box_edges(thing.box), color, thickness=0.008
        )
        corners = thing.box.corners()
        top = (*thing.box.center[:2], corners[:, 2].max() + 0.05)
        self.names[thing.id] = self.server.scene.add_label(
            f"/objects/{thing.id}/name", object_name(thing), position=top, anchor="bottom-center"
        )

    def _add_camera(self, k: int, frame: Frame) -> None:
        camera, pose = frame.camera, frame.T_world_cam
        self.cameras[frame.id] = self.server.scene.add_camera_frustum(
            f"/frames/{k}",
            fov=2 * float(np.arctan2(camera.height / 2, camera.fy)),
            aspect=camera.width / camera.height * camera.fy / camera.fx,
            scale=self.config.frustum_m,
            thickness=0.004,
            color=(60, 90, 110),
            image=thumbnail(frame, self.config.thumbnail_px),
            jpeg_quality=80,
            wxyz=quaternion(pose[:3, :3]),
            position=pose[:3, 3],
            cast_shadow=False,
            receive_shadow=False,
        )

    def _add_path(self) -> Any:
        places = np.array([frame.T_world_cam[:3, 3] for frame in self.scene.frames])
        if len(places) < 2 or not self.scene.is_video:
            return None
        lines = np.stack([places[:-1], places[1:]], 1)
        return self.server.scene.add_line_segments("/path", lines, (14, 112, 104), thickness=0.008)

    def _add_floor(self) -> Any:
        room = self.scene.room
        if room is None or not room.has_outline:
            return None
        outline = np.column_stack([room.floor_polygon, np.full(len(room.floor_polygon), room.floor_z_m + 0.01)])
        lines = np.stack([outline, np.roll(outline, -1, 0)], 1)
        return self.server.scene.add_line_segments("/floor", lines, (30, 40, 50), thickness=0.015)

    def _set_lights(self) -> None:
        """Even light, so that the colours of the scan stay what they are; viser's own is made for polished things."""
        add = self.server.scene
        add.configure_default_lights(enabled=False, cast_shadow=False)
        add.configure_environment_map(None)
        add.add_light_ambient("/light/around", intensity=2.6)
        add.add_light_directional("/light/above", intensity=0.9, position=(1.0, 0.6, 3.0))

    def _set_camera(self) -> None:
        low, high = extent(self.scene)
        middle, reach = (low + high) / 2, float(np.linalg.norm(high - low))
        self.server.initial_camera.up = (0.0, 0.0, 1.0)
        self.server.initial_camera.look_at = tuple(middle)
        self.server.initial_camera.position = tuple(middle + 0.58 * reach * np.array([-0.35, -0.6, 0.75]))


def to_glb(shown: ShownSurface) -> bytes:
    """A coloured mesh as binary glTF, matt: without a material, glTF means polished metal, which lamps do not light."""
    import trimesh

    def make_matt(tree: dict[str, Any]) -> None:
        tree["materials"] = [{"pbrMetallicRoughness": {"metallicFactor": 0.0, "roughnessFactor": 1.0}}]
        for mesh in tree["meshes"]:
            for primitive in mesh["primitives"]:
                primitive["material"] = 0

    # Colours of vertices count light, those of scans count what screens show (sRGB).
    screen = shown.colors / 255.0
    light = np.where(screen <= 0.04045, screen / 12.92, ((screen + 0.055) / 1.055) ** 2.4)
    colors = np.rint(255 * light).astype(np.uint8)
    mesh = trimesh.Trimesh(shown.vertices, shown.faces, vertex_colors=colors, process=False)
    return trimesh.exchange.gltf.export_glb(trimesh.Scene(mesh), tree_postprocessor=make_matt)


def extent(scene: Scene) -> tuple[Float[np.ndarray, "3"], Float[np.ndarray, "3"]]:
    """Least and greatest coordinates of what there is to see.

    Raises:
        SceneError: nothing at all.
    """
    parts: list[np.ndarray] = [frame.T_world_cam[None, :3, 3] for frame in scene.frames]
    parts += [thing.box.corners() for thing in scene.objects]
    if scene.surface is not None and len(scene.surface.vertices):
        parts.append(np.percentile(scene.surface.vertices, [1, 99], axis=0))
    if not parts:
        raise SceneError(f"scene {scene.id} has no surface, no objects and no frames, so there is nothing to see")
    points = np.concatenate(parts)
    return points.min(0), points.max(0)


def box_edges(box: OrientedBox) -> Float[np.ndarray, "12 2 3"]:
    """The twelve edges of a box in world metres."""
    corners = box.corners()
    return np.array([[corners[a], corners[b]] for a, b in EDGES])


def object_name(thing: SceneObject) -> str:
    """Number and label on one short line of plain text."""
    label = "".join(c if c.isprintable() else " " for c in thing.label)
    return f"{thing.id} {label[:_LABEL_CHARS]}".strip()


def thumbnail(frame: Frame, longest_px: int) -> UInt8[np.ndarray, "h w 3"] | None:
    """A small picture of a frame; None where none is wanted or its file is broken."""
    if longest_px <= 0:
        return None
    try:
        image = Image.fromarray(frame.color())
    except SceneError:
        return None
    image.thumbnail((longest_px, longest_px), Image.Resampling.BILINEAR)
    return np.array(image)


def quaternion(R: Float[np.ndarray, "3 3"]) -> tuple[float, float, float, float]:
    """(w, x, y, z) of a rotation."""
    from scipy.spatial.transform import Rotation

    x, y, z, w = Rotation.from_matrix(R).as_quat()
    return float(w), float(x), float(y), float(z)


def frames_with(scene: Scene, frame_ids: Sequence[str]) -> list[str]:
    """Those of the ids that the scene has, in their order."""
    return [frame_id for frame_id in frame_ids if frame_id in scene.frames_by_id]
