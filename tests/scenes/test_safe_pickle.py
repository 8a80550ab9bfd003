"""Pickles of data are read; a pickle that wants anything called is refused before it happens."""

from __future__ import annotations

import fractions
import os
import pickle
import pickletools
from collections import OrderedDict, defaultdict
from pathlib import Path

import numpy as np
import pytest

from spaceland.errors import SceneError
from spaceland.scenes.safe_pickle import ForbiddenPickleError, load_pickle


class Hostile:
    """Runs a shell command when it is loaded."""

    def __init__(self, function: object, *args: object) -> None:
        self.call = function, args

    def __reduce__(self) -> tuple:
        return self.call


def write(path: Path, content: object, protocol: int) -> Path:
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    return path


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_data_comes_back(tmp_path: Path, protocol: int) -> None:
    content = {
        "plain": [
            1,
            -(2**70),
            2.5,
            1 + 2j,
            True,
            None,
            "text",
            b"bytes",
            b"",
            b"\x80\xff",
            (1, (2,)),
            {1, 2},
            frozenset("a"),
        ],
        "ordered": OrderedDict(a=1, b=[2]),
        "arrays": [np.eye(4), np.arange(6, dtype=">i2").reshape(2, 3), np.asfortranarray(np.ones((2, 3), np.float32))],
        "scalars": [np.float32(1.5), np.int64(7), np.bool_(True), np.str_("x")],
        "dtype": np.dtype("float64"),
        "objects": np.array([{"a": 1}, None], dtype=object),
        "table": np.zeros(2, np.dtype([("a", "i4"), ("b", "f8", 3)])),
    }
    read = load_pickle(write(tmp_path / "data.pkl", content, protocol))
    assert read["plain"] == content["plain"] and read["ordered"] == content["ordered"]
    for got, want in zip(read["arrays"], content["arrays"], strict=True):
        assert np.array_equal(got, want) and got.dtype.newbyteorder("=") == want.dtype.newbyteorder("=")
    assert read["scalars"] == content["scalars"] and type(read["scalars"][0]) is np.float32
    assert read["dtype"] == np.float64 and read["objects"].tolist() == [{"a": 1}, None]
    assert read["table"].dtype == content["table"].dtype


def test_arrays_of_older_numpy(tmp_path: Path) -> None:
    """NumPy 1 calls its inner module numpy.core; both names mean the same."""
    data = pickle.dumps(np.arange(3.0), protocol=0).replace(b"numpy._core", b"numpy.core")
    assert b"numpy.core.multiarray" in data
    (tmp_path / "old.pkl").write_bytes(data)
    assert np.array_equal(load_pickle(tmp_path / "old.pkl"), np.arange(3.0))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_hostile_pickle_does_not_run(tmp_path: Path, protocol: int) -> None:
    mark = tmp_path / "mark"
    path = write(tmp_path / "hostile.pkl", {"data_list": [Hostile(os.system, f"touch {mark}")]}, protocol)
    with pytest.raises(ForbiddenPickleError, match=r"(posix|nt|os)\.system, which could run code"):
        load_pickle(path)
    assert not mark.exists()
    pickle.loads(path.read_bytes())  # it is indeed hostile
    assert mark.exists()


@pytest.mark.parametrize(
    "content",
    [
        Hostile(eval, "1 + 1"),
        Hostile(getattr, "x", "upper"),
        Hostile(__import__, "os"),
        Hostile(np.load, "x.npy"),
        Hostile(np.fromfile, "x"),
        Hostile(bytearray, 10),
        defaultdict(list),
        fractions.Fraction(1, 2),
        Path("x"),
        len,
    ],
)
def test_everything_else_is_refused_by_name(tmp_path: Path, content: object) -> None:
    with pytest.raises(ForbiddenPickleError, match="holds more than data: it names"):
        load_pickle(write(tmp_path / "x.pkl", content, 4))


@pytest.mark.parametrize(
    "data",
    [
        b"cnumpy\nndarray.tofile\n.",  # a way round through an attribute
        b"\x80\x04\x8c\x05numpy\x8c\x0endarray.tofile\x93.",
        b"cnumpy.core.multiarray\nfromfile\n.",
        b"cnumpy._core._multiarray_umath\n_reconstruct\n.",
        b"cos.numpy._core.multiarray\n_reconstruct\n.",
        b"c_codecs\ndecode\n.",
        b"cbuiltins\nexec\n.",
        b"c__builtin__\nbytearray\n.",
    ],
)
def test_no_way_round(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.pkl").write_bytes(data)
    with pytest.raises(ForbiddenPickleError):
        load_pickle(tmp_path / "x.pkl")


def test_only_latin1_bytes_and_no_memory_bombs(tmp_path: Path) -> None:
    (tmp_path / "codec.pkl").write_bytes(b"c_codecs\nencode\n(Vabc\nVzlib\ntR.")
    with pytest.raises(ForbiddenPickleError, match="zlib"):
        load_pickle(tmp_path / "codec.pkl")
    for bomb in (b"cbuiltins\nbytes\n(I1000000000000\ntR.", b"cnumpy\nndarray\n((I1000000000000000\nttR."):
        (tmp_path / "bomb.pkl").write_bytes(bomb)
        with pytest.raises(SceneError, match=r"bomb\.pkl cannot be read"):
            load_pickle(tmp_path / "bomb.pkl")


def test_truncated_anywhere_is_one_error(tmp_path: Path) -> None:
    data = pickle.dumps({"a": [np.eye(3), "text", {1: 2.5}]}, protocol=2)
    ends = [position for _, _, position in pickletools.genops(data) if position]
    for end in {*ends, *range(1, len(data), 7)}:
        (tmp_path / "cut.pkl").write_bytes(data[:end])
        with pytest.raises(SceneError, match=r"cut\.pkl cannot be read.*truncated"):
            load_pickle(tmp_path / "cut.pkl")


def test_no_pickle_and_no_file(tmp_path: Path) -> None:
    for data in (b"", b"PK\x03\x04 a zip", b"\x00" * 50, b"hello"):
        (tmp_path / "x.pkl").write_bytes(data)
        with pytest.raises(SceneError, match="cannot be read as a pickle"):
            load_pickle(tmp_path / "x.pkl")
    with pytest.raises(SceneError, match="missing file"):
        load_pickle(tmp_path / "none.pkl")
    with pytest.raises(SceneError, match="cannot be read"):
        load_pickle(tmp_path)
