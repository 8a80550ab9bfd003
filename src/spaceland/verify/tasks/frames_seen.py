"""In which frames a video shows something.

The generator asks only where an object is clearly seen or clearly not. Here the limits are looser by a factor of two,
as another way of measuring may differ that much, and what is measured depends on what the scene knows:

    id map, or mesh with ids    the share of pixels with the object's id
    depth, or mesh without ids  the object's points that lie at the depth of their pixel, and the area of these
    points only                 whether any of them is in the image; nothing can be said of hidden ones
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from spaceland.geometry.camera import PinholeCamera
from spaceland.geometry.raycast import RayCaster
from spaceland.geometry.transforms import invert_rigid, transform_points
from spaceland.scenes.scene import NO_OBJECT, Frame, Scene, SceneObject
from spaceland.verify import text
from spaceland.verify.rows import Row, Wrong, real, shown, whole

SLACK = 2.0
_WIDTH_PX = 320
_HELD = 80
_CELLS = 64
FRAME = re.compile(r"\bFrame-(\d{1,6})\b")


@dataclass(frozen=True, eq=False)
class _Look:
    """Ids or depth in the pixels of a frame, whichever the scene knows."""

    camera: PinholeCamera
    ids: np.ndarray | None
    depth: np.ndarray | None


_CASTERS: WeakKeyDictionary[Scene, RayCaster] = WeakKeyDictionary()
_LOOKS: WeakKeyDictionary[Frame, _Look] = WeakKeyDictionary()


def caster_of(scene: Scene) -> RayCaster | None:
    """Rays through the scene's mesh; None where it has none."""
    surface = scene.surface
    if surface is None or surface.faces is None or len(surface.faces) == 0:
        return None
    if scene not in _CASTERS:
        _CASTERS[scene] = RayCaster(surface.vertices, surface.faces)
    return _CASTERS[scene]


def may_be_seen(scene: Scene, frame: Frame, thing: SceneObject, params: Mapping[str, Any]) -> bool:
    """Whether nothing speaks against a frame showing an object clearly."""
    least = real(params.get("min_area_share"), "facts.params.min_area_share")
    look = _look(scene, frame)
    if look.ids is not None:
        return _share_of_id(look.ids, thing.id) >= least / SLACK
    inside, visible, _ = _points(frame, thing, look)
    return visible > 0 if look.depth is not None else inside > 0


def may_be_unseen(scene: Scene, frame: Frame, thing: SceneObject, params: Mapping[str, Any]) -> bool:
    """Whether nothing speaks against a frame showing next to nothing of an object."""
    most = real(params.get("unseen_area_share"), "facts.params.unseen_area_share")
    look = _look(scene, frame)
    if look.ids is not None:
        return _share_of_id(look.ids, thing.id) <= most * SLACK
    if look.depth is None:
        return True
    # Depth does not tell whose surface it is: only a large part of the object in plain view is a contradiction.
    _, visible, area = _points(frame, thing, look)
    fraction = real(params.get("seen_fraction"), "facts.params.seen_fraction")
    least = real(params.get("min_area_share"), "facts.params.min_area_share")
    return visible < fraction or area < SLACK * least


def _share_of_id(ids: np.ndarray, object_id: int) -> float:
    return float((ids == object_id).mean())


def _look(scene: Scene, frame: Frame) -> _Look:
    if frame not in _LOOKS:
        while len(_LOOKS) >= _HELD:
            del _LOOKS[next(iter(_LOOKS))]
        _LOOKS[frame] = _make_look(scene, frame)
    return _LOOKS[frame]


def _make_look(scene: Scene, frame: Frame) -> _Look:
    if frame.object_ids is not None:
        ids = np.asarray(frame.object_ids())
        return _Look(frame.camera.scaled(ids.shape[1], ids.shape[0]), ids, None)
    if frame.depth is not None:
        depth = np.asarray(frame.depth())
        camera = frame.depth_camera or frame.camera
        return _Look(camera.scaled(depth.shape[1], depth.shape[0]), None, depth)
    caster, surface = caster_of(scene), scene.surface
    width = min(_WIDTH_PX, frame.camera.width)
    camera = frame.camera.scaled(width, max(1, round(frame.camera.height * width / frame.camera.width)))
    if caster is None or surface is None or surface.faces is None:
        return _Look(camera, None, None)
    hits = caster.cast_camera(camera, np.asarray(frame.T_world_cam))
    if surface.object_ids is None:
        return _Look(camera, None, hits.distance)
    owner = np.where(hits.face >= 0, surface.object_ids[surface.faces[hits.face, 0]], NO_OBJECT)
    return _Look(camera, owner, None)


def _points(frame: Frame, thing: SceneObject, look: _Look) -> tuple[float, float, float]:
    """Shares of an object's points inside the image and visible there, and the share of the image these cover."""
    pose = invert_rigid(np.asarray(frame.T_world_cam, dtype=float))
    pixels, z = look.camera.project(transform_points(pose, np.asarray(thing.points, dtype=float)))
    inside = look.camera.contains(pixels)
    if look.depth is None or not inside.any():
        return float(inside.mean()), 0.0, 0.0
    u, v = pixels[inside].T
    seen = look.depth[v.astype(int), u.astype(int)]
    free = (seen > 0) & (np.abs(seen - z[inside]) <= 0.05 + 0.02 * z[inside])
    columns = (u[free] * _CELLS / look.camera.width).astype(int)
    rows = (v[free] * _CELLS / look.camera.height).astype(int)
    return float(inside.mean()), float(free.sum() / len(inside)), len(np.unique(rows * _CELLS + columns)) / _CELLS**2


def frame_numbers(value: object, name: str, row: Row) -> list[int]:
    """A list of numbers of frames of the row, counted from 1."""
    if not isinstance(value, list):
        raise Wrong(f"{name} is {shown(value)}, not a list of frames")
    numbers = [whole(number, name) for number in value]
    if not all(1 <= number <= len(row.frames) for number in numbers):
        raise Wrong(f"{name} is {shown(value)}, but there are {len(row.frames)} frames")
    return numbers


def frames_said(written: str) -> list[int]:
    """Frames in a text, in order; mentions must be hidden before.

    Raises:
        Wrong: the text holds other numbers.
    """
    if re.search(r"\d", FRAME.sub("", written)):
        raise Wrong(f"the text holds a number that is no frame: {shown(written)}")
    return [int(number) for number in FRAME.findall(written)]


def check_frames_seen(row: Row, scene: Scene, frames: Sequence[Frame]) -> None:
    """`obj_frame_locate`: every frame that is listed shows red, and no other does."""
    numbers = frame_numbers(row.value, "facts.value", row)
    if not numbers or numbers != sorted(set(numbers)):
        raise Wrong(f"facts.value is {shown(row.value)}, expected frames in order")
    thing = scene.objects_by_id[row.objects["red"]]
    for number, frame in enumerate(frames, 1):
        if number in numbers and not may_be_seen(scene, frame, thing, row.params):
            raise Wrong(f"Frame-{number} does not show object {thing.id} ({shown(thing.label)}) clearly")
        if number not in numbers and not may_be_unseen(scene, frame, thing, row.params):
            raise Wrong(f"object {thing.id} ({shown(thing.label)}) belongs to what is seen in Frame-{number}")
    if row.marks[0].image_index + 1 not in numbers:
        raise Wrong("the frame with the box is not listed")
    if frames_said(text.hide_mentions(text.stem_of(row), row)):
        raise Wrong("the question names frames")
    said = frames_said(text.hide_mentions(row.answer, row))
    if said != numbers:
        raise Wrong(f"the sentence names the frames {shown(said)}, facts.value is {shown(numbers)}")
