"""A reader that follows the rules of the loaders that people have for SPAR-7M, written for these tests.

It knows nothing of our code. An index names, for each part, a root for images, a file with one row on each line, and a
repeat factor: below 1 the first share of the lines is kept, above 1 it must be whole. A row says by its `type` which
marker fields its drawing function looks up.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

RGB = {"red": (255, 0, 0), "blue": (0, 0, 255), "green": (0, 255, 0), "yellow": (255, 255, 0)}
P, B = "point", "bbox"
# type -> shape and colours in the order of the image indices; None for nothing to draw.
LOOKED_UP: dict[str, tuple[str, str] | None] = {
    "depth_prediction_oc": (P, "red blue"),
    "depth_prediction_oo": (P, "red blue green"),
    "distance_prediction_oc": (P, "red"),
    "distance_prediction_oo": (P, "red blue"),
    "obj_spatial_relation_oo": (B, "red blue"),
    "spatial_imagination_oc": (B, "red blue green"),
    "spatial_imagination_oo": (B, "red blue green yellow"),
    "depth_prediction_oc_mv": (P, "red blue"),
    "depth_prediction_oo_mv": (P, "red blue green"),
    "distance_prediction_oc_mv": (P, "red"),
    "distance_prediction_oo_mv": (P, "red blue"),
    "position_matching": (B, "red"),
    "view_change_infer": None,
    "spatial_imagination_oc_mv": (B, "green blue red"),
    "spatial_imagination_oo_mv": (B, "green blue red yellow"),
    "distance_prediction_oo_video": (P, "red blue"),
    "spatial_imagination_oc_video": (B, "green blue red"),
    "spatial_imagination_oo_video": (B, "green blue red yellow"),
    "spatial_imagination_oc_video_hard": None,
    "spatial_imagination_oo_video_hard": None,
    "distance_infer_center_oc": None,
    "distance_infer_center_oc_mv": None,
    "obj_frame_locate": (B, "red"),
    "appearance_order": None,
    "nav": None,
    "spatial_volume_infer": (B, "red"),
    "distance_infer_center_oo": (P, "red blue green"),
    "distance_infer_center_oo_mv": (P, "red green blue"),
    "camera_motion_infer": None,
    "obj_count": None,
    "room_size": None,
}
FIRST_IMAGE_ONLY = {"position_matching"}
LISTED = {"spatial_imagination_map_mv": B, "distance_infer_center_oo_video": P}


@dataclass
class Item:
    """What a loader hands to a trainer. `marks` are (colour, shape, image, coordinates 0 to 1000)."""

    images: list[Image.Image]
    question: str
    answer: str
    index: str
    marks: list[tuple[str, str, int, list[int]]]


def load(folder: Path, index: str) -> list[Item]:
    """All items of an index, as a loader started in `folder` reads them."""
    items = []
    for part in json.loads((folder / "data_jsons" / index).read_text()).values():
        lines = (folder / part["annotation"]).read_text().splitlines()
        assert len(lines) == part["length"]
        repeat = part["repeat_time"]
        if repeat < 1:
            lines = lines[: int(len(lines) * repeat)]
        elif repeat > 1:
            assert isinstance(repeat, int)
            lines = lines * repeat
        items += [_item(json.loads(line), folder / part["root"]) for line in lines]
    return items


def _item(row: dict[str, Any], root: Path) -> Item:
    assert isinstance(row["image"], list) and row["image"]
    images = [Image.open(root / path).convert("RGB") for path in row["image"]]
    text = row["conversations"][0]["value"]
    assert "<image>" not in text and "<video>" not in text
    if len(images) > 10 or row["type"] == "nav":
        text = "".join(f"Frame-{k + 1}: <image>\n" for k in range(len(images))) + text
    else:
        text = "<image>\n" * len(images) + text
    marks = _marks(row, len(images))
    for color, shape, image, xy in marks:
        if shape == P and color in RGB:
            width, height = images[image].size
            x, y = int(xy[0] * width / 1000), int(xy[1] * height / 1000)
            images[image].putpixel((min(x, width - 1), min(y, height - 1)), RGB[color])
    return Item(images, text, row["conversations"][1]["value"], row["id"], marks)


def _marks(row: dict[str, Any], num_images: int) -> list[tuple[str, str, int, list[int]]]:
    kind = row["type"]
    if kind in ("obj_spatial_relation_oc_mv", "obj_spatial_relation_oo_mv"):
        colors = [c for c in ("red", "blue", "green") if row.get(f"{c}_bbox") is not None]
        assert len(colors) == (1 if "_oc_" in kind else 2)
        looked_up = (B, " ".join(colors))
    elif kind in LISTED:
        shape = LISTED[kind]
        places = row[f"{shape}_img_idx"][0]
        return [("any", shape, places[k], xy) for k, xy in enumerate(row[f"{shape}_list"][0])]
    else:
        looked_up = LOOKED_UP[kind]
    if looked_up is None:
        return []
    shape, colors = looked_up[0], looked_up[1].split()
    marks = []
    for k, color in enumerate(colors):
        image = 0 if num_images == 1 or kind in FIRST_IMAGE_ONLY else row[f"{shape}_img_idx"][0][k]
        xy = row[f"{color}_{shape}"][0]
        assert np.array(xy).shape == ((2,) if shape == P else (4,))
        marks.append((color, shape, image, xy))
    return marks
