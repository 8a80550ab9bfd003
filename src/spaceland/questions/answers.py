"""Typed answers. An answer knows its value and how it is written; it knows nothing of questions or options.

Every answer has `kind`, `value` (JSON) and `text` (how a fill-in answer or an option is written).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from spaceland.questions.answers_boxes import BoxListAnswer, FrameBoxAnswer, GroundingAnswer
from spaceland.questions.answers_views import (
    FramesAnswer,
    MapAnswer,
    OrderAnswer,
    PlaceAnswer,
    PointAnswer,
    PoseAnswer,
    RouteAnswer,
)

LEFT_RIGHT = ("left", "right")
BELOW_ABOVE = ("below", "above")
FARTHER_CLOSER = ("farther", "closer")
BEHIND_FRONT = ("behind", "front")


@dataclass(frozen=True)
class NumberAnswer:
    """A length, distance or area. `decimals` is how many are written (SPAR writes one)."""

    kind: ClassVar[str] = "number"
    value: float
    unit: str
    decimals: int = 1

    @property
    def text(self) -> str:
        return f"{self.value:.{self.decimals}f}"


@dataclass(frozen=True)
class CountAnswer:
    """How many."""

    kind: ClassVar[str] = "count"
    value: int

    @property
    def text(self) -> str:
        return str(self.value)


@dataclass(frozen=True)
class RelationAnswer:
    """Up to three slots of words; an empty word means that the two cannot be told apart on that axis.

    >>> RelationAnswer(("left", "", "closer")).text
    'left, , closer'
    """

    kind: ClassVar[str] = "relation"
    value: tuple[str, str, str]

    @property
    def text(self) -> str:
        return ", ".join(self.value)

    @property
    def words(self) -> list[str]:
        """The slots that say something."""
        return [word for word in self.value if word]


@dataclass(frozen=True)
class BoxAnswer:
    """A box in an image, x1, y1, x2, y2 from 0 to 1000."""

    kind: ClassVar[str] = "box"
    value: tuple[int, int, int, int]

    @property
    def text(self) -> str:
        return "[" + ", ".join(map(str, self.value)) + "]"


@dataclass(frozen=True)
class MotionAnswer:
    """Camera motion: metres right, up, forward; degrees up, right. Metres to 0.1, degrees to 5, as SPAR rounds them.

    >>> MotionAnswer(-0.42, 0.0, 2.38, -4.0, 61.0).text
    'move_left:0.4,move_up:0.0,move_forward:2.4,rotate_down:5,rotate_right:60'
    """

    kind: ClassVar[str] = "motion"
    right_m: float
    up_m: float
    forward_m: float
    rotate_up_deg: float
    rotate_right_deg: float
    decimals: int = 1
    angle_step_deg: int = 5

    @property
    def value(self) -> list[float]:
        return [self.right_m, self.up_m, self.forward_m, self.rotate_up_deg, self.rotate_right_deg]

    @property
    def parts(self) -> list[tuple[str, str]]:
        """(key, number) of all five parts, rounded; a part that rounds to zero takes the first direction's name."""
        parts = []
        for value, positive, negative in (
            (self.right_m, "move_right", "move_left"),
            (self.up_m, "move_up", "move_down"),
            (self.forward_m, "move_forward", "move_backward"),
        ):
            size = f"{abs(value):.{self.decimals}f}"
            parts.append((negative if value < 0 and float(size) > 0 else positive, size))
        for value, positive, negative in (
            (self.rotate_up_deg, "rotate_up", "rotate_down"),
            (self.rotate_right_deg, "rotate_right", "rotate_left"),
        ):
            size = str(self.angle_step_deg * round(abs(value) / self.angle_step_deg))
            parts.append((negative if value < 0 and size != "0" else positive, size))
        return parts

    @property
    def text(self) -> str:
        # No blanks: the SPAR-Bench scorer does not strip keys.
        return ",".join(f"{key}:{size}" for key, size in self.parts)


@dataclass(frozen=True)
class ChoiceAnswer:
    """One of several objects: its role (the colour of its mark, where it has one), and how the question calls it.

    >>> ChoiceAnswer("green", "lamp (green point)").text
    'lamp (green point)'
    """

    kind: ClassVar[str] = "choice"
    value: str
    text: str


@dataclass(frozen=True)
class WordsAnswer:
    """Words out of a fixed set: a direction, or one turn after the other.

    >>> WordsAnswer(("Turn Left", "Turn Back")).text
    'Turn Left, Turn Back'
    """

    kind: ClassVar[str] = "words"
    value: tuple[str, ...]

    @property
    def text(self) -> str:
        return ", ".join(self.value)


@dataclass(frozen=True)
class FoundAnswer:
    """An object that the reader finds: in which image (from 0), and its box there, 0 to 1000.

    `place` is what stands before the box: the object's label, or which image it is in.

    >>> FoundAnswer(1, "the second image", (330, 548, 387, 710)).text
    'the second image, [330, 548, 387, 710]'
    """

    kind: ClassVar[str] = "found"
    image: int
    place: str
    box: tuple[int, int, int, int]

    @property
    def value(self) -> list[int]:
        return [self.image, *self.box]

    @property
    def text(self) -> str:
        return f"{self.place}, {BoxAnswer(self.box).text}"


@dataclass(frozen=True)
class SizeAnswer:
    """Length, width and height in centimetres; written as whole numbers.

    >>> SizeAnswer((120.2, 59.8, 75.0)).text
    '120, 60, 75'
    """

    kind: ClassVar[str] = "size"
    value: tuple[float, float, float]
    unit: str = "cm"

    @property
    def whole_cm(self) -> tuple[int, ...]:
        return tuple(round(side) for side in self.value)

    @property
    def text(self) -> str:
        return ", ".join(map(str, self.whole_cm))


Answer = (
    NumberAnswer
    | CountAnswer
    | RelationAnswer
    | BoxAnswer
    | MotionAnswer
    | PlaceAnswer
    | FramesAnswer
    | OrderAnswer
    | MapAnswer
    | RouteAnswer
    | ChoiceAnswer
    | WordsAnswer
    | FoundAnswer
    | SizeAnswer
    | PointAnswer
    | PoseAnswer
    | GroundingAnswer
    | FrameBoxAnswer
    | BoxListAnswer
)


def value_to_json(answer: Answer) -> Any:
    """The answer's exact value, floats to six decimals."""
    value = answer.value
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [round(v, 6) if isinstance(v, float) else v for v in value]
    return value
