"""The object finder that a setting names."""

from __future__ import annotations

import hashlib
from pathlib import Path

from spaceland.errors import SourceError
from spaceland.objects.types import ObjectFinder


def files_key(name: str) -> str | None:
    """Changes when the user's masks do: names, sizes and times of the files. None for finders without files."""
    kind, _, location = name.partition(":")
    if kind not in ("masks", "mask3d"):
        return None
    path = Path(location).expanduser()
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    state = [(file.relative_to(path).as_posix(), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return hashlib.blake2b(repr(state).encode(), digest_size=12).hexdigest()


def make_finder(name: str) -> ObjectFinder:
    """`auto` and `detector`: the built-in one. `masks:PATH`, `mask3d:PATH`: the user's own.

    Raises:
        DependencyError: its package is not installed.
        SourceError: there is nothing at the path.
    """
    kind, _, location = name.partition(":")
    if kind in ("auto", "detector"):
        from spaceland.objects.finder import DetectorObjectFinder

        return DetectorObjectFinder()
    path = Path(location).expanduser()
    if not location or not path.exists():
        raise SourceError(f"objects '{name}': there is no file or folder {location or '(empty)'}")
    if kind == "mask3d":
        from spaceland.objects.mask3d import Mask3dFinder

        return Mask3dFinder(path)
    from spaceland.objects.masks import mask_finder

    return mask_finder(path)
