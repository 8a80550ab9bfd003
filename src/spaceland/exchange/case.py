"""A released row as solvers see it: the objects under its marks, its frames, and what its answer claims.

The release does not say which centre, vertical or axes it took (`Reading`); our own exports may measure distances
between surfaces. Relations have a dead zone of unknown size:
a word must have the right sign, and a slot is wrongly empty only where the difference is beyond every doubt
(`CLEAR_M`); a sentence that is silent there is not decided. Numbers agree when they are the derived ones, rounded to
the decimals that are written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from spaceland.exchange import answer_text
from spaceland.exchange.answer_text import Mentions, UnreadableError
from spaceland.exchange.locate import Locator
from spaceland.exchange.spar7m_read import SparRow
from spaceland.exchange.unmarked import read_unmarked
from spaceland.geometry.box_relations import Boxes, box_distance
from spaceland.geometry.boxes import OrientedBox
from spaceland.scenes.scene import Frame, SceneObject

SLACK = 1e-6
CLEAR_M = 0.35
"""Beyond this an axis of a relation needs a word."""
_UNMARKED = {"spatial_imagination_oc_video_hard": 3, "spatial_imagination_oo_video_hard": 4}
"""Tasks whose objects have no marks, and how many objects they are about."""
_SIDES = (("right", "left"), ("above", "below"), ("closer", "farther"), ("front", "behind"))


@dataclass(frozen=True)
class Reading:
    """What the numbers are taken to mean.

    `center`: of the oriented box, of the axis-aligned box of the points, or their mean. `axes`: heights along the
    vertical of the room and motion in the level frame of the first view, or both in the first camera's own axes.
    `distance`: between these centres, or the least distance between the solid boxes (from a camera: to the box). Boxes
    are oriented, or axis-aligned where `center` is.
    """

    center: Literal["box", "aabb", "mean"] = "box"
    axes: Literal["level", "camera"] = "level"
    distance: Literal["center", "surface"] = "center"


@dataclass(frozen=True)
class Verdict:
    """Whether an answer agrees, what was derived, and how far off it is (metres or 1 - IoU; None for words)."""

    agrees: bool
    derived: str
    error: float | None = None


def _respelled(row: SparRow, spelled: Mapping[str, str]) -> SparRow:
    """The row with labels as the scene writes them ("garbage bin" for "garbagebin")."""
    if not any(raw in text.lower() for raw in spelled for text in (row.question, row.answer)):
        return row

    def write(text: str) -> str:
        for raw, label in spelled.items():
            text = re.sub(rf"\b{re.escape(raw)}(?=s?\b)", lambda _, label=label: label, text, flags=re.IGNORECASE)
        return text

    options = None if row.options is None else tuple(map(write, row.options))
    return replace(row, question=write(row.question), answer=write(row.answer), options=options)


class Case:
    """One row with what solvers ask about: frames, objects by colour, texts."""

    def __init__(self, row: SparRow, locator: Locator, reading: Reading) -> None:
        row = _respelled(row, locator.spelled)
        self.row, self.locator, self.reading = row, locator, reading
        known = locator.scene.label_counts
        if row.task in _UNMARKED and not row.marks:
            self.mentions: Mentions = read_unmarked(row, known, _UNMARKED[row.task])
        else:
            self.mentions = answer_text.read_mentions(row, known)

    @property
    def is_video(self) -> bool:
        return "_video" in self.row.task

    def frame(self, index: int) -> Frame:
        return self.locator.frame(self.row.frames[index])

    def thing(self, color: str) -> SceneObject:
        """The object of a mark."""
        mark = next((mark for mark in self.row.marks if mark.color == color), None)
        if mark is None and not self.row.marks and color in self.mentions.labels:
            return self.locator.only(self.mentions.labels[color])
        if mark is None:
            raise UnreadableError(f"no {color} mark")
        return self.locator.find(mark, self.frame(mark.image_index), self.mentions.labels[color])

    def marked_frame(self, color: str) -> Frame:
        return self.frame(next(mark.image_index for mark in self.row.marks if mark.color == color))

    def center(self, color: str) -> np.ndarray:
        """World position of a marked object."""
        return self.center_of(self.thing(color))

    def center_of(self, thing: SceneObject) -> np.ndarray:
        """World position that stands for an object."""
        if self.reading.center == "aabb":
            return thing.aabb.center
        return thing.center if self.reading.center == "box" or not len(thing.points) else thing.points.mean(0)

    def between_m(self, a: SceneObject, b: SceneObject) -> float:
        """Distance of two objects."""
        if self.reading.distance == "center":
            return float(np.linalg.norm(self.center_of(a) - self.center_of(b)))
        return float(box_distance(Boxes.stack([self._box(a)]), Boxes.stack([self._box(b)]))[0])

    def from_camera_m(self, thing: SceneObject) -> float:
        """Distance of an object from the camera of the first image, the observer."""
        origin = self.frame(0).T_world_cam[:3, 3]
        if self.reading.distance == "center":
            return float(np.linalg.norm(self.center_of(thing) - origin))
        box = self._box(thing)
        return float(np.linalg.norm(np.maximum(np.abs(box.to_box_frame(origin)) - box.size / 2, 0.0)))

    def _box(self, thing: SceneObject) -> OrientedBox:
        return thing.aabb.oriented() if self.reading.center == "aabb" else thing.box

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
        return self.judged([(answer_text.slot_words(self.claimed()), values)])

    def judged(self, phases: Sequence[tuple[set[str], dict[str, float]]], extra: Sequence[str] = ()) -> Verdict:
        """Compare words with signed metres, for one or more places of the observer; `extra` is told as well.

        Raises:
            UnreadableError: all words are right, but a sentence is silent on an axis that is clear. An empty slot of an
                option says that there is no difference; a sentence may just not tell.
        """
        told = "; ".join([*(", ".join(f"{k} {v:+.2f} m" for k, v in values.items()) for _, values in phases), *extra])
        if not all(_signed(word, values) > 0 for words, values in phases for word in words):
            return Verdict(False, told)
        for words, values in phases:
            unsaid = [k for k, negative in _SIDES if k in values and not {k, negative} & words]
            if not words or any(abs(values[key]) >= CLEAR_M for key in unsaid):
                if self.row.format == "sentence":
                    raise UnreadableError("the sentence says nothing on a clear difference")
                return Verdict(False, told)
        return Verdict(True, told)

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
