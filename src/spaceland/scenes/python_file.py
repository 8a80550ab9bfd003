"""Scenes from a reader of your own: `python:my_reader.py?at=/data/my_scans`.

The file is imported and must have what every source module has:

    open_source(location: str, options: dict[str, str]) -> Source

`at` becomes the location; other options are passed on. Naming the file runs it: only name files that you trust. A
worked example is `examples/own_scans.py`, explained in docs/own-scans.md.
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from spaceland.errors import SourceError

if TYPE_CHECKING:
    from spaceland.scenes.sources import Source


def recognise(path: Path) -> bool:
    """Never: code is run only when a user names it as such."""
    return False


def open_source(location: str, options: dict[str, str]) -> Source:
    """The source of a reader file.

    Raises:
        SourceError: no such file, it cannot be imported, it has no `open_source`, or `at` is missing.
    """
    path = Path(location)
    if path.suffix != ".py" or not path.is_file():
        raise SourceError(f"python: '{location}' is no Python file; write python:my_reader.py?at=/data/my_scans")
    rest = dict(options)
    at = rest.pop("at", None)
    if at is None:
        raise SourceError(f"python: say where the scans are, as in python:{location}?at=/data/my_scans")
    module = _load(path.resolve())
    opener = getattr(module, "open_source", None)
    if not callable(opener):
        raise SourceError(f"{path} has no function open_source(location, options); see docs/own-scans.md")
    return opener(at, rest)


def _load(path: Path) -> ModuleType:
    """Import a file under a name of its own, once."""
    name = f"spaceland_reader_{hashlib.blake2b(str(path).encode(), digest_size=6).hexdigest()}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise SourceError(f"{path} could not be imported: {type(error).__name__}: {error}") from error
    return module
