"""The scene: the one shape in which every source hands over a room.

World frame: metres, right-handed, z up (gravity). A scene is light to open: images are read when asked for.
Sources build it through `make_scene`, which refuses what no later stage could use and records what it left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float, Int, UInt8

from spaceland.errors import SceneError
from spaceland.geometry.boxes import AxisAlignedBox, OrientedBox
from spaceland.geometry.camera import PinholeCamera
from spaceland.geometry.transforms import pose_problem

NO_OBJECT = -1
GeometryKind = Literal["measured", "estimated", "generated"]


@dataclass(frozen=True, eq=False)
class Frame:
    """One posed image.

    `color` returns uint8 [h, w, 3] of `camera`'s size. `depth` returns float32 metres [hd, wd] along the optical axis,
    0 where there is none, seen by `depth_camera` at the same pose. `object_ids` returns an int32 map of the colour
    image's field of view (any resolution): the id of the object in each pixel, `NO_OBJECT` elsewhere; only sources
    that know it have one. `content_key` is a short text that changes when depth or ids change.
    """

    id: str
    camera: PinholeCamera
    T_world_cam: Float[np.ndarray, "4 4"]
    color: Callable[[], UInt8[np.ndarray, "h w 3"]]
    content_key: Callable[[], str]
    color_path: Path | None = None
    depth: Callable[[], Float[np.ndarray, "hd wd"]] | None = None
    depth_camera: PinholeCamera | None = None
    object_ids: Callable[[], Int[np.ndarray, "hi wi"]] | None = None
    timestamp_s: float | None = None


@dataclass(frozen=True, eq=False)
class SceneObject:
    """One annotated thing: its points (mesh vertices or samples, [n, 3] world metres) and, for meshes, triangles.

    `label` is normalised (lower case, single spaces), `raw_label` is what the source says. `box` is the source's own
    oriented box where it has one, else the smallest upright box around the points. `front_world` is the horizontal
    unit direction that the object faces, where the source knows it. `score` (0 to 1) says how sure its finder is;
    annotated objects have none.
    """

    id: int
    label: str
    raw_label: str
    points: Float[np.ndarray, "n 3"]
    box: OrientedBox
    faces: Int[np.ndarray, "m 3"] | None = None
    front_world: Float[np.ndarray, "3"] | None = None
    score: float | None = None

    @cached_property
    def aabb(self) -> AxisAlignedBox:
        """Axis-aligned box of the points (of the oriented box when the source gives no points)."""
        return AxisAlignedBox.from_points(self.points) if len(self.points) else self.box.axis_aligned()

    @property
    def center(self) -> Float[np.ndarray, "3"]:
        """Centre of the oriented box: the point that all questions about an object's place refer to."""
        return self.box.center


@dataclass(frozen=True, eq=False)
class Surface:
    """What the room looks like as geometry: vertices [n, 3], colours [n, 3], triangles [m, 3] (None: points only).

    `object_ids` [n] names the object that a vertex belongs to, `NO_OBJECT` for floor, walls and unannotated things.
    """

    vertices: Float[np.ndarray, "n 3"]
    colors: UInt8[np.ndarray, "n 3"] | None = None
    faces: Int[np.ndarray, "m 3"] | None = None
    object_ids: Int[np.ndarray, "n"] | None = None


@dataclass(frozen=True, eq=False)
class Room:
    """Floor outline [k, 2] in world x, y (not closed), floor height, room height where known, and floor area.

    The outline is empty (k = 0) where the source knows the area alone.
    """

    floor_polygon: Float[np.ndarray, "k 2"]
    floor_z_m: float
    height_m: float | None
    area_m2: float

    @property
    def has_outline(self) -> bool:
        """Whether it is known where the floor ends."""
        return len(self.floor_polygon) >= 3


@dataclass(frozen=True, eq=False)
class Scene:
    """A room with frames, objects and surface, in metres with z up. Built by `make_scene`.

    `geometry` says how far to trust it: "measured" (sensor), "generated" (exact) or "estimated" (from images).
    `provenance` is a small JSON object (source kind, versions, transforms applied). `skipped` counts by reason what the
    reader left out, such as frames without a pose.
    """

    id: str
    frames: tuple[Frame, ...]
    objects: tuple[SceneObject, ...]
    surface: Surface | None
    room: Room | None
    geometry: GeometryKind
    provenance: Mapping[str, object]
    skipped: Mapping[str, int] = field(default_factory=dict)

    @cached_property
    def objects_by_id(self) -> dict[int, SceneObject]:
        return {thing.id: thing for thing in self.objects}

    @cached_property
    def frames_by_id(self) -> dict[str, Frame]:
        return {frame.id: frame for frame in self.frames}

    @property
    def is_video(self) -> bool:
        """Whether the frames are one walk through the room, in order; sets of photographs are not."""
        return bool(self.provenance.get("is_video", True))

    @property
    def scale_known(self) -> bool:
        """Whether the unit is known to be a metre; a reconstruction from pictures says so in its provenance."""
        made = self.provenance.get("reconstruction")
        return bool(made.get("metric", True)) if isinstance(made, Mapping) else True

    @property
    def room_id(self) -> str:
        """The room that the scene shows, shared by all scans of it; the scene's own id where the source is silent."""
        return str(self.provenance.get("room") or self.id)

    @cached_property
    def label_counts(self) -> Counter[str]:
        """How many objects carry each normalised label."""
        return Counter(thing.label for thing in self.objects)


def normalise_label(raw: str) -> str:
    """Lower case, single spaces, no control characters, at most 80 characters.

    >>> normalise_label("  Office\\tChair ")
    'office chair'
    """
    printable = "".join(c if c.isprintable() else " " for c in raw)
    return " ".join(printable.lower().replace("_", " ").split())[:80].rstrip()


def make_scene(
    *,
    id: str,
    frames: Sequence[Frame],
    objects: Sequence[SceneObject],
    surface: Surface | None,
    room: Room | None,
    geometry: GeometryKind,
    provenance: Mapping[str, object],
    skipped: Mapping[str, int] | None = None,
) -> Scene:
    """Check the parts and build a `Scene`.

    Frames with an impossible pose, and objects without points or label, are left out and counted in `skipped`.

    Raises:
        SceneError: duplicate frame or object ids, NaN in the surface, or faces that name vertices that do not exist.
    """
    counts: Counter[str] = Counter(skipped or {})
    for kind, ids in (("frame", [f.id for f in frames]), ("object", [o.id for o in objects])):
        doubled = [str(i) for i, n in Counter(ids).items() if n > 1]
        if doubled:
            raise SceneError(
                f"scene {id}: duplicate {kind} ids {', '.join(doubled[:5])}; every {kind} needs its own id"
            )
    good_frames = []
    for frame in frames:
        problem = pose_problem(frame.T_world_cam)
        if problem:
            counts[f"frame: {problem.split('(')[0].strip()}"] += 1
        else:
            good_frames.append(frame)
    good_objects = []
    for thing in objects:
        if thing.id < 0:
            raise SceneError(f"scene {id}: object id {thing.id} is negative; ids start at 0")
        if not thing.label:
            counts["object: empty label"] += 1
        elif len(thing.points) == 0:
            counts["object: no points"] += 1
        elif not np.isfinite(thing.points).all():
            counts["object: NaN or infinite points"] += 1
        else:
            good_objects.append(thing)
    if surface is not None:
        if not np.isfinite(surface.vertices).all():
            raise SceneError(f"scene {id}: the surface has NaN or infinite vertices; export the mesh again")
        if surface.faces is not None and len(surface.faces):
            low, high = int(surface.faces.min()), int(surface.faces.max())
            if low < 0 or high >= len(surface.vertices):
                raise SceneError(
                    f"scene {id}: faces name vertices {low}..{high}, but there are {len(surface.vertices)}; "
                    "the mesh file may be truncated"
                )
    return Scene(
        id,
        tuple(good_frames),
        tuple(good_objects),
        surface,
        room,
        geometry,
        dict(provenance),
        dict(sorted(counts.items())),
    )
