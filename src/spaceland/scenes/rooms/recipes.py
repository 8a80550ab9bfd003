"""What stands in a bedroom, a living room, ... and where: one function for each kind of room.

A recipe returns False when something without which the room makes no sense does not fit; the generator then tries
again with another size. Everything else may be missing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from spaceland.scenes.rooms import shapes
from spaceland.scenes.rooms.furniture import Model, model
from spaceland.scenes.rooms.groups import (
    ARMCHAIRS,
    CORNER_SOFAS,
    SOFAS,
    bed_with_nightstands,
    chance,
    cups,
    desk_with_seat,
    dining_group,
    odds_and_ends,
    openings,
    pick,
    pictures,
    plants,
    radiator,
    storage,
)
from spaceland.scenes.rooms.layout import Layout


@dataclass(frozen=True)
class RoomKind:
    """Ranges of the longer and the shorter side in metres, how often the room is L-shaped, and the recipe."""

    long_m: tuple[float, float]
    short_m: tuple[float, float]
    l_share: float
    furnish: Callable[[Layout], bool]


def bedroom(layout: Layout) -> bool:
    rng = layout.rng
    if not openings(layout, int(rng.integers(1, 3))):
        return False
    bed = bed_with_nightstands(layout)
    if bed is None:
        return False
    storage(layout, ("wardrobe_wardrobewithslidingdoors", "wardrobe_cupboard"), 1)
    storage(
        layout,
        ("bookshelf_bookcase",) if chance(layout, 0.5) else ("bookshelf_shelves", "bookshelf_verticalshelves"),
        int(rng.integers(1, 3)),
    )
    if chance(layout, 0.5):
        desk_with_seat(layout)
    else:
        layout.in_corner(pick(layout, ARMCHAIRS), gap_m=0.12, yaw=float(rng.uniform(-np.pi, np.pi)))
    if chance(layout, 0.25):
        layout.against_wall(model("bed_babyrockingbed"))
    radiator(layout)
    plants(layout, int(rng.integers(1, 3)))
    pictures(layout, 3, above=[bed])
    odds_and_ends(layout, 2)
    return True


def living_room(layout: Layout) -> bool:
    rng = layout.rng
    if not openings(layout, int(rng.integers(1, 4))):
        return False
    if chance(layout, 0.3):
        sofa = layout.in_corner(pick(layout, CORNER_SOFAS), gap_m=0.05)
    else:
        sofa = layout.against_wall(pick(layout, SOFAS), free_m=1.2)
    if sofa is None:
        return False
    table = layout.before(shapes.coffee_table(rng), sofa, float(rng.uniform(0.35, 0.45)))
    if table is not None:
        if chance(layout, 0.7):
            layout.lay_rug(table, np.array([2.0, 1.4]))
        cups(layout, table, int(rng.integers(1, 4)))
        if chance(layout, 0.6):
            layout.on_top(
                (shapes.vase(rng), shapes.bowl(rng), model("plant_littleplant"))[int(rng.integers(3))],
                table,
                spread=0.7,
            )
    thing = layout.placements[sofa]
    facing = [w for w in layout.walls(1.6) if w.normal @ thing.front < -0.9]
    stand = None
    for wall in facing:
        at = float((thing.center[:2] - wall.start) @ wall.along) / wall.length_m
        stand = layout.against_wall(shapes.tv_stand(rng), walls=[wall], at=float(np.clip(at, 0.1, 0.9)))
        if stand is not None:
            break
    if stand is None:
        stand = layout.against_wall(shapes.tv_stand(rng))
    if stand is not None:
        layout.on_top(model("tv_led_tv"), stand, spread=0.05)
        if chance(layout, 0.5):
            for side in (-1, 1):
                layout.beside(model("speaker_speaker3"), stand, side, gap_m=0.08)
    armchair = pick(layout, ARMCHAIRS)
    for side in (-1, 1) if chance(layout, 0.6) else (1,):
        across = side * (thing.model.size[0] / 2 + 0.25)
        layout.before(
            armchair, sofa, float(rng.uniform(0.5, 0.9)), across_m=across, turn_deg=side * float(rng.uniform(25, 55))
        )
    layout.in_corner(shapes.floor_lamp(rng), gap_m=0.1, yaw=0.0)
    if chance(layout, 0.25) and min(np.ptp(layout.plan.polygon, axis=0)) > 4.2:
        piano = layout.in_corner(model("piano_pianoaqueue"), gap_m=0.15)
        if piano is not None:
            layout.before(model("stool_pianobench"), piano, 0.1)
    storage(
        layout,
        ("bookshelf_bookcase",) if chance(layout, 0.5) else ("bookshelf_shelves", "bookshelf_verticalshelves"),
        int(rng.integers(1, 3)),
    )
    radiator(layout)
    plants(layout, int(rng.integers(1, 4)))
    pictures(layout, 4, above=[sofa])
    if chance(layout, 0.5):
        layout.hung(model("clock_cuckooclock"), 1.35)
    odds_and_ends(layout, 1)
    return True


def office(layout: Layout) -> bool:
    rng = layout.rng
    if not openings(layout, int(rng.integers(1, 3))):
        return False
    if desk_with_seat(layout, monitors=int(rng.integers(1, 3))) is None:
        return False
    desk_with_seat(layout)
    if layout.plan.area_m2 > 20 and chance(layout, 0.6):
        desk_with_seat(layout)
    storage(
        layout,
        ("bookshelf_bookcase",) if chance(layout, 0.5) else ("bookshelf_shelves", "bookshelf_verticalshelves"),
        2,
    )
    if chance(layout, 0.7):
        layout.against_wall(model("whiteboard_whiteboard"), free_m=0.5)
    if chance(layout, 0.4):
        layout.in_corner(pick(layout, ARMCHAIRS), gap_m=0.12, yaw=float(rng.uniform(-np.pi, np.pi)))
    if chance(layout, 0.6):
        layout.against_wall(model("fire_extinguisher_fireextinguisher"))
    radiator(layout)
    plants(layout, int(rng.integers(1, 3)))
    pictures(layout, 2)
    odds_and_ends(layout, 2, ("briefcase_briefcase", "box_box", "box_ammobox"))
    layout.against_wall(model("fan_tablefan")) if chance(layout, 0.3) else None
    return True


def dining_room(layout: Layout) -> bool:
    rng = layout.rng
    if not openings(layout, int(rng.integers(1, 3))):
        return False
    table = dining_group(layout, int(rng.integers(4, 7)))
    if table is None:
        return False
    if chance(layout, 0.6):
        layout.from_ceiling(model("lamp_lamp2"), layout.placements[table].center[:2])
    if chance(layout, 0.35) and min(np.ptp(layout.plan.polygon, axis=0)) > 4.2:
        piano = layout.in_corner(model("piano_pianoaqueue"), gap_m=0.15)
        if piano is not None:
            layout.before(model("stool_pianobench"), piano, 0.1)
    shelves = storage(layout, ("bookshelf_bookcase", "wardrobe_cupboard", "bookshelf_shelves"), int(rng.integers(1, 3)))
    for index in shelves:
        if layout.placements[index].z_range[1] < 1.0:
            layout.on_top((shapes.vase(rng), model("plant_littleplant"))[int(rng.integers(2))], index, spread=0.7)
    radiator(layout)
    plants(layout, int(rng.integers(1, 4)))
    pictures(layout, int(rng.integers(2, 5)))
    if chance(layout, 0.6):
        layout.hung(model("clock_cuckooclock"), 1.35)
    layout.in_corner(shapes.floor_lamp(rng), gap_m=0.1, yaw=0.0) if chance(layout, 0.5) else None
    return True


def kitchen(layout: Layout) -> bool:
    rng = layout.rng
    if not openings(layout, 1, sill_m=1.05):
        return False
    row: list[Model] = [
        model("cabinet_drawerscabinet"),
        model("sink_sinkcabinet"),
        model("cabinet_lowercabinet"),
        shapes.oven(rng),
    ]
    row = [row[k] for k in rng.permutation(4)] + [
        model("cabinet_drawerscabinet" if chance(layout, 0.5) else "cabinet_lowercabinet")
    ]
    fridge = model("refrigerator_largefridge" if chance(layout, 0.5) else "refrigerator_refrigerator")
    first = None
    for wall in layout.walls(sum(m.size[0] for m in row) + 0.3):
        first = layout.against_wall(row[0], walls=[wall], at=1.0, margin_m=float(rng.uniform(0.1, 0.3)))
        if first is not None:
            break
    if first is None:
        return False
    units = [first]
    for unit in row[1:]:
        index = layout.beside(unit, units[-1], 1, gap_m=0.002)
        if index is None:
            break
        units.append(index)
    if len(units) < 3:
        return False
    for index in units:
        layout.keep_free(index, 0.8)
    if layout.beside(fridge, units[-1], 1, gap_m=0.04) is None:
        layout.against_wall(fridge, free_m=0.6)
    labels = {index: layout.placements[index].model.label for index in units}
    tops = [index for index in units if labels[index] == "cabinet"]
    for index in units:
        if labels[index] == "oven":
            layout.on_top(model("stove_mano_cooktop"), index, spread=0.02)
        elif labels[index] == "cabinet":
            upper = model("cabinet_uppercabinet" if chance(layout, 0.5) else "cabinet_glassdoorcabinet")
            layout.hung(upper, 1.45, above=index)
    counter = [
        model("coffee_maker_coffeebrewer"),
        model("carton_tetrapak"),
        model("bottle_yogurtbottle"),
        shapes.bowl(rng),
    ]
    for k in rng.permutation(4)[:3]:
        if tops:
            layout.on_top(counter[k], int(rng.choice(tops)), spread=0.7, low_m=0.6)
    table = dining_group(layout, int(rng.integers(2, 5)))
    if table is None:
        layout.against_wall(model("table_tablewithtablecloth"))
    for _ in range(int(rng.integers(0, 3))):
        layout.against_wall(model("stool_stool2"))
    layout.against_wall(model("trash_can_dustbin"))
    radiator(layout)
    if chance(layout, 0.5):
        layout.hung(model("clock_cuckooclock"), 1.35)
    pictures(layout, 2)
    plants(layout, 1)
    return True


def bathroom(layout: Layout) -> bool:
    rng = layout.rng
    if not openings(layout, 1, small=True):
        return False
    if layout.in_corner(model("shower_showerstall"), gap_m=0.02, ends=(1,)) is None:
        return False
    sink = layout.against_wall(pick(layout, ("sink_modernvanity", "sink_washbasin")), free_m=0.6)
    toilet = layout.against_wall(model("toilet_toiletsunit"), free_m=0.5, margin_m=0.2)
    if sink is None or toilet is None:
        return False
    if chance(layout, 0.6) and layout.beside(model("bidet_bidet"), toilet, int(rng.choice([-1, 1])), gap_m=0.3) is None:
        layout.against_wall(model("bidet_bidet"), margin_m=0.15)
    for _ in range(int(rng.integers(1, 3))):
        layout.hung(model("towel_rack_towel3"), 1.05)
    layout.against_wall(model("radiator_radiator3"), gap_m=0.03)
    layout.against_wall(model("trash_can_dustbin"))
    layout.against_wall(model("cabinet_drawerscabinet"), free_m=0.4) if chance(layout, 0.6) else None
    layout.against_wall(model("stool_stool2")) if chance(layout, 0.5) else None
    plants(layout, 1)
    pictures(layout, 1)
    return True


def studio(layout: Layout) -> bool:
    rng = layout.rng
    if not openings(layout, int(rng.integers(2, 4))):
        return False
    if bed_with_nightstands(layout) is None:
        return False
    sofa = layout.against_wall(pick(layout, SOFAS), free_m=1.0)
    if sofa is None:
        return False
    table = layout.before(shapes.coffee_table(rng), sofa, 0.38)
    if table is not None:
        cups(layout, table, int(rng.integers(1, 3)))
    desk_with_seat(layout)
    storage(layout, ("wardrobe_wardrobewithslidingdoors", "wardrobe_cupboard"), 1)
    stand = layout.against_wall(shapes.tv_stand(rng))
    if stand is not None:
        layout.on_top(model("tv_led_tv"), stand, spread=0.05)
    storage(layout, ("bookshelf_shelves", "bookshelf_verticalshelves"), 1)
    plants(layout, 2)
    pictures(layout, 3, above=[sofa])
    odds_and_ends(layout, 2)
    return True


KINDS = {
    "living room": RoomKind((4.6, 6.2), (4.0, 4.8), 0.6, living_room),
    "bedroom": RoomKind((4.4, 5.4), (3.8, 4.6), 0.5, bedroom),
    "office": RoomKind((4.6, 6.0), (3.8, 4.6), 0.5, office),
    "dining room": RoomKind((4.8, 6.0), (4.2, 4.8), 0.45, dining_room),
    "kitchen": RoomKind((4.8, 5.8), (4.0, 4.8), 0.35, kitchen),
    "studio": RoomKind((6.0, 7.4), (5.2, 6.2), 0.8, studio),
    "bathroom": RoomKind((3.6, 4.2), (3.0, 3.6), 0.0, bathroom),
}
