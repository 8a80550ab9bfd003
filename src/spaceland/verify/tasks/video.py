"""Counts and sizes of rooms."""

from __future__ import annotations

from collections.abc import Sequence

from spaceland.scenes.floor import floor_of
from spaceland.scenes.scene import Frame, Room, Scene
from spaceland.verify import solvers, text
from spaceland.verify.rows import Row, Wrong, shown
from spaceland.verify.tasks.common import (
    check_number,
    stored_close,
)


def check_count(row: Row, scene: Scene, frames: Sequence[Frame]) -> None:
    """`obj_count`: all objects of the label, each shown as evidence once (`marks` looks at the pixels)."""
    label = row.labels.get("counted", "")
    ids = solvers.object_ids_with_label(scene, label)
    if sorted(row.objects.values()) != sorted(ids):
        raise Wrong(
            f"facts.objects are {sorted(row.objects.values())}, objects labelled {shown(label)} are {sorted(ids)}"
        )
    if any(thing.label != label and thing.label.endswith(label) for thing in scene.objects):
        raise Wrong(f"the label {shown(label)} is the end of another one")
    if row.value != len(ids):
        raise Wrong(f"facts.value is {shown(row.value)}, derived {len(ids)}")
    if not text.asks_for_label(row.question, label):
        raise Wrong(f"the question does not ask for {shown(label)}")
    counts = [text.read_number(row.answer, 0)] if row.format == "fill" else text.counts_in_sentence(row.answer, label)
    if counts != [len(ids)]:
        raise Wrong(f"answer is {shown(row.answer)}, derived {len(ids)}")


def check_room_size(row: Row, scene: Scene, frames: Sequence[Frame]) -> None:
    """`room_size`: area inside the floor outline, the source's or the one measured on the surface."""
    derived = known_area_m2(row, scene)
    stored_close("facts.values.area_m2", row.values.get("area_m2"), derived)
    check_number(row, derived, "square metres")


def known_room(row: Row, scene: Scene) -> Room:
    """The floor of a scene, found in the way that the row names."""
    floor = floor_of(scene)
    if floor.room is None:
        raise Wrong(f"the scene has no floor outline ({floor.problem})")
    for name in ("floor", "floor_settings"):
        if row.params.get(name) != floor.params.get(name):
            raise Wrong(f"facts.params.{name} is {shown(row.params.get(name))}, expected {floor.params.get(name)}")
    return floor.room


def known_area_m2(row: Row, scene: Scene) -> float:
    """The floor area of a scene, found in the way that the row names."""
    room = known_room(row, scene)
    return solvers.floor_area_m2(room) if room.has_outline else float(room.area_m2)
