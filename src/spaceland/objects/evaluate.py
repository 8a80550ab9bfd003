"""How good found objects are: precision and recall of their boxes against the true objects of a scene.

Found objects are taken by score, best first; each takes the true object that it overlaps most among those that are
still free and overlap enough. What is taken is found, what is left over is missed, and found objects that take nothing
are wrong. True objects that were hardly ever in view may be set aside: they count neither as found nor as missed, and
found objects that take one of them are left out too.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from spaceland.geometry.box_relations import Boxes, box_iou
from spaceland.objects.labels import Labels
from spaceland.objects.types import FoundObject
from spaceland.scenes.scene import SceneObject

BoxKind = Literal["oriented", "axis_aligned"]


@dataclass(frozen=True)
class ObjectScore:
    """How many of the true objects were found at an IoU, and how many of the found ones are true.

    `pairs` are (found id, true id, IoU); `missed` and `wrong` are the ids of the rest. Precision and recall are NaN
    where there is nothing to divide by.
    """

    iou: float
    pairs: tuple[tuple[int, int, float], ...]
    missed: tuple[int, ...]
    wrong: tuple[int, ...]

    @property
    def recall(self) -> float:
        """Share of the true objects that were found."""
        total = len(self.pairs) + len(self.missed)
        return len(self.pairs) / total if total else float("nan")

    @property
    def precision(self) -> float:
        """Share of the found objects that are true."""
        total = len(self.pairs) + len(self.wrong)
        return len(self.pairs) / total if total else float("nan")


def score_objects(
    found: Sequence[FoundObject],
    true: Sequence[SceneObject],
    iou: float,
    *,
    labels: Labels | None = None,
    set_aside: Collection[int] = (),
    boxes: BoxKind = "oriented",
) -> ObjectScore:
    """Score found objects at one IoU.

    Args:
        found: In any order.
        true: The scene's objects.
        iou: Least intersection over union of the boxes, over 0 to 1.
        labels: Which labels name one thing; None looks at boxes alone.
        set_aside: Ids of true objects that do not count, such as those seen in too few frames.
        boxes: Compare the boxes as they are, or the axis-aligned ones around points.

    Raises:
        ValueError: `iou` is not in (0, 1].
    """
    if not 0 < iou <= 1:
        raise ValueError(f"IoU {iou} is not over 0 and at most 1")
    ranked = sorted(found, key=lambda thing: (-thing.score, thing.id))
    overlap = overlaps(ranked, true, boxes)
    free = np.ones(len(true), dtype=bool)
    pairs: list[tuple[int, int, float]] = []
    wrong: list[int] = []
    for row, thing in enumerate(ranked):
        fits = free & (overlap[row] >= iou)
        if labels is not None:
            fits &= np.array([labels.alike(thing.label, other.label) for other in true], dtype=bool)
        if not fits.any():
            wrong.append(thing.id)
            continue
        best = int(np.argmax(np.where(fits, overlap[row], -1.0)))
        free[best] = False
        if true[best].id not in set_aside:
            pairs.append((thing.id, true[best].id, float(overlap[row, best])))
    missed = [thing.id for thing, left in zip(true, free, strict=True) if left and thing.id not in set_aside]
    return ObjectScore(iou, tuple(pairs), tuple(missed), tuple(wrong))


def overlaps(
    found: Sequence[FoundObject], true: Sequence[SceneObject], boxes: BoxKind = "oriented"
) -> Float[np.ndarray, "n m"]:
    """IoU of every found with every true box."""
    if not found or not true:
        return np.zeros((len(found), len(true)))
    if boxes == "oriented":
        a, b = Boxes.stack([thing.box for thing in found]), Boxes.stack([thing.box for thing in true])
    else:
        a = Boxes.stack([thing.box.axis_aligned().oriented() for thing in found])
        b = Boxes.stack([thing.aabb.oriented() for thing in true])
    row, column = np.divmod(np.arange(len(found) * len(true)), len(true))
    return box_iou(a[row], b[column]).reshape(len(found), len(true))
