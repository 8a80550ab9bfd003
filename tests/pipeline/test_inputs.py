"""Which sources are plain pictures, and which settings are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spaceland.errors import SourceError
from spaceland.files import encode_jpeg, encode_png, write_bytes, write_json
from spaceland.pipeline.config import PipelineConfig, given
from spaceland.pipeline.finders import files_key, make_finder
from spaceland.pipeline.inputs import capture_path
from spaceland.pipeline.run import prepare
from spaceland.pipeline.stages import folder_name
from spaceland.pipeline.words import describe
from spaceland.reconstruct.stages import StageResult


def test_videos_and_pictures_are_captures_and_datasets_are_not(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    assert capture_path(str(photos)) is None
    (photos / "a.jpg").write_bytes(encode_jpeg(np.zeros((4, 4, 3), np.uint8)))
    assert capture_path(str(photos)) == photos == capture_path(f"images:{photos}")
    assert capture_path("room.MP4") == Path("room.MP4") and capture_path("video:x.bin") == Path("x.bin")
    for source in ("rooms:7", "rgbd:kitchen?up=auto", f"folder:{tmp_path}", "scannet:/data"):
        assert capture_path(source) is None
    # The same pictures with poses are a dataset.
    (photos / "frame-000000.color.jpg").write_bytes((photos / "a.jpg").read_bytes())
    (photos / "frame-000000.pose.txt").write_text("1 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 1\n")
    assert capture_path(str(photos)) is None


def test_folders_that_these_programs_wrote_are_no_pictures_of_a_room(tmp_path: Path) -> None:
    write_bytes(tmp_path / "bev.png", encode_png(np.zeros((4, 4, 3), np.uint8)))
    assert capture_path(str(tmp_path)) == tmp_path
    (tmp_path / "objects.json").write_text("{}")
    (tmp_path / "prompt.json").write_text("[]")
    with pytest.raises(SourceError, match="holds marked views"):
        capture_path(str(tmp_path))
    write_json(tmp_path / "poses/stage.json", {})
    with pytest.raises(SourceError, match="whose scene is not finished"):
        capture_path(str(tmp_path))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"keyframes": 1}, "keyframes cannot show depth"),
        ({"depth": "magic"}, "depth 'magic' is unknown"),
        ({"depth": "none"}, "depth 'none' is unknown"),
        ({"depth": "mono:"}, "names no model"),
        ({"objects": "all"}, "objects 'all' is unknown"),
        ({"objects": "dino"}, "objects 'dino' names no model"),
        ({"objects": "sam3:"}, "objects 'sam3:' names no model"),
        ({"objects": "none", "find": ("chair",)}, "looks for nothing in pictures"),
        ({"masks_by": "sam2"}, "masks_by 'sam2' is unknown"),
        ({"masks_by": "magic:x"}, "masks_by 'magic:x' is unknown"),
        ({"objects": "mask3d:x", "masks_by": "sam2:x"}, "gives no boxes"),
        ({"objects": "sam3:x", "masks_by": "sam2:x"}, "gives no boxes"),
        ({"poses": "magic"}, "poses 'magic' is unknown; known are: sfm"),
        ({"max_frames": 0}, "max_frames is 0"),
        ({"focal_px": -5.0}, "focal length of -5.0 px is none"),
        ({"focal_px": float("nan")}, "focal length of nan px is none"),
        ({"scale": "camera=1.4"}, "scale 'camera=1.4' is not understood"),
    ],
)
def test_settings_that_make_no_sense(settings: dict[str, object], words: str) -> None:
    with pytest.raises(SourceError, match=words):
        PipelineConfig(**settings)


def test_masks_that_are_not_there(tmp_path: Path) -> None:
    for name in ("masks:", f"masks:{tmp_path / 'none'}", f"mask3d:{tmp_path / 'none'}"):
        with pytest.raises(SourceError, match="there is no file or folder"):
            make_finder(PipelineConfig(objects=name))
        # It is told before the first stage, which would take minutes.
        with pytest.raises(SourceError, match="there is no file or folder"):
            prepare("rooms:7", tmp_path / "work", PipelineConfig(objects=name))


def test_masks_that_change_are_noticed(tmp_path: Path) -> None:
    assert files_key("auto") is None
    (tmp_path / "a.png").write_bytes(b"1")
    first = files_key(f"masks:{tmp_path}")
    assert files_key(f"masks:{tmp_path}") == first is not None
    (tmp_path / "labels.json").write_text("{}")
    assert files_key(f"masks:{tmp_path}") != first


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("..", "room"),
        ("", "room"),
        (".hidden", "hidden"),
        ("../../up", "_.._up"),
        ("a\nb", "a_b"),
        ("room 1", "room 1"),
    ],
)
def test_file_names_become_folders_that_stay_inside(name: str, folder: str) -> None:
    assert folder_name(name) == folder


def test_stages_in_words(tmp_path: Path) -> None:
    report = {"pictures": 60, "posed": 57, "reprojection_error_px": 0.618}
    line = describe(StageResult("poses", tmp_path, "k", report, 24.3, True))
    assert line == f"poses: 57 of 60 pictures posed, reprojection error 0.62 px; 24 s ({tmp_path})"
    report = {"vertices": 88423, "floor_found": True, "metric": False, "scale_source": "unknown"}
    line = describe(StageResult("scene", tmp_path, "k", report, 24.3, False))
    assert line == f"scene: 88,423 vertices, level, scale unknown; kept from an earlier run ({tmp_path})"
    report = {"objects": 12, "detections": 372, "found_again": 9}
    line = describe(StageResult("objects", tmp_path, "k", report, 6.0, True))
    assert line.startswith("objects: 12 objects from 372 detections, 9 of them with the numbers that they had; 6 s")


def test_options_that_differ_from_their_default() -> None:
    config = PipelineConfig(keyframe_method="sharp", find=("chair",))
    assert given(config, "keyframes", "keyframe_method", "find") == ["--keyframe-method", "--find"]
