"""Open scene folders: everything comes back, writing twice gives the same bytes, saving resumes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from handmade import box_scene
from spaceland.commands.save import save
from spaceland.errors import OutputError, SceneError, SourceError
from spaceland.files import encode_jpeg
from spaceland.geometry.transforms import look_at
from spaceland.scenes.folder import open_source, read_scene, recognise, write_scene
from spaceland.scenes.folder_write import depth_counts, fingerprint
from spaceland.scenes.images import read_color
from spaceland.scenes.scene import Frame, Scene, make_scene

POSES = [look_at(np.array([1.0 + 0.37 * k, 1.0, 1.6]), np.array([3.0, 5.0, 0.4])) for k in range(3)]
BOXES = [("Office\tChair", (2, 4, 0.5), (0.5, 0.5, 1)), ("table <b>", (3.3, 5, 0.4), (1.2, 0.6, 0.8))]


@pytest.fixture(scope="module")
def scene() -> Scene:
    made = box_scene(BOXES, POSES, with_ids=True)
    front = replace(made.objects[0], front_world=np.array([0.6, 0.8, 0.0]), raw_label="<script>alert(1)</script>")
    return make_scene(
        id=made.id,
        frames=[
            *made.frames[:2],
            replace(made.frames[2], depth=None, depth_camera=None, object_ids=None, timestamp_s=None),
        ],
        objects=[front, replace(made.objects[1], faces=None, points=made.objects[1].points.astype(np.float32))],
        surface=made.surface,
        room=made.room,
        geometry="generated",
        provenance={"kind": "handmade", "matrix": [[1.0, 1 / 3]], "none": None},
        skipped={"frame: no pose": 3},
    )


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def equal(a: Any, b: Any) -> bool:
    """Whether two values are the same; arrays element by element."""
    return np.array_equal(a, b) if isinstance(a, np.ndarray) and isinstance(b, np.ndarray) else a == b


def assert_same(a: Scene, b: Scene, *, depth_m: float, colors: bool) -> None:
    assert (a.id, a.geometry, dict(a.provenance), dict(a.skipped)) == (
        b.id,
        b.geometry,
        dict(b.provenance),
        dict(b.skipped),
    )
    assert len(a.frames) == len(b.frames) and len(a.objects) == len(b.objects)
    for x, y in zip(a.frames, b.frames, strict=True):
        assert (x.id, x.camera, x.depth_camera, x.timestamp_s) == (y.id, y.camera, y.depth_camera, y.timestamp_s)
        assert np.array_equal(x.T_world_cam, y.T_world_cam)
        assert (x.depth is None, x.object_ids is None) == (y.depth is None, y.object_ids is None)
        if x.depth and y.depth:
            assert y.depth().dtype == np.float32
            assert np.abs(x.depth() - y.depth()).max() <= depth_m
        if x.object_ids and y.object_ids:
            assert np.array_equal(x.object_ids(), y.object_ids())
        if colors:
            assert np.array_equal(x.color(), y.color())
        else:
            assert np.abs(x.color().astype(int) - y.color()).mean() < 3
    for p, q in zip(a.objects, b.objects, strict=True):
        assert (p.id, p.label, p.raw_label) == (q.id, q.label, q.raw_label)
        assert p.points.dtype == q.points.dtype
        assert all(equal(getattr(p, name), getattr(q, name)) for name in ("points", "faces", "front_world"))
        assert all(equal(getattr(p.box, name), getattr(q.box, name)) for name in ("center", "size", "rotation"))
    assert a.surface is not None and b.surface is not None
    assert all(
        equal(getattr(a.surface, n), getattr(b.surface, n)) for n in ("vertices", "colors", "faces", "object_ids")
    )
    assert a.room is not None and b.room is not None
    assert all(
        equal(getattr(a.room, n), getattr(b.room, n)) for n in ("floor_polygon", "floor_z_m", "height_m", "area_m2")
    )


def test_lossless_round_trip_is_exact(scene: Scene, tmp_path: Path) -> None:
    write_scene(scene, tmp_path / "s", lossless=True)
    assert_same(scene, read_scene(tmp_path / "s"), depth_m=0.0, colors=True)


def test_default_round_trip_rounds_depth_by_at_most_50_um_and_codes_colours_as_jpeg(
    scene: Scene, tmp_path: Path
) -> None:
    write_scene(scene, tmp_path / "s")
    back = read_scene(tmp_path / "s")
    # Half a count at 10000 to the metre; farther than 6.5 m it is 5000.
    assert_same(scene, back, depth_m=0.000101, colors=False)
    assert all(frame.color_path is not None and frame.color_path.suffix == ".jpg" for frame in back.frames)


@pytest.mark.parametrize("lossless", [False, True])
def test_writing_what_was_read_gives_the_same_bytes(scene: Scene, tmp_path: Path, lossless: bool) -> None:
    write_scene(scene, tmp_path / "a", lossless=lossless)
    write_scene(read_scene(tmp_path / "a"), tmp_path / "b", lossless=lossless)
    assert digests(tmp_path / "a") == digests(tmp_path / "b")
    assert_same(read_scene(tmp_path / "a"), read_scene(tmp_path / "b"), depth_m=0.0, colors=True)


def test_colour_files_are_copied_byte_for_byte(scene: Scene, tmp_path: Path) -> None:
    data = encode_jpeg(scene.frames[0].color(), 30)
    (tmp_path / "source.JPG").write_bytes(data)
    frame = with_file(scene.frames[0], tmp_path / "source.JPG")
    write_scene(replace(scene, frames=(frame,)), tmp_path / "s")
    assert (tmp_path / "s/color/000000.jpg").read_bytes() == data


def with_file(frame: Frame, path: Path) -> Frame:
    return replace(frame, color_path=path, color=lambda: read_color(path, frame.camera))


def test_a_scene_without_anything_but_an_id(tmp_path: Path) -> None:
    bare = Scene("bare", (), (), None, None, "estimated", {})
    write_scene(bare, tmp_path / "bare")
    back = read_scene(tmp_path / "bare")
    assert (back.id, back.frames, back.objects, back.surface, back.room) == ("bare", (), (), None, None)


@pytest.mark.parametrize(
    ("depth", "scale"),
    [
        (np.array([[0.0, 1.234, 6.5]]), 10000.0),
        (np.array([[0.0, 1.0, 8.005]]), 5000.0),
        (np.array([[0.0, 1.001, 12.003]]), 5000.0),
        (np.array([[1.001, 40.0]]), 1000.0),
        (np.array([[655.0, 9999.0]]) / 6553.5, 6553.5),
    ],
)
def test_depth_that_a_16_bit_scale_can_hold_is_exact(depth: np.ndarray, scale: float) -> None:
    depth = depth.astype(np.float32)
    stored = depth_counts(depth, lossless=True)
    assert stored is not None and stored[1] == scale
    assert np.array_equal((stored[0] / scale).astype(np.float32), depth)


def test_every_millimetre_is_kept() -> None:
    """Sensors that count millimetres lose nothing, whichever scale is chosen."""
    counts = np.arange(65535, dtype=np.uint16).reshape(-1, 1)
    for part in np.array_split(counts, 40):
        depth = (part / 1000).astype(np.float32)
        stored = depth_counts(depth, lossless=True)
        assert stored is not None
        assert np.array_equal((stored[0] / stored[1]).astype(np.float32), depth)


@pytest.mark.parametrize("far_m", [3.0, 9.0, 30.0, 90.0])
def test_depth_rounding_is_stable(far_m: float) -> None:
    """Storing what was stored changes nothing more, and what does not fit becomes unknown."""
    depth = np.random.default_rng(0).uniform(0.3, far_m, (50, 50)).astype(np.float32)
    first = depth_counts(depth, lossless=False)
    assert first is not None and depth_counts(depth, lossless=True) is None
    back = (first[0] / first[1]).astype(np.float32)
    again = depth_counts(back, lossless=False)
    assert again is not None and again[1] == first[1] and np.array_equal(again[0], first[0])
    known = back > 0
    assert np.abs(back - depth)[known].max() <= 0.5 / first[1] + 1e-6
    assert (depth[~known] > 65.5).all()


def test_large_object_ids_get_an_npz(scene: Scene, tmp_path: Path) -> None:
    ids = np.full((240, 320), 70000, np.int32)
    frame = replace(scene.frames[0], object_ids=lambda: ids)
    write_scene(replace(scene, frames=(frame,)), tmp_path / "s")
    back = read_scene(tmp_path / "s").frames[0]
    assert back.object_ids is not None and np.array_equal(back.object_ids(), ids)


def test_content_key_changes_with_depth_only(scene: Scene, tmp_path: Path) -> None:
    write_scene(scene, tmp_path / "s")
    before = [frame.content_key() for frame in read_scene(tmp_path / "s").frames]
    assert len(set(before)) == 3
    (tmp_path / "s/color/000000.jpg").unlink()
    (tmp_path / "s/depth/000001.png").write_bytes((tmp_path / "s/depth/000000.png").read_bytes())
    after = [frame.content_key() for frame in read_scene(tmp_path / "s").frames]
    assert [a == b for a, b in zip(before, after, strict=True)] == [True, False, True]


def test_source_lists_one_folder_or_many(scene: Scene, tmp_path: Path) -> None:
    for k in range(2):
        write_scene(replace(scene, id=f"room{k}"), tmp_path / "all" / f"f{k}")
    assert recognise(tmp_path / "all") and recognise(tmp_path / "all/f0") and not recognise(tmp_path)
    source = open_source(str(tmp_path / "all"), {})
    assert source.ids() == ["room0", "room1"]
    assert source.open("room1").id == "room1"
    assert open_source(str(tmp_path / "all/f1"), {}).ids() == ["room1"]
    with pytest.raises(SourceError, match=r"no scene\.json"):
        open_source(str(tmp_path), {})
    with pytest.raises(SourceError, match="unknown option"):
        open_source(str(tmp_path / "all"), {"stride": "2"})
    write_scene(replace(scene, id="room1"), tmp_path / "all" / "f2")
    with pytest.raises(SourceError, match="both hold scene 'room1'"):
        open_source(str(tmp_path / "all"), {})


def test_overwriting_replaces_an_earlier_scene_only(scene: Scene, tmp_path: Path) -> None:
    write_scene(scene, tmp_path / "s")
    write_scene(replace(scene, frames=scene.frames[:1]), tmp_path / "s")
    assert len(list((tmp_path / "s/color").iterdir())) == 1
    (tmp_path / "mine/color").mkdir(parents=True)
    (tmp_path / "mine/color/holiday.jpg").write_bytes(b"precious")
    with pytest.raises(OutputError, match="no scene folder"):
        write_scene(scene, tmp_path / "mine")
    assert (tmp_path / "mine/color/holiday.jpg").read_bytes() == b"precious"
    with pytest.raises(OutputError, match="over its own images"):
        write_scene(read_scene(tmp_path / "s"), tmp_path / "s")


@pytest.mark.parametrize(
    "change",
    [
        lambda s: replace(s, id="other"),
        lambda s: replace(s, provenance={}),
        lambda s: replace(s, frames=s.frames[:2]),
        lambda s: replace(s, objects=s.objects[:1]),
        lambda s: replace(s, surface=None),
        lambda s: replace(s, room=None),
        lambda s: replace(s, frames=(replace(s.frames[0], content_key=lambda: "new"), *s.frames[1:])),
        lambda s: replace(s, objects=(replace(s.objects[0], points=s.objects[0].points + 1e-9), s.objects[1])),
    ],
)
def test_fingerprint_tells_any_change(scene: Scene, change: Callable[[Scene], Scene]) -> None:
    assert fingerprint(scene) == fingerprint(replace(scene))
    assert fingerprint(change(scene)) != fingerprint(scene)
    assert fingerprint(scene, lossless=True) != fingerprint(scene)


def test_save_command_resumes_and_notices_changes(
    scene: Scene, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for k in range(2):
        write_scene(replace(scene, id=f"room{k}"), tmp_path / "in" / f"room{k}")
    spec, out = f"folder:{tmp_path / 'in'}", tmp_path / "out"
    assert save((spec,), out=out) == 0
    assert "2 written" in capsys.readouterr().out
    assert digests(out / "room0").items() >= digests(tmp_path / "in/room0").items()
    stamp = (out / "room0/scene.json").stat().st_mtime_ns
    assert save((spec,), out=out) == 0
    assert "0 written, 2 unchanged" in capsys.readouterr().out
    assert (out / "room0/scene.json").stat().st_mtime_ns == stamp
    content = json.loads((tmp_path / "in/room1/scene.json").read_text())
    content["objects"][0]["label"] = "stool"
    (tmp_path / "in/room1/scene.json").write_text(json.dumps(content))
    (out / "room0/scene.json").unlink()  # as if it had been killed there
    assert save((spec,), out=out) == 0
    assert "2 written" in capsys.readouterr().out
    assert read_scene(out / "room1").objects[0].label == "stool"
    assert digests(out / "room0").items() >= digests(tmp_path / "in/room0").items()


def test_save_command_goes_on_after_a_broken_scene(
    scene: Scene, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for k in range(2):
        write_scene(replace(scene, id=f"room{k}"), tmp_path / "in" / f"room{k}")
    (tmp_path / "in/room0/depth/000000.png").write_bytes(b"\x89PNG broken")
    assert save((f"folder:{tmp_path / 'in'}",), out=tmp_path / "out") == 1
    shown = capsys.readouterr().out
    assert "left out room0" in shown and "000000.png" in shown and "1 written" in shown
    assert not (tmp_path / "out/room0/scene.json").exists()


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".hidden", "a\nb", "c:d", "a\\b"])
def test_ids_that_would_leave_the_folder_are_refused(scene: Scene, tmp_path: Path, name: str) -> None:
    with pytest.raises(SceneError, match="file name"):
        write_scene(replace(scene, frames=(replace(scene.frames[0], id=name),)), tmp_path / "s")
    assert not (tmp_path / "s").exists()
