"""Frames for a model: the paper's formula, or those that together show most of the room."""

from __future__ import annotations

import numpy as np
import pytest

from spaceland.prompts.model_frames import choose_model_frames, shown_cubes
from spaceland.scenes.scene import Scene, make_scene
from spaceland.scenes.sources import open_scene


@pytest.fixture(scope="module")
def room() -> Scene:
    scene = open_scene("rooms:7")
    frames = [scene.frames[k] for k in (0, 9, 20)]
    # Somebody who lingers: the first view again and again.
    doubles = [type(frames[0])(**{**vars(scene.frames[0]), "id": f"again_{k}"}) for k in range(6)]
    return make_scene(
        id="lingering",
        frames=[*doubles, *frames],
        objects=scene.objects,
        surface=scene.surface,
        room=scene.room,
        geometry="generated",
        provenance=scene.provenance,
    )


def test_uniform_is_the_paper_formula(room: Scene) -> None:
    assert choose_model_frames(room, 4) == [0, 2, 4, 6]
    assert choose_model_frames(room, 50) == list(range(9))


def test_coverage_takes_each_view_once(room: Scene) -> None:
    chosen = choose_model_frames(room, 3, "coverage")
    assert chosen == sorted(chosen) and len(set(chosen)) == 3
    assert {7, 8} <= set(chosen) and min(chosen) == 0
    shown = shown_cubes(room, list(room.frames))
    assert shown[:, chosen].any(1).all()


def test_when_everything_is_shown_the_rest_fills_the_gaps(room: Scene) -> None:
    chosen = choose_model_frames(room, 5, "coverage")
    assert len(set(chosen)) == 5 and {0, 7, 8} <= set(chosen)
    assert 3 in chosen or 4 in chosen


@pytest.mark.heavy
def test_a_scene_without_depth_is_covered_by_its_surface(room: Scene) -> None:
    bare = [type(f)(**{**vars(f), "depth": None, "object_ids": None}) for f in room.frames]
    scene = make_scene(
        id="bare",
        frames=bare,
        objects=room.objects,
        surface=room.surface,
        room=room.room,
        geometry="generated",
        provenance=room.provenance,
    )
    assert {7, 8} <= set(choose_model_frames(scene, 3, "coverage"))
    with_depth = shown_cubes(room, list(room.frames[6:])).sum(0)
    without = shown_cubes(scene, list(scene.frames[6:])).sum(0)
    np.testing.assert_allclose(without, with_depth, rtol=0.1)
