"""Uploads: limits, lies about lengths, hostile names, and what an archive becomes."""

from __future__ import annotations

import io
import shutil
import socket
import time
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image
from web_help import Hand, ask

from spaceland.errors import OutputError, SourceError
from spaceland.localserver import KEY_HEADER
from spaceland.web import WebServer
from spaceland.web.uploads import Uploads


def files(server: WebServer) -> list[str]:
    folder = server.desk.uploads.folder
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_an_upload_lies_under_a_name_of_ours(server: WebServer, hand: Hand) -> None:
    status, value, _ = ask(server, "POST", "/upload?suffix=.MP4", b"0123456789")
    assert status == 200 and files(server) == [f"{value['upload']}.mp4"]
    path = server.desk.uploads.path(value["upload"])
    assert path is not None and path.read_bytes() == b"0123456789"
    status, _, _ = ask(server, "POST", "/jobs", {"upload": value["upload"], "title": "../../evil.mp4"})
    assert status == 200
    ends = time.monotonic() + 60
    while not hand.made:
        assert time.monotonic() < ends
        time.sleep(0.01)
    assert hand.made == [f"video:{path}"]
    listed = ask(server, "GET", "/state")[1]["jobs"][0]
    assert listed["title"] == "../../evil.mp4" and listed["source"] == "upload", "the name is for show alone"


@pytest.mark.parametrize("suffix", ["", ".exe", "mp4", ".mp4/../x", ".mp4%00.sh", "/etc/passwd", ".tar.gz", ".html"])
def test_other_suffixes_are_refused(server: WebServer, suffix: str) -> None:
    status, value, _ = ask(server, "POST", f"/upload?suffix={suffix}", b"0123456789")
    assert status == 415 and ".mp4" in value["error"] and files(server) == []


def test_limits_and_lengths(server: WebServer) -> None:
    assert ask(server, "POST", "/upload?suffix=.mp4", b"x" * 5000)[0] == 200
    before = files(server)
    assert ask(server, "POST", "/upload?suffix=.mp4", b"x" * 5001)[0] == 413
    assert ask(server, "POST", "/upload?suffix=.mp4", b"")[0] == 400
    for length in ("-1", "1e3", "0x10", "99999999999999999999", " "):
        assert ask(server, "POST", "/upload?suffix=.mp4", b"x", Content_Length=length)[0] in (400, 413)
    assert ask(server, "POST", "/upload?suffix=.mp4", b"1\r\nx\r\n0\r\n\r\n", Transfer_Encoding="chunked")[0] == 411
    assert ask(server, "POST", "/upload?suffix=.mp4")[0] == 411
    assert files(server) == before


def test_a_huge_upload_is_refused_before_it_is_sent(server: WebServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as plain:
        plain.sendall(_head(server, 10**12) + b"x" * 1000)
        assert plain.recv(200).startswith(b"HTTP/1.1 413")
        while plain.recv(4096):  # and the connection ends
            pass
    assert files(server) == []


def test_a_cut_upload_leaves_nothing(server: WebServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as plain:
        plain.sendall(_head(server, 4000) + b"x" * 1000)
        ends = time.monotonic() + 60
        while not files(server):
            assert time.monotonic() < ends
            time.sleep(0.01)
        assert files(server)[0].endswith(".part")
        # A second one at the same time has to wait, so that the disk's room is counted right.
        assert ask(server, "POST", "/upload?suffix=.mp4", b"x" * 10)[0] == 409
    while files(server):
        assert time.monotonic() < ends
        time.sleep(0.01)
    assert ask(server, "POST", "/upload?suffix=.mp4", b"x" * 10)[0] == 200


def test_go_ahead_comes_only_for_good_uploads(server: WebServer) -> None:
    for length, answer in ((10, b"HTTP/1.1 100"), (10**9, b"HTTP/1.1 413")):
        with socket.create_connection(("127.0.0.1", server.port), timeout=60) as plain:
            plain.sendall(_head(server, length, "Expect: 100-continue\r\n"))
            assert plain.recv(200).startswith(answer)
            if length == 10:
                plain.sendall(b"0123456789")
                assert b"HTTP/1.1 200" in plain.recv(4096)


def _head(server: WebServer, length: int, more: str = "") -> bytes:
    lines = f"POST /upload?suffix=.mp4 HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n{KEY_HEADER}: {server.key}\r\n"
    return f"{lines}Content-Length: {length}\r\n{more}\r\n".encode()


def test_a_full_disk_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uploads = Uploads(tmp_path, 10**9)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    with pytest.raises(OutputError, match="no room for"):
        uploads.receive(io.BytesIO(b"x" * 100), 100, ".mp4")
    assert list(tmp_path.iterdir()) == []


def test_rests_of_a_killed_server_are_removed(tmp_path: Path) -> None:
    (tmp_path / "abc.part").write_bytes(b"x")
    (tmp_path / ("0" * 16 + ".mp4")).write_bytes(b"x")
    Uploads(tmp_path, 10)
    assert [path.name for path in tmp_path.iterdir()] == ["0" * 16 + ".mp4"]


def jpeg(shade: int = 90) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 6), (shade, shade, shade)).save(buffer, "JPEG")
    return buffer.getvalue()


def packed(tmp_path: Path, members: dict[str, bytes], limit: int = 10**6) -> tuple[Uploads, str]:
    uploads, name = Uploads(tmp_path / "uploads", limit), "0123456789abcdef"
    uploads.folder.mkdir()
    with zipfile.ZipFile(uploads.folder / f"{name}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for member, data in members.items():
            archive.writestr(member, data)
    return uploads, name


def test_pictures_of_an_archive_get_names_of_ours_in_natural_order(tmp_path: Path) -> None:
    members = {"../../img10.jpg": jpeg(10), "/abs/img2.JPG": jpeg(2), "a/img1.png": jpeg(1), "notes.txt": b"x"}
    members |= {"__MACOSX/._img1.jpg": b"junk"}
    uploads, name = packed(tmp_path, members)
    source = uploads.source(name, tmp_path / "work")
    folder = tmp_path / "work" / "pictures"
    assert source == f"images:{folder}"
    assert sorted(path.name for path in folder.iterdir()) == ["000000.jpg", "000001.jpg", "000002.png"]
    expected = {"../../img10.jpg": "000000.jpg", "/abs/img2.JPG": "000001.jpg", "a/img1.png": "000002.png"}
    assert all((folder / new).read_bytes() == members[old] for old, new in expected.items())
    assert {path.name for path in tmp_path.iterdir()} == {"uploads", "work"}


def test_img2_comes_before_img10(tmp_path: Path) -> None:
    uploads, name = packed(tmp_path, {f"img{k}.jpg": jpeg(k) for k in (10, 2, 1)})
    uploads.source(name, tmp_path / "work")
    shown = [(tmp_path / "work" / "pictures" / f"{k:06d}.jpg").read_bytes() for k in range(3)]
    assert shown == [jpeg(1), jpeg(2), jpeg(10)]


def test_a_bomb_is_stopped_by_what_comes_out(tmp_path: Path) -> None:
    uploads, name = packed(tmp_path, {f"{k}.jpg": b"\0" * 900_000 for k in range(3)}, limit=10**6)
    with pytest.raises(SourceError, match="unpacks to more"):
        uploads.source(name, tmp_path / "work")
    assert sum(p.stat().st_size for p in (tmp_path / "work").rglob("*") if p.is_file()) <= 10**6


@pytest.mark.parametrize("members", [{}, {"readme.txt": b"x"}, {"one.jpg": b"x"}])
def test_archives_without_a_recording(tmp_path: Path, members: dict[str, bytes]) -> None:
    uploads, name = packed(tmp_path, members)
    with pytest.raises(SourceError, match="holds no recording"):
        uploads.source(name, tmp_path / "work")


def test_a_broken_archive(tmp_path: Path) -> None:
    uploads, name = packed(tmp_path, {"1.jpg": jpeg(), "2.jpg": jpeg()})
    path = uploads.folder / f"{name}.zip"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(SourceError, match="cannot be read"):
        uploads.source(name, tmp_path / "work")


def test_videos_and_recordings_in_archives(tmp_path: Path) -> None:
    uploads, name = packed(tmp_path, {"deep/My Room.MOV": b"film", "cover.jpg": jpeg()})
    assert uploads.source(name, tmp_path / "work") == f"video:{tmp_path / 'work' / 'video.mov'}"
    assert (tmp_path / "work" / "video.mov").read_bytes() == b"film"
    (uploads.folder / f"{name}.zip").unlink()
    shutil.rmtree(uploads.folder)
    uploads, name = packed(tmp_path, {"metadata": b"{}", "rgbd/0.jpg": jpeg(), "rgbd/0.depth": b"x"})
    source = uploads.source(name, tmp_path / "work")
    assert source == f"phone:{uploads.folder / name}.r3d" == uploads.source(name, tmp_path / "work")
