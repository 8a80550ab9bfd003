"""Things of a size that nothing of their name has: a row of kitchen cabinets called a table, a chair of 0.1 m.

Limits are generous, in metres: what is seen of a thing may be a part of it, or a bit more than it. Labels that are not
listed are never judged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from spaceland.objects.types import FoundObject

LIMITS_M: Mapping[str, tuple[float, float, float]] = {
    "chair": (0.3, 1.3, 1.4),
    "table": (0.45, 4.0, 1.25),
    "desk": (0.45, 4.0, 1.25),
    "book": (0.0, 0.7, 0.5),
    "box": (0.0, 1.5, 1.5),
    "laptop": (0.0, 0.7, 0.6),
    "computer monitor": (0.0, 1.6, 1.1),
    "computer mouse": (0.0, 0.25, 0.15),
    "camera": (0.0, 0.5, 0.5),
    "mug": (0.0, 0.3, 0.3),
    "coffee cup": (0.0, 0.3, 0.3),
    "bottle": (0.0, 0.3, 0.6),
}
"""The longest horizontal side of the box is at least and at most this long, its height at most this, for each label."""

STANDING = ("chair", "couch", "table", "bed", "bench", "nightstand", "ottoman")
MAX_BOTTOM_M = 0.9
"""What is seen of furniture that stands on the floor begins at most so high above it, as the back of a chair does
behind a table. What is taken for a chair on a work top begins higher."""


def of_plausible_size(
    objects: Sequence[FoundObject], limits_m: Mapping[str, tuple[float, float, float]] = LIMITS_M
) -> tuple[FoundObject, ...]:
    """The objects whose boxes are within the limits of their labels."""
    return tuple(thing for thing in objects if _fits(thing, limits_m))


def _fits(thing: FoundObject, limits_m: Mapping[str, tuple[float, float, float]]) -> bool:
    if thing.label not in limits_m:
        return True
    least, most, height = limits_m[thing.label]
    return least <= float(thing.box.size[:2].max()) <= most and float(thing.box.size[2]) <= height
