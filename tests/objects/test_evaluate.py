"""Scores on hand-made boxes, objects attached to scenes and kept on disk, and what sample rooms give back."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from handmade import box_scene
from spaceland.errors import SceneError
from spaceland.geometry.boxes import AxisAlignedBox
from spaceland.geometry.transforms import look_at
from spaceland.objects.attach import keep_ids, nearest_object, read_found, with_objects, write_found
from spaceland.objects.evaluate import overlaps, score_objects
from spaceland.objects.find import find_objects
from spaceland.objects.labels import Labels
from spaceland.objects.simulate import Noise, disturbed, true_detections
from spaceland.objects.types import Found, FoundObject
from spaceland.scenes.scene import Scene, SceneObject, Surface
from spaceland.scenes.sources import open_scene
from spaceland.visibility import MapMaker, VisibilityConfig


def cube(x: float, size: float = 1.0) -> tuple[np.ndarray, AxisAlignedBox]:
    """A lattice of points in a cube whose centre is at (x, 0, 0), and its box."""
    steps = np.linspace(-size / 2, size / 2, 9)
    points = np.stack(np.meshgrid(steps, steps, steps), -1).reshape(-1, 3) + [x, 0, 0]
    return points, AxisAlignedBox.from_points(points)


def thing(number: int, x: float, label: str = "box", score: float = 0.5) -> FoundObject:
    points, box = cube(x)
    return FoundObject(number, label, score, points, box.oriented(), ("f",), {label: 1})


def true(number: int, x: float, label: str = "box") -> SceneObject:
    points, box = cube(x)
    return SceneObject(number, label, label, points, box.oriented())


def test_scores_by_hand() -> None:
    # Cubes shifted by a fifth share 0.8 of 1.2: IoU 2/3. By 0.5: 1/3. By 0.7: 0.3 of 1.7.
    truth = [true(10, 0.0), true(11, 3.0), true(12, 6.0, "lamp")]
    found = [thing(0, 0.2, score=0.9), thing(1, 3.5, score=0.8), thing(2, 6.0, score=0.7), thing(3, 20.0, score=0.6)]
    table = overlaps(found, truth)
    assert np.allclose(np.diag(table[:3]), [2 / 3, 1 / 3, 1.0]) and np.allclose(table[3], 0)
    loose = score_objects(found, truth, 0.25)
    assert [(a, b) for a, b, _ in loose.pairs] == [(0, 10), (1, 11), (2, 12)]
    assert loose.recall == 1 and loose.precision == 0.75 and loose.wrong == (3,)
    strict = score_objects(found, truth, 0.5)
    assert strict.recall == pytest.approx(2 / 3) and strict.precision == 0.5 and strict.missed == (11,)
    named = score_objects(found, truth, 0.25, labels=Labels())
    assert named.missed == (12,) and named.wrong == (2, 3)
    aside = score_objects(found, truth, 0.25, set_aside={12})
    assert len(aside.pairs) == 2 and aside.recall == 1 and aside.precision == pytest.approx(2 / 3)


def test_greedy_by_score_each_true_object_once() -> None:
    truth = [true(0, 0.0)]
    found = [thing(0, 0.0, score=0.3), thing(1, 0.1, score=0.9)]
    score = score_objects(found, truth, 0.25)
    assert [(a, b) for a, b, _ in score.pairs] == [(1, 0)] and score.wrong == (0,)
    assert score_objects(list(reversed(found)), truth, 0.25) == score


def test_empty_scores_and_bad_limits() -> None:
    assert np.isnan(score_objects([], [], 0.5).recall) and np.isnan(score_objects([], [], 0.5).precision)
    assert score_objects([], [true(0, 0.0)], 0.5).recall == 0
    assert score_objects([thing(0, 0.0)], [], 0.5).precision == 0
    for iou in (0.0, -1.0, 1.5, float("nan")):
        with pytest.raises(ValueError, match="IoU"):
            score_objects([], [], iou)


def test_axis_aligned_boxes() -> None:
    assert np.allclose(overlaps([thing(0, 0.2)], [true(0, 0.0)], "axis_aligned"), 2 / 3)


@pytest.fixture(scope="module")
def room() -> Scene:
    boxes = [("chair", (2.0, 4.0, 0.45), (0.5, 0.5, 0.9)), ("table", (4.0, 4.0, 0.70), (1.2, 0.8, 0.1))]
    eyes = [(1.0, 1.0), (3.0, 1.2), (5.2, 1.0), (5.4, 6.5), (1.0, 6.5)]
    return box_scene(boxes, [look_at(np.array([x, y, 1.6]), np.array([3.0, 4.2, 0.6])) for x, y in eyes], with_ids=True)


@pytest.fixture(scope="module")
def found(room: Scene) -> Found:
    plain = {f: [replace(d, track=-1) for d in ds] for f, ds in true_detections(room).items()}
    return find_objects(room, plain, name="perfect masks")


def test_found_objects_become_the_scenes_own(room: Scene, found: Found) -> None:
    scene = with_objects(room, found)
    assert {thing.id: thing.label for thing in scene.objects} == {t.id: t.label for t in found.objects}
    assert scene.provenance["objects"]["finder"] == "perfect masks"  # type: ignore[index]
    assert all(frame.object_ids is None for frame in scene.frames)
    assert scene.frames[0].content_key() != room.frames[0].content_key()
    assert scene.surface is not None and scene.surface.object_ids is not None
    assert room.surface is not None and room.surface.object_ids is not None
    match = {b: a for a, b, _ in score_objects(found.objects, room.objects, 0.5).pairs}
    # Vertices that some frame sees: those of the table's top and the chair's upper half.
    for truth in room.objects:
        high = (room.surface.object_ids == truth.id) & (room.surface.vertices[:, 2] > 0.5)
        high &= truth.box.to_box_frame(room.surface.vertices)[:, 2] > 0
        assert (scene.surface.object_ids[high] == match[truth.id]).mean() > 0.9
    far = room.surface.object_ids == -1
    assert (scene.surface.object_ids[far] == -1).mean() > 0.98
    # What frames see by depth is what was found.
    maps = MapMaker(scene, VisibilityConfig()).maps(scene.frames[1])
    known = room.frames[1].object_ids
    assert known is not None
    chair = known() == 0
    assert (maps.object_ids[chair] == match[0]).mean() > 0.95


def test_reach_follows_the_spacing_of_the_surface() -> None:
    points, _ = cube(0.0, 0.2)
    one = [replace(thing(7, 0.0), points=points)]
    dense = np.array([[0.1 + 0.02, 0, 0], [0.1 + 0.05, 0, 0], [0.1 + 0.06, 0, 0], [0.1 + 0.07, 0, 0]])
    assert nearest_object(dense, one).tolist() == [7, -1, -1, -1]
    sparse = np.array([[0.15 + 0.06 * k, 0, 0] for k in range(3)])
    assert nearest_object(sparse, one).tolist() == [7, -1, -1]
    assert nearest_object(np.zeros((0, 3)), one).tolist() == []
    assert nearest_object(dense, []).tolist() == [-1] * 4


def test_a_scene_without_surface_takes_objects_too(room: Scene, found: Found) -> None:
    scene = with_objects(replace(room, surface=None), found)
    assert len(scene.objects) == 2 and scene.surface is None
    empty = with_objects(replace(room, surface=Surface(np.zeros((0, 3)))), Found((), {}))
    assert empty.objects == ()


def test_found_objects_on_disk(found: Found, tmp_path: Path) -> None:
    write_found(found, tmp_path)
    first = (tmp_path / "objects.json").read_bytes(), (tmp_path / "objects_points.npz").read_bytes()
    back = read_found(tmp_path)
    for a, b in zip(found.objects, back.objects, strict=True):
        assert (a.id, a.label, a.score, a.frames, dict(a.votes)) == (b.id, b.label, b.score, b.frames, dict(b.votes))
        assert np.allclose(a.points, b.points, atol=1e-6) and np.array_equal(a.box.rotation, b.box.rotation)
    assert back.report["finder"] == "perfect masks" and back.report["next_id"] == 2
    write_found(found, tmp_path)
    assert first == ((tmp_path / "objects.json").read_bytes(), (tmp_path / "objects_points.npz").read_bytes())


def test_damaged_files_of_objects(found: Found, tmp_path: Path) -> None:
    write_found(found, tmp_path)
    path = tmp_path / "objects.json"
    good = path.read_text()
    for text in (good[:-40], "[]", good.replace('"id": 0', '"id": 1'), good.replace('"schema": 1', '"schema": 9'),
                 good.replace('"id": 0', '"id": 55'), good.replace('"center": [', '"center": [1.0,'),
                 good.replace('"score"', '"sc0re"')):  # fmt: skip
        assert text != good
        path.write_text(text)
        with pytest.raises(SceneError, match="objects"):
            read_found(tmp_path)
    path.write_text(good)
    (tmp_path / "objects_points.npz").unlink()
    with pytest.raises(SceneError, match="missing file"):
        read_found(tmp_path)


def test_the_same_thing_keeps_its_id_and_ids_are_never_used_again(tmp_path: Path) -> None:
    earlier = Found((thing(0, 0.0), thing(1, 3.0), thing(2, 6.0)), {})
    # The second run finds the last two, and something new, in another order of score.
    second = keep_ids(Found((thing(0, 6.1), thing(1, 9.0), thing(2, 3.1)), {}), earlier)
    assert [(t.id, round(float(t.box.center[0]), 1)) for t in second.objects] == [(2, 6.1), (3, 9.0), (1, 3.1)]
    # The new thing goes away again; its id stays taken, also over a file.
    third = keep_ids(Found((thing(0, 6.0),), {}), second)
    write_found(third, tmp_path)
    fourth = keep_ids(Found((thing(0, 12.0), thing(1, 6.0)), {}), read_found(tmp_path))
    assert [t.id for t in fourth.objects] == [4, 2]
    # Another label needs more overlap: IoU 2/3 will do, 1/3 will not.
    lamp = Found((thing(0, 0.2, "lamp"), thing(1, 3.5, "lamp")), {})
    assert [t.id for t in keep_ids(lamp, earlier).objects] == [0, 3]


@pytest.fixture(scope="module")
def sample() -> Scene:
    """Half of the frames of a sample room, each rendered once."""
    scene = open_scene("rooms:8?width=320&height=240")
    frames = []
    for frame in scene.frames[::2]:
        assert frame.depth is not None and frame.object_ids is not None
        depth, ids = np.asarray(frame.depth()), np.asarray(frame.object_ids())
        frames.append(replace(frame, depth=lambda depth=depth: depth, object_ids=lambda ids=ids: ids))
    return replace(scene, frames=tuple(frames))


def scores(scene: Scene, noise: Noise | None, ious: tuple[float, ...], labels: Labels | None = None) -> list:
    """Scores of what is found again, among the objects that at least 3 frames show."""
    perfect = true_detections(scene)
    views = Counter(d.track for ds in perfect.values() for d in ds)
    aside = {t.id for t in scene.objects if views[t.id] < 3}
    given = {f: [replace(d, track=-1) for d in ds] for f, ds in perfect.items()}
    if noise is not None:
        given = disturbed(given, noise, [t.label for t in scene.objects])
    found = find_objects(scene, given)
    return [score_objects(found.objects, scene.objects, iou, labels=labels, set_aside=aside) for iou in ious]


def test_perfect_masks_give_back_nearly_all_objects(sample: Scene) -> None:
    loose, strict = scores(sample, None, (0.25, 0.5), Labels())
    assert len(loose.pairs) >= 12
    assert loose.recall >= 0.95 and loose.precision >= 0.95
    assert strict.recall >= 0.85


def test_disturbed_masks_give_back_most_objects(sample: Scene) -> None:
    """Half the rooms' usual size, so half the usual border."""
    (score,) = scores(sample, Noise(border_px=2), (0.25,), Labels())
    assert score.recall >= 0.8 and score.precision >= 0.8


def test_noise_is_what_it_says(sample: Scene) -> None:
    perfect = true_detections(sample)
    labels = [t.label for t in sample.objects]
    noisy = disturbed(perfect, Noise(seed=4), labels)
    again = disturbed(perfect, Noise(seed=4), labels)
    assert list(noisy) == list(again) and 0.5 < len(noisy) / len(perfect) < 1
    pairs = [(a, b) for f in noisy for a, b in zip(noisy[f], again[f], strict=True)]
    assert all(a.label == b.label and np.array_equal(a.mask, b.mask) for a, b in pairs)
    original = {(f, d.track): d for f, ds in perfect.items() for d in ds}
    flips = [d.label != original[f, d.track].label for f, ds in noisy.items() for d in ds]
    assert 0.02 < np.mean(flips) < 0.25
    nothing = disturbed(perfect, Noise(dropped_frames=0, border_px=0, flipped_labels=0), labels)
    assert all(np.array_equal(a.mask, b.mask) for f in perfect for a, b in zip(perfect[f], nothing[f], strict=True))


@pytest.mark.heavy
@pytest.mark.parametrize("number", [12, 21])
def test_full_rooms(number: int) -> None:
    """The goal of the lifting, 95 % of what three frames show, at the rooms' own size."""
    scene = open_scene(f"rooms:{number}")
    loose, strict = scores(scene, None, (0.25, 0.5))
    assert loose.recall >= 0.95 and loose.precision >= 0.95 and strict.recall >= 0.9
    noisy, strict = scores(scene, Noise(), (0.25, 0.5))
    assert noisy.recall >= 0.9 and noisy.precision >= 0.9 and strict.recall >= 0.75
