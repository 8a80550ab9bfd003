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
from spaceland.scenes.scene import Scene, SceneObject


def explain_pictures(
    bev: Bev | None,
    num_frames: int,
    num_marks: int,
    *,
    estimated: bool = False,
) -> str:
    """The text that explains the pictures: order, bird's-eye view with axes and scale, frames, numbers.

    Args:
        bev: The bird's-eye view, or None when only frames are shown.
        num_frames: Marked frames after it.
        num_marks: Objects that carry a number in at least one picture.
        estimated: The geometry was estimated from images, so distances are approximate.
    """
    total = num_frames + (bev is not None)
    parts = [f"You see {_count(total, 'picture')} of one room."]
    if bev is not None:
        scale = bev.map.metres_per_px
        width_m, height_m = bev.image.shape[1] * scale, bev.strip_top_px * scale
        parts.append(
            "Image 1 is a bird's-eye view of the whole room, looking straight down, without perspective and without "
            "the ceiling. White is where nothing was seen. The x axis points to the right of the picture and the y "
            f"axis to its top. One pixel is {scale:.4f} metres, so the picture shows {width_m:.1f} metres from left to "
            f"right and {height_m:.1f} metres from the bottom to the top; the bar at the bottom left is "
            f"{_length(bev.bar_length_m)} long."
        )
    if num_frames:
        first = 1 + (bev is not None)
        which = (
            f"Image {first} is a frame"
            if num_frames == 1
            else f"Images {first} to {total} are frames, in the order of time,"
        )
        parts.append(f"{which} of a video taken by a camera that moves through the room.")
    if num_marks:
        parts.append(
            "Dark red discs with white numbers name the objects. A disc lies on a visible part of its object"
            + (
                ", or in the bird's-eye view beside it with a thin line that ends on the object"
                if bev is not None
                else ""
            )
            + ". The same number is the same object in all pictures, and each object has only one number. An object "
            "without a number in a picture is hidden there, too small or out of view."
        )
    else:
        parts.append("No object is numbered.")
    parts.append("Lengths are in metres.")
    if estimated:
        parts.append("The geometry was estimated from the images, so all lengths are approximate.")
    return "\n".join(parts)


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
