"""Numbers of objects that last from run to run, also when the scene was only scaled or levelled anew.

Each run of the stage `objects` leaves beside the objects a note of their world:

    {"base": "poses 5f0c...", "T_world_base": [[...], ...]}

`base` names a world that stays what it is as long as its key does: that of the poses of a capture, or that of the
recording itself. Objects of an earlier run with the same base are moved by T_world_base (now) after the inverse of
T_world_base (then), and things found in their places keep their numbers (`objects.saved.keep_ids`). With another base
nothing says where the earlier things are now, so numbers start anew.

Worked example. Without a length a table stands at x = 2 and is number 3. A length then says that all is twice as large:
T is scaled by 2, the earlier table is looked for at x = 4, and what is found there is number 3 again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from spaceland.errors import SceneError
from spaceland.files import read_json
from spaceland.geometry.boxes import OrientedBox
from spaceland.geometry.transforms import transform_points
from spaceland.objects.saved import keep_ids, next_id, read_found
from spaceland.objects.types import Found, FoundObject
from spaceland.reconstruct.stages import StageResult
from spaceland.scenes.scene import Scene


@dataclass(frozen=True, eq=False)
class World:
    """Where a scene's coordinates come from: `T_world_base` is a similarity from the world `base` to the scene's."""

    base: str
    T_world_base: Float[np.ndarray, "4 4"]

    @classmethod
    def of(cls, scene: Scene, base: str, made: StageResult | None) -> World:
        """The world of a scene.

        Args:
            scene: As the stage `scene` left it, or as its source has it.
            base: Key of the world that the stage started from, or of the source.
            made: The stage, where there was one.
        """
        if made is None:
            return cls(base, np.eye(4))
        # What a hand has changed may lie anywhere.
        T = None if _by_hand(made.folder) else _similarity(scene.provenance.get("reconstruction"), "T_scene_source")
        if T is None:
            return cls(f"scene {made.key}", np.eye(4))
        return cls(base, T)

    def to_json(self) -> dict[str, Any]:
        return {"base": self.base, "T_world_base": self.T_world_base.tolist()}


def _similarity(record: Any, name: str) -> Float[np.ndarray, "4 4"] | None:
    """A 4x4 similarity from a JSON record; None where there is none that can be inverted."""
    try:
        T = np.array(record[name], dtype=float)
    except (KeyError, TypeError, ValueError):
        return None
    sound = T.shape == (4, 4) and np.isfinite(T).all() and 1e-18 < np.linalg.det(T[:3, :3]) < 1e18
    return T if sound else None


def _by_hand(folder: Path) -> bool:
    record = read_json(folder / "stage.json")
    return not isinstance(record, dict) or record.get("made_by") != "spaceland"


def read_earlier(folder: Path) -> Found | None:
    """The objects that the folder of the stage still holds, whatever they were made from; None where there are none."""
    try:
        return read_found(folder)
    except SceneError:
        return None


def with_lasting_ids(
    found: Found, world: World, earlier: Found | None, *, own_ids: bool
) -> tuple[Found, tuple[str, ...]]:
    """The objects with the numbers that they had, and what the user should know of it.

    The report gets `world`, and `found_again`: how many objects have a number of the earlier run.

    Args:
        found: As the finder gives them.
        world: Theirs.
        earlier: What the earlier run left, if anything.
        own_ids: The user's masks bring numbers, which stay.
    """
    report: dict[str, Any] = {"world": world.to_json(), "found_again": 0}
    if earlier is None:
        return Found(found.objects, {**found.report, **report}), ()
    moved = moved_to(earlier, world)
    if moved is None:
        note = (
            "the objects of the earlier run cannot be placed in this scene, whose poses or source are others; numbers "
            "start anew and do not mean the same things as before"
        )
        return Found(found.objects, {**found.report, **report}), (note,) if earlier.objects else ()
    if own_ids:
        free = max(next_id(found), next_id(earlier))
        note = "numbers are those of your masks; they may have meant other things in the earlier run"
        other = earlier.objects and earlier.report.get("finder") != found.report.get("finder")
        return Found(found.objects, {**found.report, **report, "next_id": free}), (note,) if other else ()
    kept = keep_ids(found, moved)
    known = {thing.id for thing in earlier.objects}
    report["found_again"] = sum(thing.id in known for thing in kept.objects)
    return Found(kept.objects, {**kept.report, **report}), ()


def moved_to(earlier: Found, world: World) -> Found | None:
    """Earlier objects where they are in `world`; None where nothing safe can be said of it."""
    record = earlier.report.get("world")
    if not isinstance(record, Mapping) or record.get("base") != world.base:
        return None
    T_then = _similarity(record, "T_world_base")
    if T_then is None:
        return None
    T = world.T_world_base @ np.linalg.inv(T_then)
    factor = float(np.cbrt(np.linalg.det(T[:3, :3])))
    return Found(tuple(_moved(thing, T, factor) for thing in earlier.objects), earlier.report)


def _moved(thing: FoundObject, T: np.ndarray, factor: float) -> FoundObject:
    box = OrientedBox(
        transform_points(T, thing.box.center), thing.box.size * factor, T[:3, :3] / factor @ thing.box.rotation
    )
    return replace(thing, points=transform_points(T, thing.points), box=box)
