"""The 3RScan reader on a sample room in that layout, from a folder and from an archive."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from dataset_room import (
    CAMERA,
    assert_boxes,
    assert_pictures,
    assert_points,
    assert_seen_where_they_are,
    poses,
    sample_room,
)
from threerscan_writer import DEPTH_SIZE, matrix, palette, pgm, texture_square, write_scan, write_textured

from spaceland.errors import SceneError, SourceError
from spaceland.geometry.transforms import from_rotation_translation, rotation_z, transform_points
from spaceland.scenes.images import read_pgm
from spaceland.scenes.ply import read_ply
from spaceland.scenes.scene import Scene, SceneObject
from spaceland.scenes.sources import open_scene
from spaceland.scenes.threerscan import open_source, recognise

ID = "4acaebcc-6c10-2a2a-858b-29c7e4fb410d"
REFERENCE = "754e884c-ea24-2175-8b34-cead19d4198d"
T_REFERENCE_SCAN = from_rotation_translation(rotation_z(0.7), np.array([1.5, -2.0, 0.25]))


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scan(tmp_path_factory.mktemp("3rscan") / ID, texture=False)


@pytest.fixture
def scan(template: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return shutil.copytree(template, tmp_path / ID)


def read(folder: Path, **options: str) -> Scene:
    return open_source(str(folder), options).open(ID)


def wanted() -> list[SceneObject]:
    from dataclasses import replace

    return [replace(thing, id=thing.id + 1) for thing in sample_room().objects]


def write_rooms(folder: Path, transform: list[float] | None) -> None:
    rescan = {"reference": ID, "transform": transform, "rigid": [], "removed": []}
    entry = {"reference": REFERENCE, "type": "train", "ambiguity": [], "scans": [rescan]}
    (folder / "3RScan.json").write_text(json.dumps([{"reference": "other", "scans": []}, entry]))


def test_everything_comes_back(scan: Path) -> None:
    write_textured(scan)
    write_rooms(scan.parent, T_REFERENCE_SCAN.T.ravel().tolist())
    scene = open_scene(f"3rscan:{scan.parent}")
    assert_pictures(scene, CAMERA, DEPTH_SIZE, color_error=4)
    assert_boxes(scene, wanted())
    assert_points(scene)
    assert_seen_where_they_are(scene)
    assert (scene.id, scene.geometry, scene.skipped) == (ID, "measured", {})
    assert (scene.provenance["room"], scene.provenance["sky_direction"]) == (REFERENCE, "right")
    assert np.allclose(scene.provenance["T_reference_scan"], T_REFERENCE_SCAN)
    assert scene.surface is not None and scene.surface.colors is not None and scene.surface.faces is not None
    used = np.unique(scene.surface.faces)
    assert np.array_equal(scene.surface.colors[used], palette()[texture_square(used)])
    assert len({frame.content_key() for frame in scene.frames}) == 8


def test_archive_gives_the_same_as_the_folder(template: Path, tmp_path: Path) -> None:
    packed = read(write_scan(tmp_path / ID, zipped=True, texture=False))
    for a, b in zip(read(template).frames, packed.frames, strict=True):
        assert a.id == b.id and np.array_equal(a.color(), b.color()) and np.array_equal(a.T_world_cam, b.T_world_cam)
        assert a.depth is not None and b.depth is not None and np.array_equal(a.depth(), b.depth())
    assert len({frame.content_key() for frame in packed.frames}) == 8


@pytest.mark.parametrize("shift_unit", [1.0, 1000.0], ids=["metres", "millimetres"])
def test_world_of_the_reference(scan: Path, shift_unit: float) -> None:
    """All that has a place moves; what the frames see of it stays the same."""
    stated = T_REFERENCE_SCAN.copy()
    stated[:3, 3] *= shift_unit
    write_rooms(scan.parent, stated.T.ravel().tolist())
    scene = open_source(str(scan.parent), {"world": "reference"}).open(ID)
    assert np.allclose(scene.frames[3].T_world_cam, T_REFERENCE_SCAN @ poses()[3], atol=1e-5)
    for got, want in zip(scene.objects, wanted(), strict=True):
        assert np.allclose(got.box.center, transform_points(T_REFERENCE_SCAN, want.box.center), atol=1e-5)
        assert got.box.contains(got.points, 0.05).mean() > 0.95
    assert_seen_where_they_are(scene)


def test_reference_without_transform(scan: Path) -> None:
    assert read(scan).provenance["room"] is None
    for transform in (None, [1.0, 2.0], [0.0] * 16):
        write_rooms(scan.parent, transform)
        assert open_source(str(scan), {}).open(ID).provenance["room"] == REFERENCE
        with pytest.raises(SceneError, match="no transform"):
            open_source(str(scan.parent), {"world": "reference"}).open(ID)
    (scan.parent / "3RScan.json").write_text('[{"scans": []}]')
    with pytest.raises(SceneError, match="list of references"):
        open_source(str(scan), {})


def test_stored_pictures_agree_too(template: Path) -> None:
    scene = read(template, upright="no")
    assert scene.frames[0].color().shape == (160, 120, 3)
    assert_seen_where_they_are(scene)


def test_lost_tracking_is_counted(scan: Path) -> None:
    folder = scan / "sequence"
    (folder / "frame-000000.pose.txt").write_text(matrix(np.full((4, 4), -np.inf)))
    (folder / "frame-000001.pose.txt").write_text(matrix(np.zeros((4, 4))))
    (folder / "frame-000002.pose.txt").unlink()
    (folder / "frame-000003.pose.txt").write_text("1 0 0 0\n0 1 0")
    (folder / "frame-000004.depth.pgm").unlink()
    (folder / "frame-000005.color.jpg").unlink()
    scene = read(scan)
    assert [frame.id for frame in scene.frames] == ["000004", "000006", "000007"]
    assert scene.frames[0].depth is None
    counts = {key: value for key, value in scene.skipped.items() if not key.startswith("surface")}
    assert counts == {
        "depth: no image for a frame; colour and mesh still work": 1,
        "frame: no colour image": 1,
        "frame: no pose file": 1,
        "frame: pose file is damaged": 1,
        "frame: pose has NaN or infinite entries": 2,
    }


def test_what_is_missing_is_named(scan: Path) -> None:
    assert "surface: no colours" in str(read(scan).skipped)
    shutil.rmtree(scan / "sequence")
    (scan / "semseg.v2.json").rename(scan / "kept.json")
    scene = read(scan)
    assert scene.frames == () and scene.objects == () and scene.surface is not None
    assert {key.split(";")[0] for key in scene.skipped if not key.startswith("surface")} == {
        "frames: no sequence/ and no sequence.zip",
        "objects: no semseg.v2.json",
    }
    write_textured(scan)
    (scan / "labels.instances.annotated.v2.ply").unlink()
    (scan / "mesh.refined_0.png").unlink()
    scene = read(scan)
    assert scene.surface is not None and scene.surface.colors is None and scene.surface.faces is not None


def test_ascii_ply(tmp_path: Path) -> None:
    """Version 2 files are text."""
    path = tmp_path / "labels.ply"
    header = "ply\nformat ascii 1.0\nelement vertex 3\nproperty float x\nproperty float y\nproperty float z\n"
    header += "property ushort objectId\nelement face 1\nproperty list uchar int vertex_indices\nend_header\n"
    path.write_text(header + "0 0 0 7\n1 0 0 7\n0 1 0 9\n3 0 1 2\n")
    assert read_ply(path).extra["objectId"].tolist() == [7, 7, 9]


@pytest.mark.parametrize("name", ["../../evil.txt", "/tmp/evil.txt", "a/../../frame-000000.pose.txt", "C:\\evil.txt"])
def test_unsafe_names_in_the_archive_are_refused(scan: Path, name: str) -> None:
    shutil.rmtree(scan / "sequence")
    with zipfile.ZipFile(scan / "sequence.zip", "w") as archive:
        archive.writestr("_info.txt", "m_depthShift = 1000")
        archive.writestr(name, "x")
    with pytest.raises(SceneError, match="leads out of its folder"):
        read(scan)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("labels.instances.annotated.v2.ply", "truncated"),
        ("semseg.v2.json", "not valid JSON"),
        ("sequence/_info.txt", "Intrinsic"),
        ("sequence/frame-000000.depth.pgm", "is truncated: expected 9600 bytes of depth"),
    ],
)
def test_truncated_files_are_one_clear_error(scan: Path, name: str, message: str) -> None:
    data = (scan / name).read_bytes()
    (scan / name).write_bytes(data[: len(data) // 2])
    with pytest.raises(SceneError, match=message):
        read(scan)


def test_damaged_archive_images_and_mesh(scan: Path, template: Path, tmp_path: Path) -> None:
    path = scan / "sequence" / "frame-000002.color.jpg"
    path.write_bytes(path.read_bytes()[:700])
    with pytest.raises(SceneError, match=r"frame-000002\.color\.jpg is not a readable image"):
        read(scan).frames[2].color()
    (scan / "sequence" / "frame-000003.depth.pgm").write_bytes(pgm(np.ones((4, 4), np.uint16)))
    depth = read(scan).frames[3].depth
    assert depth is not None
    with pytest.raises(SceneError, match="4x4"):
        depth()
    (scan / "mesh.refined.v2.obj").write_text("v 0 0 0\nf 1 2 3\n")
    with pytest.raises(SceneError, match="faces name vertices up to 3"):
        read(scan)
    (scan / "mesh.refined.v2.obj").write_text("v 0 zero 0\n")
    with pytest.raises(SceneError, match=r"obj, line 1"):
        read(scan)
    (scan / "mesh.refined.v2.obj").unlink()
    shutil.rmtree(scan / "sequence")
    whole = write_scan(tmp_path / "packed" / ID, zipped=True, texture=False) / "sequence.zip"
    (scan / "sequence.zip").write_bytes(whole.read_bytes()[:-3000])
    with pytest.raises(SceneError, match="not a readable archive"):
        read(scan)


def test_pgm_counts_are_not_stretched() -> None:
    counts = np.array([[0, 1, 700], [3999, 2, 65]], np.uint16)
    assert np.array_equal(read_pgm(pgm(counts), "x"), counts)
    for bad in (b"", b"P5\n2 2\n255\n1234", b"P5\n99999 99999\n4000\n", b"P2\n1 1\n4000\n1"):
        with pytest.raises(SceneError, match="x"):
            read_pgm(bad, "x")


def test_source(template: Path, tmp_path: Path) -> None:
    for place in (template, template.parent):
        assert recognise(place) and open_source(str(place), {}).ids() == [ID]
    assert not recognise(tmp_path)
    with pytest.raises(SourceError, match="no scan in"):
        open_source(str(tmp_path), {})
    with pytest.raises(SourceError, match="no scan 'x'"):
        open_source(str(template), {}).open("x")
    for bad in ({"world": "mars"}, {"upright": "maybe"}, {"stride": "0"}, {"every": "2"}):
        with pytest.raises(SourceError, match="3rscan"):
            open_source(str(template), bad)
    assert [frame.id for frame in read(template, stride="3").frames] == ["000000", "000003", "000006"]
