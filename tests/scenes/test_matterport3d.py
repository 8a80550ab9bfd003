"""Matterport3D: a sample room as one region of a house must come back, and what is broken must be said."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from matterport3d_writer import OFFSET, PANORAMAS, SCAN, image_name, write_matterport3d
from round_trip import assert_boxes, assert_frames, assert_objects_on_their_depth, off_center_room

from spaceland.errors import SceneError, SourceError
from spaceland.scenes.matterport3d import open_source, recognise
from spaceland.scenes.scene import Scene
from spaceland.scenes.sources import open_scene

REGION = f"{SCAN}_region1"
ORDER = [0, 1, 2, 3]  # the panorama in region 1
ID_OF = {thing.id: thing.id + OFFSET for thing in off_center_room().objects}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_matterport3d(off_center_room(), tmp_path_factory.mktemp("matterport3d"))


@pytest.fixture
def scan(template: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return shutil.copytree(template, tmp_path / "v1" / "scans" / template.name)


def conf(scan: Path) -> Path:
    return scan / "undistorted_camera_parameters" / f"{SCAN}.conf"


def house(scan: Path) -> Path:
    return scan / "house_segmentations" / f"{SCAN}.house"


def read(scan: Path, scene_id: str = REGION, **options: str) -> Scene:
    return open_source(str(scan), options).open(scene_id)


def test_a_region_comes_back(template: Path) -> None:
    room = off_center_room()
    scene = open_scene(f"matterport3d:{template.parent}", REGION)
    assert (scene.id, scene.geometry, scene.skipped) == (REGION, "measured", {})
    assert [frame.id for frame in scene.frames] == [image_name(k, 8, "i") for k in ORDER]
    assert_frames(scene, room, depth_step_m=0.00025, color_atol=4, order=ORDER)
    assert_boxes(scene, room, ID_OF, atol=1e-3)
    assert_objects_on_their_depth(scene, room, ID_OF, ORDER)
    for k, object_id in ID_OF.items():
        want = room.objects_by_id[k]
        assert scene.objects_by_id[object_id].raw_label == f"big {want.label}"


def test_mesh_owners_and_points(template: Path) -> None:
    surface, scene = off_center_room().surface, read(template)
    assert surface is not None and surface.faces is not None and surface.object_ids is not None
    assert scene.surface is not None and scene.surface.object_ids is not None
    assert np.allclose(scene.surface.vertices, surface.vertices, atol=1e-5)
    assert np.array_equal(scene.surface.faces, surface.faces)
    corners = surface.object_ids[surface.faces]
    whole = (corners == corners[:, :1]).all(1) & (corners[:, 0] >= 0)
    used = np.unique(surface.faces[whole])
    assert np.array_equal(scene.surface.object_ids[used], surface.object_ids[used] + OFFSET)
    for k, object_id in ID_OF.items():
        thing = scene.objects_by_id[object_id]
        mine = np.unique(surface.faces[whole & (corners[:, 0] == k)])
        assert thing.faces is not None and len(thing.faces) == (whole & (corners[:, 0] == k)).sum()
        assert np.allclose(thing.points, surface.vertices[mine], atol=1e-5)


def test_region_outline(template: Path) -> None:
    room, scene = off_center_room().room, read(template)
    assert room is not None and scene.room is not None
    assert np.allclose(scene.room.floor_polygon, room.floor_polygon)
    assert scene.room.area_m2 == pytest.approx(room.area_m2) and scene.room.height_m == pytest.approx(room.height_m)
    assert scene.provenance["region_label"] == "b" and scene.provenance["is_video"] is False


def test_other_regions_and_the_whole_house(template: Path) -> None:
    kitchen = read(template, f"{SCAN}_region0")
    assert [frame.id for frame in kitchen.frames] == [image_name(k, 8, "i") for k in range(4, 8)]
    assert [(thing.id, thing.label) for thing in kitchen.objects] == [(3, "dining chair")]
    assert kitchen.room is None and kitchen.surface is None
    assert kitchen.skipped == {
        "object: no points of its own, its box stands for its shape": 1,
        "surface: no region_segmentations mesh": 1,
    }
    assert np.allclose(kitchen.objects[0].aabb.size, [0.4, 0.6, 0.8])
    whole = read(template, SCAN, unit="house")
    assert len(whole.frames) == 8 and len(whole.objects) == len(ID_OF) + 1
    assert_frames(whole, off_center_room(), depth_step_m=0.00025, color_atol=4, order=list(range(8)))
    region = read(template)
    assert np.array_equal(whole.objects_by_id[OFFSET].points, region.objects_by_id[OFFSET].points)


def test_places_and_options(scan: Path, tmp_path: Path) -> None:
    ids = [f"{SCAN}_region0", REGION]
    for location in (tmp_path, tmp_path / "v1", scan.parent, scan):
        assert recognise(location) and open_source(str(location), {}).ids() == ids
    assert not recognise(scan / "house_segmentations")
    assert len(read(scan, stride="2").frames) == 2 and len(read(scan, max_frames="3").frames) == 3
    assert {thing.label[:4] for thing in read(scan, labels="mpcat40").objects} == {"some"}
    for bad in ({"unit": "flat"}, {"labels": "x"}, {"light": "dim"}, {"stride": "0"}):
        with pytest.raises(SourceError, match="matterport3d"):
            open_source(str(scan), bad)
    with pytest.raises(SourceError, match="no scene 'x'"):
        open_scene(f"matterport3d:{scan}", "x")
    with pytest.raises(SourceError, match="no scene 'x'"):
        open_source(str(scan), {}).open("x")
    with pytest.raises(SourceError, match="no scan in"):
        open_source(str(scan / "house_segmentations"), {})
    with pytest.raises(SourceError, match="not a folder"):
        open_source(str(tmp_path / "nowhere"), {})


def test_smaller_images_scale_the_intrinsics(scan: Path) -> None:
    """The .house file says which size the intrinsics are for; here twice that of the images."""
    camera, text = off_center_room().frames[0].camera, house(scan).read_text()
    house(scan).write_text(text.replace(" 150 96 ", " 300 192 "))
    lines = conf(scan).read_text().splitlines()
    large = camera.scaled(300, 192)
    row = next(k for k, line in enumerate(lines) if line.startswith("intrinsics_matrix"))
    lines[row] = f"intrinsics_matrix {large.fx} 0 {large.cx - 0.5}  0 {large.fy} {192 - 0.5 - large.cy}  0 0 1"
    conf(scan).write_text("\n".join(lines))
    assert np.allclose(read(scan).frames[0].camera.K, camera.K)


def test_rows_count_from_below(template: Path) -> None:
    """Published numbers of one camera: 509.202 in the .conf, 513.798 from the top, of 1024 rows."""
    from_below, from_above, rows = 509.202, 513.798, 1024
    assert from_below + from_above == pytest.approx(rows - 1)
    text = conf(template).read_text()
    cy = float(next(line for line in text.splitlines() if line.startswith("intrinsics")).split()[6])
    assert read(template).frames[0].camera.cy == pytest.approx(96 - 1 - cy + 0.5)


def test_broken_frames_are_counted(scan: Path) -> None:
    lines = conf(scan).read_text().splitlines()
    first = next(k for k, line in enumerate(lines) if line.startswith("scan"))
    words = lines[first].split()
    lines[first] = " ".join([*words[:5], "nan", *words[6:]])
    conf(scan).write_text("\n".join(lines))
    (scan / "undistorted_color_images" / f"{image_name(1, 8, 'i')}.jpg").unlink()
    (scan / "undistorted_depth_images" / f"{image_name(2, 8, 'd')}.png").unlink()
    scene = read(scan)
    assert [frame.id for frame in scene.frames] == [image_name(k, 8, "i") for k in (2, 3)]
    assert scene.frames[0].depth is None
    assert scene.skipped == {
        "depth: no image for a frame": 1,
        "frame: no colour image": 1,
        "frame: pose has NaN or infinite entries": 1,
    }


def test_objects_without_category_or_box_are_counted(scan: Path) -> None:
    lines = house(scan).read_text().splitlines()
    rows = [k for k, line in enumerate(lines) if line.startswith(f"O {OFFSET}")]
    lines += [lines[rows[0]].replace(f"O {OFFSET} 1", "O 90 1"), "O 91 1 -1  0 0 0  1 0 0  0 1 0  1 1 1  0"]
    lines[-2] = " ".join([*lines[-2].split()[:13], "-1 -1 -1 0 0 0"])
    house(scan).write_text("\n".join(lines))
    scene = read(scan)
    assert len(scene.objects) == len(ID_OF)
    assert scene.skipped == {
        "object: its box is not finite or not rectangular": 1,
        "object: no category, or one that says nothing": 1,
    }


def test_missing_files(scan: Path) -> None:
    (scan / "region_segmentations" / "region1.fsegs.json").unlink()
    scene = read(scan)
    assert scene.skipped["surface: no fsegs.json"] == 1 and len(scene.objects) == len(ID_OF)
    conf(scan).unlink()
    with pytest.raises(SceneError, match=r"missing file.*\.conf; download"):
        read(scan)
    house(scan).unlink()
    assert not recognise(scan)


def test_truncated_files_are_one_error(scan: Path) -> None:
    def cut(path: Path, share: float) -> bytes:
        data = path.read_bytes()
        path.write_bytes(data[: int(len(data) * share)])
        return data

    whole = cut(conf(scan), 0.7)
    with pytest.raises(SceneError, match=r"\.conf.*truncated"):
        read(scan)
    conf(scan).write_bytes(whole[: whole.rindex(b"scan")])  # ends with a whole line
    with pytest.raises(SceneError, match="announces 8 images and holds 7"):
        read(scan)
    conf(scan).write_bytes(whole)
    for name, pattern in (("region1.ply", "truncated"), ("region1.fsegs.json", "not valid JSON")):
        path = scan / "region_segmentations" / name
        whole = cut(path, 0.6)
        with pytest.raises(SceneError, match=f"{name}.*{pattern}"):
            read(scan)
        path.write_bytes(whole)
    image = scan / "undistorted_depth_images" / f"{image_name(0, 8, 'd')}.png"
    cut(image, 0.5)
    depth = read(scan).frames[0].depth
    assert depth is not None
    with pytest.raises(SceneError, match="truncated"):
        depth()
    whole = cut(house(scan), 0.5)
    with pytest.raises(SceneError, match=r"\.house.*truncated"):
        open_source(str(scan), {})
    house(scan).write_text("nothing")
    with pytest.raises(SceneError, match="does not start with 'ASCII"):
        open_source(str(scan), {})


def test_segments_of_another_mesh_are_refused(scan: Path) -> None:
    (scan / "region_segmentations" / "region1.fsegs.json").write_text('{"segIndices": [1, 2, 3]}')
    with pytest.raises(SceneError, match="segments for 3 faces, but the mesh has"):
        read(scan)


def test_panoramas_of_no_region_are_in_no_scene(scan: Path) -> None:
    text = house(scan).read_text()
    house(scan).write_text(text.replace(f"P {PANORAMAS[0]}  1 1 0", f"P {PANORAMAS[0]}  1 -1 0"))
    assert open_source(str(scan), {}).ids() == [f"{SCAN}_region0"]
