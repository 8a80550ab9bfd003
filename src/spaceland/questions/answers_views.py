"""Answers about views: places in images, frames, orders, maps, routes and camera poses. See `answers`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class PlaceAnswer:
    """A place in an image (0 to 1000 across and down) and its depth in metres.

    >>> PlaceAnswer(412, 530, 2.31).text
    '(412,530),2.3'
    """

    kind: ClassVar[str] = "place"
    x: int
    y: int
    depth_m: float
    decimals: int = 1

    @property
    def value(self) -> list[float]:
        return [self.x, self.y, self.depth_m]

    @property
    def text(self) -> str:
        return f"({self.x},{self.y}),{self.depth_m:.{self.decimals}f}"


@dataclass(frozen=True)
class FramesAnswer:
    """Frames of a video, counted from 1.

    >>> FramesAnswer((3, 4)).text
    'Frame-3, Frame-4'
    """

    kind: ClassVar[str] = "frames"
    value: tuple[int, ...]

    @property
    def text(self) -> str:
        return ", ".join(f"Frame-{number}" for number in self.value)


@dataclass(frozen=True)
class OrderAnswer:
    """Labels in the order in which they appear."""

    kind: ClassVar[str] = "order"
    value: tuple[str, ...]

    @property
    def text(self) -> str:
        return ", ".join(self.value)


@dataclass(frozen=True)
class MapAnswer:
    """Places on a map, in metres to the right and ahead: x0, y0, x1, y1, ...

    >>> MapAnswer((-0.31, 1.4, 0.04, 2.0)).text
    'Object0 :(-0.3,1.4). Object1 :(0.0,2.0).'
    """

    kind: ClassVar[str] = "map"
    value: tuple[float, ...]
    decimals: int = 1

    @property
    def text(self) -> str:
        said = [f"{round(v, self.decimals) + 0.0:.{self.decimals}f}" for v in self.value]
        return " ".join(f"Object{k} :({x},{y})." for k, (x, y) in enumerate(zip(said[::2], said[1::2], strict=True)))


@dataclass(frozen=True)
class RouteAnswer:
    """A walk in steps such as "turn left", "walk 2.1 m", "pass the lamp 0.8 m to the right", "stop 1.0 m from ..."."""

    kind: ClassVar[str] = "route"
    value: tuple[str, ...]

    @property
    def text(self) -> str:
        return ", ".join(self.value)


@dataclass(frozen=True)
class PointAnswer:
    """A point in an image, 0 to 1000 across and down.

    >>> PointAnswer((412, 530)).text
    '(412,530)'
    """

    kind: ClassVar[str] = "point"
    value: tuple[int, int]

    @property
    def text(self) -> str:
        return f"({self.value[0]},{self.value[1]})"


_POSE_KEYS = (
    ("toward_right", "toward_left"),
    ("toward_up", "toward_down"),
    ("rotate_right", "rotate_left"),
    ("rotate_up", "rotate_down"),
    ("roll_clockwise", "roll_counterclockwise"),
)


@dataclass(frozen=True)
class PoseAnswer:
    """A second camera in the axes of the first: distance in metres, where it lies, and how it is turned, in degrees.

    >>> PoseAnswer(1.26, (24.0, -7.0), (31.0, 9.0, -4.0)).text
    'distance:1.3,toward_right:25,toward_down:5,rotate_right:30,rotate_up:10,roll_counterclockwise:5'
    """

    kind: ClassVar[str] = "pose"
    distance_m: float
    toward_deg: tuple[float, float]
    """Right and up, seen from the first camera."""
    turned_deg: tuple[float, float, float]
    """Right, up and clockwise, one turn after the other about the camera's own axes."""
    decimals: int = 1
    angle_step_deg: int = 5

    @property
    def value(self) -> list[float]:
        return [self.distance_m, *self.toward_deg, *self.turned_deg]

    @property
    def parts(self) -> list[tuple[str, str]]:
        """(key, number) of all six parts, rounded; a part that rounds to zero takes the first direction's name."""
        parts = [("distance", f"{self.distance_m:.{self.decimals}f}")]
        for degrees, (positive, negative) in zip((*self.toward_deg, *self.turned_deg), _POSE_KEYS, strict=True):
            size = self.angle_step_deg * round(abs(degrees) / self.angle_step_deg)
            parts.append((negative if degrees < 0 and size else positive, str(size)))
        return parts

    @property
    def text(self) -> str:
        return ",".join(f"{key}:{size}" for key, size in self.parts)
