"""What a request says beside its pictures: where somebody stands and looks, and numbers that exist or do not.

Places are told in metres on the axes of the bird's-eye view, and as pixels of the picture that is sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spaceland.asking.templates import object_id
from spaceland.errors import ChatError
from spaceland.prompts.marked import MarkedFolder
from spaceland.prompts.messages import Shown

_FACING = ((22.5, "+x"), (67.5, "+x and +y"), (112.5, "+y"), (157.5, "-x and +y"), (202.5, "-x"), (247.5, "-x and -y"),
           (292.5, "-y"), (337.5, "+x and -y"), (360.0, "+x"))  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Situation:
    """Where somebody stands and looks: in words, as place in metres on the view's axes, or as numbered objects.

    `facing_deg` counts anticlockwise from the x axis, seen from above: 90 looks to the top of the view.
    """

    text: str = ""
    at_m: tuple[float, float] | None = None
    at_mark: int | None = None
    facing_deg: float | None = None
    facing_mark: int | None = None


def describe_situation(situation: Situation, marked: MarkedFolder, shown: Shown, *, first_person: bool) -> str:
    """One or two sentences: in the words of the person (`first_person`), as SQA3D has them, or about them.

    Raises:
        ChatError: nothing is said, a number does not exist, or a place lies outside the view.
    """
    who, stand, face = ("I", "am standing", "am facing") if first_person else ("A person", "stands", "and faces")
    text = situation.text.strip()
    parts = [text if text.endswith((".", "!", "?")) else f"{text}."] if text else []
    place = ""
    if situation.at_m is not None:
        place = (
            f"at x = {situation.at_m[0]:.2f} m, y = {situation.at_m[1]:.2f} m{_pixel(situation.at_m, marked, shown)}"
        )
    elif situation.at_mark is not None:
        place = f"at {object_id(known_mark(situation.at_mark, marked))}"
    facing = ""
    if situation.facing_mark is not None:
        facing = object_id(known_mark(situation.facing_mark, marked))
    elif situation.facing_deg is not None:
        angle = situation.facing_deg % 360
        axis = next(name for limit, name in _FACING if angle <= limit)
        facing = f"the direction {angle:.0f} degrees anticlockwise from the x axis seen from above (towards {axis})"
    if place or facing:
        said = [f"{stand} {place}"] if place else []
        said += [f"{face} {facing}" if place or first_person else f"faces {facing}"] if facing else []
        joint = " and " if first_person else " "
        parts.append(f"{who} {joint.join(said)}.")
    if not parts:
        raise ChatError("a situated question needs a situation: give --situation, --at or --facing")
    return " ".join(parts)


def known_mark(mark: int, marked: MarkedFolder) -> int:
    """`mark`, if an object carries it.

    Raises:
        ChatError: none does.
    """
    if mark not in marked.by_mark:
        numbers = ", ".join(f"{thing.mark} ({thing.label})" for thing in marked.objects[:40]) or "none"
        raise ChatError(f"no object carries the number {mark}; numbers are: {numbers}")
    return mark


def free_number(used: Sequence[int]) -> int:
    """A number of the three-digit kind that no object carries, for examples that cannot bias the answer."""
    taken = set(used)
    return next((n for n in (245, *range(999, -1, -1)) if n not in taken), 999)


def _pixel(at_m: tuple[float, float], marked: MarkedFolder, shown: Shown) -> str:
    """The same place in the sent picture, and the check that it is in it."""
    view = marked.view
    if view is None:
        return ""
    u, v = view.map.world_to_pixel(np.array([*at_m, marked.floor_z_m]))
    if not (0 <= u <= view.width and 0 <= v <= view.view_height):
        corners = view.map.pixel_to_world(np.array([[0.0, view.view_height], [view.width, 0.0]]))
        (x0, y0), (x1, y1) = corners.tolist()
        raise ChatError(
            f"the place ({at_m[0]:g}, {at_m[1]:g}) lies outside the bird's-eye view, which shows x from {x0:.2f} to "
            f"{x1:.2f} and y from {y0:.2f} to {y1:.2f} m"
        )
    if shown.bev_image is None:
        return ""
    u, v = u * shown.bev_scale, v * shown.bev_scale
    return f" (pixel {u:.0f} from the left and {v:.0f} from the top of Image {shown.bev_image})"
