"""Pictures for a page: thumbnails with marks, and contact sheets for videos, as JPEG data URIs.

A row names its pictures relative to the dataset folder. A path that leads out of the folder is treated like a missing
file: a report made from somebody else's rows must not carry pictures from elsewhere on this machine.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from spaceland.errors import SceneError
from spaceland.files import read_image
from spaceland.questions.marks import COLORS, Mark, draw_marks

THUMB_PX = 480
TILE_PX = 130
TILE_PITCH_PX = 132
SHEET_COLUMNS = 8
_QUALITY = 80


@dataclass(frozen=True)
class Picture:
    """A picture inside the page; `uri` is None and `problem` says why where it could not be read."""

    uri: str | None
    width: int
    height: int
    problem: str = ""


def thumbnail(folder: Path, name: str, marks: Sequence[Mark], width_px: int = THUMB_PX) -> Picture:
    """One image, at most `width_px` wide, with the marks drawn after shrinking so that they stay sharp."""
    try:
        image = _shrink(_read(folder, name), width_px)
    except SceneError as error:
        return Picture(None, 4, 3, _without_folder(str(error), folder))
    return _picture(draw_marks(image, marks))


def contact_sheet(folder: Path, names: Sequence[str]) -> Picture:
    """All frames of a video in reading order, eight in a row; unreadable ones stay grey."""
    tiles: list[np.ndarray | None] = []
    problem = ""
    for name in names:
        try:
            tiles.append(_shrink(_read(folder, name), TILE_PX))
        except SceneError as error:
            tiles.append(None)
            problem = problem or _without_folder(str(error), folder)
    first = next((tile for tile in tiles if tile is not None), None)
    if first is None:
        return Picture(None, 4, 3, problem or "no frames")
    height = first.shape[0]
    rows = -(-len(tiles) // SHEET_COLUMNS)
    gap = TILE_PITCH_PX - TILE_PX
    sheet = np.full((rows * (height + gap), SHEET_COLUMNS * TILE_PITCH_PX, 3), 255, np.uint8)
    for index, tile in enumerate(tiles):
        row, column = divmod(index, SHEET_COLUMNS)
        place = sheet[row * (height + gap) :, column * TILE_PITCH_PX :][:height, :TILE_PX]
        place[:] = 128
        if tile is not None:
            part = tile[:height]
            place[: part.shape[0], : part.shape[1]] = part
    picture = _picture(sheet)
    return Picture(picture.uri, picture.width, picture.height, problem)


def row_marks(row: Mapping[str, Any], image_index: int) -> tuple[Mark, ...]:
    """The marks that belong on one image of a row.

    Raises:
        SceneError: a mark is not one of ours.
    """
    try:
        marks = [Mark.from_json(mark) for mark in row.get("marks") or []]
        for mark in marks:
            if len(mark.xy) != (2 if mark.shape == "point" else 4) or not all(0 <= float(v) <= 1000 for v in mark.xy):
                raise ValueError(f"position {mark.xy}")
            if mark.color not in COLORS or not 0 <= mark.size <= 1:
                raise ValueError(f"colour {mark.color!r}, size {mark.size}")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SceneError(f"row {row.get('id')}: a mark is broken ({error}); generate the dataset again") from error
    return tuple(mark for mark in marks if mark.image_index == image_index)


def _read(folder: Path, name: str) -> UInt8[np.ndarray, "h w 3"]:
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise SceneError(f"{name} lies outside the dataset folder")
    image = read_image(path)
    if image.ndim != 3 or image.dtype != np.uint8:
        grey = image.astype(np.float64)
        image = np.repeat((255 * grey / max(float(grey.max()), 1.0)).astype(np.uint8)[..., None], 3, axis=-1)
    return image


def _shrink(image: UInt8[np.ndarray, "h w 3"], width: int) -> UInt8[np.ndarray, "h2 w2 3"]:
    height = max(1, round(image.shape[0] * width / image.shape[1]))
    if image.shape[1] <= width and width != TILE_PX:
        return image
    return np.array(Image.fromarray(image).resize((width, height), Image.Resampling.LANCZOS, reducing_gap=3.0))


def _picture(image: UInt8[np.ndarray, "h w 3"]) -> Picture:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=_QUALITY, optimize=True)
    uri = "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
    return Picture(uri, image.shape[1], image.shape[0])


def _without_folder(message: str, folder: Path) -> str:
    """Messages go into the page, which must not depend on where the dataset lies."""
    return message.replace(f"{folder}/", "").replace(str(folder), "")
