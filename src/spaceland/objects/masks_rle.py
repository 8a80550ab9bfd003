"""Masks as run lengths, the way COCO writes them.

A mask is read column by column from the top left; the runs of 0 and 1 in that order, starting with 0, are its counts:

    0 1 1
    0 0 1      columns: 00 10 11  ->  0 0 1 0 1 1  ->  counts 2 1 1 2

Compressed, counts are a text. From the fourth on, each is stored as the difference to the one two before it (in the
example: 2 1 1 1). Each number is cut into groups of 5 bits, lowest first; a group is one character with the code 48 +
bits + (32 if more follow), and the highest bit of the last group is the sign.

Decoding checks everything first: a file must not be able to ask for more memory than its image size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from spaceland.errors import SceneError
from spaceland.scenes.images import check_size

_MAX_GROUPS = 7
_MAX_PIXELS = 1 << 27


def decode_rle(segmentation: Any, where: str = "mask") -> Bool[np.ndarray, "h w"]:
    """The mask of {"size": [height, width], "counts": text or list of whole numbers}.

    Raises:
        SceneError: anything else, counts that are negative or do not add up to the size, or an absurd size.
    """
    if not isinstance(segmentation, dict) or not {"size", "counts"} <= set(segmentation):
        raise SceneError(
            f'{where}: expected run lengths {{"size": [height, width], "counts": ...}}, found '
            f"{type(segmentation).__name__}; outlines (polygons) must be turned into run lengths first"
        )
    size = segmentation["size"]
    if not (isinstance(size, list | tuple) and len(size) == 2 and all(type(side) is int for side in size)):
        raise SceneError(f"{where}: size {str(size)[:40]} is not [height, width] in pixels")
    height, width = size
    check_size(width, height, where)
    if height * width > _MAX_PIXELS:
        raise SceneError(f"{where}: a mask of {width}x{height} pixels is too large; make masks as large as the picture")
    counts = segmentation["counts"]
    if isinstance(counts, str | bytes):
        runs = np.array(_numbers(counts, height * width, where), dtype=np.int64)
    elif isinstance(counts, list) and all(type(count) is int for count in counts):
        if any(not 0 <= count <= height * width for count in counts):
            raise SceneError(f"{where}: a count is negative or larger than the mask; write the masks again")
        runs = np.array(counts, dtype=np.int64)
    else:
        raise SceneError(f"{where}: counts must be a text or a list of whole numbers")
    if int(runs.sum()) != height * width:
        raise SceneError(
            f"{where}: counts add up to {int(runs.sum())} pixels, but {width}x{height} are {width * height}; "
            "the file may be truncated"
        )
    values = np.arange(len(runs)) % 2 == 1
    return np.repeat(values, runs).reshape(width, height).T


def encode_rle(mask: Bool[np.ndarray, "h w"], *, compressed: bool = True) -> dict[str, Any]:
    """Run lengths of a mask, as `decode_rle` takes them."""
    flat = np.asarray(mask, dtype=bool).T.ravel()
    borders = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff(np.concatenate([[0], borders, [len(flat)]]))
    if len(flat) and flat[0]:
        runs = np.concatenate([[0], runs])
    counts = runs.tolist()
    return {"size": [int(side) for side in mask.shape], "counts": _text(counts) if compressed else counts}


def _numbers(text: str | bytes, most: int, where: str) -> list[int]:
    """Counts from their text; every one is checked, so that none can be larger than the mask."""
    codes = text.encode("utf-8") if isinstance(text, str) else text
    counts: list[int] = []
    value = groups = 0
    for code in codes:
        bits = code - 48
        if not 0 <= bits < 64 or groups == _MAX_GROUPS:
            raise SceneError(f"{where}: counts hold what is no run length; were they escaped or cut on the way?")
        value |= (bits & 31) << (5 * groups)
        groups += 1
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << (5 * groups)
        if len(counts) > 2:
            value += counts[-2]
        if not 0 <= value <= most:
            raise SceneError(f"{where}: a count is negative or larger than the mask; write the masks again")
        counts.append(value)
        value = groups = 0
    if groups:
        raise SceneError(f"{where}: counts end in the middle of a number; the file may be truncated")
    return counts


def _text(counts: Sequence[int] | Int[np.ndarray, "k"]) -> str:
    codes: list[int] = []
    for place, count in enumerate(counts):
        value = int(count) - (int(counts[place - 2]) if place > 2 else 0)
        while True:
            bits = value & 31
            value >>= 5
            # Done when the rest is nothing but the sign, and the sign stands in the highest bit.
            done = value == (-1 if bits & 16 else 0)
            codes.append(48 + bits + (0 if done else 32))
            if done:
                break
    return bytes(codes).decode("ascii")
