"""Marks, boxes and evidence pixels against the picture.

A mark must be the one that the question names (by colour, on the right object) and must lie where the object is seen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from spaceland.scenes.scene import Frame, Scene
from spaceland.verify import text
from spaceland.verify.evidence import Evidence
from spaceland.verify.rows import Row, Wrong, reals, shown, whole
from spaceland.verify.rules import COUNTS
from spaceland.verify.tasks.correspondence import check_spots
from spaceland.verify.tasks.detection import check_detected
from spaceland.verify.tasks.free_space import check_places
from spaceland.verify.tasks.nearest import check_rivals, found_place

NO_DEPTH = "no depth to test whether a marked place is hidden"
NO_INNER = "no depth or too few points to test the least extent of a box"


def check_marks(row: Row, scene: Scene, evidence: Evidence, skipped: Counter[str]) -> None:
    """Raise `Wrong` for a mark, answer box or evidence pixel that the picture does not bear out.

    What cannot be tested is counted in `skipped`.
    """
    frames = [scene.frames_by_id[frame_id] for frame_id in row.frames]
    _check_names(row)
    for mark in row.marks:
        frame, thing = frames[mark.image_index], scene.objects_by_id[mark.object_id]
        if mark.shape == "point":
            _check_point(frame, mark.object_id, mark.xy, scene, evidence, skipped, f"{mark.color} point")
        else:
            _check_box(frame, thing.id, mark.xy, scene, evidence, skipped, f"{mark.color} box")
    if row.task == "position_matching":
        box = reals(row.value, "facts.value", 4)
        _check_box(frames[1], row.objects["red"], box, scene, evidence, skipped, "answer box")
    if row.rules.kind == "found":
        image, box = found_place(row)
        _check_box(frames[image], row.objects["found"], box, scene, evidence, skipped, "answer box")
        check_rivals(row, scene, frames, evidence)
    if row.task in COUNTS or row.rules.kind in ("grounding", "box3d", "boxes3d"):
        _check_seen_at(row, scene, evidence, skipped)
    if row.rules.kind == "boxes3d":
        check_detected(row, scene, evidence)
    if row.task == "free_space_point" and not check_places(row, scene, frames, evidence):
        skipped[NO_DEPTH] += 1
    if row.task == "point_correspondence" and not check_spots(row, scene, frames, evidence):
        skipped[NO_DEPTH] += 1


def check_mark_roles(row: Row) -> None:
    """Raise `Wrong` unless there is one mark for each role of the task, of its shape, on the role's object."""
    rules = row.rules
    colors = [mark.color for mark in row.marks]
    expected = rules.roles if rules.mark_shape else ()
    if sorted(colors) != sorted(expected):
        raise Wrong(f"marks have the colours {shown(colors)}, expected {', '.join(expected) or 'no marks'}")
    for mark in row.marks:
        if mark.shape != rules.mark_shape:
            raise Wrong(f"{mark.color} mark is a {mark.shape}, expected a {rules.mark_shape}")
        if rules.views in ("single", "pair") and mark.image_index != 0:
            raise Wrong(f"{mark.color} mark is on image {mark.image_index}, expected the first one")
        if not 0 <= mark.image_index < len(row.frames):
            raise Wrong(f"{mark.color} mark is on image {mark.image_index} of {len(row.frames)}")
        if mark.object_id != row.objects[mark.color]:
            raise Wrong(f"{mark.color} mark is on object {mark.object_id}, the fact is about {row.objects[mark.color]}")


def _check_names(row: Row) -> None:
    """Every mark (without marks every label) is named in the question, and no other colour is."""
    unmarked = [] if row.rules.unnamed else [role for role in row.rules.roles if role in row.objects]
    colors = [mark.color for mark in row.marks] or unmarked
    named = text.colors_hidden(text.hide_mentions(text.stem_of(row), row))
    if sorted(named) != sorted(colors):
        raise Wrong(f"the question names {shown(named)} with their labels, the marks are {shown(colors)}")


def _check_point(
    frame: Frame,
    object_id: int,
    xy: tuple[int, ...],
    scene: Scene,
    evidence: Evidence,
    skipped: Counter[str],
    name: str,
) -> None:
    thing = scene.objects_by_id[object_id]
    shows = evidence.shows(frame, thing, xy)
    if shows is None:
        skipped[NO_DEPTH] += 1
    elif not shows:
        raise Wrong(f"{name} at {list(xy)} of frame {frame.id} does not show object {object_id} ({shown(thing.label)})")


def _check_box(
    frame: Frame,
    object_id: int,
    box: Sequence[float],
    scene: Scene,
    evidence: Evidence,
    skipped: Counter[str],
    name: str,
) -> None:
    bounds = evidence.bounds(frame, scene.objects_by_id[object_id])
    if bounds is None:
        raise Wrong(f"{name}: frame {frame.id} does not see object {object_id}")
    outer = bounds.outer
    if box[0] < outer[0] or box[1] < outer[1] or box[2] > outer[2] or box[3] > outer[3]:
        raise Wrong(f"{name} {_ints(box)} reaches beyond what is seen of object {object_id}, {_ints(outer)}")
    inner = bounds.inner
    if inner is None:
        skipped[NO_INNER] += 1
    elif box[0] > inner[0] or box[1] > inner[1] or box[2] < inner[2] or box[3] < inner[3]:
        raise Wrong(f"{name} {_ints(box)} leaves out what is seen of object {object_id}, {_ints(inner)}")


def _ints(box: Iterable[float]) -> list[int]:
    return [round(float(v)) for v in box]


def _check_seen_at(row: Row, scene: Scene, evidence: Evidence, skipped: Counter[str]) -> None:
    """Every object has a pixel in one of the frames."""
    seen_at = row.values.get("seen_at")
    if not isinstance(seen_at, dict) or sorted(seen_at) != sorted(str(k) for k in row.objects.values()):
        raise Wrong("facts.values.seen_at does not name exactly the objects of the row")
    for key, place in seen_at.items():
        if not isinstance(place, list) or len(place) != 3 or place[0] not in row.frames:
            raise Wrong(f"facts.values.seen_at of object {key} is {shown(place)}, expected frame, x and y")
        xy = whole(place[1], "seen_at x"), whole(place[2], "seen_at y")
        if not (0 <= xy[0] <= 1000 and 0 <= xy[1] <= 1000):
            raise Wrong(f"seen_at of object {key} is {list(xy)}, outside 0..1000")
        _check_point(scene.frames_by_id[place[0]], int(key), xy, scene, evidence, skipped, "evidence pixel")
