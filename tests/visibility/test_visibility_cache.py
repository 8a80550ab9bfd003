"""The cache: read when nothing changed, never when anything did, and a killed run goes on where it was."""

import importlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from visibility_reference import FURNITURE

from handmade import box_scene
from spaceland.geometry.transforms import look_at
from spaceland.scenes.scene import Frame, Scene
from spaceland.visibility import (
    FrameMaps,
    MapMaker,
    SceneVisibility,
    VisibilityConfig,
    close_up_frames,
    map_maker,
    scene_visibility,
)
from spaceland.visibility.frame_maps import from_arrays, to_arrays

WALK = [look_at(np.array([1 + 0.5 * k, 1.0, 1.5]), np.array([2.5, 4.5, 0.6])) for k in range(6)]
ALONG, ASIDE = np.array([0.0, 3.0, 0.0]), np.array([1.0, 0.0, 0.0])
# The package exports a function of the same name, so the module has to be asked for by name.
MODULE = importlib.import_module("spaceland.visibility.scene_visibility")


class Counted:
    """A scene that counts how often each frame's depth is read."""

    def __init__(self, scene: Scene) -> None:
        self.reads: list[str] = []
        self.scene = replace(scene, frames=tuple(self._watched(frame) for frame in scene.frames))

    def _watched(self, frame: Frame) -> Frame:
        assert frame.depth is not None
        inner = frame.depth

        def depth() -> np.ndarray:
            self.reads.append(frame.id)
            return inner()

        return replace(frame, depth=depth)


@pytest.fixture
def watched() -> Counted:
    return Counted(box_scene(FURNITURE, WALK, with_ids=True))


@pytest.fixture(autouse=True)
def short_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MODULE, "_CHUNK", 2)


def same(a: SceneVisibility, b: SceneVisibility) -> bool:
    def rows(seen: SceneVisibility) -> np.ndarray:
        return np.array([view.to_array() for view in seen.views])

    frames = [view.frame_id for view in a.views] == [view.frame_id for view in b.views]
    return frames and np.array_equal(rows(a), rows(b), equal_nan=True) and np.array_equal(a.overlap, b.overlap)


def test_second_run_reads_no_depth_and_gives_the_same(watched: Counted, tmp_path: Path) -> None:
    plain = scene_visibility(watched.scene)
    first = scene_visibility(watched.scene, cache_dir=tmp_path)
    watched.reads.clear()
    second = scene_visibility(watched.scene, cache_dir=tmp_path)
    assert watched.reads == []
    assert same(plain, first) and same(first, second) and len(first.views) > 10


def test_close_ups_are_the_same_from_disk_and_nearly_the_maps_themselves(watched: Counted, tmp_path: Path) -> None:
    config = VisibilityConfig(num_close_ups=4)
    chosen = close_up_frames(watched.scene, config)
    assert len(chosen) == 4 and [frame.id for frame in chosen] != [frame.id for frame in watched.scene.frames[:4]]
    scene_visibility(watched.scene, config, cache_dir=tmp_path)
    fresh = map_maker(watched.scene, config)
    again = replace(watched.scene)  # nothing of this one is in memory
    scene_visibility(again, config, cache_dir=tmp_path)
    watched.reads.clear()
    for frame in chosen:
        stored, here = map_maker(again, config).close_up(frame), fresh.close_up(frame)
        assert watched.reads == []
        assert np.array_equal(stored.depth, here.depth) and np.array_equal(stored.object_ids, here.object_ids)
        exact = MapMaker(watched.scene, config).maps(frame)
        np.testing.assert_allclose(stored.depth, exact.depth, atol=0.000126)
        assert np.array_equal(stored.object_ids, exact.object_ids)
        assert stored.camera == exact.camera and len(stored.edge_pixels) == 0
        watched.reads.clear()


def test_depth_that_does_not_fit_into_the_steps_is_unknown_in_close_ups(watched: Counted) -> None:
    camera = VisibilityConfig().map_camera(watched.scene.frames[0].camera)
    depth = np.full((camera.height, camera.width), 20.0, np.float32)
    depth[0, 0] = 16.25
    contradicted = depth > 17
    maps = FrameMaps(camera, depth, np.full(depth.shape, -1, np.int32), contradicted=contradicted)
    back = from_arrays(camera, to_arrays(maps))
    assert back.depth[0, 0] == 16.25 and np.count_nonzero(back.depth) == 1
    assert back.contradicted is not None and np.array_equal(back.contradicted, contradicted)


def moved_pose(scene: Scene) -> Scene:
    pose = scene.frames[0].T_world_cam.copy()
    pose[0, 3] += 0.01
    return replace(scene, frames=(replace(scene.frames[0], T_world_cam=pose), *scene.frames[1:]))


def other_depth(scene: Scene) -> Scene:
    return replace(scene, frames=(replace(scene.frames[0], content_key=lambda: "new"), *scene.frames[1:]))


def moved_object(scene: Scene) -> Scene:
    thing = scene.objects[0]
    return replace(scene, objects=(replace(thing, points=thing.points + 0.01), *scene.objects[1:]))


def other_box(scene: Scene) -> Scene:
    thing = scene.objects[0]
    box = replace(thing.box, size=thing.box.size * 1.5)
    return replace(scene, objects=(replace(thing, box=box), *scene.objects[1:]))


def moved_vertex(scene: Scene) -> Scene:
    assert scene.surface is not None
    vertices = scene.surface.vertices.copy()
    vertices[-1] += 0.001
    return replace(scene, surface=replace(scene.surface, vertices=vertices))


def other_owner(scene: Scene) -> Scene:
    assert scene.surface is not None and scene.surface.object_ids is not None
    owners = scene.surface.object_ids.copy()
    owners[0] = -1
    return replace(scene, surface=replace(scene.surface, object_ids=owners))


def other_camera(scene: Scene) -> Scene:
    camera = replace(scene.frames[0].camera, fx=261.0)
    return replace(scene, frames=(replace(scene.frames[0], camera=camera), *scene.frames[1:]))


@pytest.mark.parametrize(
    ("change", "frames_redone"),
    [
        (moved_pose, 2),
        (other_depth, 2),
        (other_camera, 2),
        (moved_object, 6),
        (other_box, 6),
        (moved_vertex, 6),
        (other_owner, 6),
    ],
)
def test_any_change_misses_the_cache(
    watched: Counted, tmp_path: Path, change: Callable[[Scene], Scene], frames_redone: int
) -> None:
    scene_visibility(watched.scene, cache_dir=tmp_path)
    watched.reads.clear()
    changed = change(watched.scene)
    cached = scene_visibility(changed, cache_dir=tmp_path)
    assert len(watched.reads) == frames_redone
    assert same(cached, scene_visibility(changed))


def test_other_settings_miss_the_cache(watched: Counted, tmp_path: Path) -> None:
    scene_visibility(watched.scene, cache_dir=tmp_path)
    watched.reads.clear()
    scene_visibility(watched.scene, VisibilityConfig(tolerance_m=0.05), cache_dir=tmp_path)
    assert len(watched.reads) == 6


def test_damaged_files_are_computed_anew(watched: Counted, tmp_path: Path) -> None:
    first = scene_visibility(watched.scene, cache_dir=tmp_path)
    files = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    assert len(files) == 3
    good = files[0].read_bytes()
    flipped = bytearray(good)
    flipped[len(good) // 2] ^= 1
    for damaged in (b"", good[:10], good[: len(good) // 2], good[:-1], bytes(flipped), b"not a cache file" * 9):
        files[0].write_bytes(damaged)
        watched.reads.clear()
        # Another object of the same scene: maps of this one may still be in memory.
        assert same(first, scene_visibility(replace(watched.scene), cache_dir=tmp_path))
        assert len(watched.reads) == 2
        assert files[0].read_bytes() == good


def test_a_killed_run_goes_on_where_it_was(watched: Counted, tmp_path: Path) -> None:
    def kill(done: int, _: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scene_visibility(watched.scene, cache_dir=tmp_path, progress=kill)
    watched.reads.clear()
    calls: list[tuple[int, int]] = []
    resumed = scene_visibility(watched.scene, cache_dir=tmp_path, progress=lambda *now: calls.append(now))
    assert watched.reads == ["000004", "000005"]
    assert calls == [(2, 6), (4, 6), (6, 6)]
    assert same(resumed, scene_visibility(watched.scene))


def test_without_a_surface_any_depth_counts(watched: Counted, tmp_path: Path) -> None:
    """Overlap then comes from the depth of all frames, so one new depth image changes every chunk."""
    scene = replace(watched.scene, surface=None)
    first = scene_visibility(scene, cache_dir=tmp_path)
    watched.reads.clear()
    assert same(first, scene_visibility(scene, cache_dir=tmp_path)) and watched.reads == []
    scene_visibility(other_depth(scene), cache_dir=tmp_path)
    assert set(watched.reads) == {frame.id for frame in scene.frames}


def test_overlap_is_a_share_of_the_common_surface() -> None:
    twice = [WALK[0], WALK[3], WALK[0]]
    seen = scene_visibility(box_scene(FURNITURE, twice, with_ids=True))
    overlap = seen.overlap
    assert overlap.shape == (3, 3) and seen.frame_ids == ("000000", "000001", "000002")
    assert np.allclose(np.diag(overlap), 1) and overlap[0, 2] == overlap[2, 0] == 1
    assert 0.2 < overlap[0, 1] < 0.9 and 0.2 < overlap[1, 0] < 0.9
    assert abs(overlap[0, 1] - overlap[1, 0]) < 0.2


@pytest.mark.parametrize("surface", [True, False])
def test_overlap_of_opposite_views_is_none(surface: bool) -> None:
    middle = np.array([3.0, 4.0, 1.5])
    scene = box_scene([], [look_at(middle, middle + ALONG), look_at(middle, middle - ALONG)])
    overlap = scene_visibility(scene if surface else replace(scene, surface=None)).overlap
    assert np.array_equal(overlap, np.eye(2))


def test_overlap_of_half_a_turn_of_the_head() -> None:
    """Two views of a far wall, side by side: the share is that of the columns which both pictures have."""
    eye = np.array([3.0, 0.5, 1.5])
    step = look_at(eye + ASIDE, eye + ASIDE + ALONG)
    scene = box_scene([("wall", (3, 6, 1.5), (12, 0.1, 8))], [look_at(eye, eye + ALONG), step], room_size=(6, 8, 3))
    scene = replace(scene, surface=None)
    overlap = scene_visibility(scene).overlap
    width_m = 5.45 * 320 / 260
    assert overlap[0, 1] == pytest.approx(1 - 1.0 / width_m, abs=0.06)


def test_an_occluded_wall_is_not_seen_by_both() -> None:
    """A screen between the second camera and the wall: the frames share the floor beside it, not the wall."""
    poses = [
        look_at(np.array([3.0, 5.0, 1.5]), np.array([3.0, 8.0, 1.5])),
        look_at(np.array([3.0, 0.5, 1.5]), np.array([3.0, 8.0, 1.5])),
    ]
    open_room = scene_visibility(box_scene([], poses, with_ids=True)).overlap
    screened = scene_visibility(box_scene([("screen", (3, 3, 1.5), (5.8, 0.1, 2.9))], poses, with_ids=True)).overlap
    assert open_room[0, 1] > 0.9
    assert screened[0, 1] < 0.05
