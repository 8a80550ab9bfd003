"""Folders of photos as captures: natural order, upright, focal length from EXIF.

Natural order puts IMG_9 before IMG_10. All pictures of a capture have one size, because one camera is estimated for
them; where a folder mixes sizes, those of the most frequent size are used and the others counted.

EXIF tells the focal length either as that of a 35 mm camera with the same view (which compares diagonals: 43.27 mm of
film), or in millimetres with the pixels per millimetre of the sensor. Both give pixels:

    24 mm equivalent, 4000 x 3000 pixels:  24 / 43.27 * 5000 = 2773 px
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from spaceland.errors import SceneError, SourceError
from spaceland.files import PICTURE_SUFFIXES
from spaceland.reconstruct.capture import Capture, only_picture, small_size
from spaceland.reconstruct.types import CaptureImage

_UNREADABLE_SUFFIXES = frozenset({".heic", ".heif", ".avif", ".dng", ".tif", ".tiff", ".bmp", ".gif"})
_COLOR_MODES = frozenset({"RGB", "RGBA", "L", "LA", "P", "CMYK", "YCbCr"})
_FILM_DIAGONAL_MM = float(np.hypot(36.0, 24.0))
_ORIENTATION, _EXIF_IFD = 0x0112, 0x8769
_FOCAL_MM, _FOCAL_35MM = 0x920A, 0xA405
_PIXELS_WIDE, _PLANE_X_RESOLUTION, _PLANE_UNIT = 0xA002, 0xA20E, 0xA210
_UNIT_MM = {2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}
_DAMAGED = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)


@dataclass(frozen=True)
class FolderPictures:
    """Image files in order, read upright."""

    files: tuple[Path, ...]

    def read(self, indices: Sequence[int], grey_px: int | None) -> Iterator[tuple[int, np.ndarray]]:
        """See `Pictures.read`."""
        for index in indices:
            try:
                picture = _read(self.files[index], grey_px)
            except _DAMAGED:
                continue
            yield index, picture

    def fingerprint(self) -> str:
        """See `Pictures.fingerprint`."""
        state = hashlib.sha256()
        for path in self.files:
            data = path.read_bytes()
            state.update(f"{path.name}\n{len(data)}\n".encode() + data)
        return state.hexdigest()


@dataclass(frozen=True)
class _Header:
    """Size after turning upright, and focal length in pixels where the file knows it."""

    width: int
    height: int
    focal_px: float | None


def open_folder(folder: Path) -> Capture:
    """A folder of photos as a capture.

    Raises:
        SourceError: it holds no pictures.
        SceneError: no size is shared by more than half of the pictures.
    """
    try:
        names = sorted((path for path in folder.iterdir() if path.is_file()), key=lambda path: natural_key(path.name))
    except OSError as error:
        raise SourceError(f"{folder} cannot be read ({error.strerror or error})") from error
    skipped: Counter[str] = Counter()
    found: list[tuple[Path, _Header]] = []
    for path in names:
        suffix = path.suffix.lower()
        if path.name.startswith("."):
            continue
        if suffix in _UNREADABLE_SUFFIXES:
            skipped[f"{suffix[1:]} pictures (save them as jpg)"] += 1
        elif suffix in PICTURE_SUFFIXES:
            header = _header(path)
            if isinstance(header, str):
                skipped[header] += 1
            else:
                found.append((path, header))
    if not found:
        what = (
            "; ".join(f"{count} {reason}" for reason, count in skipped.items()) or f"{len(names)} files of other kinds"
        )
        raise SourceError(f"{folder} holds no usable jpg, png or webp pictures: {what}")
    sizes = Counter((header.width, header.height) for _, header in found)
    (size, count), total = sizes.most_common(1)[0], len(found)
    if 2 * count <= total and total > 1:
        listed = ", ".join(f"{n} of {w}x{h}" for (w, h), n in sizes.most_common(4))
        raise SceneError(
            f"{folder} mixes pictures of {len(sizes)} sizes ({listed}); one camera is estimated for all of them, "
            "so put those of one size (and one zoom) into a folder of their own"
        )
    if count < total:
        skipped[f"pictures of another size than {size[0]}x{size[1]}"] = total - count
    used = [(path, header) for path, header in found if (header.width, header.height) == size]
    pictures = FolderPictures(tuple(path for path, _ in used))
    images = tuple(
        CaptureImage(
            id=name,
            index=index,
            width=header.width,
            height=header.height,
            color=partial(only_picture, pictures, index, str(path)),
            focal_px=header.focal_px,
        )
        for index, (name, (path, header)) in enumerate(zip(unique_ids([p.stem for p, _ in used]), used, strict=True))
    )
    return Capture(folder.resolve().name, images, None, folder, pictures, dict(sorted(skipped.items())))


def natural_key(name: str) -> tuple[tuple[tuple[int, int, str], ...], str]:
    """Sort key in which numbers count as numbers.

    >>> sorted(["b10", "b9", "a100", "B1"], key=natural_key)
    ['a100', 'B1', 'b9', 'b10']
    """
    parts = re.findall(r"[0-9]+|[^0-9]+", name.casefold())
    return tuple((0, int(part), "") if part[0] in "0123456789" else (1, 0, part) for part in parts), name


def unique_ids(names: Sequence[str]) -> list[str]:
    """Names as ids: letters, digits, ".", "_" and "-" only, each once.

    >>> unique_ids(["a b", "a b", "c"])
    ['a_b', 'a_b_2', 'c']
    """
    taken: set[str] = set()
    ids = []
    for name in names:
        base = re.sub(r"[^A-Za-z0-9._-]", "_", name).strip(".")[:80] or "picture"
        chosen, number = base, 2
        while chosen.casefold() in taken:
            chosen, number = f"{base}_{number}", number + 1
        taken.add(chosen.casefold())
        ids.append(chosen)
    return ids


def _header(path: Path) -> _Header | str:
    """Size and focal length without decoding the pixels, or why the picture cannot be used."""
    try:
        with Image.open(path) as image:
            if image.mode not in _COLOR_MODES:
                return "pictures without 8-bit colours (depth images?)"
            width, height = image.size
            exif = image.getexif()
            focal_px = focal_from_exif(dict(exif.get_ifd(_EXIF_IFD)), width, height)
            if exif.get(_ORIENTATION, 1) in (5, 6, 7, 8):
                width, height = height, width
    except _DAMAGED:
        return "damaged pictures"
    return _Header(width, height, focal_px)


def focal_from_exif(tags: dict[int, object], width: int, height: int) -> float | None:
    """Focal length in pixels of a width x height picture from EXIF tags, None where they do not tell.

    Values that no lens has (a horizontal view below 5 or above 150 degrees) count as not told.
    """
    focal = _number(tags, _FOCAL_35MM) / _FILM_DIAGONAL_MM * float(np.hypot(width, height))
    if not _plausible(focal, width, height):
        per_mm = _number(tags, _PLANE_X_RESOLUTION) / _UNIT_MM.get(int(_number(tags, _PLANE_UNIT)), 25.4)
        recorded = _number(tags, _PIXELS_WIDE) or float(width)
        focal = _number(tags, _FOCAL_MM) * per_mm * max(width, height) / max(recorded, 1.0)
    return focal if _plausible(focal, width, height) else None


def _plausible(focal_px: float, width: int, height: int) -> bool:
    longer = max(width, height)
    return bool(np.isfinite(focal_px)) and 0.13 * longer < focal_px < 11.5 * longer


def _number(tags: dict[int, object], tag: int) -> float:
    """The tag as a finite number of at least 0; 0 where it is missing or nonsense."""
    try:
        value = float(tags[tag])  # type: ignore[arg-type]
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return 0.0
    return value if np.isfinite(value) and value > 0 else 0.0


def _read(path: Path, grey_px: int | None) -> np.ndarray:
    with Image.open(path) as image:
        if grey_px is None:
            return np.array(ImageOps.exif_transpose(image).convert("RGB"))
        size = small_size(*image.size, grey_px)
        image.draft("L", (2 * size[0], 2 * size[1]))
        small = image.convert("L").resize(size, Image.Resampling.BOX)
        orientation = image.getexif().get(_ORIENTATION, 1)
    small.getexif()[_ORIENTATION] = orientation
    return np.array(ImageOps.exif_transpose(small))
