"""What a model is told about the pictures: their order, the bird's-eye view with axes and scale, the numbers.

Worked from `objects.json` alone, and for the sizes in which the pictures are sent: a view shrunk to half says twice the
metres per pixel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spaceland.ask.layout import Arranged
from spaceland.ask.marked import MarkedFolder
from spaceland.ask.templates import object_id
from spaceland.errors import ChatError
from spaceland.prompts.bevmap import PerspectiveMap

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


def explain(marked: MarkedFolder, shown: Arranged) -> str:
    """The text before the question."""
    total = len(shown.pictures)
    parts = [f"You see {total} picture{'' if total == 1 else 's'} of one room."]
    bev, frames = _explain_bev(marked, shown), _explain_frames(shown)
    parts += [bev, frames] if shown.grid_image is None else [frames, bev]
    if marked.objects:
        marks = "Dark red discs" if marked.style in ("gpt4scene", "ringed") else "Small coloured labels"
        parts.append(
            f"{marks} with numbers name objects. Each lies on a visible part of its object"
            + (", or in the bird's-eye view beside it with a thin line that ends on it" if shown.bev_image else "")
            + ". The same number is the same object in all pictures. An object without a number in a picture is hidden "
            "there, too small or out of view; things that carry a number in no picture may be there too."
        )
    else:
        parts.append("No object is numbered.")
    if not marked.scale_known:
        parts.append("The true scale is unknown: lengths are right only in proportion to each other.")
    elif marked.geometry == "estimated":
        parts.append("The geometry was estimated from the pictures, so all lengths are approximate.")
    return "\n".join(part for part in parts if part)


def _explain_bev(marked: MarkedFolder, shown: Arranged) -> str:
    view = marked.view
    if shown.bev_image is None or view is None:
        return ""
    what = "a part of the room" if view.cropped else "the whole room"
    text = f"Image {shown.bev_image} is a bird's-eye view of {what} without its ceiling, looking straight down"
    axes = "The x axis points to the right of the picture, the y axis to its top, z up; all in metres."
    scale = view.map.metres_per_px / shown.bev_scale
    if isinstance(view.map, PerspectiveMap):
        u, v = (shown.bev_scale * c for c in view.map.center_px)
        x, y, _ = view.map.camera_m
        text += (
            f", in perspective: higher things look larger and farther out. White is where nothing was seen. {axes} The "
            f"camera is above x = {x:.2f}, y = {y:.2f}, which is pixel ({u:.0f}, {v:.0f}); one pixel of the floor is "
            f"{scale:.4f} m."
        )
    else:
        x, y = view.map.origin_m
        text += (
            f", without perspective. White is where nothing was seen. {axes} Its top left corner is at x = {x:.2f}, "
            f"y = {y:.2f}; one pixel is {scale:.4f} m, so it shows {view.width * view.map.metres_per_px:.1f} m from "
            f"left to right and {view.view_height * view.map.metres_per_px:.1f} m from bottom to top."
        )
    if view.bar_length_m:
        text += f" The bar at the bottom left is {view.bar_length_m:g} m long."
    return text + view.extras


def _explain_frames(shown: Arranged) -> str:
    if not shown.num_frames:
        return ""
    camera = "a camera that moves through the room"
    if shown.grid_image is not None:
        return (
            f"Image {shown.grid_image} shows {shown.num_frames} frames taken by {camera}, in the order of time from "
            f'left to right and from top to bottom; "Img 1" to "Img {shown.num_frames}" above them number the frames, '
            "not objects."
        )
    first, last = shown.frame_images[0], shown.frame_images[-1]
    if first == last:
        return f"Image {first} is a frame taken by {camera}."
    return f"Images {first} to {last} are frames taken by {camera}, in the order of time."


def box_table(marked: MarkedFolder) -> str:
    """Lines "<OBJ007> armchair, centre (x, y, height above the floor), size a x b x c", in metres."""
    lines = ["Numbered objects (centre x, y, height above the floor; then length, width, height; all in metres):"]
    for thing in marked.objects:
        x, y, z = thing.box.center
        a, b, c = thing.box.size
        lines.append(
            f"{object_id(thing.mark)} {thing.label}, centre ({x:.2f}, {y:.2f}, {z - marked.floor_z_m:.2f}), "
            f"size {a:.2f} x {b:.2f} x {c:.2f}"
        )
    return "\n".join(lines)


def describe_situation(situation: Situation, marked: MarkedFolder, shown: Arranged, *, first_person: bool) -> str:
    """One or two sentences: in the words of the person (`first_person`), as SQA3D has them, or about them.

    Raises:
        ChatError: nothing is said, a number does not exist, or a place lies outside the view.
    """
    who, stand, face = ("I", "am standing", "am facing") if first_person else ("A person", "stands", "and faces")
    parts = [situation.text.strip()] if situation.text.strip() else []
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


def _pixel(at_m: tuple[float, float], marked: MarkedFolder, shown: Arranged) -> str:
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
