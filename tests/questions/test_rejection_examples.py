"""Examples of rejections: the first few of a reason, with the setup that was judged, the same in every run."""

from __future__ import annotations

import time

import numpy as np

from handmade import box_scene
from spaceland.geometry.transforms import look_at
from spaceland.questions.ask import ask
from spaceland.questions.facts import TaskContext
from spaceland.questions.policy import AmbiguityPolicy
from spaceland.questions.rejections import KEPT, Rejected, Rejections
from spaceland.questions.scene_views import SceneViews
from spaceland.scenes.scene import Scene
from spaceland.visibility import SceneVisibility, scene_visibility

BOXES = [
    ("lamp", (1.0, 4, 1), (0.5, 0.5, 0.8)),
    ("table", (2.2, 4, 1), (0.5, 0.5, 0.8)),
    ("sofa", (3.4, 5, 0.5), (0.9, 0.6, 0.8)),
    ("crate", (4.6, 4.4, 0.4), (0.5, 0.5, 0.5)),
    ("wall", (0.3, 6, 1), (0.4, 0.5, 1)),
]


def scene() -> Scene:
    poses = [look_at(np.array([2 + 0.4 * k, 0.6, 1.5]), np.array([2.6, 4.5, 0.8])) for k in range(3)]
    return box_scene(BOXES, poses)


def context_of(made: Scene) -> TaskContext:
    return TaskContext(SceneViews(made, scene_visibility(made), AmbiguityPolicy()))


def test_counts_all_and_keeps_the_first() -> None:
    log = Rejections()
    for k in range(100):
        log.add("too near", frames=(f"{k}",), objects=(k,), value=k / 10)
        log.add("nothing known")
    assert log.counts == {"too near": 100, "nothing known": 100}
    assert [example.frames for example in log.examples["too near"]] == [(f"{k}",) for k in range(KEPT)]
    assert "nothing known" not in log.examples


def test_the_same_candidate_is_one_example() -> None:
    log = Rejections()
    for _ in range(4):
        log.add("too near", ("a",), (1, 2))
    assert log.examples["too near"] == [Rejected(("a",), (1, 2), (-1, -1))]


def test_one_argument_is_enough() -> None:
    context = context_of(scene())
    context.reject("some rule")
    context.reject("another rule", ["a"], [1], 0.5)
    assert context.rejections == {"some rule": 1, "another rule": 1}
    assert context.rejected.examples == {"another rule": [Rejected(("a",), (1,), (-1,), 0.5)]}


def test_a_reason_may_be_about_the_whole_scene() -> None:
    made = scene()
    asked = ask(made, ["obj_count", "obj_frame_locate"], visibility=scene_visibility(made))
    for task in ("obj_count", "obj_frame_locate"):
        (example,) = asked.rejection_examples[task]["fewer than 32 frames"]
        assert example == {"frames": [], "num_frames": 0, "objects": [], "marks": [], "value": 3.0}


def test_frames_without_objects_are_named() -> None:
    made = scene()
    none_seen = SceneVisibility(tuple(made.frames_by_id), (), np.eye(3))
    ids = tuple(frame.id for frame in made.frames)
    for frames, shown in ((ids[:2], ids[:2]), (ids, ids), (ids * 3, ids)):
        told = Rejected(frames, (), ()).to_json(made, none_seen)
        assert (told["frames"], told["num_frames"]) == (list(shown), len(frames))


def test_examples_are_true() -> None:
    made = scene()
    visibility = scene_visibility(made)
    asked = ask(made, ["depth_prediction_oo", "obj_spatial_relation_oo"], per_scene=50, visibility=visibility)
    assert asked.rejection_examples["views"].keys() <= asked.rejections["views"].keys()
    excluded = asked.rejection_examples["views"]["excluded label"][0]
    assert [thing["label"] for thing in excluded["objects"]] == ["wall"]
    seen = 0
    for reasons in asked.rejection_examples.values():
        for found in reasons.values():
            for example in found:
                for mark in example["marks"]:
                    thing = example["objects"][mark["object"]]
                    (truth,) = (t for t in made.objects if t.label == thing["label"])
                    view = visibility.view(mark["frame"], truth.id)
                    assert view is not None
                    x, y = view.anchor_px
                    camera = made.frames_by_id[mark["frame"]].camera
                    assert abs(mark["xy"][0] - 1000 * x / camera.width) <= 0.5
                    assert abs(mark["xy"][1] - 1000 * y / camera.height) <= 0.5
                    seen += 1
    assert seen > 5
    again = ask(made, ["depth_prediction_oo", "obj_spatial_relation_oo"], per_scene=50, visibility=visibility)
    assert again.rejection_examples == asked.rejection_examples


def test_a_setup_is_an_example_only_while_it_is_judged() -> None:
    context = context_of(scene())
    asked = ask(context.scene, ["obj_spatial_relation_oo"], per_scene=50, visibility=context.views.visibility)
    for reason, found in asked.rejection_examples["obj_spatial_relation_oo"].items():
        for example in found:
            if not reason.startswith("fewer than"):
                assert len(example["objects"]) == 2 and example["num_frames"] == 1


def test_no_question_is_asked_again_with_objects_exchanged() -> None:
    asked = ask(scene(), ["depth_prediction_oo"], per_scene=200)
    keys = [
        (frozenset(q.frames), frozenset(q.facts["objects"].values()), q.facts["value"], q.format)
        for q in asked.questions
    ]
    assert len(keys) == len(set(keys)) > 10


def test_counting_stays_cheap() -> None:
    context = context_of(scene())
    started = time.process_time()
    for _ in range(200_000):
        context.reject("some rule")
    assert time.process_time() - started < 1.0
