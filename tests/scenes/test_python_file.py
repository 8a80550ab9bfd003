"""A reader in one file: the example of the documentation, on a sample room in its layout, and what can go wrong."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spaceland.cli import run
from spaceland.errors import SourceError
from spaceland.files import encode_jpeg, write_bytes, write_text
from spaceland.scenes.scene import Scene
from spaceland.scenes.sources import open_scene, open_source
from spaceland.visibility import scene_visibility

READER = Path(__file__).parents[2] / "examples" / "own_scans.py"


def write_own(scene: Scene, folder: Path) -> None:
    """A scene in the layout that the example reads."""
    camera = scene.frames[0].camera
    poses = {"fx": camera.fx, "fy": camera.fy, "cx": camera.cx, "cy": camera.cy, "frames": []}
    for frame in scene.frames:
        assert frame.depth is not None
        poses["frames"].append({"name": frame.id, "cam_to_world": frame.T_world_cam.tolist()})
        write_bytes(folder / f"{frame.id}.jpg", encode_jpeg(frame.color()))
        buffer = io.BytesIO()
        Image.fromarray(np.round(frame.depth() * 1000).astype(np.uint16)).save(buffer, "PNG")
        write_bytes(folder / f"{frame.id}.png", buffer.getvalue())
    things = [
        {
            "id": thing.id,
            "label": thing.raw_label,
            "center": thing.center.tolist(),
            "size": thing.box.size.tolist(),
            "yaw_deg": float(np.degrees(np.arctan2(thing.box.rotation[1, 0], thing.box.rotation[0, 0]))),
        }
        for thing in scene.objects
    ]
    write_text(folder / "poses.json", json.dumps(poses))
    write_text(folder / "things.json", json.dumps(things))


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> tuple[Scene, Path]:
    root = tmp_path_factory.mktemp("own")
    scene = open_scene("rooms:3?frames=32&width=160&height=120")
    write_own(scene, root / "room")
    return scene, root


def test_the_example_reads_what_was_written(scans: tuple[Scene, Path]) -> None:
    scene, root = scans
    read = open_scene(f"python:{READER}?at={root}")
    assert [frame.id for frame in read.frames] == [frame.id for frame in scene.frames]
    assert {thing.id for thing in read.objects} <= {thing.id for thing in scene.objects}
    assert len(read.objects) >= len(scene.objects) - 2  # small things may hold none of every third pixel
    for thing in read.objects:
        np.testing.assert_allclose(thing.box.corners(), scene.objects_by_id[thing.id].box.corners(), atol=1e-6)
    seen, true = scene_visibility(read), scene_visibility(scene)
    large = [view for view in true.views if view.visible_px > 800 and view.object_id in read.objects_by_id]
    ratios = [found.visible_px / v.visible_px for v in large if (found := seen.view(v.frame_id, v.object_id))]
    assert len(ratios) > 0.9 * len(large)
    assert 0.8 < float(np.median(ratios)) < 1.2


def test_the_commands_of_the_page(scans: tuple[Scene, Path], tmp_path: Path) -> None:
    spec = f"python:{READER}?at={scans[1]}"
    out = str(tmp_path / "mine")
    assert run(["generate", spec, "--out", out, "--per-scene", "2", "--no-cache", "--workers", "1"]) == 0
    assert run(["verify", out, spec]) == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "is no Python file"),
        ("x = 1", "has no function open_source"),
        ("import nothing_of_that_name", "could not be imported: ModuleNotFoundError"),
        ("def open_source(:", "could not be imported: SyntaxError"),
    ],
)
def test_a_bad_reader_is_one_clear_error(text: str | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / "reader.py"
    if text is not None:
        path.write_text(text)
    with pytest.raises(SourceError, match=message):
        open_source(f"python:{path}?at=/data")


def test_the_place_of_the_scans_must_be_given() -> None:
    with pytest.raises(SourceError, match=r"\?at=/data/my_scans"):
        open_source(f"python:{READER}")
