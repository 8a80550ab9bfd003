"""Detection in images and windows: boxes worked out with a pencil, their order, which frames, and what is left out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from random import Random

import numpy as np
import pytest

from handmade import box_scene
from spaceland.geometry.transforms import look_at
from spaceland.questions.answers import BoxListAnswer
from spaceland.questions.detection import window_from
from spaceland.questions.facts import Fact, TaskContext
from spaceland.questions.policy import AmbiguityPolicy
from spaceland.questions.scene_views import SceneViews
from spaceland.questions.tasks import TASKS
from spaceland.scenes.scene import Scene
from spaceland.visibility import scene_visibility

EYE = np.array([3.0, 1.0, 1.5])
LEVEL = look_at(EYE, np.array([3.0, 5.0, 1.5]))
LEFT = look_at(EYE, np.array([0.0, 1.0, 1.5]))
BACK = look_at(EYE, np.array([3.0, -3.0, 1.5]))
POLICY = AmbiguityPolicy(window_frames=3, window_stride=1)
THINGS = [
    ("chair", (2.0, 3.6, 1.0), (0.4, 0.4, 0.5)),  # 1.0 m left, 0.5 m below, 2.6 m deep
    ("lamp", (3.8, 4.9, 1.9), (0.4, 0.4, 0.5)),  # 0.8 m right, 0.4 m above, 3.9 m deep
    ("box", (3.0, 6.0, 1.0), (0.9, 0.5, 0.5)),  # straight ahead, 0.5 m below, 5.0 m deep
]
SOFA = ("sofa", (0.8, 0.7, 1.2), (0.5, 0.6, 0.5))  # 2.2 m left, 0.3 m below, 0.3 m behind the first camera


def facts(scene: Scene, task: str, policy: AmbiguityPolicy = POLICY) -> tuple[list[Fact], TaskContext]:
    context = TaskContext(SceneViews(scene, scene_visibility(scene), policy))
    return list(TASKS[task].propose(context, Random(0))), context


def timed(scene: Scene, times: Sequence[float | None]) -> Scene:
    frames = [replace(frame, timestamp_s=t) for frame, t in zip(scene.frames, times, strict=True)]
    return replace(scene, frames=tuple(frames))


@pytest.fixture(scope="module")
def scene() -> Scene:
    return box_scene(THINGS, [LEVEL], with_ids=True)


@pytest.fixture(scope="module")
def turning() -> Scene:
    """The camera looks ahead for two frames, then to the left for four."""
    return timed(box_scene([*THINGS, SOFA], [LEVEL] * 2 + [LEFT] * 4, with_ids=True), [None] * 6)


def test_detection_lists_the_nearest_first(scene: Scene) -> None:
    answer = facts(scene, "detection")[0][0].answer.text
    assert answer == (
        "```json\n[\n"
        '\t{"label": "chair", "bbox_3d": [-1.0, 0.5, 2.6, 0.4, 0.4, 0.5, 0.0, 1.57, 0.0]},\n'
        '\t{"label": "lamp", "bbox_3d": [0.8, -0.4, 3.9, 0.4, 0.4, 0.5, 0.0, 1.57, 0.0]},\n'
        '\t{"label": "box", "bbox_3d": [0.0, 0.5, 5.0, 0.9, 0.5, 0.5, 0.0, 1.57, 0.0]}\n'
        "]\n```"
    )
    assert len(json.loads(answer.removeprefix("```json").removesuffix("```"))) == 3


def test_near_and_far_go_by_the_straight_distance() -> None:
    # The stool is 1.6 m to the left and less deep than the vase, but farther away: 3.94 m, not 3.8 m.
    things = [("stool", (1.4, 4.6, 1.5), (0.4, 0.4, 0.5)), ("vase", (3.0, 4.8, 1.5), (0.4, 0.4, 0.5))]
    for task, poses in (("detection", [LEVEL]), ("detection_window", [LEVEL] * 3)):
        (fact,) = facts(timed(box_scene(things, poses, with_ids=True), [None] * len(poses)), task)[0]
        assert isinstance(fact.answer, BoxListAnswer)
        assert fact.answer.labels == ("vase", "stool")
        assert fact.answer.boxes[0][2] > fact.answer.boxes[1][2]
        assert all("straight distance from" in note and "camera" in note for note in TASKS[task].wording.notes)


def test_labels_with_an_unclear_instance_are_not_detected() -> None:
    # Most of the second chair is hidden by the box, whose label and that of the lamp stay.
    hidden = [*THINGS, ("chair", (3.45, 6.8, 1.05), (0.5, 0.5, 0.7))]
    found, context = facts(box_scene(hidden, [LEVEL], with_ids=True), "detection")
    assert [sorted(fact.labels.values()) for fact in found] == [["box", "lamp"]]
    assert context.rejections["another of that label is not clear"] == 1
    two_chairs = [*THINGS, ("chair", (4.6, 5.0, 1.0), (0.4, 0.4, 0.5))]
    (fact,) = facts(box_scene(two_chairs, [LEVEL], with_ids=True), "detection")[0]
    assert sorted(fact.labels.values()) == ["box", "chair", "chair", "lamp"]


def test_labels_that_may_mean_each_other_are_not_detected() -> None:
    alike = [THINGS[0], ("desk chair", *THINGS[1][1:]), THINGS[2], ("vase", (4.6, 5.0, 1.0), (0.4, 0.4, 0.5))]
    found, context = facts(box_scene(alike, [LEVEL], with_ids=True), "detection")
    assert [sorted(fact.labels.values()) for fact in found] == [["box", "vase"]]
    assert context.rejections["label is much like another one"] == 2
    # One that is not clear is enough, and one that does not show at all does not matter.
    hidden = [*THINGS, ("desk chair", (3.45, 6.8, 1.05), (0.5, 0.5, 0.7))]
    found, context = facts(box_scene(hidden, [LEVEL], with_ids=True), "detection")
    assert [sorted(fact.labels.values()) for fact in found] == [["box", "lamp"]]
    behind = [*THINGS, ("desk chair", (3.0, 0.4, 1.0), (0.4, 0.4, 0.5))]
    (fact,) = facts(box_scene(behind, [LEVEL], with_ids=True), "detection")[0]
    assert sorted(fact.labels.values()) == ["box", "chair", "lamp"]


def test_too_little_to_detect() -> None:
    found, context = facts(box_scene(THINGS[:1], [LEVEL], with_ids=True), "detection")
    assert not found
    assert context.rejections == {"too few things to detect": 1}


def test_a_window_has_all_boxes_in_its_first_camera(turning: Scene) -> None:
    found, context = facts(turning, "detection_window")
    # Windows from the third frame on show the sofa alone.
    assert sorted(fact.frames for fact in found) == [("000000", "000001", "000002"), ("000001", "000002", "000003")]
    assert context.rejections["too few things to detect"] == 2
    answer = next(fact for fact in found if fact.frames[0] == "000000").answer.text
    assert answer == (
        "```json\n[\n"
        '\t{"label": "chair", "bbox_3d": [-1.0, 0.5, 2.6, 0.4, 0.4, 0.5, 0.0, 1.57, 0.0]},\n'
        '\t{"label": "lamp", "bbox_3d": [0.8, -0.4, 3.9, 0.4, 0.4, 0.5, 0.0, 1.57, 0.0]},\n'
        '\t{"label": "box", "bbox_3d": [0.0, 0.5, 5.0, 0.9, 0.5, 0.5, 0.0, 1.57, 0.0]},\n'
        '\t{"label": "sofa", "bbox_3d": [-2.2, 0.3, -0.3, 0.5, 0.6, 0.5, 0.0, 1.57, 0.0]}\n'
        "]\n```"
    )


def test_what_comes_first_is_listed_first(turning: Scene) -> None:
    backwards = replace(turning, frames=turning.frames[::-1])
    (fact,) = (f for f in facts(backwards, "detection_window")[0] if f.frames == ("000003", "000002", "000001"))
    assert isinstance(fact.answer, BoxListAnswer)
    assert fact.answer.labels == ("sofa", "chair", "lamp", "box")
    # In the camera that looks left: x is the room's y, z its -x.
    np.testing.assert_allclose(fact.answer.boxes[1][:3], [2.6, 0.5, 1.0], atol=1e-9)
    seen_at = fact.values["seen_at"]
    assert [seen_at[str(k)][0] for k in (3, 0, 1, 2)] == ["000003", "000001", "000001", "000001"]


def test_one_clear_frame_is_enough_and_one_unclear_instance_too_much() -> None:
    # From ahead most of the second chair is hidden by the pillar; from the side it is clear.
    things = [*THINGS, ("chair", (4.4, 3.0, 1.0), (0.4, 0.4, 0.5)), ("pillar", (4.25, 2.55, 1.0), (0.45, 0.1, 1.2))]
    things.append(("chair", (5.5, 4.8, 1.0), (0.4, 0.4, 0.5)))
    hiding = look_at(np.array([4.0, 1.0, 1.5]), np.array([4.0, 5.0, 1.5]))
    clear = look_at(np.array([5.5, 1.0, 1.5]), np.array([5.0, 3.0, 1.4]))
    scene = timed(box_scene(things, [hiding, hiding, clear], with_ids=True), [0, 1, 2])
    found, context = facts(scene, "detection_window")
    assert [sorted(set(fact.labels.values())) for fact in found] == [["box", "chair", "lamp", "pillar"]]
    assert context.rejections["another of that label is not clear"] == 0
    scene = timed(box_scene(things, [hiding] * 3, with_ids=True), [0, 1, 2])
    found, context = facts(scene, "detection_window")
    assert ["chair" in fact.labels.values() for fact in found] == [False]
    (example,) = context.rejected.examples["another of that label is not clear"]
    assert (example.frames, example.objects) == (("000000", "000001", "000002"), (3,))


@pytest.mark.parametrize(
    ("times", "start", "expected"),
    [
        (np.arange(12) * 0.5, 0, (0, 2, 4, 6)),
        (np.arange(12) * 0.7, 1, (1, 2, 3, 4)),  # 0.7 s is nearer to one second than 1.4 s
        (np.arange(12) * 2.5, 1, (1, 2, 3, 4)),  # no frame is nearer than the next one
        (np.arange(6) * 0.5, 0, None),  # half a second before the end is no frame a second later
        (np.arange(7) * 0.96, 3, (3, 4, 5, 6)),
        ([0, 0.1, 2.0, 3.0, 3.1, 4.0], 0, (0, 2, 3, 5)),
        ([0, 0.9, 1.1, 1.9, 3.2, 4.4], 0, (0, 1, 3, 4)),  # of equally near ones the earlier
        (None, 2, (2, 5, 8, 11)),
        (None, 3, None),
    ],
)
def test_frames_of_a_window(times: Sequence[float] | None, start: int, expected: tuple[int, ...] | None) -> None:
    times = None if times is None else list(times)
    assert window_from(start, 12 if times is None else len(times), times, AmbiguityPolicy()) == expected


def test_timestamps_decide_where_there_are_some(turning: Scene) -> None:
    found, _ = facts(timed(turning, [0, 0.5, 1, 1.5, 2, 2.5]), "detection_window")
    assert sorted(fact.frames for fact in found) == [("000000", "000002", "000004"), ("000001", "000003", "000005")]
    found, context = facts(timed(turning, [0, 1, 2, 9, 10, 11]), "detection_window")
    assert [fact.frames for fact in found] == [("000000", "000001", "000002")]
    (example, _) = context.rejected.examples["frames too far apart in time"]
    assert example.value == 7.0
    # Times that stand still are none.
    assert len(facts(timed(turning, [3.0] * 6), "detection_window")[0]) == 2


def test_scenes_without_windows(turning: Scene) -> None:
    short = replace(turning, frames=turning.frames[:2])
    photographs = replace(turning, provenance={**turning.provenance, "is_video": False})
    for scene, reason in ((short, "fewer than 3 frames"), (photographs, "photographs, no video")):
        found, context = facts(scene, "detection_window")
        assert not found
        assert context.rejections == {reason: 1}
