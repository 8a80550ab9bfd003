"""PLY: what is written comes back; all formats are read; damaged files are named with what is missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spaceland.errors import SceneError
from spaceland.scenes.ply import read_ply, write_ply

VERTICES = np.array([[0.0, 0.1, 0.2], [1.0, 0.0, 0.0], [0.0, 1.0, 0.5], [1.0, 1.0, 1 / 3]])
COLORS = np.array([[255, 0, 1], [2, 3, 4], [5, 6, 7], [8, 9, 10]], dtype=np.uint8)
FACES = np.array([[0, 1, 2], [1, 3, 2]])


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("with_colors", [True, False])
@pytest.mark.parametrize("faces", [FACES, FACES[:0], None])
def test_round_trip(tmp_path: Path, kind: type, with_colors: bool, faces: np.ndarray | None) -> None:
    ids = np.array([-1, 0, 5, 70000], dtype=np.int64)
    colors = COLORS if with_colors else None
    write_ply(tmp_path / "a.ply", VERTICES.astype(kind), colors, faces, {"object_id": ids})
    back = read_ply(tmp_path / "a.ply")
    assert back.vertices.dtype == kind and (back.vertices == VERTICES.astype(kind)).all()
    assert (back.colors is None) if colors is None else (back.colors == COLORS).all()
    assert back.faces is None if faces is None else np.array_equal(back.faces, faces)
    assert list(back.extra) == ["object_id"] and (back.extra["object_id"] == ids).all()


def header(form: str, *lines: str) -> bytes:
    return "\n".join(["ply", f"format {form} 1.0", "comment made by hand", *lines, "end_header\n"]).encode()


XYZ = [f"property float {axis}" for axis in "xyz"]


def test_ascii_with_polygons(tmp_path: Path) -> None:
    """A quad becomes two triangles, and an element that is neither vertex nor face is stepped over."""
    text = header(
        "ascii",
        "element vertex 4",
        *XYZ,
        "property uchar red",
        "property uchar green",
        "property uchar blue",
        "element edge 1",
        "property int a",
        "element face 2",
        "property list uchar int vertex_index",
    )
    rows = b"0 0 0 1 2 3\n1 0 0 4 5 6\n1 1 0 7 8 9\n0 1 0 10 11 12\n99\n4 0 1 2 3\n3 0 1 2\n"
    (tmp_path / "a.ply").write_bytes(text + rows)
    mesh = read_ply(tmp_path / "a.ply")
    assert mesh.vertices.tolist() == [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]
    assert mesh.colors is not None and mesh.colors[3].tolist() == [10, 11, 12]
    assert mesh.faces is not None and mesh.faces.tolist() == [[0, 1, 2], [0, 2, 3], [0, 1, 2]]


@pytest.mark.parametrize(("form", "order"), [("binary_little_endian", "<"), ("binary_big_endian", ">")])
def test_binary_orders_and_mixed_polygons(tmp_path: Path, form: str, order: str) -> None:
    head = header(form, "element vertex 4", *XYZ, "element face 2", "property list uchar int vertex_indices")
    body = VERTICES.astype(order + "f4").tobytes()
    body += (
        b"\x04" + np.array([0, 1, 3, 2], order + "i4").tobytes() + b"\x03" + np.array([0, 1, 2], order + "i4").tobytes()
    )
    (tmp_path / "a.ply").write_bytes(head + body)
    mesh = read_ply(tmp_path / "a.ply")
    assert np.allclose(mesh.vertices, VERTICES)
    assert mesh.faces is not None and mesh.faces.tolist() == [[0, 1, 3], [0, 3, 2], [0, 1, 2]]


def test_truncated_file_says_what_was_expected_and_found(tmp_path: Path) -> None:
    write_ply(tmp_path / "a.ply", np.zeros((1000, 3), np.float32), None, FACES)
    data = (tmp_path / "a.ply").read_bytes()
    (tmp_path / "a.ply").write_bytes(data[: len(data) // 2])
    with pytest.raises(
        SceneError, match=r"a\.ply is truncated: expected 1000 vertices \(12000 bytes\), found \d+ bytes"
    ):
        read_ply(tmp_path / "a.ply")


@pytest.mark.parametrize("keep", [0.01, 0.3, 0.6, 0.9, 0.99])
@pytest.mark.parametrize("form", ["binary", "ascii", "polygons"])
def test_any_truncation_is_a_scene_error(tmp_path: Path, keep: float, form: str) -> None:
    path = tmp_path / "a.ply"
    if form == "binary":
        write_ply(path, VERTICES, COLORS, FACES)
    elif form == "ascii":
        head = header("ascii", "element vertex 2", *XYZ, "element face 1", "property list uchar int vertex_indices")
        path.write_bytes(head + b"0 0 0\n1 1 1\n3 0 1 1")
    else:
        head = header("binary_little_endian", "element face 1", "property list uchar int vertex_indices")
        head = head.replace(
            b"element face", b"element vertex 1\nproperty float x\nproperty float y\nproperty float z\nelement face"
        )
        path.write_bytes(head + bytes(12) + b"\x05" + bytes(20))
    whole = path.read_bytes()
    read_ply(path)
    path.write_bytes(whole[: int(len(whole) * keep)])
    with pytest.raises(SceneError, match=r"a\.ply"):
        read_ply(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"solid stl", "not a PLY file"),
        (b"ply\nformat ascii 1.0\nelement vertex many\nend_header\n", "header line not understood"),
        (b"ply\nformat ascii 1.0\nelement vertex -4\nend_header\n", "header line not understood"),
        (b"ply\nelement vertex 0\nend_header\n", "names no format"),
        (
            header("ascii", "element vertex 1", "property float x", "property float y") + b"1 2\n",
            "no vertices with x, y",
        ),
        (header("ascii", "element vertex 1", *XYZ) + b"1 2 three\n", "not readable"),
        (
            header("binary_little_endian", f"element vertex {10**15}", *XYZ) + bytes(99),
            "expected 1000000000000000 vert",
        ),
    ],
)
def test_bad_files(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.ply").write_bytes(content)
    with pytest.raises(SceneError, match=message):
        read_ply(tmp_path / "a.ply")


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(SceneError, match="missing file"):
        read_ply(tmp_path / "none.ply")
