"""Pickle files that hold data only.

A pickle can name any function and have it called, so an ordinary load runs whatever its author wanted. Here every name
is looked up in a short list: sets, `OrderedDict`, complex numbers, bytes as older protocols write them, and what NumPy
arrays, scalars and dtypes consist of. Lists, tuples, dicts, text, numbers and None need no name. Anything else is
refused by name before it is looked up, let alone called.
"""

from __future__ import annotations

import importlib
import pickle
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from spaceland.errors import SceneError

_PLAIN: dict[str, type] = {"set": set, "frozenset": frozenset, "complex": complex}
_NUMPY_TYPES: dict[str, type] = {"ndarray": np.ndarray, "dtype": np.dtype}
# Functions by their module, which NumPy 2 calls numpy._core and older ones numpy.core.
_NUMPY_FUNCTIONS = {"multiarray": ("_reconstruct", "scalar"), "numeric": ("_frombuffer",)}


class ForbiddenPickleError(SceneError):
    """A pickle names something that is not data."""


def load_pickle(path: Path) -> Any:
    """Read a pickle of plain containers and NumPy arrays.

    Raises:
        ForbiddenPickleError: it names a class or function that is not on the list; nothing of it was called.
        SceneError: missing, truncated, or no pickle.
    """
    try:
        with path.open("rb") as stream:
            return _DataUnpickler(stream).load()
    except FileNotFoundError:
        raise SceneError(f"missing file: {path}") from None
    except ForbiddenPickleError as error:
        raise ForbiddenPickleError(
            f"{path} holds more than data: it names {error}, which could run code and was not loaded; only plain "
            "containers and NumPy arrays are read, so get the file from its publisher or convert it"
        ) from None
    except Exception as error:  # a damaged pickle can fail anywhere and in any way
        raise SceneError(
            f"{path} cannot be read as a pickle of plain data ({type(error).__name__}: {error}); the file may be "
            "truncated, copy it again"
        ) from error


class _DataUnpickler(pickle.Unpickler):
    """Finds only the names that data is made of."""

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        found = _find(module_name, global_name)
        if found is None:
            raise ForbiddenPickleError(f"{module_name}.{global_name}")
        return found


def _find(module: str, name: str) -> Callable[..., Any] | None:
    if module in ("builtins", "__builtin__"):
        return _new_bytes() if name == "bytes" else _PLAIN.get(name)
    if module == "collections":
        return OrderedDict if name == "OrderedDict" else None
    if module == "_codecs":
        return _latin1() if name == "encode" else None
    if module == "numpy":
        return _NUMPY_TYPES.get(name)
    core, _, part = module.rpartition(".")
    if core in ("numpy._core", "numpy.core") and name in _NUMPY_FUNCTIONS.get(part, ()):
        return getattr(importlib.import_module(f"numpy._core.{part}"), name)
    return None


def _latin1() -> Callable[..., bytes]:
    """Protocols 0 to 2 write bytes as text to be encoded. No other codec. New each time, so none can be altered."""

    def encode(text: str, encoding: str = "latin1") -> bytes:
        if encoding != "latin1":
            raise ForbiddenPickleError(f"_codecs.encode with the codec '{encoding}'")
        return text.encode("latin1")

    return encode


def _new_bytes() -> Callable[[], bytes]:
    """Protocols 0 to 2 write empty bytes as a call without arguments; with a number it would be a memory bomb."""
    return lambda: b""
