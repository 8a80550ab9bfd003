"""The closest and the farthest object."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from spaceland.geometry.box_relations import Boxes, box_distance
from spaceland.scenes.scene import Frame, Scene
from spaceland.verify import solvers, text
from spaceland.verify.evidence import Evidence
from spaceland.verify.rows import LETTERS, Row, Wrong, reals, shown, whole
from spaceland.verify.tasks.common import center, check_choice, stored_close

_NEAR = re.compile(r"\b(closest|closer|nearest|nearer)\b", re.IGNORECASE)
_FAR = re.compile(r"\b(farthest|farther|furthest|further)\b", re.IGNORECASE)
_ORDINALS = ("first", "second", "third")
_BUILDING = {
    "wall", "floor", "ceiling", "ceil", "door", "doorframe", "door frame", "window", "room", "otherstructure",
    "rug", "carpet", "mat",
}  # fmt: skip
_SAME_BOX_IOU = 0.5


def check_nearest_oo(row: Row, scene: Scene, frames: Sequence[Frame]) -> None:
    """`distance_infer_center_oo`, `_mv`, `_video`: which of the other colours is closest to (farthest from) red."""
    asks = _asks(row)
    candidates = [color for color in row.objects if color != "red"]
    distances = [_between_m(row, scene, "red", color) for color in candidates]
    stored = reals(row.values.get("distances_m"), "facts.values.distances_m", len(candidates))
    for color, kept, derived in zip(candidates, stored, distances, strict=True):
        stored_close(f"facts.values.distances_m of {color}", kept, derived)
    order = np.argsort(distances) if asks == "closest" else np.argsort(distances)[::-1]
    best = candidates[int(order[0])]
    _check_margin(row, distances[int(order[0])], distances[int(order[1])], asks, candidates[int(order[1])])
    if row.value != best:
        raise Wrong(f"facts.value is {shown(row.value)}, {asks} is {best}")
    gaps = {color: _gap_m(row, scene, "red", color) for color in candidates}
    first = min(gaps.values()) if asks == "closest" else max(gaps.values())
    if abs(gaps[best] - first) > solvers.EPSILON:
        raise Wrong(f"centres and gaps disagree: {best} leaves a gap of {gaps[best]:.3f} m, another one {first:.3f} m")
    stem = text.hide_mentions(text.stem_of(row), row)
    _check_direction(stem, asks, "the question")
    if not _refers_to_red(stem):
        raise Wrong("the question does not compare distances to the red object")
    names = {color: _name(row, color) for color in candidates}
    if row.format == "fill":
        if row.answer != names[best]:
            raise Wrong(f"answer is {shown(row.answer)}, derived {shown(names[best])}")
    elif row.format == "select":
        _, options = text.split_options(row)
        if sorted(options) != sorted(names.values()):
            raise Wrong(f"options {shown(list(options))} are not the candidates {shown(sorted(names.values()))}")
        check_choice(row, options, [k for k, option in enumerate(options) if option == names[best]], names[best])
    else:
        sentence = text.hide_mentions(row.answer, row)
        if sorted(text.colors_hidden(sentence)) != sorted(["red", best]):
            raise Wrong(f"the sentence should be about red and {best}: {shown(row.answer)}")
        _check_direction(sentence, asks, "the sentence")
        if not _refers_to_red(sentence):
            raise Wrong("the sentence does not compare distances to the red object")


def check_nearest_oc(row: Row, scene: Scene, frames: Sequence[Frame]) -> None:
    """`distance_infer_center_oc`, `_mv`: the winner against the next one; `check_rivals` looks at everything seen."""
    asks = _asks(row)
    winner_m, next_m = (_from_observer_m(row, scene, frames[0], row.objects[role]) for role in ("found", "runner_up"))
    stored_close("facts.values.distance_m", row.values.get("distance_m"), winner_m)
    stored_close("facts.values.runner_up_m", row.values.get("runner_up_m"), next_m)
    _check_margin(row, winner_m, next_m, asks, f"object {row.objects['runner_up']}")
    image, box = found_place(row)
    _check_direction(text.stem_of(row), asks, "the question")
    many = len(row.frames) > 1
    place = f"the {_ORDINALS[image]} image" if many else row.labels["found"]
    written = "[" + ", ".join(map(str, box)) + "]"
    if row.format == "fill":
        if row.answer != f"{place}, {written}":
            raise Wrong(f"answer is {shown(row.answer)}, expected {shown(f'{place}, {written}')}")
    elif row.format == "select":
        _, options = text.split_options(row)
        parts = [option.rpartition(", [") for option in options]
        boxes = [text.read_box("[" + part[2]) for part in parts]
        names = [part[0] for part in parts]
        if many and not set(names) <= {f"the {_ORDINALS[k]} image" for k in range(len(row.frames))}:
            raise Wrong(f"options {shown(names)} name images that are not there")
        if options[_letter(row)] != f"{place}, {written}":
            raise Wrong(f"the chosen option is {shown(options[_letter(row)])}, expected {shown(f'{place}, {written}')}")
        # In one image a name alone decides; among several, boxes of the same image do.
        right = [
            k for k in range(len(options))
            if names[k] == place and (not many or _iou(boxes[k], box) >= _SAME_BOX_IOU)
        ]  # fmt: skip
        check_choice(row, options, right, f"{place}, {written}")
    else:
        label = rf"\bthe {re.escape(row.labels['found'])}(?!\w)"
        sentence, count = re.subn(label, "it", row.answer, count=1, flags=re.IGNORECASE)
        if count != 1 or text.boxes_in(sentence) != [written]:
            raise Wrong(f"the sentence should name {shown(row.labels['found'])} and the box {written}")
        _check_direction(sentence, asks, "the sentence")
        if many and text.words_in(sentence, _ORDINALS) != [_ORDINALS[image]]:
            raise Wrong(f"the sentence should name {place} and no other: {shown(row.answer)}")


def found_place(row: Row) -> tuple[int, tuple[int, ...]]:
    """Image (from 0) and box of an answer that the reader finds.

    Raises:
        Wrong: `facts.value` is no image of the row with a box.
    """
    if not isinstance(row.value, list) or len(row.value) != 5:
        raise Wrong(f"facts.value is {shown(row.value)}, not an image and a box")
    image, *box = (whole(v, "facts.value") for v in row.value)
    if not 0 <= image < len(row.frames):
        raise Wrong(f"facts.value names image {image} of {len(row.frames)}")
    text.read_box("[" + ", ".join(map(str, box)) + "]")
    return image, tuple(box)


def check_rivals(row: Row, scene: Scene, frames: Sequence[Frame], evidence: Evidence) -> None:
    """Nothing that is plainly seen is closer (farther) than the answer or nearly so, or could be meant by its name."""
    asks, found = _asks(row), row.objects["found"]
    label, (image, _) = row.labels["found"], found_place(row)
    winner_m = _from_observer_m(row, scene, frames[0], found)
    for k, frame in enumerate(frames):
        if k != image and evidence.plainly_shows(frame, scene.objects_by_id[found]):
            raise Wrong(f"by what is seen, the answer is in image {k + 1} as well")
    for thing in scene.objects:
        if thing.id == found or thing.label in _BUILDING:
            continue
        try:
            _check_margin(row, winner_m, _from_observer_m(row, scene, frames[0], thing.id), asks, f"object {thing.id}")
            if len(frames) > 1 or thing.label != label:
                continue
            reason = f"the label {shown(label)} is that of object {thing.id}, too"
        except Wrong as wrong:
            reason = str(wrong)
        if any(evidence.plainly_shows(frame, thing) for frame in frames):
            raise Wrong(f"by what is seen, {reason}")
    if len(frames) > 1 and row.format == "select":
        _check_options_differ(row, scene, frames, evidence)


def _check_options_differ(row: Row, scene: Scene, frames: Sequence[Frame], evidence: Evidence) -> None:
    """No two options are the same object in two images."""
    places = []
    for option in text.split_options(row)[1]:
        name, _, box = option.rpartition(", [")
        image = next(k for k in range(len(frames)) if name == f"the {_ORDINALS[k]} image")
        places.append((image, np.array(text.read_box("[" + box), dtype=np.float64)))
    for thing in scene.objects:
        fits = set()
        for image, box in places:
            bounds = evidence.bounds(frames[image], thing)
            if bounds is None or bounds.inner is None or not evidence.plainly_shows(frames[image], thing):
                continue
            within = (box[:2] >= bounds.outer[:2]).all() and (box[2:] <= bounds.outer[2:]).all()
            if within and (box[:2] <= bounds.inner[:2]).all() and (box[2:] >= bounds.inner[2:]).all():
                fits.add(image)
        if len(fits) > 1:
            raise Wrong(f"by what is seen, options in two images are the same object {thing.id}")


def _asks(row: Row) -> str:
    asks = row.values.get("asks")
    if asks not in ("closest", "farthest"):
        raise Wrong(f"facts.values.asks is {shown(asks)}, expected closest or farthest")
    return asks


def _measure(row: Row) -> str:
    measure = row.params.get("measure")
    if measure not in ("center", "surface"):
        raise Wrong(f"facts.params.measure is {shown(measure)}, expected center or surface")
    return measure


def _between_m(row: Row, scene: Scene, a: str, b: str) -> float:
    if _measure(row) == "center":
        return solvers.distance_m(center(scene, row, a), center(scene, row, b))
    return _gap_m(row, scene, a, b)


def _gap_m(row: Row, scene: Scene, a: str, b: str) -> float:
    """Between the nearest points of two boxes."""
    one, other = (Boxes.stack([scene.objects_by_id[row.objects[role]].box]) for role in (a, b))
    return float(box_distance(one, other)[0])


def _from_observer_m(row: Row, scene: Scene, observer: Frame, object_id: int) -> float:
    eye = np.asarray(observer.T_world_cam, dtype=np.float64)[:3, 3]
    box = scene.objects_by_id[object_id].box
    if _measure(row) == "center":
        return solvers.distance_m(eye, np.asarray(box.center, dtype=np.float64))
    local = box.to_box_frame(eye)
    return solvers.distance_m(local, np.clip(local, -box.size / 2, box.size / 2))


def _check_margin(row: Row, winner_m: float, rival_m: float, asks: str, rival: str) -> None:
    margin_m, ratio = reals(row.params.get("tie"), "facts.params.tie", 2)
    if margin_m <= 0 or ratio < 1:
        raise Wrong(f"facts.params.tie is {margin_m:g} m and {ratio:g}; expected more than 0 and at least 1")
    less, more = (winner_m, rival_m) if asks == "closest" else (rival_m, winner_m)
    if more - less < margin_m - solvers.EPSILON or more < less * ratio - solvers.EPSILON:
        raise Wrong(f"{rival} at {rival_m:.3f} m is too near to a tie with the {asks} at {winner_m:.3f} m")


def _check_direction(said: str, asks: str, where: str) -> None:
    near, far = bool(_NEAR.search(said)), bool(_FAR.search(said))
    if near == far or near != (asks == "closest"):
        raise Wrong(f"{where} does not say {asks}, or says more than that")


def _refers_to_red(said: str) -> bool:
    """Whether the words of direction are followed by the red object, and only by it."""
    hidden = "".join(text.HIDDEN.values())
    found = re.findall(rf"\b(?:close(?:r|st) to|farth(?:er|est) from) ([{hidden}])", said, re.IGNORECASE)
    return found == [text.HIDDEN["red"]]


def _name(row: Row, color: str) -> str:
    """How the question calls a marked object."""
    mark = next(mark for mark in row.marks if mark.color == color)
    if len(row.frames) == 1:
        place = ""
    elif row.rules.views == "video":
        place = f" in Frame-{mark.image_index + 1}"
    else:
        place = f" in the {_ORDINALS[mark.image_index]} image"
    return f"{row.labels[color]} ({color} point{place})"


def _letter(row: Row) -> int:
    return LETTERS.index(row.answer)


def _iou(a: Sequence[float], b: Sequence[float]) -> float:
    """Area in common over area in all."""
    common = max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    return common / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common)
