"""In which order things come into view."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from spaceland.scenes.scene import Frame, Scene
from spaceland.verify import solvers, text
from spaceland.verify.rows import Row, Wrong, shown, whole
from spaceland.verify.tasks.common import check_slot_choice
from spaceland.verify.tasks.frames_seen import frame_numbers, frames_said, may_be_seen, may_be_unseen


def check_order(row: Row, scene: Scene, frames: Sequence[Frame]) -> None:
    """`appearance_order`: each label is first seen where it is said to be, and the labels are sorted by that."""
    roles = row.rules.roles
    numbers = dict(
        zip(roles, frame_numbers(row.values.get("first_frames"), "facts.values.first_frames", row), strict=False)
    )
    if len(numbers) != len(roles) or len(set(row.labels.values())) != len(roles):
        raise Wrong(f"facts.values.first_frames and the labels should be {len(roles)} each, all labels different")
    glimpse = whole(row.params.get("max_glimpse_frames"), "facts.params.max_glimpse_frames")
    gap = whole(row.params.get("min_appearance_gap"), "facts.params.min_appearance_gap")
    if gap < 1 or glimpse < 0:
        raise Wrong("facts.params.min_appearance_gap must be positive, max_glimpse_frames not negative")
    in_order = sorted(roles, key=lambda role: numbers[role])
    for earlier, later in pairwise(in_order):
        if numbers[later] - numbers[earlier] < gap:
            raise Wrong(f"{earlier} and {later} appear within {gap} frames of each other")
    for role in roles:
        _check_first(row, scene, frames, role, numbers[role], glimpse)
    labels = [row.labels[role] for role in in_order]
    if row.value != labels:
        raise Wrong(f"facts.value is {shown(row.value)}, the order is {shown(labels)}")
    if frames_said(text.hide_mentions(text.stem_of(row), row)):
        raise Wrong("the question names frames")
    if row.format == "select":
        check_slot_choice(row, labels)
        return
    if row.format == "fill":
        if row.answer != ", ".join(labels):
            raise Wrong(f"answer is {shown(row.answer)}, the order is {shown(labels)}")
        return
    sentence = text.hide_mentions(row.answer, row)
    said = [role for char in sentence for role in roles if text.HIDDEN[role] == char]
    if said != in_order:
        raise Wrong(f"the sentence names {shown(said)}, the order is {shown(in_order)}")
    if frames_said(sentence):
        raise Wrong("the sentence names frames")


def _check_first(row: Row, scene: Scene, frames: Sequence[Frame], role: str, number: int, glimpse: int) -> None:
    """Frame `number` shows the role's object, and no earlier one anything of its label, bar the last `glimpse` ones."""
    label, thing = row.labels[role], scene.objects_by_id[row.objects[role]]
    if not may_be_seen(scene, frames[number - 1], thing, row.params):
        raise Wrong(f"Frame-{number} does not show object {thing.id} ({shown(label)}) clearly")
    for object_id in sorted(solvers.object_ids_with_label(scene, label)):
        for earlier, frame in enumerate(frames[: number - 1], 1):
            other = scene.objects_by_id[object_id]
            if earlier < number - glimpse and not may_be_unseen(scene, frame, other, row.params):
                raise Wrong(f"object {object_id} ({shown(label)}) belongs to what is seen in Frame-{earlier} already")
