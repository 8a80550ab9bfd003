"""The words and the chat message that go with a bird's-eye view and marked frames.

The message has the form that chat models and trainers read (images first, then one text):

    [{"role": "user", "content": [
        {"type": "image", "image": "bev.png"},
        {"type": "image", "image": "frames/000000.jpg"}, ...,
        {"type": "text", "text": "You see 9 pictures of one room. ..."}]}]

Image paths are relative to the folder that holds `prompt.json`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from spaceland.prompts.bev import Bev
from spaceland.prompts.bevmap import PerspectiveMap
from spaceland.prompts.styles import STYLES, MarkStyle
from spaceland.scenes.scene import Scene, SceneObject


def explain_pictures(
    bev: Bev | None,
    num_frames: int,
    num_marks: int,
    *,
    estimated: bool = False,
    scale_known: bool = True,
    style: MarkStyle = STYLES["gpt4scene"],
    in_grid: bool = False,
    lines_on_frames: bool = False,
) -> str:
    """The text that explains the pictures: order, bird's-eye view with axes and scale, frames, numbers.

    Args:
        bev: The bird's-eye view, or None when only frames are shown.
        num_frames: Marked frames after it.
        num_marks: Objects that carry a number in at least one picture.
        estimated: The geometry was estimated from images, so distances are approximate.
        scale_known: See `bev.scale_known`; where it is not, the text says that metres are a guess.
        style: How the numbers look.
        in_grid: The frames are tiles of one picture.
        lines_on_frames: On a frame, too, a number may stand beside its object with a line to it.
    """
    total = (min(num_frames, 1) if in_grid else num_frames) + (bev is not None)
    parts = [f"You see {_count(total, 'picture')} of one room."]
    if bev is not None:
        parts.append(_explain_view(bev))
    if num_frames:
        first = 1 + (bev is not None)
        if in_grid:
            captions = "the caption Img 1" if num_frames == 1 else f"the captions Img 1 to Img {num_frames}"
            which = (
                f"Image {first} shows {_count(num_frames, 'frame')} in a grid, row by row in the order of time, under "
                f"{captions},"
            )
        elif num_frames == 1:
            which = f"Image {first} is a frame"
        else:
            which = f"Images {first} to {total} are frames, in the order of time,"
        parts.append(f"{which} of a video taken by a camera that moves through the room.")
    if num_marks:
        thing, what = _WORDS[style.region]
        beside = ""
        if lines_on_frames:
            beside = ", or beside it with a thin line that ends on the object"
        elif bev is not None:
            beside = ", or in the bird's-eye view beside it with a thin line that ends on the object"
        parts.append(
            f"{what} A {thing} lies on a visible part of its object{beside}. The same number is the same object in all "
            "pictures, and each object has only one number. An object without a number in a picture is hidden there, "
            "too small or out of view."
        )
    else:
        parts.append("No object is numbered.")
    if not scale_known:
        parts.append(
            "Lengths are given in metres, but the true scale is unknown: they are right only in proportion to each "
            "other."
        )
        return "\n".join(parts)
    parts.append("Lengths are in metres.")
    if estimated:
        parts.append("The geometry was estimated from the images, so all lengths are approximate.")
    return "\n".join(parts)


def _explain_view(bev: Bev) -> str:
    """What the first picture shows and how lengths read in it."""
    scale, config = bev.map.metres_per_px, bev.config
    what = "the whole room" if config.crop_m is None and not config.crop_to else "a part of the room"
    if isinstance(bev.map, PerspectiveMap):
        height_m = bev.map.camera_m[2] - bev.map.floor_z_m
        text = (
            f"Image 1 is a bird's-eye view of {what} in perspective, from a camera {height_m:.1f} metres above the "
            "floor that looks straight down, without the ceiling. Higher things look larger and lean away from the "
            "middle of the picture. White is where nothing was seen. The x axis points to the right of the picture "
            f"and the y axis to its top. On the floor one pixel is {scale:.4f} metres."
        )
    else:
        width_m, height_m = bev.image.shape[1] * scale, bev.strip_top_px * scale
        text = (
            f"Image 1 is a bird's-eye view of {what}, looking straight down, without perspective and without "
            "the ceiling. White is where nothing was seen. The x axis points to the right of the picture and the y "
            f"axis to its top. One pixel is {scale:.4f} metres, so the picture shows {width_m:.1f} metres from left to "
            f"right and {height_m:.1f} metres from the bottom to the top; the bar at the bottom left is "
            f"{_length(bev.bar_length_m)} long."
        )
    return text + explain_extras(
        filled=bool(bev.filled.any()),
        grid_m=config.grid_m,
        on_floor=isinstance(bev.map, PerspectiveMap),
        camera_path=config.camera_path,
    )


def explain_extras(*, filled: bool, grid_m: float | None, on_floor: bool, camera_path: bool) -> str:
    """Sentences about what else was done to a bird's-eye view, each with a space before it."""
    text = ""
    if filled:
        text += " Small holes in what was seen are filled from beside them."
    if grid_m is not None:
        where = " on the floor" if on_floor else ""
        text += f" Thin grey lines are a grid{where} with {_length(grid_m)} between lines; x and y name them."
    if camera_path:
        text += (
            " The blue line is the way of the camera; blue pins are the places of the frames, and their tips point "
            "where the camera looks."
        )
    return text


_WORDS = {
    "none": ("disc", "Dark red discs with white numbers name the objects."),
    "mask": ("label", "Small coloured labels with numbers name the objects, which are tinted in the same colour."),
    "box": (
        "label",
        "Small coloured labels with numbers name the objects; a rectangle of the same colour is around each.",
    ),
    "outline": ("label", "Small coloured labels with numbers name the objects, whose outlines have the same colour."),
}


def object_table(things: Sequence[tuple[int, SceneObject]], scene: Scene, bev: Bev | None = None) -> str:
    """Lines "number: label, centre (x, y, z) m, size a x b x c m"; z counts from the floor."""
    floor_z = scene.room.floor_z_m if scene.room else (bev.cut.floor_z_m if bev else 0.0)
    lines = ["Numbered objects (centre x, y, height above the floor; then length, width, height, all in metres):"]
    for number, thing in things:
        x, y, z = thing.center
        a, b, c = thing.box.size
        lines.append(
            f"{number}: {thing.label}, centre ({x:.2f}, {y:.2f}, {z - floor_z:.2f}), size {a:.2f} x {b:.2f} x {c:.2f}"
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
