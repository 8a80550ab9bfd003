"""Posed pictures of nerfstudio and COLMAP, with a mesh or with depth."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from phone_writer import write_colmap, write_transforms
from round_trip import sample_room

from spaceland.errors import SceneError, SourceError
from spaceland.scenes.sources import open_scene, open_source


def test_transforms_with_depth_and_mesh(tmp_path: Path) -> None:
    room = sample_room()
    folder = write_transforms(room, tmp_path / "kitchen", mesh=True)
    assert open_source(str(folder)).kind == "posed"
    got = open_scene(str(folder))
    assert (got.id, got.geometry, len(got.frames)) == ("kitchen", "measured", len(room.frames))
    for frame, original in zip(got.frames, room.frames, strict=True):
        assert np.allclose(frame.T_world_cam, original.T_world_cam, atol=1e-9) and frame.camera == original.camera
        assert np.array_equal(frame.color(), original.color())
        assert np.abs(frame.depth() - original.depth()).max() < 1e-3
    assert got.surface is not None and room.surface is not None
    assert np.allclose(got.surface.vertices, room.surface.vertices, atol=1e-5)
    assert np.array_equal(got.surface.faces, room.surface.faces)


def test_a_mesh_alone_is_enough_and_can_be_named(tmp_path: Path) -> None:
    folder = write_transforms(sample_room(), tmp_path / "a", depth=False, mesh=True)
    (folder / "mesh.ply").rename(tmp_path / "scan.ply")
    assert open_scene(str(folder)).surface is None
    got = open_scene(f"posed:{folder}?mesh={tmp_path / 'scan.ply'}&up=auto")
    assert got.surface is not None and got.frames[0].depth is None and got.provenance["floor_at_zero"]
    assert abs(np.percentile(got.surface.vertices[:, 2], 1)) < 0.03
    with pytest.raises(SceneError, match="missing file"):
        open_scene(f"posed:{folder}?mesh=none.ply")


def test_colmap_needs_a_scale(tmp_path: Path) -> None:
    room = sample_room()
    folder = write_colmap(room, tmp_path / "room", unit_m=0.5)
    got = open_scene(f"posed:{folder}?scale=0.5&stride=2")
    assert [f.id for f in got.frames] == [f.id for f in room.frames[::2]]
    for frame, original in zip(got.frames, room.frames[::2], strict=True):
        assert np.allclose(frame.T_world_cam, original.T_world_cam, atol=1e-6) and frame.camera == original.camera
    raw = open_scene(f"posed:{folder}")
    assert np.allclose(raw.frames[0].T_world_cam[:3, 3], 2 * room.frames[0].T_world_cam[:3, 3], atol=1e-6)


def test_bent_pictures_are_straightened(tmp_path: Path) -> None:
    folder = write_transforms(sample_room(), tmp_path / "a")
    data = json.loads((folder / "transforms.json").read_text())
    (folder / "transforms.json").write_text(json.dumps({**data, "k1": 0.05}))
    frame = open_scene(str(folder)).frames[0]
    assert frame.color().shape == (120, 160, 3) and frame.depth().shape == (120, 160)
    assert frame.camera != sample_room().frames[0].camera and frame.camera.fx == frame.camera.fy


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"frames": 3}, SceneError, "not what nerfstudio writes"),
        ({"frames": [{"file_path": "images/no.png", "transform_matrix": np.eye(4).tolist()}]}, SceneError, "missing"),
        ({"frames": [{"file_path": "../up.png", "transform_matrix": np.eye(4).tolist()}]}, SceneError, "outside"),
        ({"fl_x": "wide"}, SceneError, "not what nerfstudio writes"),
    ],
)
def test_damaged_files_are_one_clear_error(
    tmp_path: Path, change: dict[str, object], error: type[Exception], words: str
) -> None:
    folder = write_transforms(sample_room(), tmp_path / "a")
    (tmp_path / "up.png").write_bytes((folder / "images" / f"{sample_room().frames[0].id}.png").read_bytes())
    data = json.loads((folder / "transforms.json").read_text())
    (folder / "transforms.json").write_text(json.dumps({**data, **change}))
    with pytest.raises(error, match=words):
        open_scene(f"posed:{folder}")


def test_poses_of_nan_are_counted_and_options_checked(tmp_path: Path) -> None:
    folder = write_transforms(sample_room(), tmp_path / "a")
    data = json.loads((folder / "transforms.json").read_text())
    data["frames"][1]["transform_matrix"][0][3] = float("nan")
    (folder / "transforms.json").write_text(json.dumps(data))
    got = open_scene(str(folder))
    assert len(got.frames) == len(sample_room().frames) - 1 and sum(got.skipped.values()) == 1
    with pytest.raises(SourceError, match="must be positive"):
        open_source(f"posed:{folder}?scale=-1")
    with pytest.raises(SourceError, match=r"neither transforms\.json"):
        open_source(f"posed:{tmp_path}")
