"""Chats of lmms-eval as ours, and ours as theirs.

lmms-eval hands pictures around as PIL images. One that came from us remembers the bytes it was decoded from, so a model
of ours gets the very bytes that `spaceland evaluate` would send; others are encoded without loss.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from spaceland.benchmarks.frames import FramePolicy
from spaceland.chat.pictures import decode_picture, make_picture, read_rgb, shrink
from spaceland.chat.types import Message, Picture
from spaceland.errors import ChatError
from spaceland.evaluation.media import Media, load_media
from spaceland.files import PICTURE_SUFFIXES

_SOURCE = "spaceland_picture"


def to_image(picture: Picture) -> Image.Image:
    """RGB; the picture itself stays in `info`.

    Raises:
        ChatError: the bytes are no image.
    """
    image = decode_picture(picture)
    image.info[_SOURCE] = picture
    return image


def to_lmms(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Messages as tasks of lmms-eval give them (`doc_to_messages`)."""
    return [
        {
            "role": message.role,
            "content": [
                {"type": "text", "text": part} if isinstance(part, str) else {"type": "image", "url": to_image(part)}
                for part in message.content
            ],
        }
        for message in messages
    ]


def from_lmms(messages: Sequence[Mapping[str, Any]], policy: FramePolicy) -> list[Message]:
    """Messages of any task of lmms-eval as ours.

    Args:
        messages: Role and content: a text, or parts of the types text, image (PIL image or path) and video (path).
        policy: Which frames of a video; pictures are shrunk to its longer side, where it has one.

    Raises:
        ChatError: a part is sound, or a picture of a kind that is not known here.
        SceneError: a file is missing or broken.
    """
    found = []
    for message in messages:
        content = message["content"]
        parts: list[str | Picture] = [content] if isinstance(content, str) else []
        if not isinstance(content, str):
            for part in content:
                parts += _part(part, policy)
        found.append(Message(str(message["role"]), parts))
    return found


def _part(part: Mapping[str, Any], policy: FramePolicy) -> list[str | Picture]:
    kind = part.get("type")
    if kind == "text":
        return [str(part["text"])]
    source = part.get("url")
    if isinstance(source, Mapping):
        if "video_start" in source or "video_end" in source:
            raise ChatError("a task shows a part of a video by its times, which is not supported; cut the video first")
        source = source.get("url") or source.get("path")
    if kind == "image" and isinstance(source, Image.Image):
        return [_picture(source, policy)]
    if kind in ("image", "video") and isinstance(source, str | Path):
        path = Path(source)
        if path.suffix.lower() in PICTURE_SUFFIXES:
            return [_encoded(read_rgb(path), path.name, policy)]
        return list(load_media(Media("video", path.name, path), policy)[0])
    raise ChatError(
        f"a task gives a part of type '{kind}' ({type(source).__name__}); models here take text and pictures"
    )


def _picture(image: Image.Image, policy: FramePolicy) -> Picture:
    source = image.info.get(_SOURCE)
    # What others did to an image since keeps its `info`, so the size tells whether it is still the same.
    if isinstance(source, Picture) and (source.width, source.height) == image.size and not policy.long_side_px:
        return source
    return _encoded(np.array(image.convert("RGB")), "", policy)


def _encoded(pixels: np.ndarray, name: str, policy: FramePolicy) -> Picture:
    if policy.long_side_px:
        pixels = shrink(pixels, policy.long_side_px)
    return make_picture(pixels, name, lossless=True)
