"""Closest and farthest on rooms that can be worked out with a pencil, and what may not be asked."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import numpy as np
import pytest

from handmade import box_scene
from spaceland.datasets.rows import to_row
from spaceland.geometry.transforms import look_at
from spaceland.questions.answers import ChoiceAnswer, FoundAnswer
from spaceland.questions.ask import ask
from spaceland.questions.conventions import Conventions
from spaceland.questions.facts import Fact, TaskContext
from spaceland.questions.nearest_words import NEAREST_OO
from spaceland.questions.policy import AmbiguityPolicy
from spaceland.questions.scene_views import SceneViews
from spaceland.questions.tasks import TASKS
from spaceland.scenes.scene import Scene
from spaceland.verify.checker import SceneChecker
from spaceland.visibility import scene_visibility

# The camera stands at (3, 1, 1.5) and looks level along world y.
LEVEL = look_at(np.array([3.0, 1.0, 1.5]), np.array([3.0, 5.0, 1.5]))
THINGS = [
    ("chair", (2.0, 3.6, 1.0), (0.4, 0.4, 0.5)),  # 2.83 m from the camera
    ("lamp", (3.8, 4.9, 1.9), (0.4, 0.4, 0.5)),  # 4.00 m; 2.40 m from the chair
    ("box", (3.0, 6.0, 1.0), (0.5, 0.5, 0.5)),  # 5.02 m; 2.60 m from the chair, 1.63 m from the lamp
]
Things = list[tuple[str, tuple[float, float, float], tuple[float, float, float]]]


def facts(
    scene: Scene, task: str, conventions: Conventions | None = None, **policy: object
) -> tuple[list[Fact], TaskContext]:
    views = SceneViews(scene, scene_visibility(scene), AmbiguityPolicy(**policy))  # type: ignore[arg-type]
    context = TaskContext(views, conventions)
    return list(TASKS[task].propose(context, Random(0))), context


def answers(found: list[Fact]) -> dict[str, str]:
    """Label of the answer for each of "closest" and "farthest"."""
    return {fact.values["asks"]: fact.labels["found"] for fact in found}


@pytest.fixture(scope="module")
def scene() -> Scene:
    return box_scene(THINGS, [LEVEL])


def test_the_observer_has_the_chair_closest_and_the_box_farthest(scene: Scene) -> None:
    found = facts(scene, "distance_infer_center_oc")[0]
    assert answers(found) == {"closest": "chair", "farthest": "box"}
    closest = next(fact for fact in found if fact.values["asks"] == "closest")
    assert closest.values["distance_m"] == pytest.approx(np.sqrt(1 + 2.6**2 + 0.25), abs=1e-6)
    assert closest.values["runner_up_m"] == pytest.approx(4.0012, abs=1e-3)
    assert closest.labels["runner_up"] == "lamp"
    # The chair's front is 2.4 m deep and 0.8..1.2 m left of the middle of a picture 320 px wide, focal length 260 px.
    assert isinstance(closest.answer, FoundAnswer)
    x1, _, x2, _ = closest.answer.box
    assert x1 == pytest.approx(1000 * (160 - 260 * 1.2 / 2.4) / 320, abs=5)
    assert x2 == pytest.approx(1000 * (160 - 260 * 0.8 / 2.8) / 320, abs=5)
    assert closest.answer.text.startswith("chair, [")


def test_between_objects_only_clear_differences_are_asked(scene: Scene) -> None:
    found, context = facts(scene, "distance_infer_center_oo")
    # From the chair 2.40 and 2.60 m (a tie), from the lamp 2.40 and 1.63 m, from the box 2.60 and 1.63 m.
    assert {fact.labels["red"] for fact in found} == {"lamp", "box"}
    assert context.rejections["too near to a tie"] == 2
    winners = {("lamp", "closest"): "box", ("lamp", "farthest"): "chair"}
    winners |= {("box", "closest"): "lamp", ("box", "farthest"): "chair"}
    for fact in found:
        assert isinstance(fact.answer, ChoiceAnswer)
        right = winners[fact.labels["red"], fact.values["asks"]]
        assert fact.labels[fact.answer.value] == right
        assert fact.answer.text == f"{right} ({fact.answer.value} point)"


@pytest.mark.parametrize(("half_m", "asked"), [(0.2, True), (1.1, False)])
def test_what_wins_by_centres_does_not_lose_by_gaps(half_m: float, asked: bool) -> None:
    """The sofa's centre is 1.6 m from the chair, the lamp's 1.1 m; a long sofa comes within 0.3 m of the chair."""
    things: Things = [
        ("chair", (1.8, 4.5, 1.0), (0.4, 0.4, 0.4)),
        ("sofa", (3.4, 4.5, 1.0), (2 * half_m, 0.4, 0.4)),
        ("lamp", (1.8, 4.8, 2.05), (0.4, 0.4, 0.2)),
    ]
    scene = box_scene(things, [LEVEL])
    found, context = facts(scene, "distance_infer_center_oo", max_truncated=0.9, max_same_objects=9)
    found = [fact for fact in found if fact.labels["red"] == "chair"]
    assert bool(found) == asked
    assert bool(context.rejections["centres and gaps disagree"]) == (not asked)


def test_the_verifier_measures_gaps_as_well() -> None:
    """Rows of a room with a short sofa, held against the same room with a long one: centres are the same."""
    short, long = (
        box_scene(
            [
                ("chair", (1.8, 4.5, 1.0), (0.4, 0.4, 0.4)),
                ("sofa", (3.4, 4.5, 1.0), (length_m, 0.4, 0.4)),
                ("lamp", (1.8, 4.8, 2.05), (0.4, 0.4, 0.2)),
            ],
            [LEVEL],
        )
        for length_m in (0.4, 2.2)
    )
    policy = AmbiguityPolicy(max_same_objects=9)
    asked = [to_row(row) for row in ask(short, ["distance_infer_center_oo"], policy=policy).questions]
    rows = [row for row in asked if row["facts"]["labels"]["red"] == "chair"]
    assert rows and not [problem for row in rows for problem in SceneChecker(short).problems(row)]
    for row in rows:
        assert any("centres and gaps disagree" in problem for problem in SceneChecker(long).problems(row))


def test_one_is_found_between_two_and_among_four() -> None:
    stem = next(stem for stem in NEAREST_OO.stems["*"] if "find the one" in stem)
    for roles, word in ((("red", "green", "blue"), "between"), (("red", "blue", "green", "yellow"), "among")):
        fact = Fact(
            "distance_infer_center_oo", ("0",), {role: k for k, role in enumerate(roles)},
            {role: f"thing {role}" for role in roles}, ChoiceAnswer("blue", "thing blue"), (),
            {"asks": "farthest"}, {"measure": "center"},
        )  # fmt: skip
        assert stem.format(**NEAREST_OO.fields(fact)).startswith(f"{word} the thing ")


@pytest.mark.parametrize(("gap_m", "asked"), [(0.0, False), (0.19, False), (0.21, True), (0.9, True)])
def test_the_margin_of_the_closest(gap_m: float, asked: bool) -> None:
    things: Things = [
        ("lamp", (2.6, 2.5, 1.5), (0.2, 0.2, 0.2)),
        ("box", (3.4, 2.5 + gap_m, 1.5), (0.2, 0.2, 0.2)),
        ("chair", (3.0, 5.0, 1.0), (0.4, 0.4, 0.4)),
    ]
    near = np.hypot(0.4, 1.5), np.hypot(0.4, 1.5 + gap_m)
    assert (near[1] - near[0] >= 0.2) == (gap_m > 0.205)
    found, context = facts(box_scene(things, [LEVEL]), "distance_infer_center_oc")
    assert ("closest" in answers(found)) == asked
    assert bool(context.rejections["too near to a tie"]) == (not asked)


def test_far_away_the_ratio_decides() -> None:
    things: Things = [
        ("chair", (3.0, 3.0, 1.0), (0.3, 0.3, 0.3)),
        ("lamp", (2.4, 5.5, 1.5), (0.4, 0.4, 0.4)),
        ("box", (3.6, 5.9, 1.5), (0.4, 0.4, 0.4)),
    ]
    # 4.54 m and 4.94 m: 0.4 m apart, but less than a tenth.
    room = box_scene(things, [LEVEL])
    assert answers(facts(room, "distance_infer_center_oc")[0]) == {"closest": "chair"}
    loose = facts(room, "distance_infer_center_oc", tie_ratio=1.05)[0]
    assert answers(loose) == {"closest": "chair", "farthest": "box"}


@pytest.mark.heavy
def test_what_is_too_unclear_to_be_the_answer_is_still_a_rival() -> None:
    # The small thing is closer than the chair; whatever is wrong with its view, the chair is not the closest.
    small = ("cup", (3.3, 2.2, 1.3), (0.03, 0.03, 0.03))
    room = box_scene([*THINGS, small], [LEVEL])
    found, context = facts(room, "distance_infer_center_oc")
    assert answers(found) == {"farthest": "box"}
    assert context.rejections["the answer is not clearly visible"] == 1
    # The same for a label that the policy leaves out, unless it is a part of the building or a rug.
    named = [(label, *small[1:]) for label in ("misc", "window", "rug", "carpet", "mat")]
    rooms = [box_scene([*THINGS, thing], [LEVEL]) for thing in named]
    closest = [answers(facts(room, "distance_infer_center_oc")[0]).get("closest") for room in rooms]
    assert closest == [None, *["chair"] * 4]
    rows = ask(rooms[2], ["distance_infer_center_oc"]).questions
    assert rows and all("rugs" in row.question for row in rows)


def test_a_label_that_the_view_has_twice_is_no_answer() -> None:
    twice = [*THINGS, ("chair", (4.6, 4.9, 0.6), (0.4, 0.4, 0.5))]
    found, context = facts(box_scene(twice, [LEVEL]), "distance_infer_center_oc")
    assert answers(found) == {"farthest": "box"}
    assert context.rejections["another object of that label in the view"] == 1


def test_distances_between_surfaces_are_another_question() -> None:
    # Seen from its centre the long table is farther than the lamp, its surface is nearer.
    things: Things = [
        ("table", (2.0, 4.6, 1.2), (0.5, 3.0, 0.3)),
        ("lamp", (3.6, 4.0, 1.5), (0.3, 0.3, 0.3)),
        ("box", (4.4, 6.0, 1.0), (0.4, 0.4, 0.4)),
    ]
    room = box_scene(things, [LEVEL])
    assert answers(facts(room, "distance_infer_center_oc")[0])["closest"] == "lamp"
    surface = facts(room, "distance_infer_center_oc", Conventions(distance="surface"))[0]
    assert answers(surface)["closest"] == "table"


def two_views() -> Scene:
    """The second camera alone sees the plant on the left, the first alone the shelf on the right."""
    poses = [
        look_at(np.array([3.0, 1.0, 1.5]), np.array([4.2, 5.0, 1.5])),
        look_at(np.array([3.2, 1.2, 1.5]), np.array([1.6, 5.0, 1.5])),
    ]
    things: Things = [
        ("shelf", (5.3, 4.2, 1.5), (0.4, 0.4, 0.6)),  # 3.9 m from the first camera
        ("lamp", (3.0, 5.2, 1.4), (0.4, 0.4, 0.5)),  # 4.2 m, in both
        ("box", (3.2, 7.0, 1.2), (0.5, 0.5, 0.5)),  # 6.0 m, in both
        ("plant", (0.9, 3.2, 1.5), (0.3, 0.3, 0.5)),  # 3.0 m from the first camera
    ]
    return box_scene(things, poses)


def test_over_several_images_the_first_camera_measures() -> None:
    found, context = facts(two_views(), "distance_infer_center_oc_mv")
    assert found
    for fact in found:
        assert isinstance(fact.answer, FoundAnswer)
        # The farthest is the box, but both images show it.
        assert fact.values["asks"] == "closest"
        first = fact.frames[0] == "000000"
        assert fact.labels["found"] == "plant"
        assert fact.answer.image == (1 if first else 0)
        assert fact.answer.text.startswith("the second image, [" if first else "the first image, [")
    assert context.rejections["seen in several images"] >= 1


def test_wrong_options_are_things_that_one_image_alone_shows() -> None:
    scene = two_views()
    found = facts(scene, "distance_infer_center_oc_mv")[0]
    shown = [{view.object_id for view in scene_visibility(scene).in_frame(frame.id)} for frame in scene.frames]
    assert found and shown[0] & shown[1]
    for fact in found:
        # Of shelf, lamp, box and plant only the shelf and the plant are in one image alone.
        assert [place for place, _ in fact.values["other_boxes"]] == [
            "the first image" if fact.frames[0] == "000000" else "the second image"
        ]


def test_two_options_with_balanced_letters() -> None:
    poses = [look_at(np.array([2.0 + 0.5 * k, 1.0, 1.5]), np.array([3.0, 5.0, 1.2])) for k in range(4)]
    scene = box_scene([*THINGS, ("plant", (1.2, 5.4, 1.2), (0.4, 0.4, 0.6))], poses)
    rows = [q for q in ask(scene, ["distance_infer_center_oo"], per_scene=20).questions if q.format == "select"]
    assert len(rows) >= 8
    letters = [row.answer for row in rows]
    assert abs(letters.count("A") - letters.count("B")) <= 1
    assert all(row.options is not None and len(row.options) == 2 and "\nC." not in row.question for row in rows)
    assert not any("C or D" in row.question for row in rows)
    right = [row.options["AB".index(row.answer)] for row in rows if row.options]
    assert right == [f"{row.facts['labels'][row.facts['value']]} ({row.facts['value']} point)" for row in rows]


def test_one_of_four_candidates_of_a_video() -> None:
    poses = [look_at(np.array([2.0 + 0.06 * k, 1.0, 1.6]), np.array([3.0, 5.0, 1.2])) for k in range(32)]
    more: Things = [
        ("plant", (1.2, 5.4, 1.2), (0.4, 0.4, 0.6)),
        ("sofa", (4.8, 6.6, 0.8), (0.8, 0.5, 0.6)),
        ("vase", (4.2, 3.4, 1.0), (0.3, 0.3, 0.3)),
    ]
    scene = box_scene([*THINGS, *more], poses)
    found = facts(scene, "distance_infer_center_oo_video")[0]
    assert found
    for fact in found:
        red = scene.objects_by_id[fact.objects["red"]].center
        away = {
            role: float(np.linalg.norm(scene.objects_by_id[fact.objects[role]].center - red))
            for role in ("blue", "green", "yellow", "purple")
        }
        best, second = sorted(away, key=lambda role: away[role] * (1 if fact.values["asks"] == "closest" else -1))[:2]
        assert fact.answer.value == best
        assert abs(away[best] - away[second]) >= 0.2 - 1e-9
    assert {fact.values["asks"] for fact in found} == {"closest", "farthest"}


def test_labels_of_users_are_only_ever_text(scene: Scene) -> None:
    hostile = "{most} closest [1, 2, 3, 4]"
    things = tuple(replace(thing, label=hostile) if thing.id == 0 else thing for thing in scene.objects)
    rows = ask(replace(scene, objects=things), ["distance_infer_center_oc"]).questions
    about = [row.answer for row in rows if row.facts["labels"]["found"] == hostile and row.format != "select"]
    assert about and all(hostile in answer for answer in about)
