"""The user's own masks: hand-made files, and files that are broken or hostile."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from handmade import box_scene
from spaceland.errors import SceneError
from spaceland.files import encode_png
from spaceland.geometry.transforms import look_at
from spaceland.objects.mask3d import Mask3dFinder
from spaceland.objects.masks import MaskFileFinder, MaskFolderFinder, mask_finder
from spaceland.objects.masks_rle import decode_rle, encode_rle
from spaceland.scenes.scene import Scene

BOXES = [
    ("chair", (2.0, 4.0, 0.45), (0.5, 0.5, 0.9)),
    ("table", (4.0, 4.0, 0.70), (1.2, 0.8, 0.1)),
    ("lamp", (3.0, 5.5, 0.8), (0.3, 0.3, 1.6)),
]


@pytest.fixture(scope="module")
def scene() -> Scene:
    eyes = [(1.0, 1.0), (3.0, 1.2), (5.2, 1.0), (5.4, 6.5)]
    return box_scene(BOXES, [look_at(np.array([x, y, 1.6]), np.array([3.0, 4.2, 0.6])) for x, y in eyes], with_ids=True)


def ids_of(scene: Scene, number: int) -> np.ndarray:
    frame = scene.frames[number]
    assert frame.object_ids is not None
    return frame.object_ids()


@pytest.fixture
def folder(scene: Scene, tmp_path: Path) -> Path:
    for number, frame in enumerate(scene.frames):
        ids = ids_of(scene, number)
        # Ids need neither start at 1 nor be close together.
        image = np.where(ids >= 0, 10 * ids + 300, 0).astype(np.uint16)
        (tmp_path / f"{frame.id}.png").write_bytes(encode_png(image))
    (tmp_path / "labels.json").write_text(json.dumps({"300": "Chair", "310": "table"}))
    return tmp_path


def test_hand_made_run_lengths() -> None:
    mask = np.array([[0, 1, 1], [0, 0, 1]], dtype=bool)
    assert np.array_equal(decode_rle({"size": [2, 3], "counts": [2, 1, 1, 2]}), mask)
    # 2 1 1 and then 2 - 1 = 1, each one group of bits: codes 50 49 49 49.
    assert np.array_equal(decode_rle({"size": [2, 3], "counts": "2111"}), mask)
    assert encode_rle(mask) == {"size": [2, 3], "counts": "2111"}
    assert encode_rle(mask, compressed=False) == {"size": [2, 3], "counts": [2, 1, 1, 2]}
    # 100 = 0b00011_00100: low group 4 with "more" (48 + 4 + 32 = 84, T), then 3 (51, "3").
    wide = np.zeros((1, 200), dtype=bool)
    wide[0, 100:] = True
    assert encode_rle(wide)["counts"] == "T3T3"
    assert np.array_equal(decode_rle({"size": [1, 200], "counts": "T3T3"}), wide)
    # A full mask starts with no zeros; 16 needs a second group, since its fifth bit would be the sign.
    assert encode_rle(np.ones((4, 4), dtype=bool))["counts"] == "0`0"
    assert decode_rle({"size": [4, 4], "counts": "0`0"}).all()
    # A difference below zero: counts 0 5 9 1 1, stored 0 5 9 -4 -8.
    falling = {"size": [4, 4], "counts": [0, 5, 9, 1, 1]}
    text = encode_rle(decode_rle(falling))["counts"]
    assert text == "059LH" and np.array_equal(decode_rle({"size": [4, 4], "counts": text}), decode_rle(falling))


def test_run_lengths_come_back() -> None:
    random = np.random.default_rng(0)
    for shape in [(1, 1), (7, 5), (40, 60), (240, 320)]:
        for share in (0.0, 0.02, 0.5, 1.0):
            mask = random.random(shape) < share
            for compressed in (True, False):
                assert np.array_equal(decode_rle(encode_rle(mask, compressed=compressed)), mask)


@pytest.mark.parametrize(
    ("segmentation", "message"),
    [
        ([[1, 2, 3, 4]], "polygons"),
        ({"size": [2, 3]}, "run lengths"),
        ({"size": [2], "counts": "2111"}, "size"),
        ({"size": [True, 3], "counts": "2111"}, "size"),
        ({"size": [2, 10**9], "counts": "2111"}, "outside"),
        ({"size": [32768, 32768], "counts": [32768 * 32768]}, "too large"),
        ({"size": [-2, -3], "counts": "2111"}, "outside"),
        ({"size": [2, 3], "counts": [2, 1, 1]}, "add up"),
        ({"size": [2, 3], "counts": [2, 1, 1, 10**15]}, "larger than the mask"),
        ({"size": [2, 3], "counts": [8, -2]}, "negative"),
        ({"size": [2, 3], "counts": [2.0, 4.0]}, "whole numbers"),
        ({"size": [2, 3], "counts": "211"}, "add up"),
        ({"size": [2, 3], "counts": "ooooooooooooooooooo1"}, "no run length"),
        ({"size": [2, 3], "counts": "211T"}, "middle of a number"),
        ({"size": [2, 3], "counts": "2\u00e9"}, "no run length"),
        ({"size": [2, 3], "counts": "O"}, "negative"),
        ({"size": [2, 3], "counts": ""}, "add up"),
    ],
)
def test_hostile_run_lengths_are_refused(segmentation: object, message: str) -> None:
    with pytest.raises(SceneError, match=message):
        decode_rle(segmentation, "masks.json: entry 3")


def test_a_folder_of_id_images(scene: Scene, folder: Path) -> None:
    found = mask_finder(folder).find(scene)
    assert {thing.id: thing.label for thing in found.objects} == {300: "chair", 310: "table", 320: "object"}
    for thing in found.objects:
        truth = scene.objects[(thing.id - 300) // 10].box
        assert np.linalg.norm(thing.box.center - truth.center) < 0.06
    counted = MaskFolderFinder(folder, same_ids=False).find(scene)
    assert sorted(thing.label for thing in counted.objects) == ["chair", "object", "table"]
    assert [thing.id for thing in counted.objects] == [0, 1, 2]


def test_smaller_and_8_bit_id_images(scene: Scene, folder: Path) -> None:
    for number, frame in enumerate(scene.frames):
        small = (ids_of(scene, number)[::2, ::2] + 1).astype(np.uint8)
        (folder / f"{frame.id}.png").write_bytes(encode_png(small))
    (folder / "labels.json").unlink()
    found = MaskFolderFinder(folder).find(scene)
    assert sorted(thing.id for thing in found.objects) == [1, 2, 3]
    assert {thing.label for thing in found.objects} == {"object"}


def test_broken_folders(scene: Scene, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    def fails(message: str) -> None:
        with pytest.raises(SceneError, match=message):
            MaskFolderFinder(folder).find(scene)

    path = folder / "000001.png"
    good = path.read_bytes()
    path.write_bytes(good[: len(good) // 2])
    fails("truncated")
    Image.new("RGB", (320, 240)).save(path)
    fails("one channel")
    path.write_bytes(encode_png(np.zeros((240, 300), np.uint8)))
    fails("300x240.*320x240")
    path.write_bytes(good)
    (folder / "000777.png").write_bytes(good)
    # A recording may have been thinned: masks of frames that are not there are counted, unless all are such.
    assert MaskFolderFinder(folder).find(scene).report["masks_of_other_frames"] == 1
    others = [file.rename(file.with_name(f"x{file.name}")) for file in sorted(folder.glob("*.png"))]
    fails("no frame of scene.*x000000")
    for file in others:
        file.rename(file.with_name(file.name[1:]))
    (folder / "000777.png").unlink()
    for text in ('["chair"]', '{"one": "chair"}', '{"0": "chair"}', '{"1": 5}', "{"):
        (folder / "labels.json").write_text(text)
        fails("labels.json")
    with pytest.raises(SceneError, match="no folder"):
        MaskFolderFinder(folder / "nothing").find(scene)
    with pytest.raises(SceneError, match="holds no PNG"):
        MaskFolderFinder(tmp_path_factory.mktemp("empty")).find(scene)


def entries_of(scene: Scene) -> list[dict]:
    entries = []
    for number, frame in enumerate(scene.frames):
        ids = ids_of(scene, number)
        for thing in scene.objects:
            if (ids == thing.id).sum() > 50:
                segmentation = encode_rle(ids == thing.id, compressed=number % 2 == 0)
                entry = {"frame_id": frame.id, "label": thing.label, "score": 0.8, "segmentation": segmentation}
                entries.append({**entry, "track": thing.id} if number % 2 else entry)
    return entries


def test_a_file_of_run_lengths(scene: Scene, tmp_path: Path) -> None:
    path = tmp_path / "masks.json"
    path.write_text(json.dumps(entries_of(scene)))
    found = mask_finder(path).find(scene)
    assert sorted(thing.label for thing in found.objects) == ["chair", "lamp", "table"]
    for thing in found.objects:
        truth = next(other for other in scene.objects if other.label == thing.label)
        assert np.linalg.norm(thing.box.center - truth.box.center) < 0.06
        assert 0.6 < thing.score <= 0.8


def test_broken_files_of_run_lengths(scene: Scene, tmp_path: Path) -> None:
    path, good = tmp_path / "masks.json", entries_of(scene)[0]

    def fails(content: object, message: str) -> None:
        path.write_text(json.dumps(content))
        with pytest.raises(SceneError, match=message):
            MaskFileFinder(path).find(scene)

    fails({"annotations": []}, "expected a list")
    fails([5], "entry 0: expected an object")
    fails([{**good, "frame_id": "../../etc/passwd"}], "no frame of scene")
    fails([{**good, "frame_id": 7}], "must be texts")
    fails([{key: good[key] for key in ("frame_id", "label")}], "segmentation missing")
    fails([{**good, "score": 1.5}], "score")
    fails([{**good, "track": "a"}], "track")
    fails([{**good, "segmentation": {"size": [10, 40], "counts": [400]}}], "40x10.*320x240")
    with pytest.raises(SceneError, match="missing file"):
        MaskFileFinder(tmp_path / "none.json").find(scene)
    path.write_text("[]")
    assert MaskFileFinder(path).find(scene).objects == ()


def write_mask3d(scene: Scene, folder: Path) -> Path:
    assert scene.surface is not None and scene.surface.object_ids is not None
    (folder / "pred_mask").mkdir(parents=True, exist_ok=True)
    lines = []
    for thing in scene.objects:
        name = f"pred_mask/{scene.id}_{thing.id:03d}.txt"
        (folder / name).write_text("\n".join(str(int(k == thing.id)) for k in scene.surface.object_ids) + "\n")
        lines.append(f"{name} {thing.id + 4} {0.2 + 0.3 * thing.id:.3f}")
    path = folder / f"{scene.id}.txt"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_mask3d_exports(scene: Scene, tmp_path: Path) -> None:
    path = write_mask3d(scene, tmp_path)
    labels = {4: "chair", 5: "table"}
    for where in (tmp_path, path):
        found = Mask3dFinder(where, labels).find(scene)
        # Order and ids of the file, although the scores rise.
        assert [(thing.id, thing.label) for thing in found.objects] == [(0, "chair"), (1, "table"), (2, "class 6")]
        assert [thing.score for thing in found.objects] == [0.2, 0.5, 0.8]
    for thing, truth in zip(found.objects, scene.objects, strict=True):
        assert np.array_equal(thing.points, truth.points)
        assert np.allclose(thing.box.center, truth.box.center, atol=1e-6)
        assert set(thing.frames) <= set(scene.frames_by_id)
    assert len(found.objects[0].frames) >= 3
    limited = Mask3dFinder(tmp_path, labels, min_score=0.3, limit=1).find(scene)
    assert [thing.id for thing in limited.objects] == [1]
    assert limited.report["left_out"] == {"object: beyond the limit": 1, "object: score too low": 1}


def test_broken_mask3d_exports(scene: Scene, tmp_path: Path) -> None:
    path = write_mask3d(scene, tmp_path)
    good = path.read_text()
    outside = tmp_path.parent / "outside.txt"
    assert scene.surface is not None
    outside.write_text("1\n" * len(scene.surface.vertices))

    def fails(text: str, message: str) -> None:
        path.write_text(text)
        with pytest.raises(SceneError, match=message):
            Mask3dFinder(tmp_path).find(scene)

    fails("../outside.txt 4 0.9\n", "outside its folder")
    fails(f"{outside} 4 0.9\n", "outside its folder")
    (tmp_path / "link.txt").symlink_to(outside)
    fails("link.txt 4 0.9\n", "outside its folder")
    fails("pred_mask/none.txt 4 0.9\n", "missing file")
    fails("pred_mask/none.txt 4\n", "line 1")
    fails(good.replace(" 4 ", " four "), "line 1")
    fails(good.replace("0.200", "nan"), "line 1")
    mask = tmp_path / "pred_mask" / f"{scene.id}_000.txt"
    text = mask.read_text()
    mask.write_text(text[:-2])
    fails(good, "same mesh")
    mask.write_text(text.replace("0", "2", 1))
    fails(good, "other values")
    mask.write_text("1" * (9 * len(text)))
    fails(good, "larger than")
    mask.write_text(text)
    path.unlink()
    with pytest.raises(SceneError, match="missing file"):
        Mask3dFinder(tmp_path).find(scene)
    with pytest.raises(SceneError, match="no surface"):
        Mask3dFinder(tmp_path).find(replace(scene, surface=None))
