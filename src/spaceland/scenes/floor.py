"""How much floor a scanned room has, from its surface alone: for scans whose source knows no floor outline.

1. The floor is the lowest level at which there is much surface (`_floor_height`).
2. A grid is laid over the room along its walls. Cells with surface at the level of the floor are seen floor; cells with
   surface above it, up to the height of a person, are furniture and walls.
3. Gaps between them are closed, holes filled, and thin strays (what a scan sees through windows) cut off. Furniture and
   walls that the floor does not touch are left out.
4. The outline runs through the middle of the outermost cells: walls lie there, half a cell inside the outer edge.

Worked example. Of a room of 4 m x 5 m a bed of 2 m x 2 m hides a fifth of the floor. The scan has no floor below it,
but the bed itself has surface, so all cells inside the walls are known: 20 m2.

An area is given only when it is sure: enough floor must be seen, nearly all other cells must be explained by furniture,
nearly all of the outline must be at walls or furniture, and closing gaps of half and of twice the size must give the
same area.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from weakref import WeakKeyDictionary

import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage

from spaceland.geometry import polygons
from spaceland.scenes.floor_grid import Grid, grown
from spaceland.scenes.scene import Room, Scene, Surface


@dataclass(frozen=True, kw_only=True)
class FloorSettings:
    """Lengths in metres."""

    cell_m: float = 0.05
    level_m: float = 0.02
    """Thickness of the layers in which the floor is searched."""
    min_layer_share: float = 0.3
    """The floor has at least this share of the area of the largest level layer of the lower half of the room."""
    floor_tolerance_m: float = 0.08
    """How far surface may be from the level of the floor."""
    max_height_m: float = 2.2
    """Surface above this height (lamps, the ceiling) is not looked at."""
    close_m: float = 0.25
    """Gaps up to twice this width are closed."""
    stray_m: float = 0.1
    """What is thinner than twice this, and sticks out, is cut off."""
    min_seen_share: float = 0.3
    """Least share of the area that is seen floor."""
    max_guessed_share: float = 0.15
    """Most of the area that is neither seen floor nor furniture."""
    max_open_share: float = 0.08
    """Most of the outline that has neither wall nor furniture on it: there the floor was not seen to end."""
    wall_m: float = 0.15
    """How near walls are to the outline."""
    max_change: float = 0.04
    """By this share the area may change when gaps of half or twice the size are closed."""
    min_area_m2: float = 2.0
    max_area_m2: float = 400.0


@dataclass(frozen=True, eq=False)
class FoundFloor:
    """What is known: `room` with outline and area, or None and the `problem` in words.

    `given` is set where the scene's source knows the floor and nothing was measured.
    `seen_share` and `guessed_share` are shares of the area, `open_share` is one of the outline, as far as known.
    """

    room: Room | None
    problem: str = ""
    seen_share: float = 0.0
    guessed_share: float = 0.0
    open_share: float = 0.0
    given: bool = False

    @property
    def params(self) -> dict[str, object]:
        """Where the floor comes from, to be stored beside what rests on it: all that is needed to find it again."""
        if self.given:
            return {"floor": "given by the source"}
        return {"floor": "measured on the surface", "floor_settings": settings_params()}


_FOUND: WeakKeyDictionary[Surface, FoundFloor] = WeakKeyDictionary()


def floor_of(scene: Scene) -> FoundFloor:
    """The floor of a scene: its source's, or else the one measured on its surface."""
    return FoundFloor(scene.room, given=True) if scene.room is not None else floor_of_surface(scene.surface)


def floor_of_surface(surface: Surface | None, settings: FloorSettings | None = None) -> FoundFloor:
    """The floor of a surface in world metres with z up; the same surface is measured once with default settings."""
    if surface is None:
        return FoundFloor(None, "no surface")
    if settings is not None:
        return _measure(surface, settings)
    if surface not in _FOUND:
        _FOUND[surface] = _measure(surface, FloorSettings())
    return _FOUND[surface]


def _measure(surface: Surface, settings: FloorSettings) -> FoundFloor:
    pieces = _Pieces.of(surface)
    floor_z = _floor_height(pieces.points(pieces.level, 2 * settings.cell_m), settings)
    if floor_z is None:
        return FoundFloor(None, "no level floor")
    low, high = pieces.z_range(floor_z)
    flat = pieces.points(pieces.level & (low <= settings.floor_tolerance_m), settings.cell_m)
    flat = flat[np.abs(flat[:, 2] - floor_z) <= settings.floor_tolerance_m, :2]
    solid = pieces.points((high > settings.floor_tolerance_m) & (low < settings.max_height_m), settings.cell_m)
    height = solid[:, 2] - floor_z
    solid = solid[(height > settings.floor_tolerance_m) & (height <= settings.max_height_m), :2]
    if len(flat) < 50:
        return FoundFloor(None, "no level floor")
    grid = Grid.along(flat, np.concatenate([flat, solid]), settings.cell_m)
    if grid is None:
        return FoundFloor(None, "too small or too large for a room")
    floor, body = grid.cells(flat), grid.cells(solid)
    inside = [_inside(floor, body, scale * settings.close_m, settings) for scale in (1.0, 0.5, 2.0)]
    if not all(mask.any() for mask in inside):
        return FoundFloor(None, "floor seen too little")
    outlines = [grid.outline(mask) for mask in inside]
    areas = [polygons.area(outline) for outline in outlines]
    # Between the points of a sparse scan there are empty cells, which are not unknown for that.
    known = grown(floor | body, 1)
    seen = float((grown(floor, 1) & inside[0]).sum() / inside[0].sum())
    guessed = float((inside[0] & ~known).sum() / inside[0].sum())
    edge = inside[0] & grown(~inside[0], 1)
    walled = grown(body, max(1, round(settings.wall_m / settings.cell_m)))
    bare = float((edge & ~walled).sum() / edge.sum())
    problem = _problem(areas, seen, guessed, bare, settings)
    room = None if problem else Room(outlines[0], floor_z, None, areas[0])
    return FoundFloor(room, problem, seen, guessed, bare)


def _problem(areas: list[float], seen: float, guessed: float, bare: float, settings: FloorSettings) -> str:
    if not settings.min_area_m2 <= areas[0] <= settings.max_area_m2:
        return "too small or too large for a room"
    if seen < settings.min_seen_share:
        return "floor seen too little"
    if guessed > settings.max_guessed_share:
        return "parts of the floor unknown"
    if bare > settings.max_open_share:
        return "outline without walls"
    if max(abs(area - areas[0]) for area in areas) > settings.max_change * areas[0]:
        return "outline unclear"
    return ""


@dataclass(frozen=True, eq=False)
class _Pieces:
    """The triangles of a mesh, corners [n, 3, 3], or the points of a scan, [n, 1, 3].

    `level` says which of them may be level, `longest_m` is the longest side of each.
    """

    corners: Float[np.ndarray, "n k 3"]
    level: Bool[np.ndarray, "n"]
    longest_m: Float[np.ndarray, "n"]

    @classmethod
    def of(cls, surface: Surface) -> _Pieces:
        vertices = np.asarray(surface.vertices, dtype=float)
        if surface.faces is None or len(surface.faces) == 0:
            return cls(vertices[:, None], np.ones(len(vertices), dtype=bool), np.zeros(len(vertices)))
        corners = vertices[surface.faces]
        sides = np.roll(corners, -1, axis=1) - corners
        normal = np.cross(sides[:, 0], sides[:, 1])
        return cls(corners, np.abs(normal[:, 2]) > 0.8 * np.linalg.norm(normal, axis=1), _longest(sides))

    def z_range(self, floor_z: float) -> tuple[Float[np.ndarray, "n"], Float[np.ndarray, "n"]]:
        """Lowest and highest point of each above the floor."""
        z = self.corners[:, :, 2] - floor_z
        return z.min(1), z.max(1)

    def points(self, chosen: Bool[np.ndarray, "n"], spacing_m: float) -> Float[np.ndarray, "m 3"]:
        """Points of some pieces, so that every place on them is nearer than `spacing_m` to one."""
        corners = self.corners[chosen]
        if corners.shape[1] == 1:
            return corners[:, 0]
        # Each triangle is split into n * n equal ones with sides of at most the spacing; their corners are the points.
        splits = np.clip(np.ceil(self.longest_m[chosen] / spacing_m), 1, 1000).astype(int)
        parts = [
            np.einsum("km,fmd->fkd", _nodes(int(count)), corners[splits == count]).reshape(-1, 3)
            for count in np.unique(splits)
        ]
        return np.concatenate([np.zeros((0, 3)), *parts])


def _longest(sides: Float[np.ndarray, "n 3 3"]) -> Float[np.ndarray, "n"]:
    return np.sqrt((sides * sides).sum(2).max(1))


def _nodes(count: int) -> Float[np.ndarray, "k 3"]:
    """Barycentric coordinates of the corners of the count * count equal parts of a triangle."""
    i, j = (part.ravel() for part in np.meshgrid(np.arange(count + 1), np.arange(count + 1), indexing="ij"))
    inside = i + j <= count
    a, b = i[inside] / count, j[inside] / count
    return np.stack([a, b, 1 - a - b], -1)


def _floor_height(points: Float[np.ndarray, "n 3"], settings: FloorSettings) -> float | None:
    """Height of the lowest large level layer, by the area that it covers seen from above."""
    if len(points) < 50:
        return None
    z = points[:, 2]
    low, high = (float(v) for v in np.percentile(z, [0.1, 99.9]))
    coarse = np.floor((points - points.min(0)) / (2 * settings.cell_m)).astype(np.int64)
    cell = coarse[:, 0] * (int(coarse[:, 1].max()) + 1) + coarse[:, 1]
    layer = np.floor((z - low) / settings.level_m).astype(np.int64)
    inside = (layer >= 0) & (z <= (low + high) / 2)
    num_cells = int(cell.max()) + 1
    pairs = np.unique(layer[inside] * num_cells + cell[inside])
    if len(pairs) == 0:
        return None
    covered = np.bincount(pairs // num_cells)
    # A rough floor spreads over neighbouring layers.
    spread = np.convolve(covered, np.ones(3), "same")
    enough = np.flatnonzero(spread >= settings.min_layer_share * spread.max())
    first = int(enough[0])
    reach = max(1, round(settings.floor_tolerance_m / settings.level_m))
    best = first + int(np.argmax(spread[first : first + reach + 1]))
    middle = low + (best + 0.5) * settings.level_m
    near = z[np.abs(z - middle) <= 1.5 * settings.level_m]
    return float(np.median(near)) if len(near) else None


def _inside(
    floor: Bool[np.ndarray, "a b"], body: Bool[np.ndarray, "a b"], close_m: float, settings: FloorSettings
) -> Bool[np.ndarray, "a b"]:
    """Cells inside the room: seen floor and what stands on it, closed, filled, without strays; one piece."""
    reach = max(1, round(close_m / settings.cell_m))
    thin = max(1, round(settings.stray_m / settings.cell_m))
    wide = np.pad(floor | body, reach + 1)
    # Squares along the walls keep corners as they are.
    filled = ndimage.binary_fill_holes(~grown(~grown(wide, reach), reach))
    opened = grown(~grown(~filled, thin), thin)
    opened = opened[reach + 1 : -reach - 1, reach + 1 : -reach - 1]
    pieces, _ = ndimage.label(opened)
    counts = np.bincount(pieces[floor & opened], minlength=1)
    counts[0] = 0
    best = int(np.argmax(counts))
    return pieces == best if counts[best] else np.zeros_like(opened)


def settings_params(settings: FloorSettings | None = None) -> dict[str, float]:
    """The settings as numbers, to be stored with what was found."""
    settings = settings or FloorSettings()
    return {field.name: float(getattr(settings, field.name)) for field in fields(settings)}
