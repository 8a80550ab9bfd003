"""PLY files: points or meshes with colours and any further numbers for each vertex.

Reads ascii and both binary byte orders; writes binary little-endian. A file starts with a text header that names its
elements and their properties in order, then the numbers follow:

    ply
    format binary_little_endian 1.0
    element vertex 67465
    property float x            (y, z, uchar red, green, blue, and so on)
    element face 127003
    property list uchar int vertex_indices
    end_header

Polygons with more than three corners are cut into fans. Elements other than vertex and face are skipped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Int, Shaped, UInt8

from spaceland.errors import SceneError
from spaceland.files import write_bytes

_TYPES = {
    "char": "i1",
    "int8": "i1",
    "uchar": "u1",
    "uint8": "u1",
    "short": "i2",
    "int16": "i2",
    "ushort": "u2",
    "uint16": "u2",
    "int": "i4",
    "int32": "i4",
    "uint": "u4",
    "uint32": "u4",
    "float": "f4",
    "float32": "f4",
    "double": "f8",
    "float64": "f8",
}
_NAMES = {"i1": "char", "u1": "uchar", "i2": "short", "u2": "ushort", "i4": "int", "u4": "uint", "f4": "float"}
_NAMES["f8"] = "double"
_ORDERS = {"binary_little_endian": "<", "binary_big_endian": ">", "ascii": ""}
_MAX_HEADER_BYTES = 1 << 16


@dataclass(frozen=True, eq=False)
class Ply:
    """A PLY's content: `vertices` [n, 3] in the file's float type, uint8 `colors` [n, 3], int32 `faces` [m, 3].

    `faces` is None when the file has no face element. `extra` holds the other vertex properties [n] by name.
    """

    vertices: Shaped[np.ndarray, "n 3"]
    colors: UInt8[np.ndarray, "n 3"] | None = None
    faces: Int[np.ndarray, "m 3"] | None = None
    extra: Mapping[str, Shaped[np.ndarray, "n"]] = field(default_factory=dict)


@dataclass
class _Element:
    name: str
    count: int
    properties: list[tuple[str, str, str | None]] = field(default_factory=list)  # name, type, type of a list's length


def read_ply(path: Path) -> Ply:
    """Read a PLY file.

    Raises:
        SceneError: missing, truncated (expected and found amounts are named), or not a PLY file.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise SceneError(f"missing file: {path}") from None
    except OSError as error:
        raise SceneError(f"cannot read {path}: {error.strerror or error}") from error
    order, elements, body = _header(path, data)
    tables: dict[str, dict[str, np.ndarray]] = {}
    tokens = data[body:].split() if order == "" else []
    position = 0 if order == "" else body
    for element in elements:
        if order == "":
            table, position = _read_ascii(path, tokens, position, element)
        else:
            table, position = _read_binary(path, data, position, element, order)
        tables[element.name] = table
    vertex = tables.get("vertex", {})
    if not {"x", "y", "z"} <= set(vertex):
        raise SceneError(f"{path}: no vertices with x, y and z in this PLY file; export it as a mesh or point cloud")
    vertices = np.stack([vertex.pop(axis) for axis in "xyz"], -1)
    colors = None
    if {"red", "green", "blue"} <= set(vertex):
        colors = _to_uint8(np.stack([vertex.pop(name) for name in ("red", "green", "blue")], -1))
    faces = None
    if "face" in tables:
        faces = next((tables["face"][k] for k in ("vertex_indices", "vertex_index") if k in tables["face"]), None)
    return Ply(vertices, colors, faces, vertex)


def write_ply(
    path: Path,
    vertices: Shaped[np.ndarray, "n 3"],
    colors: UInt8[np.ndarray, "n 3"] | None = None,
    faces: Int[np.ndarray, "m 3"] | None = None,
    extra: Mapping[str, Shaped[np.ndarray, "n"]] | None = None,
) -> None:
    """Write a binary PLY atomically. Number types are kept (64-bit integers become 32-bit), so nothing is rounded.

    Raises:
        OutputError: the file cannot be written.
    """
    columns = [(axis, vertices[:, k]) for k, axis in enumerate("xyz")]
    if colors is not None:
        columns += [(name, colors[:, k]) for k, name in enumerate(("red", "green", "blue"))]
    columns += [(name, np.asarray(values)) for name, values in (extra or {}).items()]
    fields = [(name, "<i4" if values.dtype.kind == "i" else values.dtype.newbyteorder("<")) for name, values in columns]
    table = np.empty(len(vertices), np.dtype(fields))
    for name, values in columns:
        table[name] = values
    lines = ["ply", "format binary_little_endian 1.0", f"element vertex {len(vertices)}"]
    lines += [f"property {_NAMES[table.dtype[name].str[1:]]} {name}" for name, _ in columns]
    body = table.tobytes()
    if faces is not None:
        lines += [f"element face {len(faces)}", "property list uchar int vertex_indices"]
        rows = np.empty(len(faces), np.dtype([("count", "u1"), ("corners", "<i4", 3)]))
        rows["count"], rows["corners"] = 3, faces
        body += rows.tobytes()
    write_bytes(path, "\n".join([*lines, "end_header\n"]).encode() + body)


def _header(path: Path, data: bytes) -> tuple[str, list[_Element], int]:
    """Byte order ("" for ascii), elements, and where the numbers start."""
    end = data.find(b"end_header", 0, _MAX_HEADER_BYTES)
    if not data.startswith(b"ply") or end < 0:
        raise SceneError(f"{path} is not a PLY file, or its header is truncated; copy it again")
    body = data.find(b"\n", end) + 1
    if body == 0:
        raise SceneError(f"{path} ends with its header; the file is truncated, copy it again")
    order, elements = None, []
    for line in data[:end].decode("latin-1").splitlines()[1:]:
        words = line.split()
        try:
            if not words or words[0] in ("comment", "obj_info"):
                continue
            if words[0] == "format":
                order = _ORDERS[words[1]]
            elif words[0] == "element":
                elements.append(_Element(words[1], int(words[2])))
                if elements[-1].count < 0:
                    raise ValueError
            elif words[0] == "property" and words[1] == "list":
                elements[-1].properties.append((words[4], _TYPES[words[3]], _TYPES[words[2]]))
            elif words[0] == "property":
                elements[-1].properties.append((words[2], _TYPES[words[1]], None))
            else:
                raise ValueError
        except (IndexError, KeyError, ValueError):
            raise SceneError(f"{path}: PLY header line not understood: '{line.strip()[:80]}'") from None
    if order is None:
        raise SceneError(f"{path}: the PLY header names no format; the file is damaged, copy it again")
    return order, elements, body


def _truncated(path: Path, element: _Element, expected: int, found: int, unit: str) -> SceneError:
    plural = {"vertex": "vertices", "face": "faces"}.get(element.name, f"'{element.name}' elements")
    return SceneError(
        f"{path} is truncated: expected {element.count} {plural} ({expected} {unit}), found {found} {unit}; "
        "copy it again"
    )


def _read_binary(
    path: Path, data: bytes, position: int, element: _Element, order: str
) -> tuple[dict[str, np.ndarray], int]:
    """Columns of one element, and the position after it."""
    lists = [name for name, _, length in element.properties if length]
    # Nearly every face list is all triangles: then rows have one size and are read at once.
    fields: list[tuple] = []
    for name, kind, length in element.properties:
        if length:
            fields += [(f"{name} length", order + length), (name, order + kind, (3,))]
        else:
            fields.append((name, order + kind))
    row = np.dtype(fields)
    expected, found = row.itemsize * element.count, len(data) - position
    if found >= expected:
        table = np.frombuffer(data, row, element.count, position)
        if all((table[f"{name} length"] == 3).all() for name in lists):
            return {name: _native(table[name]) for name, _, _ in element.properties}, position + expected
    elif not lists:
        raise _truncated(path, element, expected, found, "bytes")
    return _read_rows(path, data, position, element, order)


def _read_rows(
    path: Path, data: bytes, position: int, element: _Element, order: str
) -> tuple[dict[str, np.ndarray], int]:
    """Row by row, for lists of different lengths; of scalar properties beside lists nothing is kept."""
    start, fans = position, {name: [] for name, _, length in element.properties if length}
    for _ in range(element.count):
        for name, kind, length in element.properties:
            count = 1
            if length:
                head = data[position : position + int(length[1])]
                position += int(length[1])
                count = int(np.frombuffer(head, order + length)[0]) if len(head) == int(length[1]) else -1
            size = count * int(kind[1])
            if count < 0 or position + size > len(data):
                raise _truncated(path, element, position + max(size, 1) - start, len(data) - start, "bytes at least")
            if length:
                corners = np.frombuffer(data, order + kind, count, position)
                fans[name] += [(corners[0], corners[k], corners[k + 1]) for k in range(1, count - 1)]
            position += size
    return {name: np.array(rows, np.int32).reshape(-1, 3) for name, rows in fans.items()}, position


def _read_ascii(path: Path, tokens: list[bytes], position: int, element: _Element) -> tuple[dict[str, np.ndarray], int]:
    """Columns of one element of a text file that was split into tokens."""
    start = position
    try:
        if not any(length for _, _, length in element.properties):
            width, found = len(element.properties), len(tokens) - position
            if found < width * element.count:
                raise _truncated(path, element, width * element.count, found, "numbers")
            values = np.array(tokens[position : position + width * element.count], dtype=float)
            columns = values.reshape(element.count, width).T
            names = zip(element.properties, columns, strict=True)
            return {name: column.astype(kind) for (name, kind, _), column in names}, position + values.size
        fans = {name: [] for name, _, length in element.properties if length}
        for _ in range(element.count):
            for name, _, length in element.properties:
                count = int(tokens[position]) if length else 1
                position += bool(length)
                if position + count > len(tokens):
                    raise IndexError
                if length:
                    corners = [int(token) for token in tokens[position : position + count]]
                    fans[name] += [(corners[0], corners[k], corners[k + 1]) for k in range(1, count - 1)]
                position += count
    except IndexError:
        raise _truncated(path, element, position + 1 - start, len(tokens) - start, "numbers at least") from None
    except (ValueError, OverflowError) as error:
        raise SceneError(f"{path}: a number in this PLY file is not readable ({error}); export it again") from error
    return {name: np.array(rows, np.int32).reshape(-1, 3) for name, rows in fans.items()}, position


def _native(column: np.ndarray) -> np.ndarray:
    """A copy in this machine's byte order; indices become int32."""
    native = column.astype(column.dtype.newbyteorder("="))
    return native.astype(np.int32) if native.ndim == 2 else native


def _to_uint8(colors: np.ndarray) -> UInt8[np.ndarray, "n 3"]:
    """Colours as bytes; floats count from 0 to 1."""
    if colors.dtype.kind == "f":
        return (np.clip(np.nan_to_num(colors), 0.0, 1.0) * 255).round().astype(np.uint8)
    return colors.astype(np.uint8)
