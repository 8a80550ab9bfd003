"""In which frames something is seen: the two limits, and facts that are left out."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import numpy as np
import pytest
from walked import walked_scene

from handmade import box_scene
from spaceland.geometry.camera import PinholeCamera
from spaceland.geometry.transforms import look_at
from spaceland.questions.answers import FramesAnswer
from spaceland.questions.facts import Fact, TaskContext
from spaceland.questions.frames_seen import FRAMES_SEEN, is_seen, propose_frames_seen
from spaceland.questions.policy import AmbiguityPolicy
from spaceland.questions.scene_views import SceneViews
from spaceland.scenes.scene import Scene
from spaceland.visibility import SceneVisibility, scene_visibility
from spaceland.visibility.types import ObjectView

CAMERA = PinholeCamera(160, 120, 130.0, 130.0, 80.0, 60.0)
THINGS = [("lamp", (3.0, 5.0, 1.2), (0.5, 0.5, 1.4)), ("chair", (1.5, 1.0, 1.3), (0.6, 0.6, 1.2))]
EYE = np.array([3.0, 1.0, 1.5])


def looks(*parts: tuple[float, int]) -> list[np.ndarray]:
    """Poses at one place: (heading clockwise from +y, number of frames)."""
    headings = np.radians([a for a, count in parts for _ in range(count)])
    return [look_at(EYE, EYE + [np.sin(a), np.cos(a), -0.05]) for a in headings]


def facts(scene: Scene) -> tuple[dict[str, Fact], TaskContext]:
    context = TaskContext(SceneViews(scene, scene_visibility(scene), AmbiguityPolicy()))
    return {fact.labels["red"]: fact for fact in propose_frames_seen(context, Random(0))}, context


def test_frames_that_look_at_it_are_listed() -> None:
    found, _ = facts(box_scene(THINGS, looks((0, 4), (-90, 6), (90, 12), (5, 10)), camera=CAMERA))
    answer = found["lamp"].answer
    assert isinstance(answer, FramesAnswer)
    assert answer.value == (1, 2, 3, 4, *range(23, 33))
    assert found["chair"].answer.value == tuple(range(5, 11))
    (mark,) = found["lamp"].marks
    assert mark.image_index + 1 in answer.value
    assert FRAMES_SEEN.fields(found["chair"])["frames"].startswith("Frame-5, Frame-6")
    assert FRAMES_SEEN.fields(found["chair"])["frames"].endswith("Frame-9 and Frame-10")


def test_one_frame_with_a_corner_of_it_spoils_the_fact() -> None:
    # At a heading of 33 degrees the lamp, 4 m away and 0.5 m wide, reaches 3.6 degrees beyond the image border.
    heading = np.degrees(np.arctan(80 / 130)) + 2.2
    found, context = facts(box_scene(THINGS, looks((0, 15), (heading, 1), (90, 16)), camera=CAMERA))
    assert "lamp" not in found
    assert context.rejections["neither seen nor unseen in a frame"] == 1


def test_almost_always_or_hardly_ever_seen_is_no_question() -> None:
    _, context = facts(box_scene(THINGS, looks((0, 31), (-90, 1)), camera=CAMERA))
    assert context.rejections["seen in almost all frames"] == 1
    assert context.rejections["seen in too few frames"] == 1


def view(px: float, fraction: float, contradicted: float = 0.0) -> ObjectView:
    nothing = (0.0, 0.0)
    return ObjectView(
        "000000", 0, px, fraction, 0.0, 0.0, (0.0, 0.0, 1.0, 1.0), nothing, 1.0, 1.0, nothing, 1.0, contradicted
    )


@pytest.mark.parametrize(
    ("seen", "share", "fraction", "contradicted"),
    [
        (False, 0.0002, 1.0, 0.0),  # next to nothing, even if it is all of a tiny thing
        (None, 0.001, 1.0, 0.0),  # small
        (True, 0.0016, 0.4, 0.0),
        (None, 0.0016, 0.3, 0.0),  # an end of something
        (True, 0.16, 0.1, 0.0),  # a small part of something large and near
        (None, 0.16, 0.1, 0.5),
        (None, 0.1, 0.1, 0.0),  # a near end of something  # something else may be in front
    ],
)
def test_two_limits(seen: bool | None, share: float, fraction: float, contradicted: float) -> None:
    scene = walked_scene()
    context = TaskContext(SceneViews(scene, SceneVisibility((), (), np.zeros((0, 0))), AmbiguityPolicy()))
    frame = scene.frames[0]
    px = share * frame.camera.width * frame.camera.height
    assert is_seen(context, frame, view(px, fraction, contradicted)) is seen
    assert is_seen(context, frame, None) is False


def test_photographs_are_no_video() -> None:
    scene = replace(walked_scene(), provenance={"is_video": False})
    context = TaskContext(SceneViews(scene, SceneVisibility((), (), np.zeros((0, 0))), AmbiguityPolicy()))
    assert list(propose_frames_seen(context, Random(0))) == []
    assert context.rejections == {"photographs, no video": 1}
