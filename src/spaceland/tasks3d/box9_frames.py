"""A box of nine numbers that says how its angles are meant and in whose axes it stands.

`geometry.box9` turns nine numbers into boxes and back; what nothing in the numbers tells is kept here beside them:

    convention  "ZXY": turns about the box's own axes (VG LLM since 27 November 2025, EmbodiedScan)
                "zxy": the same turns about fixed axes (VG LLM before)
    frame       the index of the frame whose camera the box stands in (x right, y down, z forward), None for the world

The axes of a box keep their names on all ways: a box that lies along the world's axes has, in a camera, the rotation
that turns the world into the camera (`box9_in_camera` of `geometry.box9` renames them instead; the solid is the same).

>>> import numpy as np
>>> camera = np.eye(4)
>>> camera[:3, 3] = 0.0, 0.0, -2.0
>>> box = Box9((0.0, 0.0, 1.0, 0.4, 0.6, 0.8, 0.0, 0.0, 0.0)).in_camera(camera, frame=3)
>>> box.frame, box.rounded()
(3, [0.0, 0.0, 3.0, 0.4, 0.6, 0.8, 0.0, 0.0, 0.0])
>>> box.in_world(camera).rounded()
[0.0, 0.0, 1.0, 0.4, 0.6, 0.8, 0.0, 0.0, 0.0]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from spaceland.geometry.box9 import EulerConvention, box_from_box9, euler_from_rotation, rotation_from_euler
from spaceland.geometry.boxes import OrientedBox
from spaceland.geometry.transforms import invert_rigid, transform_points
from spaceland.questions.answers_boxes import two_decimals

CONVENTIONS: tuple[EulerConvention, ...] = ("ZXY", "zxy")


@dataclass(frozen=True)
class Box9:
    """Centre and full size in metres, three angles in radians about z, x and y.

    Raises:
        ValueError: not nine finite numbers, or a negative size.
    """

    values: tuple[float, ...]
    convention: EulerConvention = "ZXY"
    frame: int | None = None

    def __post_init__(self) -> None:
        if len(self.values) != 9 or not np.isfinite(self.values).all() or min(self.values[3:6]) < 0:
            raise ValueError(f"a box needs nine finite numbers and sizes of 0 or more, found {self.values}")

    @classmethod
    def of(cls, box: OrientedBox, convention: EulerConvention = "ZXY", frame: int | None = None) -> Box9:
        """The numbers of a box in the axes in which it is given."""
        angles = euler_from_rotation(box.rotation, convention)
        return cls((*map(float, (*box.center, *box.size, *angles)),), convention, frame)

    @property
    def oriented(self) -> OrientedBox:
        """The box in the axes in which its numbers stand."""
        return box_from_box9(np.array(self.values), convention=self.convention)

    def to(self, convention: EulerConvention) -> Box9:
        """The same solid written by another convention."""
        return self if convention == self.convention else Box9.of(self.oriented, convention, self.frame)

    def in_camera(self, T_world_cam: Float[np.ndarray, "4 4"], frame: int) -> Box9:
        """A world box in the camera of a frame.

        Raises:
            ValueError: the box is in a camera already.
        """
        if self.frame is not None:
            raise ValueError(f"the box is in the camera of frame {self.frame}; bring it to the world first")
        return Box9.of(moved(self.oriented, invert_rigid(T_world_cam)), self.convention, frame)

    def in_world(self, T_world_cam: Float[np.ndarray, "4 4"]) -> Box9:
        """A camera's box in the world; the pose must be that of its frame.

        Raises:
            ValueError: the box is in the world already.
        """
        if self.frame is None:
            raise ValueError("the box is in the world already")
        return Box9.of(moved(self.oriented, T_world_cam), self.convention)

    def rounded(self) -> list[float]:
        """As texts write it: two decimals, no negative zero."""
        return two_decimals(self.values)


def moved(box: OrientedBox, T: Float[np.ndarray, "4 4"]) -> OrientedBox:
    """A box in other axes; the names of its own axes stay."""
    return OrientedBox(transform_points(T, box.center), box.size, T[:3, :3] @ box.rotation)


def likely_convention(boxes: Sequence[Sequence[float]]) -> EulerConvention | None:
    """By which convention boxes of one camera were written, if they stand upright in the room; None where none is
    clearly better.

    Under the right one the third axes of all upright boxes are parallel, however the furniture is turned.
    """
    table = np.array([box for box in boxes if len(box) == 9], dtype=float).reshape(-1, 9)
    if len(table) < 2 or not np.isfinite(table).all():
        return None
    spread: dict[EulerConvention, float] = {}
    for convention in CONVENTIONS:
        up = np.array([rotation_from_euler(row[6:], convention)[:, 2] for row in table])
        up *= np.where(up @ up[0] < 0, -1.0, 1.0)[:, None]
        spread[convention] = float(np.linalg.norm(up - up.mean(0), axis=1).max())
    best, other = sorted(spread, key=lambda name: spread[name])
    return best if spread[best] < 0.05 and spread[other] > 0.15 else None
