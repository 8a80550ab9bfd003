"""How SPAR-7M writes marks: which fields a task has, and in which order `*_img_idx` counts its colours.

Worked example. `depth_prediction_oo_mv` marks red, blue and green points in three images:

    red_point [[395, 89]]   blue_point [[494, 620]]   green_point [[878, 737]]   point_img_idx [[0, 2, 1]]

Everything is wrapped in one more list. Loaders draw by `type` alone, so each task's fields must be exactly those that
its drawing function looks up. Orders differ: `distance_infer_center_oo_mv` counts red, green, blue, and the imagined
observer green, blue, red, yellow. Some loaders write names beside the marks (object0, objectA, ...) and draw some
colours wrongly, so texts call marks by those names there (`named_marks`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from spaceland.questions.facts import image_phrase
from spaceland.questions.marks import COLORS, LINE_SIZE, POINT_SIZE, Mark

Shape = Literal["point", "bbox"]
NO_ID = -1
"""Object id of a mark whose object nobody named."""


@dataclass(frozen=True)
class Markers:
    """The marks of a task. `colors` is the order of the image indices.

    `indexed`: whether `point_img_idx` or `bbox_img_idx` says which image has a mark; otherwise it is the first one.
    `listed`: one `point_list` or `bbox_list` in place of a field for each colour.
    `count`: how many of the colours are there; all of them by default.
    `names`: what loaders write beside the marks, "{}" being a running number.
    """

    shape: Shape
    colors: tuple[str, ...]
    indexed: bool = False
    listed: bool = False
    count: int | None = None
    names: tuple[str, ...] = ()


_RB, _RBG, _GBR = ("red", "blue"), ("red", "blue", "green"), ("green", "blue", "red")
_GBRY, _ALL = (*_GBR, "yellow"), tuple(COLORS)
MARKERS: dict[str, Markers | None] = {
    "depth_prediction_oc": Markers("point", _RB),
    "depth_prediction_oo": Markers("point", _RBG),
    "distance_prediction_oc": Markers("point", ("red",)),
    "distance_prediction_oo": Markers("point", _RB),
    "spatial_volume_infer": Markers("bbox", ("red",)),
    "distance_infer_center_oc": None,
    "distance_infer_center_oo": Markers("point", _RBG),
    "obj_spatial_relation_oo": Markers("bbox", _RB),
    "spatial_imagination_oc": Markers("bbox", _GBR),
    "spatial_imagination_oo": Markers("bbox", _GBRY),
    "depth_prediction_oc_mv": Markers("point", _RB, indexed=True),
    "depth_prediction_oo_mv": Markers("point", _RBG, indexed=True),
    "distance_prediction_oc_mv": Markers("point", ("red",), indexed=True),
    "distance_prediction_oo_mv": Markers("point", _RB, indexed=True),
    "position_matching": Markers("bbox", ("red",)),
    "view_change_infer": None,
    "camera_motion_infer": None,
    "distance_infer_center_oc_mv": None,
    "distance_infer_center_oo_mv": Markers("point", ("red", "green", "blue"), indexed=True),
    "obj_spatial_relation_oc_mv": Markers("bbox", _RBG, indexed=True, count=1),
    "obj_spatial_relation_oo_mv": Markers("bbox", _RBG, indexed=True, count=2),
    "spatial_imagination_oc_mv": Markers("bbox", _GBR, indexed=True),
    "spatial_imagination_oo_mv": Markers("bbox", _GBRY, indexed=True),
    "spatial_imagination_map_mv": Markers("bbox", _ALL, indexed=True, listed=True, names=("Object{}",)),
    "distance_prediction_oo_video": Markers("point", _RB, indexed=True),
    "distance_infer_center_oo_video": Markers("point", _ALL, indexed=True, listed=True, names=("ObjectA", "Object{}")),
    "spatial_imagination_oc_video": Markers("bbox", _GBR, indexed=True, names=("Object{}",)),
    "spatial_imagination_oo_video": Markers("bbox", _GBRY, indexed=True, names=("Object{}",)),
    "spatial_imagination_oc_video_hard": None,
    "spatial_imagination_oo_video_hard": None,
    "obj_frame_locate": Markers("bbox", ("red",), indexed=True),
    "appearance_order": None,
    "obj_count": None,
    "room_size": None,
    "nav_video": None,
}
"""All task folders of SPAR-7M; None for no marks."""
NAV_TYPE = "nav"
"""What rows in the folder nav_video have as `type`."""


def task_type(task: str) -> str:
    """`type` of a row in the folder of a task."""
    return NAV_TYPE if task == "nav_video" else task


def to_fields(task: str, marks: Sequence[Mark], num_images: int) -> dict[str, Any]:
    """Marker fields of a row. Tasks that SPAR-7M lacks get one field for each colour, and the indices of all.

    Raises:
        ValueError: the marks are not those that loaders expect of the task.
    """
    if task not in MARKERS:
        return _any_fields(marks, num_images)
    rule = MARKERS[task]
    if rule is None:
        if marks:
            raise ValueError("marks on a task without marks")
        return {}
    chosen = ordered_marks(rule, marks)
    fields: dict[str, Any] = {}
    if rule.listed:
        fields[f"{rule.shape}_list"] = [[list(mark.xy) for mark in chosen]]
    else:
        # Colours in the order red, blue, green, yellow, as in the released rows.
        for mark in sorted(chosen, key=lambda mark: _ALL.index(mark.color)):
            fields[f"{mark.color}_{rule.shape}"] = [list(mark.xy)]
    if rule.indexed:
        fields[f"{rule.shape}_img_idx"] = [[mark.image_index for mark in chosen]]
    elif any(mark.image_index for mark in chosen):
        raise ValueError("marks on another image than the first")
    return fields


def ordered_marks(rule: Markers, marks: Sequence[Mark]) -> list[Mark]:
    """Marks in the order of a task's indices."""
    if any(mark.shape != rule.shape for mark in marks):
        raise ValueError("marks of another shape")
    if rule.listed:
        # The first one is the object that the others are compared with, which is red.
        return sorted(marks, key=lambda mark: mark.color != "red") if marks else _fail("no marks")
    chosen = sorted(marks, key=lambda mark: rule.colors.index(mark.color) if mark.color in rule.colors else -1)
    colors = [mark.color for mark in chosen]
    wanted = len(rule.colors) if rule.count is None else rule.count
    if len(set(colors)) != wanted or len(colors) != wanted or not set(colors) <= set(rule.colors):
        _fail("marks of other colours")
    return chosen


def _fail(reason: str) -> list[Mark]:
    raise ValueError(reason)


def _any_fields(marks: Sequence[Mark], num_images: int) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for shape in ("point", "bbox"):
        chosen = sorted((m for m in marks if m.shape == shape), key=lambda mark: _ALL.index(mark.color))
        for mark in chosen:
            fields.setdefault(f"{mark.color}_{shape}", []).append(list(mark.xy))
        if chosen and num_images > 1:
            fields[f"{shape}_img_idx"] = [[mark.image_index for mark in chosen]]
    return fields


def from_fields(task: str, row: Mapping[str, Any], num_images: int) -> list[Mark]:
    """Marks of a released row. Missing outer lists are forgiven; objects are unknown.

    Raises:
        ValueError: a field does not hold what it should.
    """
    rule = MARKERS.get(task)
    marks: list[Mark] = []
    for shape in ("point", "bbox"):
        order = rule.colors if rule is not None and rule.shape == shape else _ALL
        found: list[tuple[str, Any]] = []
        listed = row.get(f"{shape}_list")
        if listed:
            found = [(_ALL[k % len(_ALL)], xy) for k, xy in enumerate(_unwrap(listed, depth=2))]
        else:
            for color in (*order, *(c for c in _ALL if c not in order)):
                value = row.get(f"{color}_{shape}")
                found += [(color, xy) for xy in _unwrap(value, depth=2)] if value else []
        images = _unwrap(row.get(f"{shape}_img_idx") or [[0] * len(found)], depth=1)
        if len(images) < len(found):
            raise ValueError(f"{len(found)} marks, but {shape}_img_idx names {len(images)} images")
        for (color, xy), image in zip(found, images, strict=False):
            marks.append(_mark(shape, color, xy, image, num_images))
    return marks


def _mark(shape: str, color: str, xy: Any, image: Any, num_images: int) -> Mark:
    size = 2 if shape == "point" else 4
    if not isinstance(xy, list) or len(xy) != size or not all(isinstance(v, int | float) for v in xy):
        raise ValueError(f"{color}_{shape} is {str(xy)[:60]}, expected {size} numbers")
    if not all(0 <= v <= 1000 for v in xy):
        raise ValueError(f"{color}_{shape} is {str(xy)[:60]}, which is outside 0 to 1000")
    if not isinstance(image, int) or not 0 <= image < num_images:
        raise ValueError(f"{shape}_img_idx names image {str(image)[:20]} of {num_images}")
    width = POINT_SIZE if shape == "point" else LINE_SIZE
    return Mark(color, shape, NO_ID, image, tuple(round(v) for v in xy), width)  # type: ignore[arg-type]


def _unwrap(value: Any, depth: int) -> list[Any]:
    """A list of numbers (depth 1) or of lists of numbers (depth 2), however often it is wrapped."""
    if not isinstance(value, list):
        raise ValueError(f"{str(value)[:60]} is no list")

    def nesting(v: Any) -> int:
        return 1 + nesting(v[0]) if isinstance(v, list) and v else (1 if isinstance(v, list) else 0)

    while nesting(value) > depth:
        value = value[0]
    while nesting(value) < depth:
        value = [value]
    return value


def named_marks(task: str, marks: Sequence[Mark]) -> list[tuple[Mark, str]]:
    """Marks of a task beside which loaders write a name, with that name."""
    rule = MARKERS.get(task)
    if rule is None or not rule.names:
        return []
    result = []
    for k, mark in enumerate(ordered_marks(rule, marks)):
        fixed = len(rule.names) - 1
        result.append((mark, rule.names[k] if k < fixed else rule.names[fixed].format(k - fixed)))
    return result


def rename_marks(text: str, task: str, marks: Sequence[Mark], num_images: int) -> str:
    """A text that calls marks by the names that loaders write beside them.

    "lamp (yellow bounding box in Frame-25)" becomes "lamp (Object3 in Frame-25)": some loaders draw that box in cyan.
    """
    for mark, name in named_marks(task, marks):
        place = image_phrase(mark.image_index, num_images)
        text = text.replace(f"({mark.name}{place})", f"({name}{place})")
    return text
