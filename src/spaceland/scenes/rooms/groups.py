"""Groups of furniture that belong together, as several kinds of rooms need them: a desk with its chair, a bed, ..."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spaceland.scenes.rooms import shapes
from spaceland.scenes.rooms.furniture import Model, model
from spaceland.scenes.rooms.layout import Layout
from spaceland.scenes.rooms.plan import Wall

SOFAS = ("sofa_couch", "sofa_sofa2", "sofa_winchestersofa")
CORNER_SOFAS = ("sofa_l_shaped_sofa", "sofa_couch2")
ARMCHAIRS = ("armchair_armchair2", "armchair_modernarmchair", "armchair_winchesterarmchair")
BEDS = ("bed_bed1", "bed_bed2", "bed_bed3", "bed_bedwithtexture")
DINING_CHAIRS = (
    "chair_chair", "chair_chair2", "chair_chairwithcushion", "chair_oakchair", "chair_osakachair", "chair_sillablanca",
    "chair_thonet", "chair_plasticchair",
)  # fmt: skip
DESK_CHAIRS = ("chair_designchair", "chair_plasticchair", "armchair_armchair", "chair_osakachair", "chair_sillablanca")
SMALL_PLANTS = ("plant_cactus", "plant_littleplant", "plant_orchids")
LARGE_PLANTS = ("plant_decorativeplant", "plant_plant")
ODDS = (
    "ball_basketball",
    "box_box",
    "briefcase_briefcase",
    "teddy_bear_teddybear",
    "box_ammobox",
    "guitar_electricguitar",
)


def pick(layout: Layout, keys: Sequence[str]) -> Model:
    """One of several models."""
    return model(keys[int(layout.rng.integers(len(keys)))])


def chance(layout: Layout, share: float) -> bool:
    """True with a probability."""
    return bool(layout.rng.random() < share)


def openings(layout: Layout, windows: int, sill_m: float = 0.9, small: bool = False) -> bool:
    """A door with free floor before it, and windows that tall furniture stays away from."""
    rng = layout.rng
    door = shapes.door(rng)
    at = 0.0 if chance(layout, 0.5) else 1.0
    index = layout.against_wall(door, at=at, gap_m=0.0, margin_m=0.12)
    if index is None:
        return False
    layout.keep_free(index, 0.95)
    door_yaw = layout.placements[index].yaw
    placed = 0
    for wall in sorted(layout.walls(1.6), key=lambda w: abs(np.cos((w.yaw - door_yaw) / 2)))[:windows]:
        width = 0.7 if small else float(rng.choice([1.1, 1.4, 1.8]))
        window = shapes.window(rng, min(width, wall.length_m - 0.8), 0.8 if small else float(rng.choice([1.2, 1.35])))
        at = float(rng.uniform(0.4, 0.6))
        index = layout.hung(window, 1.3 if small else sill_m, walls=[wall], at=at)
        if index is not None:
            layout.keep_free(index, 0.3, low_m=1.2 if small else sill_m + 0.1, high_m=2.2)
            placed += 1
    return placed > 0


def pictures(layout: Layout, count: int, above: Sequence[int | None] = ()) -> None:
    """Framed pictures, some centred above furniture."""
    rng = layout.rng
    for index in [a for a in above if a is not None]:
        size = ((0.9, 0.6), (0.7, 0.5), (0.6, 0.8))[int(rng.integers(3))]
        top = layout.placements[index].z_range[1]
        if top < 1.25 and layout.hung(shapes.picture(rng, *size), max(1.3, top + 0.2), above=index) is not None:
            count -= 1
    for _ in range(count):
        size = ((0.4, 0.55), (0.6, 0.45), (0.5, 0.5), (0.8, 0.55))[int(rng.integers(4))]
        layout.hung(shapes.picture(rng, *size), float(rng.uniform(1.3, 1.45)))


def plants(layout: Layout, count: int) -> None:
    """Tall plants in corners."""
    for _ in range(count):
        layout.in_corner(pick(layout, LARGE_PLANTS), gap_m=0.08, yaw=float(layout.rng.uniform(-np.pi, np.pi)))


def radiator(layout: Layout) -> None:
    """A radiator under a window."""
    for index, thing in enumerate(layout.placements):
        if thing.model.label == "window" and thing.z_range[0] > 0.8:
            heater = model("radiator_radiator" if chance(layout, 0.5) else "radiator_radiator3")
            wall = min(
                layout.plan.walls, key=lambda w: layout._behind(w, thing) + abs(np.sin((w.yaw - thing.yaw) / 2)) * 100
            )
            at = float((layout.placements[index].center[:2] - wall.start) @ wall.along) / wall.length_m
            layout.against_wall(heater, walls=[wall], at=at, gap_m=0.03)
            return


def cups(layout: Layout, table: int, count: int) -> None:
    """Cups and glasses on a table."""
    key = "cup_caffe_final" if chance(layout, 0.6) else "cup_beerglass"
    for _ in range(count):
        layout.on_top(model(key), table, turn_deg=float(layout.rng.uniform(0, 360)), spread=0.75, low_m=0.35)


def desk_with_seat(layout: Layout, walls: Sequence[Wall] | None = None, monitors: int = 1) -> int | None:
    """A desk at a wall, its chair facing it, and what lies on it."""
    rng = layout.rng
    desk = layout.against_wall(pick(layout, ("desk_desk", "desk_lbdesk", "desk_lbdesk")), walls=walls, free_m=0.95)
    if desk is None:
        return None
    if (
        layout.before(
            pick(layout, DESK_CHAIRS),
            desk,
            0.04,
            turn_deg=float(rng.uniform(-25, 25)),
            across_m=float(rng.uniform(-0.08, 0.08)),
        )
        is None
    ):
        layout.before(pick(layout, DESK_CHAIRS), desk, 0.12)
    things = [shapes.laptop(rng)] if chance(layout, 0.35) else [shapes.monitor(rng) for _ in range(monitors)]
    for k, thing in enumerate(things):
        across = 0.0 if len(things) == 1 else (-0.35, 0.35)[k]
        turn = 0.0 if len(things) == 1 else (10.0, -10.0)[k]
        if layout.on_top(thing, desk, toward=(across, 0.25), spread=0.12, turn_deg=turn, low_m=0.5) is None:
            layout.on_top(thing, desk, spread=0.7, low_m=0.5)
    if chance(layout, 0.75):
        layout.on_top(
            model("lamp_desklamp"), desk, toward=(0.8 if chance(layout, 0.5) else -0.8, 0.3), spread=0.3, low_m=0.5
        )
    if chance(layout, 0.6):
        cups(layout, desk, 1)
    if chance(layout, 0.3):
        layout.on_top(pick(layout, SMALL_PLANTS), desk, spread=0.9, low_m=0.5)
    if chance(layout, 0.7):
        layout.beside(model("trash_can_dustbin"), desk, int(rng.choice([-1, 1])), gap_m=0.08)
    return desk


def bed_with_nightstands(layout: Layout, walls: Sequence[Wall] | None = None) -> int | None:
    """A bed with its head at a wall, nightstands beside it with lamps."""
    bed = layout.against_wall(pick(layout, BEDS), walls=walls, free_m=0.4)
    if bed is None:
        return None
    lamp = chance(layout, 0.7)
    for side in (-1, 1) if chance(layout, 0.75) else (int(layout.rng.choice([-1, 1])),):
        stand = layout.beside(model("nightstand_bedsidetable2"), bed, side, gap_m=0.06)
        if stand is not None and lamp:
            layout.on_top(model("lamp_desklamp"), stand, spread=0.15)
        elif stand is not None:
            layout.on_top(pick(layout, SMALL_PLANTS[:2]), stand, spread=0.3)
    if chance(layout, 0.6):
        layout.lay_rug(bed, layout.placements[bed].model.size[:2] * [1.0, 0.6] + [1.1, 0.3], forward_m=0.5)
    return bed


def storage(layout: Layout, choices: Sequence[str], count: int) -> list[int]:
    """Cupboards and shelves against walls, no two kinds that could be taken for each other."""
    placed = []
    for key in layout.rng.permutation(np.array(choices)).tolist():
        if len(placed) >= count:
            break
        index = layout.against_wall(model(key), free_m=0.45)
        if index is not None:
            placed.append(index)
    return placed


def odds_and_ends(layout: Layout, count: int, keys: Sequence[str] = ODDS) -> None:
    """Smaller things near walls or on the floor."""
    for key in layout.rng.permutation(np.array(keys)).tolist()[:count]:
        if key in ("ball_basketball", "teddy_bear_teddybear"):
            layout.free_standing(model(key))
        else:
            layout.against_wall(model(key), margin_m=0.1)


def dining_group(layout: Layout, seats: int, center: np.ndarray | None = None) -> int | None:
    """A table with chairs of one kind around it, and what stands on it."""
    rng = layout.rng
    round_table = seats <= 4 and chance(layout, 0.6)
    table = model("table_oaktable" if round_table else "table_table")
    yaw = float(rng.uniform(-np.pi, np.pi)) if round_table else float(rng.integers(2)) * np.pi / 2
    index = layout.free_standing(table, yaw=yaw, wall_gap_m=1.0, center=center, tries=60)
    if index is None:
        index = layout.free_standing(table, yaw=yaw, wall_gap_m=0.75, tries=60)
    if index is None:
        return None
    chair = pick(layout, DINING_CHAIRS)
    gap = float(rng.uniform(0.0, 0.08)) + 0.03
    if round_table:
        spots = [(0.0, 0.0), (np.pi / 2, 0.0), (np.pi, 0.0), (-np.pi / 2, 0.0)][:seats]
    else:
        spots = [
            (np.pi / 2, -0.55),
            (-np.pi / 2, 0.55),
            (np.pi / 2, 0.55),
            (-np.pi / 2, -0.55),
            (0.0, 0.0),
            (np.pi, 0.0),
        ]
        spots = spots[:seats]
    seated = sum(layout.around(chair, index, angle, gap, across) is not None for angle, across in spots)
    if seated < 2:
        return None
    if chance(layout, 0.7):
        centrepiece = (shapes.vase(rng), shapes.bowl(rng), model("plant_orchids"))[int(rng.integers(3))]
        layout.on_top(centrepiece, index, spread=0.15)
    cups(layout, index, int(rng.integers(1, 4)))
    if chance(layout, 0.4):
        layout.lay_rug(index, table.size[:2] + 0.9)
    return index
