"""What questions about depth and distance say, and in which images it makes sense."""

from __future__ import annotations

import re

import numpy as np
import pytest

from handmade import box_scene
from spaceland.datasets.rows import to_row
from spaceland.geometry.transforms import look_at
from spaceland.questions.ask import Question, ask
from spaceland.questions.conventions import Conventions
from spaceland.questions.depth import DEPTH_OC, DEPTH_OO, DEPTHS_APART
from spaceland.questions.distance import DISTANCE_OC, DISTANCE_OC_MV, DISTANCE_OO
from spaceland.questions.nearest_words import NEAREST_OC, NEAREST_OC_MV, NEAREST_OO
from spaceland.questions.phrasing import Wording
from spaceland.questions.size_compare import SIZE_COMPARISON
from spaceland.questions.volume import SIZE
from spaceland.scenes.scene import Scene
from spaceland.verify.checker import SceneChecker

BETWEEN = re.compile(r"lie between|apart|behind|in front of|in depth")


@pytest.fixture(scope="module")
def scene() -> Scene:
    poses = [look_at(np.array([2.0 + 0.5 * k, 1.0, 1.5]), np.array([1.5 + 0.8 * k, 5.0, 1.2])) for k in range(6)]
    things = [
        ("chair", (1.0, 4.2, 0.9), (0.5, 0.5, 0.6)),
        ("lamp", (2.2, 6.0, 1.2), (0.4, 0.4, 0.8)),
        ("box", (3.2, 4.6, 0.8), (0.5, 0.5, 0.5)),
        ("plant", (4.2, 6.4, 1.0), (0.5, 0.5, 0.9)),
        ("shelf", (5.2, 4.8, 1.0), (0.4, 0.6, 1.0)),
    ]
    return box_scene(things, poses, with_ids=True)


def texts_of(wording: Wording) -> list[str]:
    notes = () if callable(wording.notes) else wording.notes
    return [*(stem for stems in wording.stems.values() for stem in stems), *notes, *wording.sentences]


@pytest.mark.parametrize(
    "wording",
    [DEPTH_OC, DEPTH_OO, DEPTHS_APART, DISTANCE_OC, DISTANCE_OC_MV, DISTANCE_OO, NEAREST_OC, NEAREST_OC_MV, NEAREST_OO,
     SIZE, SIZE_COMPARISON],
)  # fmt: skip
def test_a_picture_hangs_on_a_wall(wording: Wording) -> None:
    assert not [text for text in texts_of(wording) if "picture" in text]


def test_a_depth_is_no_dimension() -> None:
    for text in [*texts_of(DEPTH_OC), *texts_of(DEPTH_OO), *texts_of(DEPTHS_APART)]:
        assert not re.search(r"\bdeep\b|deeper|m away$|before the|differ the|depth in metres has", text)


def rows_of(scene: Scene, task: str, **conventions: str) -> list[Question]:
    chosen = Conventions(**conventions)  # type: ignore[arg-type]
    rows = [row for seed in range(4) for row in ask(scene, [task], seed=seed, conventions=chosen).questions]
    checker = SceneChecker(scene)
    assert rows and [p for row in rows for p in checker.problems(to_row(row))] == []
    return rows


def test_depths_of_two_images_have_nothing_between_them(scene: Scene) -> None:
    same, apart = [], []
    for row in rows_of(scene, "depth_prediction_oo_mv"):
        image = {mark.color: mark.image_index for mark in row.marks}
        said = row.question.split("\n")[0] + (row.answer if row.format == "sentence" else "")
        (same if image["blue"] == image["green"] else apart).append(bool(BETWEEN.search(said)))
    assert any(same) and apart and not any(apart)


def test_the_verifier_reads_depths_of_two_images(scene: Scene) -> None:
    rows = [to_row(row) for row in rows_of(scene, "depth_prediction_oo_mv") if row.format == "fill"]
    checker, tried = SceneChecker(scene), 0
    for row in rows:
        image = {mark["color"]: mark["image_index"] for mark in row["marks"]}
        asked = row["question"].replace("do the depths of", "are, how far apart in depth,")
        if image["blue"] != image["green"] and asked != row["question"]:
            tried += 1
            assert any("two images" in problem for problem in checker.problems({**row, "question": asked}))
    assert tried


def test_with_several_images_only_the_observer_measures(scene: Scene) -> None:
    for row in rows_of(scene, "distance_prediction_oc_mv"):
        note = "The observer is the camera of the first image."
        assert note in row.question
        left = row.question.replace(note, "") + row.answer
        assert "camera" not in left and "observer" in left


def test_the_axis_of_a_depth_is_that_of_the_conventions(scene: Scene) -> None:
    for depth, axis, other in (("z", "viewing direction", "line of sight"), ("range", "line of sight", "viewing")):
        answers = [row.answer for row in rows_of(scene, "depth_prediction_oc", depth=depth) if row.format == "sentence"]
        assert any(axis in answer for answer in answers)
        assert not any(other in answer for answer in answers)


def test_larger_options_than_the_room_are_found(scene: Scene) -> None:
    row = next(to_row(row) for row in rows_of(scene, "distance_prediction_oc") if row.format == "select")
    letter = next(k for k in "DCBA" if k != row["answer"])
    spoiled = row["options"]["ABCD".index(letter)]
    for key in ("question", "options"):
        replaced = [text.replace(spoiled, "19.0") for text in row["options"]]
        row[key] = replaced if key == "options" else row[key].replace(f"{letter}. {spoiled}", f"{letter}. 19.0")
    assert any("larger than the room" in problem for problem in SceneChecker(scene).problems(row))
    row["facts"]["params"]["max_m"] = 25.0
    assert any("max_m" in problem for problem in SceneChecker(scene).problems(row))


@pytest.mark.parametrize("task", ["depth_prediction_oc", "depth_prediction_oo", "distance_prediction_oo"])
def test_options_that_can_never_be_right_are_found(scene: Scene, task: str) -> None:
    row = next(to_row(row) for row in rows_of(scene, task) if row.format == "select")
    assert not SceneChecker(scene).problems(row)
    given = row["facts"]["values"].get("given_depth_m", 0.0)
    never = f"{given:.1f}" if task == "depth_prediction_oc" else "0.1"
    letter = next(k for k in "DCBA" if k != row["answer"])
    spoiled = row["options"]["ABCD".index(letter)]
    row["options"] = [never if text == spoiled else text for text in row["options"]]
    row["question"] = row["question"].replace(f"{letter}. {spoiled}", f"{letter}. {never}")
    wanted = "nearer than" if task == "depth_prediction_oc" else "from which on anybody is asked"
    assert any(wanted in problem for problem in SceneChecker(scene).problems(row))
