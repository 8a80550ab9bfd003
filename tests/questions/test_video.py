"""Which frames stand for a video: evenly spread, or those that see most."""

from __future__ import annotations

import json

import numpy as np
import pytest
from walked import THINGS, poses, walked_scene

from handmade import CAMERA, box_scene
from spaceland.datasets.rows import dump_row, to_row
from spaceland.questions.ask import ask
from spaceland.questions.conventions import Conventions
from spaceland.questions.facts import TaskContext
from spaceland.questions.policy import AmbiguityPolicy
from spaceland.questions.scene_views import SceneViews
from spaceland.questions.video import coverage_frames, uniform_frames
from spaceland.verify.checker import SceneChecker
from spaceland.visibility import SceneVisibility, scene_visibility

COVERAGE = Conventions(video_frames="coverage")


def blocks(*sizes: int) -> np.ndarray:
    """Overlap of frames that come in groups: all of it within a group, nothing between two."""
    group = np.repeat(np.arange(len(sizes)), sizes)
    return (group[:, None] == group).astype(np.float32)


def test_uniform_frames_are_spread_evenly() -> None:
    assert uniform_frames(range(100), 4) == (0, 25, 50, 75)


def test_each_place_is_shown_before_any_is_shown_twice() -> None:
    # Ninety frames of one place and ten single looks elsewhere.
    overlap = blocks(90, *[1] * 10)
    assert coverage_frames(range(100), overlap, 11) == (0, *range(90, 100))
    assert uniform_frames(range(100), 11)[-1] == 90


def test_of_a_chain_every_third_frame_is_enough() -> None:
    # Each frame shares half of what it sees with each of its neighbours.
    overlap = np.eye(9) + 0.5 * (np.eye(9, k=1) + np.eye(9, k=-1))
    assert coverage_frames(range(9), overlap, 3) == (1, 4, 7)


@pytest.mark.parametrize("count", [1, 2, 5, 12])
def test_count_order_and_distinctness(count: int) -> None:
    rng = np.random.default_rng(count)
    overlap = rng.uniform(0, 1, (12, 12))
    np.fill_diagonal(overlap, 1)
    chosen = coverage_frames("abcdefghijkl", overlap, count)
    assert len(chosen) == count
    assert list(chosen) == sorted(set(chosen))
    assert chosen == coverage_frames("abcdefghijkl", overlap + rng.uniform(-1e-9, 1e-9, (12, 12)), count)


def test_greedy_is_near_the_best_choice() -> None:
    from itertools import combinations

    rng = np.random.default_rng(5)
    seen = rng.random((9, 40)) < 0.2
    shared = (seen[:, None] & seen).sum(-1)
    overlap = shared / np.maximum(np.diagonal(shared), 1)[:, None]

    def covered(chosen: tuple[int, ...]) -> float:
        weights = 1 / np.minimum(overlap, overlap.T).sum(1)
        return float(weights @ overlap[:, list(chosen)].max(1))

    best = max(covered(chosen) for chosen in combinations(range(9), 3))
    assert covered(coverage_frames(range(9), overlap, 3)) >= 0.9 * best


def test_long_videos_are_thinned_out_first() -> None:
    overlap = blocks(*[1] * 2500)
    assert coverage_frames(range(2500), overlap, 3) == (0, 3, 6)


@pytest.fixture(scope="module")
def seen() -> SceneVisibility:
    return scene_visibility(walked_scene())


def test_the_context_honours_the_convention(seen: SceneVisibility) -> None:
    views = SceneViews(walked_scene(), seen, AmbiguityPolicy())
    uniform, coverage = TaskContext(views).video_frames(), TaskContext(views, COVERAGE).video_frames()
    assert uniform is not None and coverage is not None
    assert len(uniform) == len(coverage) == 32
    assert [frame.id for frame in uniform] != [frame.id for frame in coverage]
    assert [frame.id for frame in coverage] == sorted(frame.id for frame in coverage)
    assert TaskContext(views, COVERAGE).video_frames() is coverage


def test_photographs_and_short_videos_have_no_frames(seen: SceneVisibility) -> None:
    short = box_scene(THINGS[:1], poses()[:3], camera=CAMERA.scaled(80, 60))
    context = TaskContext(SceneViews(short, scene_visibility(short), AmbiguityPolicy()), COVERAGE)
    assert context.video_frames() is None
    assert context.rejections == {"fewer than 32 frames": 1}


def test_rows_of_chosen_frames_are_verified(seen: SceneVisibility) -> None:
    tasks = ["appearance_order", "nav_video", "obj_count", "obj_frame_locate"]
    questions = ask(walked_scene(), tasks, visibility=seen, conventions=COVERAGE).questions
    assert len({q.task for q in questions}) >= 2
    rows = [json.loads(dump_row(to_row(q))) for q in questions]
    checker = SceneChecker(walked_scene(), config={"conventions": {"video_frames": "coverage"}})
    assert [problem for row in rows for problem in checker.problems(row)] == []
    assert all("spread evenly" in SceneChecker(walked_scene()).problems(row)[0] for row in rows[:2])
    row = rows[0]
    turned = {**row, "images": row["images"][::-1], "facts": {**row["facts"], "frames": row["facts"]["frames"][::-1]}}
    assert "order" in checker.problems(turned)[0]
