"""Floor, walls, ceiling, skirting boards, rugs and ceiling lights: what belongs to the room and to no object."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from jaxtyping import Float

from spaceland.scenes.rooms import paint
from spaceland.scenes.rooms.mesh import LazyPicture, Mesh, Texture, cuboid, join, patch
from spaceland.scenes.rooms.plan import Plan, Rug
from spaceland.scenes.rooms.shapes import ceiling_light

Color = tuple[int, int, int]
T = TypeVar("T")
_SKIRTING_M = (0.012, 0.08)  # thickness, height
_RUG_M = 0.004

_WOOD_FLOORS: tuple[Color, ...] = ((190, 148, 104), (160, 114, 74), (120, 82, 54), (206, 176, 138), (176, 150, 122))
_CARPETS: tuple[Color, ...] = ((150, 150, 146), (176, 162, 142), (110, 122, 138), (140, 116, 108))
_TILE_FLOORS: tuple[Color, ...] = ((222, 216, 206), (196, 198, 200), (206, 188, 168), (170, 172, 172))
_WALLS: tuple[Color, ...] = (
    (240, 236, 226), (226, 222, 214), (214, 224, 228), (232, 220, 198), (206, 216, 202), (226, 206, 196),
    (214, 208, 222),
)  # fmt: skip
_ACCENTS: tuple[Color, ...] = (
    (112, 138, 150), (160, 120, 104), (120, 140, 116), (92, 108, 140), (188, 160, 110), (150, 116, 132), (76, 96, 104),
)  # fmt: skip
_RUGS: tuple[tuple[Color, Color], ...] = (
    ((150, 60, 52), (226, 200, 160)), ((60, 84, 118), (214, 206, 190)), ((196, 186, 166), (120, 104, 88)),
    ((92, 118, 98), (224, 214, 186)), ((188, 140, 72), (110, 62, 44)),
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Shell:
    """Pictures of the floor and of each wall, colours, rugs, and where lights hang from the ceiling."""

    plan: Plan
    floor: LazyPicture
    floor_turned: bool
    walls: tuple[LazyPicture, ...]
    skirting: Color
    rugs: tuple[tuple[Rug, LazyPicture], ...]
    lights: Float[np.ndarray, "k 2"]
    light: Mesh

    def mesh(self, spacing_m: float) -> Mesh:
        """Everything, in triangles of about `spacing_m`."""
        plan, thin, high = self.plan, *_SKIRTING_M
        parts = []
        for low, upper in rectangles_of(plan):
            w, d = upper - low
            floor = patch((*low, 0), (w, 0, 0), (0, d, 0), (128, 128, 128), spacing_m=spacing_m)
            axes = ((0.0, 1.0, 0.0), (1.0, 0.0, 0.0)) if self.floor_turned else ((1.0, 0.0, 0.0), (0.0, -1.0, 0.0))
            parts.append(_papered(floor, self.floor, np.zeros(3), *(np.array(a) for a in axes)))
            parts.append(
                patch((low[0], upper[1], plan.height_m), (w, 0, 0), (0, -d, 0), (246, 245, 242), spacing_m=spacing_m)
            )
        for wall, paper in zip(plan.walls, self.walls, strict=True):
            start, along = np.array([*wall.start, 0.0]), np.array([*wall.along, 0.0])
            normal = np.array([*wall.normal, 0.0])
            # Seen from inside, the start of a wall (room on its left) is at the left.
            end = start + along * wall.length_m
            side = patch(end, -along * wall.length_m, (0, 0, plan.height_m), (128, 128, 128), spacing_m=spacing_m)
            parts.append(_papered(side, paper, end, -along, np.array([0.0, 0.0, -1.0])))
            corners = np.stack([start, end + normal * thin + [0, 0, high]])
            parts.append(cuboid(corners.min(0), corners.max(0), self.skirting, spacing_m=spacing_m))
        for rug, picture in self.rugs:
            c, s = np.cos(rug.yaw), np.sin(rug.yaw)
            x, y = np.array([c, s, 0]) * rug.size[0], np.array([-s, c, 0]) * rug.size[1]
            corner = np.array([*rug.center, _RUG_M]) - (x + y) / 2
            parts.append(patch(corner, x, y, (128, 128, 128), spacing_m=spacing_m, picture=picture))
        parts.extend(self.light.moved(np.eye(3), np.array([*xy, plan.height_m])) for xy in self.lights)
        return join(parts)


def make_shell(plan: Plan, kind: str, rugs: list[Rug], rng: np.random.Generator) -> Shell:
    """Choose floor, wallpaper and colours that suit the kind of room."""

    def choose(options: tuple[T, ...]) -> T:
        return options[int(rng.integers(len(options)))]

    wet = kind in ("bathroom", "kitchen")
    if wet:
        first = choose(_TILE_FLOORS)
        chequered = rng.random() < 0.3
        floor = paint.later(
            rng,
            paint.tiles,
            first,
            (92, 96, 100) if chequered else None,
            8 if chequered else int(rng.choice([4, 6, 8])),
        )
    elif rng.random() < (0.6 if kind == "office" else 0.15):
        floor = paint.later(rng, paint.carpet, choose(_CARPETS))
    else:
        floor = paint.later(rng, paint.planks, choose(_WOOD_FLOORS))
    base = choose(_WALLS)
    if kind == "bathroom":
        plain = paint.later(
            rng, paint.wall_tiles, choose(((232, 236, 236), (206, 224, 226), (226, 214, 200), (196, 214, 204)))
        )
    else:
        painter = (paint.plaster, paint.plaster, paint.stripes, paint.dots)[int(rng.integers(4))]
        plain = paint.later(rng, painter, base)
    papers = [plain] * len(plan.walls)
    if kind != "bathroom" and rng.random() < 0.6:
        papers[int(rng.integers(len(papers)))] = paint.later(rng, paint.plaster, choose(_ACCENTS))
    pictures = tuple((rug, paint.later(rng, paint.rug, *choose(_RUGS))) for rug in rugs)
    lights = np.array([(low + upper) / 2 for low, upper in rectangles_of(plan)])
    skirting = choose(((244, 243, 240), (244, 243, 240), (170, 130, 92)))
    return Shell(plan, floor, bool(rng.random() < 0.5), tuple(papers), skirting, pictures, lights, ceiling_light(rng))


def rectangles_of(plan: Plan) -> list[tuple[Float[np.ndarray, "2"], Float[np.ndarray, "2"]]]:
    """The floor as one rectangle (low corner, high corner), or two for an L."""
    low, high = plan.polygon.min(0), plan.polygon.max(0)
    if not plan.is_l_shaped:
        return [(low, high)]
    inner = next(p for p in plan.polygon if (p > low + 1e-6).all() and (p < high - 1e-6).all())
    left_full = any(np.allclose(p, [low[0], high[1]]) for p in plan.polygon)
    lower = (low, np.array([high[0], inner[1]]))
    if left_full:
        return [lower, (np.array([low[0], inner[1]]), np.array([inner[0], high[1]]))]
    return [lower, (inner, high)]


def _papered(mesh: Mesh, picture: LazyPicture, origin: np.ndarray, right: np.ndarray, down: np.ndarray) -> Mesh:
    texture = Texture(picture, origin, right / paint.TILE_M, down / paint.TILE_M, repeat=True)
    return replace(mesh, texture=np.zeros(len(mesh.faces), np.int32), textures=(texture,))
