"""The built-in detector: its model file, its answers, what it refuses, and the objects of a scene from it."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from spaceland.errors import DependencyError, SceneError
from spaceland.objects.detector import SsdConfig, SsdFinder, quarter_windows, read_labels, wanted_classes
from spaceland.objects.finder import DetectorObjectFinder, FinderConfig, choose_views
from spaceland.objects.lift import LiftConfig
from spaceland.objects.merge_config import MergeConfig
from spaceland.objects.picture_boxes import ious
from spaceland.objects.ssd import ssd_anchors
from spaceland.objects.types import Detection
from spaceland.scenes.scene import Scene
from spaceland.scenes.sources import open_scene, open_source

ASSETS = resources.files("spaceland") / "assets" / "detector"


@pytest.fixture(scope="module")
def finder() -> SsdFinder:
    pytest.importorskip("ai_edge_litert", reason="the built-in detector needs the extra 'detect'", exc_type=ImportError)
    return SsdFinder()


@pytest.fixture(scope="module")
def room() -> Scene:
    return open_scene("rooms:7?width=320&height=240")


@pytest.fixture(scope="module")
def kitchen() -> Scene:
    folder = os.environ.get("SPACELAND_REAL_DATA")
    if not folder:
        pytest.skip("set SPACELAND_REAL_DATA to a folder with real scans (CONTRIBUTING.md)")
    source = open_source(f"rgbd:{folder}/7scenes_redkitchen?up=auto")
    return source.open(source.ids()[0])


def test_the_package_holds_the_model_with_its_licence_and_notice() -> None:
    model = (ASSETS / "ssd_mobilenetv2_oidv4_fp16.tflite").read_bytes()
    assert hashlib.sha256(model).hexdigest() == "d0a5255bf8c4f5a0bc4240741a76c41d5e939f7655078f945f50ab53a9375da6"
    assert "Apache License" in (ASSETS / "LICENSE-APACHE.txt").read_text()
    assert "MediaPipe Authors" in (ASSETS / "NOTICE.txt").read_text()
    labels = read_labels((ASSETS / "labelmap.txt").read_text())
    assert len(labels) == 24 and labels[0] == "???" and {"chair", "table", "coffee cup"} <= set(labels)


def test_the_network_has_one_answer_for_each_anchor(finder: SsdFinder) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    boxes, scores = finder.raw(picture)
    assert boxes.shape == (len(ssd_anchors()), 4) and scores.shape == (len(ssd_anchors()), 24)
    assert ((scores >= 0) & (scores <= 1)).all() and np.isfinite(boxes).all()


def test_boxes_lie_in_the_picture_best_first_without_doubles_and_the_same_each_time(room: Scene) -> None:
    pytest.importorskip("ai_edge_litert", reason="the built-in detector needs the extra 'detect'", exc_type=ImportError)
    low = SsdFinder(SsdConfig(min_score=0.02, tiles=True))
    picture = np.asarray(room.frames[1].color())
    found = low.detect(picture)
    assert found
    boxes = np.array([d.box_px for d in found])
    height, width = picture.shape[:2]
    assert (boxes >= 0).all() and (boxes <= [width, height, width, height]).all()
    assert [d.score for d in found] == sorted((d.score for d in found), reverse=True)
    overlap = ious(boxes, boxes) - np.eye(len(boxes))
    assert overlap.max() <= low.config.any_class_iou
    for label in {d.label for d in found}:
        same = [k for k, d in enumerate(found) if d.label == label]
        assert overlap[np.ix_(same, same)].max() <= low.config.same_class_iou
    again = low.detect(picture)
    assert [(d.label, d.score, d.box_px) for d in again] == [(d.label, d.score, d.box_px) for d in found]


def test_a_flat_picture_shows_nothing(finder: SsdFinder) -> None:
    assert finder.detect(np.full((300, 400, 3), 128, np.uint8)) == []


@pytest.mark.parametrize("picture", [np.zeros((1, 1, 3), np.uint8), np.zeros((300, 400), np.uint8)])
def test_pictures_that_cannot_be_used_are_refused(finder: SsdFinder, picture: np.ndarray) -> None:
    with pytest.raises(SceneError, match="found a picture of"):
        finder.detect(picture)


@pytest.mark.parametrize("content", [b"", b"no model at all" * 10, "cut"])
def test_a_damaged_model_is_refused(content: bytes | str, tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert", reason="the built-in detector needs the extra 'detect'", exc_type=ImportError)
    whole = (ASSETS / "ssd_mobilenetv2_oidv4_fp16.tflite").read_bytes()
    path = tmp_path / "model.tflite"
    path.write_bytes(whole[: len(whole) // 2] if isinstance(content, str) else content)
    with pytest.raises(SceneError, match="not a usable TFLite model"):
        SsdFinder(model=path)


def test_a_missing_model_is_named(tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert", reason="the built-in detector needs the extra 'detect'", exc_type=ImportError)
    with pytest.raises(SceneError, match=r"gone\.tflite"):
        SsdFinder(model=tmp_path / "gone.tflite")


def test_a_missing_runtime_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ai_edge_litert", "ai_edge_litert.interpreter"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(DependencyError, match=r"pip install 'spaceland\[detect\]'"):
        SsdFinder()


def test_labels_can_be_chosen_and_unknown_ones_are_refused() -> None:
    labels = read_labels((ASSETS / "labelmap.txt").read_text())
    by_default = {label for label, wanted in zip(labels, wanted_classes(labels, ()), strict=True) if wanted}
    assert "chair" in by_default and not by_default & {"???", "person", "cattle", "car"}
    chosen = wanted_classes(labels, ("Person", "coffee_cup"))
    assert [label for label, wanted in zip(labels, chosen, strict=True) if wanted] == ["person", "coffee cup"]
    with pytest.raises(SceneError, match=r"does not know sofa; it knows: .*chair"):
        wanted_classes(labels, ("sofa",))


@pytest.mark.parametrize(("width", "height"), [(640, 480), (333, 777)])
def test_quarters_cover_the_picture_and_overlap(width: int, height: int) -> None:
    covered = np.zeros((height, width), dtype=int)
    for x0, y0, x1, y1 in quarter_windows(width, height, 0.2):
        covered[y0:y1, x0:x1] += 1
    assert covered.min() == 1 and covered.max() == 4


def test_importing_the_finder_loads_no_optional_package() -> None:
    heavy = "('torch', 'transformers', 'ai_edge_litert', 'cv2', 'open3d')"
    modules = "detector, finder, open_vocabulary, sam_masks, tracking"
    code = f"import sys; from spaceland.objects import {modules}; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


class _Oracle:
    """Sees what the room's own id maps show: the box around each object's pixels in a picture it knows."""

    name = "oracle"

    def __init__(self, scene: Scene) -> None:
        self._of = {frame.color().tobytes(): frame for frame in scene.frames}
        self._labels = {thing.id: thing.label for thing in scene.objects}

    def detect(self, image: np.ndarray) -> list[Detection]:
        frame = self._of[image.tobytes()]
        assert frame.object_ids is not None
        ids = np.asarray(frame.object_ids())
        scale = frame.camera.width / ids.shape[1]
        found = []
        for k in np.unique(ids[ids >= 0]).tolist():
            rows, columns = np.nonzero(ids == k)
            if len(rows) > 100:
                box = (columns.min() * scale, rows.min() * scale, (columns.max() + 1) * scale, (rows.max() + 1) * scale)
                found.append(Detection(self._labels[k], 0.9, box, ids == k))
        return found


def test_objects_of_a_scene_are_found_where_they_are_and_broken_frames_are_counted(room: Scene) -> None:
    scene = replace(room, frames=room.frames[::3])

    def broken() -> np.ndarray:
        raise SceneError("frame 3: truncated")

    frames = tuple(replace(f, color=broken) if k == 3 else f for k, f in enumerate(scene.frames))
    calls: list[str] = []
    config = FinderConfig(num_frames=10, lift=LiftConfig(merge=MergeConfig(min_views=2)))
    finder = DetectorObjectFinder(_Oracle(scene), config)
    damaged = replace(scene, frames=frames)
    found = finder.find(damaged, lambda steps, note: calls.append(note))
    looked = [scene.frames[k].id for k in choose_views(scene.frames, 10, "uniform")]
    assert found.report["unreadable_frames"] == {scene.frames[3].id: "frame 3: truncated"}
    assert calls == [k for k in looked if k != scene.frames[3].id]
    assert [thing.id for thing in found.objects] == list(range(len(found.objects)))
    near = [
        min(np.linalg.norm(thing.box.center - real.center) for real in scene.objects if real.label == thing.label)
        for thing in found.objects
    ]
    assert len(near) >= 4 and np.median(near) < 0.15
    with pytest.raises(SceneError, match=r"no picture of scene .* truncated"):
        finder.find(replace(scene, frames=frames[3:4]))
    with pytest.raises(SceneError, match="has no frames"):
        finder.find(replace(scene, frames=()))


def test_views_are_chosen_evenly_or_as_different_as_possible(room: Scene) -> None:
    frames = room.frames
    assert choose_views(frames, 8, "uniform") == [0, 4, 8, 12, 16, 20, 24, 28]
    assert choose_views(frames, 99, "spread") == list(range(32))
    # Twenty times the same place, then four others: spread takes the four before any place twice.
    still = [frames[0]] * 20 + [frames[5], frames[10], frames[15], frames[20]]
    assert choose_views(still, 5, "spread") == [0, 20, 21, 22, 23]


@pytest.mark.parametrize("wrong", [{"num_frames": 0}, {"choose": "best"}])
def test_choices_that_make_no_sense_are_refused(wrong: dict) -> None:
    with pytest.raises(SceneError):
        FinderConfig(**wrong)


@pytest.mark.real
def test_the_kitchen_has_a_table_chairs_and_a_cup_in_its_first_pictures(finder: SsdFinder, kitchen: Scene) -> None:
    labels = {d.label for frame in kitchen.frames[::20] for d in finder.detect(frame.color())}
    assert {"table", "chair", "coffee cup"} <= labels


@pytest.mark.real
@pytest.mark.heavy
def test_the_kitchen_has_one_table_and_at_least_two_chairs(finder: SsdFinder, kitchen: Scene) -> None:
    found = DetectorObjectFinder(config=FinderConfig(num_frames=64)).find(kitchen)
    tables = [thing for thing in found.objects if thing.label in ("table", "desk")]
    best = max(tables, key=lambda thing: thing.score)
    assert best.id == 0  # nothing in the room is surer
    heights = best.points[:, 2]
    count, edge = np.histogram(heights, np.arange(0.0, 1.2, 0.02))
    assert abs(edge[np.argmax(count)] + 0.01 - 0.73) < 0.04
    assert 2.0 < best.box.size[0] < 3.0 and 1.0 < best.box.size[1] < 1.7
    inside = [thing for thing in tables if thing is not best and best.box.contains(thing.box.center)]
    assert not inside  # one object, not several
    chairs = [thing for thing in found.objects if thing.label == "chair"]
    plausible = [t for t in chairs if 0.4 <= t.box.size[0] <= 0.7 and 0.7 <= t.box.size[2] <= 1.1]
    assert len(plausible) >= 2
    centers = np.array([thing.box.center[:2] for thing in plausible])
    apart = np.linalg.norm(centers[:, None] - centers[None], axis=-1) + 10 * np.eye(len(centers))
    assert apart.min() > 0.5  # different chairs
    for thing in plausible:  # beside the table, not somewhere in the room
        assert best.box.contains(thing.box.center, margin_m=0.5)
