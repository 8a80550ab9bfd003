"""A released row as solvers see it: the objects under its marks, its frames, and what its answer claims.

The release does not say which centre, vertical or axes it took (`Reading`). Relations have a dead zone of unknown size:
a word must have the right sign, and a slot is wrongly empty only where the difference is beyond every doubt
(`CLEAR_M`). Numbers agree when they are the derived ones, rounded to the decimals that are written.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from spaceland.exchange import answer_text
from spaceland.exchange.answer_text import Mentions, UnreadableError
from spaceland.exchange.locate import Locator
from spaceland.exchange.spar7m_read import SparRow
from spaceland.scenes.scene import Frame, SceneObject

SLACK = 1e-6
CLEAR_M = 0.35
"""Beyond this an axis of a relation needs a word."""
_SIDES = (("right", "left"), ("above", "below"), ("closer", "farther"), ("front", "behind"))


@dataclass(frozen=True)
class Reading:
    """What the numbers are taken to mean.

    `center`: of the oriented box, of the axis-aligned box of the points, or their mean. `axes`: heights along the
    vertical of the room and motion in the level frame of the first view, or both in the first camera's own axes.
    """

    center: Literal["box", "aabb", "mean"] = "box"
    axes: Literal["level", "camera"] = "level"


@dataclass(frozen=True)
class Verdict:
    """Whether an answer agrees, what was derived, and how far off it is (metres or 1 - IoU; None for words)."""

    agrees: bool
    derived: str
    error: float | None = None


class Case:
    """One row with what solvers ask about: frames, objects by colour, texts."""

    def __init__(self, row: SparRow, locator: Locator, reading: Reading) -> None:
        self.row, self.locator, self.reading = row, locator, reading
        self.mentions: Mentions = answer_text.read_mentions(row, locator.scene.label_counts)

    def frame(self, index: int) -> Frame:
        return self.locator.frame(self.row.frames[index])

    def thing(self, color: str) -> SceneObject:
        """The object of a mark."""
        mark = next((mark for mark in self.row.marks if mark.color == color), None)
        if mark is None:
            raise UnreadableError(f"no {color} mark")
        return self.locator.find(mark, self.frame(mark.image_index), self.mentions.labels[color])

    def marked_frame(self, color: str) -> Frame:
        return self.frame(next(mark.image_index for mark in self.row.marks if mark.color == color))

    def center(self, color: str) -> np.ndarray:
        """World position of a marked object."""
        thing = self.thing(color)
        if self.reading.center == "aabb":
            return thing.aabb.center
        return thing.center if self.reading.center == "box" or not len(thing.points) else thing.points.mean(0)

    def in_camera(self, color: str, frame: Frame) -> np.ndarray:
        return (self.center(color) - frame.T_world_cam[:3, 3]) @ frame.T_world_cam[:3, :3]

    def claimed(self) -> str:
        return answer_text.claimed_text(self.row, self.mentions)

    def number(self, derived: float) -> Verdict:
        """Compare the one number of the answer."""
        said, decimals = answer_text.one_number(self.claimed())
        error = abs(said - derived)
        return Verdict(error <= 0.5 * 10.0**-decimals + SLACK, f"{derived:.{decimals + 2}f}", error)

    def height(self, world: np.ndarray, camera: np.ndarray) -> float:
        """Metres up of a difference, given in both frames."""
        return float(world[2]) if self.reading.axes == "level" else -float(camera[1])

    def relation(self, values: dict[str, float]) -> Verdict:
        """Compare words with signed metres; keys are the positive words."""
        row = self.row
        if row.format == "judge":
            word, asked, reference = answer_text.claim_between(self.mentions)
            signed = _signed(word, values)
            if (asked, reference) != self.roles():
                signed = -signed
            verdict = row.answer.strip().lower().rstrip(".")
            if verdict not in ("yes", "no"):
                raise UnreadableError("the verdict is neither yes nor no")
            return Verdict((signed > 0) == (verdict == "yes"), f"{word} {signed:+.2f} m")
        words = answer_text.slot_words(self.claimed())
        good = all(_signed(word, values) > 0 for word in words)
        unsaid = [k for k, negative in _SIDES if k in values and not {k, negative} & words]
        clear = all(abs(values[key]) < CLEAR_M for key in unsaid)
        return Verdict(good and clear and bool(words), ", ".join(f"{k} {v:+.2f} m" for k, v in values.items()))

    def roles(self) -> tuple[str, str]:
        """Colour that is asked about, colour of the reference."""
        present = [color for color in ("red", "blue", "green") if any(m.color == color for m in self.row.marks)]
        if len(present) != 2:
            raise UnreadableError("not two marks")
        if self.row.format == "judge":
            return self.mentions.order[:2] if len(self.mentions.order) == 2 else tuple(present)  # type: ignore[return-value]
        return answer_text.asked_and_reference(self.mentions, present)


def _signed(word: str, values: dict[str, float]) -> float:
    for positive, negative in _SIDES:
        if word in (positive, negative):
            if positive not in values:
                raise UnreadableError(f"the answer says '{word}', which this task does not ask")
            return values[positive] if word == positive else -values[positive]
    raise UnreadableError("the answer holds no known word")
