"""Which pictures a model gets, in which order and size.

| layout | pictures | for |
|---|---|---|
| `images` | bird's-eye view, then each frame | models that take many pictures |
| `grid` | all frames in one, "Img 1" ... above the tiles, then the bird's-eye view | as in the paper |
| `gpt4scene` | bird's-eye view, then each frame, longest side 512, nearest pixel | the released GPT4Scene model |
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from spaceland.chat.pictures import make_picture, read_rgb, shrink
from spaceland.chat.types import Picture
from spaceland.errors import ChatError
from spaceland.geometry.camera import PinholeCamera
from spaceland.prompts.grid import stitch
from spaceland.prompts.marked import MarkedFolder
from spaceland.prompts.messages import Shown

Layout = Literal["images", "grid", "gpt4scene"]


@dataclass(frozen=True, kw_only=True)
class LayoutConfig:
    """How pictures are arranged. Sizes are the longest side in pixels of the bird's-eye view, a frame, a tile."""

    kind: Layout = "images"
    bev: bool = True
    frames: bool = True
    bev_px: int = 1024
    frame_px: int = 640
    tile_px: int = 512


RELEASED = LayoutConfig(kind="gpt4scene", bev_px=512, frame_px=512)
"""What the released GPT4Scene model was tuned on: longest side 512."""


@dataclass(frozen=True, kw_only=True)
class Arranged(Shown):
    """The pictures in the order of sending, and which is what."""

    pictures: tuple[Picture, ...]


def arrange(marked: MarkedFolder, config: LayoutConfig) -> Arranged:
    """Read, shrink and order the pictures.

    Raises:
        ChatError: nothing would be shown.
        SceneError: a picture is missing or broken.
    """
    frames = list(marked.frames) if config.frames else []
    view = marked.view if config.bev else None
    if view is None and not frames:
        raise ChatError("neither bird's-eye view nor frames would be shown; ask for at least one of them")
    nearest = config.kind == "gpt4scene"
    pictures: list[Picture] = []
    bev_image = grid_image = None
    frame_images: list[int] = []
    scale = 1.0

    def add_bev() -> int | None:
        nonlocal scale
        if view is None:
            return None
        image = shrink(read_rgb(view.path), config.bev_px, nearest=nearest)
        scale = image.shape[1] / view.width
        pictures.append(make_picture(image, "bev.png", lossless=True))
        return len(pictures)

    if config.kind == "grid" and frames:
        tiles = [shrink(read_rgb(frame.path), config.tile_px) for frame in frames]
        pictures.append(make_picture(stitch(tiles).image, "frames.jpg"))
        grid_image = 1
        bev_image = add_bev()
    else:
        bev_image = add_bev()
        for frame in frames:
            image = shrink(read_rgb(frame.path), config.frame_px, nearest=nearest)
            camera = PinholeCamera(frame.width, frame.height, *frame.intrinsics)
            camera = camera.scaled(image.shape[1], image.shape[0])
            K = (camera.fx, camera.fy, camera.cx, camera.cy)
            pictures.append(replace(make_picture(image, f"frames/{frame.path.name}"), K=K))
            frame_images.append(len(pictures))
    return Arranged(
        pictures=tuple(pictures),
        bev_image=bev_image,
        frame_images=tuple(frame_images),
        grid_image=grid_image,
        num_frames=len(frames),
        bev_scale=scale,
    )
