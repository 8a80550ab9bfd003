"""A scene with the objects that were found in it, in place of those that it had."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import cKDTree

from spaceland.objects.saved import keep_ids as keep_ids
from spaceland.objects.saved import read_found as read_found
from spaceland.objects.saved import write_found as write_found
from spaceland.objects.types import Found, FoundObject
from spaceland.scenes.scene import NO_OBJECT, Frame, Scene, SceneObject, make_scene, normalise_label

REACH_M = 0.03
_SAMPLE = 2000


def with_objects(scene: Scene, found: Found) -> Scene:
    """The scene with found objects instead of its own.

    Vertices of the surface belong to the object with the nearest point, if that is within 3 cm, or within the distance
    between neighbouring vertices where the surface is coarser. Id maps of the frames named the old objects and are
    dropped. `provenance["objects"]` holds the finder's report.

    Raises:
        SceneError: ids are negative or doubled.
    """
    objects = [
        SceneObject(
            thing.id,
            normalise_label(thing.label) or "object",
            thing.label,
            thing.points,
            thing.box,
            score=min(max(thing.score, 0.0), 1.0),
        )
        for thing in found.objects
    ]
    surface = scene.surface
    if surface is not None:
        surface = replace(surface, object_ids=nearest_object(surface.vertices, found.objects))
    return make_scene(
        id=scene.id,
        frames=[_without_ids(frame) for frame in scene.frames],
        objects=objects,
        surface=surface,
        room=scene.room,
        geometry=scene.geometry,
        provenance={**scene.provenance, "objects": dict(found.report)},
        skipped=scene.skipped,
    )


def nearest_object(vertices: Float[np.ndarray, "n 3"], objects: Sequence[FoundObject]) -> Int[np.ndarray, "n"]:
    """Id of the object whose point is nearest to each vertex, `NO_OBJECT` where none is near; int32."""
    ids = np.full(len(vertices), NO_OBJECT, dtype=np.int32)
    sizes = [len(thing.points) for thing in objects]
    if len(vertices) == 0 or sum(sizes) == 0:
        return ids
    points = np.concatenate([thing.points for thing in objects])
    owners = np.repeat(np.array([thing.id for thing in objects], dtype=np.int32), sizes)
    distance, index = cKDTree(points).query(vertices, distance_upper_bound=max(REACH_M, _spacing_m(vertices)))
    near = np.isfinite(distance)
    ids[near] = owners[index[near]]
    return ids


def _spacing_m(vertices: Float[np.ndarray, "n 3"]) -> float:
    """Typical distance from a vertex to its nearest neighbour, at most 10 cm; vertices in one place count once."""
    places = np.unique(np.asarray(vertices, dtype=float).round(4), axis=0)
    if len(places) < 2:
        return 0.0
    some = places[:: -(-len(places) // _SAMPLE)]
    distance, _ = cKDTree(places).query(some, k=2)
    return min(float(np.median(distance[:, 1])), 0.1)


def _without_ids(frame: Frame) -> Frame:
    if frame.object_ids is None:
        return frame
    key = frame.content_key
    return replace(frame, object_ids=None, content_key=lambda: f"{key()} without ids")
