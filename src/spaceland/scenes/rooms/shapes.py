"""Simple shapes of our own for what the furniture set lacks: doors, windows, pictures, screens, low tables, lamps.

They follow the furniture's model frame: origin in the middle of the footprint at the bottom, the front faces -y.
"""

from __future__ import annotations

import numpy as np

from spaceland.geometry.transforms import rotation_z
from spaceland.scenes.rooms import paint
from spaceland.scenes.rooms.furniture import Model
from spaceland.scenes.rooms.mesh import LazyPicture, Mesh, cuboid, join, lathe, patch

Color = tuple[int, int, int]
WOODS: tuple[Color, ...] = ((196, 160, 118), (150, 106, 70), (98, 66, 44), (222, 214, 200), (120, 86, 60))
METAL: Color = (176, 178, 182)
WHITE: Color = (240, 240, 236)
BLACK: Color = (28, 28, 31)


def as_model(label: str, parts: list[Mesh], *, has_front: bool) -> Model:
    """A model of a finished mesh; its key is its label."""
    mesh = join(parts)
    return Model(label, label, mesh.vertices, mesh.faces, mesh.colors, has_front, mesh)


def _darker(color: Color, factor: float) -> Color:
    r, g, b = color
    return int(r * factor), int(g * factor), int(b * factor)


def _front_panel(
    width: float, height: float, z: float, y: float, color: Color, picture: LazyPicture | None = None, glow: float = 0.0
) -> Mesh:
    """A rectangle that faces -y, centred at x = 0."""
    return patch((-width / 2, y, z), (width, 0, 0), (0, 0, height), color, spacing_m=0.1, picture=picture, glow=glow)


def door(rng: np.random.Generator) -> Model:
    """A closed door in its frame, 0.06 m proud of the wall with the handle."""
    width, height, casing = float(rng.choice([0.78, 0.86])), 2.02, 0.07
    leaf = ((236, 234, 228), (170, 124, 84), (206, 176, 138), (112, 78, 56), (178, 196, 190))[int(rng.integers(5))]
    rim: Color = (244, 243, 240) if rng.random() < 0.7 else leaf
    dark = _darker(leaf, 0.86)
    back, half = 0.02, width / 2
    parts = [
        cuboid((-half - casing, -0.025, 0), (-half, back, height + casing), rim, spacing_m=0.15),
        cuboid((half, -0.025, 0), (half + casing, back, height + casing), rim, spacing_m=0.15),
        cuboid((-half, -0.025, height), (half, back, height + casing), rim, spacing_m=0.15),
        cuboid((-half, -0.008, 0), (half, back, height), leaf, spacing_m=0.1, sides="yz"),
    ]
    layout = [((0.16, 0.86), (1.02, 1.86)), ((0.16, 1.86),), ((0.16, 0.6), (0.72, 1.2), (1.32, 1.86))][
        int(rng.integers(3))
    ]
    for low, high in layout:
        parts.append(
            cuboid((-half + 0.13, -0.014, low), (half - 0.13, -0.008, high), dark, spacing_m=0.15, sides="xXyzZ")
        )
        parts.append(
            cuboid(
                (-half + 0.16, -0.018, low + 0.03),
                (half - 0.16, -0.014, high - 0.03),
                leaf,
                spacing_m=0.15,
                sides="xXyzZ",
            )
        )
    side = 1 if rng.random() < 0.5 else -1
    x = side * (half - 0.065)
    parts.append(cuboid((x - 0.02, -0.016, 0.93), (x + 0.02, -0.008, 1.13), METAL, sides="xXyzZ"))
    parts.append(cuboid((x - 0.01, -0.06, 1.04), (x + 0.01, -0.016, 1.06), METAL))
    parts.append(cuboid((min(x, x - side * 0.11), -0.065, 1.038), (max(x, x - side * 0.11), -0.05, 1.062), METAL))
    return as_model("door", parts, has_front=False)


def window(rng: np.random.Generator, width: float, height: float) -> Model:
    """A window with frame, glazing bar, sill and a view; its glass glows and lights the room."""
    rim: Color = WHITE if rng.random() < 0.7 else (150, 108, 74)
    casing, back = 0.06, 0.02
    x, z = width / 2, height
    view = paint.later(rng, paint.outdoors)
    parts = [
        cuboid((-x, -0.03, 0), (-x + casing, back, z), rim, spacing_m=0.15),
        cuboid((x - casing, -0.03, 0), (x, back, z), rim, spacing_m=0.15),
        cuboid((-x + casing, -0.03, z - casing), (x - casing, back, z), rim, spacing_m=0.15),
        cuboid((-x + casing, -0.03, 0), (x - casing, back, casing), rim, spacing_m=0.15),
        cuboid((-x - 0.04, -0.09, -0.035), (x + 0.04, back, 0), rim, spacing_m=0.15),
        _front_panel(width - 2 * casing, height - 2 * casing, casing, 0.0, (200, 220, 240), view, glow=1.6),
    ]
    bars = 1 if width < 1.5 else 2
    for k in range(bars):
        at = -x + width * (k + 1) / (bars + 1)
        parts.append(cuboid((at - 0.022, -0.022, casing), (at + 0.022, 0, z - casing), rim, spacing_m=0.15))
    if rng.random() < 0.5:
        parts.append(cuboid((-x + casing, -0.018, z * 0.66), (x - casing, 0, z * 0.66 + 0.035), rim, spacing_m=0.15))
    return as_model("window", parts, has_front=False)


def picture(rng: np.random.Generator, width: float, height: float) -> Model:
    """A framed picture, 0.03 m thick."""
    rim = ((24, 24, 26), (236, 234, 230), (152, 110, 70), (196, 164, 92))[int(rng.integers(4))]
    edge = 0.03
    x = width / 2
    art = paint.later(rng, paint.artwork, int(rng.integers(4)))
    parts = [
        cuboid((-x, -0.015, 0), (-x + edge, 0.015, height), rim),
        cuboid((x - edge, -0.015, 0), (x, 0.015, height), rim),
        cuboid((-x + edge, -0.015, 0), (x - edge, 0.015, edge), rim),
        cuboid((-x + edge, -0.015, height - edge), (x - edge, 0.015, height), rim),
        _front_panel(width - 2 * edge, height - 2 * edge, edge, -0.006, WHITE, art),
    ]
    return as_model("picture", parts, has_front=False)


def monitor(rng: np.random.Generator) -> Model:
    """A computer screen on a foot, 0.55 m wide."""
    width, height, foot = 0.55, 0.34, 0.12
    shell: Color = BLACK if rng.random() < 0.7 else (200, 202, 206)
    parts = [
        cuboid((-0.12, -0.09, 0), (0.12, 0.09, 0.012), shell),
        cuboid((-0.025, 0.02, 0.012), (0.025, 0.045, foot + 0.1), shell),
        cuboid((-width / 2, -0.015, foot), (width / 2, 0.02, foot + height), shell),
        _front_panel(
            width - 0.03, height - 0.03, foot + 0.015, -0.0162, BLACK, paint.later(rng, paint.screen), glow=0.75
        ),
    ]
    return as_model("monitor", parts, has_front=True)


def laptop(rng: np.random.Generator) -> Model:
    """An open laptop, 0.34 m wide."""
    width, depth, lid = 0.34, 0.24, 0.22
    shell: Color = ((186, 188, 192), (60, 62, 68))[int(rng.integers(2))]
    lean = np.array([0.0, np.sin(np.radians(18)), np.cos(np.radians(18))]) * lid
    hinge = np.array([-width / 2, 0.09, 0.018])
    across = np.array([width, 0, 0])
    inset = 0.012
    unit = lean / lid
    forward = np.cross([1.0, 0, 0], unit)
    parts = [
        cuboid((-width / 2, 0.09 - depth, 0), (width / 2, 0.09, 0.018), shell),
        patch(
            (-width / 2, 0.09 - depth, 0.0185),
            across,
            (0, depth - 0.01, 0),
            shell,
            picture=paint.later(rng, paint.keyboard),
        ),
        patch(hinge, across, lean, BLACK),
        patch(
            hinge + [inset, 0, 0] + unit * inset + forward * 0.0015,
            across - [2 * inset, 0, 0],
            unit * (lid - 2 * inset),
            BLACK,
            picture=paint.later(rng, paint.screen),
            glow=0.75,
        ),
        patch(hinge + across - forward * 0.008, -across, lean, shell),
    ]
    return as_model("laptop", parts, has_front=True)


def coffee_table(rng: np.random.Generator) -> Model:
    """A low table with a shelf."""
    wood = WOODS[int(rng.integers(len(WOODS)))]
    width, depth, height = float(rng.choice([0.9, 1.1])), 0.55, float(rng.choice([0.4, 0.44]))
    x, y, leg = width / 2, depth / 2, 0.05
    parts = [cuboid((-x, -y, height - 0.04), (x, y, height), wood)]
    parts.append(cuboid((-x + leg, -y + leg, 0.13), (x - leg, y - leg, 0.15), wood))
    for sx in (-1, 1):
        for sy in (-1, 1):
            a = np.array([sx * (x - 0.01), sy * (y - 0.01), 0])
            b = np.array([sx * (x - 0.01 - leg), sy * (y - 0.01 - leg), height - 0.04])
            parts.append(cuboid(np.minimum(a, b), np.maximum(a, b), wood, sides="xXyY"))
    return as_model("coffee table", parts, has_front=False)


def tv_stand(rng: np.random.Generator) -> Model:
    """A low sideboard for a television: drawers and an open bay."""
    wood = WOODS[int(rng.integers(len(WOODS)))]
    front: Color = WHITE if rng.random() < 0.5 else _darker(wood, 0.9)
    width, depth, height = float(rng.choice([1.3, 1.5])), 0.4, 0.46
    x, y, board = width / 2, depth / 2, 0.025
    third = width / 3
    parts = [
        cuboid((-x, -y, 0.06), (x, y, 0.06 + board), wood),
        cuboid((-x, -y, height - board), (x, y, height), wood),
        cuboid((-x, -y, 0.06), (-x + board, y, height), wood),
        cuboid((x - board, -y, 0.06), (x, y, height), wood),
        cuboid((-third / 2 - board, -y, 0.06), (-third / 2, y, height), wood),
        cuboid((third / 2, -y, 0.06), (third / 2 + board, y, height), wood),
        cuboid((-x, y - 0.01, 0.06), (x, y, height), wood),
        cuboid((-third / 2, -y + 0.04, 0.25), (third / 2, y - 0.01, 0.265), wood),
        cuboid((-x + 0.05, -y + 0.04, 0), (x - 0.05, y - 0.02, 0.06), BLACK, sides="xXyY"),
    ]
    for side in (-1, 1):
        center = side * third
        a, b = center - third / 2 + 0.03, center + third / 2 - 0.03
        parts.append(cuboid((a, -y - 0.012, 0.1), (b, -y + 0.005, height - 0.035), front))
        parts.append(cuboid((center - 0.06, -y - 0.03, 0.3), (center + 0.06, -y - 0.012, 0.312), METAL))
    return as_model("tv stand", parts, has_front=True)


def oven(rng: np.random.Generator) -> Model:
    """A free-standing oven as wide as a kitchen cabinet, with a glass door and knobs."""
    body: Color = ((228, 228, 226), (150, 152, 156))[int(rng.integers(2))]
    x, y, height = 0.3, 0.3, 0.885
    parts = [
        cuboid((-x, -y + 0.02, 0.08), (x, y, height), body),
        cuboid((-x + 0.03, -y + 0.06, 0), (x - 0.03, y, 0.08), BLACK, sides="xXyY"),
        cuboid((-x + 0.015, -y, 0.22), (x - 0.015, -y + 0.02, 0.7), body, sides="xXyzZ"),
        _front_panel(0.46, 0.3, 0.29, -y - 0.001, (30, 32, 36)),
        cuboid((-0.22, -y - 0.04, 0.635), (0.22, -y - 0.02, 0.655), METAL),
        cuboid((-0.21, -y - 0.02, 0.638), (-0.19, -y, 0.652), METAL),
        cuboid((0.19, -y - 0.02, 0.638), (0.21, -y, 0.652), METAL),
        _front_panel(0.16, 0.05, 0.775, -y + 0.019, (40, 90, 110)),
    ]
    for k in (-0.22, -0.15, 0.15, 0.22):
        parts.append(cuboid((k - 0.018, -y - 0.01, 0.78), (k + 0.018, -y + 0.02, 0.816), BLACK))
    return as_model("oven", parts, has_front=True)


def vase(rng: np.random.Generator) -> Model:
    """A turned vase."""
    color = ((54, 92, 140), (190, 84, 62), (226, 220, 206), (70, 120, 96), (204, 160, 62))[int(rng.integers(5))]
    wide, tall = float(rng.uniform(0.055, 0.08)), float(rng.uniform(0.22, 0.3))
    profile = [(0.0, 0.0), (0.6, 0.0), (0.85, 0.15), (1.0, 0.38), (0.9, 0.58), (0.5, 0.8), (0.42, 0.9), (0.55, 1.0)]
    inner = [(0.45, 1.0), (0.32, 0.88), (0.3, 0.7), (0.0, 0.6)]
    return as_model("vase", [lathe([(r * wide, z * tall) for r, z in profile + inner], color)], has_front=False)


def bowl(rng: np.random.Generator) -> Model:
    """A shallow bowl with fruit."""
    color = ((236, 234, 228), (90, 130, 150), (150, 106, 70))[int(rng.integers(3))]
    profile = [
        (0.0, 0.0),
        (0.06, 0.0),
        (0.1, 0.03),
        (0.135, 0.075),
        (0.14, 0.08),
        (0.13, 0.08),
        (0.09, 0.035),
        (0.0, 0.02),
    ]
    parts = [lathe(profile, color)]
    fruit = ((206, 60, 44), (228, 150, 40), (150, 180, 60), (220, 190, 70))
    for k in range(4):
        angle = k * 2 * np.pi / 3
        radius = 0.037
        ball = [(radius * np.sin(a), radius * (1 - np.cos(a))) for a in np.linspace(0, np.pi, 9)]
        mesh = lathe(ball, fruit[int(rng.integers(4))], segments=16)
        place = np.array([0.052 * np.cos(angle), 0.052 * np.sin(angle), 0.026]) if k < 3 else np.array([0, 0, 0.078])
        parts.append(mesh.moved(np.eye(3), place))
    return as_model("fruit bowl", parts, has_front=False)


def floor_lamp(rng: np.random.Generator) -> Model:
    """A standing lamp with a cloth shade."""
    shade = ((240, 226, 196), (232, 232, 228), (196, 90, 70), (120, 140, 120))[int(rng.integers(4))]
    pole = ((40, 40, 44), (176, 178, 182), (150, 106, 70))[int(rng.integers(3))]
    parts = [
        lathe([(0.0, 0.0), (0.14, 0.0), (0.14, 0.02), (0.03, 0.035), (0.0, 0.035)], pole),
        lathe([(0.012, 0.03), (0.012, 1.3)], pole, segments=10),
        lathe([(0.2, 1.22), (0.15, 1.52), (0.0, 1.52)], shade),
        lathe([(0.0, 1.3), (0.145, 1.515), (0.195, 1.22)], shade),
    ]
    return as_model("floor lamp", parts, has_front=False)


def ceiling_light(rng: np.random.Generator) -> Mesh:
    """A flat round light; part of the room, not an object. Its origin is at the ceiling, it reaches down 0.06 m."""
    radius = 0.2
    ring = [(0.0, -0.06), (radius * 0.9, -0.055), (radius, -0.03), (radius, 0.0)]
    light = lathe(ring, (255, 250, 238), segments=36)
    return light.moved(rotation_z(float(rng.uniform(0, 1))), np.zeros(3))
