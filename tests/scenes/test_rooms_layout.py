"""Sample rooms keep their promises: things stand, do not overlap, leave the door free, and face where they should."""

from __future__ import annotations

from collections import Counter
from functools import cache

import numpy as np
import pytest

from spaceland.geometry.boxes import OrientedBox
from spaceland.geometry.raycast import RayCaster
from spaceland.scenes.rooms.generate import MAX_OBJECTS, MIN_OBJECTS, Room3D, box_of, generate_room
from spaceland.scenes.rooms.placement import Placement

SEEDS = range(1, 8)  # one room of each kind
room_of = cache(generate_room)


def penetration_m(a: OrientedBox, b: OrientedBox) -> float:
    """How far two upright boxes reach into each other (negative: they are apart), by separating axes."""
    axes = [a.rotation[:, 0], a.rotation[:, 1], b.rotation[:, 0], b.rotation[:, 1], np.array([0.0, 0.0, 1.0])]
    p, q = a.corners(), b.corners()
    return min(min((p @ x).max() - (q @ x).min(), (q @ x).max() - (p @ x).min()) for x in axes)


def overlaps(room: Room3D) -> list[str]:
    """Pairs of things that are more than 1 cm inside each other."""
    boxes = [box_of(thing) for thing in room.placements]
    found = []
    for i, a in enumerate(room.placements):
        for j, b in enumerate(room.placements[:i]):
            if a.support != j and b.support != i and penetration_m(boxes[i], boxes[j]) > 0.01:
                found.append(f"{a.model.label} {i} in {b.model.label} {j}")
    return found


def top_under(thing: Placement, support: Placement) -> float:
    """Height of the highest point of `support` under (or inside) `thing`, by rays from above its footprint."""
    vertices = support.model.vertices @ support.rotation.T + support.position
    caster = RayCaster(vertices, support.model.faces)
    s, t = np.meshgrid(np.linspace(0, 1, 9), np.linspace(0, 1, 9))
    a, b, _, d = thing.footprint
    xy = a + s.reshape(-1, 1) * (b - a) + t.reshape(-1, 1) * (d - a)
    above = np.column_stack([xy, np.full(len(xy), 5.0)])
    hits = caster.cast(above, np.broadcast_to([0.0, 0.0, -1.0], above.shape))
    return float((5.0 - hits.distance[hits.face >= 0]).max(initial=-1.0))


def floating(room: Room3D) -> list[str]:
    """Things that do not rest on floor, wall, ceiling or another thing to within 1 cm."""
    found = []
    for k, thing in enumerate(room.placements):
        low, high = thing.z_range
        if thing.rest == "floor":
            gap = abs(low)
        elif thing.rest == "ceiling":
            gap = abs(high - room.plan.height_m)
        elif thing.rest == "object":
            assert thing.support is not None and thing.support < k
            gap = abs(low - top_under(thing, room.placements[thing.support]))
        else:
            gap = float(np.abs(room.plan.clearance(thing.footprint[2:])).max())  # both corners at its back
        if gap > 0.01:
            found.append(f"{thing.model.label} {k}: {gap:.3f} m from its {thing.rest}")
    return found


def blocked_doors(room: Room3D) -> list[str]:
    """Things on the floor within 0.8 m before a door."""
    found = []
    for door in room.placements:
        if door.model.label == "door":
            center = door.center + np.append(door.front, 0) * (door.model.size[1] / 2 + 0.4)
            zone = OrientedBox(center, np.array([door.model.size[0], 0.8, 2.0]), door.rotation)
            found += [t.model.label for t in room.placements if t is not door and penetration_m(zone, box_of(t)) > 0.01]
    return found


def outside(room: Room3D) -> list[str]:
    """Things that reach through a wall, the floor or the ceiling."""
    found = []
    for thing in room.placements:
        points = thing.model.vertices @ thing.rotation.T + thing.position
        z = points[:, 2]
        if room.plan.clearance(points[:, :2]).min() < -1e-3 or z.min() < -1e-3 or z.max() > room.plan.height_m + 1e-3:
            found.append(thing.model.label)
    return found


def labels(room: Room3D) -> Counter[str]:
    return Counter(thing.model.label for thing in room.placements)


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_overlaps_floats_or_blocks_the_door(seed: int) -> None:
    room = room_of(seed)
    assert overlaps(room) == []
    assert floating(room) == []
    assert blocked_doors(room) == []
    assert outside(room) == []


def test_penetration_of_known_boxes() -> None:
    a = OrientedBox(np.zeros(3), np.ones(3), np.eye(3))
    b = OrientedBox(np.array([0.9, 0.0, 0.0]), np.ones(3), np.eye(3))
    assert penetration_m(a, b) == pytest.approx(0.1)
    c = OrientedBox(np.array([1.5, 0.0, 0.0]), np.ones(3), np.eye(3))
    assert penetration_m(a, c) == pytest.approx(-0.5)


@pytest.mark.parametrize("seed", SEEDS)
def test_rooms_hold_enough_of_everything(seed: int) -> None:
    counts = labels(room_of(seed))
    assert MIN_OBJECTS <= counts.total() <= MAX_OBJECTS
    assert sum(n == 1 for n in counts.values()) >= 5
    assert counts["door"] >= 1 and counts["window"] >= 1


def test_rooms_repeat_labels() -> None:
    assert any(n >= 2 for seed in SEEDS for n in labels(room_of(seed)).values())


def test_some_rooms_are_l_shaped_and_areas_are_exact() -> None:
    shapes = [room_of(seed).plan for seed in range(1, 15)]
    assert 0 < sum(plan.is_l_shaped for plan in shapes) < len(shapes)
    for plan in shapes:
        low, high = plan.polygon.min(0), plan.polygon.max(0)
        x, y = (np.arange(low[k], high[k], 0.02) + 0.01 for k in (0, 1))
        inside = plan.clearance(np.stack(np.meshgrid(x, y), -1)) > 0
        assert plan.area_m2 == pytest.approx(inside.sum() * 0.02**2, rel=0.02)


def test_beds_and_cupboards_stand_at_walls_and_chairs_face_tables() -> None:
    seen: set[str] = set()
    for seed in SEEDS:
        room = room_of(seed)
        for thing in room.placements:
            label = thing.model.label
            if label in ("bed", "wardrobe", "bookcase", "refrigerator", "desk", "toilet") and thing.rest == "floor":
                back = (thing.footprint[2] + thing.footprint[3]) / 2
                assert room.plan.clearance(back) < 0.05, f"{label} in room {seed}"
                seen.add(label)
            if label == "chair":
                tables = [t for t in room.placements if t.model.label in ("table", "desk")]
                offset = min((t.center[:2] - thing.center[:2] for t in tables), key=lambda d: float(d @ d))
                half = max(t.model.size[:2].max() for t in tables)
                # The seat looks at the table: at its middle, or past it along a long side.
                assert thing.front @ offset > 0, f"chair in room {seed} turns its back to the table"
                assert abs(thing.front[0] * offset[1] - thing.front[1] * offset[0]) < half
                seen.add(label)
    assert {"bed", "chair", "desk", "toilet"} <= seen


def test_small_things_stand_on_furniture() -> None:
    carried = {t.model.label for seed in SEEDS for t in room_of(seed).placements if t.rest == "object"}
    assert carried & {"cup", "mug"} and carried & {"table lamp", "monitor", "laptop", "tv"}
