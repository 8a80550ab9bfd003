"""The words and the chat message that go with a bird's-eye view and marked frames.

The message has the form that chat models and trainers read (images first, then one text):

    [{"role": "user", "content": [
        {"type": "image", "image": "bev.png"},
        {"type": "image", "image": "frames/000000.jpg"}, ...,
        {"type": "text", "text": "You see 9 pictures of one room. ..."}]}]

Image paths are relative to the folder that holds `prompt.json`. The words are worked from `objects.json` alone, and for
the sizes in which the pictures are sent: of a view shrunk to half, one pixel is twice as many metres.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from spaceland.prompts.bevmap import PerspectiveMap
from spaceland.prompts.marked import MarkedFolder, MarkedView
from spaceland.prompts.styles import STYLES


@dataclass(frozen=True, kw_only=True)
class Shown:
    """Which pictures are sent, by number from 1 in the order of sending; None: there is none of that kind."""

    bev_image: int | None
    frame_images: tuple[int, ...]
    grid_image: int | None
    """All frames as tiles of one picture; then `frame_images` is empty."""
    num_frames: int
    bev_scale: float = 1.0
    """Pixels of the sent bird's-eye view for one pixel of bev.png."""

    @property
    def num_pictures(self) -> int:
        return len(self.frame_images) + (self.bev_image is not None) + (self.grid_image is not None)


def explain_pictures(marked: MarkedFolder, shown: Shown) -> str:
    """The text that explains the pictures: order, bird's-eye view with axes and scale, frames, numbers."""
    parts = [f"You see {_count(shown.num_pictures, 'picture')} of one room."]
    view = "" if shown.bev_image is None or marked.view is None else _explain_view(marked.view, shown)
    frames = _explain_frames(shown)
    parts += [frames, view] if shown.grid_image == 1 else [view, frames]
    parts.append(_explain_marks(marked, shown) if marked.objects else "No object is numbered.")
    if not marked.scale_known:
        parts.append(
            "Lengths are given in metres, but the true scale is unknown: they are right only in proportion to each "
            "other."
        )
    else:
        parts.append("Lengths are in metres.")
        if marked.geometry == "estimated":
            parts.append("The geometry was estimated from the images, so all lengths are approximate.")
    return "\n".join(part for part in parts if part)


def _explain_view(view: MarkedView, shown: Shown) -> str:
    """What the bird's-eye view shows and how lengths and places read in it."""
    what = "a part of the room" if view.cropped else "the whole room"
    text = f"Image {shown.bev_image} is a bird's-eye view of {what}"
    axes = "The x axis points to the right of the picture and the y axis to its top; z points up."
    scale = view.map.metres_per_px / shown.bev_scale
    if isinstance(view.map, PerspectiveMap):
        u, v = (shown.bev_scale * c for c in view.map.center_px)
        x, y, z = view.map.camera_m
        text += (
            f" in perspective, from a camera {z - view.map.floor_z_m:.1f} metres above the floor that looks straight "
            "down, without the ceiling. Higher things look larger and lean away from the middle of the picture. White "
            f"is where nothing was seen. {axes} The camera is above x = {x:.2f}, y = {y:.2f}, which is pixel "
            f"({u:.0f}, {v:.0f}). On the floor one pixel is {scale:.4f} metres."
        )
    else:
        x, y = view.map.origin_m
        width_m, height_m = (size * view.map.metres_per_px for size in (view.width, view.view_height))
        text += (
            ", looking straight down, without perspective and without the ceiling. White is where nothing was seen. "
            f"{axes} The top left corner is at x = {x:.2f}, y = {y:.2f}. One pixel is {scale:.4f} metres, so the "
            f"picture shows {width_m:.1f} metres from left to right and {height_m:.1f} metres from the bottom to the "
            "top."
        )
    if view.bar_length_m:
        text += f" The bar at the bottom left is {_length(view.bar_length_m)} long."
    if view.filled:
        text += " Small holes in what was seen are filled from beside them."
    if view.grid_m is not None:
        where = " on the floor" if isinstance(view.map, PerspectiveMap) else ""
        text += f" Thin grey lines are a grid{where} with {_length(view.grid_m)} between lines; x and y name them."
    if view.camera_path:
        text += (
            " The blue line is the way of the camera; blue pins are the places of the frames, and their tips point "
            "where the camera looks."
        )
    return text


def _explain_frames(shown: Shown) -> str:
    if not shown.num_frames:
        return ""
    if shown.grid_image is not None:
        captions = "the caption Img 1" if shown.num_frames == 1 else f"the captions Img 1 to Img {shown.num_frames}"
        text = (
            f"Image {shown.grid_image} shows {_count(shown.num_frames, 'frame')} in a grid, row by row in the order of "
            f"time, under {captions} (which number the frames, not objects),"
        )
    elif len(shown.frame_images) == 1:
        text = f"Image {shown.frame_images[0]} is a frame"
    else:
        text = f"Images {shown.frame_images[0]} to {shown.frame_images[-1]} are frames, in the order of time,"
    return f"{text} of a video taken by a camera that moves through the room."


def _explain_marks(marked: MarkedFolder, shown: Shown) -> str:
    style = STYLES.get(marked.style)
    thing, what = ("label", "Numbers name the objects.") if style is None else _WORDS[style.region]
    beside = ""
    if marked.lines_on_frames and shown.num_frames:
        beside = ", or beside it with a thin line that ends on the object"
    elif shown.bev_image is not None:
        beside = ", or in the bird's-eye view beside it with a thin line that ends on the object"
    return (
        f"{what} A {thing} lies on a visible part of its object{beside}. The same number is the same object in all "
        "pictures, and each object has only one number. An object without a number in a picture is hidden there, too "
        "small or out of view; things that carry a number in no picture may be there too."
    )


_WORDS = {
    "none": ("disc", "Dark red discs with white numbers name the objects."),
    "mask": ("label", "Small coloured labels with numbers name the objects, which are tinted in the same colour."),
    "box": (
        "label",
        "Small coloured labels with numbers name the objects; a rectangle of the same colour is around each.",
    ),
    "outline": ("label", "Small coloured labels with numbers name the objects, whose outlines have the same colour."),
}


def object_table(marked: MarkedFolder, name: Callable[[int], str] = "{}:".format) -> str:
    """Lines "7: armchair, centre (x, y, z), size a x b x c" in metres; z counts from the floor.

    `name` writes a number.
    """
    lines = ["Numbered objects (centre x, y, height above the floor; then length, width, height, all in metres):"]
    for thing in marked.objects:
        x, y, z = thing.box.center
        a, b, c = thing.box.size
        lines.append(
            f"{name(thing.mark)} {thing.label}, centre ({x:.2f}, {y:.2f}, {z - marked.floor_z_m:.2f}), "
            f"size {a:.2f} x {b:.2f} x {c:.2f}"
        )
    return "\n".join(lines)


def chat_messages(image_paths: Sequence[str], text: str) -> list[dict[str, Any]]:
    """One user turn: all images in order, then the text."""
    content: list[dict[str, str]] = [{"type": "image", "image": path} for path in image_paths]
    return [{"role": "user", "content": [*content, {"type": "text", "text": text}]}]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _length(metres: float) -> str:
    return f"{metres:g} metre" + ("" if metres == 1 else "s")
