"""How long a metre is in a reconstruction: measured, told by the user, or not known.

A user tells it as one text, a `ScaleHint`:

    camera-height=1.45                            the camera was carried 1.45 m above the floor (median)
    door-height=000012:320,60:322,470=2.03        top and foot of a door in picture 000012, pixels x,y; needs the floor
    length=000012:320,200:410,205=0.80            two points of one picture, with depth at both
    length=0.4,1.2,0:0.4,2.0,0=0.80               two points in metres of the scene as it comes out without a hint
    door-height=0.4,1.2,0:0.4,1.2,1.9=2.03        the same; only the difference in height counts
    travel=12.5                                   the way that the camera went

Without a hint an unmetric scene is scaled so that the camera height is 1.5 m. Then it looks right, but it is a guess,
and `ScaleFix.metric` is False. Where depth was measured a hint changes nothing: it is compared and reported.

Worked example. Cameras 0.29 units above the floor and `camera-height=1.45`: 5 metres to the unit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from spaceland.errors import ReconstructionError, SourceError
from spaceland.geometry.transforms import transform_points
from spaceland.reconstruct.depth_views import DepthView
from spaceland.reconstruct.upright import ASSUMED_CAMERA_HEIGHT_M, WorldFix

KINDS = ("camera-height", "door-height", "length", "travel")
ASSUMED_EXTENT_M = 5.0
_MAX_M = 1000.0
_EXTENTS_M = (0.1, 200.0)
"""Diagonals that a room, a flat or a corridor can have: outside, the length given belongs to something else."""
_WINDOW_PX = 2
_FORMS = (
    "camera-height=1.45, travel=12.5, length=FRAME:x,y:x,y=0.80, door-height=FRAME:x,y:x,y=2.03, or two points x,y,z "
    "of the scene in place of FRAME and pixels"
)


@dataclass(frozen=True)
class ScaleHint:
    """A length that the user knows: `metres` for what `kind` names.

    `ends` are two pixels (x, y) of the colour picture `frame_id`, or two points (x, y, z) when that is None; empty for
    camera-height and travel.
    """

    kind: Literal["camera-height", "door-height", "length", "travel"]
    metres: float
    frame_id: str | None = None
    ends: tuple[tuple[float, ...], ...] = ()

    @classmethod
    def parse(cls, text: str) -> ScaleHint:
        """Read a hint.

        Raises:
            SourceError: it is none of the forms above, or the length is no sensible number.

        >>> ScaleHint.parse("length=000012:320,200:410,205=0.80")
        ScaleHint(kind='length', metres=0.8, frame_id='000012', ends=((320.0, 200.0), (410.0, 205.0)))
        """
        kind, _, rest = text.strip().partition("=")
        place, _, number = rest.rpartition("=")
        metres = _number(number, text)
        if not 0 < metres <= _MAX_M:
            raise SourceError(f"scale '{text}': {number} is no length; give metres, more than 0 and at most {_MAX_M:g}")
        if kind == "camera-height" or kind == "travel":
            if place:
                raise SourceError(f"scale '{text}': {kind} takes a length alone, such as {kind}=1.45")
            return cls(kind, metres)
        if kind == "door-height" or kind == "length":
            return cls(kind, metres, *_place(place, text))
        raise SourceError(f"scale '{text}' is not understood; write {_FORMS}")

    @property
    def text(self) -> str:
        """The hint as `parse` reads it."""
        ends = ":".join(",".join(f"{v:g}" for v in end) for end in self.ends)
        place = "" if not ends else (f"{self.frame_id}:" if self.frame_id is not None else "") + ends + "="
        return f"{self.kind}={place}{self.metres:g}"


@dataclass(frozen=True)
class ScaleFix:
    """`metres_per_unit` of the world before; `metric` is False when nothing says how long a metre is.

    `hint_off_percent` is how much longer the user's length is in the result than the user says, where the hint was only
    compared. `warnings` name what looks impossible.
    """

    metres_per_unit: float
    metric: bool
    source: str
    hint_off_percent: float | None = None
    warnings: tuple[str, ...] = ()

    def to_json(self) -> Mapping[str, Any]:
        """Plain numbers and words."""
        return asdict(self) | {"warnings": list(self.warnings)}


def set_scale(
    hint: ScaleHint | None,
    views: Sequence[DepthView],
    fix: WorldFix,
    *,
    metric: bool,
    source: str,
    extent: float,
    measured: bool = False,
) -> ScaleFix:
    """Find the scale of a levelled world.

    Args:
        hint: What the user knows.
        views: In the world before levelling.
        fix: How that is levelled.
        metric: Whether its unit is a metre already, and `source` in words why.
        extent: Diagonal of the scene in its unit; used when there is neither hint nor floor.
        measured: Depth comes from a sensor: a hint is compared with it and not applied.

    Raises:
        ReconstructionError: the hint does not fit the scene: no such frame, no depth there, no floor, one point twice,
            or a room that would be as small as a hand or as large as a village.
    """
    if metric:
        own = 1.0
    elif fix.floor_found and fix.camera_height is not None and fix.camera_height > 0:
        own = ASSUMED_CAMERA_HEIGHT_M / fix.camera_height
    else:
        own = ASSUMED_EXTENT_M / extent
    if hint is None:
        if metric:
            words = source
        elif fix.floor_found:
            words = f"unknown (camera height assumed {ASSUMED_CAMERA_HEIGHT_M:g} m)"
        else:
            words = f"unknown (no floor; extent of the scene assumed {ASSUMED_EXTENT_M:g} m)"
        return _checked(ScaleFix(own, metric, words), fix)
    length = _length(hint, views, fix, own)
    if not math.isfinite(length) or length <= 1e-9 * max(extent, 1e-9):
        raise ReconstructionError(f"scale '{hint.text}': the length is 0 in the scene; give two different points")
    if measured:
        off = 100.0 * (length / hint.metres - 1.0)
        warnings = ()
        if abs(off) > 5:
            warnings = (f"'{hint.text}' was measured as {length:.3f} m ({off:+.1f} %); the measured depth is kept",)
        return ScaleFix(1.0, True, source, off, warnings)
    factor = hint.metres / length
    if not _EXTENTS_M[0] <= extent * factor <= _EXTENTS_M[1]:
        raise ReconstructionError(
            f"scale '{hint.text}': the scene would be {extent * factor:.3g} m across; check the length, which is in "
            "metres, and what it belongs to"
        )
    return _checked(ScaleFix(factor, True, f"given by the user: {hint.text}"), fix)


def _checked(scale: ScaleFix, fix: WorldFix) -> ScaleFix:
    """Warn when nobody could have carried the camera there."""
    if not fix.floor_found or fix.camera_height is None:
        return scale
    height_m = fix.camera_height * scale.metres_per_unit
    if 0.4 <= height_m <= 2.6:
        return scale
    warning = f"the cameras would be {height_m:.2f} m above the floor; check the length, or the floor found"
    return ScaleFix(scale.metres_per_unit, scale.metric, scale.source, scale.hint_off_percent, (warning,))


def _length(hint: ScaleHint, views: Sequence[DepthView], fix: WorldFix, own: float) -> float:
    """The length that the hint is about, in the unit of the world."""
    if hint.kind == "camera-height":
        _need_floor(hint, fix)
        if fix.camera_height is None or fix.camera_height <= 0:
            raise ReconstructionError(f"scale '{hint.text}': no camera is above the floor found; give a length instead")
        return fix.camera_height
    if hint.kind == "travel":
        eyes = np.array([view.T_world_cam[:3, 3] for view in views]).reshape(-1, 3)
        return float(np.linalg.norm(np.diff(eyes, axis=0), axis=1).sum())
    if hint.frame_id is None:
        a, b = np.array(hint.ends) / own
        return float(abs(a[2] - b[2])) if hint.kind == "door-height" else float(np.linalg.norm(a - b))
    view = next((view for view in views if view.id == hint.frame_id), None)
    if view is None:
        some = ", ".join(v.id for v in views[:4])
        raise ReconstructionError(
            f"scale '{hint.text}': there is no picture '{hint.frame_id}' in the reconstruction; it has {some}, ..."
        )
    pixels = np.array(hint.ends)
    if not view.camera.contains(pixels).all():
        raise ReconstructionError(
            f"scale '{hint.text}': a pixel is outside the picture of {view.camera.width}x{view.camera.height}"
        )
    if hint.kind == "door-height":
        _need_floor(hint, fix)
        return _height_above_foot(hint, view, pixels, fix)
    return float(np.linalg.norm(_point(hint, view, pixels[0]) - _point(hint, view, pixels[1])))


def _point(hint: ScaleHint, view: DepthView, pixel: Float[np.ndarray, "2"]) -> Float[np.ndarray, "3"]:
    """Camera-frame point seen at a pixel of the picture; depth is the median around it."""
    if view.depth is None:
        raise ReconstructionError(f"scale '{hint.text}': picture {view.id} has no depth; choose another one")
    depth = np.asarray(view.depth(), dtype=float)
    camera = view.depth_camera.scaled(depth.shape[1], depth.shape[0])
    ray = view.camera.unproject(pixel, np.ones(()))
    # The two cameras share their place, so a ray of one is a ray of the other.
    column, row = np.floor(camera.project(ray)[0]).astype(int)
    rows = slice(max(0, row - _WINDOW_PX), max(0, row + _WINDOW_PX + 1))
    columns = slice(max(0, column - _WINDOW_PX), max(0, column + _WINDOW_PX + 1))
    around = depth[rows, columns]
    known = around[np.isfinite(around) & (around > 0)]
    if len(known) == 0:
        raise ReconstructionError(
            f"scale '{hint.text}': no depth around pixel {pixel[0]:g},{pixel[1]:g}; choose a point on a dull surface"
        )
    return ray * float(np.median(known))


def _height_above_foot(hint: ScaleHint, view: DepthView, pixels: np.ndarray, fix: WorldFix) -> float:
    """Height of the upper pixel, straight above the place where the lower one meets the floor. Needs no depth."""
    eye = transform_points(fix.T_level_world, view.T_world_cam[:3, 3])
    rays = view.camera.unproject(pixels, np.ones(2)) @ view.T_world_cam[:3, :3].T @ fix.T_level_world[:3, :3].T
    slopes = rays[:, 2] / np.linalg.norm(rays, axis=1)
    foot, top = rays[int(np.argmin(slopes))], rays[int(np.argmax(slopes))]
    if foot[2] >= 0 or eye[2] <= 0:
        raise ReconstructionError(
            f"scale '{hint.text}': the lower pixel does not look down to the floor; give the foot of the door"
        )
    place = eye + foot * (eye[2] / -foot[2])
    away = place[:2] - eye[:2]
    along = float(away @ top[:2]) / float(top[:2] @ top[:2])
    miss = float(np.linalg.norm(eye[:2] + along * top[:2] - place[:2]))
    if along <= 0 or miss > 0.15 * float(np.linalg.norm(away)):
        raise ReconstructionError(
            f"scale '{hint.text}': the two pixels are not above each other; give foot and top of one edge of the door"
        )
    return float(eye[2] + along * top[2])


def _need_floor(hint: ScaleHint, fix: WorldFix) -> None:
    if not fix.floor_found:
        raise ReconstructionError(
            f"scale '{hint.text}': no floor was seen, so no height above it is known; give length=FRAME:x,y:x,y=METRES"
        )


def _number(text: str, hint: str) -> float:
    try:
        value = float(text)
        if not math.isfinite(value):
            raise ValueError
    except ValueError:
        raise SourceError(f"scale '{hint}': '{text}' is no number; write {_FORMS}") from None
    return value


def _place(place: str, hint: str) -> tuple[str | None, tuple[tuple[float, ...], ...]]:
    """Frame and pixels, or None and points."""
    parts = place.split(":")
    frame, ends = (parts[0], parts[1:]) if len(parts) == 3 else (None, parts)
    wanted = 3 if frame is None else 2
    numbers = tuple(tuple(_number(word, hint) for word in end.split(",")) for end in ends)
    if len(numbers) != 2 or any(len(end) != wanted for end in numbers) or frame == "":
        raise SourceError(f"scale '{hint}' is not understood; write {_FORMS}")
    return frame, numbers
