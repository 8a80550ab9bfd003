"""`spaceland view`: what is put into the 3D scene, what rows light, and files that open by themselves."""

from __future__ import annotations

import importlib.metadata
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from handmade import box_scene
from spaceland.cli import run
from spaceland.errors import OutputError, SceneError
from spaceland.geometry.transforms import look_at
from spaceland.scenes.scene import Scene
from spaceland.viewer.live_rows import objects_card, read_live_rows, row_card

HOSTILE = "<script>alert(1)</script> {7*7} ![x](http://evil.example)"


@pytest.fixture(scope="module")
def scene() -> Scene:
    boxes = [("table", (2.0, 4.0, 0.4), (1.2, 0.8, 0.8)), (HOSTILE, (4.0, 4.0, 0.5), (0.5, 0.5, 1.0))]
    eyes = [np.array([2.5 + 0.2 * k, 0.8, 1.6]) for k in range(6)]
    return box_scene(boxes, [look_at(eye, np.array([3.0, 4.0, 0.5])) for eye in eyes], with_ids=True)


def make_row(k: int, **more: Any) -> dict[str, Any]:
    facts = {"objects": {"red": 0, "blue": [1, 99]}, "frames": [f"{k:06d}", "999999"]}
    row = {"id": f"r{k}", "task": "distance", "scene": "handmade", "images": [f"images/handmade/{k:06d}.jpg"]}
    return {**row, "question": f"How far? {HOSTILE}", "answer": "2.5", "marks": [], "facts": facts, **more}


def write_rows(folder: Path, rows: list[dict[str, Any]]) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_rows_tell_objects_and_frames(tmp_path: Path, scene: Scene) -> None:
    strange = make_row(2, facts="none", marks=[{"object_id": 1}, {"object_id": True}, 7], images=["a/000004.jpg", 3])
    dataset = write_rows(tmp_path / "d", [make_row(1), make_row(3, scene="elsewhere"), strange])
    (tmp_path / "p.jsonl").write_text(json.dumps({"id": "r1", "prediction": HOSTILE}) + "\n")
    first, second = read_live_rows(dataset, scene, tmp_path / "p.jsonl")
    assert (first.objects, first.frames, first.prediction) == ((0, 1), ("000001",), HOSTILE)
    assert (second.objects, second.frames, second.prediction) == ((1,), ("000004",), None)
    assert read_live_rows(dataset / "rows.jsonl", scene)[0].prediction is None
    with pytest.raises(SceneError, match="about: elsewhere"):
        read_live_rows(write_rows(tmp_path / "e", [make_row(1, scene="elsewhere")]), scene)


def test_hostile_text_is_escaped(tmp_path: Path, scene: Scene) -> None:
    (row,) = read_live_rows(write_rows(tmp_path / "d", [make_row(0)]), scene)
    for html in (str(row_card(row)), str(objects_card(scene, row.objects))):
        assert "<script" not in html and "&lt;script&gt;" in html


class TestView:
    """With viser."""

    @pytest.fixture
    def server(self) -> Iterator[Any]:
        pytest.importorskip("viser", reason="needs the extra web")
        from spaceland.viewer.live_server import start_viser, stop_viser

        made = start_viser(0)
        yield made
        stop_viser(made)

    def test_boxes_cameras_and_names(self, server: Any, scene: Scene) -> None:
        from spaceland.viewer.live import LiveConfig, SceneView

        view = SceneView(server, scene, LiveConfig(max_frames=2, thumbnail_px=40), ["000004", "nobody"])
        assert set(view.cameras) == {"000000", "000003", "000004"}
        for thing in scene.objects:
            edges = np.asarray(view.boxes[thing.id].points)
            lengths = np.linalg.norm(edges[:, 0] - edges[:, 1], axis=1)
            assert np.allclose(sorted(lengths), sorted(np.repeat(thing.box.size, 4)), atol=1e-6)
            assert np.allclose(edges.reshape(-1, 3).mean(0), thing.box.center, atol=1e-6)
        assert view.names[1].text == f"1 {HOSTILE[:60]}", "text, which viser draws as such"
        camera, frame = view.cameras["000003"], scene.frames[3]
        assert np.allclose(camera.position, frame.T_world_cam[:3, 3])
        assert camera.aspect == pytest.approx(320 / 240) and camera.fov == pytest.approx(2 * np.arctan(120 / 260))
        w, x, y, z = camera.wxyz
        axis = np.array([2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)])
        assert np.allclose(axis, frame.T_world_cam[:3, 2], atol=1e-6), "its pyramid opens where the camera looked"
        assert np.asarray(view.floor.points).shape == (4, 2, 3) and np.asarray(view.path.points).shape == (5, 2, 3)

    def test_rows_light_what_they_are_about(self, server: Any, scene: Scene, tmp_path: Path) -> None:
        from spaceland.viewer.live import LIT, SceneView
        from spaceland.viewer.live_panel import Panel

        facts = {"objects": {"red": 1}, "frames": ["000002"]}
        dataset = write_rows(tmp_path / "d", [make_row(0, facts=facts), make_row(1)])
        view = SceneView(server, scene)
        panel = Panel(view, read_live_rows(dataset, scene))
        assert view.lit_objects == {1} and view.lit_frames == {"000002"}
        assert tuple(view.cameras["000002"].color) == LIT and tuple(view.cameras["000001"].color) != LIT
        assert (np.asarray(view.boxes[1].colors) == LIT).all() and not (np.asarray(view.boxes[0].colors) == LIT).all()
        assert view.names[1].visible and not view.names[0].visible
        assert type(panel.row_card.content) is str and "&lt;script&gt;" in panel.row_card.content
        panel.step(1)
        assert view.lit_objects == {0, 1} and view.lit_frames == {"000001"}
        panel.step(1)
        assert view.lit_objects == {1}, "after the last row comes the first"
        panel.row.value, panel.object.value = "none", "0 table"
        panel.choose()
        assert view.lit_objects == {0} and "table" in panel.card.content
        panel.turn("boxes", False)
        assert not any(box.visible for box in view.boxes.values()) and not panel.switches["boxes"][0].value
        view.light([], [])
        assert view.names[0].visible and view.names[1].visible

    def test_a_snapshot_holds_the_scene(self, server: Any, scene: Scene, tmp_path: Path) -> None:
        import zstandard

        from spaceland.viewer.live import SceneView
        from spaceland.viewer.live_server import write_snapshot

        SceneView(server, scene)
        write_snapshot(server, tmp_path / "room.viser")
        data = (tmp_path / "room.viser").read_bytes()
        inner = zstandard.ZstdDecompressor().decompress(data[8:], max_output_size=10**8)
        assert len(inner) == int.from_bytes(data[:8], "little")
        for part in (b"/surface", b"/objects/1/box", b"/frames/5", b"/path", b"/floor", b"0 table"):
            assert part in inner
        with pytest.raises(OutputError, match=r"\.viser or \.html"):
            write_snapshot(server, tmp_path / "room.png")

    def test_other_pages_cannot_read_the_room(self, server: Any) -> None:
        port = server.get_port()

        def shake(origin: str) -> bytes:
            with socket.create_connection(("127.0.0.1", port), timeout=60) as plain:
                lines = ["GET / HTTP/1.1", f"Host: 127.0.0.1:{port}", "Upgrade: websocket", "Connection: Upgrade"]
                lines += ["Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", origin]
                lines.append(f"Sec-WebSocket-Protocol: viser-v{importlib.metadata.version('viser')}")
                plain.sendall(("\r\n".join(line for line in lines if line) + "\r\n\r\n").encode())
                return plain.recv(100)

        for origin in ("Origin: http://evil.example", "Origin: null", f"Origin: http://evil.example:{port}"):
            assert b" 403 " in shake(origin)
        for origin in (f"Origin: http://127.0.0.1:{port}", f"Origin: http://localhost:{port}", ""):
            assert b" 101 " in shake(origin)
        with socket.socket() as other:
            other.settimeout(2)
            assert other.connect_ex(("127.0.0.2", port)) != 0

    def test_a_taken_port_is_said(self, server: Any, capsys: pytest.CaptureFixture[str]) -> None:
        from spaceland.viewer.live_server import start_viser

        with pytest.raises(OutputError, match="choose another --port"):
            start_viser(server.get_port())


@pytest.mark.heavy
def test_snapshots(tmp_path: Path) -> None:
    pytest.importorskip("viser", reason="needs the extra web")
    command = [sys.executable, "-m", "spaceland.cli", "view", "rooms:7?width=160&height=120", "--frames", "4"]
    out = tmp_path / "room.html"
    done = subprocess.run([*command, "--snapshot", str(out)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and done.stdout == f"Wrote {out}\n", done.stderr
    page = out.read_text()
    assert page.lstrip().lower().startswith("<!doctype html>") and "__VISER_EMBED_DATA__" in page
    assert len(page) > 800_000


def test_orders_that_make_no_sense(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, words in (
        (["rooms:7", "--snapshot", str(tmp_path / "room.png")], ".viser or .html"),
        (["rooms:7", "--row", "r1"], "--rows"),
        (["rooms:7", "--frames", "-1"], "negative"),
        (["rooms:7", "--rows", str(tmp_path)], "missing file"),
        (["banana:7"], "banana"),
    ):
        assert run(["view", *arguments]) == 2
        assert words in capsys.readouterr().err
